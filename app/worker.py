"""The worker: sends mails, keeps tenants' directories in step, relays their events. Every job may run twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Integer, Interval, Text, Uuid, bindparam, func, null, select, update

from app.credentials.reacting import certify
from app.db import outbox
from app.db.statements import Statement
from app.db.tables import control_outbox
from app.db.transaction import Tx
from app.identity.directory import copy_member
from app.identity.links import Purpose
from app.identity.purging import purge
from app.identity.tables import members
from app.outside import jobs
from app.outside.mail import Mail, Mailer, MailRefused, MailTemporarilyUndeliverable, render
from app.platform import Platform
from app.reactions import EVENTS, HANDLERS, MAILED, TICKS, Tick
from app.tenancy.records import Tenant, TenantState
from app.tenancy.service import TenantService
from app.work import statements as work
from app.work.running import Runner, is_passing
from app.work.service import QUEUED
from app.work.timers import WAKE

log = structlog.get_logger(__name__)

RELAY_BATCH = 100
# A job that nobody has touched for so long has lost its worker.
FORSAKEN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class PendingMail:
    """A mail that has not left yet."""

    tenant_id: UUID | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Addressee:
    """A member as a mail addresses them."""

    email: str
    full_name: str
    locale: str
    preferences: dict[str, Any]


# No transaction is open while the mail server is spoken to: it may take longer than a connection may be idle in one.
# The mail is leased instead: two workers that got the same job send it once, and a lease that was not given back (its
# worker was killed) ends by itself.
_MAIL = control_outbox.c.id == bindparam("id", type_=Uuid)
CLAIM_MAIL = Statement(
    update(control_outbox)
    .where(
        _MAIL,
        control_outbox.c.done_at.is_(None),
        func.coalesce(control_outbox.c.leased_until, func.to_timestamp(0)) < func.now(),
    )
    .values(
        leased_until=func.now() + bindparam("lease", type_=Interval),
        attempts=control_outbox.c.attempts + 1,
    )
    .returning(control_outbox.c.tenant_id, control_outbox.c.payload),
    PendingMail,
)
MAIL_DONE = Statement(
    update(control_outbox)
    .where(_MAIL)
    .values(done_at=func.now(), payload=null(), leased_until=null(), last_error=bindparam("error", type_=Text)),
    int,
)
MAIL_WAITS = Statement(
    update(control_outbox)
    .where(_MAIL, control_outbox.c.done_at.is_(None))
    .values(leased_until=null(), last_error=bindparam("error", type_=Text)),
    int,
)
_ABANDONED = (
    select(control_outbox.c.id)
    .where(control_outbox.c.done_at.is_(None), control_outbox.c.leased_until < func.now())
    .order_by(control_outbox.c.leased_until, control_outbox.c.id)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True)
)
TAKE_ABANDONED = Statement(
    update(control_outbox)
    .where(control_outbox.c.id.in_(_ABANDONED))
    .values(leased_until=null())
    .returning(control_outbox.c.id),
    UUID,
)
ADDRESSEE = Statement(
    select(members.c.email, members.c.full_name, members.c.locale, members.c.preferences).where(
        members.c.user_id == bindparam("user_id", type_=Uuid), members.c.status == "active"
    ),
    Addressee,
)


class Worker:
    """Runs queued jobs, in the server's process or in one of its own."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._mailer: Mailer = platform.mailer
        # Longer than sending can take, which ends after the mail server's time limit.
        self._lease = timedelta(seconds=platform.settings.smtp_timeout + 60)
        self._runner = Runner(platform.database, HANDLERS)
        self._task: asyncio.Task[None] | None = None
        queue = platform.queue
        task: Any = queue.task  # its overloads do not know bound methods
        task(self.send_mail, name=jobs.SEND_MAIL, retry=jobs.RETRY)
        task(self.offer_link, name=jobs.OFFER_LINK, retry=jobs.RETRY)
        task(self.sync_member, name=jobs.SYNC_MEMBER, retry=jobs.RETRY)
        task(self.relay_tenant, name=jobs.RELAY_TENANT, retry=jobs.RETRY)
        task(self.tick_tenant, name=jobs.TICK_TENANT, retry=jobs.RETRY)
        task(self.run_job, name=jobs.RUN_JOB, retry=jobs.RETRY)
        queue.periodic(cron="*/2 * * * *")(task(self.sweep, name=jobs.SWEEP, queueing_lock=jobs.SWEEP))
        queue.periodic(cron="17 * * * *")(task(self.purge, name=jobs.PURGE, queueing_lock=jobs.PURGE))

    async def open(self) -> None:
        """Open the queue's connections."""
        await self._platform.queue.open_async()

    async def close(self) -> None:
        """Stop taking jobs, wait for those under way, close the connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._platform.queue.close_async()

    def start(self) -> None:
        """Work in the background of this event loop until ``close``."""
        self._task = asyncio.create_task(self._keep_working(), name="worker")

    async def run(self, *, wait: bool = True) -> None:
        """Work until stopped, or (``wait=False``) until the queue is empty."""
        await self._platform.queue.run_worker_async(
            concurrency=4,
            wait=wait,
            install_signal_handlers=False,
            delete_jobs="successful",
            listen_notify=wait,
            fetch_job_polling_interval=1.0,  # a notice is missed now and then
            shutdown_graceful_timeout=5,
        )

    async def _keep_working(self) -> None:
        """A database that goes away ends procrastinate's worker; it is started again when the database is back."""
        while True:
            try:
                await self.run()
                return
            except Exception as error:
                log.warning("the worker stopped and starts again", error=type(error).__name__)
                await asyncio.sleep(1)

    async def send_mail(self, *, outbox_id: str) -> None:
        """Send one mail of the outbox; a second run finds it done, or leased to whoever is sending it.

        Raises MailTemporarilyUndeliverable: the queue tries again later.
        """
        identifier = UUID(outbox_id)
        database = self._platform.database
        async with database.control() as tx:
            pending = await tx.one_or_none(CLAIM_MAIL, id=identifier, lease=self._lease)
        if pending is None:
            return
        error = None
        try:
            await self._mailer.send(await self._written(pending))
        except MailRefused as refused:
            error = str(refused)
            log.error("a mail was refused for good", outbox_id=outbox_id, error=error)
        except Exception as trouble:
            if isinstance(trouble, MailTemporarilyUndeliverable):
                log.warning("a mail has to wait", outbox_id=outbox_id, error=str(trouble))
            async with database.control() as tx:
                await tx.execute(MAIL_WAITS, id=identifier, error=str(trouble))
            raise
        async with database.control() as tx:
            await tx.execute(MAIL_DONE, id=identifier, error=error)

    async def _send_abandoned(self) -> None:
        """Queue the mails again that were being sent when their worker was killed."""
        while True:
            async with self._platform.database.control() as tx:
                abandoned = await tx.all(TAKE_ABANDONED, limit=RELAY_BATCH)
                for outbox_id in abandoned:
                    await self._platform.jobs.send_mail(tx, outbox_id)
            if len(abandoned) < RELAY_BATCH:
                return

    async def _written(self, pending: PendingMail) -> Mail:
        tenant = await self._platform.tenants.by_id(pending.tenant_id) if pending.tenant_id else None
        payload = pending.payload
        context = {"tenant_name": tenant.name if tenant else "Stegmaier", **payload["context"]}
        return render(payload["template"], payload["locale"], to=payload["to"], **context)

    async def offer_link(self, *, purpose: Purpose, email: str, tenant_id: str) -> None:
        """Send the link that somebody asked to be sent to an address, if there is anybody to send it to."""
        tenant = await self._platform.tenants.by_id(UUID(tenant_id))
        if tenant is not None and tenant.state == TenantState.ACTIVE:
            await self._platform.links.offer_if_due(self._platform.database, tenant, purpose, email)

    async def sync_member(self, *, user_id: str, tenant_id: str) -> None:
        """Copy an identity and its membership into the tenant's directory."""
        tenant = await self._platform.tenants.by_id(UUID(tenant_id))
        if tenant is not None and tenant.state == TenantState.ACTIVE:
            await copy_member(self._platform.database, self._platform.changes, tenant, UUID(user_id))
            await self._relay_all(tenant)

    async def relay_tenant(self, *, tenant_id: str) -> None:
        """Act on a tenant's events; each has one effect however often it is relayed."""
        tenant = await self._platform.tenants.by_id(UUID(tenant_id))
        if tenant is not None and tenant.state == TenantState.ACTIVE:
            await self._relay_all(tenant)

    async def _relay_all(self, tenant: Tenant) -> None:
        while await self._relay(tenant):
            pass
        await self._platform.drawing.draw_missing(tenant)

    async def _relay(self, tenant: Tenant) -> bool:
        """Relay a batch; returns whether there may be more, also because acting on these made new ones.

        When the batch fails, each of its events is tried alone, so that only the bad ones stay behind.
        """
        try:
            return await self._relay_batch(tenant)
        except Exception as error:
            if is_passing(error):
                raise
        async with self._platform.database.tenant(tenant.handle, read_only=True) as tx:
            events = await tx.all(outbox.GLANCE, limit=RELAY_BATCH)
        for event in events:
            await self._relay_one(tenant, event.id)
        return False

    async def _relay_one(self, tenant: Tenant, event_id: UUID) -> None:
        try:
            async with self._platform.database.tenant(tenant.handle) as tx:
                for event in await tx.all(outbox.ONE, id=event_id):
                    await self._act_on(tx, tenant, event)
                    await tx.execute(outbox.MARK, ids=[event.id])
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("an event cannot be acted on", tenant=tenant.slug, event_id=str(event_id))
            async with self._platform.database.tenant(tenant.handle) as tx:
                await tx.execute(outbox.FAILED, id=event_id, error=f"{type(error).__name__}: {error}"[:1000])

    async def _relay_batch(self, tenant: Tenant) -> bool:
        async with self._platform.database.tenant(tenant.handle) as tx:
            events = await tx.all(outbox.PENDING, limit=RELAY_BATCH)
            for event in events:
                await self._act_on(tx, tenant, event)
            if events:
                await tx.execute(outbox.MARK, ids=[event.id for event in events])
        return len(events) == RELAY_BATCH or tx.published

    async def _act_on(self, tx: Tx, tenant: Tenant, event: outbox.Event) -> None:
        for reaction in EVENTS.get(event.kind, ()):
            await reaction(tx, event)
        await certify(tx, self._platform.desk.house(tenant), event)
        if event.kind in MAILED:
            await self._mail_to_learner(tx, tenant, event)
        elif event.kind == QUEUED:
            async with self._platform.database.control() as control:
                await self._platform.jobs.run_job(control, tenant.id, UUID(event.payload["job_id"]))
        elif event.kind == WAKE:
            async with self._platform.database.control() as control:
                await self._platform.jobs.tick_at(control, tenant.id, datetime.fromisoformat(event.payload["at"]))

    async def tick_tenant(self, *, tenant_id: str) -> None:
        """Do what is due in a tenant."""
        tenant = await self._platform.tenants.by_id(UUID(tenant_id))
        if tenant is not None and tenant.state == TenantState.ACTIVE:
            await self._tick_all(tenant)

    async def _tick_all(self, tenant: Tenant) -> None:
        """What is due by the clock, then what follows from it. One that fails keeps no other from being done."""
        failed: Exception | None = None
        for tick in TICKS:
            try:
                while await self._tick(tenant, tick):
                    pass
            except Exception as error:
                failed = error
        await self._relay_all(tenant)
        if failed is not None:
            raise failed

    async def _tick(self, tenant: Tenant, tick: Tick) -> bool:
        async with self._platform.database.tenant(tenant.handle) as tx:
            return await tick(tx)

    async def run_job(self, *, tenant_id: str, job_id: str) -> None:
        """Do (what is left of) a tenant's job."""
        tenant = await self._platform.tenants.by_id(UUID(tenant_id))
        if tenant is not None and tenant.state == TenantState.ACTIVE:
            await self._runner.run(tenant.handle, UUID(job_id))
            await self._relay_all(tenant)

    async def _take_up_jobs(self, tenant: Tenant) -> None:
        """Queue the jobs again whose worker was killed; one that is still being done takes turns with the second."""
        async with self._platform.database.tenant(tenant.handle, read_only=True) as tx:
            forsaken = await tx.all(work.FORSAKEN, age=FORSAKEN, limit=RELAY_BATCH)
        for job_id in forsaken:
            async with self._platform.database.control() as control:
                await self._platform.jobs.run_job(control, tenant.id, job_id)

    async def _mail_to_learner(self, tx: Tx, tenant: Tenant, event: outbox.Event) -> None:
        addressee = await tx.one_or_none(ADDRESSEE, user_id=UUID(event.payload["user_id"]))
        if addressee is not None and addressee.preferences.get("emailNotifications", True):
            await self._mail_event(tenant, event, addressee)

    async def _mail_event(self, tenant: Tenant, event: outbox.Event, addressee: Addressee) -> None:
        context: Mapping[str, object] = {
            "url": f"{self._platform.settings.public_url}/courses",
            **event.payload,
            "full_name": addressee.full_name,
        }
        async with self._platform.database.control() as tx:
            await self._platform.jobs.mail(
                tx,
                event.kind,
                to=addressee.email,
                locale=addressee.locale,
                tenant_id=tenant.id,
                context=context,
                event_id=event.id,
            )

    async def sweep(self, timestamp: int) -> None:
        """Every two minutes, finish what an interrupted process left: suspensions, mails, tenants' events and jobs.

        What is due by the clock is done too. A tenant whose work cannot be done keeps nobody else's from being done.
        """
        service = TenantService(self._platform.database)
        await service.mend()
        await self._send_abandoned()
        async for tenant in service.each():
            if tenant.state != TenantState.ACTIVE:
                continue
            try:
                await self._relay_all(tenant)
                await self._tick_all(tenant)
                await self._take_up_jobs(tenant)
            except Exception as error:
                log.exception("a tenant's work cannot be done", tenant=tenant.slug, error=type(error).__name__)

    async def purge(self, timestamp: int) -> None:
        """Every hour: delete what nobody can use any more of log-ins, links, tokens and sessions."""
        retention = timedelta(days=self._platform.settings.retention_days)
        deleted = await purge(self._platform.database, datetime.now(UTC), retention)
        log.info("deleted what had ended", **deleted)
