"""Random secrets that are handed out once and kept only as a digest."""

from __future__ import annotations

from hashlib import sha256
from secrets import token_urlsafe


def new_secret() -> str:
    """256 random bits, url-safe."""
    return token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256, hexadecimal. Enough for random secrets: there is nothing to guess."""
    return sha256(secret[:512].encode()).hexdigest()
