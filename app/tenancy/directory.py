"""Which tenant a name stands for: an in-process cache, told by PostgreSQL when it is wrong."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, bindparam, or_, select

from app.db.database import Database
from app.db.statements import Statement
from app.tenancy.records import ROUTABLE, Tenant
from app.tenancy.tables import tenant_domains, tenants

_COLUMNS = (
    tenants.c.id,
    tenants.c.name,
    tenants.c.slug,
    tenants.c.schema_name,
    tenants.c.role_name,
    tenants.c.node_number,
    tenants.c.state,
    tenants.c.schema_revision,
    tenants.c.plan,
    tenants.c.locale,
    tenants.c.generation,
    tenants.c.created_at,
    tenants.c.updated_at,
)


def _by(condition: ColumnElement[bool]) -> Statement[Tenant]:
    routable = or_(*(tenants.c.state == state.value for state in sorted(ROUTABLE)))
    return Statement(select(*_COLUMNS).where(condition, routable), Tenant)


BY_ID = _by(tenants.c.id == bindparam("key", type_=Uuid))
BY_SLUG = _by(tenants.c.slug == bindparam("key", type_=Text))
BY_HOST = _by(
    tenants.c.id
    == select(tenant_domains.c.tenant_id).where(tenant_domains.c.host == bindparam("key", type_=Text)).scalar_subquery()
)

Key = tuple[str, UUID | str]


class TenantDirectory:
    """Answers from memory in microseconds; entries live 30 s at most (5 s for names that stand for nothing).

    A change in the control schema is announced with NOTIFY and forgotten here at once; the times only matter when a
    listener's connection is down. Look-ups of the same name at the same time share one query.
    """

    def __init__(
        self,
        database: Database,
        *,
        ttl: float = 30.0,
        negative_ttl: float = 5.0,
        limit: int = 20_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._ttl = ttl
        self._negative_ttl = negative_ttl
        self._limit = limit
        self._clock = clock
        self._entries: OrderedDict[Key, tuple[float, Tenant | None]] = OrderedDict()
        self._flights: dict[Key, asyncio.Task[Tenant | None]] = {}
        self._epoch = 0
        self.misses = 0

    async def by_id(self, tenant_id: UUID) -> Tenant | None:
        """The routable tenant with this id."""
        return await self._get(("id", tenant_id), BY_ID)

    async def by_slug(self, slug: str) -> Tenant | None:
        """The routable tenant with this slug."""
        return await self._get(("slug", slug), BY_SLUG)

    async def by_host(self, host: str) -> Tenant | None:
        """The routable tenant that owns this host name (a custom domain)."""
        return await self._get(("host", host), BY_HOST)

    async def by_name(self, name: str) -> Tenant | None:
        """The tenant that an ``X-Tenant-ID`` header names: a slug or a UUID (32 hexadecimal digits may be either)."""
        with suppress(ValueError):
            if (tenant := await self.by_id(UUID(name))) is not None:
                return tenant
        return await self.by_slug(name.lower()) if len(name) <= 63 else None

    def forget(self, tenant_id: UUID) -> None:
        """Drop what is remembered of a tenant, and every negative answer (it may be the one just made)."""
        self._start_over()
        for key in [k for k, (_, t) in self._entries.items() if t is None or t.id == tenant_id]:
            del self._entries[key]

    def clear(self) -> None:
        """Drop everything: announcements may have been missed."""
        self._start_over()
        self._entries.clear()

    def _start_over(self) -> None:
        self._epoch += 1
        self._flights = {}  # a look-up under way may have read the old state: nobody new may join it

    async def _get(self, key: Key, statement: Statement[Tenant]) -> Tenant | None:
        entry = self._entries.get(key)
        if entry is not None and entry[0] > self._clock():
            return entry[1]
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._load(key, statement))
            flights = self._flights
            flights[key] = flight
            flight.add_done_callback(lambda _: flights.pop(key, None))
        return await asyncio.shield(flight)

    async def _load(self, key: Key, statement: Statement[Tenant]) -> Tenant | None:
        self.misses += 1
        epoch = self._epoch
        async with self._database.control(read_only=True) as tx:
            tenant = await tx.one_or_none(statement, key=key[1])
        if epoch == self._epoch:  # otherwise it may have been read before the change that was just announced
            ttl = self._ttl if tenant is not None else self._negative_ttl
            self._entries[key] = (self._clock() + ttl, tenant)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)
        return tenant
