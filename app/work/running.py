"""Doing jobs: chunk by chunk, the effects and their outcomes in one transaction each.

A worker may be killed anywhere: PostgreSQL undoes the chunk that was open, and whoever comes next finds its items
pending. Two workers with the same job take turns at its row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from psycopg.types.json import Jsonb

from app.db.database import Database
from app.db.tenant import TenantHandle
from app.db.transaction import Tx
from app.errors import Conflict, Refusal, Unavailable
from app.i18n import message
from app.work import statements as sql
from app.work.rows import Handler, Item, Job, Settled

log = structlog.get_logger(__name__)

BROKEN = message("this could not be done because of an error on our side; it was reported")


class Runner:
    """Does the jobs of tenants with the handlers it was given."""

    def __init__(self, database: Database, handlers: Sequence[Handler]) -> None:
        self._database = database
        self._handlers = {handler.kind: handler for handler in handlers}

    async def run(self, tenant: TenantHandle, job_id: UUID) -> None:
        """Do what is left of a job. Returns early when another worker has it, or when it was cancelled.

        Raises Unavailable or Conflict when the database is away or busy: the queue tries again later.
        """
        one_by_one = 0
        while True:
            taken: list[Item] = []
            try:
                more = await self._chunk(tenant, job_id, taken, limit=1 if one_by_one else None)
            except Exception as error:
                if is_passing(error):
                    raise
                if not taken:
                    await self._end_without_figures(tenant, job_id, error)
                elif one_by_one:
                    await self._give_up(tenant, job_id, taken[0].number, error)
                    one_by_one -= 1
                else:
                    # One item of the chunk is the cause; the others must not suffer.
                    one_by_one = len(taken)
                continue
            one_by_one = max(0, one_by_one - 1)
            if not more:
                return

    async def _chunk(self, tenant: TenantHandle, job_id: UUID, taken: list[Item], limit: int | None) -> bool:
        """Do some items, which are noted in ``taken`` first, or end the job; whether there may be more."""
        async with self._database.tenant(tenant) as tx:
            job = await tx.one_or_none(sql.TAKE, id=job_id)
            handler = None if job is None else self._handlers.get(job.kind)
            if job is None or handler is None:
                return False
            taken += await tx.all(sql.PENDING, id=job_id, limit=limit or handler.chunk)
            if not taken:
                figures = await handler.finish(tx, job)
                await tx.execute(sql.FINISH, id=job_id, figures=Jsonb(dict(figures or {})))
                return False
            await settle(tx, job, await handler.run(tx, job, taken), taken)
            return True

    async def _end_without_figures(self, tenant: TenantHandle, job_id: UUID, error: Exception) -> None:
        """Everything is done and only its sum cannot be made: trying for ever would help nobody."""
        log.error("the figures of a job cannot be made", job_id=str(job_id), exc_info=error)
        async with self._database.tenant(tenant) as tx:
            job = await tx.one_or_none(sql.TAKE, id=job_id)
            if job is not None and not await tx.all(sql.PENDING, id=job_id, limit=1):
                await tx.execute(sql.FINISH, id=job_id, figures=Jsonb({}))

    async def _give_up(self, tenant: TenantHandle, job_id: UUID, number: int, error: Exception) -> None:
        """Settle an item as failed, unless another worker has settled it meanwhile."""
        async with self._database.tenant(tenant) as tx:
            job = await tx.one_or_none(sql.TAKE, id=job_id)
            items = await tx.all(sql.PENDING, id=job_id, limit=1)
            if job is None or not items or items[0].number != number:
                return
            if isinstance(error, Refusal):
                outcome = Settled(number, "failed", error.code, error.message, error.params)
            else:
                log.error("an item of a job failed", job_id=str(job_id), item=number, exc_info=error)
                outcome = Settled(number, "failed", "INTERNAL", BROKEN)
            await settle(tx, job, [outcome], items)


def is_passing(error: Exception) -> bool:
    """Whether the same may well succeed a moment later: the database is away, or somebody has a row."""
    return isinstance(error, Unavailable) or (isinstance(error, Conflict) and error.code == "BUSY")


async def settle(tx: Tx, job: Job, outcomes: Sequence[Settled], items: Sequence[Item]) -> Job:
    """Write what became of these items. Raises ValueError when an outcome is missing or is of no item of these."""
    if sorted(outcome.number for outcome in outcomes) != [item.number for item in items]:
        raise ValueError(f"{job.kind}: every item needs exactly one outcome")
    await tx.execute_many(
        sql.SETTLE,
        [
            {
                "id": job.id,
                "item": outcome.number,
                "status": outcome.status,
                "code": outcome.code,
                "message": outcome.message,
                "params": Jsonb(dict(outcome.params)),
                "result": _json(outcome.result),
            }
            for outcome in outcomes
        ],
    )
    counts = Counter(outcome.status for outcome in outcomes)
    more = {f"more_{name}": counts[name] for name in ("done", "skipped", "failed")}
    return await tx.one(sql.ADVANCE, "job", id=job.id, **more)


def _json(value: Mapping[str, object] | None) -> Jsonb | None:
    return None if value is None else Jsonb(dict(value))
