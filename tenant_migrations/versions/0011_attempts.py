"""Quizzes, attempts, answers, and the score that is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011_attempts"
down_revision = "0010_questions"
branch_labels = None
depends_on = None
TABLE_CHECKS = (
    ("quizzes", "time_limit", "time_limit_seconds > 0"),
    ("quizzes", "overdue_policy", "overdue_policy IN ('autosubmit', 'grace', 'abandon')"),
    ("quizzes", "attempts_allowed", "attempts_allowed > 0"),
    ("quizzes", "kept_score", "kept_score IN ('highest', 'latest', 'average', 'first')"),
    (
        "quizzes",
        "visibility",
        "visibility IN ('never', 'after_submit', 'after_last_attempt', 'after_close', 'one_time')",
    ),
    ("quizzes", "pass_percent", "pass_percent BETWEEN 0 AND 100"),
    ("quiz_attempts", "state", "state IN ('in_progress', 'overdue', 'grading', 'graded', 'abandoned')"),
    ("quiz_overrides", "extra_minutes", "extra_minutes BETWEEN 0 AND 10080"),
    ("quiz_overrides", "extra_attempts", "extra_attempts BETWEEN 0 AND 1000"),
    ("quiz_slots", "draws", "draws > 0"),
    ("quiz_slots", "points", "points >= 0"),
)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "quizzes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("lesson_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("instructions", sa.Text(), server_default="", nullable=False),
        sa.Column("open_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("time_limit_seconds", sa.Integer(), nullable=True),
        sa.Column("overdue_policy", sa.Text(), server_default="autosubmit", nullable=False),
        sa.Column("grace_period_seconds", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("network_grace_seconds", sa.Integer(), server_default=sa.text("60"), nullable=False),
        sa.Column("attempts_allowed", sa.Integer(), nullable=True),
        sa.Column("kept_score", sa.Text(), server_default="highest", nullable=False),
        sa.Column("visibility", sa.Text(), server_default="after_submit", nullable=False),
        sa.Column("shuffle_questions", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("shuffle_options", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("allows_check", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("pass_percent", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("late_interval_seconds", sa.Integer(), nullable=True),
        sa.Column("late_percent", sa.Numeric(precision=5, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("late_floor_percent", sa.Numeric(precision=5, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("freeze_days", sa.Integer(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_quizzes_course_id")),
        sa.ForeignKeyConstraint(["created_by"], ["members.user_id"], name=op.f("fk_quizzes_created_by")),
        sa.ForeignKeyConstraint(["lesson_id"], ["lessons.id"], name=op.f("fk_quizzes_lesson_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quizzes")),
    )
    op.create_index(
        "ix_quizzes_course",
        "quizzes",
        ["course_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_quizzes_created_by", "quizzes", ["created_by"], unique=False)
    op.create_index(op.f("ix_quizzes_lesson_id"), "quizzes", ["lesson_id"], unique=False)
    op.create_table(
        "quiz_slots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("quiz_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("question_id", sa.Uuid(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("draws", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("points", sa.Numeric(precision=12, scale=5), nullable=False),
        sa.ForeignKeyConstraint(["question_id"], ["questions.id"], name=op.f("fk_quiz_slots_question_id")),
        sa.ForeignKeyConstraint(["quiz_id"], ["quizzes.id"], name=op.f("fk_quiz_slots_quiz_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quiz_slots")),
        sa.UniqueConstraint(
            "quiz_id", "position", deferrable=True, initially="DEFERRED", name="uq_quiz_slots_position"
        ),
    )
    op.create_index(op.f("ix_quiz_slots_question_id"), "quiz_slots", ["question_id"], unique=False)
    op.create_table(
        "quiz_overrides",
        sa.Column("quiz_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("extra_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("extra_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("open_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["granted_by"], ["members.user_id"], name=op.f("fk_quiz_overrides_granted_by")),
        sa.ForeignKeyConstraint(
            ["quiz_id"], ["quizzes.id"], name=op.f("fk_quiz_overrides_quiz_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["members.user_id"], name=op.f("fk_quiz_overrides_user_id")),
        sa.PrimaryKeyConstraint("quiz_id", "user_id", name=op.f("pk_quiz_overrides")),
    )
    op.create_index(op.f("ix_quiz_overrides_granted_by"), "quiz_overrides", ["granted_by"], unique=False)
    op.create_index(op.f("ix_quiz_overrides_user_id"), "quiz_overrides", ["user_id"], unique=False)
    op.create_table(
        "quiz_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("quiz_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("attempt_no", sa.Integer(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("is_preview", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_for_sweep_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("was_auto_submitted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_flagged_late", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("points", sa.Numeric(precision=12, scale=5), nullable=True),
        sa.Column("possible", sa.Numeric(precision=12, scale=5), nullable=False),
        sa.Column("penalty", sa.Numeric(precision=12, scale=5), server_default=sa.text("0"), nullable=False),
        sa.Column("score", sa.Numeric(precision=12, scale=5), nullable=True),
        sa.Column("score_before_regrade", sa.Numeric(precision=12, scale=5), nullable=True),
        sa.Column("graded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("results_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_quiz_attempts_course_id")),
        sa.ForeignKeyConstraint(["quiz_id"], ["quizzes.id"], name=op.f("fk_quiz_attempts_quiz_id")),
        sa.ForeignKeyConstraint(["user_id"], ["members.user_id"], name=op.f("fk_quiz_attempts_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quiz_attempts")),
        sa.UniqueConstraint("quiz_id", "user_id", "attempt_no", name="uq_quiz_attempts_number"),
    )
    op.create_index(op.f("ix_quiz_attempts_course_id"), "quiz_attempts", ["course_id"], unique=False)
    op.create_index("ix_quiz_attempts_newest", "quiz_attempts", ["started_at", "id"], unique=False)
    op.create_index("ix_quiz_attempts_quiz", "quiz_attempts", ["quiz_id", "started_at", "id"], unique=False)
    op.create_index(
        "ix_quiz_attempts_sweep",
        "quiz_attempts",
        ["due_for_sweep_at", "id"],
        unique=False,
        postgresql_where=sa.text("due_for_sweep_at IS NOT NULL"),
    )
    op.create_index(
        "ix_quiz_attempts_to_grade",
        "quiz_attempts",
        ["finished_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'grading' AND NOT is_preview"),
    )
    op.create_index("ix_quiz_attempts_user", "quiz_attempts", ["user_id", "started_at", "id"], unique=False)
    op.create_index(
        "uq_quiz_attempts_open",
        "quiz_attempts",
        ["quiz_id", "user_id", "is_preview"],
        unique=True,
        postgresql_where=sa.text("state IN ('in_progress', 'overdue')"),
    )
    op.create_table(
        "attempt_answers",
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("question_id", sa.Uuid(), nullable=False),
        sa.Column("question_version", sa.Integer(), nullable=False),
        sa.Column("points", sa.Numeric(precision=12, scale=5), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("revision", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("auto_points", sa.Numeric(precision=12, scale=5), nullable=True),
        sa.Column("manual_delta", sa.Numeric(precision=12, scale=5), nullable=True),
        sa.Column("needs_manual", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("fraction", sa.Numeric(precision=10, scale=7), nullable=True),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("graded_version", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("graded_by", sa.Uuid(), nullable=True),
        sa.Column("graded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["quiz_attempts.id"], name=op.f("fk_attempt_answers_attempt_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["graded_by"], ["members.user_id"], name=op.f("fk_attempt_answers_graded_by")),
        sa.ForeignKeyConstraint(
            ["question_id", "question_version"],
            ["question_versions.question_id", "question_versions.number"],
            name="fk_attempt_answers_question",
        ),
        sa.PrimaryKeyConstraint("attempt_id", "slot", name=op.f("pk_attempt_answers")),
    )
    op.create_index(op.f("ix_attempt_answers_graded_by"), "attempt_answers", ["graded_by"], unique=False)
    op.create_index("ix_attempt_answers_question", "attempt_answers", ["question_id", "question_version"], unique=False)
    op.create_table(
        "quiz_scores",
        sa.Column("quiz_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Numeric(precision=12, scale=5), nullable=True),
        sa.Column("possible", sa.Numeric(precision=12, scale=5), nullable=False),
        sa.Column("percent", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("attempt_id", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("is_passed", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["quiz_attempts.id"], name=op.f("fk_quiz_scores_attempt_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_quiz_scores_course_id")),
        sa.ForeignKeyConstraint(["quiz_id"], ["quizzes.id"], name=op.f("fk_quiz_scores_quiz_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["members.user_id"], name=op.f("fk_quiz_scores_user_id")),
        sa.PrimaryKeyConstraint("quiz_id", "user_id", name=op.f("pk_quiz_scores")),
    )
    op.create_index(op.f("ix_quiz_scores_attempt_id"), "quiz_scores", ["attempt_id"], unique=False)
    op.create_index("ix_quiz_scores_course", "quiz_scores", ["course_id", "user_id", "quiz_id"], unique=False)
    op.create_index("ix_quiz_scores_user", "quiz_scores", ["user_id", "course_id"], unique=False)
    for table, name, condition in TABLE_CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def downgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("ix_quiz_scores_attempt_id"), table_name="quiz_scores")
    op.drop_index("ix_quiz_scores_course", table_name="quiz_scores")
    op.drop_index("ix_quiz_scores_user", table_name="quiz_scores")
    op.drop_table("quiz_scores")
    op.drop_index(op.f("ix_attempt_answers_graded_by"), table_name="attempt_answers")
    op.drop_index("ix_attempt_answers_question", table_name="attempt_answers")
    op.drop_table("attempt_answers")
    op.drop_index(op.f("ix_quiz_attempts_course_id"), table_name="quiz_attempts")
    op.drop_index("ix_quiz_attempts_newest", table_name="quiz_attempts")
    op.drop_index("ix_quiz_attempts_quiz", table_name="quiz_attempts")
    op.drop_index(
        "ix_quiz_attempts_sweep", table_name="quiz_attempts", postgresql_where=sa.text("due_for_sweep_at IS NOT NULL")
    )
    op.drop_index(
        "ix_quiz_attempts_to_grade",
        table_name="quiz_attempts",
        postgresql_where=sa.text("state = 'grading' AND NOT is_preview"),
    )
    op.drop_index("ix_quiz_attempts_user", table_name="quiz_attempts")
    op.drop_index(
        "uq_quiz_attempts_open",
        table_name="quiz_attempts",
        postgresql_where=sa.text("state IN ('in_progress', 'overdue')"),
    )
    op.drop_table("quiz_attempts")
    op.drop_index(op.f("ix_quiz_overrides_granted_by"), table_name="quiz_overrides")
    op.drop_index(op.f("ix_quiz_overrides_user_id"), table_name="quiz_overrides")
    op.drop_table("quiz_overrides")
    op.drop_index(op.f("ix_quiz_slots_question_id"), table_name="quiz_slots")
    op.drop_table("quiz_slots")
    op.drop_index("ix_quizzes_course", table_name="quizzes", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_index("ix_quizzes_created_by", table_name="quizzes")
    op.drop_index(op.f("ix_quizzes_lesson_id"), table_name="quizzes")
    op.drop_table("quizzes")
