"""The facts that locks are judged on, in as many statements for a course of a thousand lessons as for one of two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, any_, bindparam, select

from app.catalog.tables import courses, lessons, modules
from app.db.statements import Statement
from app.db.transaction import Tx
from app.errors import Conflict
from app.learning import statements as sql
from app.learning.locks import CourseLocks, LessonFact, ModuleFact, judge
from app.learning.revisions import COUNTED, FROZEN, IN_REVISION
from app.learning.rows import EnrollmentRow
from app.learning.tables import enrollments, lesson_progress

_IDS = bindparam("ids", type_=ARRAY(Uuid))
_USER = bindparam("user_id", type_=Uuid)
_ALIVE = and_(lessons.c.deleted_at.is_(None), modules.c.deleted_at.is_(None))

LOCK_MODULES = Statement(
    select(modules.c.id, modules.c.course_id, modules.c.title, modules.c.rules, modules.c.requirement_count)
    .where(modules.c.course_id == any_(_IDS), modules.c.deleted_at.is_(None))
    .order_by(modules.c.course_id, modules.c.position, modules.c.id)
    .limit(100 * 200),
    ModuleFact,
)
LOCK_LESSONS = Statement(
    select(
        lessons.c.id,
        modules.c.course_id,
        lessons.c.module_id,
        lessons.c.title,
        lessons.c.rules,
        COUNTED.label("counted"),
        lesson_progress.c.started_at,
        lesson_progress.c.completed_at,
        lesson_progress.c.score,
    )
    .select_from(modules)
    .join(courses, courses.c.id == modules.c.course_id)
    .join(lessons, lessons.c.module_id == modules.c.id)
    .outerjoin(enrollments, and_(enrollments.c.course_id == modules.c.course_id, enrollments.c.user_id == _USER))
    .outerjoin(FROZEN, IN_REVISION)
    .outerjoin(
        lesson_progress,
        and_(
            lesson_progress.c.lesson_id == lessons.c.id,
            lesson_progress.c.user_id == _USER,
            lesson_progress.c.course_id == any_(_IDS),
        ),
    )
    .where(modules.c.course_id == any_(_IDS), _ALIVE)
    .order_by(modules.c.course_id, modules.c.position, modules.c.id, lessons.c.position, lessons.c.id)
    .limit(100 * 200 * 10),
    LessonFact,
)


async def locks_of(tx: Tx, user_id: UUID, enrolled: Sequence[EnrollmentRow], now: datetime) -> dict[UUID, CourseLocks]:
    """What is open to a learner of the courses of these enrolments, by course."""
    ids = [row.course_id for row in enrolled]
    module_rows = await tx.all(LOCK_MODULES, ids=ids)
    lesson_rows = await tx.all(LOCK_LESSONS, ids=ids, user_id=user_id)
    return {
        row.course_id: judge(
            [each for each in module_rows if each.course_id == row.course_id],
            [each for each in lesson_rows if each.course_id == row.course_id],
            row.enrolled_at,
            now,
        )
        for row in enrolled
    }


async def refuse_if_locked(tx: Tx, *, user_id: UUID, lesson_id: UUID) -> None:
    """For what can be begun in a lesson, by the database's clock. Raises: Conflict (LESSON_LOCKED).

    Says nothing of who is not enrolled: that is another question.
    """
    facts = await tx.one_or_none(sql.LESSON_FACTS, ids=[lesson_id], user_id=user_id)
    if facts is None or not facts.gated:
        return
    enrolled = await tx.all(sql.MY_ENROLLMENTS_BY_COURSE, ids=[facts.course_id], user_id=user_id)
    now = await tx.one(sql.NOW)
    for locks in (await locks_of(tx, user_id, enrolled, now)).values():
        if lesson_id in locks.lessons and locks.lessons[lesson_id].is_locked:
            raise Conflict("this lesson is not open yet; its lockReasons say why", code="LESSON_LOCKED")
