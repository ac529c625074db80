"""Bring the control database to where this version needs it: server preparation, control schema, job queue, grants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from procrastinate.schema import SchemaManager
from psycopg import AsyncConnection, OperationalError, sql

from app.db.database import DatabaseConfig
from app.db.migrations import Replay, replay
from app.db.prepare import prepare_node
from app.errors import Unavailable


@asynccontextmanager
async def owner(dsn: str) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection of the schemas' owner, in autocommit mode, for migrations and provisioning only."""
    try:
        connection: AsyncConnection[Any] = await AsyncConnection.connect(dsn, autocommit=True, connect_timeout=10)
    except OperationalError as error:
        raise Unavailable(
            "the database cannot be reached; check DATABASE_URL and that the server runs", code="DATABASE_UNREACHABLE"
        ) from error
    async with connection:
        yield connection


async def migrate_control(config: DatabaseConfig, *, to: str | None = None) -> Replay:
    """Prepare the server and migrate the control schema. Idempotent; safe from several processes at once."""
    async with owner(config.owner_dsn) as connection:
        await prepare_node(connection, config)
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('migrate:control', 0))")
            await connection.execute("CREATE SCHEMA IF NOT EXISTS control")
            done = await replay(connection, "control", "control", to=to)
            await _job_queue(connection)
            await _grant(connection, config)
        return done


async def _job_queue(connection: AsyncConnection[Any]) -> None:
    found = await (await connection.execute("SELECT to_regclass('jobs.procrastinate_jobs')")).fetchone()
    if found is not None and found[0] is not None:
        return
    await connection.execute("CREATE SCHEMA IF NOT EXISTS jobs")
    await connection.execute("SET LOCAL search_path = jobs")
    await connection.execute(SchemaManager.get_schema(), prepare=False)


async def _grant(connection: AsyncConnection[Any], config: DatabaseConfig) -> None:
    role = sql.Identifier(config.control_role)
    for command in (
        "GRANT USAGE ON SCHEMA control, jobs TO {}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA control, jobs TO {}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO {}",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO {}",
        "REVOKE INSERT, UPDATE, DELETE ON control.alembic_version FROM {}",
    ):
        await connection.execute(sql.SQL(command).format(role))
