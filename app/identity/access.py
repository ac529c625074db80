"""Sessions and their tokens: opened, rotated, revoked as a family."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import UUID

from app.db.database import Operation
from app.db.ids import new_id
from app.db.listen import announce
from app.db.transaction import Tx
from app.errors import Unauthenticated
from app.identity import statements as sql
from app.identity.passwords import Passwords
from app.identity.rows import Client, RefreshRow
from app.identity.secrets import digest, new_secret
from app.identity.sessions import SessionGate
from app.identity.tokens import AccessTokens

# A client that lost the answer to its refresh may repeat it with the same token for this long.
OVERLAP = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Access:
    """Hashes, tokens and the gate, with how long things last."""

    passwords: Passwords
    tokens: AccessTokens
    gate: SessionGate
    refresh_days: int
    session_days: int

    async def open_session(self, tx: Tx, user_id: UUID, tenant_id: UUID, client: Client) -> tuple[str, str]:
        """A new session; returns its access and refresh token."""
        session_id = new_id()
        now = datetime.now(UTC)
        await tx.execute(
            sql.ADD_SESSION, id=session_id, user_id=user_id, tenant_id=tenant_id, user_agent=client.user_agent,
            ip=_address(client.ip), expires_at=now + timedelta(days=self.session_days),
        )  # fmt: skip
        refresh = await self._add_refresh(tx, session_id, now)
        return self.tokens.issue(user_id=user_id, tenant_id=tenant_id, session_id=session_id), refresh

    async def rotate(
        self, db: Operation, tenant_id: UUID, refresh_token: str, now: datetime
    ) -> tuple[UUID, tuple[str, str]]:
        """Exchange a refresh token, which works once, for a new pair.

        Using one a second time means that two parties have it: the whole session ends, in the same transaction. The
        one exception is the session's previous token within ``OVERLAP``: a client that never got the answer. Its
        successor, unused so far, is replaced, so that the family never has two living tokens; should it turn up after
        all, somebody else had the answer.

        Raises Unauthenticated.
        """
        stolen: RefreshRow | None = None
        async with db.control() as tx:
            row = await tx.one_or_none(sql.REFRESH_FOR_UPDATE, token_hash=digest(refresh_token))
            if (
                row is None
                or row.tenant_id != tenant_id
                or row.revoked_at is not None
                or min(row.token_expires_at, row.session_expires_at) <= now
            ):
                raise _over()
            membership = await tx.one_or_none(sql.MEMBERSHIP, user_id=row.user_id, tenant_id=tenant_id)
            if membership is None or membership.status != "active":
                raise _over()
            if row.used_at is not None and not await self._is_repeat(tx, row, now):
                await tx.scalar(sql.REVOKE_SESSION, id=row.session_id, user_id=row.user_id, because="token reuse")
                await announce(tx, "session", row.session_id)
                stolen = row
            else:
                if row.used_at is None:
                    await tx.execute(sql.USE_REFRESH, token_hash=row.token_hash, now=now)
                else:
                    await tx.execute(sql.REPLACE_UNUSED_REFRESH, session_id=row.session_id)
                refresh = await self._add_refresh(tx, row.session_id, now)
                await tx.execute(sql.TOUCH_SESSION, id=row.session_id)
        if stolen is not None:
            self.gate.forget_session(stolen.session_id)
            raise _over()
        access = self.tokens.issue(user_id=row.user_id, tenant_id=tenant_id, session_id=row.session_id)
        return row.user_id, (access, refresh)

    async def _is_repeat(self, tx: Tx, row: RefreshRow, now: datetime) -> bool:
        if row.used_at is None or now - row.used_at > OVERLAP:
            return False
        return await tx.scalar(sql.PREVIOUS_REFRESH, session_id=row.session_id) == row.token_hash

    async def _add_refresh(self, tx: Tx, session_id: UUID, now: datetime) -> str:
        token = new_secret()
        await tx.execute(
            sql.ADD_REFRESH, token_hash=digest(token), session_id=session_id,
            expires_at=now + timedelta(days=self.refresh_days),
        )  # fmt: skip
        return token


def _over() -> Unauthenticated:
    return Unauthenticated("your session has ended; log in again")


def _address(text: str | None) -> str | None:
    try:
        return str(ip_address(text)) if text else None
    except ValueError:
        return None
