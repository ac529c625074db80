"""Making jobs, looking at them, stopping them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.database import Operation
from app.db.ids import new_id
from app.db.outbox import publish
from app.db.paging import Page, PageRequest, key_params, page_of
from app.db.transaction import Tx
from app.errors import NotFound
from app.viewer import Action, Viewer
from app.work import statements as sql
from app.work.rows import ItemRow, Job, NewItem

QUEUED = "job_queued"


async def create(
    tx: Tx,
    kind: str,
    *,
    by: UUID,
    payload: Mapping[str, Any],
    items: Sequence[NewItem],
    is_dry_run: bool = False,
) -> UUID:
    """Make a job in an open transaction; the worker takes it up after the commit. Returns its id."""
    job_id = new_id()
    await tx.execute(
        sql.ADD,
        id=job_id,
        kind=kind,
        payload=Jsonb(dict(payload)),
        total=len(items),
        is_dry_run=is_dry_run,
        created_by=by,
    )
    rows = [
        {"job_id": job_id, "number": number, "label": item.label, "payload": Jsonb(dict(item.payload))}
        for number, item in enumerate(items, start=1)
    ]
    await tx.execute_many(sql.ADD_ITEM, rows)
    await publish(tx, QUEUED, {"job_id": str(job_id)})
    return job_id


class WorkService:
    """One operation's use cases in one tenant: one's own jobs, or everybody's for an administrator."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def jobs_by_id(self, ids: list[UUID]) -> list[Job]:
        """These jobs, as far as the viewer may see them."""
        async with self.db.read() as tx:
            return [job for job in await tx.all(sql.BY_ID, ids=ids) if self._may_see(job)]

    async def jobs(self, page: PageRequest, kind: str | None) -> Page[Job]:
        """A page of jobs, the newest first. Raises: Unauthenticated, Forbidden."""
        wanted = self._wanted(kind)
        statement = sql.job_page(frozenset(wanted), page.key is not None, page.backward)
        async with self.db.read() as tx:
            return page_of(page, await tx.all(statement, **key_params(page), **wanted))

    async def count_jobs(self, kind: str | None) -> int:
        """How many jobs there are."""
        wanted = self._wanted(kind)
        async with self.db.read() as tx:
            return await tx.scalar(sql.job_count(frozenset(wanted)), **wanted) or 0

    async def items(self, job_id: UUID, page: PageRequest, status: str | None) -> Page[ItemRow]:
        """A page of a job's items in their order."""
        wanted = {} if status is None else {"status": status}
        statement = sql.item_page(status is not None, page.key is not None, page.backward)
        async with self.db.read() as tx:
            return page_of(page, await tx.all(statement, id=job_id, **key_params(page), **wanted))

    async def count_items(self, job_id: UUID, status: str | None) -> int:
        """How many items a job has."""
        wanted = {} if status is None else {"status": status}
        async with self.db.read() as tx:
            return await tx.scalar(sql.item_count(status is not None), id=job_id, **wanted) or 0

    async def cancel_job(self, job_id: UUID) -> Job:
        """Stop a job after the chunk that is being done; what is done stays. One that has ended stays as it is.

        Raises: Unauthenticated, Forbidden, NotFound.
        """
        self.viewer.require(Action.RUN_JOBS)
        async with self.db.write() as tx:
            [*found] = await tx.all(sql.BY_ID, ids=[job_id])
            if not found or not self._may_see(found[0]):
                raise NotFound("job")
            return await tx.one(sql.CANCEL, "job", id=job_id)

    def _wanted(self, kind: str | None) -> dict[str, Any]:
        own = self.viewer.require(Action.RUN_JOBS)
        wanted: dict[str, Any] = {} if kind is None else {"kind": kind}
        return wanted if self.viewer.may(Action.EDIT_ANY_COURSE) else {**wanted, "created_by": own}

    def _may_see(self, job: Job) -> bool:
        return self.viewer.may(Action.RUN_JOBS) and (
            job.created_by == self.viewer.user_id or self.viewer.may(Action.EDIT_ANY_COURSE)
        )
