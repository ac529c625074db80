"""The tenant's copy of a person: written after the control transaction, and again by a job in case that was lost."""

from __future__ import annotations

from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.changes import Changes
from app.db.database import Database
from app.identity.rows import MembershipRow, UserRow
from app.identity.statements import MEMBERSHIP, PUT_MEMBER, USER_BY_ID
from app.tenancy.records import Tenant


async def copy_member(database: Database, changes: Changes, tenant: Tenant, user_id: UUID) -> None:
    """Copy an identity and its membership into the tenant's directory, unless the directory has a newer copy."""
    async with database.control(read_only=True) as tx:
        user = await tx.one_or_none(USER_BY_ID, id=user_id)
        membership = await tx.one_or_none(MEMBERSHIP, user_id=user_id, tenant_id=tenant.id)
    if user is None or membership is None:
        return
    await write_member(database, changes, tenant, user, membership)


async def write_member(
    database: Database, changes: Changes, tenant: Tenant, user: UserRow, membership: MembershipRow
) -> None:
    """Write a directory row from an identity and a membership read together; courses show who teaches them."""
    async with changes.write(tenant.id, database.tenant(tenant.handle)) as tx:
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
