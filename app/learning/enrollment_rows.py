"""Rows of what decides how people come into courses, as its statements return them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(slots=True, eq=False)
class SettingsRow:
    """How people enrol in a course. Times are moments; None is: no limit, no waiting list, never."""

    course_id: UUID
    policy: str
    capacity: int | None
    seats_taken: int
    last_place: int
    offer_hours: int | None
    opens_at: datetime | None
    closes_at: datetime | None
    ends_at: datetime | None
    access_until: datetime | None
    access_days: int | None
    inactivity_days: int | None
    notice_days: int | None
    version: int


@dataclass(slots=True, eq=False)
class EntryRow:
    """A course as somebody comes to it, and the database's time. Its row cannot get settings until we commit."""

    id: UUID
    title: str
    is_open: bool
    is_deleted: bool
    has_settings: bool
    is_taught: bool
    now: datetime


@dataclass(slots=True, eq=False)
class CodeRow:
    """A code that lets people into a course; the code itself is not kept."""

    id: UUID
    course_id: UUID
    hint: str
    note: str
    expires_at: datetime | None
    max_uses: int | None
    used_count: int
    emails: list[str]
    domains: list[str]
    revoked_at: datetime | None
    created_at: datetime


@dataclass(slots=True, eq=False)
class Addressed:
    """A member by the address that lists name them with."""

    user_id: UUID
    email: str


@dataclass(slots=True, eq=False)
class AllowanceRow:
    """An address that may come into a course once."""

    id: UUID
    course_id: UUID
    email: str
    claimed_by: UUID | None
    claimed_at: datetime | None
    created_at: datetime


@dataclass(slots=True, eq=False)
class Claim:
    """An allowance that somebody has claimed and nobody has acted on."""

    id: UUID
    course_id: UUID
    claimed_by: UUID
    cohort_id: UUID | None


@dataclass(slots=True, eq=False)
class CohortRow:
    """People who take a course together. Days: after enrolling, of grace, before the deadline."""

    id: UUID
    course_id: UUID
    name: str
    due_at: datetime | None
    due_days: int | None
    grace_days: int
    risk_days: int
    version: int
    created_at: datetime


@dataclass(slots=True, eq=False)
class AssignmentRow:
    """What is expected of an enrolment in a cohort, and how it stands with it now."""

    enrollment_id: UUID
    cohort_id: UUID
    status: str
    compliance: str
    deadline: datetime | None
    waived_at: datetime | None
    waive_reason: str | None


@dataclass(slots=True, eq=False)
class StatusCount:
    """How many of a cohort stand so."""

    cohort_id: UUID
    status: str
    count: int


@dataclass(slots=True, eq=False)
class NamedCohort:
    """A cohort by its name."""

    id: UUID
    name: str


@dataclass(slots=True, eq=False)
class OutcomeCount:
    """How many rows of a list came to something."""

    name: str
    count: int
