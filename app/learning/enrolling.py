"""Enrolling and leaving: one enrolment per learner and course, whoever asks how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import idempotency
from app.db.database import Operation
from app.db.ids import new_id
from app.db.paging import Page, PageRequest, key_params, page_of
from app.db.transaction import Tx
from app.errors import NotFound
from app.identity.validators import Checks, line
from app.learning import enrollment_statements as sql
from app.learning import seat_statements as seat_sql
from app.learning import statements as progress_sql
from app.learning.completing import tell
from app.learning.enrollment_rows import EntryRow, SettingsRow
from app.learning.placing import Way, accept, check_offer, moved, place, suspended
from app.learning.rows import CourseProgressRow, EnrollmentRow
from app.learning.seats import Seats, stored
from app.learning.standing import LIVE, By, Move, Standing, activated, left, state_of
from app.learning.standing import check as check_move
from app.viewer import Action, Viewer


@dataclass(frozen=True, slots=True)
class Observed:
    """What an observer sees of their learner."""

    progress: CourseProgressRow | None
    completed_at: datetime | None
    last_activity_at: datetime | None


# Event that tells of each way out.
LEFT = {
    Move.DROP: "unenrolled",
    Move.DECLINE_OFFER: "offer_declined",
    Move.DECLINE_INVITATION: "invitation_declined",
}


class EnrollmentService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def enroll(self, course_id: UUID, *, idempotency_key: str | None = None) -> EnrollmentRow:
        """Enrol the viewer in a published course; asking again, from another tab too, gives the same enrolment.

        E1: after unenrolling, the same row is taken up again with its progress. E10: one event, one welcome.
        By the course's rules this may also be a request, or a place in the waiting list.

        Raises: Unauthenticated, Forbidden, NotFound (no such published course), Invalid, Conflict (key reused, and
        what ``placing.place`` raises).
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
            entry = await tx.one(seat_sql.ENTRY, "course", id=course_id, user_id=user_id)
            if not entry.is_open:
                raise NotFound("course")
            enrollment_id = await self._enter(tx, entry, user_id)
            if key is not None:
                await idempotency.settle(tx, user_id, key, enrollment_id)
            return await tx.one(sql.ENROLLMENT, "enrollment", id=enrollment_id)

    async def _enter(self, tx: Tx, entry: EntryRow, user_id: UUID) -> UUID:
        if not (entry.has_settings or entry.is_taught):
            state = stored(activated(None, None, entry.now))
            made = await tx.scalar(seat_sql.ADD_FREELY, id=new_id(), course_id=entry.id, user_id=user_id, **state)
            if made is not None:
                await tell(tx, "enrolled", made, entry.id, entry.title, user_id)
                return made
        seats = await Seats.locked(tx, entry)
        role = "instructor" if entry.is_taught else "student"
        return (await place(seats, user_id, Way.SELF, role=role)).id

    async def unenroll(self, course_id: UUID) -> EnrollmentRow:
        """Leave a course, its waiting list or an open request; what was done is kept for a return.

        The seat is offered to who waits longest. Raises: NotFound (not enrolled), Conflict (ENROLLMENT_SUSPENDED).
        """
        return await self._leave(course_id, Move.DROP)

    async def accept_offer(self, course_id: UUID) -> EnrollmentRow:
        """Take the seat that was offered from the waiting list; doing it twice changes nothing.

        Raises: NotFound (not enrolled), Conflict (OFFER_EXPIRED, NO_OFFER, COURSE_CONCLUDED).
        """
        return await self._accept(course_id, Move.ACCEPT_OFFER)

    async def accept_invitation(self, course_id: UUID) -> EnrollmentRow:
        """Come into a course that one was invited to.

        Raises: NotFound (not enrolled), Conflict (NOT_INVITED, COURSE_CONCLUDED).
        """
        return await self._accept(course_id, Move.ACCEPT_INVITATION)

    async def decline_offer(self, course_id: UUID) -> EnrollmentRow:
        """Leave the offered seat to the next. Raises: NotFound, Conflict (OFFER_EXPIRED, NO_OFFER)."""
        return await self._leave(course_id, Move.DECLINE_OFFER)

    async def decline_invitation(self, course_id: UUID) -> EnrollmentRow:
        """Say no to an invitation. Raises: NotFound (not enrolled), Conflict (NOT_INVITED)."""
        return await self._leave(course_id, Move.DECLINE_INVITATION)

    async def _accept(self, course_id: UUID, move: Move) -> EnrollmentRow:
        user_id = self.viewer.require(Action.LEARN)
        async with self.db.write() as tx:
            seats, row = await self._seats_of_mine(tx, course_id, user_id)
            if row.status != "active":  # another tab has accepted it
                await accept(seats, row, move)
            return await tx.one(sql.ENROLLMENT, "enrollment", id=row.id)

    async def _leave(self, course_id: UUID, move: Move) -> EnrollmentRow:
        user_id = self.viewer.require(Action.LEARN)
        async with self.db.write() as tx:
            seats, row = await self._seats_of_mine(tx, course_id, user_id)
            before = state_of(row)
            if move == Move.DROP and before.status not in LIVE:
                raise NotFound("enrollment")
            if before.status == Standing.SUSPENDED:  # they would come back as if nothing had been
                raise suspended()
            if move == Move.DECLINE_OFFER:
                check_offer(before, seats)
            check_move(move, before, seats.now, by=By.LEARNER)
            status = Standing.REJECTED if move == Move.DECLINE_INVITATION else Standing.DROPPED
            await moved(seats, row, left(before, seats.now, status), LEFT[move])
            await seats.promote()
            return await tx.one(sql.ENROLLMENT, "enrollment", id=row.id)

    async def _seats_of_mine(self, tx: Tx, course_id: UUID, user_id: UUID) -> tuple[Seats, EnrollmentRow]:
        entry = await tx.one(seat_sql.ENTRY, "enrollment", id=course_id, user_id=user_id)
        seats = await Seats.locked(tx, entry)
        row = await seats.mine(user_id)
        if row is None:
            raise NotFound("enrollment")
        return seats, row

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

    async def settings_by_course(self, ids: list[UUID]) -> list[SettingsRow]:
        """How people enrol in these courses, as far as that was said of them."""
        async with self.db.read() as tx:
            return await tx.all(seat_sql.SETTINGS_BY_COURSE, ids=ids)

    async def waiting_place_by_enrollment(self, ids: list[UUID]) -> dict[UUID, int]:
        """How many wait before and with these enrolments: 1 is the next one."""
        async with self.db.read() as tx:
            return {row.key: row.count for row in await tx.all(seat_sql.PLACES, ids=ids)}

    async def observed(self, row: EnrollmentRow) -> Observed | None:
        """E11: how far the learner is whom the viewer observes in this course; None for everybody else."""
        is_mine = row.user_id == self.viewer.require(Action.READ_SELF)
        if not is_mine or row.role != "observer" or row.observed_id is None or row.status != "active":
            return None
        async with self.db.read() as tx:
            about = {"ids": [row.course_id], "user_id": row.observed_id}
            learner = await tx.one_or_none(progress_sql.MY_ENROLLMENTS_BY_COURSE, **about)
            if learner is None or learner.status not in sql.OBSERVABLE:
                return None
            progress = await tx.one_or_none(progress_sql.COURSE_PROGRESS, **about)
        return Observed(progress, learner.completed_at, learner.last_activity_at)
