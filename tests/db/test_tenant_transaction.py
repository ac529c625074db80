"""The tenant's fence: role, path, snapshot; what happens when things go wrong in the middle."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from psycopg import errors as pg
from sqlalchemy import Integer, bindparam, column, select, text

from app.db.database import Database, Operation
from app.db.slots import preferred
from app.db.statements import Statement
from app.db.tenant import TenantFenceBroken, TenantHandle, verify_path
from app.errors import Unavailable
from tests.world import World

WHO = Statement(text("SELECT current_user || ' ' || current_setting('search_path')"), str)
COUNT = Statement(text("SELECT count(*) FROM members"), int)
SLEEP = Statement(text("SELECT pg_sleep(CAST(:seconds AS float8))"), str)
BACKEND = Statement(text("SELECT pg_backend_pid()"), int)
TITLE = Statement(text("INSERT INTO tenant_meta (tenant_id) VALUES (gen_random_uuid())"), int)
METAS = Statement(text("SELECT count(*) FROM tenant_meta"), int)


async def test_sql_runs_as_the_tenants_role_in_the_tenants_schema(acme: World) -> None:
    async with acme.platform.database.tenant(acme.tenant.handle, read_only=True) as tx:
        who = await tx.scalar(WHO)
    assert who == f"{acme.tenant.role_name} {acme.tenant.schema_name}"


async def test_a_tenant_cannot_read_another_even_with_its_full_name(acme: World, globex: World) -> None:
    spy = Statement(text(f"SELECT count(*) FROM {globex.tenant.schema_name}.members"), int)
    with pytest.raises(pg.InsufficientPrivilege):
        async with acme.platform.database.tenant(acme.tenant.handle) as tx:
            await tx.scalar(spy)


async def test_sql_without_a_tenant_finds_no_table_and_may_use_no_schema(acme: World) -> None:
    slots = acme.platform.database._nodes[1]
    slot, wire = await slots.acquire(acme.tenant.id)
    with pytest.raises(pg.UndefinedTable):
        await wire.ask("SELECT count(*) FROM members")
    with pytest.raises(pg.InsufficientPrivilege):
        await wire.ask(f"SELECT count(*) FROM {acme.tenant.schema_name}.members")
    with pytest.raises(pg.InsufficientPrivilege):
        await wire.ask("SELECT count(*) FROM control.users")
    slots.release(slot, wire)


async def test_after_a_transaction_the_connection_is_nobodys_again(acme: World) -> None:
    database = acme.platform.database
    async with database.tenant(acme.tenant.handle) as tx:
        assert await tx.scalar(WHO) == f"{acme.tenant.role_name} {acme.tenant.schema_name}"
        wire = tx.wire
    result = await wire.ask("SELECT current_user, current_setting('search_path')")
    assert wire.rows(result, tuple) == [(database.config.auth_role, '""')]


async def test_the_tripwire_notices_a_foreign_path(acme: World, globex: World) -> None:
    async with acme.platform.database.tenant(acme.tenant.handle) as tx:
        await tx.scalar(WHO)
        verify_path(tx.wire, acme.tenant.handle)
        for other in (globex.tenant.handle, None):
            with pytest.raises(TenantFenceBroken):
                verify_path(tx.wire, other)


async def test_a_query_operation_reads_one_snapshot(acme: World) -> None:
    reader, writer = acme.operation(), acme.operation()
    async with reader.read() as tx:
        before = await tx.scalar(METAS)
    async with writer.write() as tx:
        await tx.execute(TITLE)
    async with reader.read() as tx:
        assert await tx.scalar(METAS) == before
    await reader.close()
    async with reader.read() as tx:
        assert await tx.scalar(METAS) == (before or 0) + 1
    await reader.close()


async def test_a_write_ends_the_snapshot_and_the_next_read_sees_it(acme: World) -> None:
    forgotten: list[str] = []
    operation = Operation(acme.platform.database, acme.tenant.handle, on_write=lambda: forgotten.append("x"))
    async with operation.read() as tx:
        before = await tx.scalar(METAS)
    async with operation.write() as tx:
        await tx.execute(TITLE)
    async with operation.read() as tx:
        assert await tx.scalar(METAS) == (before or 0) + 1
    assert forgotten == ["x"]
    await operation.close()


async def test_a_read_only_snapshot_cannot_write(acme: World) -> None:
    operation = acme.operation()
    with pytest.raises(pg.ReadOnlySqlTransaction):
        async with operation.read() as tx:
            await tx.execute(TITLE)
    await operation.close()


async def test_a_cancelled_request_stops_its_sql_and_leaves_nothing(acme: World) -> None:
    database = acme.platform.database
    held: list[Any] = []

    async def slow() -> None:
        async with database.tenant(acme.tenant.handle) as tx:
            held.append(tx.wire)
            await tx.execute(TITLE)
            await tx.scalar(SLEEP, seconds=30)

    async with database.tenant(acme.tenant.handle, read_only=True) as tx:
        before = await tx.scalar(METAS)
    task = asyncio.create_task(slow())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    async with database.tenant(acme.tenant.handle, read_only=True) as tx:
        assert await tx.scalar(METAS) == before
    assert held[0].closed


async def test_a_connection_is_replaced_after_a_bound_of_distinct_tenants(acme: World, globex: World) -> None:
    database = acme.platform.database
    slots = database._nodes[1]
    before, slots.max_tenants = slots.max_tenants, 0
    try:
        async with database.tenant(acme.tenant.handle) as tx:
            await tx.scalar(COUNT)
            worn = tx.wire
        assert worn.closed
    finally:
        slots.max_tenants = before


async def test_a_connection_that_died_while_idle_is_replaced_without_anybody_noticing(acme: World) -> None:
    database = acme.platform.database
    async with database.tenant(acme.tenant.handle) as tx:
        pid = await tx.scalar(BACKEND)
    async with database.control() as control:
        with pytest.raises(pg.InsufficientPrivilege):
            await control.scalar(Statement(text(f"SELECT pg_terminate_backend({pid})"), bool))
    await acme.as_owner(f"SELECT pg_terminate_backend({pid})")
    async with database.tenant(acme.tenant.handle) as tx:
        assert await tx.scalar(BACKEND) != pid


async def test_a_statement_that_takes_too_long_is_stopped_with_a_typed_refusal(acme: World) -> None:
    async with acme.platform.database.tenant(acme.tenant.handle, read_only=True) as tx:
        await tx.execute(Statement(text("SET LOCAL statement_timeout = 50"), int))
        with pytest.raises(Unavailable) as refused:
            await tx.scalar(SLEEP, seconds=5)
    assert refused.value.code == "TIMEOUT"


async def test_a_failed_transaction_is_never_taken_for_a_committed_one(acme: World) -> None:
    async def careless() -> None:
        async with acme.platform.database.tenant(acme.tenant.handle) as tx:
            with suppress(pg.UndefinedTable):
                await tx.scalar(Statement(text("SELECT count(*) FROM nothing"), int))

    with pytest.raises(pg.InFailedSqlTransaction):
        await careless()


async def test_a_suspended_tenant_is_refused_by_the_database_itself(acme: World) -> None:
    await acme.suspend()
    with pytest.raises(pg.UndefinedTable):
        async with acme.platform.database.tenant(acme.tenant.handle) as tx:
            await tx.scalar(COUNT)


async def test_a_tenant_on_an_unknown_node_is_unavailable(acme: World) -> None:
    elsewhere = TenantHandle(acme.tenant.id, acme.tenant.schema_name, acme.tenant.role_name, 77)
    with pytest.raises(Unavailable):
        async with acme.platform.database.tenant(elsewhere):
            pass


def test_only_well_formed_names_become_sql(acme: World) -> None:
    with pytest.raises(ValueError, match="20 hexadecimal"):
        TenantHandle(acme.tenant.id, 't_x"; DROP SCHEMA control', acme.tenant.role_name)


def test_the_slots_of_a_tenant_hardly_move_when_one_is_added(acme: World) -> None:
    ids = [UUID(int=n * 7919) for n in range(400)]
    moved = sum(preferred(i, 4)[0] != preferred(i, 5)[0] for i in ids)
    assert 0 < moved < 400 * 0.35
    assert sorted(preferred(ids[0], 5)) == [0, 1, 2, 3, 4]


def test_statements_refuse_unknown_and_missing_parameters() -> None:
    statement = Statement(select(column("x", Integer)).where(column("x", Integer) == bindparam("x")), int)
    with pytest.raises(TypeError, match="unknown"):
        statement.bind({"x": 1, "y": 2})
    with pytest.raises(TypeError, match="missing"):
        statement.bind({})


async def test_a_database_that_is_away_is_a_typed_refusal(acme: World) -> None:
    config = acme.platform.config
    nowhere = Database(type(config)(owner_dsn="postgresql://nobody@127.0.0.1:9/none", pool_timeout=0.3))
    await nowhere.open()
    try:
        with pytest.raises(Unavailable):
            async with nowhere.control():
                pass
        with pytest.raises(Unavailable):
            async with nowhere.tenant(acme.tenant.handle):
                pass
    finally:
        await nowhere.close()


@pytest.mark.parametrize("prepare", [True, False])
async def test_behind_a_pooler_the_control_schema_prepares_nothing_either(acme: World, prepare: bool) -> None:
    database = Database(replace(acme.platform.config, prepare=prepare))
    await database.open()
    try:
        async with database.control(read_only=True) as tx:
            for _ in range(8):
                await tx.scalar(BACKEND)
            prepared = await tx.scalar(Statement(text("SELECT count(*) FROM pg_prepared_statements"), int))
        assert bool(prepared) is prepare
    finally:
        await database.close()
