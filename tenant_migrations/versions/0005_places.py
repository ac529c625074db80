"""What saving a place in one statement needs: whose event the position is, and how long a lesson's history is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_places"
down_revision = "0004_reviews"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns; a history that was not counted yet counts from the next event on."""
    op.add_column("lesson_progress", sa.Column("position_event_id", sa.Uuid(), nullable=True))
    op.add_column("lesson_progress", sa.Column("history", sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("lesson_progress", "history")
    op.drop_column("lesson_progress", "position_event_id")
