"""The wire to PostgreSQL: what travels together, who is told of which error, and what is left when things break."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from psycopg import Error, OperationalError
from psycopg import errors as pg
from psycopg.pq import TransactionStatus
from sqlalchemy import Integer, bindparam, select, text

from app.db import tenant as fence
from app.db.database import Database
from app.db.slots import Slot, connector
from app.db.statements import Statement
from app.db.tenant import TenantFenceBroken
from app.db.tenant_transaction import TenantTx
from app.db.wire import Sync, Wire
from app.errors import Refusal, Unavailable
from tests.world import World


@pytest.fixture
async def wire(database_dsn: str) -> AsyncIterator[Wire]:
    """A connection of the owner's."""
    wire = await connector(database_dsn, prepare=True)()
    yield wire
    wire.close()


@pytest.fixture
async def other(database_dsn: str) -> AsyncIterator[Wire]:
    """Another one, to look at the first."""
    wire = await connector(database_dsn, prepare=True)()
    yield wire
    wire.close()


@pytest.fixture(autouse=True)
async def silence() -> AsyncIterator[None]:
    """The loop has nothing to complain of afterwards: no exception that was never retrieved, no task destroyed."""
    complaints: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    gc.collect(1)
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert complaints == []


async def value(wire: Wire, sql: str, *values: bytes, owner: str = "") -> Any:
    [row] = wire.rows(await wire.ask(sql, (values, [0] * len(values)), owner), tuple)
    return row[0]


async def kill(wire: Wire, other: Wire) -> None:
    await other.ask(f"SELECT pg_terminate_backend({wire.connection.pgconn.backend_pid}, 2000)")


async def errors_of(*asked: asyncio.Future[Any]) -> list[BaseException | None]:
    ended = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 5)
    return [each if isinstance(each, BaseException) else None for each in ended]


# --- messages and errors


async def test_what_is_asked_in_one_turn_travels_in_one_message(wire: Wire) -> None:
    asked = [wire.ask(f"SELECT {n}") for n in range(3)]
    await asyncio.sleep(0)
    assert sum(type(entry) is Sync for entry in wire._under_way) == 1
    assert [wire.rows(each, tuple) for each in await asyncio.gather(*asked)] == [[(0,)], [(1,)], [(2,)]]
    assert wire.is_quiet


async def test_each_sibling_of_a_failed_statement_is_told_why(wire: Wire) -> None:
    wire.tell("BEGIN")
    before, failing, *after = await errors_of(
        wire.ask("SELECT 1"), wire.ask("SELECT 1 / 0"), wire.ask("SELECT 2"), wire.ask("SELECT 3")
    )
    assert before is None
    assert type(failing) is pg.DivisionByZero
    assert [type(each) for each in after] == [pg.InFailedSqlTransaction] * 2
    assert [each.__cause__ for each in after if each] == [failing] * 2
    wire.tell("ROLLBACK")
    assert await value(wire, "SELECT 4") == 4
    assert wire.status == TransactionStatus.IDLE


async def test_the_error_of_a_statement_nobody_waits_for_is_that_of_the_first_asked_after_it(wire: Wire) -> None:
    wire.tell("BEGIN")
    wire.tell("SELECT 1 / 0")
    first, second = await errors_of(wire.ask("SELECT 1"), wire.ask("SELECT 2"))
    assert type(first) is pg.DivisionByZero
    assert type(second) is pg.InFailedSqlTransaction
    wire.tell("ROLLBACK")


async def test_a_statement_that_cannot_be_prepared_says_so_each_time_and_is_not_remembered(wire: Wire) -> None:
    for _ in range(2):
        failed, sibling = await errors_of(wire.ask("SELECT * FROM nowhere"), wire.ask("SELECT 7"))
        assert type(failed) is pg.UndefinedTable
        assert type(sibling) is pg.InFailedSqlTransaction
    assert wire._prepared == {}
    assert await value(wire, "SELECT 7") == 7


async def test_values_that_do_not_fit_the_statement_harm_nobody_else(wire: Wire) -> None:
    [error] = await errors_of(wire.ask("SELECT $1::int", ((b"x",), (0,))))
    assert type(error) is pg.InvalidTextRepresentation
    [error] = await errors_of(wire.ask("SELECT $1::int", ((b"1", b"2"), (0, 0))))
    assert type(error) is pg.ProtocolViolation
    with pytest.raises(Error):
        wire.ask("SELECT 1", ((b"1",) * 70_000, (0,) * 70_000))
    assert await value(wire, "SELECT $1::int", b"5") == 5


async def test_copy_ends_the_connection_instead_of_turning_in_circles(wire: Wire) -> None:
    [error] = await errors_of(wire.ask("COPY (SELECT 1) TO STDOUT"))
    assert isinstance(error, OperationalError)
    assert wire.closed


async def test_notices_are_no_answers(wire: Wire) -> None:
    asked = [wire.ask(f"DO $$ BEGIN RAISE WARNING 'w{n}'; END $$") for n in range(3)]
    assert await errors_of(*asked) == [None] * 3
    assert await value(wire, "SELECT 1") == 1


async def test_a_check_that_fails_is_told_to_all_and_ends_the_connection(wire: Wire) -> None:
    def broken(failed: bool) -> None:
        assert not failed
        raise TenantFenceBroken("x")

    wire.expect(broken)
    first, second = wire.ask("SELECT 1"), wire.ask("SELECT 2")
    await asyncio.sleep(0)
    third = wire.ask("SELECT 3")
    assert [type(each) for each in await errors_of(first, second, third)] == [TenantFenceBroken] * 3
    assert wire.closed


# --- sizes


async def test_very_large_values_and_answers_pass_beside_small_ones(wire: Wire) -> None:
    large = [bytes([65 + n]) * 6_000_000 for n in range(3)]
    echoes = [value(wire, "SELECT $1::text", each) for each in large]
    small = [value(wire, "SELECT $1::int", b"%d" % n) for n in range(50)]
    answers = await asyncio.wait_for(asyncio.gather(*echoes, *small), 10)
    assert [each.encode() for each in answers[:3]] == large
    assert answers[3:] == list(range(50))
    assert not wire._writing


async def test_an_answer_that_arrives_while_a_large_value_is_sent_is_not_kept_back(wire: Wire) -> None:
    async def one(n: int) -> bool:
        await asyncio.sleep(n / 2000)
        return bool(await value(wire, "SELECT $1::text = $2::text", b"x" * 1_500_000, b"x" * 1_500_000))

    assert all(await asyncio.wait_for(asyncio.gather(*(one(n) for n in range(8))), 10))


# --- prepared statements


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Room for few prepared statements."""
    monkeypatch.setattr("app.db.wire.MOST_PREPARED", 4)
    return 4


async def known(wire: Wire) -> int:
    """How many prepared statements the server keeps."""
    return int(await value(wire, "SELECT count(*) FROM pg_prepared_statements"))


async def test_prepared_statements_are_bounded_and_the_one_used_last_stays(wire: Wire, few: int) -> None:
    for n in range(20):
        assert await value(wire, f"SELECT {n}", owner="t") == n
        assert await value(wire, "SELECT 'kept'", owner="t") == "kept"
    assert len(wire._prepared) == few
    assert ("t", "SELECT 'kept'") in wire._prepared
    assert await known(wire) == few + 1
    assert wire._stale == []


async def test_a_rollback_gets_through_when_there_is_no_room_for_it(wire: Wire, few: int) -> None:
    wire.tell("BEGIN")
    for n in range(few):
        await value(wire, f"SELECT {n}", owner="t")
    await errors_of(wire.ask("SELECT 1 / 0", owner="t"))
    await errors_of(wire.ask("SELECT 2 / 0", owner="t"))
    wire.tell("ROLLBACK")
    assert await value(wire, "SELECT 'after'") == "after"
    assert wire.status == TransactionStatus.IDLE
    for n in range(few + 2):
        await value(wire, f"SELECT {n}", owner="u")
    assert wire._stale == []
    assert await known(wire) == len(wire._prepared)


async def test_what_was_never_prepared_is_not_dropped(wire: Wire, few: int) -> None:
    for failing in (2, 7, 11):
        await errors_of(*(wire.ask(f"SELECT {n} / {n - failing}", owner="t") for n in range(12)))
        wire.ask("SELECT 'broken", owner="t")
        wire.forget("t")
        await asyncio.sleep(0.01)
        assert await value(wire, "SELECT 'whole'", owner="t") == "whole"
        for n in range(few):
            await value(wire, f"SELECT {n}", owner="u")
    assert (wire._stale, wire._unproven) == ([], set())
    assert await known(wire) == len(wire._prepared)


async def test_without_preparing_nothing_is_kept_and_everything_works(database_dsn: str) -> None:
    wire = await connector(database_dsn, prepare=False)()
    for n in range(3):
        assert await value(wire, "SELECT $1::int", b"%d" % n, owner="t") == n
    assert await known(wire) == 0
    wire.close()


# --- the end of a connection


async def test_closing_tells_everybody_who_waits(wire: Wire) -> None:
    asked = [wire.ask("SELECT pg_sleep(5)"), wire.ask("SELECT 1")]
    await asyncio.sleep(0)
    asked.append(wire.ask("SELECT 2"))
    wire.close()
    assert all(isinstance(each, OperationalError) for each in await errors_of(*asked))
    with pytest.raises(OperationalError):
        wire.ask("SELECT 1")
    wire.close()
    await wire.abandon()


async def test_closed_before_the_message_is_sent(wire: Wire) -> None:
    asked = wire.ask("SELECT 1")
    wire.close()
    assert isinstance((await errors_of(asked))[0], OperationalError)
    await asyncio.sleep(0)


async def test_an_answer_nobody_waits_for_any_more_is_no_complaint(wire: Wire) -> None:
    for sql in ("SELECT 1 / 0", "SELECT 1"):
        task = asyncio.ensure_future(wire.ask(sql))
        await asyncio.sleep(0)
        task.cancel()
    for _ in range(2):
        wire.ask("SELECT 1 / 0")
        await asyncio.sleep(0.01)
    assert await value(wire, "SELECT 3") == 3


async def test_killed_while_idle_it_is_closed_without_being_asked(wire: Wire, other: Wire) -> None:
    assert await value(wire, "SELECT 1") == 1
    await kill(wire, other)
    await asyncio.sleep(0.02)
    assert wire.closed


async def test_killed_at_work_everybody_is_told_the_servers_last_words(wire: Wire, other: Wire) -> None:
    wire.tell("BEGIN")
    asked = [wire.ask("SELECT pg_sleep(5)"), wire.ask("SELECT 1")]
    await asyncio.sleep(0.05)
    asked.append(wire.ask("SELECT 2"))
    await kill(wire, other)
    assert [type(each) for each in await errors_of(*asked)] == [pg.AdminShutdown] * 3
    assert wire.closed


async def test_killed_between_two_messages_of_a_transaction(wire: Wire, other: Wire) -> None:
    wire.tell("BEGIN")
    assert await value(wire, "SELECT 1") == 1
    await kill(wire, other)
    [error] = await errors_of(wire.ask("SELECT 2")) if not wire.closed else [OperationalError()]
    assert isinstance(error, OperationalError)


async def test_killed_while_a_large_value_is_sent(wire: Wire, other: Wire) -> None:
    slow = wire.ask("SELECT pg_sleep(5)")
    await asyncio.sleep(0.02)
    large = wire.ask("SELECT $1::text", ((b"x" * 30_000_000,), (0,)))
    await asyncio.sleep(0.02)
    assert wire._writing
    await kill(wire, other)
    assert all(isinstance(each, OperationalError) for each in await errors_of(slow, large))
    assert wire.closed


async def test_abandoning_stops_the_sql_at_once(wire: Wire, other: Wire) -> None:
    pid = wire.connection.pgconn.backend_pid
    asked = wire.ask("SELECT pg_sleep(30)")
    await asyncio.sleep(0.05)
    await asyncio.wait_for(wire.abandon(), 1)
    assert isinstance((await errors_of(asked))[0], OperationalError)
    for _ in range(100):
        if await value(other, f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}") == 0:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("it still runs")


def test_a_slot_outlives_the_loop_that_its_connections_belonged_to(database_dsn: str) -> None:
    slot = Slot(connector(database_dsn, prepare=True), size=1, timeout=2, name="test")
    wires: list[Wire] = []

    async def use() -> int:
        wire = await slot.acquire()
        wires.append(wire)
        answer = int(await value(wire, "SELECT 1"))
        slot.release(wire)
        return answer

    async def all_of_it() -> None:
        for _ in range(2):
            assert await asyncio.to_thread(asyncio.run, use()) == 1

    runner = asyncio.new_event_loop()
    try:
        runner.run_until_complete(all_of_it())
    finally:
        runner.run_until_complete(runner.shutdown_default_executor())
        runner.close()
    assert wires[0] is not wires[1]
    assert wires[0].closed
    assert (slot._made, slot._idle) == (1, [wires[1]])
    slot.close()


# --- the tenant's transaction on it

DOUBLE: Statement[Any] = Statement(select((bindparam("n", type_=Integer) * 2).label("doubled")), int)
SLEEP: Statement[Any] = Statement(text("SELECT pg_sleep(0.2)"), str)
BACKEND: Statement[Any] = Statement(text("SELECT pg_backend_pid()"), int)
BROKEN: Statement[Any] = Statement(text("SELECT 1 / 0"), int)
EVERYTHING: Statement[Any] = Statement(text("SELECT * FROM changing ORDER BY id"), tuple)
WIDE: Statement[Any] = Statement(text("SELECT amount FROM changing WHERE id = 1"), int)
ADD: Statement[Any] = Statement(text("UPDATE changing SET amount = amount + 1 WHERE id = 1 RETURNING *"), int)
NOTE: Statement[Any] = Statement(text("INSERT INTO notes VALUES (:note)"), int)
NOTES: Statement[Any] = Statement(text("SELECT count(*) FROM notes"), int)
COLUMN = "ALTER TABLE changing ADD COLUMN extra{} int DEFAULT 5"
TYPE = "ALTER TABLE changing ALTER COLUMN amount TYPE {}"


@pytest.fixture
async def small(acme: World) -> AsyncIterator[Database]:
    """One connection for acme, whose schema has tables that change."""
    await acme.as_owner(
        """CREATE TABLE changing (id int PRIMARY KEY, amount int NOT NULL);
           INSERT INTO changing VALUES (1, 10);
           CREATE TABLE notes (note text UNIQUE DEFERRABLE INITIALLY DEFERRED)"""
    )
    database = Database(replace(acme.platform.config, pool_size=1, pool_slots=1))
    yield database
    at_rest(database)
    await database.close()


def at_rest(database: Database) -> None:
    """All connections that are counted are idle, whole and outside of any transaction; nobody waits."""
    for slot in database._nodes[1]._slots:
        alive = [wire for wire in slot._idle if not wire.closed]
        assert slot._made == len(slot._idle) <= slot.size
        assert all(turn.done() for turn in slot._waiting)
        assert all(not wire.is_quiet or wire.status == TransactionStatus.IDLE for wire in alive)


def of(database: Database, world: World, *, read_only: bool = True) -> TenantTx:
    return database.tenant(world.tenant.handle, read_only=read_only)


@pytest.mark.parametrize("change", [COLUMN.format(1), TYPE.format("bigint"), TYPE.format("text")])
async def test_a_read_survives_a_change_of_its_table(small: Database, acme: World, change: str) -> None:
    for _ in range(3):
        async with of(small, acme) as tx:
            assert await tx.scalar(EVERYTHING) == 1
            assert await tx.scalar(WIDE) == 10
    wire = tx._slots._slots[0]._idle[0]
    await acme.as_owner(change)
    async with of(small, acme) as tx:
        assert await tx.scalar(EVERYTHING) == 1
        assert str(await tx.scalar(WIDE)) == "10"
        assert tx.wire is wire
    await acme.as_owner(change.replace("extra1", "extra2").replace("text", "bigint USING amount::bigint"))
    async with of(small, acme) as tx:
        assert await tx.scalar(DOUBLE, n=4) == 8
        answers = await asyncio.gather(
            tx.scalar(DOUBLE, n=5), tx.scalar(WIDE), tx.scalar(EVERYTHING), tx.scalar(DOUBLE, n=6), tx.scalar(NOTES)
        )
        assert list(answers) == [10, 10, 1, 12, 0]
        assert tx.wire is wire


async def test_statements_on_their_way_when_a_plan_is_refused_are_asked_again(small: Database, acme: World) -> None:
    async with of(small, acme) as tx:
        await asyncio.gather(tx.scalar(EVERYTHING), tx.scalar(WIDE))
    await acme.as_owner(COLUMN.format(1))
    async with of(small, acme) as tx:
        first = asyncio.create_task(tx.scalar(EVERYTHING))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await tx.scalar(NOTES) == 0
        assert await first == 1


async def test_a_first_statement_that_fails_is_no_alarm_when_others_are_on_their_way(
    small: Database, acme: World
) -> None:
    async with of(small, acme) as tx:
        first = asyncio.create_task(tx.scalar(BROKEN))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(pg.InFailedSqlTransaction) as failed:
            await tx.scalar(DOUBLE, n=1)
        with pytest.raises(pg.DivisionByZero) as cause:
            await first
        assert failed.value.__cause__ is cause.value


async def test_a_write_begins_again_only_while_nothing_was_answered_in_it(small: Database, acme: World) -> None:
    async with of(small, acme, read_only=False) as tx:
        assert await tx.scalar(ADD) == 1
    await acme.as_owner(COLUMN.format(1))
    async with of(small, acme, read_only=False) as tx:
        assert await tx.scalar(ADD) == 1
        await tx.execute(NOTE, note="once")
    await acme.as_owner(COLUMN.format(2))

    async def too_late() -> None:
        async with of(small, acme, read_only=False) as tx:
            await tx.execute(NOTE, note="never")
            await tx.scalar(ADD)

    with pytest.raises(pg.FeatureNotSupported):
        await too_late()
    async with of(small, acme, read_only=False) as tx:
        assert await tx.once(ADD) == [1]
    await acme.as_owner(COLUMN.format(3))
    async with of(small, acme, read_only=False) as tx:
        assert await tx.once(ADD) == [1]
    async with of(small, acme) as tx:
        assert await tx.scalar(WIDE) == 14
        assert await tx.scalar(NOTES) == 1


async def test_a_timeout_is_the_refusal_of_all_that_is_asked_in_its_transaction(small: Database, acme: World) -> None:
    small.config = replace(small.config, timeouts=fence.Timeouts(statement=50))

    async def refusal(statement: Statement[Any]) -> str:
        try:
            await tx.all(statement)
        except Refusal as refused:
            return refused.code
        return "none"

    async with of(small, acme) as tx:
        codes = await asyncio.gather(refusal(BACKEND), refusal(SLEEP), refusal(BACKEND))
        assert list(codes) == ["none", "TIMEOUT", "TIMEOUT"]
        assert await refusal(BACKEND) == "TIMEOUT"


async def test_a_constraint_that_fails_at_the_commit_costs_no_connection(small: Database, acme: World) -> None:
    async def twice() -> None:
        async with of(small, acme, read_only=False) as tx:
            wires.append(tx.wire)
            for _ in range(2):
                await tx.execute(NOTE, note="same")

    wires: list[Wire] = []
    for _ in range(2):
        with pytest.raises(pg.UniqueViolation):
            await twice()
    assert wires[0] is wires[1]
    assert not wires[0].closed


async def test_cancelled_twice_nobody_gets_the_connection_that_is_being_given_up(
    small: Database, acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Wire.abandon

    async def slowly(self: Wire) -> None:
        await asyncio.sleep(0.05)
        await original(self)

    async def sleeping() -> None:
        async with of(small, acme, read_only=False) as tx:
            held.append(tx.wire)
            await tx.scalar(SLEEP)

    held: list[Wire] = []
    monkeypatch.setattr(Wire, "abandon", slowly)
    task = asyncio.create_task(sleeping())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    async with of(small, acme) as tx:
        assert tx.wire is not held[0]
        assert held[0].closed
        assert await tx.scalar(DOUBLE, n=1) == 2


async def test_a_statement_that_takes_its_connections_down_is_not_tried_for_ever(small: Database, acme: World) -> None:
    pids: list[int] = []

    async def murder() -> None:
        while True:
            for [pid] in await acme.as_owner(
                f"""SELECT pid FROM pg_stat_activity
                    WHERE usename = '{small.config.auth_role}' AND state = 'active' AND query LIKE '%pg_sleep(0.2)%'"""
            ):
                pids.append(pid)
                await acme.as_owner(f"SELECT pg_terminate_backend({pid})")
            await asyncio.sleep(0.005)

    task = asyncio.create_task(murder())
    with pytest.raises(Unavailable):
        async with of(small, acme) as tx:
            await tx.scalar(SLEEP)
    task.cancel()
    await asyncio.wait([task])
    assert len(set(pids)) == 3


async def test_siblings_share_one_new_connection_when_theirs_has_died(small: Database, acme: World) -> None:
    async with of(small, acme) as tx:
        pid = await tx.scalar(BACKEND)
    async with of(small, acme) as tx:
        await acme.as_owner(f"SELECT pg_terminate_backend({pid}, 2000)")
        assert await asyncio.gather(*(tx.scalar(DOUBLE, n=n) for n in range(9))) == [2 * n for n in range(9)]
    async with of(small, acme, read_only=False) as tx:
        pid = await tx.scalar(BACKEND)
    async with of(small, acme, read_only=False) as tx:
        await acme.as_owner(f"SELECT pg_terminate_backend({pid}, 2000)")
        await asyncio.sleep(0.01)
        assert await tx.once(DOUBLE, n=4) == [8]


async def test_on_servers_that_report_no_path_the_fences_own_answer_is_checked(
    small: Database, acme: World, globex: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wire, "parameter", lambda *_: None)
    async with of(small, acme) as tx:
        assert await tx.scalar(DOUBLE, n=2) == 4
    original = fence.fence
    monkeypatch.setattr("app.db.tenant_transaction.fence", lambda _, times: original(globex.tenant.handle, times))
    for ask in ("all", "once"):
        with pytest.raises(TenantFenceBroken):
            async with of(small, acme, read_only=False) as tx:
                await getattr(tx, ask)(DOUBLE, n=2)


async def test_transactions_without_prepared_statements(small: Database, acme: World) -> None:
    database = Database(replace(small.config, prepare=False))

    async def failing() -> None:
        async with of(database, acme, read_only=False) as tx:
            assert await tx.execute(NOTE, note="x") == 1
            await tx.scalar(BROKEN)

    with pytest.raises(pg.DivisionByZero):
        await failing()
    async with of(database, acme, read_only=False) as tx:
        assert await tx.once(NOTES) == [0]
    at_rest(database)
    await database.close()


@pytest.mark.parametrize("prepare", [True, False])
async def test_chaos_on_three_connections_loses_and_mixes_up_nothing(acme: World, globex: World, prepare: bool) -> None:
    rng = random.Random(20261125 + prepare)
    database = Database(
        replace(
            acme.platform.config, pool_size=3, pool_slots=1, pool_timeout=10, tenants_per_connection=1, prepare=prepare
        )
    )
    worlds, outcomes = (acme, globex), Counter[str]()
    who: Statement[Any] = Statement(
        text("SELECT CAST(:n AS text) || current_user || current_setting('search_path')"), str
    )
    for world in worlds:
        await world.as_owner("CREATE TABLE chaos (n int PRIMARY KEY)")
    insert: Statement[Any] = Statement(text("INSERT INTO chaos VALUES (:n) RETURNING n"), int)
    written: dict[World, set[int]] = {world: set() for world in worlds}

    async def ask(tx: TenantTx, world: World, n: int) -> None:
        assert await tx.scalar(DOUBLE, n=n) == 2 * n
        assert await tx.scalar(who, n=str(n)) == f"{n}{world.tenant.role_name}{world.tenant.schema_name}"

    async def read(world: World, n: int) -> None:
        async with of(database, world) as tx:
            await asyncio.gather(*(ask(tx, world, n + k) for k in range(3)))

    async def write(world: World, n: int) -> None:
        async with of(database, world, read_only=False) as tx:
            await tx.execute(insert, n=n)
            await ask(tx, world, n)
        written[world].add(n)

    async def once(world: World, n: int) -> None:
        async with of(database, world, read_only=False) as tx:
            assert await tx.once(insert, n=n) == [n]
        written[world].add(n)

    async def fail(world: World, n: int) -> None:
        with suppress(pg.DivisionByZero):
            async with of(database, world, read_only=False) as tx:
                await tx.execute(insert, n=n)
                await asyncio.gather(tx.scalar(DOUBLE, n=n), tx.scalar(BROKEN))
                pytest.fail("it did not fail")

    async def sleep(world: World, n: int) -> None:
        async with of(database, world, read_only=n % 2 == 0) as tx:
            await tx.scalar(Statement(text("SELECT pg_sleep(0.02)"), str))

    async def kill_some() -> None:
        await acme.as_owner(
            f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE usename = '{database.config.auth_role}' AND datname = current_database()
                AND pid IN ({", ".join(str(pid) for pid in pids()) or "0"})"""
        )

    def pids() -> list[int]:
        return [wire.connection.pgconn.backend_pid for wire in seen if not wire.closed]

    seen: set[Wire] = set()
    [slot] = database._nodes[1]._slots
    connect = slot._connect

    async def noted() -> Wire:
        wire = await connect()
        seen.add(wire)
        assert sum(not each.closed for each in seen) <= 3
        return wire

    slot._connect = noted
    kinds = [read] * 6 + [write, once, fail, fail, sleep]
    tasks: list[asyncio.Task[None]] = []
    for n in range(600):
        tasks.append(asyncio.create_task(rng.choice(kinds)(rng.choice(worlds), n)))
        if rng.random() < 0.3:
            await asyncio.sleep(rng.choice((0, 0.001, 0.002)))
        if rng.random() < 0.3:
            rng.choice(tasks[-20:]).cancel()
        if n % 100 == 50:
            await kill_some()
    for ended in await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20):
        if ended is not None and not isinstance(ended, (asyncio.CancelledError, Unavailable)):
            raise ended
        outcomes[type(ended).__name__] += 1
    assert outcomes["NoneType"] > 300
    assert outcomes["Unavailable"] < 60
    await asyncio.sleep(0.05)
    at_rest(database)
    for world in worlds:
        kept = {n for [n] in await world.as_owner("SELECT n FROM chaos")}
        assert written[world] <= kept
    assert not written[acme] & written[globex]
    stuck = await acme.as_owner(
        f"""SELECT count(*) FROM pg_stat_activity WHERE usename = '{database.config.auth_role}'
            AND state <> 'idle' AND pid IN ({", ".join(str(pid) for pid in pids()) or "0"})"""
    )
    assert stuck == [(0,)]
    for world in worlds:
        await asyncio.gather(*(read(world, n) for n in range(3)))
    await database.close()
    assert all(wire.closed for wire in seen)
