"""Base tables that belong to no domain: the mail outbox; each tenant's identity card, events and audit log."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Index, Integer, Table, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB

from app.db.metadata import CONTROL, TENANT


def created_at() -> Column[object]:
    """When the row was made, by the database's clock."""
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def updated_at() -> Column[object]:
    """When the row was last changed; every UPDATE sets it to now()."""
    return Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now())


# One row per mail to be sent, written in the transaction that causes it. The payload (which may hold a one-time
# link) is wiped once the mail has left; the row stays so that a repeated job does nothing. While a worker is sending,
# the mail is leased to it: a lease that has run out was left by a worker that was killed.
control_outbox = Table(
    "outbox",
    CONTROL,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("tenant_id", Uuid),
    Column("payload", JSONB),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("last_error", Text),
    Column("done_at", DateTime(timezone=True)),
    created_at(),
    Column("leased_until", DateTime(timezone=True)),
    Index("ix_outbox_pending", "created_at", postgresql_where=text("done_at IS NULL")),
    Index(
        "ix_outbox_leased",
        "leased_until",
        postgresql_where=text("done_at IS NULL AND leased_until IS NOT NULL"),
    ),
)

# One row per tenant schema: says whose schema this is, so that a connection, a restore or a move can be checked.
tenant_meta = Table(
    "tenant_meta",
    TENANT,
    Column("tenant_id", Uuid, primary_key=True),
    created_at(),
)

# Domain events (enrolled, course_completed...), written in the transaction that causes them and relayed by the worker.
tenant_outbox = Table(
    "outbox",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("relayed_at", DateTime(timezone=True)),
    created_at(),
    # How often acting on it failed, and how the last time: one bad event must not hold up those behind it.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("last_error", Text),
    Index("ix_outbox_pending", "created_at", "id", postgresql_where=text("relayed_at IS NULL")),
)

# The answer given to a request that carried an idempotency key; the same key gets the same answer again.
idempotency_keys = Table(
    "idempotency_keys",
    TENANT,
    Column("user_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("operation", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("result_id", Uuid),
    created_at(),
)

# What people did that others may ask about later: overrides, waivers, revocations. Rows are added, never changed.
audit_log = Table(
    "audit_log",
    TENANT,
    Column("id", Uuid, primary_key=True),
    # Null: the platform itself. No foreign key: the entry outlives the person's membership.
    Column("actor_id", Uuid),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject_id", Uuid),
    Column("reason", Text),
    Column("changes", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    created_at(),
    Index("ix_audit_log_newest", "created_at", "id"),
    Index("ix_audit_log_subject", "subject_id", "created_at", "id"),
)
