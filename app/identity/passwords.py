"""Password hashes: argon2id, computed in a bounded number of threads, never on the event loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from unicodedata import normalize

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

Result = TypeVar("Result")

BCRYPT = ("$2a$", "$2b$", "$2y$")


class Passwords:
    """Hashes and verifies. One hash takes ``memory_kib`` of memory, so ``concurrency`` bounds a flood of log-ins."""

    def __init__(self, *, memory_kib: int, time_cost: int, concurrency: int) -> None:
        self._hasher = PasswordHasher(
            time_cost=time_cost, memory_cost=memory_kib, parallelism=4 if memory_kib > 64 else 1
        )
        self._threads = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="passwords")
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        self.computed = 0

    def close(self) -> None:
        """Wait for the hashes under way."""
        self._threads.shutdown()

    async def hash(self, password: str) -> str:
        """The hash to keep. Spellings that look the same (NFKC) are the same password."""
        return await self._run(lambda: self._hasher.hash(normalize("NFKC", password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is the one behind the hash.

        Does the same work when there is no hash (nobody with that address, or an invited person without a password),
        so that the time of the answer tells nothing.
        """
        return await self._run(lambda: self._matches(stored or self._nobody, password)) and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash that just verified should be made anew: another algorithm, or weaker parameters."""
        return stored.startswith(BCRYPT) or self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        if stored.startswith(BCRYPT):
            # bcrypt looks at 72 bytes and the library refuses more; the old system cut in the same place.
            return bcrypt.checkpw(password.encode()[:72], stored.encode())
        try:
            return self._hasher.verify(stored, normalize("NFKC", password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        self.computed += 1
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
