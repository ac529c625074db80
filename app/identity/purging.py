"""Deletes what nobody can use any more: counted log-ins, links, refresh tokens, sessions; a batch a transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    DateTime,
    Delete,
    Integer,
    Select,
    any_,
    bindparam,
    delete,
    func,
    or_,
    select,
)

from app.db.database import Database
from app.db.statements import Statement
from app.identity.tables import login_failures, one_time_tokens, refresh_tokens, sessions
from app.identity.throttle import FORGET_AFTER, LONGEST_WAIT

BATCH = 1000
# Failures count for an hour and make wait for a quarter of one: after a day a row means nothing.
FAILURES_KEPT = max(timedelta(days=1), FORGET_AFTER, timedelta(seconds=LONGEST_WAIT))

_BEFORE = bindparam("before", type_=DateTime(timezone=True))
_ended = or_(sessions.c.expires_at < _BEFORE, sessions.c.revoked_at < _BEFORE)


def _purge(key: Column[Any], found: Select[Any]) -> Delete:
    """Delete a batch of the rows whose keys are found; those that somebody is working on are for the next run.

    An array is made once, while a plan may ask an IN (SELECT ... LIMIT) again and again, and so delete more.
    """
    batch = found.limit(bindparam("limit", type_=Integer)).with_for_update(skip_locked=True, of=key.table)
    keys = func.array(batch.scalar_subquery(), type_=ARRAY(key.type))
    return delete(key.table).where(key == any_(keys))


def _older(key: Column[Any], time: ColumnElement[datetime]) -> Delete:
    return _purge(key, select(key).where(time < _BEFORE).order_by(time, key))


FAILURES = Statement(_older(login_failures.c.key, login_failures.c.last_at), int)
# Used links have a time at which they expire like the others, two weeks after they were sent at the latest.
LINKS = Statement(_older(one_time_tokens.c.token_hash, one_time_tokens.c.expires_at), int)
# A used token that turns up again is what ends a stolen session, but one that has expired is refused anyway.
EXPIRED_REFRESH = Statement(_older(refresh_tokens.c.token_hash, refresh_tokens.c.expires_at), int)
# Before the sessions themselves: one of them may have thousands, which its deletion would take along in one go.
ORPHANED_REFRESH = Statement(
    _purge(
        refresh_tokens.c.token_hash,
        select(refresh_tokens.c.token_hash).join(sessions, sessions.c.id == refresh_tokens.c.session_id).where(_ended),
    ),
    int,
)
SESSIONS = Statement(_purge(sessions.c.id, select(sessions.c.id).where(_ended).order_by(sessions.c.id)), int)


async def purge(database: Database, now: datetime, retention: timedelta, *, batch: int = BATCH) -> dict[str, int]:
    """Delete what ended longer than ``retention`` ago; returns how many rows of each table.

    Failed log-ins are kept for a day and refresh tokens until they expire, whatever the retention.
    """
    steps = (
        ("login_failures", FAILURES, now - FAILURES_KEPT),
        ("one_time_tokens", LINKS, now - retention),
        ("refresh_tokens", EXPIRED_REFRESH, now),
        ("refresh_tokens", ORPHANED_REFRESH, now - retention),
        ("sessions", SESSIONS, now - retention),
    )
    deleted = {name: 0 for name, _, _ in steps}
    for name, statement, before in steps:
        count = batch
        while count == batch:
            async with database.control() as tx:
                count = await tx.execute(statement, before=before, limit=batch)
            deleted[name] += count
    return deleted
