"""The question bank: questions, and each of their versions."""

from __future__ import annotations

from sqlalchemy import (
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

POINTS = Numeric(9, 5)
ALIVE = text("deleted_at IS NULL")
QUESTION_KINDS = (
    "'single', 'multiple', 'true_false', 'short_answer', 'numeric', 'matching', 'ordering', 'cloze', 'essay', 'file', "
    "'text'"
)

questions = Table(
    "questions",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, CheckConstraint(f"kind IN ({QUESTION_KINDS})", name="kind"), nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    # Like a path: units/area; empty: none.
    Column("category", Text, nullable=False, server_default=""),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('draft', 'ready', 'retired')", name="status"),
        nullable=False,
        server_default="ready",
    ),
    Column("points", POINTS, CheckConstraint("points >= 0", name="points"), nullable=False, server_default=text("1")),
    # The number of the version that holds the present body.
    Column("version", Integer, nullable=False, server_default=text("1")),
    # What an import recognises it by when the same text comes again.
    Column("import_key", Text),
    # The words of the question without markup, for the search.
    Column("words", Text, nullable=False, server_default=""),
    Column("created_by", Uuid, ForeignKey("members.user_id"), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    created_at(),
    updated_at(),
    Column("search_title", Text, Computed("extensions.fold(title)", persisted=True)),
    Column(
        "search",
        TSVECTOR,
        Computed(
            "setweight(to_tsvector('extensions.es_un'::regconfig, title), 'A') || "
            "setweight(to_tsvector('extensions.es_un'::regconfig, extensions.join_words(tags)), 'B') || "
            "setweight(to_tsvector('extensions.es_un'::regconfig, words), 'C')",
            persisted=True,
        ),
    ),
    Index("ix_questions_course", "course_id", "created_at", "id"),
    Index("ix_questions_title", "course_id", "search_title", "id", postgresql_where=ALIVE),
    Index("ix_questions_category", "course_id", "category", "id", postgresql_where=ALIVE),
    Index(
        "uq_questions_import",
        "course_id",
        "import_key",
        unique=True,
        postgresql_where=text("import_key IS NOT NULL AND deleted_at IS NULL"),
    ),
    Index("ix_questions_tags", "tags", postgresql_using="gin"),
    Index("ix_questions_search", "search", postgresql_using="gin"),
    Index(
        "ix_questions_search_title",
        "search_title",
        postgresql_using="gin",
        postgresql_ops={"search_title": "extensions.gin_trgm_ops"},
    ),
    Index("ix_questions_created_by", "created_by"),
)

# A version is written once and never changed: attempts refer to it, and grading an old one again gives the old grade.
question_versions = Table(
    "question_versions",
    TENANT,
    Column("question_id", Uuid, ForeignKey("questions.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, CheckConstraint("number >= 1", name="number"), primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("points", POINTS, nullable=False),
    Column("created_by", Uuid, ForeignKey("members.user_id"), nullable=False, index=True),
    created_at(),
)
