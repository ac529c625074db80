"""Enrolling and leaving: one enrolment per learner and course, whoever asks how often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.db import idempotency
from app.db.database import Operation
from app.db.ids import new_id
from app.db.paging import Page, PageRequest, key_params, page_of
from app.errors import NotFound
from app.identity.validators import Checks, line
from app.learning import enrollment_statements as sql
from app.learning.completing import complete_finished, tell
from app.learning.rows import EnrollmentRow
from app.viewer import Action, Viewer


class EnrollmentService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def enroll(self, course_id: UUID, *, idempotency_key: str | None = None) -> EnrollmentRow:
        """Enrol the viewer in a published course; asking again, from another tab too, gives the same enrolment.

        E1: after unenrolling, the same row is taken up again with its progress. E10: one event, one welcome.

        Raises: Unauthenticated, Forbidden, NotFound (no such published course), Invalid, Conflict (key reused).
        """
        user_id = self.viewer.require(Action.LEARN)
        check = Checks()
        key = check("input.idempotencyKey", line, idempotency_key, minimum=8, maximum=100) if idempotency_key else None
        check.done()
        async with self.db.write() as tx:
            if key is not None:
                first = await idempotency.recall(tx, user_id, key, "enroll", str(course_id))
                if first is not None:
                    return await tx.one(sql.ENROLLMENT, "enrollment", id=first)
            course = await tx.one(sql.PUBLISHED_COURSE, "course", id=course_id)
            enrollment_id = await tx.scalar(sql.ADD, id=new_id(), course_id=course_id, user_id=user_id)
            started = enrollment_id
            if enrollment_id is None:
                present = await tx.one(sql.MINE_FOR_UPDATE, "enrollment", course_id=course_id, user_id=user_id)
                enrollment_id = present.id
                started = await tx.scalar(sql.REACTIVATE, id=present.id)
                await complete_finished(tx, [present.id])
            if started is not None:
                await tell(tx, "enrolled", enrollment_id, course_id, course.title, user_id)
            if key is not None:
                await idempotency.settle(tx, user_id, key, enrollment_id)
            return await tx.one(sql.ENROLLMENT, "enrollment", id=enrollment_id)

    async def unenroll(self, course_id: UUID) -> EnrollmentRow:
        """Leave a course; what was done is kept for a return. Raises: NotFound (not enrolled)."""
        user_id = self.viewer.require(Action.LEARN)
        async with self.db.write() as tx:
            dropped = await tx.scalar(sql.DROP, course_id=course_id, user_id=user_id)
            if dropped is None:
                raise NotFound("enrollment")
            await tell(tx, "unenrolled", dropped, course_id, "", user_id)
            return await tx.one(sql.ENROLLMENT, "enrollment", id=dropped)

    async def my_enrollments(self, page: PageRequest, filters: Mapping[str, Any]) -> Page[EnrollmentRow]:
        """A page of the viewer's enrolments, the newest first; without those that were left unless asked for."""
        return await self._page(page, self._mine(filters))

    async def count_my_enrollments(self, filters: Mapping[str, Any]) -> int:
        """How many enrolments the viewer has with these filters."""
        return await self._count(self._mine(filters))

    async def enrollments(self, page: PageRequest, filters: Mapping[str, Any]) -> Page[EnrollmentRow]:
        """A page of everybody's enrolments: any for an administrator, in one's own courses for an instructor."""
        return await self._page(page, self._everybodys(filters))

    async def count_enrollments(self, filters: Mapping[str, Any]) -> int:
        """How many enrolments there are with these filters."""
        return await self._count(self._everybodys(filters))

    def _mine(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        wanted = {**filters, "user_id": self.viewer.require(Action.READ_SELF)}
        return wanted if "status" in wanted else {**wanted, "live": True}

    def _everybodys(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        own = self.viewer.require(Action.READ_ENROLLMENTS)
        return dict(filters) if self.viewer.may(Action.EDIT_ANY_COURSE) else {**filters, "teacher_id": own}

    async def _page(self, page: PageRequest, wanted: dict[str, Any]) -> Page[EnrollmentRow]:
        statement = sql.enrollment_page(frozenset(wanted), page.key is not None, page.backward)
        wanted.pop("live", None)
        async with self.db.read() as tx:
            return page_of(page, await tx.all(statement, **key_params(page), **wanted))

    async def _count(self, wanted: dict[str, Any]) -> int:
        statement = sql.enrollment_count(frozenset(wanted))
        wanted.pop("live", None)
        async with self.db.read() as tx:
            return await tx.scalar(statement, **wanted) or 0

    async def enrollment(self, enrollment_id: UUID) -> EnrollmentRow | None:
        """One enrolment: one's own, or any that the viewer may list; None when missing or hidden."""
        own = self.viewer.require(Action.READ_SELF)
        async with self.db.read() as tx:
            row = await tx.one_or_none(sql.ENROLLMENT, id=enrollment_id)
            if row is None or row.user_id == own or self.viewer.may(Action.EDIT_ANY_COURSE):
                return row
            if self.viewer.may(Action.READ_ENROLLMENTS):
                taught = await tx.scalar(sql.TEACHES, course_id=row.course_id, teacher_id=own)
                return row if taught is not None else None
        return None

    async def enrollment_count_by_course(self, ids: list[UUID]) -> dict[UUID, int]:
        """How many learners these courses have."""
        async with self.db.read() as tx:
            return {row.course_id: row.count for row in await tx.all(sql.LEARNER_COUNTS, ids=ids)}
