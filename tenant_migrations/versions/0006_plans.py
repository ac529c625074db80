"""Orders that were sorted anew for each page: the catalogue as authors see it, and everybody's enrolments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_plans"
down_revision = "0005_places"
branch_labels = None
depends_on = None

ALIVE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    """Index both orders; nothing has ever been listed by created_at alone."""
    op.create_index(
        "ix_courses_listed",
        "courses",
        [sa.text("coalesce(published_at, created_at)"), "id"],
        postgresql_where=ALIVE,
    )
    op.drop_index("ix_courses_created", table_name="courses")
    op.create_index("ix_enrollments_newest", "enrollments", ["enrolled_at", "id"])


def downgrade() -> None:
    """As before."""
    op.drop_index("ix_enrollments_newest", table_name="enrollments")
    op.create_index("ix_courses_created", "courses", ["created_at", "id"], postgresql_where=ALIVE)
    op.drop_index("ix_courses_listed", table_name="courses")
