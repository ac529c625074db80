"""SQL of enrolments."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, Uuid, and_, any_, bindparam, func, literal_column, or_, select

from app.catalog.tables import course_instructors
from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.identity.tables import members
from app.learning.rows import CountRow, EnrollmentRow
from app.learning.statements import enrollment_select
from app.learning.tables import enrollments

_ID = bindparam("id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_USER = bindparam("user_id", type_=Uuid)
_COURSE = bindparam("course_id", type_=Uuid)

ENROLLMENT = Statement(enrollment_select().where(enrollments.c.id == _ID), EnrollmentRow)
MEMBER = Statement(
    select(members.c.user_id).where(members.c.user_id == _USER, members.c.status != literal_column("'removed'")), UUID
)
# Whom an observer may follow: who is in the course, though they be suspended or done.
OBSERVABLE = frozenset({"active", "completed", "suspended"})
LEARNER = Statement(
    select(enrollments.c.id).where(
        enrollments.c.course_id == _COURSE,
        enrollments.c.user_id == _USER,
        enrollments.c.role == literal_column("'student'"),
        or_(*(enrollments.c.status == literal_column(f"'{status}'") for status in sorted(OBSERVABLE))),
    ),
    UUID,
)
TEACHES = Statement(
    select(course_instructors.c.course_id).where(
        course_instructors.c.course_id == _COURSE,
        course_instructors.c.user_id == bindparam("teacher_id", type_=Uuid),
    ),
    UUID,
)
# Spelled as the index is, which holds only those.
IS_LEARNER = and_(
    enrollments.c.role == literal_column("'student'"),
    or_(enrollments.c.status == literal_column("'active'"), enrollments.c.status == literal_column("'completed'")),
)
LEARNER_COUNTS = Statement(
    select(enrollments.c.course_id, func.count().label("count"))
    .where(enrollments.c.course_id == any_(_IDS), IS_LEARNER)
    .group_by(enrollments.c.course_id),
    CountRow,
)


ORDER = Order("enrollments:newest", (enrollments.c.enrolled_at, enrollments.c.id), descending=True)
_FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": enrollments.c.user_id == _USER,
    "course_id": enrollments.c.course_id == _COURSE,
    "status": enrollments.c.status == bindparam("status", type_=Text),
    "live": and_(enrollments.c.status != "dropped", enrollments.c.status != "rejected"),
    "teacher_id": select(course_instructors.c.course_id)
    .where(
        course_instructors.c.course_id == enrollments.c.course_id,
        course_instructors.c.user_id == bindparam("teacher_id", type_=Uuid),
    )
    .exists(),
}


@lru_cache(maxsize=64)
def enrollment_page(used: frozenset[str], after: bool, backward: bool) -> Statement[EnrollmentRow]:
    """A page of enrolments with these filters, the newest first."""
    query = enrollment_select().where(*(_FILTERS[name] for name in sorted(used)))
    return Statement(keyset(query, ORDER, after=after, backward=backward), EnrollmentRow)


@lru_cache(maxsize=32)
def enrollment_count(used: frozenset[str]) -> Statement[int]:
    """How many enrolments there are with these filters."""
    query = select(func.count()).select_from(enrollments).where(*(_FILTERS[name] for name in sorted(used)))
    return Statement(query, int)
