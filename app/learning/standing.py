"""How learners stand: everything about the viewer's own lessons and courses, and what instructors see of theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.catalog import statements as catalog
from app.db.database import Operation
from app.db.paging import Page, PageRequest, key_params, page_of
from app.db.transaction import Tx
from app.errors import NotFound
from app.learning import enrollment_statements as enrolling
from app.learning import standing_statements as sql
from app.learning import statements as progress
from app.learning.locking import locks_of
from app.learning.locks import CourseLocks
from app.learning.rows import EnrollmentRow
from app.viewer import Action, Viewer


class StandingService:
    """One operation's reads in one tenant."""

    def __init__(
        self, db: Operation, viewer: Viewer, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.db = db
        self.viewer = viewer
        self._clock = clock

    # --- the viewer's own (P11)

    async def my_standing_by_lesson(self, ids: list[UUID]) -> list[sql.LessonStanding]:
        """Everything about the viewer in these lessons, as far as they were ever enrolled."""
        if self.viewer.user_id is None:
            return []
        async with self.db.read() as tx:
            return await tx.all(sql.MY_STANDING_BY_LESSON, ids=ids, user_id=self.viewer.user_id)

    async def my_locks_by_course(self, ids: list[UUID]) -> dict[UUID, CourseLocks | None]:
        """What is open to the viewer of the courses among these in which they ever enrolled."""
        if self.viewer.user_id is None:
            return {}
        async with self.db.read() as tx:
            enrolled = await tx.all(progress.MY_ENROLLMENTS_BY_COURSE, ids=ids, user_id=self.viewer.user_id)
            return {**await locks_of(tx, self.viewer.user_id, enrolled, self._clock())} if enrolled else {}

    async def my_new_content_by_course(self, ids: list[UUID]) -> dict[UUID, bool]:
        """Whether there is something in these courses that the viewer has not done or seen since it changed."""
        if self.viewer.user_id is None:
            return {}
        async with self.db.read() as tx:
            rows = await tx.all(sql.NEW_CONTENT_BY_COURSE, ids=ids, user_id=self.viewer.user_id)
        return {row.course_id: row.has_new_content for row in rows}

    async def my_time_by_lesson(self, ids: list[UUID]) -> dict[UUID, int]:
        """Seconds the viewer spent in these lessons."""
        if self.viewer.user_id is None:
            return {}
        async with self.db.read() as tx:
            course_ids = await tx.all(sql.COURSES_OF_LESSONS, ids=ids)
            rows = await tx.all(sql.MY_TIME_BY_LESSON, ids=ids, course_ids=course_ids, user_id=self.viewer.user_id)
        return {row.lesson_id: row.seconds for row in rows}

    async def my_time_by_course(self, ids: list[UUID]) -> dict[UUID, int]:
        """Seconds the viewer spent in these courses; a moment counts in one lesson only."""
        if self.viewer.user_id is None:
            return {}
        async with self.db.read() as tx:
            return _summed(await tx.all(sql.MY_TIME_BY_COURSE, ids=ids, user_id=self.viewer.user_id), "course_id")

    # --- instructors'

    async def learners(self, page: PageRequest, course_id: UUID, user_id: UUID | None) -> Page[EnrollmentRow]:
        """A page of a course's learners, the newest first, or the one named. Raises: NotFound, Forbidden."""
        wanted = self._wanted(course_id, user_id)
        statement = enrolling.enrollment_page(frozenset(wanted), page.key is not None, page.backward)
        params = {name: value for name, value in wanted.items() if name != "live"}
        async with self.db.read() as tx:
            await self._require_own(tx, course_id)
            return page_of(page, await tx.all(statement, **key_params(page), **params))

    async def count_learners(self, course_id: UUID, user_id: UUID | None) -> int:
        """How many learners a course has. Raises: NotFound, Forbidden."""
        wanted = self._wanted(course_id, user_id)
        params = {name: value for name, value in wanted.items() if name != "live"}
        async with self.db.read() as tx:
            await self._require_own(tx, course_id)
            return await tx.scalar(enrolling.enrollment_count(frozenset(wanted)), **params) or 0

    def _wanted(self, course_id: UUID, user_id: UUID | None) -> Mapping[str, Any]:
        self.viewer.require(Action.READ_ENROLLMENTS)
        named = {} if user_id is None else {"user_id": user_id}
        return {"course_id": course_id, "live": True, **named}

    async def _require_own(self, tx: Tx, course_id: UUID) -> None:
        """A course that the viewer may edit; another answers like one that is not there."""
        own = self.viewer.require(Action.READ_ENROLLMENTS)
        if self.viewer.may(Action.EDIT_ANY_COURSE):
            found = await tx.all(catalog.courses_by_id("all"), ids=[course_id])
            if found:
                return
        elif await tx.scalar(enrolling.TEACHES, course_id=course_id, teacher_id=own) is not None:
            return
        raise NotFound("course")

    async def numbers_by_enrollment(self, ids: list[UUID]) -> list[sql.LearnerNumbers]:
        """How far learners are; of enrolments that were shown to the viewer."""
        async with self.db.read() as tx:
            return await tx.all(sql.NUMBERS_BY_ENROLLMENT, ids=ids)

    async def lessons_by_enrollment(self, ids: list[UUID]) -> list[sql.LearnerLesson]:
        """Every lesson of learners' courses with what they did in it; of enrolments that were shown to the viewer."""
        async with self.db.read() as tx:
            return await tx.all(sql.LESSONS_BY_ENROLLMENT, ids=ids)

    async def time_by_enrollment(self, ids: list[UUID]) -> dict[UUID, int]:
        """Seconds learners spent in their courses; of enrolments that were shown to the viewer."""
        async with self.db.read() as tx:
            return _summed(await tx.all(sql.TIME_BY_ENROLLMENT, ids=ids), "enrollment_id")

    async def impact_of_publishing(self, course_id: UUID) -> sql.ImpactRow:
        """What publishing a course now would do to its learners. Raises: NotFound, Forbidden."""
        self.viewer.require(Action.EDIT_COURSES)
        async with self.db.read() as tx:
            await self._require_own(tx, course_id)
            return await tx.one(sql.IMPACT, course_id=course_id)


def _summed(rows: list[sql.SpentRow], key: str) -> dict[UUID, int]:
    found: dict[UUID, int] = defaultdict(int)
    for row in rows:
        found[getattr(row, key)] += row.seconds
    return found
