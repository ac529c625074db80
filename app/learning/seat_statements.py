"""SQL of courses' seats and waiting lists, and of moving people between states."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Uuid,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from app.catalog.rows import CountRow
from app.catalog.tables import course_instructors, courses
from app.db.statements import Statement
from app.learning.enrollment_rows import EntryRow, SettingsRow
from app.learning.enrollment_tables import course_enrollment
from app.learning.rows import EnrollmentRow
from app.learning.standing import STORED
from app.learning.statements import OPEN, enrollment_select
from app.learning.tables import enrollments

_ID = bindparam("id", type_=Uuid)
_USER = bindparam("user_id", type_=Uuid)
_COURSE = bindparam("course_id", type_=Uuid)
_LIMIT = bindparam("limit", type_=Integer)
_TEACHES = (
    select(course_instructors.c.course_id)
    .where(course_instructors.c.course_id == courses.c.id, course_instructors.c.user_id == _USER)
    .correlate(courses)
    .exists()
)
# A key lock, as a new enrolment takes by its foreign key: authors may edit the course meanwhile, but nobody can give it
# its first settings (which counts the seats) before whoever has it commits.
ENTRY = Statement(
    select(
        courses.c.id,
        courses.c.title,
        OPEN.label("is_open"),
        courses.c.deleted_at.is_not(None).label("is_deleted"),
        course_enrollment.c.course_id.is_not(None).label("has_settings"),
        _TEACHES.label("is_taught"),
        func.now().label("now"),
    )
    .outerjoin(course_enrollment, course_enrollment.c.course_id == courses.c.id)
    .where(courses.c.id == _ID)
    .with_for_update(of=courses, read=True, key_share=True),
    EntryRow,
)
_SETTINGS = tuple(course_enrollment.c[name] for name in SettingsRow.__dataclass_fields__)
SETTINGS = Statement(select(*_SETTINGS).where(course_enrollment.c.course_id == _COURSE), SettingsRow)
SETTINGS_FOR_UPDATE = Statement(
    select(*_SETTINGS).where(course_enrollment.c.course_id == _COURSE).with_for_update(), SettingsRow
)
_OF_COURSE = course_enrollment.c.course_id == _COURSE
# E2: the guard is in the statement; who finds no free seat gets no row.
TAKE = Statement(
    update(course_enrollment)
    .where(
        _OF_COURSE,
        or_(course_enrollment.c.capacity.is_(None), course_enrollment.c.seats_taken < course_enrollment.c.capacity),
    )
    .values(seats_taken=course_enrollment.c.seats_taken + 1)
    .returning(course_enrollment.c.seats_taken),
    int,
)
GIVE = Statement(
    update(course_enrollment)
    .where(_OF_COURSE)
    .values(seats_taken=course_enrollment.c.seats_taken - 1)
    .returning(course_enrollment.c.seats_taken),
    int,
)
NEXT_PLACE = Statement(
    update(course_enrollment)
    .where(_OF_COURSE)
    .values(last_place=course_enrollment.c.last_place + 1)
    .returning(course_enrollment.c.last_place),
    int,
)
FIRST_WAITING = Statement(
    enrollment_select()
    .where(enrollments.c.course_id == _COURSE, enrollments.c.waitlist_place.is_not(None))
    .order_by(enrollments.c.waitlist_place)
    .limit(_LIMIT)
    .with_for_update(of=enrollments),
    EnrollmentRow,
)
_STATE = {name: bindparam(name, type_=enrollments.c[name].type, required=True) for name in STORED}
# Two tabs arrive at once: one inserts, the other waits here and then finds the row.
_ROW = {"id": _ID, "course_id": _COURSE, "user_id": _USER, **_STATE}
ADD = Statement(
    upsert(enrollments)
    .values(_ROW)
    .on_conflict_do_nothing(constraint="uq_enrollments_course_user")
    .returning(enrollments.c.id),
    UUID,
)
# Most courses have no settings and nobody to wait for. They might have got them before ``ENTRY`` had its lock.
ADD_FREELY = Statement(
    upsert(enrollments)
    .from_select(
        list(_ROW),
        select(*_ROW.values()).where(~select(course_enrollment.c.course_id).where(_OF_COURSE).exists()),
    )
    .on_conflict_do_nothing(constraint="uq_enrollments_course_user")
    .returning(enrollments.c.id),
    UUID,
)
PUT = Statement(update(enrollments).where(enrollments.c.id == _ID).values(**_STATE, updated_at=func.now()), int)
FOR_UPDATE = Statement(
    enrollment_select().where(enrollments.c.id == _ID).with_for_update(of=enrollments), EnrollmentRow
)
MINE_FOR_UPDATE = Statement(
    enrollment_select()
    .where(enrollments.c.course_id == _COURSE, enrollments.c.user_id == _USER)
    .with_for_update(of=enrollments),
    EnrollmentRow,
)
# Several people at once, in the order in which everybody locks enrolments.
MANY_FOR_UPDATE = Statement(
    select(enrollments.c.id)
    .where(enrollments.c.course_id == _COURSE, enrollments.c.user_id == any_(bindparam("user_ids", type_=ARRAY(Uuid))))
    .order_by(enrollments.c.id)
    .with_for_update(),
    UUID,
)
COURSE_OF = Statement(select(enrollments.c.course_id).where(enrollments.c.id == _ID), UUID)

# --- what the clock does: one course at a time, so that its seats are locked before its enrolments

FIRST_DUE = Statement(
    select(enrollments.c.course_id)
    .where(enrollments.c.due_at <= func.now())
    .order_by(enrollments.c.due_at, enrollments.c.id)
    .limit(1),
    UUID,
)
DUE_OF_COURSE = Statement(
    enrollment_select()
    .where(enrollments.c.course_id == _COURSE, enrollments.c.due_at <= func.now())
    .order_by(enrollments.c.id)
    .limit(_LIMIT)
    .with_for_update(of=enrollments),
    EnrollmentRow,
)
IS_FULL = Statement(
    select(func.now())
    .select_from(course_enrollment)
    .where(_OF_COURSE, course_enrollment.c.seats_taken >= course_enrollment.c.capacity),
    datetime,
)
# Spelled as the index is, which holds only those.
_IS_DONE: ColumnElement[bool] = literal_column("enrollments.holds_seat AND enrollments.status = 'completed'")
FIRST_DONE = Statement(
    select(enrollments.c.course_id).where(_IS_DONE).order_by(enrollments.c.course_id, enrollments.c.id).limit(1), UUID
)
DONE_OF_COURSE = Statement(
    enrollment_select()
    .where(enrollments.c.course_id == _COURSE, _IS_DONE)
    .order_by(enrollments.c.id)
    .limit(_LIMIT)
    .with_for_update(of=enrollments),
    EnrollmentRow,
)

# --- settings

COURSE_FOR_SETTINGS = Statement(
    select(courses.c.id).where(courses.c.id == _ID, courses.c.deleted_at.is_(None)).with_for_update(), UUID
)
SEATS_HELD = Statement(
    select(func.count()).select_from(enrollments).where(enrollments.c.course_id == _COURSE, enrollments.c.holds_seat),
    int,
)
CHANGEABLE = tuple(
    name
    for name in SettingsRow.__dataclass_fields__
    if name not in {"course_id", "seats_taken", "last_place", "version"}
)
_GIVEN = {name: bindparam(name, type_=course_enrollment.c[name].type, required=True) for name in CHANGEABLE}
ADD_SETTINGS = Statement(
    upsert(course_enrollment).values(course_id=_COURSE, seats_taken=bindparam("seats_taken", type_=Integer), **_GIVEN),
    int,
)
PUT_SETTINGS = Statement(
    update(course_enrollment)
    .where(_OF_COURSE)
    .values(**_GIVEN, version=course_enrollment.c.version + 1, updated_at=func.now()),
    int,
)
LOOK_AGAIN = Statement(
    update(enrollments)
    .where(enrollments.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))), enrollments.c.status == "active")
    .values(due_at=func.now()),
    int,
)
SETTINGS_BY_COURSE = Statement(
    select(*_SETTINGS).where(course_enrollment.c.course_id == any_(bindparam("ids", type_=ARRAY(Uuid)))), SettingsRow
)
_ahead = enrollments.alias("ahead")
_mine = enrollments.alias("mine")
_before = (
    select(func.count())
    .select_from(_ahead)
    .where(_ahead.c.course_id == _mine.c.course_id, _ahead.c.waitlist_place <= _mine.c.waitlist_place)
    .scalar_subquery()
)
PLACES = Statement(
    select(_mine.c.id.label("key"), _before.label("count")).where(
        _mine.c.id == any_(bindparam("ids", type_=ARRAY(Uuid)))
    ),
    CountRow,
)
