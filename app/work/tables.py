"""Jobs and their items."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, DateTime, ForeignKey, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from app.db.metadata import TENANT
from app.db.tables import created_at, updated_at

jobs = Table(
    "jobs",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('queued', 'running', 'done', 'cancelled')", name="state"),
        nullable=False,
        server_default="queued",
    ),
    Column("is_dry_run", Boolean, nullable=False, server_default=text("false")),
    Column("payload", JSONB, nullable=False),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False, server_default=text("0")),
    Column("skipped", Integer, nullable=False, server_default=text("0")),
    Column("failed", Integer, nullable=False, server_default=text("0")),
    # What the work came to, by name; written when it ends.
    Column("figures", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_by", Uuid, ForeignKey("members.user_id"), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    created_at(),
    updated_at(),
    Index("ix_jobs_newest", "created_at", "id"),
    Index("ix_jobs_created_by", "created_by", "created_at", "id"),
    Index("ix_jobs_open", "updated_at", "id", postgresql_where=text("finished_at IS NULL")),
)

job_items = Table(
    "job_items",
    TENANT,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    # From 1, in the order in which they were given.
    Column("number", Integer, primary_key=True),
    Column("label", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('pending', 'done', 'skipped', 'failed')", name="status"),
        nullable=False,
        server_default="pending",
    ),
    Column("code", Text),
    Column("message", Text),
    Column("params", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("result", JSONB),
    Index("ix_job_items_pending", "job_id", "number", postgresql_where=text("status = 'pending'")),
)
