"""Failed log-ins make the next one wait: by (tenant, address) and by client address; never for ever."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Text, any_, bindparam, case, delete, select
from sqlalchemy.dialects.postgresql import insert

from app.db.statements import Statement
from app.db.transaction import Tx
from app.errors import TooMany
from app.identity.tables import login_failures

FORGET_AFTER = timedelta(hours=1)
LONGEST_WAIT = 15 * 60
# One address behind which many people sit (a school) gets more attempts than one account.
PER_CLIENT = 10


@dataclass(frozen=True, slots=True)
class Failures:
    """What is remembered under one key."""

    key: str
    failures: int
    blocked_until: datetime | None


_KEYS = bindparam("keys", type_=ARRAY(Text))
_NOW = bindparam("now", type_=DateTime(timezone=True))
READ = Statement(
    select(login_failures.c.key, login_failures.c.failures, login_failures.c.blocked_until)
    .where(login_failures.c.key == any_(_KEYS))
    .order_by(login_failures.c.key)
    .limit(2),
    Failures,
)
_row = insert(login_failures).values(key=bindparam("key", type_=Text), failures=1, last_at=_NOW)
ADD = Statement(
    _row.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "failures": case(
                (login_failures.c.last_at < bindparam("stale", type_=DateTime(timezone=True)), 1),
                else_=login_failures.c.failures + 1,
            ),
            "last_at": _NOW,
        },
    ).returning(login_failures.c.failures),
    int,
)
BLOCK = Statement(
    insert(login_failures)
    .values(key=bindparam("key", type_=Text), failures=1, last_at=_NOW)
    .on_conflict_do_update(
        index_elements=["key"], set_={"blocked_until": bindparam("until", type_=DateTime(timezone=True))}
    ),
    int,
)
CLEAR = Statement(delete(login_failures).where(login_failures.c.key == any_(_KEYS)), int)


def keys(tenant_id: UUID, email: str, ip: str | None) -> list[str]:
    """The keys under which a log-in counts: the account's, then (when known) the client's. No address is kept."""
    account = "a:" + sha256(f"{tenant_id}:{email}".encode()).hexdigest()[:32]
    return [account, f"c:{tenant_id}:{ip}"] if ip else [account]


def wait_seconds(failures: int, allowed: int) -> int:
    """How long to wait after so many failures: nothing at first, then 2, 4, 8... seconds, 15 minutes at most."""
    if failures < allowed:
        return 0
    return min(LONGEST_WAIT, int(2 ** min(failures - allowed + 1, 20)))


async def check(tx: Tx, wanted: list[str], now: datetime) -> None:
    """Raises TooMany while one of the keys has to wait."""
    for row in await tx.all(READ, keys=wanted):
        if row.blocked_until is not None and row.blocked_until > now:
            left = math.ceil((row.blocked_until - now).total_seconds())
            raise TooMany("too many attempts; wait {retry_after} seconds and try again", retry_after=left)


async def failed(tx: Tx, wanted: list[str], now: datetime, allowed: int) -> None:
    """Count a failure under every key and set its wait."""
    for index, key in enumerate(wanted):
        count = await tx.one(ADD, key=key, now=now, stale=now - FORGET_AFTER)
        wait = wait_seconds(count, allowed if index == 0 else allowed * PER_CLIENT)
        if wait:
            await tx.execute(BLOCK, key=key, now=now, until=now + timedelta(seconds=wait))


async def succeeded(tx: Tx, wanted: list[str]) -> None:
    """Forget the account's failures; the client's stay (it may be guessing at others)."""
    await tx.execute(CLEAR, keys=wanted[:1])
