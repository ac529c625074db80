"""Enrolments, and what each learner has done in each lesson."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    func,
    literal_column,
    or_,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.db.metadata import TENANT
from app.db.tables import created_at, updated_at

enrollments = Table(
    "enrollments",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id"), nullable=False),
    Column("user_id", Uuid, ForeignKey("members.user_id"), nullable=False),
    Column(
        "status",
        Text,
        CheckConstraint(
            "status IN ('requested', 'invited', 'active', 'completed', 'waitlisted', 'offered', 'suspended', "
            "'dropped', 'rejected')",
            name="status",
        ),
        nullable=False,
    ),
    Column(
        "role",
        Text,
        CheckConstraint("role IN ('student', 'instructor', 'assistant', 'observer')", name="role"),
        nullable=False,
        server_default="student",
    ),
    # The learner whom an observer follows.
    Column("observed_id", Uuid, ForeignKey("members.user_id")),
    # Whether it counts in course_enrollment.seats_taken; released when the course is completed or access ends.
    Column("holds_seat", Boolean, nullable=False, server_default=text("false")),
    Column("cycle", Integer, nullable=False, server_default=text("1")),
    Column("enrolled_at", DateTime(timezone=True), nullable=False),
    # When it last became active; null until it first does.
    Column("activated_at", DateTime(timezone=True)),
    # The end of access, fixed when it became active: a later change of the course does not move it.
    Column("expires_at", DateTime(timezone=True)),
    # The end of access that its learner was told is near.
    Column("noticed_for", DateTime(timezone=True)),
    Column("offer_expires_at", DateTime(timezone=True)),
    Column("missed_offers", Integer, nullable=False, server_default=text("0")),
    # The order of the waiting list; only while it waits.
    Column("waitlist_place", Integer),
    # When the clock next has something to do with it: see standing.due.
    Column("due_at", DateTime(timezone=True)),
    Column("dropped_at", DateTime(timezone=True)),
    # Set once per cycle, by the one UPDATE that finds it null.
    Column("completed_at", DateTime(timezone=True)),
    # Where to resume: the lesson of the learner's latest event, by occurred_at.
    Column("last_lesson_id", Uuid),
    Column("last_activity_at", DateTime(timezone=True)),
    created_at(),
    updated_at(),
    # One row per learner and course whatever its state: re-enrolling re-activates it and finds its progress again.
    UniqueConstraint("course_id", "user_id", name="uq_enrollments_course_user"),
    Index("ix_enrollments_newest", "enrolled_at", "id"),
    Index("ix_enrollments_user", "user_id", "enrolled_at", "id"),
    Index("ix_enrollments_course", "course_id", "status", "enrolled_at", "id"),
    Index("ix_enrollments_due", "due_at", "id", postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_enrollments_waiting", "course_id", "waitlist_place", postgresql_where=text("waitlist_place IS NOT NULL")),
    # How many learn in each course is counted from this index alone.
    Index(
        "ix_enrollments_learners",
        "course_id",
        postgresql_where=text("role = 'student' AND (status = 'active' OR status = 'completed')"),
    ),
    # Who completed the course and still has a seat that others may wait for.
    Index("ix_enrollments_done", "course_id", "id", postgresql_where=text("holds_seat AND status = 'completed'")),
    Index("ix_enrollments_observed", "observed_id", postgresql_where=text("observed_id IS NOT NULL")),
    CheckConstraint("(role = 'observer') = (observed_id IS NOT NULL) AND observed_id <> user_id", name="observed"),
    CheckConstraint("(status = 'waitlisted') = (waitlist_place IS NOT NULL)", name="waitlist_place"),
    CheckConstraint("(status = 'offered') = (offer_expires_at IS NOT NULL)", name="offer_expires_at"),
)
# Who may learn now: the content is open, and what is done counts. Everybody else reads what they did.
MAY_LEARN = and_(
    or_(enrollments.c.status == literal_column("'active'"), enrollments.c.status == literal_column("'completed'")),
    enrollments.c.role != literal_column("'observer'"),
    or_(enrollments.c.expires_at.is_(None), enrollments.c.expires_at > func.now()),
)

lesson_progress = Table(
    "lesson_progress",
    TENANT,
    Column("enrollment_id", Uuid, ForeignKey("enrollments.id", ondelete="CASCADE"), primary_key=True),
    Column("lesson_id", Uuid, ForeignKey("lessons.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("course_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    # 0..100, never falls.
    Column(
        "percent",
        Numeric(5, 2),
        CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
        nullable=False,
        server_default=text("0"),
    ),
    # Seconds into the lesson (or the video) at the event with the latest occurred_at.
    Column("position_seconds", Numeric(10, 3), nullable=False, server_default=text("0")),
    Column("position_at", DateTime(timezone=True)),
    # That event: of two at the same moment the one with the greater identifier counts, whichever comes first.
    Column("position_event_id", Uuid),
    # How many events (and ranges in them) are kept of the lesson; bounded, see rules.MAX_HISTORY.
    Column("history", Integer, nullable=False, server_default=text("0")),
    # Per video block id: merged, sorted, disjoint [[start, end], ...] in seconds.
    Column("watched", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("started_at", DateTime(timezone=True)),
    Column("completed_at", DateTime(timezone=True)),
    updated_at(),
    Index("ix_lesson_progress_user", "user_id", "course_id"),
)

# Every event a client ever sent, by its own id: a duplicate is recognised however late it comes.
progress_events = Table(
    "progress_events",
    TENANT,
    Column("user_id", Uuid, ForeignKey("members.user_id"), primary_key=True),
    Column("client_event_id", Uuid, primary_key=True),
    Column("enrollment_id", Uuid, ForeignKey("enrollments.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("lesson_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    created_at(),
)


# One per learner and course; saying it again replaces it.
course_reviews = Table(
    "course_reviews",
    TENANT,
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("members.user_id"), primary_key=True, index=True),
    Column("rating", Integer, CheckConstraint("rating BETWEEN 1 AND 5", name="rating"), nullable=False),
    Column("comment", Text, nullable=False, server_default=""),
    created_at(),
    updated_at(),
    # The average of a page of courses is read from this index alone.
    Index("ix_course_reviews_rating", "course_id", "rating"),
)
