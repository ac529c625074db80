"""Domain events: written in the transaction that causes them, so that neither exists without the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, Integer, Text, Uuid, any_, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from app.db.ids import new_id
from app.db.statements import Statement
from app.db.tables import tenant_outbox
from app.db.transaction import Tx


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a tenant."""

    id: UUID
    kind: str
    payload: dict[str, Any]


ADD = Statement(
    insert(tenant_outbox).values(
        id=bindparam("id", type_=Uuid),
        kind=bindparam("kind", type_=Text),
        payload=bindparam("payload", type_=JSONB),
    ),
    int,
)
MOST_ATTEMPTS = 20  # after so many failures an event waits for a person; see docs/decisions/0007-work.md
# Locked rows are another relay's; skipping them lets two run without doing anything twice.
PENDING = Statement(
    select(tenant_outbox.c.id, tenant_outbox.c.kind, tenant_outbox.c.payload)
    .where(tenant_outbox.c.relayed_at.is_(None), tenant_outbox.c.attempts < MOST_ATTEMPTS)
    .order_by(tenant_outbox.c.created_at, tenant_outbox.c.id)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True),
    Event,
)
GLANCE = Statement(
    select(tenant_outbox.c.id, tenant_outbox.c.kind, tenant_outbox.c.payload)
    .where(tenant_outbox.c.relayed_at.is_(None), tenant_outbox.c.attempts < MOST_ATTEMPTS)
    .order_by(tenant_outbox.c.created_at, tenant_outbox.c.id)
    .limit(bindparam("limit", type_=Integer)),
    Event,
)
ONE = Statement(
    select(tenant_outbox.c.id, tenant_outbox.c.kind, tenant_outbox.c.payload)
    .where(tenant_outbox.c.id == bindparam("id", type_=Uuid), tenant_outbox.c.relayed_at.is_(None))
    .with_for_update(skip_locked=True),
    Event,
)
FAILED = Statement(
    update(tenant_outbox)
    .where(tenant_outbox.c.id == bindparam("id", type_=Uuid), tenant_outbox.c.relayed_at.is_(None))
    .values(attempts=tenant_outbox.c.attempts + 1, last_error=bindparam("error", type_=Text)),
    int,
)
MARK = Statement(
    update(tenant_outbox)
    .where(tenant_outbox.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .values(relayed_at=func.now()),
    int,
)


async def publish(tx: Tx, kind: str, payload: Mapping[str, Any]) -> None:
    """Record an event in the tenant's outbox; the worker relays it after the commit, at least once, by its id."""
    tx.published = True
    await tx.execute(ADD, id=new_id(), kind=kind, payload=Jsonb(dict(payload)))
