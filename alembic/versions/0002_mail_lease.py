"""A mail being sent is leased, so that no transaction is open meanwhile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_mail_lease"
down_revision = "0001_control"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the lease, and the index that finds those nobody holds any more."""
    op.add_column("outbox", sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True), schema="control")
    op.create_index(
        "ix_outbox_leased",
        "outbox",
        ["leased_until"],
        unique=False,
        schema="control",
        postgresql_where=sa.text("done_at IS NULL AND leased_until IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index(
        "ix_outbox_leased",
        table_name="outbox",
        schema="control",
        postgresql_where=sa.text("done_at IS NULL AND leased_until IS NOT NULL"),
    )
    op.drop_column("outbox", "leased_until", schema="control")
