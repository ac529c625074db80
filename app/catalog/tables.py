"""Courses, their instructors, modules, lessons and the blocks that lessons are made of."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

from app.db.metadata import TENANT
from app.db.tables import created_at, updated_at

courses = Table(
    "courses",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("category", Text),
    Column(
        "level",
        Text,
        CheckConstraint("level IN ('beginner', 'intermediate', 'advanced', 'all')", name="level"),
        nullable=False,
        server_default="all",
    ),
    Column("language", Text, nullable=False, server_default="es"),
    Column("cover_url", Text),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("published_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default=text("1")),
    # The newest revision that was frozen by publishing; null while there is none: then what counts is what there is.
    Column("revision", Integer),
    # Null: learners are moved to each new revision. Else they stay with the one of their enrolment, this at least.
    Column("pinned_from", Integer),
    # What a change of a lesson's content means to who had completed it; null: as the organisation has it.
    Column("content_change", Text, CheckConstraint("content_change IN ('keep', 'reopen')", name="content_change")),
    Column("copied_from", Uuid),
    Column("created_by", Uuid, ForeignKey("members.user_id"), nullable=False),
    created_at(),
    updated_at(),
    Column("search_title", Text, Computed("extensions.fold(title)", persisted=True)),
    Column(
        "search",
        TSVECTOR,
        Computed(
            "setweight(to_tsvector('extensions.es_un'::regconfig, title), 'A') || "
            "setweight(to_tsvector('extensions.es_un'::regconfig, extensions.join_words(tags)), 'B') || "
            "setweight(to_tsvector('extensions.es_un'::regconfig, coalesce(category, '')), 'B') || "
            "setweight(to_tsvector('extensions.es_un'::regconfig, description), 'C')",
            persisted=True,
        ),
    ),
    Index("ix_courses_published", "published_at", "id", postgresql_where=text("deleted_at IS NULL")),
    # The catalogue as its authors see it: drafts by when they were made.
    Index(
        "ix_courses_listed",
        text("coalesce(published_at, created_at)"),
        "id",
        postgresql_where=text("deleted_at IS NULL"),
    ),
    Index("ix_courses_title", "search_title", "id", postgresql_where=text("deleted_at IS NULL")),
    Index("ix_courses_search", "search", postgresql_using="gin"),
    Index(
        "ix_courses_search_title",
        "search_title",
        postgresql_using="gin",
        postgresql_ops={"search_title": "extensions.gin_trgm_ops"},
    ),
    Index("ix_courses_tags", "tags", postgresql_using="gin"),
    Index("ix_courses_created_by", "created_by"),
)

course_instructors = Table(
    "course_instructors",
    TENANT,
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("members.user_id"), primary_key=True, index=True),
    Column("position", Integer, nullable=False),
)

modules = Table(
    "modules",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("position", Integer, nullable=False),
    # When it opens (app/catalog/release.py); null: at once.
    Column("rules", JSONB),
    # How many of its required lessons make it done; null: all.
    Column("requirement_count", Integer, CheckConstraint("requirement_count > 0", name="requirement_count")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("deleted_at", DateTime(timezone=True)),
    created_at(),
    updated_at(),
    Index("ix_modules_course", "course_id", "position", "id"),
)

lessons = Table(
    "lessons",
    TENANT,
    Column("id", Uuid, primary_key=True),
    # Repeated from the module so that counts and percentages need no join; a lesson only moves inside its course.
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    Column("module_id", Uuid, ForeignKey("modules.id", ondelete="CASCADE"), nullable=False),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False, server_default=""),
    Column("position", Integer, nullable=False),
    Column("is_required", Boolean, nullable=False, server_default=text("true")),
    Column(
        "weight",
        Integer,
        CheckConstraint("weight BETWEEN 1 AND 1000", name="weight"),
        nullable=False,
        server_default=text("1"),
    ),
    Column(
        "completion",
        Text,
        CheckConstraint(
            "completion IN ('view', 'mark_done', 'submit', 'min_score', 'min_time', 'video_coverage')",
            name="completion",
        ),
        nullable=False,
        server_default="mark_done",
    ),
    # Share of the lesson's videos that must have been watched, 0..1; only for video_coverage.
    Column("video_threshold", Numeric(4, 3), nullable=False, server_default=text("0.95")),
    # Percent; only for min_score. Seconds on task; only for min_time.
    Column("min_score", Numeric(5, 2), nullable=False, server_default=text("60")),
    Column("min_seconds", Integer, nullable=False, server_default=text("60")),
    # When it opens (app/catalog/release.py); null: with its module.
    Column("rules", JSONB),
    # Whether it must be judged who may do what here: it or its module has rules, or a revision completes it otherwise.
    Column("gated", Boolean, nullable=False, server_default=text("false")),
    # Counts the changes of its blocks, not of its title or place.
    Column("content_version", Integer, nullable=False, server_default=text("1")),
    Column("content_changed_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("deleted_at", DateTime(timezone=True)),
    created_at(),
    updated_at(),
    Index("ix_lessons_module", "module_id", "position", "id"),
    Index("ix_lessons_course", "course_id", postgresql_where=text("deleted_at IS NULL")),
)

lesson_blocks = Table(
    "lesson_blocks",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("lesson_id", Uuid, ForeignKey("lessons.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column(
        "kind",
        Text,
        CheckConstraint("kind IN ('rich_text', 'video', 'file', 'embed', 'quiz')", name="kind"),
        nullable=False,
    ),
    Column("title", Text, nullable=False, server_default=""),
    # rich_text: html. video: url, duration_seconds, captions_url. file: url, filename, media_type, size_bytes.
    # embed: url, height. quiz: source (the question as imported, until the question bank takes it over).
    Column("content", JSONB, nullable=False),
    created_at(),
    updated_at(),
    Index("ix_lesson_blocks_lesson", "lesson_id", "position", "id"),
)
