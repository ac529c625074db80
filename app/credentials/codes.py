"""Public codes of certificates: random, hard to mistype, the same for as long as the certificate exists (K2)."""

from __future__ import annotations

import re
import secrets

# Crockford's base 32: no I, L, O and U, so that nothing is read as something else.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 28  # of 5 bits: 140 bits
CODE = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def new_code() -> str:
    """A code that nobody can guess."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def read_code(text: str) -> str | None:
    """The code in what somebody typed, in any case, with any hyphens; None when it cannot be one."""
    code = text[:100].upper().translate(_READ_AS)
    return code if CODE.fullmatch(code) else None


def printed(code: str) -> str:
    """The code in groups of four, for reading aloud."""
    return "-".join(code[n : n + 4] for n in range(0, LENGTH, 4))
