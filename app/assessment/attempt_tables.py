"""Quizzes, what each learner was asked in each attempt and answered, and the score that is kept of it."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.db.metadata import TENANT
from app.db.tables import created_at, updated_at

POINTS = Numeric(12, 5)
PERCENT = Numeric(5, 2)

quizzes = Table(
    "quizzes",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id"), nullable=False),
    Column("lesson_id", Uuid, ForeignKey("lessons.id"), index=True),
    Column("title", Text, nullable=False),
    Column("instructions", Text, nullable=False, server_default=""),
    Column("open_at", DateTime(timezone=True)),
    Column("close_at", DateTime(timezone=True)),
    Column("due_at", DateTime(timezone=True)),
    Column(
        "time_limit_seconds",
        Integer,
        CheckConstraint("time_limit_seconds > 0", name="time_limit"),
    ),
    Column(
        "overdue_policy",
        Text,
        CheckConstraint("overdue_policy IN ('autosubmit', 'grace', 'abandon')", name="overdue_policy"),
        nullable=False,
        server_default="autosubmit",
    ),
    Column("grace_period_seconds", Integer, nullable=False, server_default=text("0")),
    # What is still taken after the deadline because it was on its way.
    Column("network_grace_seconds", Integer, nullable=False, server_default=text("60")),
    # Null: as many as one likes.
    Column("attempts_allowed", Integer, CheckConstraint("attempts_allowed > 0", name="attempts_allowed")),
    Column(
        "kept_score",
        Text,
        CheckConstraint("kept_score IN ('highest', 'latest', 'average', 'first')", name="kept_score"),
        nullable=False,
        server_default="highest",
    ),
    Column(
        "visibility",
        Text,
        CheckConstraint(
            "visibility IN ('never', 'after_submit', 'after_last_attempt', 'after_close', 'one_time')",
            name="visibility",
        ),
        nullable=False,
        server_default="after_submit",
    ),
    Column("shuffle_questions", Boolean, nullable=False, server_default=text("false")),
    Column("shuffle_options", Boolean, nullable=False, server_default=text("false")),
    Column("allows_check", Boolean, nullable=False, server_default=text("false")),
    Column("pass_percent", PERCENT, CheckConstraint("pass_percent BETWEEN 0 AND 100", name="pass_percent")),
    # Each begun interval after due_at takes a percentage of the possible points, never below the floor.
    Column("late_interval_seconds", Integer),
    Column("late_percent", PERCENT, nullable=False, server_default=text("0")),
    Column("late_floor_percent", PERCENT, nullable=False, server_default=text("0")),
    # So many days after the course has ended, or else the quiz has closed, grades only change by force.
    Column("freeze_days", Integer),
    Column("published_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_by", Uuid, ForeignKey("members.user_id"), nullable=False),
    created_at(),
    updated_at(),
    Index("ix_quizzes_course", "course_id", "created_at", "id", postgresql_where=text("deleted_at IS NULL")),
    Index("ix_quizzes_created_by", "created_by"),
)

# What a quiz asks, in order: one question, or some that are drawn from those with these tags or of this category.
quiz_slots = Table(
    "quiz_slots",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("quiz_id", Uuid, ForeignKey("quizzes.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("question_id", Uuid, ForeignKey("questions.id"), index=True),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("category", Text),
    Column("draws", Integer, CheckConstraint("draws > 0", name="draws"), nullable=False, server_default=text("1")),
    # For each question.
    Column("points", POINTS, CheckConstraint("points >= 0", name="points"), nullable=False),
    UniqueConstraint("quiz_id", "position", name="uq_quiz_slots_position", deferrable=True, initially="DEFERRED"),
)

# What one learner may that others may not.
quiz_overrides = Table(
    "quiz_overrides",
    TENANT,
    Column("quiz_id", Uuid, ForeignKey("quizzes.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("members.user_id"), primary_key=True, index=True),
    Column(
        "extra_minutes",
        Integer,
        CheckConstraint("extra_minutes BETWEEN 0 AND 10080", name="extra_minutes"),
        nullable=False,
        server_default=text("0"),
    ),
    Column(
        "extra_attempts",
        Integer,
        CheckConstraint("extra_attempts BETWEEN 0 AND 1000", name="extra_attempts"),
        nullable=False,
        server_default=text("0"),
    ),
    Column("open_at", DateTime(timezone=True)),
    Column("close_at", DateTime(timezone=True)),
    Column("due_at", DateTime(timezone=True)),
    Column("reason", Text, nullable=False),
    Column("granted_by", Uuid, ForeignKey("members.user_id"), nullable=False, index=True),
    created_at(),
    updated_at(),
)

quiz_attempts = Table(
    "quiz_attempts",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("quiz_id", Uuid, ForeignKey("quizzes.id"), nullable=False),
    Column("course_id", Uuid, ForeignKey("courses.id"), nullable=False, index=True),
    Column("user_id", Uuid, ForeignKey("members.user_id"), nullable=False),
    Column("attempt_no", Integer, nullable=False),
    # How its learner writes numbers: that must not change when it is graded anew.
    Column("locale", Text, nullable=False),
    # An instructor's own: never counts anywhere.
    Column("is_preview", Boolean, nullable=False, server_default=text("false")),
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('in_progress', 'overdue', 'grading', 'graded', 'abandoned')", name="state"),
        nullable=False,
    ),
    Column("started_at", DateTime(timezone=True), nullable=False),
    # Null: no limit. Moved when the limit, the window or the learner's extra time is.
    Column("deadline_at", DateTime(timezone=True)),
    # When the sweeper has to act next; null when nothing is left to do.
    Column("due_for_sweep_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    # Finished by the sweeper or too late to be taken as it was sent.
    Column("was_auto_submitted", Boolean, nullable=False, server_default=text("false")),
    Column("is_flagged_late", Boolean, nullable=False, server_default=text("false")),
    Column("points", POINTS),
    Column("possible", POINTS, nullable=False),
    Column("penalty", POINTS, nullable=False, server_default=text("0")),
    # Points less the penalty; null until everything is graded.
    Column("score", POINTS),
    Column("score_before_regrade", POINTS),
    Column("graded_at", DateTime(timezone=True)),
    Column("results_seen_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default=text("1")),
    created_at(),
    updated_at(),
    UniqueConstraint("quiz_id", "user_id", "attempt_no", name="uq_quiz_attempts_number"),
    Index(
        "uq_quiz_attempts_open",
        "quiz_id",
        "user_id",
        "is_preview",
        unique=True,
        postgresql_where=text("state IN ('in_progress', 'overdue')"),
    ),
    Index("ix_quiz_attempts_user", "user_id", "started_at", "id"),
    Index("ix_quiz_attempts_newest", "started_at", "id"),
    Index("ix_quiz_attempts_quiz", "quiz_id", "started_at", "id"),
    Index(
        "ix_quiz_attempts_sweep",
        "due_for_sweep_at",
        "id",
        postgresql_where=text("due_for_sweep_at IS NOT NULL"),
    ),
    Index(
        "ix_quiz_attempts_to_grade",
        "finished_at",
        "id",
        postgresql_where=text("state = 'grading' AND NOT is_preview"),
    ),
)

# What was asked, frozen at the start, with what was answered and what that was worth.
attempt_answers = Table(
    "attempt_answers",
    TENANT,
    Column("attempt_id", Uuid, ForeignKey("quiz_attempts.id", ondelete="CASCADE"), primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("question_id", Uuid, nullable=False),
    Column("question_version", Integer, nullable=False),
    Column("points", POINTS, nullable=False),
    Column("seed", Text, nullable=False),
    Column("answer", JSONB),
    # Counted by the client; a save with an older one is not taken.
    Column("revision", Integer, nullable=False, server_default=text("0")),
    Column("saved_at", DateTime(timezone=True)),
    # By the grading rules; null while somebody has to grade it.
    Column("auto_points", POINTS),
    # What a grader adds to it (or takes): kept when it is graded anew.
    Column("manual_delta", POINTS),
    Column("needs_manual", Boolean, nullable=False, server_default=text("false")),
    Column("fraction", Numeric(10, 7)),
    Column("parts", JSONB),
    # The version of the question that it was graded by.
    Column("graded_version", Integer),
    Column("comment", Text, nullable=False, server_default=""),
    Column("graded_by", Uuid, ForeignKey("members.user_id"), index=True),
    Column("graded_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default=text("1")),
    ForeignKeyConstraint(
        ["question_id", "question_version"],
        ["question_versions.question_id", "question_versions.number"],
        name="fk_attempt_answers_question",
    ),
    Index("ix_attempt_answers_question", "question_id", "question_version"),
)

# The score that counts of a learner's attempts, changed in the transaction that changes one of them.
quiz_scores = Table(
    "quiz_scores",
    TENANT,
    Column("quiz_id", Uuid, ForeignKey("quizzes.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("members.user_id"), primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id"), nullable=False),
    # Null while nothing is graded yet.
    Column("score", POINTS),
    Column("possible", POINTS, nullable=False),
    Column("percent", PERCENT),
    # The attempt it comes from; null for an average.
    Column("attempt_id", Uuid, ForeignKey("quiz_attempts.id", ondelete="SET NULL"), index=True),
    Column("attempts", Integer, nullable=False),
    # Nothing is waiting for a grader.
    Column("is_final", Boolean, nullable=False),
    Column("is_passed", Boolean),
    created_at(),
    updated_at(),
    Index("ix_quiz_scores_course", "course_id", "user_id", "quiz_id"),
    Index("ix_quiz_scores_user", "user_id", "course_id"),
)
