"""SQL of enrolments."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, Uuid, any_, bindparam, case, func, null, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.catalog.tables import course_instructors, courses
from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.learning.rows import CountRow, CourseFacts, EnrollmentRow
from app.learning.statements import OPEN, enrollment_select
from app.learning.tables import enrollments

_ID = bindparam("id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_USER = bindparam("user_id", type_=Uuid)
_COURSE = bindparam("course_id", type_=Uuid)

PUBLISHED_COURSE = Statement(select(courses.c.id, courses.c.title).where(courses.c.id == _ID, OPEN), CourseFacts)
ENROLLMENT = Statement(enrollment_select().where(enrollments.c.id == _ID), EnrollmentRow)
MINE_FOR_UPDATE = Statement(
    enrollment_select()
    .where(enrollments.c.course_id == _COURSE, enrollments.c.user_id == _USER)
    .with_for_update(of=enrollments),
    EnrollmentRow,
)
# Two tabs arrive at once: one inserts, the other waits here and then finds the row.
ADD = Statement(
    upsert(enrollments)
    .values(
        id=_ID,
        course_id=_COURSE,
        user_id=_USER,
        status="active",
        enrolled_at=func.now(),
    )
    .on_conflict_do_nothing(constraint="uq_enrollments_course_user")
    .returning(enrollments.c.id),
    UUID,
)
REACTIVATE = Statement(
    update(enrollments)
    .where(enrollments.c.id == _ID, enrollments.c.status == "dropped")
    .values(
        status=case((enrollments.c.completed_at.is_not(None), "completed"), else_="active"),
        dropped_at=null(),
        updated_at=func.now(),
    )
    .returning(enrollments.c.id),
    UUID,
)
DROP = Statement(
    update(enrollments)
    .where(enrollments.c.course_id == _COURSE, enrollments.c.user_id == _USER, enrollments.c.status != "dropped")
    .values(status="dropped", dropped_at=func.now(), updated_at=func.now())
    .returning(enrollments.c.id),
    UUID,
)
TEACHES = Statement(
    select(course_instructors.c.course_id).where(
        course_instructors.c.course_id == _COURSE,
        course_instructors.c.user_id == bindparam("teacher_id", type_=Uuid),
    ),
    UUID,
)
LEARNER_COUNTS = Statement(
    select(enrollments.c.course_id, func.count().label("count"))
    .where(enrollments.c.course_id == any_(_IDS), enrollments.c.status != "dropped")
    .group_by(enrollments.c.course_id),
    CountRow,
)


ORDER = Order("enrollments:newest", (enrollments.c.enrolled_at, enrollments.c.id), descending=True)
_FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": enrollments.c.user_id == _USER,
    "course_id": enrollments.c.course_id == _COURSE,
    "status": enrollments.c.status == bindparam("status", type_=Text),
    "live": enrollments.c.status != "dropped",
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
