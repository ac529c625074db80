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
from app.db.outbox import Event
from app.db.transaction import Tx
from app.learning.completing import complete_after_removal
from app.learning.reopening import reopen_changed
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


# Called in the transaction that marks the event as relayed: whatever they write happens once.
EVENTS: Mapping[str, tuple[Reaction, ...]] = {
    LESS_TO_DO: (less_to_do,),
    CONTENT_CHANGED: (content_changed,),
}

# Called for a tenant at least every two minutes, and when a timer (app.work.timers) asks for it. Each does a bounded
# number of things that are due and returns whether there may be more.
TICKS: tuple[Tick, ...] = (end_overdue,)

# What does the items of long work.
HANDLERS: tuple[Handler, ...] = (RegradeHandler(),)

# Events that are told to the person of their payload's ``user_id`` by the mail of the same name.
MAILED = frozenset({"enrolled", "course_completed", REGRADED})
