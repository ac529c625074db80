"""SQL of lists of addresses: who they belong to, and those that are let in beforehand."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.identity.tables import members
from app.learning.enrollment_rows import Addressed, AllowanceRow, Claim, OutcomeCount
from app.learning.enrollment_tables import enrollment_allowances
from app.work.tables import job_items

_ID = bindparam("id", type_=Uuid)
_USER = bindparam("user_id", type_=Uuid)
_COURSE = bindparam("course_id", type_=Uuid)
_IS_MEMBER = and_(members.c.status == literal_column("'active'"), members.c.email_verified_at.is_not(None))

# Who has proved to have these addresses.
MEMBERS_BY_EMAIL = Statement(
    select(members.c.user_id, members.c.email).where(
        members.c.email == any_(bindparam("emails", type_=ARRAY(Text))), _IS_MEMBER
    ),
    Addressed,
)
EMAIL_OF_MEMBER = Statement(select(members.c.email).where(members.c.user_id == _USER, _IS_MEMBER), str)

_ALLOWANCE = tuple(enrollment_allowances.c[name] for name in AllowanceRow.__dataclass_fields__)
ALLOW = Statement(
    upsert(enrollment_allowances)
    .values(
        id=_ID,
        course_id=_COURSE,
        email=bindparam("email", type_=Text),
        cohort_id=bindparam("cohort_id", type_=Uuid, required=True),
        created_by=_USER,
    )
    .on_conflict_do_nothing(index_elements=["course_id", "email"])
    .returning(enrollment_allowances.c.id),
    UUID,
)
IS_ALLOWED = Statement(
    select(enrollment_allowances.c.id).where(
        enrollment_allowances.c.course_id == _COURSE, enrollment_allowances.c.email == bindparam("email", type_=Text)
    ),
    UUID,
)
ALLOWANCE = Statement(select(*_ALLOWANCE).where(enrollment_allowances.c.id == _ID), AllowanceRow)
DISALLOW = Statement(
    delete(enrollment_allowances)
    .where(enrollment_allowances.c.id == _ID, enrollment_allowances.c.claimed_at.is_(None))
    .returning(enrollment_allowances.c.id),
    UUID,
)
# E6: whoever comes first with the address has it; nobody claims it a second time.
CLAIM = Statement(
    update(enrollment_allowances)
    .where(
        enrollment_allowances.c.email == bindparam("email", type_=Text), enrollment_allowances.c.claimed_at.is_(None)
    )
    .values(claimed_by=_USER, claimed_at=func.now())
    .returning(enrollment_allowances.c.id),
    UUID,
)
# Owners of a course's addresses who proved to have them while somebody was letting the addresses in.
UNHEARD = Statement(
    select(members.c.user_id)
    .join(enrollment_allowances, enrollment_allowances.c.email == members.c.email)
    .where(enrollment_allowances.c.course_id == _COURSE, enrollment_allowances.c.claimed_at.is_(None), _IS_MEMBER)
    .order_by(members.c.user_id)
    .limit(1000),
    UUID,
)
_CLAIMED = and_(enrollment_allowances.c.claimed_at.is_not(None), enrollment_allowances.c.outcome.is_(None))
_CLAIM = tuple(enrollment_allowances.c[name] for name in Claim.__dataclass_fields__)
FIRST_CLAIMED = Statement(
    select(*_CLAIM).where(_CLAIMED).order_by(enrollment_allowances.c.claimed_at, enrollment_allowances.c.id).limit(1),
    Claim,
)
# Asked for again once the course's seats are locked: another worker may have been faster.
SETTLE = Statement(
    update(enrollment_allowances)
    .where(enrollment_allowances.c.id == _ID, enrollment_allowances.c.outcome.is_(None))
    .values(outcome=bindparam("outcome", type_=Text))
    .returning(enrollment_allowances.c.id),
    UUID,
)
ORDER = Order(
    "enrollment_allowances:newest", (enrollment_allowances.c.created_at, enrollment_allowances.c.id), descending=True
)


@lru_cache(maxsize=4)
def allowance_page(after: bool, backward: bool) -> Statement[AllowanceRow]:
    """A page of the addresses let into a course, the newest first."""
    query = select(*_ALLOWANCE).where(enrollment_allowances.c.course_id == _COURSE)
    return Statement(keyset(query, ORDER, after=after, backward=backward), AllowanceRow)


COUNT = Statement(
    select(func.count()).select_from(enrollment_allowances).where(enrollment_allowances.c.course_id == _COURSE), int
)

# --- the rows of a bulk enrolment

_SEATED: ColumnElement[Any] = literal_column("ARRAY['', 'student']")
_CODE = job_items.c.result["outcome"].astext
SEATS_TRIED = Statement(
    select(func.count())
    .select_from(job_items)
    .where(
        job_items.c.job_id == _ID,
        literal_column("'ACTIVE'") == _CODE,
        job_items.c.payload["role"].astext == any_(_SEATED),
    ),
    int,
)
_ADDRESS = func.lower(job_items.c.payload["email"].astext)
TRIED = Statement(
    select(_ADDRESS).where(
        job_items.c.job_id == _ID,
        job_items.c.status == literal_column("'done'"),
        any_(bindparam("emails", type_=ARRAY(Text))) == _ADDRESS,
    ),
    str,
)
OUTCOMES = Statement(
    select(func.lower(job_items.c.code).label("name"), func.count().label("count"))
    .where(job_items.c.job_id == _ID, job_items.c.code.is_not(None))
    .group_by(func.lower(job_items.c.code)),
    OutcomeCount,
)
