"""SQL of jobs and their items."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    Integer,
    Interval,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.work.rows import Item, ItemRow, Job
from app.work.tables import job_items, jobs

_ID = bindparam("id", type_=Uuid)
_JOB = tuple(jobs.c[name] for name in Job.__dataclass_fields__)
_ITEM = tuple(job_items.c[name] for name in ItemRow.__dataclass_fields__)

ADD = Statement(
    insert(jobs).values(
        id=_ID,
        kind=bindparam("kind", type_=Text),
        payload=bindparam("payload", type_=JSONB),
        total=bindparam("total", type_=Integer),
        is_dry_run=bindparam("is_dry_run", type_=Boolean),
        created_by=bindparam("created_by", type_=Uuid),
    ),
    int,
)
ADD_ITEM = Statement(
    insert(job_items).values(
        job_id=bindparam("job_id", type_=Uuid),
        number=bindparam("number", type_=Integer),
        label=bindparam("label", type_=Text),
        payload=bindparam("payload", type_=JSONB),
    ),
    int,
)
BY_ID = Statement(select(*_JOB).where(jobs.c.id == any_(bindparam("ids", type_=ARRAY(Uuid)))), Job)
# Whoever has the row is doing a chunk of it at this moment; a worker that was killed has lost it with its connection.
TAKE = Statement(
    select(*_JOB).where(jobs.c.id == _ID, jobs.c.finished_at.is_(None)).with_for_update(skip_locked=True), Job
)
PENDING = Statement(
    select(job_items.c.number, job_items.c.label, job_items.c.payload)
    .where(job_items.c.job_id == _ID, job_items.c.status == "pending")
    .order_by(job_items.c.job_id, job_items.c.number)
    .limit(bindparam("limit", type_=Integer)),
    Item,
)
SETTLE = Statement(
    update(job_items)
    .where(
        job_items.c.job_id == _ID,
        job_items.c.number == bindparam("item", type_=Integer),
        job_items.c.status == "pending",
    )
    .values(
        status=bindparam("status", type_=Text),
        code=bindparam("code", type_=Text, required=True),
        message=bindparam("message", type_=Text, required=True),
        params=bindparam("params", type_=JSONB),
        result=bindparam("result", type_=JSONB, required=True),
    ),
    int,
)
_MORE = {name: jobs.c[name] + bindparam(f"more_{name}", type_=Integer) for name in ("done", "skipped", "failed")}
ADVANCE = Statement(
    update(jobs)
    .where(jobs.c.id == _ID)
    .values(**_MORE, state="running", started_at=func.coalesce(jobs.c.started_at, func.now()), updated_at=func.now())
    .returning(*_JOB),
    Job,
)
FINISH = Statement(
    update(jobs)
    .where(jobs.c.id == _ID)
    .values(
        state="done",
        figures=bindparam("figures", type_=JSONB),
        started_at=func.coalesce(jobs.c.started_at, func.now()),
        finished_at=func.now(),
        updated_at=func.now(),
    ),
    int,
)
CANCEL = Statement(
    update(jobs)
    .where(jobs.c.id == _ID)
    .values(
        state=case((jobs.c.finished_at.is_(None), "cancelled"), else_=jobs.c.state),
        finished_at=func.coalesce(jobs.c.finished_at, func.now()),
        updated_at=func.now(),
    )
    .returning(*_JOB),
    Job,
)
FORSAKEN = Statement(
    select(jobs.c.id)
    .where(
        jobs.c.finished_at.is_(None), jobs.c.updated_at < func.now() - cast(bindparam("age", type_=Interval), Interval)
    )
    .order_by(jobs.c.updated_at, jobs.c.id)
    .limit(bindparam("limit", type_=Integer)),
    UUID,
)

ORDER = Order("jobs:newest", (jobs.c.created_at, jobs.c.id), descending=True)
ITEM_ORDER = Order("jobs:items", (job_items.c.job_id, job_items.c.number))
_FILTERS = {
    "created_by": jobs.c.created_by == bindparam("created_by", type_=Uuid),
    "kind": jobs.c.kind == bindparam("kind", type_=Text),
}


@lru_cache(maxsize=16)
def job_page(used: frozenset[str], after: bool, backward: bool) -> Statement[Job]:
    """A page of jobs with these filters, the newest first."""
    query = select(*_JOB).where(*(_FILTERS[name] for name in sorted(used)))
    return Statement(keyset(query, ORDER, after=after, backward=backward), Job)


@lru_cache(maxsize=4)
def job_count(used: frozenset[str]) -> Statement[int]:
    """How many jobs there are with these filters."""
    return Statement(select(func.count()).select_from(jobs).where(*(_FILTERS[name] for name in sorted(used))), int)


@lru_cache(maxsize=8)
def item_page(by_status: bool, after: bool, backward: bool) -> Statement[ItemRow]:
    """A page of a job's items in their order."""
    query = select(*_ITEM).where(job_items.c.job_id == _ID)
    if by_status:
        query = query.where(job_items.c.status == bindparam("status", type_=Text))
    return Statement(keyset(query, ITEM_ORDER, after=after, backward=backward), ItemRow)


@lru_cache(maxsize=2)
def item_count(by_status: bool) -> Statement[int]:
    """How many items a job has."""
    query = select(func.count()).select_from(job_items).where(job_items.c.job_id == _ID)
    if by_status:
        query = query.where(job_items.c.status == bindparam("status", type_=Text))
    return Statement(query, int)
