"""The life of tenants: made, listed, suspended, resumed, migrated; a service first, a command line on top."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from psycopg import AsyncConnection, sql
from psycopg import errors as pg
from sqlalchemy import Integer, Text, Uuid, bindparam, case, delete, func, insert, null, or_, select, update

from app.db.database import Database
from app.db.errors import unique
from app.db.ids import new_id
from app.db.listen import announce
from app.db.migrations import MigrationError, create_schema, drop_schema, head, replay, seal_version
from app.db.setup import owner
from app.db.statements import Statement
from app.db.tables import tenant_meta
from app.db.transaction import ConnectionTx, Tx
from app.errors import Conflict, FieldProblem, Invalid, NotFound, Refusal, Unavailable
from app.tenancy.records import ROUTABLE, Tenant, TenantState
from app.tenancy.tables import nodes, tenant_domains, tenants

log = structlog.get_logger(__name__)

# RFC 1123, section 2.1, as browsers send it: names in other alphabets in their xn-- form, no port.
LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"(?=.{{1,253}}$)(?:{LABEL}\.)+(?!\d+$){LABEL}")

_COLUMNS = tuple(tenants.c[name] for name in Tenant.__dataclass_fields__)
BY_NAME = Statement(
    select(*_COLUMNS).where(
        or_(tenants.c.slug == bindparam("slug", type_=Text), tenants.c.id == bindparam("id", type_=Uuid))
    ),
    Tenant,
)
PAGE = Statement(
    select(*_COLUMNS)
    .where(tenants.c.slug > bindparam("after", type_=Text))
    .order_by(tenants.c.slug)
    .limit(bindparam("limit", type_=Integer)),
    Tenant,
)
COUNT = Statement(select(func.count()).select_from(tenants), int)
UNFINISHED = Statement(
    select(*_COLUMNS).where(tenants.c.state == TenantState.PROVISIONING.value).order_by(tenants.c.id).limit(1000),
    Tenant,
)
RESERVE = Statement(
    insert(tenants).values(
        {
            name: bindparam(name, type_=tenants.c[name].type)
            for name in ("id", "name", "slug", "schema_name", "role_name", "node_number", "state", "plan", "locale")
        }
    ),
    int,
)
FORGET = Statement(
    delete(tenants)
    .where(tenants.c.id == bindparam("id", type_=Uuid), tenants.c.state == TenantState.PROVISIONING.value)
    .returning(tenants.c.id),
    UUID,
)
_TO_STATE = bindparam("to_state", type_=Text)
SET_STATE = Statement(
    update(tenants)
    .where(tenants.c.id == bindparam("id", type_=Uuid), tenants.c.state == bindparam("from_state", type_=Text))
    .values(
        state=_TO_STATE,
        suspended_at=case({TenantState.SUSPENDED.value: func.now()}, value=_TO_STATE, else_=null()),
        generation=tenants.c.generation + 1,
        updated_at=func.now(),
    )
    .returning(tenants.c.id),
    UUID,
)
SET_REVISION = Statement(
    update(tenants)
    .where(tenants.c.id == bindparam("id", type_=Uuid))
    .values(schema_revision=bindparam("revision", type_=Text), updated_at=func.now()),
    int,
)
ADD_DOMAIN = Statement(
    insert(tenant_domains).values(host=bindparam("host", type_=Text), tenant_id=bindparam("tenant_id", type_=Uuid)), int
)
# Held until the end of the transaction, so that a switch and a mending of the same tenant take their turns.
FOR_UPDATE = Statement(select(*_COLUMNS).where(tenants.c.id == bindparam("id", type_=Uuid)).with_for_update(), Tenant)
ADD_META = Statement(insert(tenant_meta).values(tenant_id=bindparam("tenant_id", type_=Uuid)), int)
NODE_ENGINE = Statement(select(nodes.c.engine).where(nodes.c.node_number == bindparam("number", type_=Integer)), str)
NODE_DSN = Statement(select(nodes.c.dsn).where(nodes.c.node_number == bindparam("number", type_=Integer)), str)

GRANT, REVOKE = "GRANT USAGE ON SCHEMA {schema} TO {role}", "REVOKE USAGE ON SCHEMA {schema} FROM {role}"
DISAGREEING = """SELECT n.nspname FROM unnest(%s::text[], %s::text[], %s::bool[]) AS t (schema_name, role_name, served)
                 JOIN pg_namespace n ON n.nspname = t.schema_name JOIN pg_roles r ON r.rolname = t.role_name
                 WHERE has_schema_privilege(r.oid, n.oid, 'USAGE') <> t.served"""


@dataclass(frozen=True, slots=True)
class MigrationOutcome:
    """What happened to one tenant in a run; ``error`` is None when it is at ``end``."""

    slug: str
    start: str | None
    end: str
    changed: bool
    error: str | None = None


class TenantService:
    """Operators' use cases. Every one of them may be repeated; none leaves half a tenant behind."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, name: str) -> Tenant | None:
        """The tenant with this slug or id, in whatever state."""
        try:
            tenant_id = UUID(name)
        except ValueError:
            tenant_id = UUID(int=0)
        async with self._database.control(read_only=True) as tx:
            return await tx.one_or_none(BY_NAME, slug=name.lower(), id=tenant_id)

    async def get(self, name: str) -> Tenant:
        """The same. Raises NotFound."""
        tenant = await self.find(name)
        if tenant is None:
            raise NotFound("tenant", code="TENANT_NOT_FOUND")
        return tenant

    async def page(self, *, after: str = "", limit: int = 100) -> list[Tenant]:
        """Tenants by slug, at most ``limit`` after the slug ``after``."""
        async with self._database.control(read_only=True) as tx:
            return await tx.all(PAGE, after=after, limit=limit)

    async def count(self) -> int:
        """How many tenants there are, in whatever state."""
        async with self._database.control(read_only=True) as tx:
            return await tx.scalar(COUNT) or 0

    async def each(self) -> AsyncIterator[Tenant]:
        """Every tenant, by slug, read in pages."""
        after = ""
        while page := await self.page(after=after, limit=500):
            for tenant in page:
                yield tenant
            after = page[-1].slug

    @asynccontextmanager
    async def found(
        self, *, slug: str, name: str, plan: str = "standard", locale: str = "es", node_number: int = 1
    ) -> AsyncIterator[Founding]:
        """Make a tenant: schema, role and grants exist inside the block, where the caller adds its first people.

        In three steps, so that a crash anywhere leaves nothing that a request could reach: (1) a row in state
        ``provisioning`` is committed, (2) schema, role, tables and first rows are one transaction on the node, (3) one
        control transaction makes it ``active``. The block runs between (1) and the commit of (2); what the caller
        hands to ``Founding.finish`` runs in (3). A session lock says that somebody is at work; ``sweep`` removes what
        has no such lock. Raises Conflict (slug taken).
        """
        await self.sweep()
        token = secrets.token_hex(10)
        tenant_id = new_id()
        values = {
            "id": tenant_id,
            "name": name,
            "slug": slug,
            "schema_name": f"t_{token}",
            "role_name": f"t_{token}",
            "node_number": node_number,
            "plan": plan,
            "locale": locale,
        }
        async with owner(self._database.config.owner_dsn) as guard:
            await guard.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"tenant:{tenant_id}"])
            async with self._database.control() as tx:
                taken = Conflict("there is already a tenant with the slug {slug}", code="SLUG_TAKEN", slug=slug)
                with unique("uq_tenants_slug", taken):
                    await tx.execute(RESERVE, state=TenantState.PROVISIONING.value, **values)
                tenant = await tx.one(BY_NAME, slug=slug, id=tenant_id)
                engine = await tx.scalar(NODE_ENGINE, number=node_number)
            founding = Founding(tenant)
            try:
                async with self._node_owner(tenant) as connection, connection.transaction():
                    role = self._database.config.auth_role
                    await create_schema(connection, tenant.schema_name, tenant.role_name, role, login=engine == "citus")
                    done = await replay(connection, "tenant", tenant.schema_name)
                    await seal_version(connection, tenant.schema_name, tenant.role_name)
                    founding.tx = ConnectionTx(connection)
                    await founding.tx.execute(ADD_META, tenant_id=tenant_id)
                    yield founding
                async with self._database.control() as tx:
                    for step in founding.last_steps:
                        await step(tx)
                    await tx.execute(SET_REVISION, id=tenant_id, revision=done.end)
                    await tx.one(
                        SET_STATE,
                        "tenant",  # swept away when the guard's connection, and so its lock, was lost
                        id=tenant_id,
                        from_state=TenantState.PROVISIONING.value,
                        to_state=TenantState.ACTIVE.value,
                    )
                    await announce(tx, "tenant", tenant_id)
            except BaseException:
                await asyncio.shield(self._remove(tenant))
                raise

    async def sweep(self) -> list[str]:
        """Remove tenants whose making was interrupted; returns their slugs.

        Those being made right now are left, and so are those whose server does not answer: the next sweep is for them.
        """
        async with self._database.control(read_only=True) as tx:
            unfinished = await tx.all(UNFINISHED)
        removed = []
        if unfinished:
            async with owner(self._database.config.owner_dsn) as guard:
                for tenant in unfinished:
                    key = [f"tenant:{tenant.id}"]
                    cursor = await guard.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", key)
                    row = await cursor.fetchone()
                    if row is None or not row[0]:
                        continue
                    try:
                        if await self._remove(tenant):
                            log.warning("removed a tenant whose making was interrupted", slug=tenant.slug)
                            removed.append(tenant.slug)
                    except (pg.Error, Unavailable) as error:
                        log.warning("an unfinished tenant cannot be removed", slug=tenant.slug, error=str(error))
                    await guard.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", key)
        return removed

    async def add_domain(self, name: str, host: str) -> None:
        """Let a tenant be reached at a host name of its own. Raises Invalid, NotFound, Conflict (host taken)."""
        host = host.lower()
        if not HOST.fullmatch(host):
            raise Invalid(
                fields=[FieldProblem("host", "is not a host name; write it like learn.example.org", "HOST_INVALID")]
            )
        tenant = await self.get(name)
        async with self._database.control() as tx:
            with unique("pk_tenant_domains", Conflict("this host name belongs to a tenant already", code="HOST_TAKEN")):
                await tx.execute(ADD_DOMAIN, host=host, tenant_id=tenant.id)
            await announce(tx, "tenant", tenant.id)

    async def suspend(self, name: str) -> Tenant:
        """Stop serving a tenant: from the next request on, and enforced by the database itself (no USAGE).

        The state comes first: a tenant that is served never lacks its USAGE, whatever fails in between. When its
        server does not answer, ``mend`` takes the USAGE away later. Raises: NotFound, Conflict (not active).
        """
        tenant = await self.get(name)
        async with self._database.control() as tx:
            await self._switch(tx, tenant, TenantState.ACTIVE, TenantState.SUSPENDED)
        await self._try_to_agree(tenant)
        return await self.get(name)

    async def resume(self, name: str) -> Tenant:
        """Serve a suspended tenant again. Raises: NotFound, Conflict (not suspended), Unavailable (its server)."""
        tenant = await self.get(name)
        try:
            async with self._database.control() as tx:
                await self._switch(tx, tenant, TenantState.SUSPENDED, TenantState.ACTIVE)
                await self._say(tenant, GRANT)
        except Conflict:
            raise
        except BaseException:
            await asyncio.shield(self._try_to_agree(tenant))
            raise
        return await self.get(name)

    async def mend(self) -> list[str]:
        """Make USAGE agree with the state where an interrupted switch left them apart; returns the tenants' slugs."""
        by_node: dict[int, list[Tenant]] = {}
        async for tenant in self.each():
            if tenant.state in ROUTABLE:
                by_node.setdefault(tenant.node_number, []).append(tenant)
        mended = []
        for there in by_node.values():
            try:
                wrong = await self._disagreeing(there)
            except (pg.Error, Unavailable) as error:
                log.warning("a server cannot be asked who may use it", node=there[0].node_number, error=str(error))
                continue
            mended += [tenant.slug for tenant in wrong if await self._try_to_agree(tenant)]
        return mended

    async def migrate(self, tenant: Tenant, *, to: str | None = None) -> MigrationOutcome:
        """Bring one tenant's schema to a revision (the newest by default) in one transaction; retried on a lock."""
        end = to or head("tenant")
        if tenant.schema_revision == end:
            return MigrationOutcome(tenant.slug, tenant.schema_revision, end, changed=False)
        error: Exception | None = None
        for attempt in range(4):
            try:
                async with self._node_owner(tenant) as connection, connection.transaction():
                    done = await replay(connection, "tenant", tenant.schema_name, to=to)
                async with self._database.control() as tx:
                    await tx.execute(SET_REVISION, id=tenant.id, revision=done.end)
                    await announce(tx, "tenant", tenant.id)
                return MigrationOutcome(tenant.slug, done.start, done.end, changed=done.statements > 0)
            except (pg.LockNotAvailable, pg.DeadlockDetected) as locked:
                error = locked
                await asyncio.sleep(0.2 * 2**attempt * (1 + secrets.randbelow(100) / 100))
            except (pg.Error, MigrationError, Unavailable) as failed:
                error = failed
                break
        return MigrationOutcome(tenant.slug, tenant.schema_revision, end, changed=False, error=str(error))

    async def migrate_all(self, report: Callable[[MigrationOutcome], None] | None = None) -> list[MigrationOutcome]:
        """Migrate every tenant that is behind; one that fails does not stop the others."""
        outcomes = []
        async for tenant in self.each():
            if tenant.state == TenantState.PROVISIONING:
                continue
            outcome = await self.migrate(tenant)
            outcomes.append(outcome)
            if report is not None:
                report(outcome)
        return outcomes

    async def _switch(self, tx: Tx, tenant: Tenant, start: TenantState, end: TenantState) -> None:
        if await tx.scalar(SET_STATE, id=tenant.id, from_state=start.value, to_state=end.value) is None:
            raise Conflict(
                "the tenant {slug} is {state}, not {wanted}", code="TENANT_STATE", slug=tenant.slug,
                state=tenant.state, wanted=start.value,
            )  # fmt: skip
        await announce(tx, "tenant", tenant.id)

    async def _try_to_agree(self, tenant: Tenant) -> bool:
        """Give or take USAGE as the tenant's state is now, read under a lock; False when that is not possible."""
        try:
            async with self._database.control() as tx:
                now = await tx.one(FOR_UPDATE, "tenant", id=tenant.id)
                if now.state in ROUTABLE:
                    await self._say(now, REVOKE if now.state == TenantState.SUSPENDED else GRANT)
        except (pg.Error, Refusal) as error:
            log.warning(
                "the use of a tenant's schema cannot be set; tried again later", slug=tenant.slug, error=str(error)
            )
            return False
        return True

    async def _say(self, tenant: Tenant, command: str) -> None:
        names = {"schema": sql.Identifier(tenant.schema_name), "role": sql.Identifier(tenant.role_name)}
        async with self._node_owner(tenant) as connection:
            await connection.execute(sql.SQL(command).format(**names))

    async def _disagreeing(self, there: list[Tenant]) -> list[Tenant]:
        """Those tenants of one node whose USAGE is not what their state asks for."""
        served = [tenant.state != TenantState.SUSPENDED for tenant in there]
        names = [tenant.schema_name for tenant in there], [tenant.role_name for tenant in there]
        async with self._node_owner(there[0]) as connection:
            cursor = await connection.execute(DISAGREEING, [*names, served])
            wrong = {row[0] for row in await cursor.fetchall()}
        return [tenant for tenant in there if tenant.schema_name in wrong]

    async def _remove(self, tenant: Tenant) -> bool:
        """Remove a tenant that is still unfinished; False, and nothing done, when it is not.

        Asked of the row itself, and first: since it was listed its making may have ended well, and a commit that
        reported an error may have succeeded all the same. Dropping the schema of such a tenant would be a disaster.
        """
        async with self._database.control() as tx:
            if await tx.scalar(FORGET, id=tenant.id) is None:
                return False
            async with self._node_owner(tenant) as connection, connection.transaction():
                await drop_schema(connection, tenant.schema_name, tenant.role_name)
        return True

    @asynccontextmanager
    async def _node_owner(self, tenant: Tenant) -> AsyncIterator[AsyncConnection[Any]]:
        dsn = self._database.config.owner_dsn
        if tenant.node_number != 1:
            async with self._database.control(read_only=True) as tx:
                dsn = await tx.scalar(NODE_DSN, number=tenant.node_number) or dsn
        async with owner(dsn) as connection:
            yield connection


class Founding:
    """A tenant being made: its record, a transaction in its schema as the owner, and what is left for the end."""

    tx: Tx

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.last_steps: list[Callable[[Tx], Any]] = []

    def finish(self, step: Callable[[Tx], Any]) -> None:
        """Run ``await step(tx)`` in the control transaction that makes the tenant active."""
        self.last_steps.append(step)
