"""The two lineages of migrations: rendered once by Alembic, replayed statement by statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

import alembic.command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import AsyncConnection, sql

from app.db.tenant import SCHEMA_NAME

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"control": ROOT / "alembic", "tenant": ROOT / "tenant_migrations"}
BASE = "base"


class MigrationError(Exception):
    """A schema is not in the state that a migration starts from; nothing was changed."""


class _Statements(StringIO):
    """Collects what Alembic writes in offline mode: each write is one statement and its terminator."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def write(self, text: str, /) -> int:
        statement = text.strip().removesuffix(";").strip()
        lines = [line for line in statement.splitlines() if not line.startswith("--")]
        if any(line.strip() for line in lines):
            self.found.append("\n".join(lines).strip())
        return len(text)


def config(lineage: str) -> Config:
    """Alembic's configuration of one lineage (``control`` or ``tenant``)."""
    made = Config()
    made.set_main_option("script_location", str(FOLDERS[lineage]))
    made.set_main_option("path_separator", "os")
    return made


@lru_cache(maxsize=2)
def head(lineage: str) -> str:
    """The newest revision of a lineage."""
    found = ScriptDirectory.from_config(config(lineage)).get_current_head()
    if found is None:
        raise MigrationError(f"the {lineage} lineage has no revision")
    return found


@lru_cache(maxsize=2)
def revisions(lineage: str) -> tuple[str, ...]:
    """Every revision of a lineage, oldest first."""
    scripts = ScriptDirectory.from_config(config(lineage))
    return tuple(reversed([script.revision for script in scripts.walk_revisions()]))


@lru_cache(maxsize=256)
def render(lineage: str, start: str, end: str) -> tuple[str, ...]:
    """The statements from one revision to another (either direction), one command each, Alembic's version included.

    One command a message is what Citus takes; it also makes a failing statement nameable.
    """
    output = _Statements()
    made = config(lineage)
    made.attributes["output"] = output
    order = (BASE, *revisions(lineage))
    if start not in order:
        raise MigrationError(
            f"a {lineage} schema is at revision {start}, unknown here: a newer version migrated it, run that one"
        )
    if end not in order:
        raise MigrationError(f"unknown revision of the {lineage} lineage: {end}")
    if order.index(start) <= order.index(end):
        alembic.command.upgrade(made, f"{start}:{end}", sql=True)
    else:
        alembic.command.downgrade(made, f"{start}:{end}", sql=True)
    return tuple(output.found)


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay did."""

    start: str
    end: str
    statements: int


async def replay(
    connection: AsyncConnection[Any],
    lineage: str,
    schema: str,
    *,
    to: str | None = None,
    lock_timeout_ms: int = 2000,
    statement_timeout_ms: int = 60_000,
) -> Replay:
    """Bring one schema to a revision (the newest by default) inside the caller's transaction.

    The version is read under a lock on the schema: of two runners one does the work and the other finds it done.
    The waits for it, and for a table on a Citus worker, which hears of no lock_timeout, end by the statement's.
    Raises MigrationError when the connection is not where it should be.
    """
    await connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(statement_timeout_ms)))
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"migrate:{schema}"])
    path = [schema, "extensions"] if lineage == "control" else [schema]  # control tables use the type citext
    await connection.execute(
        sql.SQL("SET LOCAL search_path = {}").format(sql.SQL(", ").join(map(sql.Identifier, path)))
    )
    await connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(lock_timeout_ms)))
    where = await (await connection.execute("SELECT current_schema()")).fetchone()
    if where is None or where[0] != schema:
        raise MigrationError(f"schema {schema} is not there")
    start = await current(connection, schema)
    end = to or head(lineage)
    if start == end:
        return Replay(start, end, 0)
    statements = render(lineage, start, end)
    for statement in statements:
        await connection.execute(statement.encode(), prepare=False)
    if end == BASE:
        await connection.execute("DROP TABLE alembic_version")
    return Replay(start, end, len(statements))


async def current(connection: AsyncConnection[Any], schema: str) -> str:
    """The revision a schema is at; ``base`` when it was never migrated."""
    found = await (await connection.execute("SELECT to_regclass(%s)", [f'"{schema}".alembic_version'])).fetchone()
    if found is None or found[0] is None:
        return BASE
    row = await (
        await connection.execute(
            sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(schema, "alembic_version"))
        )
    ).fetchone()
    return str(row[0]) if row else BASE


async def create_schema(
    connection: AsyncConnection[Any], schema: str, role: str, auth_role: str, *, login: bool
) -> None:
    """Make a tenant's schema and role with their grants, empty, inside the caller's transaction.

    The role may use its own schema and change rows in it, nothing else; ``auth_role`` may become it. On a Citus node
    the role needs LOGIN, because the workers are reached as it, and a lock_timeout of its own: the one that a
    transaction sets stays on the coordinator.
    """
    for name in (schema, role):
        if not SCHEMA_NAME.match(name):
            raise MigrationError(f"not a tenant's schema or role name: {name}")
    names = {
        "schema": sql.Identifier(schema),
        "role": sql.Identifier(role),
        "auth": sql.Identifier(auth_role),
    }
    kind = sql.SQL("LOGIN" if login else "NOLOGIN")
    commands: Sequence[str] = (
        "CREATE ROLE {role} {kind} NOINHERIT",
        *(["ALTER ROLE {role} SET lock_timeout = '3s'"] if login else []),
        "GRANT {role} TO {auth}",
        "CREATE SCHEMA {schema}",
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
    )
    for command in commands:
        await connection.execute(sql.SQL(command).format(kind=kind, **names))


async def seal_version(connection: AsyncConnection[Any], schema: str, role: str) -> None:
    """A tenant reads the revision it is at and cannot write it."""
    await connection.execute(
        sql.SQL("REVOKE INSERT, UPDATE, DELETE ON {} FROM {}").format(
            sql.Identifier(schema, "alembic_version"), sql.Identifier(role)
        )
    )


async def drop_schema(connection: AsyncConnection[Any], schema: str, role: str) -> None:
    """Remove a tenant's schema and role inside the caller's transaction, whatever is there of them.

    The role has rights in its schema only, and they go with it; DROP OWNED is a superuser's and is not needed.
    """
    for name in (schema, role):
        if not SCHEMA_NAME.match(name):
            raise MigrationError(f"not a tenant's schema or role name: {name}")
    await connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    await connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
