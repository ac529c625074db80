"""Progress in full: kinds of requirements, rules of release, revisions, what was excused or reset."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009_progress"
down_revision = "0007_work"
branch_labels = None
depends_on = None

KINDS = "'view', 'mark_done', 'submit', 'min_score', 'min_time', 'video_coverage'"
CHANGE = "content_change IN ('keep', 'reopen')"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add columns and tables; what there is keeps its meaning."""
    op.add_column("courses", sa.Column("revision", sa.Integer(), nullable=True))
    op.add_column("courses", sa.Column("pinned_from", sa.Integer(), nullable=True))
    op.add_column("courses", sa.Column("content_change", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_courses_content_change"), "courses", CHANGE)
    op.add_column("modules", sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("modules", sa.Column("requirement_count", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f("ck_modules_requirement_count"), "modules", "requirement_count > 0")
    for column in (
        sa.Column("min_score", sa.Numeric(5, 2), server_default=sa.text("60"), nullable=False),
        sa.Column("min_seconds", sa.Integer(), server_default=sa.text("60"), nullable=False),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("gated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("content_version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("content_changed_at", TIME, nullable=True),
    ):
        op.add_column("lessons", column)
    op.drop_constraint(op.f("ck_lessons_completion"), "lessons", type_="check")
    op.create_check_constraint(op.f("ck_lessons_completion"), "lessons", f"completion IN ({KINDS})")
    for column in (
        sa.Column("basis", sa.Text(), nullable=True),
        sa.Column("score", sa.Numeric(5, 2), nullable=True),
        sa.Column("seen_at", TIME, nullable=True),
        sa.Column("excused_at", TIME, nullable=True),
        sa.Column("counts_from", TIME, nullable=True),
    ):
        op.add_column("lesson_progress", column)
    op.create_check_constraint(
        op.f("ck_lesson_progress_basis"), "lesson_progress", "basis IN ('work', 'score', 'excused')"
    )
    op.create_table(
        "course_revisions",
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("published_at", TIME, nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_course_revisions_course_id_courses"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["published_by"], ["members.user_id"], name=op.f("fk_course_revisions_published_by_members")
        ),
        sa.PrimaryKeyConstraint("course_id", "number", name=op.f("pk_course_revisions")),
    )
    op.create_index(op.f("ix_course_revisions_published_by"), "course_revisions", ["published_by"])
    op.create_table(
        "revision_lessons",
        sa.Column("lesson_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("module_id", sa.Uuid(), nullable=False),
        sa.Column("module_position", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_required", sa.Boolean(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("completion", sa.Text(), nullable=False),
        sa.Column("video_threshold", sa.Numeric(4, 3), nullable=False),
        sa.Column("min_score", sa.Numeric(5, 2), nullable=False),
        sa.Column("min_seconds", sa.Integer(), nullable=False),
        sa.Column("content_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_revision_lessons_course_id_courses"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lesson_id"], ["lessons.id"], name=op.f("fk_revision_lessons_lesson_id_lessons"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("lesson_id", "number", name=op.f("pk_revision_lessons")),
    )
    op.create_index("ix_revision_lessons_course", "revision_lessons", ["course_id", "number"])
    op.create_table(
        "learning_policy",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content_change", sa.Text(), server_default=sa.text("'keep'"), nullable=False),
        sa.Column("updated_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_learning_policy_one")),
        sa.CheckConstraint(CHANGE, name=op.f("ck_learning_policy_content_change")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learning_policy")),
    )


def downgrade() -> None:
    """As before; lessons that are completed in a way that is gone are marked done by hand."""
    op.drop_table("learning_policy")
    op.drop_table("revision_lessons")
    op.drop_table("course_revisions")
    op.drop_constraint(op.f("ck_lesson_progress_basis"), "lesson_progress", type_="check")
    for name in ("counts_from", "excused_at", "seen_at", "score", "basis"):
        op.drop_column("lesson_progress", name)
    op.execute("UPDATE lessons SET completion = 'mark_done' WHERE completion IN ('submit', 'min_score', 'min_time')")
    op.drop_constraint(op.f("ck_lessons_completion"), "lessons", type_="check")
    op.create_check_constraint(
        op.f("ck_lessons_completion"), "lessons", "completion IN ('view', 'mark_done', 'video_coverage')"
    )
    for name in ("content_changed_at", "content_version", "gated", "rules", "min_seconds", "min_score"):
        op.drop_column("lessons", name)
    op.drop_constraint(op.f("ck_modules_requirement_count"), "modules", type_="check")
    op.drop_column("modules", "requirement_count")
    op.drop_column("modules", "rules")
    op.drop_constraint(op.f("ck_courses_content_change"), "courses", type_="check")
    for name in ("content_change", "pinned_from", "revision"):
        op.drop_column("courses", name)
