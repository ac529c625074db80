"""Learners' ratings of courses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_reviews"
down_revision = "0003_learning"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "course_reviews",
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_course_reviews_rating")),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_course_reviews_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["members.user_id"], name=op.f("fk_course_reviews_user_id")),
        sa.PrimaryKeyConstraint("course_id", "user_id", name=op.f("pk_course_reviews")),
    )
    op.create_index(op.f("ix_course_reviews_user_id"), "course_reviews", ["user_id"], unique=False)
    op.create_index("ix_course_reviews_rating", "course_reviews", ["course_id", "rating"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("course_reviews")
