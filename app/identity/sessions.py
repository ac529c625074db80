"""The gate: what a verified token may do now, from memory, told by PostgreSQL when that is wrong."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Uuid, and_, bindparam, select

from app.db.database import Database
from app.db.statements import Statement
from app.errors import Unauthenticated
from app.identity.rows import SessionState
from app.identity.tables import memberships, sessions, users
from app.identity.tokens import Claims
from app.viewer import Role, Viewer

STATE = Statement(
    select(
        sessions.c.id.label("session_id"),
        sessions.c.user_id,
        sessions.c.tenant_id,
        sessions.c.expires_at,
        sessions.c.revoked_at,
        users.c.deleted_at.label("user_deleted_at"),
        users.c.locale,
        memberships.c.role,
        memberships.c.status,
    )
    .join(users, users.c.id == sessions.c.user_id)
    .outerjoin(
        memberships,
        and_(memberships.c.user_id == sessions.c.user_id, memberships.c.tenant_id == sessions.c.tenant_id),
    )
    .where(sessions.c.id == bindparam("id", type_=Uuid)),
    SessionState,
)


class SessionGate:
    """Answers from memory; role, suspension, revocation and deletion bite on the next request.

    Whoever changes one of these announces it in the same transaction; the short time to live only matters while a
    listener's connection is down.
    """

    def __init__(
        self, database: Database, *, ttl: float = 30.0, limit: int = 50_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._ttl = ttl
        self._limit = limit
        self._clock = clock
        self._entries: OrderedDict[UUID, tuple[float, SessionState | None]] = OrderedDict()
        self._flights: dict[UUID, asyncio.Task[SessionState | None]] = {}
        self._epoch = 0
        self.misses = 0

    async def viewer_of(self, claims: Claims) -> Viewer:
        """Who a token's bearer is now. Raises Unauthenticated when the session or the membership has ended."""
        state = await self._state(claims.session_id)
        if (
            state is None
            or state.revoked_at is not None
            or state.user_deleted_at is not None
            or state.expires_at <= datetime.now(UTC)
            or state.status != "active"
            or state.role is None
            or (state.user_id, state.tenant_id) != (claims.user_id, claims.tenant_id)
        ):
            raise Unauthenticated("your session has ended; log in again")
        return Viewer(state.user_id, state.tenant_id, state.session_id, Role(state.role), state.locale)

    def forget_session(self, session_id: UUID) -> None:
        """Drop what is remembered of one session."""
        self._start_over()
        self._entries.pop(session_id, None)

    def forget_user(self, user_id: UUID) -> None:
        """Drop what is remembered of all sessions of a person."""
        self._start_over()
        for key in [k for k, (_, s) in self._entries.items() if s is not None and s.user_id == user_id]:
            del self._entries[key]

    def clear(self) -> None:
        """Drop everything: announcements may have been missed."""
        self._start_over()
        self._entries.clear()

    def _start_over(self) -> None:
        self._epoch += 1
        self._flights = {}  # a look-up under way may have read the old state: nobody new may join it

    async def _state(self, session_id: UUID) -> SessionState | None:
        entry = self._entries.get(session_id)
        if entry is not None and entry[0] > self._clock():
            return entry[1]
        flight = self._flights.get(session_id)
        if flight is None:
            flight = asyncio.create_task(self._load(session_id))
            flights = self._flights
            flights[session_id] = flight
            flight.add_done_callback(lambda _: flights.pop(session_id, None))
        return await asyncio.shield(flight)

    async def _load(self, session_id: UUID) -> SessionState | None:
        self.misses += 1
        epoch = self._epoch
        async with self._database.control(read_only=True) as tx:
            state = await tx.one_or_none(STATE, id=session_id)
        if epoch == self._epoch:
            self._entries[session_id] = (self._clock() + self._ttl, state)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)
        return state
