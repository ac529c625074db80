"""Courses, modules, lessons and their content blocks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_catalog"
down_revision = "0001_directory"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "courses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("level", sa.Text(), server_default="all", nullable=False),
        sa.Column("language", sa.Text(), server_default="es", nullable=False),
        sa.Column("cover_url", sa.Text(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("copied_from", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("search_title", sa.Text(), sa.Computed("extensions.fold(title)", persisted=True), nullable=True),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('extensions.es_un'::regconfig, title), 'A') || "
                "setweight(to_tsvector('extensions.es_un'::regconfig, extensions.join_words(tags)), 'B') || "
                "setweight(to_tsvector('extensions.es_un'::regconfig, coalesce(category, '')), 'B') || "
                "setweight(to_tsvector('extensions.es_un'::regconfig, description), 'C')",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.ForeignKeyConstraint(["created_by"], ["members.user_id"], name=op.f("fk_courses_created_by")),
        sa.CheckConstraint("level IN ('beginner', 'intermediate', 'advanced', 'all')", name=op.f("ck_courses_level")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courses")),
    )
    op.create_index(
        "ix_courses_created",
        "courses",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_courses_created_by", "courses", ["created_by"], unique=False)
    op.create_index(
        "ix_courses_published",
        "courses",
        ["published_at", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_courses_search", "courses", ["search"], unique=False, postgresql_using="gin")
    op.create_index(
        "ix_courses_search_title",
        "courses",
        ["search_title"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search_title": "extensions.gin_trgm_ops"},
    )
    op.create_index("ix_courses_tags", "courses", ["tags"], unique=False, postgresql_using="gin")
    op.create_index(
        "ix_courses_title",
        "courses",
        ["search_title", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "course_instructors",
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_course_instructors_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["members.user_id"], name=op.f("fk_course_instructors_user_id")),
        sa.PrimaryKeyConstraint("course_id", "user_id", name=op.f("pk_course_instructors")),
    )
    op.create_index(op.f("ix_course_instructors_user_id"), "course_instructors", ["user_id"], unique=False)
    op.create_table(
        "modules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_modules_course_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_modules")),
    )
    op.create_index("ix_modules_course", "modules", ["course_id", "position", "id"], unique=False)
    op.create_table(
        "lessons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("module_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_required", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("weight", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("completion", sa.Text(), server_default="mark_done", nullable=False),
        sa.Column(
            "video_threshold",
            sa.Numeric(precision=4, scale=3),
            server_default=sa.text("0.95"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_lessons_course_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["module_id"], ["modules.id"], name=op.f("fk_lessons_module_id"), ondelete="CASCADE"),
        sa.CheckConstraint("weight BETWEEN 1 AND 1000", name=op.f("ck_lessons_weight")),
        sa.CheckConstraint("completion IN ('view', 'mark_done', 'video_coverage')", name=op.f("ck_lessons_completion")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lessons")),
    )
    op.create_index(
        "ix_lessons_course",
        "lessons",
        ["course_id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_lessons_module", "lessons", ["module_id", "position", "id"], unique=False)
    op.create_table(
        "lesson_blocks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lesson_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["lesson_id"], ["lessons.id"], name=op.f("fk_lesson_blocks_lesson_id"), ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "kind IN ('rich_text', 'video', 'file', 'embed', 'quiz')", name=op.f("ck_lesson_blocks_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lesson_blocks")),
    )
    op.create_index("ix_lesson_blocks_lesson", "lesson_blocks", ["lesson_id", "position", "id"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_lesson_blocks_lesson", table_name="lesson_blocks")
    op.drop_table("lesson_blocks")
    op.drop_index("ix_lessons_module", table_name="lessons")
    op.drop_index("ix_lessons_course", table_name="lessons", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_table("lessons")
    op.drop_index("ix_modules_course", table_name="modules")
    op.drop_table("modules")
    op.drop_index(op.f("ix_course_instructors_user_id"), table_name="course_instructors")
    op.drop_table("course_instructors")
    op.drop_index("ix_courses_title", table_name="courses", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_index("ix_courses_tags", table_name="courses", postgresql_using="gin")
    op.drop_index(
        "ix_courses_search_title",
        table_name="courses",
        postgresql_using="gin",
        postgresql_ops={"search_title": "extensions.gin_trgm_ops"},
    )
    op.drop_index("ix_courses_search", table_name="courses", postgresql_using="gin")
    op.drop_index("ix_courses_published", table_name="courses", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_index("ix_courses_created_by", table_name="courses")
    op.drop_index("ix_courses_created", table_name="courses", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_table("courses")
