"""What the statements about gradebooks return, and what is put together from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.assessment.gradebook_rules import LETTERS, Band, Category, Item, Scale, Total, grade


@dataclass(slots=True, eq=False)
class BookRow:
    """How a course's grades are put together; ``version`` is 0 while nobody has said anything about it."""

    course_id: UUID
    title: str
    ungraded_as_zero: bool
    scale: str | None
    exigency: Decimal
    bands: Any
    version: int

    @property
    def letters(self) -> tuple[Band, ...]:
        """The bands of the scale of letters."""
        return LETTERS if self.bands is None else tuple(Band(label, Decimal(least)) for label, least in self.bands)

    def told(self, percent: Decimal | None) -> str | None:
        """A total as the course's scale tells it."""
        scale = None if self.scale is None else Scale(self.scale)
        return grade(percent, scale, exigency=self.exigency, bands=self.letters)


@dataclass(slots=True, eq=False)
class CategoryRow:
    """Items that are averaged together."""

    id: UUID
    course_id: UUID
    title: str
    weight: Decimal
    drop_lowest: int
    position: int


@dataclass(slots=True, eq=False)
class ItemRow:
    """Something that is graded: a published quiz, or what graders give points for.

    ``version`` is 0 while nobody has said anything about a quiz's place in the gradebook.
    """

    id: UUID
    course_id: UUID
    quiz_id: UUID | None
    title: str
    points: Decimal
    own_points: Decimal | None
    category_id: UUID | None
    weight: Decimal | None
    is_extra_credit: bool
    is_excluded: bool
    position: int | None
    version: int
    visibility: str | None
    attempts_allowed: int | None


@dataclass(slots=True, eq=False)
class LearnerRow:
    """Somebody who is graded in a course."""

    user_id: UUID
    full_name: str
    email: str
    sort_name: str


@dataclass(slots=True, eq=False)
class KeptRow:
    """A quiz's kept score, as far as the gradebook needs it."""

    quiz_id: UUID
    user_id: UUID
    score: Decimal | None
    possible: Decimal
    is_final: bool
    updated_at: datetime


@dataclass(slots=True, eq=False)
class GradeRow:
    """What a grader gave a learner, or excused them from."""

    item_id: UUID
    user_id: UUID
    points: Decimal | None
    is_excused: bool
    comment: str
    graded_by: UUID
    graded_at: datetime
    version: int


@dataclass(slots=True, eq=False)
class Book:
    """A course's gradebook without its learners."""

    row: BookRow
    categories: Sequence[CategoryRow]
    items: Sequence[ItemRow]
    rules: tuple[Sequence[Item], Sequence[Category]]

    @classmethod
    def of(cls, row: BookRow, categories: Sequence[CategoryRow], items: Sequence[ItemRow]) -> Book:
        """A gradebook of what was read."""
        plain = [
            Item(item.id, item.points, item.category_id, item.weight, item.is_extra_credit, item.is_excluded)
            for item in items
        ]
        return cls(row, categories, items, (plain, [Category(c.id, c.weight, c.drop_lowest) for c in categories]))


@dataclass(slots=True, eq=False)
class LearnerGrades:
    """A learner's line of the gradebook: what each item came to, and the total."""

    learner: LearnerRow
    book: Book
    total: Total
    kept: Mapping[UUID, KeptRow]
    given: Mapping[UUID, GradeRow]
    hidden: frozenset[UUID]

    @property
    def grade(self) -> str | None:
        """The total as the course's scale tells it."""
        return self.book.row.told(self.total.percent)
