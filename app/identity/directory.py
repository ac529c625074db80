"""The tenant's copy of a person: written after the control transaction, and again by a job in case that was lost."""

from __future__ import annotations

from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.changes import Changes
from app.db.database import Database
from app.db.outbox import publish
from app.identity.rows import MembershipRow, UserRow
from app.identity.statements import IS_CONFIRMED, MEMBERSHIP, PUT_MEMBER, PUT_STANDING, USER_BY_ID
from app.tenancy.records import Tenant

# An active member has proved to have their address, for the first time here.
MEMBER_CONFIRMED = "member_confirmed"


async def copy_member(
    database: Database, changes: Changes, tenant: Tenant, user_id: UUID, *, invited_as: str | None = None
) -> None:
    """Copy an identity and its membership into the tenant's directory, unless the directory has a newer copy.

    Of somebody who is not an active member only role and status are: else it would be enough to invite an address to
    read anybody's profile. ``invited_as`` is the name that the invitation gave them.
    """
    async with database.control(read_only=True) as tx:
        user = await tx.one_or_none(USER_BY_ID, id=user_id)
        membership = await tx.one_or_none(MEMBERSHIP, user_id=user_id, tenant_id=tenant.id)
    if user is None or membership is None:
        return
    if membership.status == "active":
        await write_member(database, changes, tenant, user, membership)
    else:
        await _write_standing(database, changes, tenant, user, membership, invited_as)


async def write_member(
    database: Database, changes: Changes, tenant: Tenant, user: UserRow, membership: MembershipRow
) -> None:
    """Write a directory row from an identity and a membership read together; courses show who teaches them."""
    async with changes.write(tenant.id, database.tenant(tenant.handle)) as tx:
        if user.email_verified_at is not None and await tx.scalar(IS_CONFIRMED, id=user.id) is None:
            await publish(tx, MEMBER_CONFIRMED, {"user_id": str(user.id)})
        await tx.execute(
            PUT_MEMBER,
            user_id=user.id,
            email=user.email,
            full_name=user.full_name,
            role=membership.role,
            status=membership.status,
            locale=user.locale,
            time_zone=user.time_zone,
            avatar_url=user.avatar_url,
            bio=user.bio,
            phone=user.phone,
            national_id=user.national_id,
            preferences=Jsonb(user.preferences),
            email_verified_at=user.email_verified_at,
            version=user.version,
        )


async def _write_standing(
    database: Database,
    changes: Changes,
    tenant: Tenant,
    user: UserRow,
    membership: MembershipRow,
    invited_as: str | None,
) -> None:
    # An unconfirmed identity was typed in by whoever asked for it; a confirmed one is its owner's.
    is_owned = user.email_verified_at is not None
    async with changes.write(tenant.id, database.tenant(tenant.handle)) as tx:
        await tx.execute(
            PUT_STANDING,
            user_id=user.id,
            email=user.email,
            full_name=invited_as or (user.email if is_owned else user.full_name),
            invited_as=invited_as,
            role=membership.role,
            status=membership.status,
            locale=tenant.locale if is_owned else user.locale,
        )
