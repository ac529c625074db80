"""Completing courses: exactly once, whoever or whatever made a learner's last required lesson done."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.db.outbox import publish
from app.db.transaction import Tx
from app.learning import statements as sql

FIRST = UUID(int=0)


async def complete_finished(tx: Tx, enrollment_ids: Sequence[UUID]) -> None:
    """Complete those of these enrolments whose required lessons are all done.

    The caller has locked them. P9, P10: who finds ``completed_at`` null says so, in the same transaction.
    """
    finished = await tx.all(sql.FINISH, ids=list(enrollment_ids))
    if not finished:
        return
    titles = {row.id: row.title for row in await tx.all(sql.TITLES, ids=[row.course_id for row in finished])}
    for row in finished:
        await tell(tx, "course_completed", row.id, row.course_id, titles[row.course_id], row.user_id)


async def complete_after_removal(tx: Tx, course_id: UUID) -> None:
    """Complete the learners who had done everything but what its author took out of a course (P7).

    Every active enrolment is locked before it is judged: a learner who is just finishing another lesson is waited
    for, or waits and then sees the course without the lesson.
    """
    after = FIRST
    while ids := await tx.all(sql.ACTIVE_FOR_UPDATE, course_id=course_id, after=after):
        await complete_finished(tx, ids)
        after = ids[-1]


async def tell(tx: Tx, kind: str, enrollment_id: UUID, course_id: UUID, title: str, user_id: UUID) -> None:
    """Publish an event about an enrolment."""
    payload = {
        "enrollment_id": str(enrollment_id),
        "course_id": str(course_id),
        "course_title": title,
        "user_id": str(user_id),
    }
    await publish(tx, kind, payload)
