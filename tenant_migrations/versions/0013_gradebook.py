"""The gradebook: settings, categories, items, and what graders gave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013_gradebook"
down_revision = "0012_credentials"
branch_labels = None
depends_on = None

ALIVE = sa.text("deleted_at IS NULL")
IN_CATEGORY = sa.text("category_id IS NOT NULL")
OF_QUIZ = sa.text("quiz_id IS NOT NULL")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "gradebooks",
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("ungraded_as_zero", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("scale", sa.Text(), nullable=True),
        sa.Column("exigency", sa.Numeric(precision=5, scale=2), server_default=sa.text("60"), nullable=False),
        sa.Column("bands", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("scale IN ('chilean', 'letters')", name=op.f("ck_gradebooks_scale")),
        sa.CheckConstraint("exigency BETWEEN 1 AND 99", name=op.f("ck_gradebooks_exigency")),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_gradebooks_course_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("course_id", name=op.f("pk_gradebooks")),
    )
    op.create_table(
        "grade_categories",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("weight", sa.Numeric(precision=8, scale=3), nullable=False),
        sa.Column("drop_lowest", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("weight >= 0", name=op.f("ck_grade_categories_weight")),
        sa.CheckConstraint("drop_lowest >= 0", name=op.f("ck_grade_categories_drop_lowest")),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_grade_categories_course_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grade_categories")),
        sa.UniqueConstraint("course_id", "id", name="uq_grade_categories_course"),
    )
    op.create_index("ix_grade_categories_course", "grade_categories", ["course_id", "position", "id"], unique=False)
    op.create_table(
        "grade_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("quiz_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("points", sa.Numeric(precision=12, scale=5), nullable=True),
        sa.Column("category_id", sa.Uuid(), nullable=True),
        sa.Column("weight", sa.Numeric(precision=8, scale=3), nullable=True),
        sa.Column("is_extra_credit", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_excluded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("points >= 0", name=op.f("ck_grade_items_points")),
        sa.CheckConstraint("weight >= 0", name=op.f("ck_grade_items_weight")),
        sa.CheckConstraint("quiz_id IS NULL OR quiz_id = id", name=op.f("ck_grade_items_quiz_id")),
        sa.CheckConstraint(
            "quiz_id IS NOT NULL OR (title IS NOT NULL AND points IS NOT NULL)", name=op.f("ck_grade_items_manual")
        ),
        sa.ForeignKeyConstraint(
            ["course_id", "category_id"],
            ["grade_categories.course_id", "grade_categories.id"],
            name="fk_grade_items_category",
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_grade_items_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["quiz_id"], ["quizzes.id"], name=op.f("fk_grade_items_quiz_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grade_items")),
    )
    op.create_index(
        "ix_grade_items_course",
        "grade_items",
        ["course_id", "created_at", "id"],
        unique=False,
        postgresql_where=ALIVE,
    )
    op.create_index(
        "ix_grade_items_category",
        "grade_items",
        ["course_id", "category_id"],
        unique=False,
        postgresql_where=IN_CATEGORY,
    )
    op.create_index("ix_grade_items_quiz_id", "grade_items", ["quiz_id"], unique=False, postgresql_where=OF_QUIZ)
    op.create_table(
        "grades",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.Numeric(precision=12, scale=5), nullable=True),
        sa.Column("is_excused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("graded_by", sa.Uuid(), nullable=False),
        sa.Column("graded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("points >= 0", name=op.f("ck_grades_points")),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_grades_course_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["graded_by"], ["members.user_id"], name=op.f("fk_grades_graded_by")),
        sa.ForeignKeyConstraint(["item_id"], ["grade_items.id"], name=op.f("fk_grades_item_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["members.user_id"], name=op.f("fk_grades_user_id")),
        sa.PrimaryKeyConstraint("item_id", "user_id", name=op.f("pk_grades")),
    )
    op.create_index("ix_grades_course", "grades", ["course_id", "user_id", "item_id"], unique=False)
    op.create_index(op.f("ix_grades_graded_by"), "grades", ["graded_by"], unique=False)
    op.create_index(op.f("ix_grades_user_id"), "grades", ["user_id"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("ix_grades_user_id"), table_name="grades")
    op.drop_index(op.f("ix_grades_graded_by"), table_name="grades")
    op.drop_index("ix_grades_course", table_name="grades")
    op.drop_table("grades")
    op.drop_index("ix_grade_items_quiz_id", table_name="grade_items", postgresql_where=OF_QUIZ)
    op.drop_index("ix_grade_items_category", table_name="grade_items", postgresql_where=IN_CATEGORY)
    op.drop_index("ix_grade_items_course", table_name="grade_items", postgresql_where=ALIVE)
    op.drop_table("grade_items")
    op.drop_index("ix_grade_categories_course", table_name="grade_categories")
    op.drop_table("grade_categories")
    op.drop_table("gradebooks")
