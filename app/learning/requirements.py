"""What other rooms report of a learner's lesson: something was handed in, a score was given or taken (P5).

Every report is remembered as an event under an identifier made of what it says, so that repeating it changes nothing
and the order in which reports come does not matter. Nothing happens for who is not learning in the course (any more).
"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from app.db.transaction import Tx
from app.learning import rules
from app.learning import statements as sql
from app.learning.completing import complete_finished
from app.learning.rows import EnrollmentRow
from app.learning.settling import Place, lessons_of, settle

HUNDREDTH = Decimal("0.01")
_NAMES = UUID("6f0c2a52-95d4-4f6e-8f7f-6a1d8b8f2c11")


async def hold_enrollment(tx: Tx, *, user_id: UUID, lesson_id: UUID) -> EnrollmentRow | None:
    """Lock the learner's enrolment in the lesson's course; None when they are not learning there.

    To be called before rows of the caller's own are locked, which the reports below are about.
    """
    facts = await tx.one_or_none(sql.LESSON_FACTS, ids=[lesson_id], user_id=user_id)
    if facts is None:
        return None
    return await tx.one_or_none(sql.LIVE_FOR_UPDATE, user_id=user_id, ids=[facts.course_id])


async def report_submission(tx: Tx, *, user_id: UUID, lesson_id: UUID, at: datetime) -> None:
    """The learner handed something in."""
    await _report(tx, user_id, lesson_id, rules.EventKind.SUBMITTED, at)


async def report_score(
    tx: Tx, *, user_id: UUID, lesson_id: UUID, score_percent: Decimal | None, has_attempt: bool, at: datetime
) -> None:
    """The learner's score in the lesson (the kept one of several attempts) is this since ``at``; None: there is none.

    Rounded to hundredths. The latest ``at`` counts, of two of the same moment the higher. ``has_attempt``: the learner
    handed something in; a grade that somebody gave without it is no submission.
    """
    await _report(tx, user_id, lesson_id, rules.EventKind.SCORED, at, score_percent, has_attempt=has_attempt)


async def _report(
    tx: Tx,
    user_id: UUID,
    lesson_id: UUID,
    kind: rules.EventKind,
    at: datetime,
    percent: Decimal | None = None,
    *,
    has_attempt: bool = False,
) -> None:
    facts = await tx.all(sql.LESSON_FACTS, ids=[lesson_id], user_id=user_id)
    if not facts:
        return
    course_id = facts[0].course_id
    enrollment = await tx.one_or_none(sql.LIVE_FOR_UPDATE, user_id=user_id, ids=[course_id])
    if enrollment is None:
        return
    score = None if percent is None else str(percent.quantize(HUNDREDTH, ROUND_HALF_UP))
    said = f"{enrollment.id} {enrollment.cycle} {lesson_id} {kind} {at.timestamp()} {score} {has_attempt}"
    payload: dict[str, Any] = {
        "percent": score, "position": None, "block_id": None, "ranges": [], "span": None, "has_attempt": has_attempt,
    }  # fmt: skip
    added = await tx.execute(
        sql.ADD_EVENT,
        user_id=user_id,
        client_event_id=uuid5(_NAMES, said),
        enrollment_id=enrollment.id,
        lesson_id=lesson_id,
        kind=kind.value,
        payload=Jsonb(payload),
        occurred_at=max(at, enrollment.enrolled_at),
    )
    if added:
        place = Place(enrollment.id, lesson_id, course_id, user_id)
        await settle(tx, [place], await lessons_of(tx, facts))
        await complete_finished(tx, [enrollment.id])
