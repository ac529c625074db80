"""Enums whose values are the domain's words."""

from __future__ import annotations

from enum import Enum


def word(member: Enum) -> str:
    """The domain's word for an enum value."""
    return str(member.value)
