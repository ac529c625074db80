"""Links sent by mail: for what, how long they work, how often somebody gets one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from app.db.database import Database
from app.db.transaction import Tx
from app.identity import statements as sql
from app.identity.rows import UserRow
from app.identity.secrets import digest, new_secret
from app.outside.jobs import Jobs
from app.tenancy.records import Tenant

Purpose = Literal["verify", "join", "invite", "reset"]
MAILS_AN_HOUR = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """A mail with a link: its template, where the link leads, how long it works."""

    template: str
    path: str
    lifetime: timedelta


KINDS: dict[Purpose, Kind] = {
    "verify": Kind("verify_email", "/verify-email", timedelta(hours=48)),
    "join": Kind("join_tenant", "/join", timedelta(hours=48)),
    "invite": Kind("invitation", "/invitation", timedelta(days=14)),
    "reset": Kind("reset_password", "/reset-password", timedelta(minutes=60)),
}


@dataclass(frozen=True, slots=True)
class Links:
    """Queues the mails about a person's account, those with a link that works once among them."""

    jobs: Jobs
    public_url: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def offer(self, tx: Tx, tenant: Tenant, user: UserRow, purpose: Purpose) -> None:
        """Send a link."""
        kind, token = KINDS[purpose], new_secret()
        await tx.execute(
            sql.ADD_TOKEN, token_hash=digest(token), user_id=user.id, tenant_id=tenant.id, purpose=purpose,
            expires_at=self.clock() + kind.lifetime,
        )  # fmt: skip
        await self.mail(tx, tenant, user, kind.template, f"{kind.path}?tenant={tenant.slug}&token={token}")

    async def mail(self, tx: Tx, tenant: Tenant, user: UserRow, template: str, path: str) -> None:
        """Send a mail that leads to a page of the web front end."""
        context = {"full_name": user.full_name, "url": f"{self.public_url}{path}"}
        await self.jobs.mail(tx, template, to=user.email, locale=user.locale, tenant_id=tenant.id, context=context)

    async def offer_if_due(self, database: Database, tenant: Tenant, purpose: Purpose, email: str) -> None:
        """Send what a stranger asked to be sent to an address, if it is somebody's who may have it now.

        A member may reset a password; whoever has not confirmed yet may get that link again.
        """
        async with database.control() as tx:
            user = await tx.one_or_none(sql.USER_BY_EMAIL, email=email)
            if user is None:
                return
            membership = await tx.one_or_none(sql.MEMBERSHIP, user_id=user.id, tenant_id=tenant.id)
            if membership is None or membership.status != ("active" if purpose == "reset" else "pending"):
                return
            if purpose == "verify" and user.password_hash is None:
                purpose = "invite"
            await tx.one(sql.USER_FOR_UPDATE, "user", id=user.id)  # two requests at once are counted one by one
            since = self.clock() - timedelta(hours=1)
            sent = await tx.scalar(sql.RECENT_TOKENS, user_id=user.id, purpose=purpose, since=since) or 0
            if sent < MAILS_AN_HOUR:
                await self.offer(tx, tenant, user, purpose)
