"""What the learning room, which is above this one, is told of changes that authors make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.catalog.revisions import CHANGE_CONTENT
from app.catalog.rows import BlockRow
from app.db.outbox import publish
from app.db.transaction import Tx

LESS_TO_DO = "course_less_to_do"  # a required lesson went away, or another revision counts
CONTENT_CHANGED = "lesson_content_changed"


async def less_to_do(tx: Tx, course_id: UUID) -> None:
    """Tell that somebody may have done everything now (P7)."""
    await publish(tx, LESS_TO_DO, {"course_id": str(course_id)})


def is_other(present: Sequence[BlockRow], blocks: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a lesson's blocks say something else now; their identifiers do not matter."""
    before = [(row.kind, row.title, row.content) for row in present]
    return before != [(block["kind"], block["title"], block["content"].obj) for block in blocks]


async def content_changed(tx: Tx, course_id: UUID, lesson_id: UUID) -> None:
    """Count a change of a lesson's content; it depends on a policy what it means to who was done (P8)."""
    at = await tx.one(CHANGE_CONTENT, "lesson", id=lesson_id)
    payload = {"course_id": str(course_id), "lesson_id": str(lesson_id), "at": at.isoformat()}
    await publish(tx, CONTENT_CHANGED, payload)
