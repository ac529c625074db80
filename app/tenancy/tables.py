"""Tables of the control schema that say which tenants there are and where they live."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.db.metadata import CONTROL
from app.db.tables import created_at, updated_at

nodes = Table(
    "nodes",
    CONTROL,
    Column("node_number", Integer, primary_key=True),
    Column("engine", Text, CheckConstraint("engine IN ('postgres', 'citus')", name="engine"), nullable=False),
    # Null for node 1, which is the control database's own server.
    Column("dsn", Text),
    Column("state", Text, nullable=False, server_default="active"),
    Column("max_tenants", Integer, nullable=False, server_default=text("2000")),
    created_at(),
)

tenants = Table(
    "tenants",
    CONTROL,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("slug", Text, nullable=False, unique=True),
    Column("schema_name", Text, nullable=False, unique=True),
    Column("role_name", Text, nullable=False, unique=True),
    Column("node_number", Integer, ForeignKey("control.nodes.node_number"), nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint(
            "state IN ('provisioning', 'active', 'suspended', 'read_only', 'archived', 'deleting', 'deleted')",
            name="state",
        ),
        nullable=False,
    ),
    Column("schema_revision", Text),
    Column("plan", Text, nullable=False, server_default="standard"),
    Column("locale", Text, nullable=False, server_default="es"),
    Column("settings", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("generation", BigInteger, nullable=False, server_default=text("1")),
    Column("suspended_at", DateTime(timezone=True)),
    created_at(),
    updated_at(),
    CheckConstraint("schema_name ~ '^t_[0-9a-f]{20}$'", name="schema_name"),
    CheckConstraint("role_name ~ '^t_[0-9a-f]{20}$'", name="role_name"),
    Index("ix_tenants_state", "state"),
)

tenant_domains = Table(
    "tenant_domains",
    CONTROL,
    Column("host", Text, primary_key=True),
    Column("tenant_id", Uuid, ForeignKey("control.tenants.id", ondelete="CASCADE"), nullable=False, index=True),
    created_at(),
)
