"""Connections are handed out fairly, kept sticky by tenant, and none is lost: with wires that only pretend."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from psycopg import OperationalError
from psycopg_pool import PoolClosed, PoolTimeout

from app.db.slots import Slot, StickySlots, preferred


class FakeWire:
    """What slots know of a wire."""

    def __init__(self) -> None:
        self.closed = False
        self.age = 0.0
        self.tenants: set[UUID] = set()

    def close(self) -> None:
        self.closed = True


class Server:
    """Opens fake connections: after a pause, or not at all."""

    def __init__(self, pause: float = 0) -> None:
        self.pause = pause
        self.refusing = 0
        self.wires: list[FakeWire] = []

    async def connect(self) -> Any:
        await asyncio.sleep(self.pause)
        if self.refusing:
            self.refusing -= 1
            raise OperationalError("refused")
        self.wires.append(FakeWire())
        return self.wires[-1]

    @property
    def open(self) -> int:
        return sum(not wire.closed for wire in self.wires)


def slot_of(server: Server, size: int = 1, timeout: float = 1.0) -> Slot:
    return Slot(server.connect, size=size, timeout=timeout, name="test")


def at_rest(slot: Slot, made: int) -> None:
    """Nobody waits, and what is counted is there."""
    assert (slot._made, len(slot._idle)) == (made, made)
    assert all(turn.done() for turn in slot._waiting)


async def settled(*tasks: asyncio.Task[Any]) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)


async def test_whoever_waits_is_served_in_order() -> None:
    slot, served = slot_of(Server()), []

    async def one(n: int) -> None:
        wire = await slot.acquire()
        served.append(n)
        await asyncio.sleep(0)
        slot.release(wire)

    await asyncio.gather(*(one(n) for n in range(20)))
    assert served == list(range(20))
    at_rest(slot, 1)


async def test_a_newcomer_does_not_take_the_place_that_was_left_to_the_first_in_line() -> None:
    server = Server()
    slot = slot_of(server)
    wire = await slot.acquire()
    first = asyncio.create_task(slot.acquire())
    await asyncio.sleep(0)
    wire.close()
    slot.release(wire)
    newcomer = asyncio.create_task(slot.acquire())
    given = await asyncio.wait_for(first, 1)
    assert not newcomer.done()
    assert server.open == 1
    slot.release(given)
    slot.release(await newcomer)
    at_rest(slot, 1)


async def test_nothing_is_lost_when_the_last_in_line_gives_up_as_it_is_served() -> None:
    slot = slot_of(Server())
    for closed in (False, True):
        wire = await slot.acquire()
        waiting = asyncio.create_task(slot.acquire())
        await asyncio.sleep(0)
        if closed:
            wire.close()
        slot.release(wire)
        waiting.cancel()
        assert isinstance((await settled(waiting))[0], asyncio.CancelledError)
        at_rest(slot, 0 if closed else 1)


async def test_what_one_who_gives_up_was_given_goes_to_the_next_in_line() -> None:
    slot = slot_of(Server())
    for closed in (False, True):
        wire = await slot.acquire()
        first, second = (asyncio.create_task(slot.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        if closed:
            wire.close()
        slot.release(wire)
        first.cancel()
        slot.release(await asyncio.wait_for(second, 1))
        await settled(first)
        at_rest(slot, 1)


async def test_waiting_ends_at_the_deadline() -> None:
    slot = slot_of(Server(), timeout=0.05)
    wire = await slot.acquire()
    with pytest.raises(PoolTimeout):
        await slot.acquire()
    slot.release(wire)
    at_rest(slot, 1)


async def test_a_connection_that_died_on_its_way_to_the_next_in_line_is_replaced() -> None:
    slot = slot_of(Server())
    wire = await slot.acquire()
    waiting = asyncio.create_task(slot.acquire())
    await asyncio.sleep(0)
    slot.release(wire)
    wire.close()
    given = await asyncio.wait_for(waiting, 1)
    assert given is not wire
    slot.release(given)
    at_rest(slot, 1)


async def test_cancelled_while_it_connects_it_leaves_its_place_to_the_next() -> None:
    slot = slot_of(Server(pause=0.02))
    first, second = (asyncio.create_task(slot.acquire()) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    slot.release(await asyncio.wait_for(second, 1))
    await settled(first)
    at_rest(slot, 1)


async def test_a_cancellation_at_the_moment_it_is_connected_is_not_swallowed() -> None:
    slot, opened = slot_of(Server()), asyncio.Event()

    async def connect() -> Any:
        await opened.wait()
        return FakeWire()

    slot._connect = connect
    task = asyncio.create_task(slot.acquire())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    opened.set()
    await asyncio.sleep(0)
    if not task.done():
        task.cancel()
        assert isinstance((await settled(task))[0], asyncio.CancelledError)
        at_rest(slot, 0)


async def test_connecting_is_tried_again_until_the_deadline() -> None:
    server = Server()
    server.refusing = 2
    slot = slot_of(server)
    slot.release(await slot.acquire())
    at_rest(slot, 1)
    server.refusing = 1000
    slot = slot_of(server, timeout=0.2)
    failed = await settled(*(asyncio.create_task(slot.acquire()) for _ in range(3)))
    assert all(isinstance(error, OperationalError) for error in failed)
    at_rest(slot, 0)


async def test_a_server_that_does_not_answer_is_an_error_in_time() -> None:
    slot = slot_of(Server(pause=60), timeout=0.1)
    with pytest.raises(OperationalError):
        await asyncio.wait_for(slot.acquire(), 2)
    at_rest(slot, 0)


async def test_closing_tells_those_who_wait_and_closes_what_comes_back() -> None:
    server = Server()
    slot = slot_of(server)
    wire = await slot.acquire()
    waiting = asyncio.create_task(slot.acquire())
    await asyncio.sleep(0)
    slot.close()
    assert isinstance((await settled(waiting))[0], PoolClosed)
    with pytest.raises(PoolClosed):
        await slot.acquire()
    slot.release(wire)
    assert server.open == 0
    at_rest(slot, 0)


async def test_hundreds_who_come_give_up_and_break_things_leave_a_pool_of_three_whole() -> None:
    rng = random.Random(11)
    server = Server(pause=0.001)
    slot = slot_of(server, size=3, timeout=5)
    holding: set[Any] = set()

    async def one() -> None:
        wire = await slot.acquire()
        assert not wire.closed
        assert wire not in holding
        holding.add(wire)
        assert len(holding) <= 3
        assert server.open <= 3
        try:
            await asyncio.sleep(rng.choice((0, 0, 0.001)))
            if rng.random() < 0.2:
                wire.close()
        finally:
            holding.discard(wire)
            slot.release(wire)

    tasks = []
    for _ in range(600):
        tasks.append(asyncio.create_task(one()))
        if rng.random() < 0.3:
            await asyncio.sleep(rng.choice((0, 0.001)))
        if rng.random() < 0.4:
            rng.choice(tasks).cancel()
        if rng.random() < 0.01:
            server.refusing += 1
    ended = await settled(*tasks)
    assert {type(each) for each in ended} == {type(None), asyncio.CancelledError}
    assert slot._made == len(slot._idle) == server.open <= 3
    wires = [await slot.acquire() for _ in range(3)]
    for wire in wires:
        slot.release(wire)
    at_rest(slot, 3)


def sticky(server: Server, slots: int = 4, size: int = 8, max_tenants: int = 150) -> StickySlots:
    return StickySlots(
        server.connect, slots=slots, size=size, active=size, timeout=1, max_tenants=max_tenants, name="test"
    )


async def test_tenants_come_back_to_their_connections_and_a_busy_one_spills() -> None:
    server = Server()
    slots = sticky(server)
    ids = [UUID(int=n * 7919) for n in range(40)]
    for _ in range(3):
        for tenant in ids:
            slot, wire = await slots.acquire(tenant)
            assert slot is slots._slots[preferred(tenant, 4)[0]]
            slots.release(slot, wire)
    assert server.open == 4
    assert sum(len(wire.tenants) for wire in server.wires) == 40

    busy = ids[0]
    held = [await slots.acquire(busy) for _ in range(5)]
    first, second, third = (slots._slots[index] for index in preferred(busy, 4)[:3])
    assert [slot for slot, _ in held] == [first, first, second, second, third]
    for slot, wire in held:
        slots.release(slot, wire)
    slot, wire = await slots.acquire(busy)
    assert slot is first
    slots.release(slot, wire)


@pytest.mark.parametrize(("slots", "size"), [(4, 2), (4, 10), (4, 16), (1, 1), (3, 7)])
def test_the_slots_have_together_as_many_connections_as_were_asked_for(slots: int, size: int) -> None:
    made = sticky(Server(), slots=slots, size=size)
    assert sum(slot.size for slot in made._slots) == size
    assert all(slot.size >= 1 for slot in made._slots)


async def test_a_connection_is_replaced_after_too_many_tenants_or_too_long() -> None:
    server = Server()
    slots = sticky(server, slots=1, size=1, max_tenants=2)
    for n in range(3):
        slot, wire = await slots.acquire(UUID(int=n))
        slots.release(slot, wire)
    assert (len(server.wires), server.open) == (1, 0)
    slot, wire = await slots.acquire(UUID(int=9))
    wire.age = 1e9  # type: ignore[misc]
    slots.release(slot, wire)
    assert (len(server.wires), server.open) == (2, 0)
    at_rest(slot, 0)


async def test_cancellations_on_sticky_slots_leave_no_place_taken() -> None:
    server = Server(pause=0.001)
    slots = sticky(server, slots=2, size=3)
    rng = random.Random(3)

    async def one(n: int) -> None:
        slot, wire = await slots.acquire(UUID(int=n))
        try:
            await asyncio.sleep(0.001)
        finally:
            slots.release(slot, wire)

    tasks = [asyncio.create_task(one(n % 7)) for n in range(100)]
    with suppress(asyncio.CancelledError):
        for task in rng.sample(tasks, 50):
            await asyncio.sleep(0)
            task.cancel()
    await settled(*tasks)
    for slot in slots._slots:
        at_rest(slot, len(slot._idle))


async def test_no_more_transactions_run_at_once_than_are_allowed_and_turns_come_back() -> None:
    server = Server()
    slots = StickySlots(server.connect, slots=4, size=4, active=2, timeout=0.05, max_tenants=9, name="test")
    first, second = [await slots.acquire(UUID(int=n)) for n in (1, 2)]
    with pytest.raises(PoolTimeout):
        await slots.acquire(UUID(int=3))
    waiting = asyncio.create_task(slots.acquire(UUID(int=3)))
    await asyncio.sleep(0)
    waiting.cancel()
    slots.release(*first)
    third = await slots.acquire(UUID(int=3))
    with pytest.raises(PoolTimeout):
        await slots.acquire(UUID(int=4))
    slots.release(*second)
    slots.release(*third)
    for _ in range(5):
        slots.release(*await slots.acquire(UUID(int=5)))
    slots.close()
