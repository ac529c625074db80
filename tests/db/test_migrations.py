"""Both lineages: up, down, up again; the result is what the tables' metadata say."""

from __future__ import annotations

import secrets
from itertools import chain
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import AsyncConnection, sql
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import URL, CheckConstraint, create_engine

import app.assessment.attempt_tables
import app.assessment.gradebook_tables
import app.assessment.question_tables
import app.catalog.revision_tables
import app.catalog.tables
import app.credentials.tables
import app.learning.enrollment_tables
import app.learning.progress_tables
import app.learning.tables
import app.tenancy.tables
import app.work.tables  # noqa: F401 - the tables register themselves
from app.db.metadata import CONTROL, TENANT
from app.db.migrations import BASE, MigrationError, current, head, render, replay, revisions
from app.main import Application
from app.tenancy.service import TenantService
from tests.world import World

FINGERPRINT = """
    SELECT c.relname, c.relkind::text, coalesce(pg_get_indexdef(i.indexrelid), '') AS what
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'i')
    UNION ALL
    SELECT t.relname, 'c', k.conname || ' ' || pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname = %(schema)s
    UNION ALL
    SELECT table_name, 'a', column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
    FROM information_schema.columns WHERE table_schema = %(schema)s
    ORDER BY 1, 2, 3"""


async def fingerprint(connection: AsyncConnection[Any], schema: str) -> list[tuple[str, ...]]:
    """Everything in a schema's catalogue, its own name left out."""
    rows = await (await connection.execute(FINGERPRINT, {"schema": schema})).fetchall()
    return [tuple(str(cell).replace(schema, "SCHEMA") for cell in row) for row in rows]


@pytest.fixture
async def owner(database_dsn: str) -> Any:
    async with await AsyncConnection.connect(database_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def empty_schema(owner: AsyncConnection[Any]) -> Any:
    name = f"t_{secrets.token_hex(10)}"
    await owner.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    yield name
    await owner.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


async def test_every_tenant_revision_goes_up_down_and_up_to_the_same_catalogue(
    owner: AsyncConnection[Any], empty_schema: str
) -> None:
    seen = {BASE: await fingerprint(owner, empty_schema)}
    for revision in revisions("tenant"):
        async with owner.transaction():
            await replay(owner, "tenant", empty_schema, to=revision)
        seen[revision] = await fingerprint(owner, empty_schema)
    for revision in (*reversed(revisions("tenant")[:-1]), BASE):
        async with owner.transaction():
            await replay(owner, "tenant", empty_schema, to=revision)
        left = [row for row in await fingerprint(owner, empty_schema) if not row[0].startswith("alembic_version")]
        assert left == [row for row in seen[revision] if not row[0].startswith("alembic_version")]
        assert await current(owner, empty_schema) == revision
    async with owner.transaction():
        done = await replay(owner, "tenant", empty_schema)
    assert done.end == head("tenant")
    assert await fingerprint(owner, empty_schema) == seen[head("tenant")]


async def test_the_control_lineage_goes_down_to_nothing_and_up_again(server_dsn: str, database_dsn: str) -> None:
    name = f"control_{secrets.token_hex(4)}"
    async with await AsyncConnection.connect(server_dsn, autocommit=True) as server:
        await server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template_platform").format(sql.Identifier(name)))
    async with await AsyncConnection.connect(make_conninfo(server_dsn, dbname=name), autocommit=True) as connection:
        before = await fingerprint(connection, "control")
        async with connection.transaction():
            await replay(connection, "control", "control", to=BASE)
        left = {row[0] for row in await fingerprint(connection, "control")}
        assert left <= {"alembic_version", "alembic_version_pkc"}
        async with connection.transaction():
            done = await replay(connection, "control", "control")
        assert done.end == head("control")
        assert await fingerprint(connection, "control") == before


@pytest.mark.parametrize("lineage", ["control", "tenant"])
async def test_migrations_and_metadata_describe_the_same_tables(lineage: str, acme: World, database_dsn: str) -> None:
    schema = "extensions" if lineage == "control" else acme.tenant.schema_name
    parts = conninfo_to_dict(database_dsn)
    url = URL.create(
        "postgresql+psycopg", username=str(parts["user"]), database=str(parts["dbname"]),
        query={"host": str(parts["host"]), "options": f"-csearch_path={schema}"},
    )  # fmt: skip
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": lineage == "control",
                "include_name": lambda name, kind, _: kind != "schema" or name in {"control", None},
                "version_table_schema": schema if lineage == "control" else None,
            },
        )
        differences = compare_metadata(context, CONTROL if lineage == "control" else TENANT)
    engine.dispose()
    ours = [d for d in differences if d[0] != "remove_table" or d[1].name != "alembic_version"]
    assert [d for d in ours if "extensions.fold(full_name)" not in repr(d)] == []


async def test_what_the_tables_check_is_checked_in_the_database(acme: World) -> None:
    """Alembic compares no CHECK constraints; a table without them takes what its metadata says it never holds."""
    rows = await acme.as_owner("SELECT conname FROM pg_constraint WHERE contype = 'c'")
    there = {row[0] for row in rows}
    wanted = {
        str(TENANT.naming_convention["ck"]) % {"table_name": table.name, "constraint_name": constraint.name}
        if not str(constraint.name).startswith("ck_")
        else str(constraint.name)
        for table in TENANT.tables.values()
        for constraint in chain(table.constraints, *(column.constraints for column in table.columns))
        if isinstance(constraint, CheckConstraint)
    }
    assert len(wanted) > 30
    assert wanted - there == set()


async def test_a_failing_migration_leaves_the_schema_as_it_was(
    owner: AsyncConnection[Any], empty_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = (*render("tenant", BASE, head("tenant")), "CREATE TABLE members (broken int)")
    monkeypatch.setattr("app.db.migrations.render", lambda *_: broken)
    before = await fingerprint(owner, empty_schema)
    with pytest.raises(pg.DuplicateTable):
        async with owner.transaction():
            await replay(owner, "tenant", empty_schema)
    assert await fingerprint(owner, empty_schema) == before
    assert await current(owner, empty_schema) == BASE


async def test_a_missing_schema_is_refused_before_anything_runs(owner: AsyncConnection[Any]) -> None:
    with pytest.raises(MigrationError, match="is not there"):
        async with owner.transaction():
            await replay(owner, "tenant", "t_00000000000000000000")
    with pytest.raises(MigrationError, match="unknown revision"):
        render("tenant", BASE, "9999_never")


def test_migrations_send_one_command_a_message() -> None:
    for lineage in ("control", "tenant"):
        for statement in render(lineage, BASE, head(lineage)):
            assert ";" not in statement, statement


async def test_a_lagging_tenant_is_migrated_and_a_current_one_left_alone(
    application: Application, acme: World, globex: World
) -> None:
    service = TenantService(application.platform.database)
    before = revisions("tenant")[-2]
    down = await service.migrate(acme.tenant, to=before)
    assert (down.start, down.end, down.error) == (head("tenant"), before, None)
    lagging = await service.get(acme.tenant.slug)
    assert lagging.schema_revision == before
    up = await service.migrate(lagging)
    assert (up.start, up.end, up.changed) == (before, head("tenant"), True)
    again = await service.migrate(await service.get(acme.tenant.slug))
    assert not again.changed
    other = await service.migrate(await service.get(globex.tenant.slug))
    assert not other.changed


async def test_a_tenant_on_a_server_that_is_away_does_not_stop_the_others(
    application: Application, acme: World, globex: World
) -> None:
    service = TenantService(application.platform.database)
    for world in (acme, globex):
        await service.migrate(world.tenant, to=revisions("tenant")[-2])
    await acme.as_owner(
        f"""INSERT INTO control.nodes (node_number, engine, dsn)
            VALUES (9, 'postgres', 'postgresql://nobody@127.0.0.1:9/none') ON CONFLICT DO NOTHING;
            UPDATE control.tenants SET node_number = 9 WHERE id = '{acme.tenant.id}'"""
    )
    outcomes = {outcome.slug: outcome for outcome in await service.migrate_all()}
    assert "cannot be reached" in (outcomes[acme.tenant.slug].error or "")
    assert outcomes[globex.tenant.slug].changed
    await acme.as_owner(f"UPDATE control.tenants SET node_number = 1 WHERE id = '{acme.tenant.id}'")
    assert (await service.migrate(await service.get(acme.tenant.slug))).changed


async def test_a_migration_waits_neither_for_ever_nor_long(owner: AsyncConnection[Any], empty_schema: str) -> None:
    async with owner.transaction():
        await replay(owner, "tenant", empty_schema)
        row = await (
            await owner.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        ).fetchone()
    assert row == ("2s", "1min")
    async with await AsyncConnection.connect(owner.info.dsn) as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"migrate:{empty_schema}"])
        with pytest.raises(pg.QueryCanceled):
            async with owner.transaction():
                await replay(owner, "tenant", empty_schema, statement_timeout_ms=50)
