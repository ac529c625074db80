"""The tenant's fence: the one place that says which role and which schema a transaction runs with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from psycopg.pq.abc import PGresult

from app.db.wire import Wire

SCHEMA_NAME = re.compile(r"^t_[0-9a-f]{20}$")


@dataclass(frozen=True, slots=True)
class TenantHandle:
    """What the database needs to know of a tenant. Names come from the control schema and are checked here again."""

    id: UUID
    schema_name: str
    role_name: str
    node_number: int = 1

    def __post_init__(self) -> None:
        if not SCHEMA_NAME.match(self.schema_name) or not SCHEMA_NAME.match(self.role_name):
            raise ValueError("a tenant's schema and role are named t_ and 20 hexadecimal digits")


class TenantFenceBroken(RuntimeError):
    """A connection was found in another tenant's schema: a bug that must stop the request, never be handled."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Milliseconds a transaction may spend in one statement, waiting for a lock, and doing nothing."""

    statement: int = 10_000
    lock: int = 3_000
    idle: int = 15_000


READ_ONLY = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
READ_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
COMMIT, ROLLBACK = "COMMIT", "ROLLBACK"
# Everything is local to the transaction: afterwards the connection is back at the login role, which may use no
# tenant's schema and has an empty path, so that SQL without a tenant fails.
FENCE = (
    "SELECT set_config('role', $1, true), set_config('search_path', $2, true), "
    "set_config('statement_timeout', $3, true), set_config('lock_timeout', $4, true), "
    "set_config('idle_in_transaction_session_timeout', $5, true)"
)


@lru_cache(maxsize=8192)
def fence(tenant: TenantHandle, timeouts: Timeouts) -> tuple[Sequence[bytes], Sequence[int]]:
    """The values of ``FENCE``, which travels in one message with BEGIN and the transaction's first statement."""
    words = (tenant.role_name, tenant.schema_name, timeouts.statement, timeouts.lock, timeouts.idle)
    return tuple(str(word).encode() for word in words), (0,) * len(words)


def begin_control(timeouts: Timeouts, read_only: bool) -> str:
    """The same for the control schema, whose login role has its own fixed path and sees no tenant."""
    mode = "ISOLATION LEVEL REPEATABLE READ READ ONLY" if read_only else "ISOLATION LEVEL READ COMMITTED READ WRITE"
    return (
        f"BEGIN {mode}; SET LOCAL statement_timeout = {timeouts.statement}; "
        f"SET LOCAL lock_timeout = {timeouts.lock}; "
        f"SET LOCAL idle_in_transaction_session_timeout = {timeouts.idle}"
    )


def verify_path(wire: Wire, tenant: TenantHandle | None) -> None:
    """Tripwire: PostgreSQL 18 reports the path it really uses; refuse to go on if it is not this tenant's.

    Without a tenant (after a transaction, and in one that has failed) it must be empty. Costs a look-up in libpq, no
    round trip. Older servers report nothing; there the fence's own answer has to do.
    """
    reported = wire.parameter(b"search_path")
    wanted = b"" if tenant is None else tenant.schema_name.encode()
    if reported is not None and reported.strip(b'"') != wanted:
        raise TenantFenceBroken("connection is not in its tenant's schema")


def verify_fence(wire: Wire, fenced: PGresult | None, tenant: TenantHandle, *, ended: bool = False) -> None:
    """The same for the message that brings the fence, whose own answer says on every version what was set.

    ``fenced`` is None when the message failed before it; whoever waits for the statement is told of that. ``ended``:
    the transaction has ended, or failed, in the same message.
    """
    if fenced is not None:
        role, path = fenced.get_value(0, 0), fenced.get_value(0, 1)
        if (role, path) != (tenant.role_name.encode(), tenant.schema_name.encode()):
            raise TenantFenceBroken("the transaction ran outside its tenant's fence")
    verify_path(wire, None if ended else tenant)
