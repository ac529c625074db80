"""A tenant and its first administrator: made together or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from uuid import UUID

from sqlalchemy import Boolean, DateTime, Text, Uuid, and_, bindparam, case, func, insert, null, or_, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.db.database import Database
from app.db.errors import unique
from app.db.ids import new_id
from app.db.statements import Statement
from app.db.transaction import Tx
from app.errors import Conflict
from app.identity import validators
from app.identity.passwords import Passwords
from app.identity.tables import members, memberships, one_time_tokens, users
from app.outside.jobs import Jobs
from app.tenancy.records import Tenant
from app.tenancy.service import TenantService
from app.viewer import Role

INVITATION_DAYS = 14

_VERIFIED = case((bindparam("verified", type_=Boolean), func.now()), else_=null())
_new_user = pg_insert(users).values(
    id=bindparam("id", type_=Uuid),
    email=bindparam("email", type_=Text),
    full_name=bindparam("full_name", type_=Text),
    locale=bindparam("locale", type_=Text),
    password_hash=bindparam("password_hash", type_=Text, required=True),
    email_verified_at=_VERIFIED,
    password_changed_at=_VERIFIED,
)
# An identity that exists already (in another tenant) stays as it is, its password included; but a password that was set
# by somebody who never showed that the address is theirs must not open the administrator's account, and an account
# without a password takes the one it is given.
ADD_USER = Statement(
    _new_user.on_conflict_do_update(
        index_elements=["email"],
        index_where=users.c.deleted_at.is_(None),
        set_={name: _new_user.excluded[name] for name in ("password_hash", "email_verified_at", "password_changed_at")},
        where=or_(
            users.c.email_verified_at.is_(None),
            and_(users.c.password_hash.is_(None), _new_user.excluded.password_hash.is_not(None)),
        ),
    ),
    int,
)
USER_ID = Statement(
    select(users.c.id).where(users.c.email == bindparam("email", type_=Text), users.c.deleted_at.is_(None)), UUID
)
ADD_MEMBERSHIP = Statement(
    insert(memberships).values(
        user_id=bindparam("user_id", type_=Uuid),
        tenant_id=bindparam("tenant_id", type_=Uuid),
        role=bindparam("role", type_=Text),
        status=bindparam("status", type_=Text),
    ),
    int,
)
ADD_MEMBER = Statement(
    insert(members).values(
        user_id=bindparam("user_id", type_=Uuid),
        email=bindparam("email", type_=Text),
        full_name=bindparam("full_name", type_=Text),
        locale=bindparam("locale", type_=Text),
        role=bindparam("role", type_=Text),
        status=bindparam("status", type_=Text),
        email_verified_at=_VERIFIED,
    ),
    int,
)
ADD_INVITATION = Statement(
    insert(one_time_tokens).values(
        token_hash=bindparam("token_hash", type_=Text),
        user_id=bindparam("user_id", type_=Uuid),
        tenant_id=bindparam("tenant_id", type_=Uuid),
        purpose="invite",
        expires_at=bindparam("expires_at", type_=DateTime(timezone=True)),
    ),
    int,
)


class Founder:
    """Makes tenants with their first administrator."""

    def __init__(self, database: Database, jobs: Jobs, passwords: Passwords, public_url: str) -> None:
        self._database = database
        self._jobs = jobs
        self._passwords = passwords
        self._public_url = public_url

    async def found(
        self,
        *,
        slug: str,
        name: str,
        admin_email: str,
        admin_name: str,
        plan: str = "standard",
        locale: str = "es",
        password: str | None = None,
    ) -> Tenant:
        """Make a tenant and its administrator; without a password they get an invitation by mail to choose one.

        The identity is written in the transaction that makes the tenant active, so that a founding that fails leaves
        none. Raises: Invalid (with every bad field), Conflict (slug taken; address taken or given up meanwhile).
        """
        slug, email, full_name = await _checked(slug, admin_email, admin_name, locale, password)
        password_hash = await self._passwords.hash(password) if password else None
        async with self._database.control(read_only=True) as tx:
            user_id = await tx.scalar(USER_ID, email=email) or new_id()
        verified = password is not None
        status = "active" if password else "pending"
        service = TenantService(self._database)
        async with service.found(slug=slug, name=name, plan=plan, locale=locale) as founding:
            tenant = founding.tenant
            await founding.tx.execute(
                ADD_MEMBER, user_id=user_id, email=email, full_name=full_name, locale=locale, role=Role.ADMIN.value,
                status=status, verified=verified,
            )  # fmt: skip

            async def admit(tx: Tx) -> None:
                changed = Conflict("the account of this e-mail was changed at the same moment; try again", code="BUSY")
                with unique("pk_users", changed):
                    await tx.execute(
                        ADD_USER, id=user_id, email=email, full_name=full_name, locale=locale,
                        password_hash=password_hash, verified=verified,
                    )  # fmt: skip
                if await tx.scalar(USER_ID, email=email) != user_id:
                    raise changed
                await tx.execute(
                    ADD_MEMBERSHIP, user_id=user_id, tenant_id=tenant.id, role=Role.ADMIN.value, status=status
                )
                await self._jobs.sync_member(tx, user_id, tenant.id)
                if password is None:
                    await self._invite(tx, tenant, user_id, email, full_name, locale)

            founding.finish(admit)
        return await service.get(slug)

    async def _invite(self, tx: Tx, tenant: Tenant, user_id: UUID, email: str, full_name: str, locale: str) -> None:
        token = token_urlsafe(32)
        await tx.execute(
            ADD_INVITATION,
            token_hash=sha256(token.encode()).hexdigest(),
            user_id=user_id,
            tenant_id=tenant.id,
            expires_at=datetime.now(UTC) + timedelta(days=INVITATION_DAYS),
        )
        url = f"{self._public_url}/invitation?tenant={tenant.slug}&token={token}"
        await self._jobs.mail(
            tx, "invitation", to=email, locale=locale, tenant_id=tenant.id,
            context={"full_name": full_name, "url": url},
        )  # fmt: skip


async def _checked(slug: str, email: str, full_name: str, locale: str, password: str | None) -> tuple[str, str, str]:
    check = validators.Checks()
    slug = check("slug", validators.slug, slug)
    email = check("adminEmail", validators.email, email)
    full_name = check("adminName", validators.full_name, full_name)
    check("locale", validators.locale, locale)
    if password is not None:
        await check.slowly("password", validators.password, password, user_inputs=[email, full_name])
    check.done()
    return slug, email, full_name
