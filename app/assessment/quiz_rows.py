"""What the statements about quizzes return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.assessment.deadlines import Overdue, Timing
from app.assessment.late import LatePolicy


@dataclass(slots=True, eq=False)
class QuizRow:
    """A quiz as its authors made it."""

    id: UUID
    course_id: UUID
    lesson_id: UUID | None
    title: str
    instructions: str
    open_at: datetime | None
    close_at: datetime | None
    due_at: datetime | None
    time_limit_seconds: int | None
    overdue_policy: str
    grace_period_seconds: int
    network_grace_seconds: int
    attempts_allowed: int | None
    kept_score: str
    visibility: str
    shuffle_questions: bool
    shuffle_options: bool
    allows_check: bool
    pass_percent: Decimal | None
    late_interval_seconds: int | None
    late_percent: Decimal
    late_floor_percent: Decimal
    freeze_days: int | None
    published_at: datetime | None
    version: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime

    @property
    def timing(self) -> Timing:
        """How it deals with time."""
        return Timing(
            Overdue(self.overdue_policy),
            timedelta(seconds=self.grace_period_seconds),
            timedelta(seconds=self.network_grace_seconds),
        )

    def late_policy(self, due_at: datetime | None) -> LatePolicy:
        """What being late costs, for somebody who has until ``due_at``."""
        if self.late_interval_seconds is None:
            return LatePolicy()
        interval = timedelta(seconds=self.late_interval_seconds)
        return LatePolicy(due_at, interval, self.late_percent, self.late_floor_percent)


@dataclass(slots=True, eq=False)
class SlotRow:
    """A place of a quiz: one question, or some that are drawn."""

    id: UUID
    quiz_id: UUID
    position: int
    question_id: UUID | None
    tags: list[str]
    category: str | None
    draws: int
    points: Decimal


@dataclass(slots=True, eq=False)
class Extent:
    """How much a quiz asks, all slots together."""

    quiz_id: UUID
    questions: int
    points: Decimal


@dataclass(slots=True, eq=False)
class OverrideRow:
    """What one learner may that others may not."""

    quiz_id: UUID
    user_id: UUID
    extra_minutes: int
    extra_attempts: int
    open_at: datetime | None
    close_at: datetime | None
    due_at: datetime | None
    reason: str
    granted_by: UUID
    updated_at: datetime


@dataclass(slots=True, eq=False)
class Asked:
    """A question that a slot may ask, with its current version, and whether this learner had it before."""

    slot_id: UUID
    question_id: UUID
    version: int
    kind: str
    was_seen: bool


@dataclass(slots=True, eq=False)
class ScoreRow:
    """The score that counts of a learner's attempts."""

    quiz_id: UUID
    user_id: UUID
    course_id: UUID
    score: Decimal | None
    possible: Decimal
    percent: Decimal | None
    attempt_id: UUID | None
    attempts: int
    is_final: bool
    is_passed: bool | None
    updated_at: datetime


@dataclass(slots=True, eq=False)
class Place:
    """Where a learner stands with a quiz, by the database's clock."""

    now: datetime
    extra_minutes: int
    extra_attempts: int
    open_at: datetime | None
    close_at: datetime | None
    due_at: datetime | None
    used: int
    last_number: int
    open_attempt_id: UUID | None

    def attempts_left(self, allowed: int | None) -> int | None:
        """How many attempts may still be begun; None: as many as one likes."""
        return None if allowed is None else max(0, allowed + self.extra_attempts - self.used)


@dataclass(slots=True, eq=False)
class PlaceRow(Place):
    """The same of many quizzes at once."""

    quiz_id: UUID
