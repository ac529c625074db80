"""Tenants that one test after the other may have: made once, emptied and renamed in between.

To found a tenant takes some 250 files and a third of a second; most tests only want one with nothing in it. What is
given is a tenant with a new slug, a new founder and empty tables; its id and schema are those of an earlier test. One
in which the schema was changed, or that is not as it was, is not given again.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection, sql

from app.db.ids import new_id
from app.db.metadata import TENANT
from app.db.migrations import head
from app.identity.founding import ADD_MEMBER, ADD_MEMBERSHIP, ADD_USER
from app.main import Application
from app.tenancy.records import Tenant
from app.viewer import Role
from tests.mailbox import Mailbox
from tests.world import PASSWORD, World

DDL = re.compile(r"\b(ALTER|DROP|CREATE|GRANT|REVOKE|TRUNCATE|alembic_version|tenant_meta)\b")
KEPT = frozenset({"tenant_meta"})
_EMPTY = sql.SQL("; ").join(
    sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name))
    for table in TENANT.sorted_tables
    if table.name not in KEPT
)
_FORGET = """
    DELETE FROM control.refresh_tokens WHERE session_id IN (SELECT id FROM control.sessions WHERE tenant_id = {tenant});
    DELETE FROM control.sessions WHERE tenant_id = {tenant};
    DELETE FROM control.one_time_tokens WHERE tenant_id = {tenant};
    DELETE FROM control.memberships WHERE tenant_id = {tenant};
    DELETE FROM control.outbox WHERE tenant_id = {tenant};
    DELETE FROM control.login_failures;
    DELETE FROM jobs.procrastinate_jobs WHERE args ->> 'tenant_id' = {tenant}::text AND status = 'todo'"""


class Stable:
    """The tenants of one application that are free."""

    def __init__(self, application: Application, mailbox: Mailbox) -> None:
        self._application = application
        self._mailbox = mailbox
        self._free: list[Tenant] = []

    @asynccontextmanager
    async def world(self, name: str) -> AsyncIterator[World]:
        """A world with a tenant whose slug starts with ``name`` and that has an administrator and nothing else."""
        if not self._free:
            async with World.founded(self._application, self._mailbox, name) as world:
                yield world
        else:
            world = World(self._application, self._mailbox, await self._renamed(self._free.pop(), name))
            async with world.http:
                yield world
        if await self._is_sound(world):
            self._free.append(world.tenant)

    async def _is_sound(self, world: World) -> bool:
        if any(DDL.search(statement) for statement in world.owners):
            return False
        found = await world.as_owner(
            f"""SELECT t.state, t.slug, t.generation, v.version_num,
                       (SELECT count(*) FROM control.tenant_domains d WHERE d.tenant_id = t.id)
                FROM control.tenants t, alembic_version v WHERE t.id = '{world.tenant.id}'"""
        )
        return found == [("active", world.tenant.slug, world.tenant.generation, head("tenant"), 0)]

    async def _renamed(self, tenant: Tenant, name: str) -> Tenant:
        platform = self._application.platform
        slug = f"{name}-{secrets.token_hex(4)}"
        async with await AsyncConnection.connect(platform.config.owner_dsn) as connection:
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(tenant.schema_name)))
            await connection.execute(_EMPTY)
            await connection.execute(sql.SQL(_FORGET).format(tenant=sql.Literal(str(tenant.id))))
            await connection.execute(
                "UPDATE control.tenants SET slug = %s, name = %s WHERE id = %s", [slug, name.title(), tenant.id]
            )
        user_id, email = new_id(), f"founder@{slug}.test"
        identity = {"user_id": user_id, "email": email, "full_name": "Fundadora Soto", "locale": "es"}
        admin = {"role": Role.ADMIN.value, "status": "active"}
        async with platform.database.tenant(tenant.handle) as tx:
            await tx.execute(ADD_MEMBER, **identity, **admin, verified=True)
        async with platform.database.control() as tx:
            password_hash = await platform.passwords.hash(PASSWORD)
            identity["id"] = identity.pop("user_id")
            await tx.execute(ADD_USER, **identity, password_hash=password_hash, verified=True)
            await tx.execute(ADD_MEMBERSHIP, user_id=user_id, tenant_id=tenant.id, **admin)
        shutil.rmtree(platform.settings.data_dir / "files" / str(tenant.id), ignore_errors=True)
        platform.tenants.clear()
        platform.gate.clear()
        found = await platform.tenants.by_slug(slug)
        if found is None:
            raise LookupError("a tenant that was renamed is there")
        return found
