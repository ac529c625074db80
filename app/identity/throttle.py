"""Failed log-ins make the next one wait: by (tenant, address) and by client address; never for ever."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network
from uuid import UUID

from sqlalchemy import DateTime, Text, bindparam, case, delete, select
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

    failures: int
    blocked_until: datetime | None


_NOW = bindparam("now", type_=DateTime(timezone=True))
_KEY = bindparam("key", type_=Text)
READ = Statement(
    select(login_failures.c.failures, login_failures.c.blocked_until).where(login_failures.c.key == _KEY), Failures
)
_row = insert(login_failures).values(key=_KEY, failures=1, last_at=_NOW)
# Whoever adds to a key holds its row until the transaction ends: attempts that come at once are counted one by one.
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
    ).returning(login_failures.c.failures, login_failures.c.blocked_until),
    Failures,
)
BLOCK = Statement(
    insert(login_failures)
    .values(key=_KEY, failures=1, last_at=_NOW)
    .on_conflict_do_update(
        index_elements=["key"], set_={"blocked_until": bindparam("until", type_=DateTime(timezone=True))}
    ),
    int,
)
CLEAR = Statement(delete(login_failures).where(login_failures.c.key == _KEY), int)


@dataclass(frozen=True, slots=True)
class Keys:
    """What a log-in is counted under: the account (its address only as a digest) and, when known, the client."""

    account: str
    client: str | None


def keys(tenant_id: UUID, email: str, ip: str | None) -> Keys:
    """The keys of a log-in to one tenant."""
    account = "a:" + sha256(f"{tenant_id}:{email}".encode()).hexdigest()[:32]
    return Keys(account, client_key("c", tenant_id, ip) if ip else None)


def client_key(what: str, tenant_id: UUID, ip: str) -> str:
    """The key of a client's attempts at something (one letter) in one tenant."""
    return f"{what}:{tenant_id}:{_network(ip)}"


def _network(ip: str) -> str:
    """The client as far as it cannot be chosen: one IPv6 connection has 2**64 addresses."""
    try:
        address = ip_address(ip)
    except ValueError:
        return ip[:64]
    if address.version == 4:
        return ip
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


def registration_key(email: str) -> str:
    """The key of registering an address, wherever: every registration sends it a mail."""
    return "r:" + sha256(email.encode()).hexdigest()[:32]


def lookup_key(tenant_id: UUID, ip: str | None) -> str:
    """The key of a client's looking for public codes of one tenant."""
    return f"l:{tenant_id}:{_network(ip) if ip else ''}"


def wait_seconds(failures: int, allowed: int) -> int:
    """How long to wait after so many failures: nothing at first, then 2, 4, 8... seconds, 15 minutes at most."""
    if failures < allowed:
        return 0
    return min(LONGEST_WAIT, int(2 ** min(failures - allowed + 1, 20)))


async def attempt(tx: Tx, wanted: Keys, now: datetime, allowed: int) -> None:
    """Count an attempt on the account before its password is looked at, or raise TooMany.

    Counting only those that turned out wrong would let through any number sent at once: they would all be under way
    before the first one is known to have failed. The client is not counted yet: a class may log in at the same time.
    """
    if wanted.client is not None:
        client = await tx.one_or_none(READ, key=wanted.client)
        _refuse_if_blocked(client, now)
    await count(tx, wanted.account, now, allowed)


async def refuse_if_blocked(tx: Tx, key: str, now: datetime) -> None:
    """Raises TooMany while a key has to wait; counts nothing."""
    found = await tx.one_or_none(READ, key=key)
    _refuse_if_blocked(found, now)


async def count(tx: Tx, key: str, now: datetime, allowed: int) -> None:
    """Count once under a key and set its next wait. Raises TooMany, having counted nothing, while it has to wait."""
    found = await tx.one(ADD, key=key, now=now, stale=now - FORGET_AFTER)
    _refuse_if_blocked(found, now)
    wait = wait_seconds(found.failures, allowed)
    if wait:
        await tx.execute(BLOCK, key=key, now=now, until=now + timedelta(seconds=wait))


def _refuse_if_blocked(found: Failures | None, now: datetime) -> None:
    if found is not None and found.blocked_until is not None and found.blocked_until > now:
        left = math.ceil((found.blocked_until - now).total_seconds())
        raise TooMany("too many attempts; wait {retry_after} seconds and try again", retry_after=left)


async def failed(tx: Tx, wanted: Keys, now: datetime, allowed: int) -> None:
    """Count a failure of the client; the account's was counted when it began."""
    if wanted.client is not None:
        await count(tx, wanted.client, now, allowed * PER_CLIENT)


async def succeeded(tx: Tx, wanted: Keys) -> None:
    """Forget the account's failures; the client's stay (it may be guessing at others)."""
    await tx.execute(CLEAR, key=wanted.account)
