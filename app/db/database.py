"""The platform's databases: the control schema, and the tenants' schemas on their nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.db.pool import open_pool, transaction
from app.db.slots import StickySlots, connector
from app.db.statements import Row, Statement
from app.db.tenant import TenantHandle, Timeouts, begin_control
from app.db.tenant_transaction import TenantTx
from app.db.transaction import ConnectionTx, Observer, Tx
from app.errors import Unavailable


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """Where the databases are and how many connections to keep. Times in seconds."""

    owner_dsn: str
    role_prefix: str = "stegmaier"
    runtime_password: str | None = None
    pool_size: int = 16
    pool_slots: int = 16
    pool_active: int = 8
    control_pool_size: int = 8
    pool_timeout: float = 5.0
    tenants_per_connection: int = 250
    prepare: bool = True
    timeouts: Timeouts = field(default_factory=Timeouts)

    @property
    def auth_role(self) -> str:
        """The login that serves tenants: it may become a tenant's role and can do nothing by itself."""
        return f"{self.role_prefix}_auth"

    @property
    def control_role(self) -> str:
        """The login that serves the control schema and the jobs, and sees no tenant."""
        return f"{self.role_prefix}_control"

    def dsn_as(self, role: str, base: str | None = None) -> str:
        """The owner's DSN with another login."""
        parts = conninfo_to_dict(base or self.owner_dsn)
        parts.pop("password", None)
        if self.runtime_password is not None:
            parts["password"] = self.runtime_password
        return make_conninfo("", **{**parts, "user": role, "application_name": role, "connect_timeout": "5"})


class Database:
    """Pools for the control schema and for each node; hands out transactions."""

    def __init__(self, config: DatabaseConfig) -> None:
        self.config = config
        self.observe: Observer | None = None
        self._control = open_pool(
            config.dsn_as(config.control_role),
            name="control",
            min_size=1,
            max_size=config.control_pool_size,
            timeout=config.pool_timeout,
            prepare=config.prepare,
        )
        self._nodes: dict[int, StickySlots] = {}
        self._opened = False
        self.add_node(1, config.owner_dsn)

    def add_node(self, number: int, owner_dsn: str) -> None:
        """Make a node's tenants reachable; call before ``open``."""
        config = self.config
        self._nodes[number] = StickySlots(
            connector(config.dsn_as(config.auth_role, owner_dsn), prepare=config.prepare),
            slots=config.pool_slots,
            size=config.pool_size,
            active=config.pool_active,
            timeout=config.pool_timeout,
            max_tenants=config.tenants_per_connection,
            name=f"node {number}",
        )

    async def open(self) -> None:
        """Start connecting to the control schema in the background; tenants' connections are made when needed."""
        await self._control.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._control.close(timeout=2)
        for node in self._nodes.values():
            node.close()

    @asynccontextmanager
    async def control(self, *, read_only: bool = False) -> AsyncIterator[ConnectionTx]:
        """A transaction in the control schema."""
        async with transaction(self._control, begin_control(self.config.timeouts, read_only)) as connection:
            yield ConnectionTx(connection, self.observe)

    def tenant(self, tenant: TenantHandle, *, read_only: bool = False) -> TenantTx:
        """A transaction in a tenant's schema, to be entered with ``async with``. Raises Unavailable (unknown node)."""
        node = self._nodes.get(tenant.node_number)
        if node is None:
            raise Unavailable("this organisation's database is not reachable from here; try again in a moment")
        return TenantTx(node, tenant, self.config.timeouts, read_only=read_only, observe=self.observe)


class Reading:
    """``async with operation.read() as tx``: the operation's snapshot, begun at the first of these."""

    __slots__ = ("_operation",)

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    async def __aenter__(self) -> Tx:
        return await self._operation.snapshot()

    async def __aexit__(self, *_: object) -> None:
        """Nothing: the snapshot goes on until the operation ends or writes."""


class Operation:
    """One operation's view of one tenant: every read from one snapshot, every write in a transaction of its own.

    A write ends the snapshot first (so an operation never holds two connections, and two operations never wait for
    each other's) and the next read starts a new one that sees what was written.
    """

    def __init__(
        self,
        database: Database,
        tenant: TenantHandle,
        *,
        on_write: Callable[[], None] | None = None,
        on_published: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``on_write``: what was read may be out of date. ``on_published``: events were committed."""
        self.database = database
        self.tenant = tenant
        self._on_write = on_write
        self._on_published = on_published
        self._snapshot: TenantTx | None = None
        self._lock = asyncio.Lock()

    def read(self) -> Reading:
        """The operation's read-only snapshot (REPEATABLE READ)."""
        return Reading(self)

    async def snapshot(self) -> Tx:
        """The same, for as long as the operation neither writes nor ends."""
        if self._snapshot is None:
            async with self._lock:
                if self._snapshot is None:
                    made = self.database.tenant(self.tenant, read_only=True)
                    self._snapshot = await made.__aenter__()
        return self._snapshot

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Tx]:
        """A read-write transaction that commits when the block ends well and leaves nothing behind otherwise."""
        await self.close()
        try:
            async with self.database.tenant(self.tenant) as tx:
                yield tx
        finally:
            self._forget()
        if tx.published and self._on_published is not None:
            await self._on_published()

    async def once(self, statement: Statement[Row], **params: Any) -> list[Row]:
        """The rows of a statement that is a write transaction of its own, in one message."""
        await self.close()
        try:
            async with self.database.tenant(self.tenant) as tx:
                return await tx.once(statement, **params)
        finally:
            self._forget()

    @asynccontextmanager
    async def control(self, *, read_only: bool = False) -> AsyncIterator[Tx]:
        """A transaction in the control schema, where identities live."""
        try:
            async with self.database.control(read_only=read_only) as tx:
                yield tx
        finally:
            if not read_only:
                self._forget()

    def _forget(self) -> None:
        if self._on_write is not None:
            self._on_write()

    async def close(self, error: BaseException | None = None) -> None:
        """End the snapshot, if there is one (``error``: why the operation failed); a later read starts a new one."""
        async with self._lock:
            snapshot, self._snapshot = self._snapshot, None
            if snapshot is not None:
                await snapshot.__aexit__(None if error is None else type(error), error, None)
