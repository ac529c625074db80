"""What instructors do to a learner's progress, always with a reason: excuse from a lesson, let begin anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Uuid, and_, any_, bindparam, cast, func, null, select, update

from app.catalog.tables import lessons, modules
from app.db import audit
from app.db.database import Operation
from app.db.statements import Statement
from app.db.transaction import Tx
from app.errors import NotFound
from app.identity.validators import Checks, text
from app.learning import enrollment_statements as enrolling
from app.learning import rules
from app.learning import seat_statements as seat_sql
from app.learning import statements as sql
from app.learning.completing import complete_finished
from app.learning.rows import EnrollmentRow
from app.learning.seats import Seats
from app.learning.settling import Change, Place, Standing, lessons_of, settle
from app.learning.standing import begun_anew, state_of
from app.learning.tables import enrollments, lesson_progress
from app.viewer import Action, Viewer

FOR_UPDATE = Statement(
    sql.enrollment_select().where(enrollments.c.id == bindparam("id", type_=Uuid)).with_for_update(of=enrollments),
    EnrollmentRow,
)
# Those as well in which nothing has been done yet: what a device tells later of the time before does not count either.
COURSE_LESSONS = Statement(
    select(lessons.c.id)
    .join(modules, and_(modules.c.id == lessons.c.module_id, modules.c.deleted_at.is_(None)))
    .where(lessons.c.course_id == bindparam("course_id", type_=Uuid), lessons.c.deleted_at.is_(None))
    .order_by(lessons.c.id)
    .limit(40_000),
    UUID,
)
# Of lessons that are gone nothing is left to begin anew, but should one be looked at again it is as the others.
FORGET = Statement(
    update(lesson_progress)
    .where(
        lesson_progress.c.enrollment_id == bindparam("id", type_=Uuid),
        ~(lesson_progress.c.lesson_id == any_(bindparam("ids", type_=ARRAY(Uuid)))),
    )
    .values(completed_at=null(), basis=null(), started_at=null(), percent=0, counts_from=func.now()),
    int,
)
REOPEN_COURSE = Statement(
    update(enrollments)
    .where(enrollments.c.id == bindparam("id", type_=Uuid))
    .values(
        cycle=enrollments.c.cycle + cast(enrollments.c.completed_at.is_not(None), Integer),
        last_lesson_id=null(),
        updated_at=func.now(),
    ),
    int,
)


class ProgressKeeper:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def excuse_lesson(self, lesson_id: UUID, user_id: UUID, *, reason: str) -> EnrollmentRow:
        """Count a lesson as done for a learner (P5); excusing again changes nothing.

        Raises: NotFound (lesson, or no learner of its course), Forbidden, Invalid (reason).
        """

        def excused(known: Standing, now: datetime) -> Standing:
            at = known.progress.excused_at or now
            return replace(known, progress=replace(known.progress, excused_at=at))

        return await self._change(lesson_id, user_id, "lesson.excuse", reason, excused)

    async def unexcuse_lesson(self, lesson_id: UUID, user_id: UUID, *, reason: str) -> EnrollmentRow:
        """Take an excuse back: what the learner did counts alone again; a course that was completed stays so.

        Raises: NotFound, Forbidden, Invalid (reason).
        """

        def required(known: Standing, now: datetime) -> Standing:
            return replace(known, progress=replace(known.progress, excused_at=None))

        return await self._change(lesson_id, user_id, "lesson.unexcuse", reason, required)

    async def _change(self, lesson_id: UUID, user_id: UUID, action: str, reason: str, change: _Timed) -> EnrollmentRow:
        actor = self.viewer.require(Action.MANAGE_PROGRESS)
        said = _reason(reason)
        async with self.db.write() as tx:
            facts = await tx.all(sql.LESSON_FACTS, ids=[lesson_id], user_id=user_id)
            if not facts or not await self._is_own(tx, facts[0].course_id):
                raise NotFound("lesson")
            course_id = facts[0].course_id
            enrollment = await tx.one(sql.LIVE_FOR_UPDATE, "enrollment", user_id=user_id, ids=[course_id])
            place = Place(enrollment.id, lesson_id, course_id, user_id)
            now = await tx.one(sql.NOW)
            await settle(tx, [place], await lessons_of(tx, facts), _at(change, now))
            await audit.record(
                tx, actor, action, kind="enrollment", id=enrollment.id, reason=said,
                changes={"lesson_id": str(lesson_id), "user_id": str(user_id)},
            )  # fmt: skip
            await complete_finished(tx, [enrollment.id])
            return await tx.one(enrolling.ENROLLMENT, "enrollment", id=enrollment.id)

    async def reset_progress(self, enrollment_id: UUID, lesson_id: UUID | None = None, *, reason: str) -> EnrollmentRow:
        """Let a learner begin a lesson, or the whole course, anew: nothing they did before counts any more (P1).

        Events that are still under way from before do not count either. With the whole course, its completion is taken
        back as well, and a new cycle begins; whoever gave the seat back by completing it needs a free one (E2). The
        reset of one lesson leaves a completed course completed.

        Raises: NotFound (no live enrolment, or no such lesson in its course), Forbidden, Invalid (reason), Conflict
        (COURSE_FULL).
        """
        actor = self.viewer.require(Action.MANAGE_PROGRESS)
        said = _reason(reason)
        async with self.db.write() as tx:
            course_id = await tx.one(seat_sql.COURSE_OF, "enrollment", id=enrollment_id)
            if not await self._is_own(tx, course_id):
                raise NotFound("enrollment")
            seats = None if lesson_id is not None else await Seats.of_course(tx, course_id, actor)
            enrollment = await tx.one(FOR_UPDATE, "enrollment", id=enrollment_id)
            if enrollment.status not in {"active", "completed"}:
                raise NotFound("enrollment")
            ids = [lesson_id] if lesson_id is not None else await tx.all(COURSE_LESSONS, course_id=enrollment.course_id)
            facts = await tx.all(sql.LESSON_FACTS, ids=ids, user_id=enrollment.user_id)
            if lesson_id is not None and (not facts or facts[0].course_id != enrollment.course_id):
                raise NotFound("lesson")
            now = await tx.one(sql.NOW)
            places = [Place(enrollment_id, row.id, enrollment.course_id, enrollment.user_id) for row in facts]
            await settle(tx, places, await lessons_of(tx, facts), _at(_anew, now))
            if seats is not None:
                await tx.execute(FORGET, id=enrollment_id, ids=ids)
                await tx.execute(REOPEN_COURSE, id=enrollment_id)
                await seats.put(enrollment, begun_anew(state_of(enrollment), seats.settings, seats.now))
            await audit.record(
                tx, actor, "progress.reset", kind="enrollment", id=enrollment_id, reason=said,
                changes={
                    "lesson_id": None if lesson_id is None else str(lesson_id), "user_id": str(enrollment.user_id),
                    "completed_at": enrollment.completed_at.isoformat() if enrollment.completed_at else None,
                },
            )  # fmt: skip
            return await tx.one(enrolling.ENROLLMENT, "enrollment", id=enrollment_id)

    async def _is_own(self, tx: Tx, course_id: UUID) -> bool:
        """Whether the viewer teaches the course; somebody else's answers like one that is not there."""
        if self.viewer.may(Action.EDIT_ANY_COURSE):
            return True
        return await tx.scalar(enrolling.TEACHES, course_id=course_id, teacher_id=self.viewer.user_id) is not None


def _anew(known: Standing, now: datetime) -> Standing:
    return Standing(rules.Progress(), now)


_Timed = Callable[[Standing, datetime], Standing]


def _at(change: _Timed, now: datetime) -> Change:
    return lambda known: change(known, now)


def _reason(reason: str) -> str:
    check = Checks()
    said = check("input.reason", text, reason, minimum=1, maximum=500)
    check.done()
    return said
