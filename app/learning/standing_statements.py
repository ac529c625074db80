"""SQL of how learners stand: in lessons, in courses, and how long they were at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Interval,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)

from app.catalog.tables import courses, lessons, modules
from app.db.statements import Statement
from app.learning.revisions import COUNTED, FROZEN, IN_REVISION, NUMBER
from app.learning.rules import EventKind
from app.learning.tables import enrollments, lesson_progress, progress_events
from app.learning.time_on_task import DAY, GAP

_IDS = bindparam("ids", type_=ARRAY(Uuid))
_USER = bindparam("user_id", type_=Uuid)
_ALIVE = and_(lessons.c.deleted_at.is_(None), modules.c.deleted_at.is_(None))


@dataclass(slots=True, eq=False)
class LessonStanding:
    """Everything about a learner in a lesson; ``status`` is the enrolment's."""

    lesson_id: UUID
    course_id: UUID
    status: str | None
    percent: Decimal | None
    position_seconds: Decimal | None
    started_at: datetime | None
    completed_at: datetime | None
    gated: bool
    score: Decimal | None
    excused_at: datetime | None
    has_new_content: bool


@dataclass(slots=True, eq=False)
class LearnerNumbers:
    """How far a learner is; ``revision`` is None for a course that was never frozen."""

    enrollment_id: UUID
    revision: int | None
    total_weight: int
    done_weight: int
    total_lessons: int
    completed_lessons: int


@dataclass(slots=True, eq=False)
class LearnerLesson:
    """A lesson of a learner's course, in the course's order."""

    enrollment_id: UUID
    lesson_id: UUID
    weight: int
    percent: Decimal | None
    started_at: datetime | None
    completed_at: datetime | None
    score: Decimal | None
    excused_at: datetime | None


@dataclass(slots=True, eq=False)
class NewContentRow:
    """Whether something was added or changed that the learner has not done or seen."""

    course_id: UUID
    has_new_content: bool


@dataclass(slots=True, eq=False)
class SpentRow:
    """Seconds on task, in a lesson of an enrolment."""

    enrollment_id: UUID
    course_id: UUID
    lesson_id: UUID
    seconds: int


@dataclass(slots=True, eq=False)
class ImpactRow:
    """What publishing would do to learners."""

    learners: int
    changed: int
    completed: int
    reopened: int


# Null in none of its parts: what was never changed has nothing new, what was never completed neither.
_NEW_CONTENT = func.coalesce(
    func.greatest(lesson_progress.c.seen_at, lesson_progress.c.completed_at) < lessons.c.content_changed_at, false()
)
_IS_NEW = and_(lesson_progress.c.completed_at.is_not(None), _NEW_CONTENT)
_MINE = and_(lesson_progress.c.enrollment_id == enrollments.c.id, lesson_progress.c.lesson_id == lessons.c.id)

MY_STANDING_BY_LESSON = Statement(
    select(
        lessons.c.id.label("lesson_id"),
        lessons.c.course_id,
        enrollments.c.status,
        lesson_progress.c.percent,
        lesson_progress.c.position_seconds,
        lesson_progress.c.started_at,
        lesson_progress.c.completed_at,
        lessons.c.gated,
        lesson_progress.c.score,
        lesson_progress.c.excused_at,
        _IS_NEW.label("has_new_content"),
    )
    .join(enrollments, and_(enrollments.c.course_id == lessons.c.course_id, enrollments.c.user_id == _USER))
    .outerjoin(lesson_progress, _MINE)
    .where(lessons.c.id == any_(_IDS)),
    LessonStanding,
)


def _of_enrollments(query: Select[Any]) -> Select[Any]:
    """With every lesson of the enrolments' courses, as the learners' revisions have it, and what they did in it."""
    return (
        query.select_from(enrollments)
        .join(courses, courses.c.id == enrollments.c.course_id)
        .join(modules, modules.c.course_id == enrollments.c.course_id)
        .join(lessons, lessons.c.module_id == modules.c.id)
        .outerjoin(FROZEN, IN_REVISION)
        .outerjoin(lesson_progress, _MINE)
    )


_DONE = and_(COUNTED > 0, lesson_progress.c.completed_at.is_not(None))
NUMBERS_BY_ENROLLMENT = Statement(
    _of_enrollments(
        select(
            enrollments.c.id.label("enrollment_id"),
            func.max(NUMBER, type_=Integer).label("revision"),
            func.coalesce(func.sum(COUNTED), 0).label("total_weight"),
            func.coalesce(func.sum(COUNTED).filter(_DONE), 0).label("done_weight"),
            func.count().filter(COUNTED > 0).label("total_lessons"),
            func.count().filter(_DONE).label("completed_lessons"),
        )
    )
    .where(enrollments.c.id == any_(_IDS), _ALIVE)
    .group_by(enrollments.c.id),
    LearnerNumbers,
)
LESSONS_BY_ENROLLMENT = Statement(
    _of_enrollments(
        select(
            enrollments.c.id.label("enrollment_id"),
            lessons.c.id.label("lesson_id"),
            COUNTED.label("weight"),
            lesson_progress.c.percent,
            lesson_progress.c.started_at,
            lesson_progress.c.completed_at,
            lesson_progress.c.score,
            lesson_progress.c.excused_at,
        )
    )
    .where(enrollments.c.id == any_(_IDS), _ALIVE)
    .order_by(enrollments.c.id, modules.c.position, modules.c.id, lessons.c.position, lessons.c.id)
    .limit(100 * 1000),
    LearnerLesson,
)
NEW_CONTENT_BY_COURSE = Statement(
    _of_enrollments(
        select(
            enrollments.c.course_id,
            func.bool_or(
                or_(
                    _IS_NEW,
                    and_(
                        enrollments.c.completed_at.is_not(None),
                        COUNTED > 0,
                        lesson_progress.c.completed_at.is_(None),
                    ),
                )
            ).label("has_new_content"),
        )
    )
    .where(enrollments.c.course_id == any_(_IDS), enrollments.c.user_id == _USER, _ALIVE)
    .group_by(enrollments.c.course_id),
    NewContentRow,
)

# --- time on task, by the formula of app/learning/time_on_task.py


def _interval(length: timedelta) -> ColumnElement[timedelta]:
    return cast(literal(length, Interval), Interval)


def _spent(whose: ColumnElement[bool], *, by_lesson: bool) -> Select[Any]:
    """Of these enrolments; ``by_lesson``: each lesson by itself, else each moment of the course in one lesson only."""
    event = progress_events.c
    key = (event.enrollment_id, event.lesson_id) if by_lesson else (event.enrollment_id,)
    before = func.lag(event.occurred_at).over(partition_by=key, order_by=(event.occurred_at, event.client_event_id))
    beats = (
        select(
            event.enrollment_id,
            enrollments.c.course_id,
            event.lesson_id,
            event.occurred_at.label("at"),
            before.label("before"),
            func.date_trunc("day", event.occurred_at, "UTC", type_=event.occurred_at.type).label("midnight"),
        )
        .join(enrollments, enrollments.c.id == event.enrollment_id)
        .outerjoin(
            lesson_progress,
            and_(
                lesson_progress.c.enrollment_id == event.enrollment_id, lesson_progress.c.lesson_id == event.lesson_id
            ),
        )
        .where(
            whose,
            event.kind != EventKind.SUBMITTED.value,
            event.kind != EventKind.SCORED.value,
            or_(
                lesson_progress.c.counts_from.is_(None),
                and_(
                    event.occurred_at > lesson_progress.c.counts_from,
                    event.created_at > lesson_progress.c.counts_from,
                ),
            ),
        )
        .cte("beats")
    )
    near = beats.c.at - beats.c.before <= _interval(GAP)
    since_midnight = beats.c.at - func.greatest(beats.c.before, beats.c.midnight)
    what = (beats.c.enrollment_id, beats.c.course_id, beats.c.lesson_id)
    parts = union_all(
        select(
            *what,
            beats.c.midnight.label("day"),
            since_midnight.label("part"),
        ).where(near),
        select(
            *what,
            (beats.c.midnight - _interval(timedelta(days=1))).label("day"),
            (beats.c.midnight - beats.c.before).label("part"),
        ).where(near, beats.c.before < beats.c.midnight),
    ).subquery("parts")
    days = (
        select(parts.c.enrollment_id, parts.c.course_id, parts.c.lesson_id, func.sum(parts.c.part).label("spent"))
        .group_by(parts.c.enrollment_id, parts.c.course_id, parts.c.lesson_id, parts.c.day)
        .subquery("days")
    )
    capped = func.sum(func.least(days.c.spent, _interval(DAY)))
    return select(
        days.c.enrollment_id,
        days.c.course_id,
        days.c.lesson_id,
        cast(func.floor(func.extract("epoch", capped)), Integer).label("seconds"),
    ).group_by(days.c.enrollment_id, days.c.course_id, days.c.lesson_id)


_MY_COURSES = and_(enrollments.c.user_id == _USER, enrollments.c.course_id == any_(_IDS))
_MY_LESSONS = and_(
    enrollments.c.user_id == _USER,
    enrollments.c.course_id == any_(bindparam("course_ids", type_=ARRAY(Uuid))),
    progress_events.c.lesson_id == any_(_IDS),
)
MY_TIME_BY_LESSON = Statement(_spent(_MY_LESSONS, by_lesson=True), SpentRow)
MY_TIME_BY_COURSE = Statement(_spent(_MY_COURSES, by_lesson=False), SpentRow)
TIME_BY_ENROLLMENT = Statement(_spent(enrollments.c.id == any_(_IDS), by_lesson=False), SpentRow)
COURSES_OF_LESSONS = Statement(
    select(lessons.c.course_id).where(lessons.c.id == any_(_IDS)).group_by(lessons.c.course_id), UUID
)

# --- what publishing would do: every learner of a course that follows the newest revision, before and after

_COURSE = bindparam("course_id", type_=Uuid)
_AFTER: ColumnElement[int] = func.coalesce(func.sum(lessons.c.weight).filter(lessons.c.is_required), 0)
_DONE_AFTER: ColumnElement[int] = func.coalesce(
    func.sum(lessons.c.weight).filter(and_(lessons.c.is_required, lesson_progress.c.completed_at.is_not(None))), 0
)
_sums = (
    _of_enrollments(
        select(
            enrollments.c.id,
            enrollments.c.completed_at,
            func.coalesce(func.sum(COUNTED), 0).label("before"),
            func.coalesce(func.sum(COUNTED).filter(_DONE), 0).label("done_before"),
            _AFTER.label("after"),
            _DONE_AFTER.label("done_after"),
        )
    )
    .where(
        enrollments.c.course_id == _COURSE,
        or_(enrollments.c.status == "active", enrollments.c.status == "completed"),
        courses.c.pinned_from.is_(None),
        _ALIVE,
    )
    .group_by(enrollments.c.id)
    .subquery("sums")
)


def _floor(done: ColumnElement[int], total: ColumnElement[int]) -> ColumnElement[Any]:
    return func.coalesce(func.div(done * 100, func.nullif(total, 0)), 0)


_was_done = and_(_sums.c.before > 0, _sums.c.done_before == _sums.c.before)
_is_done = and_(_sums.c.after > 0, _sums.c.done_after == _sums.c.after)
IMPACT = Statement(
    select(
        func.count().label("learners"),
        func.count()
        .filter(_floor(_sums.c.done_before, _sums.c.before) != _floor(_sums.c.done_after, _sums.c.after))
        .label("changed"),
        func.count().filter(and_(_sums.c.completed_at.is_(None), _is_done)).label("completed"),
        func.count().filter(and_(_was_done, ~_is_done)).label("reopened"),
    ).select_from(_sums),
    ImpactRow,
)
