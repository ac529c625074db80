"""Requests that may be repeated: the same key and payload give the same result, however often and at once."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import orjson
from sqlalchemy import Text, Uuid, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db.statements import Statement
from app.db.tables import idempotency_keys
from app.db.transaction import Tx
from app.errors import Conflict

_USER = bindparam("user_id", type_=Uuid)
_KEY = bindparam("key", type_=Text)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a key stands for."""

    operation: str
    fingerprint: str
    result_id: UUID | None


# A second request with the same key waits here until the first one has committed or given up.
CLAIM = Statement(
    insert(idempotency_keys)
    .values(
        user_id=_USER,
        key=_KEY,
        operation=bindparam("operation", type_=Text),
        fingerprint=bindparam("fingerprint", type_=Text),
    )
    .on_conflict_do_nothing()
    .returning(idempotency_keys.c.key),
    str,
)
FIND = Statement(
    select(idempotency_keys.c.operation, idempotency_keys.c.fingerprint, idempotency_keys.c.result_id).where(
        idempotency_keys.c.user_id == _USER, idempotency_keys.c.key == _KEY
    ),
    Remembered,
)
SETTLE = Statement(
    update(idempotency_keys)
    .where(idempotency_keys.c.user_id == _USER, idempotency_keys.c.key == _KEY)
    .values(result_id=bindparam("result_id", type_=Uuid)),
    int,
)


def fingerprint(payload: object) -> str:
    """A digest of what was asked, independent of the order of its fields."""
    return sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


async def recall(tx: Tx, user_id: UUID, key: str, operation: str, payload: object) -> UUID | None:
    """The result of the first request with this key, or None when this is the first.

    Raises Conflict (IDEMPOTENCY_KEY_REUSED) when the key was used for something else.
    """
    mark = fingerprint(payload)
    if await tx.scalar(CLAIM, user_id=user_id, key=key, operation=operation, fingerprint=mark) is not None:
        return None
    found = await tx.one(FIND, "record", user_id=user_id, key=key)
    if (found.operation, found.fingerprint) != (operation, mark):
        raise Conflict(
            "this idempotency key was used for another request; use a new one", code="IDEMPOTENCY_KEY_REUSED"
        )
    return found.result_id


async def settle(tx: Tx, user_id: UUID, key: str, result_id: UUID) -> None:
    """Remember the result of the first request."""
    await tx.execute(SETTLE, user_id=user_id, key=key, result_id=result_id)
