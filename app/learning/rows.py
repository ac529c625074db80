"""Rows of the learning room, as its statements return them.

Nobody changes a row; they are not frozen because a frozen one takes three times as long to fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(slots=True, eq=False)
class EnrollmentRow:
    """A learner's place in a course; ``is_open`` is whether the course is published and not deleted.

    ``may_learn`` is whether content is open and what is done counts, ``is_expired`` whether access has ended.
    """

    id: UUID
    course_id: UUID
    user_id: UUID
    status: str
    cycle: int
    enrolled_at: datetime
    dropped_at: datetime | None
    completed_at: datetime | None
    last_lesson_id: UUID | None
    last_activity_at: datetime | None
    role: str
    observed_id: UUID | None
    holds_seat: bool
    activated_at: datetime | None
    expires_at: datetime | None
    noticed_for: datetime | None
    offer_expires_at: datetime | None
    missed_offers: int
    waitlist_place: int | None
    due_at: datetime | None
    is_expired: bool
    may_learn: bool
    is_open: bool


@dataclass(slots=True, eq=False)
class LessonProgressRow:
    """What a learner has done in a lesson."""

    enrollment_id: UUID
    lesson_id: UUID
    percent: Decimal
    position_seconds: Decimal
    position_at: datetime | None
    position_event_id: UUID | None
    watched: dict[str, list[list[float]]]
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(slots=True, eq=False)
class LearnerLessonRow:
    """A lesson as its learner stands in it; ``status`` is the enrolment's, None when it opens nothing."""

    lesson_id: UUID
    status: str | None
    percent: Decimal | None
    position_seconds: Decimal | None
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(slots=True, eq=False)
class ReviewRow:
    """What a learner thinks of a course."""

    course_id: UUID
    user_id: UUID
    rating: int
    comment: str
    updated_at: datetime


@dataclass(slots=True, eq=False)
class RatingRow:
    """The mean of a course's ratings, and their number."""

    course_id: UUID
    average: float
    count: int


@dataclass(slots=True, eq=False)
class CourseProgressRow:
    """Weights and numbers of a course's lessons for one learner; optional lessons do not count."""

    course_id: UUID
    total_weight: int
    done_weight: int
    total_lessons: int
    completed_lessons: int


@dataclass(slots=True, eq=False)
class LessonFacts:
    """What decides how a lesson is completed."""

    id: UUID
    course_id: UUID
    completion: str
    video_threshold: Decimal
    is_public: bool


@dataclass(slots=True, eq=False)
class VideoFacts:
    """A video block of a lesson and its length, as its author gave it."""

    lesson_id: UUID
    block_id: UUID
    duration_seconds: int


@dataclass(slots=True, eq=False)
class KnownEvent:
    """An event's identifier that was used before, and for which lesson."""

    client_event_id: UUID
    lesson_id: UUID


@dataclass(slots=True, eq=False)
class HistoryRow:
    """How much is kept of what a learner did in a lesson: one for each event, and one for each range in it."""

    lesson_id: UUID
    size: int


@dataclass(slots=True, eq=False)
class StoredEvent:
    """An event that was accepted earlier."""

    enrollment_id: UUID
    lesson_id: UUID
    client_event_id: UUID
    kind: str
    payload: dict[str, Any]
    occurred_at: datetime


@dataclass(slots=True, eq=False)
class ResumeRow:
    """The lesson where a learner goes on."""

    course_id: UUID
    lesson_id: UUID


@dataclass(slots=True, eq=False)
class FinishedRow:
    """An enrolment that has just been completed."""

    id: UUID
    course_id: UUID
    user_id: UUID


@dataclass(slots=True, eq=False)
class CourseFacts:
    """What an event about a course says of it."""

    id: UUID
    title: str


@dataclass(slots=True, eq=False)
class CountRow:
    """A number that belongs to a course."""

    course_id: UUID
    count: int


@dataclass(slots=True, eq=False)
class SavedPlace:
    """What became of an event that saves a place. ``course_id`` is None where it could not be saved that way."""

    client_event_id: UUID
    was_added: bool
    known_lesson_id: UUID | None
    course_id: UUID | None
