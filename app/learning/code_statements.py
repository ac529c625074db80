"""SQL of invite codes."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.identity.tables import members
from app.learning.enrollment_rows import CodeRow
from app.learning.enrollment_tables import invite_code_uses, invite_codes

_ID = bindparam("id", type_=Uuid)
_USER = bindparam("user_id", type_=Uuid)
_COURSE = bindparam("course_id", type_=Uuid)
_CODE = tuple(invite_codes.c[name] for name in CodeRow.__dataclass_fields__)

ADD = Statement(
    upsert(invite_codes)
    .values(
        id=_ID,
        course_id=_COURSE,
        created_by=_USER,
        **{
            name: bindparam(name, type_=invite_codes.c[name].type, required=True)
            for name in ("code_hash", "hint", "note", "expires_at", "max_uses", "emails", "domains")
        },
    )
    .returning(*_CODE),
    CodeRow,
)
CODE = Statement(select(*_CODE).where(invite_codes.c.id == _ID), CodeRow)
BY_HASH = Statement(select(*_CODE).where(invite_codes.c.code_hash == bindparam("code_hash", type_=Text)), CodeRow)
REVOKE = Statement(
    update(invite_codes)
    .where(invite_codes.c.id == _ID)
    .values(revoked_at=func.coalesce(invite_codes.c.revoked_at, func.now()))
    .returning(*_CODE),
    CodeRow,
)
# E5: counted and judged in one statement, so that the last use is nobody's twice.
USE = Statement(
    update(invite_codes)
    .where(
        invite_codes.c.id == _ID,
        invite_codes.c.revoked_at.is_(None),
        or_(invite_codes.c.expires_at.is_(None), invite_codes.c.expires_at > func.now()),
        or_(invite_codes.c.max_uses.is_(None), invite_codes.c.used_count < invite_codes.c.max_uses),
    )
    .values(used_count=invite_codes.c.used_count + 1)
    .returning(invite_codes.c.used_count),
    int,
)
ADD_USE = Statement(upsert(invite_code_uses).values(code_id=_ID, user_id=_USER).on_conflict_do_nothing(), int)
WAS_USED = Statement(
    select(invite_code_uses.c.user_id).where(invite_code_uses.c.code_id == _ID, invite_code_uses.c.user_id == _USER),
    UUID,
)
EMAIL_OF = Statement(select(members.c.email).where(members.c.user_id == _USER), str)

ORDER = Order("invite_codes:newest", (invite_codes.c.created_at, invite_codes.c.id), descending=True)


@lru_cache(maxsize=4)
def code_page(after: bool, backward: bool) -> Statement[CodeRow]:
    """A page of a course's codes, the newest first."""
    query = select(*_CODE).where(invite_codes.c.course_id == _COURSE)
    return Statement(keyset(query, ORDER, after=after, backward=backward), CodeRow)


COUNT = Statement(select(func.count()).select_from(invite_codes).where(invite_codes.c.course_id == _COURSE), int)
