"""Work that happens after the transaction that caused it: queued inside it, done by the worker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from procrastinate import App, PsycopgConnector
from procrastinate.retry import RetryStrategy
from psycopg.types.json import Jsonb
from sqlalchemy import Text, Uuid, bindparam
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.db.database import DatabaseConfig
from app.db.ids import new_id
from app.db.statements import Statement
from app.db.tables import control_outbox
from app.db.transaction import ConnectionTx, Tx

ADD = Statement(
    pg_insert(control_outbox)
    .values(
        id=bindparam("id", type_=Uuid),
        kind=bindparam("kind", type_=Text),
        tenant_id=bindparam("tenant_id", type_=Uuid),
        payload=bindparam("payload", type_=JSONB),
    )
    .on_conflict_do_nothing(index_elements=["id"])
    .returning(control_outbox.c.id),
    UUID,
)

SEND_MAIL = "send_mail"
OFFER_LINK = "offer_link"
SYNC_MEMBER = "sync_member"
RELAY_TENANT = "relay_tenant"
TICK_TENANT = "tick_tenant"
RUN_JOB = "run_job"
SWEEP = "sweep"
PURGE = "purge"

# Roughly 1 s, 5 s, 25 s, 2 min, 10 min, 52 min and 4 h after the failures before.
RETRY = RetryStrategy(max_attempts=8, exponential_wait=5)


def queue_app(config: DatabaseConfig, *, max_size: int = 4) -> App:
    """The procrastinate application: its tables are in schema ``jobs`` of the control database."""
    connector = PsycopgConnector(
        conninfo=config.dsn_as(config.control_role), min_size=1, max_size=max_size, timeout=config.pool_timeout
    )
    return App(connector=connector)


class Jobs:
    """Queues work inside an open control transaction: it exists if, and only if, that transaction commits."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def mail(
        self,
        tx: Tx,
        template: str,
        *,
        to: str,
        locale: str,
        tenant_id: UUID | None,
        context: Mapping[str, object],
        event_id: UUID | None = None,
    ) -> None:
        """Send one mail. With ``event_id``, asking again for the same event sends nothing more."""
        payload = {"template": template, "to": to, "locale": locale, "context": dict(context)}
        row = await tx.scalar(ADD, id=event_id or new_id(), kind="mail", tenant_id=tenant_id, payload=Jsonb(payload))
        if row is not None:
            await self.send_mail(tx, row)

    async def send_mail(self, tx: Tx, outbox_id: UUID) -> None:
        """Send a mail that is in the outbox (again); one that has left is not sent twice."""
        await self._defer(tx, SEND_MAIL, outbox_id=str(outbox_id))

    async def offer_link(self, tx: Tx, purpose: str, email: str, tenant_id: UUID) -> None:
        """Look whether an address is somebody's who may have a link, and send it."""
        await self._defer(tx, OFFER_LINK, purpose=purpose, email=email, tenant_id=str(tenant_id))

    async def sync_member(self, tx: Tx, user_id: UUID, tenant_id: UUID) -> None:
        """Copy an identity and its membership into the tenant's directory (again)."""
        await self._defer(tx, SYNC_MEMBER, user_id=str(user_id), tenant_id=str(tenant_id))

    async def relay_soon(self, tx: Tx, tenant_id: UUID) -> None:
        """Look into a tenant's outbox."""
        await self._defer(tx, RELAY_TENANT, tenant_id=str(tenant_id))

    async def tick_at(self, tx: Tx, tenant_id: UUID, at: datetime) -> None:
        """Look at what is due in a tenant at that time."""
        await self._defer(tx, TICK_TENANT, at=at, tenant_id=str(tenant_id))

    async def run_job(self, tx: Tx, tenant_id: UUID, job_id: UUID) -> None:
        """Do (what is left of) a job of a tenant."""
        await self._defer(tx, RUN_JOB, tenant_id=str(tenant_id), job_id=str(job_id))

    async def _defer(self, tx: Tx, task: str, *, at: datetime | None = None, **arguments: Any) -> None:
        if not isinstance(tx, ConnectionTx):
            raise TypeError("jobs are queued in a transaction of the control schema")
        await self.app.configure_task(task, connection=tx.connection, schedule_at=at).defer_async(**arguments)
