"""How a person stands in a course, as pure functions: which states there are, who may move whom, what the clock does.

The rules E1 to E4, E7 and E8 are written here. A function that changes a state returns the new one; whoever calls it
holds the course's seats (``seats.py``) and writes both in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from app.errors import Conflict
from app.i18n import message
from app.learning.enrollment_rows import SettingsRow
from app.learning.rows import EnrollmentRow

# An offer that nobody answered puts its learner at the end of the list; after so many they are taken off it.
MOST_OFFERS = 2


class Standing(StrEnum):
    """Where somebody is. ``EXPIRED`` is never stored: an active enrolment is it when its access has ended."""

    REQUESTED = "requested"
    INVITED = "invited"
    ACTIVE = "active"
    COMPLETED = "completed"
    WAITLISTED = "waitlisted"
    OFFERED = "offered"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    DROPPED = "dropped"
    REJECTED = "rejected"


# E2: these count against the capacity (of students only).
SEATED = frozenset({Standing.ACTIVE, Standing.INVITED, Standing.OFFERED, Standing.SUSPENDED})
LIVE = frozenset(Standing) - {Standing.DROPPED, Standing.REJECTED}


class By(StrEnum):
    """Who moves somebody: themselves, whoever runs the course, or time."""

    LEARNER = "learner"
    STAFF = "staff"
    CLOCK = "clock"


class Move(StrEnum):
    """What happens to an enrolment."""

    ENROLL = "enroll"
    INVITE = "invite"
    APPROVE = "approve"
    REJECT = "reject"
    ACCEPT_INVITATION = "accept_invitation"
    DECLINE_INVITATION = "decline_invitation"
    OFFER = "offer"
    ACCEPT_OFFER = "accept_offer"
    DECLINE_OFFER = "decline_offer"
    MISS_OFFER = "miss_offer"
    SUSPEND = "suspend"
    RESUME = "resume"
    RENEW = "renew"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Rule:
    """From where a move leads, where to, who makes it, and what is said otherwise. None: no enrolment yet."""

    by: frozenset[By]
    sources: frozenset[Standing | None]
    targets: frozenset[Standing]
    code: str
    refusal: str


_OUTSIDE = frozenset({None, Standing.DROPPED, Standing.REJECTED, Standing.EXPIRED})
_LEARNER, _STAFF, _CLOCK = frozenset({By.LEARNER}), frozenset({By.STAFF}), frozenset({By.CLOCK})

RULES: dict[Move, Rule] = {
    Move.ENROLL: Rule(
        _LEARNER | _STAFF | _CLOCK,
        _OUTSIDE,
        frozenset({Standing.ACTIVE, Standing.COMPLETED, Standing.REQUESTED, Standing.WAITLISTED}),
        "ALREADY_ENROLLED",
        message("this person is enrolled already, or waits for a place"),
    ),
    Move.INVITE: Rule(
        _STAFF,
        _OUTSIDE,
        frozenset({Standing.INVITED}),
        "ALREADY_ENROLLED",
        message("this person is enrolled already, or waits for a place"),
    ),
    Move.APPROVE: Rule(
        _STAFF,
        frozenset({Standing.REQUESTED}),
        frozenset({Standing.ACTIVE, Standing.COMPLETED, Standing.WAITLISTED}),
        "NOT_REQUESTED",
        message("only an open request can be approved or rejected"),
    ),
    Move.REJECT: Rule(
        _STAFF,
        frozenset({Standing.REQUESTED}),
        frozenset({Standing.REJECTED}),
        "NOT_REQUESTED",
        message("only an open request can be approved or rejected"),
    ),
    Move.ACCEPT_INVITATION: Rule(
        _LEARNER,
        frozenset({Standing.INVITED}),
        frozenset({Standing.ACTIVE, Standing.COMPLETED}),
        "NOT_INVITED",
        message("there is no open invitation to this course"),
    ),
    Move.DECLINE_INVITATION: Rule(
        _LEARNER,
        frozenset({Standing.INVITED}),
        frozenset({Standing.REJECTED}),
        "NOT_INVITED",
        message("there is no open invitation to this course"),
    ),
    Move.OFFER: Rule(
        _CLOCK | _STAFF | _LEARNER,
        frozenset({Standing.WAITLISTED}),
        frozenset({Standing.OFFERED}),
        "NOT_WAITING",
        message("this person does not wait for a place"),
    ),
    Move.ACCEPT_OFFER: Rule(
        _LEARNER,
        frozenset({Standing.OFFERED}),
        frozenset({Standing.ACTIVE}),
        "NO_OFFER",
        message("no place is being offered to you in this course"),
    ),
    Move.DECLINE_OFFER: Rule(
        _LEARNER,
        frozenset({Standing.OFFERED}),
        frozenset({Standing.DROPPED}),
        "NO_OFFER",
        message("no place is being offered to you in this course"),
    ),
    Move.MISS_OFFER: Rule(
        _CLOCK,
        frozenset({Standing.OFFERED}),
        frozenset({Standing.WAITLISTED, Standing.DROPPED}),
        "NO_OFFER",
        message("no place is being offered to you in this course"),
    ),
    Move.SUSPEND: Rule(
        _STAFF,
        frozenset({Standing.ACTIVE}),
        frozenset({Standing.SUSPENDED}),
        "NOT_ACTIVE",
        message("only an active enrolment can be suspended"),
    ),
    Move.RESUME: Rule(
        _STAFF,
        frozenset({Standing.SUSPENDED}),
        frozenset({Standing.ACTIVE}),
        "NOT_SUSPENDED",
        message("this enrolment is not suspended"),
    ),
    Move.RENEW: Rule(
        _STAFF,
        frozenset({Standing.ACTIVE, Standing.EXPIRED, Standing.COMPLETED}),
        frozenset({Standing.ACTIVE, Standing.COMPLETED}),
        "NOT_RENEWABLE",
        message("only the access of who is or was learning can be renewed"),
    ),
    Move.DROP: Rule(
        _LEARNER | _STAFF | _CLOCK,
        LIVE,
        frozenset({Standing.DROPPED}),
        "NOT_ENROLLED",
        message("this person has left the course already"),
    ),
}


@dataclass(frozen=True, slots=True)
class State:
    """What is stored of a standing. A row has the same names."""

    status: Standing
    enrolled_at: datetime
    role: str = "student"
    observed_id: UUID | None = None
    holds_seat: bool = False
    activated_at: datetime | None = None
    expires_at: datetime | None = None
    noticed_for: datetime | None = None
    offer_expires_at: datetime | None = None
    missed_offers: int = 0
    waitlist_place: int | None = None
    due_at: datetime | None = None
    dropped_at: datetime | None = None
    completed_at: datetime | None = None
    last_activity_at: datetime | None = None


STORED = tuple(field.name for field in fields(State))


def state_of(row: EnrollmentRow) -> State:
    """The state in a row."""
    values = {name: getattr(row, name) for name in STORED}
    return State(**{**values, "status": Standing(row.status)})


def standing_of(state: State | None, now: datetime) -> Standing | None:
    """Where somebody with this state stands; access that has ended is looked at here."""
    if state is None:
        return None
    is_over = state.expires_at is not None and state.expires_at <= now
    return Standing.EXPIRED if state.status == Standing.ACTIVE and is_over else state.status


def check(move: Move, state: State | None, now: datetime, *, by: By) -> None:
    """Raises Conflict with the move's code when it does not lead from here, or is not theirs to make."""
    rule = RULES[move]
    if by not in rule.by or standing_of(state, now) not in rule.sources:
        raise Conflict(rule.refusal, code=rule.code)


def is_concluded(settings: SettingsRow, now: datetime) -> bool:
    """E7: whether the course, or the access that it gives, has ended."""
    return any(end is not None and end <= now for end in (settings.ends_at, settings.access_until))


def check_window(
    settings: SettingsRow | None, now: datetime, *, is_asked_in: bool = False, has_code: bool = False
) -> None:
    """E7: whether the course takes anybody now.

    Who is asked in by its staff passes by window and policy, who has a code by "invitation only".

    Raises Conflict: COURSE_CONCLUDED, ENROLLMENT_NOT_OPEN_YET, ENROLLMENT_CLOSED, INVITATION_ONLY.
    """
    if settings is None:
        return
    if is_concluded(settings, now):
        raise Conflict("this course has ended; nobody can enrol any more", code="COURSE_CONCLUDED")
    if is_asked_in:
        return
    if settings.opens_at is not None and settings.opens_at > now:
        raise Conflict("enrolment in this course has not begun yet", code="ENROLLMENT_NOT_OPEN_YET")
    if settings.policy == "closed" or (settings.closes_at is not None and settings.closes_at <= now):
        raise Conflict("enrolment in this course is closed", code="ENROLLMENT_CLOSED")
    if settings.policy == "invitation" and not has_code:
        raise Conflict("this course is by invitation only; ask its instructor for a code", code="INVITATION_ONLY")


def access_end(settings: SettingsRow | None, now: datetime) -> datetime | None:
    """E8: when access that begins now ends: the earlier of the course's date and its period, or never."""
    if settings is None:
        return None
    period = now + timedelta(days=settings.access_days) if settings.access_days is not None else None
    return min((end for end in (settings.access_until, period) if end is not None), default=None)


def due(state: State, settings: SettingsRow | None, now: datetime) -> datetime | None:
    """When the clock next has something to do: an offer or access ends, a notice is due, nobody was seen for long."""
    if state.status == Standing.OFFERED:
        return state.offer_expires_at
    if state.status not in {Standing.ACTIVE, Standing.SUSPENDED, Standing.COMPLETED}:
        return None
    moments = []
    if state.expires_at is not None and (state.expires_at > now or state.holds_seat):
        moments.append(state.expires_at)
        notice = notice_at(state, settings)
        if notice is not None and state.expires_at > now:
            moments.append(notice)
    idle = idle_at(state, settings)
    if idle is not None and standing_of(state, now) == Standing.ACTIVE:
        moments.append(idle)
    return min(moments, default=None)


def notice_at(state: State, settings: SettingsRow | None) -> datetime | None:
    """E8: when a learner is to be told that access ends soon; None when they were, for this end of it."""
    if settings is None or settings.notice_days is None or state.status != Standing.ACTIVE:
        return None
    if state.expires_at is None or state.noticed_for == state.expires_at:
        return None
    return state.expires_at - timedelta(days=settings.notice_days)


def idle_at(state: State, settings: SettingsRow | None) -> datetime | None:
    """E8: when who does nothing in the course leaves it."""
    if settings is None or settings.inactivity_days is None or state.role != "student":
        return None
    seen = [moment for moment in (state.activated_at, state.last_activity_at) if moment is not None]
    return max(seen) + timedelta(days=settings.inactivity_days) if seen else None


def activated(before: State | None, settings: SettingsRow | None, now: datetime) -> State:
    """Learning, from now on; what was completed stays so and needs no seat.

    The enrolment keeps its first day: progress is judged from it on (P2).
    """
    began = before.enrolled_at if before is not None and before.activated_at is not None else now
    done = before.completed_at if before is not None else None
    made = State(
        status=Standing.ACTIVE if done is None else Standing.COMPLETED,
        enrolled_at=began,
        holds_seat=done is None,
        activated_at=now,
        expires_at=access_end(settings, now),
        completed_at=done,
        last_activity_at=before.last_activity_at if before is not None else None,
    )
    return replace(made, due_at=due(made, settings, now))


def begun_anew(before: State, settings: SettingsRow | None, now: datetime) -> State:
    """Active again after a completion, which takes a seat as it did at first; the end of access stays where it was."""
    if before.completed_at is None:
        return before
    is_over = before.expires_at is not None and before.expires_at <= now
    made = replace(
        before, status=Standing.ACTIVE, completed_at=None, activated_at=now,
        holds_seat=before.role == "student" and (before.holds_seat or not is_over),
    )  # fmt: skip
    return replace(made, due_at=due(made, settings, now))


def in_role(before: State | None, role: str, now: datetime, observed_id: UUID | None = None) -> State:
    """E11: teaching, assisting or observing, which takes no seat and does not end."""
    made = activated(before, None, now)
    return replace(made, status=Standing.ACTIVE, role=role, observed_id=observed_id, holds_seat=False, due_at=None)


def asked(before: State | None, status: Standing, now: datetime, *, place: int | None = None) -> State:
    """Requested, invited (which takes a seat) or waiting at a place of the list; nothing else of before counts."""
    return State(
        status=status,
        enrolled_at=before.enrolled_at if before is not None and before.activated_at is not None else now,
        holds_seat=status in SEATED,
        activated_at=before.activated_at if before is not None else None,
        waitlist_place=place,
        completed_at=before.completed_at if before is not None else None,
        last_activity_at=before.last_activity_at if before is not None else None,
    )


def offered(before: State, until: datetime) -> State:
    """A seat is kept for them until then."""
    return replace(
        before, status=Standing.OFFERED, holds_seat=True, waitlist_place=None, offer_expires_at=until, due_at=until
    )


def missed(before: State, now: datetime, place: int) -> State:
    """E4: the offer was not answered: to the end of the list, or off it after the last one."""
    offers = before.missed_offers + 1
    if offers >= MOST_OFFERS:
        return replace(left(before, now), missed_offers=offers)
    waits = replace(left(before, now), status=Standing.WAITLISTED, dropped_at=None)
    return replace(waits, waitlist_place=place, missed_offers=offers)


def left(before: State, now: datetime, status: Standing = Standing.DROPPED) -> State:
    """Out of the course; what was done is kept."""
    return replace(
        before, status=status, holds_seat=False, offer_expires_at=None, waitlist_place=None, due_at=None, dropped_at=now
    )


def without_seat(before: State, settings: SettingsRow | None, now: datetime) -> State:
    """The seat goes to others: the course is completed, or access has ended."""
    made = replace(before, holds_seat=False)
    return replace(made, due_at=due(made, settings, now))
