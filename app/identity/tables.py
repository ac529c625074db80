"""Identities (control schema) and each tenant's directory of members (tenant schema)."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import CITEXT, INET, JSONB

from app.db.metadata import CONTROL, TENANT
from app.db.tables import created_at, updated_at

ROLES = "'student', 'instructor', 'admin', 'analyst'"

users = Table(
    "users",
    CONTROL,
    Column("id", Uuid, primary_key=True),
    Column("email", CITEXT, nullable=False),
    # Null until an invited person has chosen one.
    Column("password_hash", Text),
    Column("full_name", Text, nullable=False),
    Column("locale", Text, nullable=False, server_default="es"),
    Column("time_zone", Text, nullable=False, server_default="America/Santiago"),
    Column("avatar_url", Text),
    Column("bio", Text),
    Column("phone", Text),
    Column("national_id", Text),
    Column("preferences", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("is_operator", Boolean, nullable=False, server_default=text("false")),
    Column("email_verified_at", DateTime(timezone=True)),
    Column("password_changed_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default=text("1")),
    created_at(),
    updated_at(),
    Index("uq_users_email", "email", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

memberships = Table(
    "memberships",
    CONTROL,
    Column("user_id", Uuid, ForeignKey("control.users.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_id", Uuid, ForeignKey("control.tenants.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", Text, CheckConstraint(f"role IN ({ROLES})", name="role"), nullable=False),
    # pending: registered, address not confirmed yet. removed: soft-deleted from this tenant.
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('pending', 'active', 'removed')", name="status"),
        nullable=False,
    ),
    created_at(),
    updated_at(),
)

sessions = Table(
    "sessions",
    CONTROL,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("control.users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("tenant_id", Uuid, ForeignKey("control.tenants.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("user_agent", Text),
    Column("ip", INET),
    Column("last_used_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_because", Text),
    created_at(),
    Index("ix_sessions_expires_at", "expires_at"),
    Index("ix_sessions_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
)

# One row per refresh token ever issued in a session; the family is the session. Only the SHA-256 is kept.
refresh_tokens = Table(
    "refresh_tokens",
    CONTROL,
    Column("token_hash", Text, primary_key=True),
    Column("session_id", Uuid, ForeignKey("control.sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    created_at(),
    Index("ix_refresh_tokens_expires_at", "expires_at"),
)

# Links sent by mail: verify an address, join another tenant, accept an invitation, reset a password.
one_time_tokens = Table(
    "one_time_tokens",
    CONTROL,
    Column("token_hash", Text, primary_key=True),
    Column("user_id", Uuid, ForeignKey("control.users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("tenant_id", Uuid, ForeignKey("control.tenants.id", ondelete="CASCADE"), nullable=False, index=True),
    Column(
        "purpose",
        Text,
        CheckConstraint("purpose IN ('verify', 'join', 'invite', 'reset')", name="purpose"),
        nullable=False,
    ),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    created_at(),
    Index("ix_one_time_tokens_expires_at", "expires_at"),
)

# Failed log-ins by (tenant, address) and by client address; the wait grows with the count and ends by itself.
login_failures = Table(
    "login_failures",
    CONTROL,
    Column("key", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("blocked_until", DateTime(timezone=True)),
    Index("ix_login_failures_last_at", "last_at"),
)

# The directory that courses, enrolments and reviews refer to: a projection of identity and membership, so that a
# tenant's query never leaves its schema.
members = Table(
    "members",
    TENANT,
    Column("user_id", Uuid, primary_key=True),
    Column("email", Text, nullable=False),
    Column("full_name", Text, nullable=False),
    Column("role", Text, CheckConstraint(f"role IN ({ROLES})", name="role"), nullable=False),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('pending', 'active', 'removed')", name="status"),
        nullable=False,
    ),
    Column("locale", Text, nullable=False, server_default="es"),
    Column("time_zone", Text, nullable=False, server_default="America/Santiago"),
    Column("avatar_url", Text),
    Column("bio", Text),
    Column("phone", Text),
    Column("national_id", Text),
    Column("preferences", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("email_verified_at", DateTime(timezone=True)),
    # The identity's version this row was copied from: an older copy never overwrites a newer one.
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("search_text", Text, Computed("extensions.fold(full_name || ' ' || email)", persisted=True)),
    created_at(),
    updated_at(),
    Index("ix_members_role", "role", "status"),
    Index("ix_members_email", "email"),
    Index("ix_members_name", text("extensions.fold(full_name)"), "user_id"),
    Index("ix_members_created", "created_at", "user_id"),
    Index(
        "ix_members_search_text",
        "search_text",
        postgresql_using="gin",
        postgresql_ops={"search_text": "extensions.gin_trgm_ops"},
    ),
)
