"""The control schema's connections: a plain pool, and the transaction that is held on one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from app.db.errors import translated

Pool = AsyncConnectionPool[AsyncConnection[Any]]


def open_pool(dsn: str, *, name: str, min_size: int, max_size: int, timeout: float, prepare: bool) -> Pool:
    """A pool that is not opened yet. ``timeout`` (seconds) bounds the wait for a connection."""
    return AsyncConnectionPool(
        dsn,
        kwargs={"autocommit": True, "prepare_threshold": 5 if prepare else None},
        name=name,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        max_lifetime=1800,
        reconnect_timeout=2,
        open=False,
    )


@asynccontextmanager
async def transaction(pool: Pool, begin: str) -> AsyncIterator[AsyncConnection[Any]]:
    """Hold a connection inside the transaction that ``begin`` (one simple-protocol message) opens.

    Commits on success, rolls back on anything else, cancellation included. A connection whose state is not known to be
    clean is closed rather than returned. A connection that died while idle (the server was restarted) is replaced
    without the caller noticing: nothing had been done on it yet.
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
    await pool.putconn(connection)


async def _begin(pool: Pool, begin: str) -> AsyncConnection[Any]:
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


async def _finish(pool: Pool, connection: AsyncConnection[Any], message: bytes | None) -> None:
    status = connection.pgconn.transaction_status
    if message is not None and status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        with suppress(Exception):
            await connection.execute(message, prepare=False)
    if connection.pgconn.transaction_status != TransactionStatus.IDLE:
        await connection.close()
    await pool.putconn(connection)
