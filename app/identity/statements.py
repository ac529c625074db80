"""The identity room's SQL: control schema first, the tenant's directory at the end."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.identity.rows import (
    MemberRow,
    MembershipRow,
    MyMembershipRow,
    OneTimeRow,
    RefreshRow,
    SessionRow,
    UserRow,
)
from app.identity.tables import members, memberships, one_time_tokens, refresh_tokens, sessions, users
from app.tenancy.records import TenantState
from app.tenancy.tables import tenants

TIME = DateTime(timezone=True)
_ID = bindparam("id", type_=Uuid)
_USER = bindparam("user_id", type_=Uuid)
_TENANT = bindparam("tenant_id", type_=Uuid)
_SESSION = bindparam("session_id", type_=Uuid)
_HASH = bindparam("token_hash", type_=Text)
_USER_COLUMNS = tuple(users.c[name] for name in UserRow.__dataclass_fields__)

USER_BY_EMAIL = Statement(
    select(*_USER_COLUMNS).where(users.c.email == bindparam("email", type_=Text), users.c.deleted_at.is_(None)), UserRow
)
USER_BY_ID = Statement(select(*_USER_COLUMNS).where(users.c.id == _ID, users.c.deleted_at.is_(None)), UserRow)
USER_FOR_UPDATE = Statement(
    select(*_USER_COLUMNS).where(users.c.id == _ID, users.c.deleted_at.is_(None)).with_for_update(), UserRow
)
ADD_USER = Statement(
    upsert(users)
    .values(
        id=_ID,
        email=bindparam("email", type_=Text),
        password_hash=bindparam("password_hash", type_=Text, required=True),
        full_name=bindparam("full_name", type_=Text),
        locale=bindparam("locale", type_=Text),
    )
    .on_conflict_do_nothing()
    .returning(users.c.id),
    UUID,
)
SET_PASSWORD = Statement(
    update(users)
    .where(users.c.id == _ID)
    .values(
        password_hash=bindparam("password_hash", type_=Text), password_changed_at=func.now(), updated_at=func.now()
    ),
    int,
)
CLAIM = Statement(
    update(users)
    .where(users.c.id == _ID)
    .values(
        password_hash=bindparam("password_hash", type_=Text),
        full_name=bindparam("full_name", type_=Text),
        locale=bindparam("locale", type_=Text),
        password_changed_at=func.now(),
        version=users.c.version + 1,
        updated_at=func.now(),
    ),
    int,
)
REHASH = Statement(
    update(users)
    .where(users.c.id == _ID, users.c.password_hash == bindparam("old", type_=Text))
    .values(password_hash=bindparam("password_hash", type_=Text)),
    int,
)
VERIFY_EMAIL = Statement(
    update(users)
    .where(users.c.id == _ID, users.c.email_verified_at.is_(None))
    .values(email_verified_at=func.now(), version=users.c.version + 1, updated_at=func.now()),
    int,
)
PROFILE_FIELDS = ("full_name", "locale", "time_zone", "avatar_url", "bio", "phone", "national_id")
UPDATE_PROFILE = Statement(
    update(users)
    .where(users.c.id == _ID)
    .values(
        {name: bindparam(name, type_=Text, required=True) for name in PROFILE_FIELDS}
        | {
            "preferences": bindparam("preferences", type_=JSONB),
            "version": users.c.version + 1,
            "updated_at": func.now(),
        }
    ),
    int,
)

_MEMBERSHIP = tuple(memberships.c[name] for name in MembershipRow.__dataclass_fields__)
MEMBERSHIP = Statement(
    select(*_MEMBERSHIP).where(memberships.c.user_id == _USER, memberships.c.tenant_id == _TENANT), MembershipRow
)
MEMBERSHIP_FOR_UPDATE = Statement(
    select(*_MEMBERSHIP).where(memberships.c.user_id == _USER, memberships.c.tenant_id == _TENANT).with_for_update(),
    MembershipRow,
)
# Every administrator's row is locked, so that of two who demote each other only one succeeds.
ADMINS_FOR_UPDATE = Statement(
    select(memberships.c.user_id)
    .where(memberships.c.tenant_id == _TENANT, memberships.c.role == "admin", memberships.c.status == "active")
    .order_by(memberships.c.user_id)
    .limit(1000)
    .with_for_update(),
    UUID,
)
PUT_MEMBERSHIP = Statement(
    upsert(memberships)
    .values(
        user_id=_USER, tenant_id=_TENANT, role=bindparam("role", type_=Text), status=bindparam("status", type_=Text)
    )
    .on_conflict_do_update(
        index_elements=["user_id", "tenant_id"],
        set_={
            "role": bindparam("role", type_=Text),
            "status": bindparam("status", type_=Text),
            "updated_at": func.now(),
        },
    ),
    int,
)
MY_MEMBERSHIPS = Statement(
    select(
        tenants.c.id.label("tenant_id"),
        tenants.c.slug.label("tenant_slug"),
        tenants.c.name.label("tenant_name"),
        memberships.c.role,
        memberships.c.created_at,
    )
    .join(tenants, tenants.c.id == memberships.c.tenant_id)
    .where(
        memberships.c.user_id == _USER, memberships.c.status == "active", tenants.c.state == TenantState.ACTIVE.value
    )
    .order_by(tenants.c.slug, tenants.c.id)
    .limit(200),
    MyMembershipRow,
)
MEMBERSHIP_TENANTS = Statement(
    select(memberships.c.tenant_id)
    .where(memberships.c.user_id == _USER, memberships.c.status != "removed")
    .order_by(memberships.c.tenant_id)
    .limit(1000),
    UUID,
)

ADD_SESSION = Statement(
    insert(sessions).values(
        id=_ID,
        user_id=_USER,
        tenant_id=_TENANT,
        user_agent=bindparam("user_agent", type_=Text, required=True),
        ip=bindparam("ip", type_=INET, required=True),
        last_used_at=func.now(),
        expires_at=bindparam("expires_at", type_=TIME),
    ),
    int,
)
SESSIONS = Statement(
    select(
        sessions.c.id,
        sessions.c.user_agent,
        func.host(sessions.c.ip).label("ip"),
        sessions.c.created_at,
        sessions.c.last_used_at,
        sessions.c.expires_at,
    )
    .where(
        sessions.c.user_id == _USER,
        sessions.c.tenant_id == _TENANT,
        sessions.c.revoked_at.is_(None),
        sessions.c.expires_at > func.now(),
    )
    .order_by(sessions.c.last_used_at.desc(), sessions.c.id.desc())
    .limit(100),
    SessionRow,
)
TOUCH_SESSION = Statement(update(sessions).where(sessions.c.id == _ID).values(last_used_at=func.now()), int)
REVOKE_SESSION = Statement(
    update(sessions)
    .where(sessions.c.id == _ID, sessions.c.user_id == _USER, sessions.c.revoked_at.is_(None))
    .values(revoked_at=func.now(), revoked_because=bindparam("because", type_=Text))
    .returning(sessions.c.id),
    UUID,
)
REVOKE_OTHERS = Statement(
    update(sessions)
    .where(sessions.c.user_id == _USER, sessions.c.revoked_at.is_(None), sessions.c.id != bindparam("keep", type_=Uuid))
    .values(revoked_at=func.now(), revoked_because=bindparam("because", type_=Text)),
    int,
)
REVOKE_IN_TENANT = Statement(
    update(sessions)
    .where(sessions.c.user_id == _USER, sessions.c.tenant_id == _TENANT, sessions.c.revoked_at.is_(None))
    .values(revoked_at=func.now(), revoked_because=bindparam("because", type_=Text)),
    int,
)
ADD_REFRESH = Statement(
    insert(refresh_tokens).values(
        token_hash=_HASH, session_id=_SESSION, expires_at=bindparam("expires_at", type_=TIME)
    ),
    int,
)
# The session's row is what two refreshes of one family queue on.
REFRESH_FOR_UPDATE = Statement(
    select(
        refresh_tokens.c.token_hash,
        refresh_tokens.c.session_id,
        refresh_tokens.c.expires_at.label("token_expires_at"),
        refresh_tokens.c.used_at,
        sessions.c.user_id,
        sessions.c.tenant_id,
        sessions.c.expires_at.label("session_expires_at"),
        sessions.c.revoked_at,
    )
    .join(sessions, sessions.c.id == refresh_tokens.c.session_id)
    .where(refresh_tokens.c.token_hash == _HASH)
    .with_for_update(),
    RefreshRow,
)
USE_REFRESH = Statement(
    update(refresh_tokens).where(refresh_tokens.c.token_hash == _HASH).values(used_at=bindparam("now", type_=TIME)),
    int,
)
PREVIOUS_REFRESH = Statement(
    select(refresh_tokens.c.token_hash)
    .where(refresh_tokens.c.session_id == _SESSION, refresh_tokens.c.used_at.is_not(None))
    .order_by(refresh_tokens.c.used_at.desc(), refresh_tokens.c.created_at.desc(), refresh_tokens.c.token_hash)
    .limit(1),
    str,
)
# Used, but so long ago that it is nobody's previous token: whoever comes with it has got what a client never received.
REPLACE_UNUSED_REFRESH = Statement(
    update(refresh_tokens)
    .where(refresh_tokens.c.session_id == _SESSION, refresh_tokens.c.used_at.is_(None))
    .values(used_at=func.to_timestamp(0)),
    int,
)

ADD_TOKEN = Statement(
    insert(one_time_tokens).values(
        token_hash=_HASH,
        user_id=_USER,
        tenant_id=_TENANT,
        purpose=bindparam("purpose", type_=Text),
        expires_at=bindparam("expires_at", type_=TIME),
    ),
    int,
)
TOKEN_FOR_UPDATE = Statement(
    select(
        one_time_tokens.c.user_id,
        one_time_tokens.c.tenant_id,
        one_time_tokens.c.purpose,
        one_time_tokens.c.expires_at,
        one_time_tokens.c.used_at,
    )
    .where(one_time_tokens.c.token_hash == _HASH)
    .with_for_update(),
    OneTimeRow,
)
USE_TOKEN = Statement(
    update(one_time_tokens).where(one_time_tokens.c.token_hash == _HASH).values(used_at=func.now()), int
)
# A void link has expired, so that clicking it does not look like clicking twice.
VOID_TOKENS = Statement(
    update(one_time_tokens)
    .where(
        one_time_tokens.c.user_id == _USER,
        one_time_tokens.c.purpose == bindparam("purpose", type_=Text),
        one_time_tokens.c.used_at.is_(None),
    )
    .values(used_at=func.now(), expires_at=func.now()),
    int,
)
VOID_IN_TENANT = Statement(
    update(one_time_tokens)
    .where(one_time_tokens.c.user_id == _USER, one_time_tokens.c.tenant_id == _TENANT)
    .values(used_at=func.coalesce(one_time_tokens.c.used_at, func.now()), expires_at=func.now()),
    int,
)
RECENT_TOKENS = Statement(
    select(func.count())
    .select_from(one_time_tokens)
    .where(
        one_time_tokens.c.user_id == _USER,
        one_time_tokens.c.purpose == bindparam("purpose", type_=Text),
        one_time_tokens.c.created_at > bindparam("since", type_=TIME),
    ),
    int,
)

_SORT_NAME = func.extensions.fold(members.c.full_name, type_=Text)
MEMBER_COLUMNS = (
    *(members.c[name] for name in MemberRow.__dataclass_fields__ if name != "sort_name"),
    _SORT_NAME.label("sort_name"),
)
MEMBERS_BY_ID = Statement(
    select(*MEMBER_COLUMNS).where(members.c.user_id == any_(bindparam("ids", type_=ARRAY(Uuid)))), MemberRow
)
ME = Statement(select(*MEMBER_COLUMNS).where(members.c.user_id == _ID, members.c.status == "active"), MemberRow)
IS_CONFIRMED = Statement(
    select(members.c.user_id).where(
        members.c.user_id == _ID, members.c.status == "active", members.c.email_verified_at.is_not(None)
    ),
    UUID,
)
_COPY = {
    name: bindparam(name, type_=members.c[name].type, required=True)
    for name in MemberRow.__dataclass_fields__
    if name not in {"created_at", "updated_at", "sort_name"}
}
# Role and status are the membership's, read in the same control transaction; the guard keeps an older copy away.
PUT_MEMBER = Statement(
    upsert(members)
    .values(_COPY)
    .on_conflict_do_update(
        index_elements=["user_id"],
        set_={**{name: value for name, value in _COPY.items() if name != "user_id"}, "updated_at": func.now()},
        where=members.c.version <= bindparam("version", type_=Integer),
    ),
    int,
)

# Somebody who has not come yet or has left: where they stand, and nothing of who they are elsewhere.
PUT_STANDING = Statement(
    upsert(members)
    .values({name: _COPY[name] for name in ("user_id", "email", "full_name", "role", "status", "locale")})
    .on_conflict_do_update(
        index_elements=["user_id"],
        set_={
            "full_name": func.coalesce(bindparam("invited_as", type_=Text), members.c.full_name),
            "role": _COPY["role"],
            "status": _COPY["status"],
            "updated_at": func.now(),
        },
    ),
    int,
)

ORDERS = {
    "NAME": Order("members:name", (_SORT_NAME, members.c.user_id)),
    "NEWEST": Order("members:newest", (members.c.created_at, members.c.user_id), descending=True),
}


def _literally(text: ColumnElement[str]) -> ColumnElement[str]:
    """A text as a LIKE pattern that matches just itself: addresses are full of underscores."""
    for special in ("\\", "%", "_"):
        text = func.replace(text, special, f"\\{special}", type_=Text)
    return text


def _filtered(query: Select[Any], used: frozenset[str]) -> Select[Any]:
    if "search" in used:
        wanted = func.extensions.fold(bindparam("search", type_=Text), type_=Text)
        query = query.where(members.c.search_text.contains(_literally(wanted)))
    if "role" in used:
        query = query.where(members.c.role == bindparam("role", type_=Text))
    if "status" in used:
        return query.where(members.c.status == bindparam("status", type_=Text))
    return query.where(or_(members.c.status == "active", members.c.status == "pending"))


@lru_cache(maxsize=128)
def member_page(used: frozenset[str], order: str, after: bool, backward: bool) -> Statement[MemberRow]:
    """A page of the directory with these filters in this order."""
    return Statement(
        keyset(_filtered(select(*MEMBER_COLUMNS), used), ORDERS[order], after=after, backward=backward), MemberRow
    )


@lru_cache(maxsize=32)
def member_count(used: frozenset[str]) -> Statement[int]:
    """How many members there are with these filters."""
    return Statement(_filtered(select(func.count()).select_from(members), used), int)
