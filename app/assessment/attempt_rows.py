"""What the statements about attempts return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.assessment.deadlines import Overdue, Timing

OPEN_STATES = frozenset({"in_progress", "overdue"})
CLOSED_STATES = frozenset({"grading", "graded"})


@dataclass(slots=True, eq=False)
class AttemptRow:
    """One attempt of one learner."""

    id: UUID
    quiz_id: UUID
    course_id: UUID
    user_id: UUID
    attempt_no: int
    locale: str
    is_preview: bool
    state: str
    started_at: datetime
    deadline_at: datetime | None
    due_for_sweep_at: datetime | None
    finished_at: datetime | None
    was_auto_submitted: bool
    is_flagged_late: bool
    points: Decimal | None
    possible: Decimal
    penalty: Decimal
    score: Decimal | None
    score_before_regrade: Decimal | None
    graded_at: datetime | None
    results_seen_at: datetime | None
    version: int

    @property
    def is_open(self) -> bool:
        """Whether it can still be submitted."""
        return self.state in OPEN_STATES


@dataclass(slots=True, eq=False)
class TimedAttempt(AttemptRow):
    """A locked attempt with what its quiz says of time, and the time."""

    overdue_policy: str
    grace_period_seconds: int
    network_grace_seconds: int
    allows_check: bool
    visibility: str
    now: datetime

    @property
    def timing(self) -> Timing:
        """How its quiz deals with time."""
        return Timing(
            Overdue(self.overdue_policy),
            timedelta(seconds=self.grace_period_seconds),
            timedelta(seconds=self.network_grace_seconds),
        )


@dataclass(slots=True, eq=False)
class Locked:
    """Whose attempt it is: what has to be known before locks are taken in the house's order."""

    id: UUID
    quiz_id: UUID
    course_id: UUID
    user_id: UUID
    is_preview: bool


@dataclass(slots=True, eq=False)
class AnswerRow:
    """A question of an attempt with its body as it was then, what was answered and what that was worth."""

    attempt_id: UUID
    slot: int
    question_id: UUID
    question_version: int
    points: Decimal
    seed: str
    answer: Any
    revision: int
    saved_at: datetime | None
    auto_points: Decimal | None
    manual_delta: Decimal | None
    needs_manual: bool
    fraction: Decimal | None
    parts: Any
    graded_version: int | None
    comment: str
    graded_by: UUID | None
    graded_at: datetime | None
    version: int
    body: Any

    @property
    def is_graded(self) -> bool:
        """Whether it is known what the answer is worth."""
        return self.auto_points is not None or self.manual_delta is not None

    @property
    def worth(self) -> Decimal | None:
        """What the answer is worth: by the rules, and what a grader added or took, at most the question's points.

        What a grader took off never makes it less than nothing, whatever the rules give now.
        """
        if not self.is_graded:
            return None
        ruled = self.auto_points or Decimal(0)
        least = min(ruled, Decimal(0))
        return min(max(ruled + (self.manual_delta or Decimal(0)), least), self.points)


@dataclass(slots=True, eq=False)
class Standing:
    """How the learner of an attempt stands with its quiz, by the database's clock."""

    attempt_id: UUID
    now: datetime
    close_at: datetime | None
    attempts_allowed: int | None
    used: int
    has_open_attempt: bool


@dataclass(slots=True, eq=False)
class Submitted:
    """An attempt that counts for the kept score."""

    id: UUID
    attempt_no: int
    score: Decimal | None
    possible: Decimal


@dataclass(slots=True, eq=False)
class Learner:
    """Somebody whose attempts are to be graded anew."""

    user_id: UUID
    full_name: str


@dataclass(slots=True, eq=False)
class CurrentBody:
    """A question as it is now."""

    id: UUID
    version: int
    body: Any


@dataclass(slots=True, eq=False)
class MarkRow:
    """What one answer was worth in a graded attempt."""

    attempt_id: UUID
    question_id: UUID
    title: str
    points: Decimal
    mark: Decimal
