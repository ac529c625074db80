"""A learner's score in a course: the total of the gradebook, everything in it that has been graded."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from app.assessment import gradebook_statements as sql
from app.assessment.gradebook_reading import read_book, read_grades
from app.db.transaction import Tx


async def course_score(tx: Tx, course_id: UUID, user_id: UUID) -> Decimal | None:
    """Percent, with what the learner may not see yet; None when nothing counts, or they are not graded there."""
    book = await read_book(tx, course_id)
    if book is None or not book.items:
        return None
    learners = await tx.all(sql.LEARNERS_BY_ID, course_id=course_id, ids=[user_id])
    lines = await read_grades(tx, book, learners)
    return lines[0].total.percent if lines else None
