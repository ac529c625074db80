"""A cache that many processes share, which may always be away: whoever asks it goes on without it.

Entries are never changed: what changes has another key (a version is part of it), so there is nothing to delete.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import NewType, Protocol, TypeVar
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

Answer = TypeVar("Answer")
Key = NewType("Key", str)

ENTRY_OVERHEAD = 250  # bytes that an entry costs beside its key and value
LARGEST_SHARE = 8  # no value is larger than this part of the bound
FRONT_SECONDS = 5.0
AT_ONCE = 32
FAILURES = 3
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds

log = structlog.get_logger(__name__)


def tenant_key(prefix: str, tenant_id: UUID, generation: int, *parts: str) -> Key:
    """The only way to a key: ``{prefix}:{tenant_id}:{generation}:...``. Raises TypeError without a tenant."""
    if not isinstance(tenant_id, UUID):
        raise TypeError("a cache key needs a tenant")
    return Key(":".join((prefix, str(tenant_id), str(generation), *parts)))


class Cache(Protocol):
    """Remembers bytes by key for a while."""

    async def get(self, key: Key) -> bytes | None:
        """What is remembered, or None; also None when the cache is away or slow."""
        ...

    def put(self, key: Key, value: bytes) -> None:
        """Remember a value; returns at once, and whether it was kept nobody learns."""
        ...

    def forget(self) -> None:
        """Drop what this process holds."""
        ...

    async def check(self) -> str | None:
        """None when the cache works. Raises what its server answers with otherwise."""
        ...

    async def close(self) -> None:
        """End every connection."""
        ...


class MemoryCache:
    """In this process only: bounded in bytes, the least recently used goes first, everything after ``seconds``."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[Key, tuple[float, bytes]] = OrderedDict()
        self.size = 0
        self.counts: Counter[str] = Counter()

    def find(self, key: Key) -> bytes | None:
        """What is remembered, or None."""
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self._clock():
            self.counts["misses"] += 1
            return None
        self._entries.move_to_end(key)
        self.counts["hits"] += 1
        return entry[1]

    async def get(self, key: Key) -> bytes | None:
        """See ``Cache``."""
        return self.find(key)

    def put(self, key: Key, value: bytes) -> None:
        """See ``Cache``; a value that is too large is not kept."""
        if len(value) > self._limit // LARGEST_SHARE:
            return
        self._drop(key)
        self._entries[key] = (self._clock() + self._seconds, value)
        self.size += _cost(key, value)
        while self.size > self._limit:
            self._drop(next(iter(self._entries)))

    def forget(self) -> None:
        """See ``Cache``."""
        self._entries.clear()
        self.size = 0

    async def check(self) -> str | None:
        """See ``Cache``."""
        return None

    async def close(self) -> None:
        """See ``Cache``."""
        self.forget()

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= _cost(key, entry[1])


class RedisCache:
    """A server that speaks the Redis protocol (Valkey, Redis), with a small memory in front of it.

    An answer that takes longer than ``timeout`` seconds counts as none. After ``FAILURES`` in a row the server is left
    alone for a while, so that one that is away or slow delays a handful of requests and not all of them.
    """

    def __init__(
        self,
        url: str,
        *,
        limit: int,
        seconds: int,
        timeout: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.front = MemoryCache(limit, min(FRONT_SECONDS, seconds), clock)
        self.counts: Counter[str] = Counter()
        self._limit = limit
        self._seconds = seconds
        self._timeout = timeout
        self._breaker = Breaker(clock)
        self._putting: set[asyncio.Task[None]] = set()
        self._busy = 0
        self._redis: Redis = Redis.from_url(
            url,
            max_connections=2 * AT_ONCE,
            socket_timeout=1,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
        )

    async def get(self, key: Key) -> bytes | None:
        """See ``Cache``."""
        known = self.front.find(key)
        if known is not None:
            return known
        stored = await self._ask(lambda: self._redis.get(key))
        value = self._opened(key, stored) if isinstance(stored, bytes) else None
        self.counts["misses" if value is None else "hits"] += 1
        if value is not None:
            self.front.put(key, value)
        return value

    def put(self, key: Key, value: bytes) -> None:
        """See ``Cache``."""
        if len(value) > self._limit // LARGEST_SHARE:
            return
        self.front.put(key, value)
        task = asyncio.create_task(self._put(key, value))
        self._putting.add(task)
        task.add_done_callback(self._putting.discard)

    def forget(self) -> None:
        """See ``Cache``."""
        self.front.forget()

    async def check(self) -> str | None:
        """See ``Cache``."""
        await self._redis.ping()
        return None

    async def close(self) -> None:
        """See ``Cache``."""
        if self._putting:
            await asyncio.wait(self._putting, timeout=1)
        await self._redis.aclose()

    async def _put(self, key: Key, value: bytes) -> None:
        await self._ask(lambda: self._redis.set(key, _sealed(key, value), ex=self._seconds))

    def _opened(self, key: Key, stored: bytes) -> bytes | None:
        """The value, if it was stored under this very key: a mixed-up connection must never show another tenant's."""
        seal = _sealed(key, b"")
        if stored.startswith(seal):
            return stored[len(seal) :]
        self.counts["foreign"] += 1
        log.error("the cache answered with the value of another key")
        return None

    async def _ask(self, question: Callable[[], Awaitable[Answer]]) -> Answer | None:
        if self._busy >= AT_ONCE or not self._breaker.allows():
            self.counts["skipped"] += 1
            return None
        self._busy += 1
        try:
            async with asyncio.timeout(self._timeout):
                answer = await question()
        except (RedisError, OSError, TimeoutError) as error:
            self.counts["failures"] += 1
            self._breaker.failed(error)
            return None
        finally:
            self._busy -= 1
        self._breaker.worked()
        return answer


class Breaker:
    """Whether it is worth asking: no more for a growing while after some failures in a row, then one question."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._wait = FIRST_WAIT
        self._open_until: float | None = None

    def allows(self) -> bool:
        """Whether to ask now; after the wait the first who asks tries for everybody."""
        if self._open_until is None:
            return True
        if self._clock() < self._open_until:
            return False
        self._open_until = self._clock() + self._wait
        return True

    def failed(self, error: Exception) -> None:
        """Count a failure; the one that opens the breaker is logged, those after it are not."""
        self._failures += 1
        if self._open_until is not None:
            self._wait = min(2 * self._wait, LONGEST_WAIT)
            self._open_until = self._clock() + self._wait
        elif self._failures >= FAILURES:
            self._open_until = self._clock() + self._wait
            log.warning("the cache is away; requests go on without it", error=type(error).__name__)

    def worked(self) -> None:
        """Count an answer."""
        if self._open_until is not None:
            log.info("the cache is back")
        self._failures, self._wait, self._open_until = 0, FIRST_WAIT, None


def _sealed(key: Key, value: bytes) -> bytes:
    return key.encode() + b"\n" + value


def _cost(key: Key, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_OVERHEAD
