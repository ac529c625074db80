"""Rows of the identity room, as its statements return them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, as far as that can be known."""

    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A person in a tenant's directory."""

    user_id: UUID
    email: str
    full_name: str
    role: str
    status: str
    locale: str
    time_zone: str
    avatar_url: str | None
    bio: str | None
    phone: str | None
    national_id: str | None
    preferences: dict[str, Any]
    email_verified_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime
    sort_name: str


@dataclass(frozen=True, slots=True)
class UserRow:
    """An identity in the control schema."""

    id: UUID
    email: str
    password_hash: str | None
    full_name: str
    locale: str
    time_zone: str
    avatar_url: str | None
    bio: str | None
    phone: str | None
    national_id: str | None
    preferences: dict[str, Any]
    email_verified_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class MembershipRow:
    """A person's place in a tenant."""

    user_id: UUID
    tenant_id: UUID
    role: str
    status: str


@dataclass(frozen=True, slots=True)
class MyMembershipRow:
    """One of the tenants a person belongs to."""

    tenant_id: UUID
    tenant_slug: str
    tenant_name: str
    role: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A log-in that lasts."""

    id: UUID
    user_agent: str | None
    ip: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionState:
    """What the gate must know of a session to let its owner in."""

    session_id: UUID
    user_id: UUID
    tenant_id: UUID
    expires_at: datetime
    revoked_at: datetime | None
    user_deleted_at: datetime | None
    locale: str
    role: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class RefreshRow:
    """A refresh token and the session it belongs to."""

    token_hash: str
    session_id: UUID
    token_expires_at: datetime
    used_at: datetime | None
    user_id: UUID
    tenant_id: UUID
    session_expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class OneTimeRow:
    """A link that was sent by mail."""

    user_id: UUID
    tenant_id: UUID
    purpose: str
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a log-in gives."""

    access_token: str
    refresh_token: str
    expires_in: int
    member: MemberRow
