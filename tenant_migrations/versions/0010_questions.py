"""The question bank: questions and their versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010_questions"
down_revision = "0008_enrolment"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
ALIVE = sa.text("deleted_at IS NULL")
KINDS = (
    "'single', 'multiple', 'true_false', 'short_answer', 'numeric', 'matching', 'ordering', 'cloze', 'essay', 'file', "
    "'text'"
)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "questions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("category", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("status", sa.Text(), server_default="ready", nullable=False),
        sa.Column("points", sa.Numeric(9, 5), server_default=sa.text("1"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("import_key", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("search_title", sa.Text(), sa.Computed("extensions.fold(title)", persisted=True), nullable=True),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('extensions.es_un'::regconfig, title), 'A') || "
                "setweight(to_tsvector('extensions.es_un'::regconfig, extensions.join_words(tags)), 'B') || "
                "setweight(to_tsvector('extensions.es_un'::regconfig, words), 'C')",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_questions_kind")),
        sa.CheckConstraint("status IN ('draft', 'ready', 'retired')", name=op.f("ck_questions_status")),
        sa.CheckConstraint("points >= 0", name=op.f("ck_questions_points")),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_questions_course_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["created_by"], ["members.user_id"], name=op.f("fk_questions_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
    )
    op.create_index("ix_questions_course", "questions", ["course_id", "created_at", "id"])
    op.create_index("ix_questions_title", "questions", ["course_id", "search_title", "id"], postgresql_where=ALIVE)
    op.create_index("ix_questions_category", "questions", ["course_id", "category", "id"], postgresql_where=ALIVE)
    op.create_index(
        "uq_questions_import",
        "questions",
        ["course_id", "import_key"],
        unique=True,
        postgresql_where=sa.text("import_key IS NOT NULL AND deleted_at IS NULL"),
    )
    op.create_index("ix_questions_tags", "questions", ["tags"], postgresql_using="gin")
    op.create_index("ix_questions_search", "questions", ["search"], postgresql_using="gin")
    op.create_index(
        "ix_questions_search_title",
        "questions",
        ["search_title"],
        postgresql_using="gin",
        postgresql_ops={"search_title": "extensions.gin_trgm_ops"},
    )
    op.create_index("ix_questions_created_by", "questions", ["created_by"])
    op.create_table(
        "question_versions",
        sa.Column("question_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("points", sa.Numeric(9, 5), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_question_versions_number")),
        sa.ForeignKeyConstraint(
            ["question_id"], ["questions.id"], name=op.f("fk_question_versions_question_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["created_by"], ["members.user_id"], name=op.f("fk_question_versions_created_by")),
        sa.PrimaryKeyConstraint("question_id", "number", name=op.f("pk_question_versions")),
    )
    op.create_index("ix_question_versions_created_by", "question_versions", ["created_by"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_question_versions_created_by", table_name="question_versions")
    op.drop_table("question_versions")
    for name in (
        "ix_questions_created_by",
        "ix_questions_search_title",
        "ix_questions_search",
        "ix_questions_tags",
        "uq_questions_import",
        "ix_questions_category",
        "ix_questions_title",
        "ix_questions_course",
    ):
        op.drop_index(name, table_name="questions")
    op.drop_table("questions")
