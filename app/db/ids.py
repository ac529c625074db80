"""Identifiers made by the application: UUIDv7, so that indexes stay append-only and moves need no sequences."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562, section 5.7): time-ordered to the millisecond, 74 random bits."""
    return uuid7()
