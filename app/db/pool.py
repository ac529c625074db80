"""Connections to one PostgreSQL node: tenant-sticky slots, and a plain pool for the control schema.

A connection that keeps seeing the same tenant keeps its query plans (17-20x cheaper multi-join queries) and a small
relation cache; one that has seen many tenants grows without bound and is replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, OperationalError
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from app.db.errors import translated


class PooledConnection(AsyncConnection[Any]):
    """A connection that remembers which tenants it has served."""

    tenants_seen: set[UUID]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenants_seen = set()


Pool = AsyncConnectionPool[PooledConnection]


def open_pool(dsn: str, *, name: str, min_size: int, max_size: int, timeout: float) -> Pool:
    """A pool that is not opened yet. ``timeout`` (seconds) bounds the wait for a connection."""
    return AsyncConnectionPool(
        dsn,
        connection_class=PooledConnection,
        kwargs={"autocommit": True, "prepare_threshold": 5},
        name=name,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        max_lifetime=1800,
        reconnect_timeout=2,
        open=False,
    )


@asynccontextmanager
async def transaction(
    pool: Pool, begin: str, *, retire: Callable[[PooledConnection], bool] | None = None
) -> AsyncIterator[PooledConnection]:
    """Hold a connection inside the transaction that ``begin`` (one simple-protocol message) opens.

    Commits on success, rolls back on anything else, cancellation included. A connection whose state is not known to be
    clean is closed rather than returned. A connection that died while idle (the server was restarted) is replaced
    without the caller noticing: nothing had been done on it yet. ``retire`` says, after the commit, whether the
    connection has served long enough.
    """
    connection = await _begin(pool, begin)
    try:
        yield connection
    except BaseException:
        # Shielded: a second cancellation must not interrupt the clean-up and leak the connection.
        await asyncio.shield(_finish(pool, connection, b"ROLLBACK"))
        raise
    try:
        with translated():
            await connection.execute(b"COMMIT", prepare=False)
    except BaseException:
        await asyncio.shield(_finish(pool, connection, None))
        raise
    if retire is not None and retire(connection):
        await connection.close()
    await pool.putconn(connection)


async def _begin(pool: Pool, begin: str) -> PooledConnection:
    message = begin.encode()
    for attempt in range(pool.max_size + 2):
        with translated():
            connection = await pool.getconn()
            try:
                await connection.execute(message, prepare=False)
            except OperationalError:
                await _finish(pool, connection, None)
                if not connection.closed or attempt > pool.max_size:
                    raise
            except BaseException:
                await asyncio.shield(_finish(pool, connection, b"ROLLBACK"))
                raise
            else:
                return connection
    raise AssertionError("unreachable")


async def _finish(pool: Pool, connection: PooledConnection, message: bytes | None) -> None:
    status = connection.pgconn.transaction_status
    if message is not None and status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        with suppress(Exception):
            await connection.execute(message, prepare=False)
    if connection.pgconn.transaction_status != TransactionStatus.IDLE:
        await connection.close()
    await pool.putconn(connection)


class StickySlots:
    """K small pools on one node; a tenant prefers one of them and spills to its next choices only when that is busy."""

    def __init__(self, dsn: str, *, slots: int, size: int, timeout: float, max_tenants: int, name: str) -> None:
        self._pools = [
            open_pool(dsn, name=f"{name}-{index}", min_size=1, max_size=max(1, size // slots), timeout=timeout)
            for index in range(slots)
        ]
        self._max_tenants = max_tenants

    async def open(self) -> None:
        """Start connecting in the background; does not wait, so that a database that is away stops nobody else."""
        for pool in self._pools:
            await pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            await pool.close(timeout=2)

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID, begin: str) -> AsyncIterator[PooledConnection]:
        """A transaction on a connection of the tenant's slot; recycled after a bound of distinct tenants."""
        async with transaction(self._choose(tenant_id), begin, retire=self._is_worn) as connection:
            connection.tenants_seen.add(tenant_id)
            yield connection

    def _is_worn(self, connection: PooledConnection) -> bool:
        return len(connection.tenants_seen) > self._max_tenants

    def _choose(self, tenant_id: UUID) -> Pool:
        order = preferred(tenant_id, len(self._pools))
        for index in order:
            pool = self._pools[index]
            stats = pool.get_stats()
            if stats["pool_available"] or stats["pool_size"] < pool.max_size:
                return pool
        return self._pools[order[0]]


@lru_cache(maxsize=16_384)
def preferred(tenant_id: UUID, slots: int) -> tuple[int, ...]:
    """The slots in this tenant's order of preference (rendezvous hashing): a new slot moves 1/(K+1) of the tenants."""

    def weight(slot: int) -> bytes:
        return blake2b(tenant_id.bytes + slot.to_bytes(2, "big"), digest_size=8).digest()

    return tuple(sorted(range(slots), key=weight))
