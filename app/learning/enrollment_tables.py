"""How people come into courses: each course's rules and seats, codes, addresses let in beforehand, cohorts."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.metadata import TENANT
from app.db.tables import created_at, updated_at

# One row per course whose authors said how people enrol; a course without a row is open to everybody. Whoever changes
# seats or the waiting list locks this row first, before any enrolment.
course_enrollment = Table(
    "course_enrollment",
    TENANT,
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "policy",
        Text,
        CheckConstraint("policy IN ('open', 'approval', 'invitation', 'closed')", name="policy"),
        nullable=False,
        server_default="open",
    ),
    # Null means without limit.
    Column("capacity", Integer, CheckConstraint("capacity >= 0", name="capacity")),
    Column(
        "seats_taken",
        Integer,
        CheckConstraint("seats_taken >= 0", name="seats_taken"),
        nullable=False,
        server_default=text("0"),
    ),
    # The place that was given last; places are never given twice.
    Column("last_place", Integer, nullable=False, server_default=text("0")),
    # How long an offered seat is kept; null means that there is no waiting list.
    Column("offer_hours", Integer, CheckConstraint("offer_hours BETWEEN 1 AND 720", name="offer_hours")),
    Column("opens_at", DateTime(timezone=True)),
    Column("closes_at", DateTime(timezone=True)),
    Column("ends_at", DateTime(timezone=True)),
    # Access ends at the earlier of a date and a number of days after it began.
    Column("access_until", DateTime(timezone=True)),
    Column("access_days", Integer, CheckConstraint("access_days BETWEEN 1 AND 3660", name="access_days")),
    Column("inactivity_days", Integer, CheckConstraint("inactivity_days BETWEEN 1 AND 3660", name="inactivity_days")),
    Column("notice_days", Integer, CheckConstraint("notice_days BETWEEN 1 AND 365", name="notice_days")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    created_at(),
    updated_at(),
)

# Codes that let in whoever has them. Only the SHA-256 is kept.
invite_codes = Table(
    "invite_codes",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    Column("code_hash", Text, nullable=False, unique=True),
    # The last characters, to tell codes apart in a list.
    Column("hint", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("expires_at", DateTime(timezone=True)),
    # Null means without limit.
    Column("max_uses", Integer),
    Column(
        "used_count",
        Integer,
        CheckConstraint("max_uses IS NULL OR used_count <= max_uses", name="used_count"),
        nullable=False,
        server_default=text("0"),
    ),
    # For whom: these addresses, or addresses of these domains; both empty means for everybody.
    Column("emails", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("domains", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("revoked_at", DateTime(timezone=True)),
    Column("created_by", Uuid, ForeignKey("members.user_id"), nullable=False, index=True),
    created_at(),
    Index("ix_invite_codes_course", "course_id", "created_at", "id"),
)

# Who used which code: using it again consumes nothing.
invite_code_uses = Table(
    "invite_code_uses",
    TENANT,
    Column("code_id", Uuid, ForeignKey("invite_codes.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("members.user_id"), primary_key=True, index=True),
    created_at(),
)

# People who take a course together, with a deadline.
cohorts = Table(
    "cohorts",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    # The same day for everybody, or days after each one's enrolment; at most one of them.
    Column("due_at", DateTime(timezone=True)),
    Column("due_days", Integer, CheckConstraint("due_days BETWEEN 1 AND 3660", name="due_days")),
    # Days after the deadline in which it is only called late.
    Column("grace_days", Integer, nullable=False, server_default=text("0")),
    # Days before the deadline from which who has not completed it is called at risk.
    Column("risk_days", Integer, nullable=False, server_default=text("7")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    created_at(),
    updated_at(),
    CheckConstraint("due_at IS NULL OR due_days IS NULL", name="one_deadline"),
    Index("uq_cohorts_course_name", "course_id", "name", unique=True),
    Index("ix_cohorts_course", "course_id", "created_at", "id"),
)

# An enrolment is in one cohort at most.
cohort_members = Table(
    "cohort_members",
    TENANT,
    Column("enrollment_id", Uuid, ForeignKey("enrollments.id", ondelete="CASCADE"), primary_key=True),
    Column("cohort_id", Uuid, ForeignKey("cohorts.id", ondelete="CASCADE"), nullable=False),
    Column("waived_at", DateTime(timezone=True)),
    Column("waived_by", Uuid, ForeignKey("members.user_id"), index=True),
    Column("waive_reason", Text),
    created_at(),
    Index("ix_cohort_members_cohort", "cohort_id", "enrollment_id"),
)

# Addresses let into a course before anybody has an account with them; claimed once, by the first who proves to have it.
enrollment_allowances = Table(
    "enrollment_allowances",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    Column("email", Text, nullable=False),
    Column("claimed_by", Uuid, ForeignKey("members.user_id"), index=True),
    Column("claimed_at", DateTime(timezone=True)),
    # What came of the claim, a code; null until the clock has enrolled whoever claimed it.
    Column("outcome", Text),
    # Where to put whoever comes.
    Column("cohort_id", Uuid, ForeignKey("cohorts.id", ondelete="SET NULL"), index=True),
    Column("created_by", Uuid, ForeignKey("members.user_id"), nullable=False, index=True),
    created_at(),
    Index("uq_enrollment_allowances_course_email", "course_id", "email", unique=True),
    Index("ix_enrollment_allowances_open", "email", postgresql_where=text("claimed_at IS NULL")),
    Index(
        "ix_enrollment_allowances_claimed",
        "claimed_at",
        "id",
        postgresql_where=text("claimed_at IS NOT NULL AND outcome IS NULL"),
    ),
    Index("ix_enrollment_allowances_course", "course_id", "created_at", "id"),
)
