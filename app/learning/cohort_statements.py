"""SQL of cohorts, and of what is expected of their members (E13)."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DateTime,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.learning.enrollment_rows import AssignmentRow, CohortRow, NamedCohort, StatusCount
from app.learning.enrollment_tables import cohort_members, cohorts
from app.learning.rows import EnrollmentRow
from app.learning.statements import enrollment_select
from app.learning.tables import enrollments

_ID = bindparam("id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_USER = bindparam("user_id", type_=Uuid)
_COURSE = bindparam("course_id", type_=Uuid)
_COHORT = tuple(cohorts.c[name] for name in CohortRow.__dataclass_fields__)

NOW = Statement(select(func.now()), datetime)


def _days(count: object) -> object:
    return func.make_interval(0, 0, 0, count)


# E13: nothing of this is stored; it is what time and progress make of the deadline.
DEADLINE = func.coalesce(
    cohorts.c.due_at, enrollments.c.activated_at + _days(cohorts.c.due_days), type_=DateTime(timezone=True)
)
_IS_WAIVED = cohort_members.c.waived_at.is_not(None)
_IS_DONE = enrollments.c.completed_at.is_not(None)
STATUS = case(
    (_IS_WAIVED, literal_column("'waived'", Text)),
    (_IS_DONE, literal_column("'completed'", Text)),
    (func.now() >= DEADLINE, literal_column("'overdue'", Text)),
    (DEADLINE - _days(cohorts.c.risk_days) <= func.now(), literal_column("'at_risk'", Text)),
    (enrollments.c.last_activity_at.is_not(None), literal_column("'in_progress'", Text)),
    else_=literal_column("'not_started'", Text),
)
COMPLIANCE = case(
    (_IS_WAIVED, literal_column("'compliant'", Text)),
    (_IS_DONE, literal_column("'compliant'", Text)),
    (DEADLINE + _days(cohorts.c.grace_days) <= func.now(), literal_column("'non_compliant'", Text)),
    (func.now() >= DEADLINE, literal_column("'in_grace_period'", Text)),
    else_=literal_column("'pending'", Text),
)

_FIELDS = ("name", "due_at", "due_days", "grace_days", "risk_days")
_GIVEN = {name: bindparam(name, type_=cohorts.c[name].type, required=True) for name in _FIELDS}
ADD = Statement(
    upsert(cohorts)
    .values(id=_ID, course_id=_COURSE, **_GIVEN)
    .on_conflict_do_nothing(index_elements=["course_id", "name"])
    .returning(*_COHORT),
    CohortRow,
)
COHORT = Statement(select(*_COHORT).where(cohorts.c.id == _ID), CohortRow)
FOR_UPDATE = Statement(select(*_COHORT).where(cohorts.c.id == _ID).with_for_update(), CohortRow)
SAME_NAME = Statement(
    select(cohorts.c.id).where(cohorts.c.course_id == _COURSE, cohorts.c.name == _GIVEN["name"], cohorts.c.id != _ID),
    UUID,
)
PUT = Statement(
    update(cohorts)
    .where(cohorts.c.id == _ID)
    .values(**_GIVEN, version=cohorts.c.version + 1, updated_at=func.now())
    .returning(*_COHORT),
    CohortRow,
)
DELETE = Statement(delete(cohorts).where(cohorts.c.id == _ID).returning(cohorts.c.id), UUID)
BY_NAME = Statement(
    select(cohorts.c.id, cohorts.c.name).where(
        cohorts.c.course_id == _COURSE, cohorts.c.name == any_(bindparam("names", type_=ARRAY(Text)))
    ),
    NamedCohort,
)
BY_ID = Statement(select(*_COHORT).where(cohorts.c.id == any_(_IDS)), CohortRow)

OF_COURSE = Statement(
    select(enrollments.c.id).where(
        enrollments.c.id == any_(_IDS), enrollments.c.course_id == _COURSE,
        enrollments.c.role == literal_column("'student'"),
    ),
    UUID,
)  # fmt: skip
JOIN = Statement(
    upsert(cohort_members)
    .from_select(
        ["enrollment_id", "cohort_id"],
        select(enrollments.c.id, cast(bindparam("cohort_id", type_=Uuid), Uuid)).where(
            enrollments.c.id == _ID, enrollments.c.role == literal_column("'student'")
        ),
    )
    .on_conflict_do_update(index_elements=["enrollment_id"], set_={"cohort_id": bindparam("cohort_id", type_=Uuid)}),
    int,
)
LEAVE = Statement(
    delete(cohort_members)
    .where(cohort_members.c.cohort_id == _ID, cohort_members.c.enrollment_id == any_(_IDS))
    .returning(cohort_members.c.enrollment_id),
    UUID,
)
WAIVE = Statement(
    update(cohort_members)
    .where(cohort_members.c.enrollment_id == _ID)
    .values(waived_at=func.now(), waived_by=_USER, waive_reason=bindparam("reason", type_=Text))
    .returning(cohort_members.c.enrollment_id),
    UUID,
)
EXPECT_AGAIN = Statement(
    update(cohort_members)
    .where(cohort_members.c.enrollment_id == _ID)
    .values(waived_at=null(), waived_by=null(), waive_reason=null())
    .returning(cohort_members.c.enrollment_id),
    UUID,
)

_IN_COHORT = cohort_members.c.enrollment_id == enrollments.c.id
ASSIGNMENTS = Statement(
    select(
        cohort_members.c.enrollment_id,
        cohort_members.c.cohort_id,
        STATUS.label("status"),
        COMPLIANCE.label("compliance"),
        DEADLINE.label("deadline"),
        cohort_members.c.waived_at,
        cohort_members.c.waive_reason,
    )
    .join(cohorts, cohorts.c.id == cohort_members.c.cohort_id)
    .join(enrollments, enrollments.c.id == cohort_members.c.enrollment_id)
    .where(cohort_members.c.enrollment_id == any_(_IDS)),
    AssignmentRow,
)
_LEFT = and_(enrollments.c.status != literal_column("'dropped'"), enrollments.c.status != literal_column("'rejected'"))
STATUS_COUNTS = Statement(
    select(cohort_members.c.cohort_id, STATUS.label("status"), func.count().label("count"))
    .join(cohorts, cohorts.c.id == cohort_members.c.cohort_id)
    .join(enrollments, enrollments.c.id == cohort_members.c.enrollment_id)
    .where(cohort_members.c.cohort_id == any_(_IDS), cohorts.c.id == any_(_IDS), _LEFT)
    .group_by(cohort_members.c.cohort_id, STATUS),
    StatusCount,
)

ORDER = Order("cohorts:newest", (cohorts.c.created_at, cohorts.c.id), descending=True)
MEMBER_ORDER = Order("cohort_members:id", (cohort_members.c.enrollment_id,))


@lru_cache(maxsize=4)
def cohort_page(after: bool, backward: bool) -> Statement[CohortRow]:
    """A page of a course's cohorts, the newest first."""
    query = select(*_COHORT).where(cohorts.c.course_id == _COURSE)
    return Statement(keyset(query, ORDER, after=after, backward=backward), CohortRow)


COUNT = Statement(select(func.count()).select_from(cohorts).where(cohorts.c.course_id == _COURSE), int)


def _members(query: Select[Any], used: frozenset[str]) -> Select[Any]:
    query = (
        query.join(cohort_members, _IN_COHORT)
        .join(cohorts, cohorts.c.id == cohort_members.c.cohort_id)
        .where(cohort_members.c.cohort_id == _ID, _LEFT)
    )
    return query.where(bindparam("status", type_=Text) == STATUS) if "status" in used else query


FILTERS = ("status",)


@lru_cache(maxsize=8)
def member_page(used: frozenset[str], after: bool, backward: bool) -> Statement[EnrollmentRow]:
    """A page of a cohort's enrolments, all or those with a status."""
    return Statement(
        keyset(_members(enrollment_select(), used), MEMBER_ORDER, after=after, backward=backward), EnrollmentRow
    )


@lru_cache(maxsize=2)
def member_count(used: frozenset[str]) -> Statement[int]:
    """How many enrolments a cohort has, all or those with a status."""
    return Statement(_members(select(func.count()).select_from(enrollments), used), int)
