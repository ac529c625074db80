"""Reading a gradebook: the same numbers for the page, the learner's own view and the export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from uuid import UUID

from app.assessment import gradebook_statements as sql
from app.assessment.gradebook_rows import Book, GradeRow, ItemRow, KeptRow, LearnerGrades, LearnerRow
from app.assessment.gradebook_rules import Mark, total
from app.assessment.quiz_rows import PlaceRow
from app.assessment.visibility import Standing, Visibility, score_is_shown
from app.db.transaction import Tx


async def read_book(tx: Tx, course_id: UUID) -> Book | None:
    """A course's gradebook without its learners; None without the course."""
    row = await tx.one_or_none(sql.BOOK, course_id=course_id)
    if row is None:
        return None
    categories = await tx.all(sql.CATEGORIES, course_id=course_id)
    return Book.of(row, categories, await tx.all(sql.ITEMS, course_id=course_id))


async def read_grades(
    tx: Tx, book: Book, learners: Sequence[LearnerRow], *, hidden: Iterable[UUID] = ()
) -> list[LearnerGrades]:
    """The lines of these learners, in two statements. ``hidden``: the items that who looks may not see yet."""
    ids, course_id = [learner.user_id for learner in learners], book.row.course_id
    kept: dict[UUID, dict[UUID, KeptRow]] = {
        user_id: {row.quiz_id: row for row in rows}
        for user_id, rows in groupby(await tx.all(sql.SCORES, course_id=course_id, ids=ids), lambda row: row.user_id)
    }
    given: dict[UUID, dict[UUID, GradeRow]] = {
        user_id: {row.item_id: row for row in rows}
        for user_id, rows in groupby(await tx.all(sql.GRADES, course_id=course_id, ids=ids), lambda row: row.user_id)
    }
    closed = frozenset(hidden)
    return [
        line(book, learner, kept.get(learner.user_id, {}), given.get(learner.user_id, {}), closed)
        for learner in learners
    ]


def line(
    book: Book,
    learner: LearnerRow,
    kept: dict[UUID, KeptRow],
    given: dict[UUID, GradeRow],
    closed: frozenset[UUID] = frozenset(),
) -> LearnerGrades:
    """One learner's line. Of the items in ``closed`` only those hide something where there is a score."""
    hidden = frozenset(closed & kept.keys())
    marks = {item.id: _mark(item, kept.get(item.id), given.get(item.id), hidden) for item in book.items}
    items, categories = book.rules
    found = total(items, categories, marks, ungraded_as_zero=book.row.ungraded_as_zero)
    return LearnerGrades(learner, book, found, kept, given, hidden)


def _mark(item: ItemRow, kept: KeptRow | None, given: GradeRow | None, hidden: frozenset[UUID]) -> Mark:
    is_excused = given is not None and given.is_excused
    if item.quiz_id is None:
        return Mark(None if given is None else given.points, item.points, is_excused)
    if kept is None:
        return Mark(is_excused=is_excused)
    return Mark(kept.score, kept.possible, is_excused, is_hidden=item.id in hidden)


def hidden_items(items: Sequence[ItemRow], places: Sequence[PlaceRow]) -> list[UUID]:
    """The quizzes whose scores a learner who stands so may not see yet (Q8)."""
    by_quiz = {place.quiz_id: place for place in places}
    return [
        item.id
        for item in items
        if item.visibility is not None
        and (place := by_quiz.get(item.id)) is not None
        and not score_is_shown(
            Visibility(item.visibility),
            Standing(
                place.now,
                place.close_at,
                place.attempts_left(item.attempts_allowed),
                place.open_attempt_id is not None,
            ),
        )
    ]
