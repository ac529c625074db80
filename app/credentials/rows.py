"""Rows of this room, as its statements return them. Nobody changes one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.credentials.rules import Standing, standing


@dataclass(slots=True, eq=False)
class CertificateRow:
    """A certificate; ``facts`` is what ``Facts.of`` reads."""

    id: UUID
    enrollment_id: UUID
    course_id: UUID
    user_id: UUID
    cycle: int
    code: str
    state: str
    facts: dict[str, Any]
    issued_at: datetime
    issued_by: UUID | None
    valid_until: datetime | None
    grace_days: int
    revoked_at: datetime | None
    revoked_reason: str | None
    flagged_at: datetime | None
    superseded_by: UUID | None
    status_number: int
    pdf_key: str | None
    pdf_sha256: str | None

    def standing(self) -> Standing:
        """What it amounts to now."""
        return standing(self.state, self.valid_until, self.grace_days, datetime.now(UTC))


@dataclass(slots=True, eq=False)
class TemplateRow:
    """How a course's certificates look and what they need; version 0 is what holds until somebody says otherwise."""

    course_id: UUID
    version: int
    is_enabled: bool = True
    title: str = ""
    body: str = ""
    signatories: list[dict[str, str]] | tuple[()] = ()
    validity_months: int | None = None
    grace_days: int = 0
    min_score: Decimal | None = None
    score_policy: str = "keep"
    hours: Decimal | None = None
    primary_color: str = "#1f3a5f"
    accent_color: str = "#c8963e"
    logo_text: str = ""


@dataclass(slots=True, eq=False)
class CaseRow:
    """An enrolment with everything that its certificate depends on; ``now`` is the transaction's start."""

    enrollment_id: UUID
    course_id: UUID
    user_id: UUID
    cycle: int
    status: str
    role: str
    completed_at: datetime | None
    learner_name: str
    learner_email: str
    learner_locale: str
    learner_time_zone: str
    course_title: str
    course_description: str
    course_revision: int
    exception: str | None
    now: datetime


@dataclass(slots=True, eq=False)
class ExceptionRow:
    """A learner who gets a certificate without having passed, or none whatever happens."""

    course_id: UUID
    user_id: UUID
    kind: str
    reason: str
    created_at: datetime


@dataclass(slots=True, eq=False)
class ExpiringRow:
    """A certificate whose learner is to be reminded."""

    id: UUID
    user_id: UUID
    facts: dict[str, Any]
    valid_until: datetime


@dataclass(slots=True, eq=False)
class UndrawnRow:
    """A certificate whose document is still to be made."""

    id: UUID
    facts: dict[str, Any]
    pdf_attempts: int


@dataclass(slots=True, eq=False)
class KeyRow:
    """A key of the organisation; ``private_key`` is encrypted."""

    id: UUID
    public_key: bytes
    private_key: bytes
    retired_at: datetime | None


@dataclass(slots=True, eq=False)
class WaitingRow:
    """A learner who completed a course and has no certificate of this cycle."""

    enrollment_id: UUID
    learner_name: str
