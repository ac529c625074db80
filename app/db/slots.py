"""Connections to one PostgreSQL node, sticky by tenant.

A connection that keeps seeing the same tenant keeps its query plans (17-20x cheaper multi-join queries) and a small
relation cache; one that has seen many tenants grows without bound and is replaced.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import PoolClosed, PoolTimeout

from app.db.wire import Wire

Connect = Callable[[], Awaitable[Wire]]
LIFETIME = 1800.0  # seconds; then a connection is replaced, so that a failed-over or re-balanced node is found again


def connector(dsn: str, *, prepare: bool) -> Connect:
    """What opens connections of a node. Raises OperationalError."""

    async def connect() -> Wire:
        return Wire(await AsyncConnection.connect(dsn, autocommit=True), prepare=prepare)

    return connect


class Slot:
    """A bounded number of connections; whoever finds none free waits in line."""

    def __init__(self, connect: Connect, *, size: int, timeout: float, name: str) -> None:
        self.size = size
        self._connect = connect
        self._timeout = timeout
        self._name = name
        self._idle: list[Wire] = []
        self._made = 0
        self._waiting: deque[asyncio.Future[Wire | None]] = deque()
        self._closed = False

    @property
    def has_room(self) -> bool:
        """Whether a connection is free or may be made."""
        return bool(self._idle) or self._made < self.size

    async def acquire(self) -> Wire:
        """A connection that nobody else uses.

        Raises PoolTimeout when none becomes free in time, OperationalError when none can be made in that time.
        """
        if self._closed:
            raise PoolClosed(f"the connections of {self._name} are closed")
        wire = self._free()
        if wire is not None:
            return wire
        deadline = asyncio.get_running_loop().time() + self._timeout
        if self._made < self.size:
            self._made += 1
        else:
            given = await self._wait(deadline)
            if given is not None:
                if not given.closed:
                    return given
                given.close()
        return await self._make(deadline)

    def release(self, wire: Wire) -> None:
        """Give a connection back. One that is closed makes room for a new one."""
        if self._closed or wire.closed:
            wire.close()
            self._make_room()
        elif not self._hand_over(wire):
            self._idle.append(wire)

    def close(self) -> None:
        """Close what is idle now, and the rest when it is given back."""
        self._closed = True
        for wire in self._idle:
            wire.close()
        self._made -= len(self._idle)
        self._idle.clear()
        refusal = PoolClosed(f"the connections of {self._name} are closed")
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(refusal)

    def _free(self) -> Wire | None:
        while self._idle:
            wire = self._idle.pop()
            if not wire.closed:
                return wire
            wire.close()
            self._made -= 1
        return None

    async def _make(self, deadline: float) -> Wire:
        """Open a connection; the caller has counted it."""
        pause = 0.05
        try:
            while True:
                left = deadline - asyncio.get_running_loop().time()
                try:
                    async with asyncio.timeout(max(left, 0.05)):  # wait_for of Python 3.11 swallows cancellations
                        return await self._connect()
                except (OperationalError, TimeoutError) as error:
                    # Jittered, so that a server that comes back is not met by everybody at the same moment.
                    wait = pause * random.uniform(0.5, 1.5)  # noqa: S311 -- no secret
                    if left <= wait:
                        raise OperationalError(f"no connection to {self._name}: {error}") from error
                    await asyncio.sleep(wait)
                    pause = min(pause * 2, 1.0)
        except BaseException:
            self._make_room()
            raise

    async def _wait(self, deadline: float) -> Wire | None:
        """Stand in line: a connection, or None for the room to make one, which is counted already."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Wire | None] = loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # Given at the very moment of giving up: it is the next one's.
                given = turn.result()
                if given is not None:
                    self.release(given)
                else:
                    self._make_room()
            if isinstance(error, TimeoutError):
                raise PoolTimeout(f"no connection of {self._name} became free in {self._timeout} s") from error
            raise

    def _make_room(self) -> None:
        """Leave the place of a connection to the next in line: newcomers must not take it in between."""
        if not self._hand_over(None):
            self._made -= 1

    def _hand_over(self, wire: Wire | None) -> bool:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(wire)
                return True
        return False


class StickySlots:
    """K slots on one node; a tenant prefers one of them and spills to its next choices only when that is busy.

    Fewer transactions run at once than there are connections (``active``): so a tenant mostly finds one of its first
    choices free, and each connection serves few tenants. Whoever comes later waits in line.
    """

    def __init__(
        self, connect: Connect, *, slots: int, size: int, active: int, timeout: float, max_tenants: int, name: str
    ) -> None:
        self.max_tenants = max_tenants
        self._name = name
        self._timeout = timeout
        self._turns = asyncio.Semaphore(active)
        slots = min(slots, size)
        self._slots = [
            Slot(connect, size=(size + index) // slots, timeout=timeout, name=f"{name}-{index}")
            for index in range(slots)
        ]

    def close(self) -> None:
        """Close every connection."""
        for slot in self._slots:
            slot.close()

    async def acquire(self, tenant_id: UUID) -> tuple[Slot, Wire]:
        """A connection for a tenant, and where it is to be given back with ``release``.

        Raises PoolTimeout when it is nobody's turn in time, and what ``Slot.acquire`` raises.
        """
        await self._take_turn()
        try:
            slot = self._choose(tenant_id)
            wire = await slot.acquire()
        except BaseException:
            self._turns.release()
            raise
        wire.tenants.add(tenant_id)
        return slot, wire

    def release(self, slot: Slot, wire: Wire) -> None:
        """Give a connection back; it is recycled after a bound of distinct tenants, or of time."""
        if len(wire.tenants) > self.max_tenants or wire.age > LIFETIME:
            wire.close()
        slot.release(wire)
        self._turns.release()

    async def _take_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._turns.acquire()
        except TimeoutError as error:
            raise PoolTimeout(f"no turn on {self._name} in {self._timeout} s") from error

    def _choose(self, tenant_id: UUID) -> Slot:
        order = preferred(tenant_id, len(self._slots))
        for index in order:
            if self._slots[index].has_room:
                return self._slots[index]
        return self._slots[order[0]]


@lru_cache(maxsize=16_384)
def preferred(tenant_id: UUID, slots: int) -> tuple[int, ...]:
    """The slots in this tenant's order of preference (rendezvous hashing): a new slot moves 1/(K+1) of the tenants."""

    def weight(slot: int) -> bytes:
        return blake2b(tenant_id.bytes + slot.to_bytes(2, "big"), digest_size=8).digest()

    return tuple(sorted(range(slots), key=weight))
