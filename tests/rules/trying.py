"""How many examples tests of properties try: few by default; PROPERTY_EXAMPLES=10000 tries that many."""

from __future__ import annotations

import os

from hypothesis import settings


def tried(few: int) -> settings:
    """Settings of a property test."""
    return settings(max_examples=int(os.environ.get("PROPERTY_EXAMPLES", few)), deadline=None)
