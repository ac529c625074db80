"""What time does to enrolments: offers and access end, notices go out, seats of who is done are freed (E4, E8)."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from app.db.transaction import Tx
from app.learning import seat_statements as sql
from app.learning.placing import moved
from app.learning.rows import EnrollmentRow
from app.learning.seats import BATCH, Seats
from app.learning.standing import Standing, due, idle_at, left, missed, notice_at, standing_of, state_of, without_seat
from app.work.timers import wake_at

NOBODY = UUID(int=0)


async def do_due(tx: Tx) -> bool:
    """Do what is due in the course that has waited longest for it; returns whether there may be more.

    One course a transaction: its seats are locked before its enrolments, and no two courses' at once.
    """
    course_id = await tx.scalar(sql.FIRST_DUE)
    if course_id is None:
        return False
    seats = await _seats(tx, course_id)
    for row in await tx.all(sql.DUE_OF_COURSE, course_id=course_id, limit=BATCH):
        await _do(seats, row)
    await seats.promote()
    return True


async def free_seats_of_completed(tx: Tx) -> bool:
    """Give away the seats of who has completed a course; returns whether there may be more."""
    course_id = await tx.scalar(sql.FIRST_DONE)
    if course_id is None:
        return False
    seats = await _seats(tx, course_id)
    for row in await tx.all(sql.DONE_OF_COURSE, course_id=course_id, limit=BATCH):
        await seats.put(row, without_seat(state_of(row), seats.settings, seats.now))
    await seats.promote()
    return True


async def wake_if_anybody_waits(tx: Tx, course_id: UUID) -> None:
    """Have the clock look soon when a seat was freed outside a transaction that holds the course's seats."""
    now = await tx.scalar(sql.IS_FULL, course_id=course_id)
    if now is not None:
        await wake_at(tx, now)


async def _seats(tx: Tx, course_id: UUID) -> Seats:
    """A course's seats, locked; time goes on in deleted courses too."""
    return await Seats.locked(tx, await tx.one(sql.ENTRY, "course", id=course_id, user_id=NOBODY))


async def _do(seats: Seats, row: EnrollmentRow) -> None:
    state = state_of(row)
    now = standing_of(state, seats.now)
    idle = idle_at(state, seats.settings)
    notice = notice_at(state, seats.settings)
    if now == Standing.OFFERED:
        await _miss(seats, row)
    elif now == Standing.EXPIRED:
        await moved(seats, row, without_seat(state, seats.settings, seats.now), "enrollment_expired")
    elif now == Standing.ACTIVE and idle is not None and idle <= seats.now:
        await moved(seats, row, left(state, seats.now), "unenrolled_for_inactivity")
    elif now == Standing.ACTIVE and notice is not None and notice <= seats.now and state.expires_at is not None:
        told = replace(state, noticed_for=state.expires_at)
        await seats.put(row, replace(told, due_at=due(told, seats.settings, seats.now)))
        await seats.tell("enrollment_expiring", row.id, row.user_id, until=state.expires_at.isoformat())
    elif state.expires_at is not None and state.expires_at <= seats.now:
        await seats.put(row, without_seat(state, seats.settings, seats.now))
    else:
        await seats.put(row, replace(state, due_at=due(state, seats.settings, seats.now)))


async def _miss(seats: Seats, row: EnrollmentRow) -> None:
    state = state_of(row)
    if state.offer_expires_at is None or state.offer_expires_at > seats.now:
        return
    await moved(seats, row, missed(state, seats.now, await seats.next_place()), "offer_expired")
