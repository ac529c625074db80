"""What a PostgreSQL server needs before tenants live on it: extensions, text search, runtime logins."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, sql
from psycopg import errors as pg

from app.db.database import DatabaseConfig

LOCK = 0x5374_6567_0001  # advisory lock: one preparation of a database at a time

EXTENSIONS = (
    "CREATE SCHEMA IF NOT EXISTS extensions",
    "CREATE EXTENSION IF NOT EXISTS citext SCHEMA extensions",
    "CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA extensions",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA extensions",
    "GRANT USAGE ON SCHEMA extensions TO PUBLIC",
    # unaccent() is only STABLE because its dictionary could change; ours is pinned, so an index may rely on it.
    """CREATE OR REPLACE FUNCTION extensions.fold(value text) RETURNS text
       LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
       AS $$ SELECT lower(extensions.unaccent('extensions.unaccent'::regdictionary, value)) $$""",
    """CREATE OR REPLACE FUNCTION extensions.join_words(value text[]) RETURNS text
       LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
       AS $$ SELECT array_to_string(value, ' ') $$""",
)

TEXT_SEARCH = (
    "CREATE TEXT SEARCH CONFIGURATION extensions.es_un (COPY = pg_catalog.spanish)",
    """ALTER TEXT SEARCH CONFIGURATION extensions.es_un
       ALTER MAPPING FOR hword, hword_part, word WITH extensions.unaccent, spanish_stem""",
)

# Of the login that serves tenants. Prepared statements are planned once for each tenant and connection, not six times;
# a word that is as like as this to one of a title is taken for a typing mistake.
TENANT_SETTINGS = ("plan_cache_mode = force_generic_plan", "pg_trgm.word_similarity_threshold = 0.4")

HAS_TEXT_SEARCH = """SELECT EXISTS (SELECT FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace
                     WHERE n.nspname = 'extensions' AND c.cfgname = 'es_un')"""


async def prepare_node(connection: AsyncConnection[Any], config: DatabaseConfig) -> None:
    """Make a database ready for tenants. Idempotent, safe to run from several processes at once.

    ``connection`` is the owner's, in autocommit mode.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for statement in EXTENSIONS:
            await connection.execute(statement)
        cursor = await connection.execute(HAS_TEXT_SEARCH)
        found = await cursor.fetchone()
        if not (found and found[0]):
            for statement in TEXT_SEARCH:
                await connection.execute(statement)
        for role in (config.auth_role, config.control_role):
            await _make_login(connection, role, config.runtime_password)
        await _connect_right(connection, config)


async def _make_login(connection: AsyncConnection[Any], role: str, password: str | None) -> None:
    name = sql.Identifier(role)
    try:
        async with connection.transaction():
            await connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE").format(name)
            )
    except (pg.DuplicateObject, pg.UniqueViolation):
        pass  # roles belong to the whole server: another database of it has made this one
    if password is not None:
        await connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(password)))


async def _connect_right(connection: AsyncConnection[Any], config: DatabaseConfig) -> None:
    cursor = await connection.execute("SELECT current_database()")
    row = await cursor.fetchone()
    database = sql.Identifier(row[0] if row else "")
    for role, path in ((config.auth_role, "''"), (config.control_role, "jobs, extensions")):
        login = sql.Identifier(role)
        await connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, login))
        # The path of last resort: empty for the tenants' login, so that SQL without a tenant finds no table.
        await connection.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}").format(login, database, sql.SQL(path))
        )
    await connection.execute("SELECT extensions.similarity('', '')")  # loads pg_trgm, or its setting is not known yet
    for setting in TENANT_SETTINGS:
        login = sql.Identifier(config.auth_role)
        await connection.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET {}").format(login, database, sql.SQL(setting))
        )
