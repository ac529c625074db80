"""What follows from what happened: who acts on which event, what is due by the clock, which kinds of jobs there are.

Each domain adds its functions to these tables, and the worker calls them; no domain knows another through events.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from uuid import UUID

from app.assessment.regrade import RegradeHandler
from app.assessment.scoring import REGRADED
from app.assessment.sweeping import end_overdue
from app.catalog.telling import CONTENT_CHANGED, LESS_TO_DO
from app.credentials.bulk import IssueMany, RevokeMany
from app.credentials.issuing import EXPIRING, ISSUED
from app.credentials.reminding import remind
from app.db.outbox import Event
from app.db.transaction import Tx
from app.identity.directory import MEMBER_CONFIRMED
from app.learning.allow_list import claim, claim_unheard, place_claimed
from app.learning.bulk_enrolment import BulkEnrolment
from app.learning.clock import do_due, free_seats_of_completed, wake_if_anybody_waits
from app.learning.completing import complete_after_removal
from app.learning.reopening import reopen_changed
from app.learning.seats import ALLOWED
from app.work.rows import Handler

Reaction = Callable[[Tx, Event], Awaitable[None]]
Tick = Callable[[Tx], Awaitable[bool]]


async def less_to_do(tx: Tx, event: Event) -> None:
    """A course lost a lesson: some learners may have done everything now."""
    await complete_after_removal(tx, UUID(event.payload["course_id"]))


async def content_changed(tx: Tx, event: Event) -> None:
    """An author changed what a lesson says: who had completed it may have to do it anew."""
    payload = event.payload
    at = datetime.fromisoformat(payload["at"])
    await reopen_changed(tx, UUID(payload["course_id"]), UUID(payload["lesson_id"]), at)


async def seat_is_free(tx: Tx, event: Event) -> None:
    """Somebody completed a course: another may be waiting for the seat."""
    await wake_if_anybody_waits(tx, UUID(event.payload["course_id"]))


async def claim_allowances(tx: Tx, event: Event) -> None:
    """Somebody has proved to have their address: courses may have been waiting for it."""
    await claim(tx, UUID(event.payload["user_id"]))


async def addresses_allowed(tx: Tx, event: Event) -> None:
    """Addresses were let into a course: their owners may have proved to have them just before."""
    await claim_unheard(tx, UUID(event.payload["course_id"]))


# Called in the transaction that marks the event as relayed: whatever they write happens once.
EVENTS: Mapping[str, tuple[Reaction, ...]] = {
    LESS_TO_DO: (less_to_do,),
    CONTENT_CHANGED: (content_changed,),
    "course_completed": (seat_is_free,),
    MEMBER_CONFIRMED: (claim_allowances,),
    ALLOWED: (addresses_allowed,),
}

# Called for a tenant at least every two minutes, and when a timer (app.work.timers) asks for it. Each does a bounded
# number of things that are due and returns whether there may be more.
TICKS: tuple[Tick, ...] = (free_seats_of_completed, do_due, place_claimed, end_overdue, remind)

# What does the items of long work.
HANDLERS: tuple[Handler, ...] = (BulkEnrolment(), RegradeHandler(), IssueMany(), RevokeMany())

# Events that are told to the person of their payload's ``user_id`` by the mail of the same name.
MAILED = frozenset(
    {
        "enrolled",
        "course_completed",
        "enrollment_requested",
        "enrollment_approved",
        "enrollment_rejected",
        "enrollment_invited",
        "enrollment_waitlisted",
        "seat_offered",
        "offer_expired",
        "enrollment_expiring",
        "enrollment_expired",
        REGRADED,
        ISSUED,
        EXPIRING,
    }
)
