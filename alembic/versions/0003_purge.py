"""Indexes by which identities' used-up rows are found and deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_purge"
down_revision = "0002_mail_lease"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_login_failures_last_at", "login_failures", ["last_at"], unique=False, schema="control")
    op.create_index("ix_one_time_tokens_expires_at", "one_time_tokens", ["expires_at"], unique=False, schema="control")
    op.create_index("ix_refresh_tokens_expires_at", "refresh_tokens", ["expires_at"], unique=False, schema="control")
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], unique=False, schema="control")
    op.create_index(
        "ix_sessions_revoked_at",
        "sessions",
        ["revoked_at"],
        unique=False,
        schema="control",
        postgresql_where=sa.text("revoked_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index(
        "ix_sessions_revoked_at",
        table_name="sessions",
        schema="control",
        postgresql_where=sa.text("revoked_at IS NOT NULL"),
    )
    op.drop_index("ix_sessions_expires_at", table_name="sessions", schema="control")
    op.drop_index("ix_refresh_tokens_expires_at", table_name="refresh_tokens", schema="control")
    op.drop_index("ix_one_time_tokens_expires_at", table_name="one_time_tokens", schema="control")
    op.drop_index("ix_login_failures_last_at", table_name="login_failures", schema="control")
