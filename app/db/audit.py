"""Who did what to whom, and why: one row in the transaction that does it, never changed afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Text, Uuid, bindparam, insert
from sqlalchemy.dialects.postgresql import JSONB

from app.db.ids import new_id
from app.db.statements import Statement
from app.db.tables import audit_log
from app.db.transaction import Tx

ADD = Statement(
    insert(audit_log).values(
        id=bindparam("id", type_=Uuid),
        actor_id=bindparam("actor_id", type_=Uuid, required=True),
        action=bindparam("action", type_=Text),
        kind=bindparam("kind", type_=Text),
        subject_id=bindparam("subject_id", type_=Uuid, required=True),
        reason=bindparam("reason", type_=Text, required=True),
        changes=bindparam("changes", type_=JSONB),
    ),
    int,
)


async def record(
    tx: Tx,
    actor_id: UUID | None,
    action: str,
    *,
    kind: str,
    id: UUID | None,
    reason: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Record an act on the thing of this ``kind`` and ``id``; ``actor_id`` None is the platform itself.

    ``action`` is a word like ``enrollment.waive``. ``changes`` holds values that JSON knows, before and after.
    """
    await tx.execute(
        ADD,
        id=new_id(),
        actor_id=actor_id,
        action=action,
        kind=kind,
        subject_id=id,
        reason=reason,
        changes=Jsonb(dict(changes or {})),
    )
