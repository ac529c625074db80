"""Bringing somebody into a course: the one way that self-enrolment, codes, lists and approvals all take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.errors import Conflict
from app.learning import standing
from app.learning.rows import EnrollmentRow
from app.learning.seats import Seats, full
from app.learning.standing import By, Move, Standing, State, activated, asked, in_role, standing_of, state_of


class Way(StrEnum):
    """How somebody comes: by themselves, with a code, or because the course's staff wants them there."""

    SELF = "self"
    CODE = "code"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Placed:
    """Somebody's enrolment, and whether this made or changed it."""

    id: UUID
    status: Standing
    is_new: bool


# Event that tells of each way to stand in a course.
TOLD = {
    Standing.ACTIVE: "enrolled",
    Standing.COMPLETED: "enrolled",
    Standing.REQUESTED: "enrollment_requested",
    Standing.WAITLISTED: "enrollment_waitlisted",
}


async def place(seats: Seats, user_id: UUID, way: Way, *, role: str = "student") -> Placed:
    """Bring somebody into a course as its rules have it; who is in already stays as they are (E10).

    E11: another role than a student's takes no seat and passes by the window.

    Raises Conflict: COURSE_FULL, ENROLLMENT_SUSPENDED, OFFER_EXPIRED, and the codes of the window (E7).
    """
    row = await seats.mine(user_id)
    before = None if row is None else state_of(row)
    now = standing_of(before, seats.now)
    if row is not None and now in standing.LIVE - {Standing.EXPIRED}:
        return await _already(seats, row, now, way)
    standing.check(Move.ENROLL, before, seats.now, by=By.LEARNER if way == Way.SELF else By.STAFF)
    if role != "student":
        state = in_role(before, role, seats.now)
    else:
        standing.check_window(seats.settings, seats.now, is_asked_in=way == Way.STAFF, has_code=way == Way.CODE)
        is_by_request = way == Way.SELF and seats.settings is not None and seats.settings.policy == "approval"
        state = asked(before, Standing.REQUESTED, seats.now) if is_by_request else await admitted(seats, before)
    return await write(seats, user_id, row, state, TOLD[state.status]) or await place(seats, user_id, way, role=role)


async def admitted(seats: Seats, before: State | None) -> State:
    """Active while there is room, else waiting. Raises Conflict (COURSE_FULL) without a waiting list."""
    state = activated(before, seats.settings, seats.now)
    holds = before is not None and before.holds_seat
    if not state.holds_seat or holds or seats.has_room():
        return state
    if seats.settings is None or seats.settings.offer_hours is None:
        raise full()
    return asked(before, Standing.WAITLISTED, seats.now, place=await seats.next_place())


async def accept(seats: Seats, row: EnrollmentRow, move: Move) -> Placed:
    """Take the seat that is kept for an invitation or an offer.

    Raises Conflict: OFFER_EXPIRED, NO_OFFER, NOT_INVITED, COURSE_CONCLUDED.
    """
    before = state_of(row)
    if move == Move.ACCEPT_OFFER:
        check_offer(before, seats)
    standing.check(move, before, seats.now, by=By.LEARNER)
    standing.check_window(seats.settings, seats.now, is_asked_in=True)
    return await moved(seats, row, activated(before, seats.settings, seats.now), "enrolled")


def check_offer(state: State, seats: Seats) -> None:
    """E4: raises Conflict (OFFER_EXPIRED) when an offer was not answered in time, whether the clock saw it or not."""
    is_late = state.offer_expires_at is not None and state.offer_expires_at <= seats.now
    was_missed = state.missed_offers > 0 and state.status in {Standing.WAITLISTED, Standing.DROPPED}
    if is_late or was_missed:
        raise Conflict("this offer has expired; the place went to the next person", code="OFFER_EXPIRED")


async def _already(seats: Seats, row: EnrollmentRow, now: Standing, way: Way) -> Placed:
    if now == Standing.SUSPENDED:
        raise suspended()
    if now == Standing.INVITED:
        return await accept(seats, row, Move.ACCEPT_INVITATION)
    if now == Standing.OFFERED and way != Way.STAFF:
        return await accept(seats, row, Move.ACCEPT_OFFER)
    if now == Standing.REQUESTED and way != Way.SELF:
        return await approve(seats, row)
    return Placed(row.id, now, is_new=False)


def suspended() -> Conflict:
    """Only the course's staff ends a suspension."""
    return Conflict("this enrolment is suspended; ask the instructor", code="ENROLLMENT_SUSPENDED")


async def approve(seats: Seats, row: EnrollmentRow) -> Placed:
    """Let in who asked: active, or waiting when the course is full.

    Raises Conflict: NOT_REQUESTED, COURSE_FULL, COURSE_CONCLUDED.
    """
    before = state_of(row)
    standing.check(Move.APPROVE, before, seats.now, by=By.STAFF)
    standing.check_window(seats.settings, seats.now, is_asked_in=True)
    state = await admitted(seats, before)
    kind = "enrollment_waitlisted" if state.status == Standing.WAITLISTED else "enrollment_approved"
    return await moved(seats, row, state, kind)


async def moved(seats: Seats, row: EnrollmentRow, state: State, kind: str) -> Placed:
    """Write an enrolment's new state and tell of it."""
    await seats.put(row, state)
    if state.status == Standing.ACTIVE:
        await seats.complete(row.id)
    await seats.tell(kind, row.id, row.user_id)
    return Placed(row.id, state.status, is_new=True)


async def write(seats: Seats, user_id: UUID, row: EnrollmentRow | None, state: State, kind: str) -> Placed | None:
    """Write a state, of a new enrolment too. None: it is not new, because another tab was faster.

    That happens in courses without settings only, where there is nothing to lock before there is an enrolment.
    """
    if row is not None:
        placed = await moved(seats, row, state, kind)
        if row.holds_seat and not state.holds_seat:
            await seats.promote()
        return placed
    made = await seats.add(user_id, state)
    if made is None:
        return None
    await seats.tell(kind, made, user_id)
    return Placed(made, state.status, is_new=True)
