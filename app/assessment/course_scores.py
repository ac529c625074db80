"""A learner's score in a course: the total of the gradebook, everything in it that has been graded."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from app.assessment import quiz_statements
from app.assessment.gradebook_reading import hidden_items, read_book, read_grades
from app.assessment.gradebook_rows import LearnerRow
from app.db.transaction import Tx


async def course_score(tx: Tx, course_id: UUID, user_id: UUID) -> Decimal | None:
    """Percent, with what the learner may not see yet; None when nothing counts.

    Also of who has left the course: what was reached is still regraded.
    """
    book = await read_book(tx, course_id)
    if book is None or not book.items:
        return None
    [line] = await read_grades(tx, book, [LearnerRow(user_id, "", "", "")])
    return line.total.percent


async def is_partly_hidden(tx: Tx, course_id: UUID, user_id: UUID) -> bool:
    """Whether the course's score says something that its learner may not see yet (Q8)."""
    book = await read_book(tx, course_id)
    quizzes = [] if book is None else [item.id for item in book.items if item.quiz_id is not None]
    if book is None or not quizzes:
        return False
    places = await tx.all(quiz_statements.PLACES, ids=quizzes, user_id=user_id)
    hidden = hidden_items(book.items, places)
    [line] = await read_grades(tx, book, [LearnerRow(user_id, "", "", "")], hidden=hidden)
    return bool(line.hidden)
