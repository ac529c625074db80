"""What the staff of a course does about enrolment: its rules, requests, suspensions, renewals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import audit
from app.db.database import Operation
from app.db.transaction import Tx
from app.errors import Conflict, Forbidden, NotFound
from app.identity.validators import Checks, text
from app.learning import enrollment_statements as sql
from app.learning import seat_statements as seat_sql
from app.learning import standing
from app.learning.enrollment_rows import EntryRow, SettingsRow
from app.learning.placing import approve, moved, write
from app.learning.rows import EnrollmentRow
from app.learning.seats import Seats
from app.learning.standing import By, Move, Standing, State, due, left, state_of
from app.learning.statements import ACTIVE_FOR_UPDATE
from app.viewer import Action, Viewer

REASON = 1000
LIMITS = {
    "capacity": (0, 100_000),
    "offer_hours": (1, 720),
    "access_days": (1, 3660),
    "inactivity_days": (1, 3660),
    "notice_days": (1, 365),
}
FIRST = UUID(int=0)
NO_SETTINGS: dict[str, Any] = {**dict.fromkeys(seat_sql.CHANGEABLE), "policy": "open"}


async def entered(tx: Tx, viewer: Viewer, course_id: UUID, *, thing: str = "course") -> EntryRow:
    """A course that the viewer runs, as its instructor or an administrator.

    Raises: Unauthenticated, NotFound (deleted; also a draft of somebody else, and for enrolments of it), Forbidden.
    """
    own = viewer.require(Action.MANAGE_ENROLLMENTS)
    entry = await tx.one(seat_sql.ENTRY, thing, id=course_id, user_id=own)
    if entry.is_deleted:
        raise NotFound(thing)
    if not (entry.is_taught or viewer.may(Action.EDIT_ANY_COURSE)):
        if thing != "course" or not entry.is_open:
            raise NotFound(thing)
        raise Forbidden("only its own instructors can change a course")
    return entry


async def runs(tx: Tx, viewer: Viewer, course_id: UUID) -> bool:
    """Whether the viewer runs a course, for reading; nothing is locked."""
    if viewer.user_id is None or not viewer.may(Action.MANAGE_ENROLLMENTS):
        return False
    if viewer.may(Action.EDIT_ANY_COURSE):
        return True
    return await tx.scalar(sql.TEACHES, course_id=course_id, teacher_id=viewer.user_id) is not None


async def shows(tx: Tx, viewer: Viewer, course_id: UUID) -> bool:
    """The same for lists, which are empty of courses that the viewer does not run.

    Raises: Unauthenticated, Forbidden (role).
    """
    viewer.require(Action.MANAGE_ENROLLMENTS)
    return await runs(tx, viewer, course_id)


def check_version(current: int, expected: int | None) -> None:
    """Raises Conflict (VERSION_CONFLICT) when somebody changed a thing since the version that was expected."""
    if expected is not None and expected != current:
        raise Conflict(
            "this was changed meanwhile; read it again and repeat your change", code="VERSION_CONFLICT", current=current
        )


class ManagingService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    # --- the course's rules

    async def update_settings(
        self, course_id: UUID, given: Mapping[str, Any], *, expected_version: int | None = None
    ) -> SettingsRow:
        """Change how people enrol; fields that are not given stay.

        E3: a capacity below the seats taken evicts nobody; a greater one offers the new seats at once. E8: nobody's end
        of access moves.

        Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT).
        """
        self.viewer.require(Action.MANAGE_ENROLLMENTS)
        check = Checks()
        self._check_numbers(check, given)
        check.done()
        async with self.db.write() as tx:
            # Keeps new enrolments out until the first settings, with the number of seats, are there for them.
            await tx.one(seat_sql.COURSE_FOR_SETTINGS, "course", id=course_id)
            seats = await Seats.locked(tx, await entered(tx, self.viewer, course_id))
            before = seats.settings
            check_version(before.version if before else 0, expected_version)
            old = NO_SETTINGS if before is None else {name: getattr(before, name) for name in seat_sql.CHANGEABLE}
            values = {**old, **given}
            self._check_times(check, values)
            check.done()
            if before is None:
                taken = await tx.one(seat_sql.SEATS_HELD, course_id=course_id)
                await tx.execute(seat_sql.ADD_SETTINGS, course_id=course_id, seats_taken=taken, **values)
            else:
                await tx.execute(seat_sql.PUT_SETTINGS, course_id=course_id, **values)
            await audit.record(
                tx, self.viewer.user_id, "enrollment.settings", kind="course", id=course_id,
                changes={name: [str(old[name]), str(values[name])] for name in values if old[name] != values[name]},
            )  # fmt: skip
            if any(old[name] != values[name] for name in ("inactivity_days", "notice_days")):
                await self._look_again(tx, course_id)
            seats = await Seats.locked(tx, seats.entry)
            await seats.promote()
            return await tx.one(seat_sql.SETTINGS, "course", course_id=course_id)

    def _check_numbers(self, check: Checks, given: Mapping[str, Any]) -> None:
        for name, (minimum, maximum) in LIMITS.items():
            value = given.get(name)
            if value is not None and not minimum <= value <= maximum:
                check.note(
                    f"input.{_camel(name)}", "OUT_OF_RANGE", "must be between {minimum} and {maximum}",
                    minimum=minimum, maximum=maximum,
                )  # fmt: skip

    def _check_times(self, check: Checks, values: Mapping[str, Any]) -> None:
        opens = values["opens_at"]
        for name in ("closes_at", "ends_at"):
            if opens is not None and values[name] is not None and values[name] <= opens:
                check.note(f"input.{_camel(name)}", "TIME_ORDER", "must be later than the beginning")

    async def _look_again(self, tx: Tx, course_id: UUID) -> None:
        """Let the clock judge every active enrolment anew, locked in the order in which everybody locks them."""
        after = FIRST
        while ids := await tx.all(ACTIVE_FOR_UPDATE, course_id=course_id, after=after):
            await tx.execute(seat_sql.LOOK_AGAIN, ids=ids)
            after = ids[-1]

    # --- one enrolment

    async def approve(self, enrollment_id: UUID) -> EnrollmentRow:
        """Let in who asked; in a full course they wait, or are refused when there is no waiting list.

        Raises: NotFound, Conflict (NOT_REQUESTED, COURSE_FULL, COURSE_CONCLUDED).
        """
        async with self.db.write() as tx:
            seats, row = await self._locked(tx, enrollment_id)
            await approve(seats, row)
            await self._record(tx, row, Move.APPROVE, None)
            return await tx.one(sql.ENROLLMENT, "enrollment", id=row.id)

    async def reject(self, enrollment_id: UUID, *, reason: str = "") -> EnrollmentRow:
        """Turn a request down; the reason is sent along. Raises: NotFound, Invalid, Conflict (NOT_REQUESTED)."""
        reason = self._reason(reason)
        async with self.db.write() as tx:
            seats, row, before = await self._may(tx, enrollment_id, Move.REJECT)
            await seats.put(row, left(before, seats.now, Standing.REJECTED))
            await seats.tell("enrollment_rejected", row.id, row.user_id, reason=reason)
            return await self._done(seats, row, Move.REJECT, reason)

    async def suspend(self, enrollment_id: UUID, *, reason: str) -> EnrollmentRow:
        """Keep somebody from learning for a while; the seat stays theirs. Raises: NotFound, Conflict (NOT_ACTIVE)."""
        reason = self._reason(reason, minimum=1)
        async with self.db.write() as tx:
            seats, row, before = await self._may(tx, enrollment_id, Move.SUSPEND)
            await moved(seats, row, replace(before, status=Standing.SUSPENDED), "enrollment_suspended")
            return await self._done(seats, row, Move.SUSPEND, reason)

    async def resume(self, enrollment_id: UUID) -> EnrollmentRow:
        """End a suspension. Raises: NotFound, Conflict (NOT_SUSPENDED)."""
        async with self.db.write() as tx:
            seats, row, before = await self._may(tx, enrollment_id, Move.RESUME)
            state = replace(before, status=Standing.ACTIVE)
            state = replace(state, due_at=due(state, seats.settings, seats.now))
            await moved(seats, row, state, "enrollment_resumed")
            return await self._done(seats, row, Move.RESUME, None)

    async def drop(self, enrollment_id: UUID, *, reason: str) -> EnrollmentRow:
        """Take somebody out of the course, its waiting list, or an invitation back. Raises: NotFound, Conflict."""
        reason = self._reason(reason, minimum=1)
        async with self.db.write() as tx:
            seats, row, before = await self._may(tx, enrollment_id, Move.DROP)
            await moved(seats, row, left(before, seats.now), "unenrolled")
            return await self._done(seats, row, Move.DROP, reason)

    async def renew(self, enrollment_id: UUID, *, until: datetime | None = None) -> EnrollmentRow:
        """Give access anew: until a moment, or as long as the course's rules give from now on.

        Who has lost the seat needs a free one. Raises: NotFound, Invalid, Conflict (NOT_RENEWABLE, COURSE_FULL).
        """
        async with self.db.write() as tx:
            seats, row, before = await self._may(tx, enrollment_id, Move.RENEW)
            end = until if until is not None else standing.access_end(seats.settings, seats.now)
            if end is not None and end <= seats.now:
                check = Checks()
                check.note("input.until", "TIME_PAST", "must be in the future")
                check.done()
            made = standing.activated(before, seats.settings, seats.now)
            state = replace(
                made, expires_at=end, role=before.role, observed_id=before.observed_id,
                holds_seat=made.holds_seat and before.role == "student",
            )  # fmt: skip
            await moved(seats, row, replace(state, due_at=due(state, seats.settings, seats.now)), "enrollment_renewed")
            return await self._done(seats, row, Move.RENEW, None)

    # --- bringing people in

    async def invite(self, course_id: UUID, user_id: UUID) -> EnrollmentRow:
        """Invite a member; a seat is kept until they answer.

        Raises: NotFound, Forbidden, Conflict (ALREADY_ENROLLED, COURSE_FULL, COURSE_CONCLUDED).
        """
        async with self.db.write() as tx:
            seats = await Seats.locked(tx, await entered(tx, self.viewer, course_id))
            await tx.one(sql.MEMBER, "user", user_id=user_id)
            row = await seats.mine(user_id)
            before = None if row is None else state_of(row)
            standing.check(Move.INVITE, before, seats.now, by=By.STAFF)
            standing.check_window(seats.settings, seats.now, is_asked_in=True)
            state = standing.asked(before, Standing.INVITED, seats.now)
            placed = await write(seats, user_id, row, state, "enrollment_invited")
            if placed is None:  # without settings there was nothing to lock, and somebody was faster
                raise Conflict("somebody else is changing this right now; try again", code="BUSY")
            return await tx.one(sql.ENROLLMENT, "enrollment", id=placed.id)

    async def assign_role(
        self, course_id: UUID, user_id: UUID, role: str, *, observed_id: UUID | None = None
    ) -> EnrollmentRow:
        """E11: let a member teach, assist, or observe one learner of the course; none of these takes a seat.

        Raises: NotFound, Forbidden, Invalid (an observer needs one learner, who is enrolled and somebody else),
        Conflict (ALREADY_ENROLLED: a student of the course).
        """
        self.viewer.require(Action.MANAGE_ENROLLMENTS)
        check = Checks()
        if role == "student":
            check.note("input.role", "ROLE_INVALID", "enrol students instead")
        if (role == "observer") != (observed_id is not None):
            check.note(
                "input.observedId", "OBSERVED_INVALID", "name the learner whom an observer follows, and only then"
            )
        if observed_id == user_id:
            check.note("input.observedId", "OBSERVES_SELF", "nobody can observe themselves")
        check.done()
        async with self.db.write() as tx:
            seats = await Seats.locked(tx, await entered(tx, self.viewer, course_id))
            await tx.one(sql.MEMBER, "user", user_id=user_id)
            if observed_id is not None:
                await tx.one(sql.LEARNER, "enrollment", course_id=course_id, user_id=observed_id)
            row = await seats.mine(user_id)
            before = None if row is None else state_of(row)
            if before is not None and before.role == "student":
                standing.check(Move.ENROLL, before, seats.now, by=By.STAFF)
            state = standing.in_role(before, role, seats.now, observed_id)
            placed = await write(seats, user_id, row, state, "course_role_assigned")
            if placed is None:  # without settings there was nothing to lock, and somebody was faster
                raise Conflict("somebody else is changing this right now; try again", code="BUSY")
            await audit.record(
                tx, self.viewer.user_id, "enrollment.role", kind="enrollment", id=placed.id,
                changes={"role": role, "observed_id": None if observed_id is None else str(observed_id)},
            )  # fmt: skip
            return await tx.one(sql.ENROLLMENT, "enrollment", id=placed.id)

    async def _may(self, tx: Tx, enrollment_id: UUID, move: Move) -> tuple[Seats, EnrollmentRow, State]:
        seats, row = await self._locked(tx, enrollment_id)
        before = state_of(row)
        standing.check(move, before, seats.now, by=By.STAFF)
        return seats, row, before

    async def _locked(self, tx: Tx, enrollment_id: UUID) -> tuple[Seats, EnrollmentRow]:
        self.viewer.require(Action.MANAGE_ENROLLMENTS)
        course_id = await tx.one(seat_sql.COURSE_OF, "enrollment", id=enrollment_id)
        seats = await Seats.locked(tx, await entered(tx, self.viewer, course_id, thing="enrollment"))
        return seats, await tx.one(seat_sql.FOR_UPDATE, "enrollment", id=enrollment_id)

    async def _done(self, seats: Seats, row: EnrollmentRow, move: Move, reason: str | None) -> EnrollmentRow:
        await seats.promote()
        await self._record(seats.tx, row, move, reason)
        return await seats.tx.one(sql.ENROLLMENT, "enrollment", id=row.id)

    async def _record(self, tx: Tx, row: EnrollmentRow, move: Move, reason: str | None) -> None:
        await audit.record(
            tx, self.viewer.user_id, f"enrollment.{move}", kind="enrollment", id=row.id, reason=reason,
            changes={"status": row.status},
        )  # fmt: skip

    def _reason(self, reason: str, *, minimum: int = 0) -> str:
        self.viewer.require(Action.MANAGE_ENROLLMENTS)
        check = Checks()
        clean = check("input.reason", text, reason, minimum=minimum, maximum=REASON)
        check.done()
        return clean


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
