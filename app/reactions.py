"""What follows from what happened: who acts on which event, what is due by the clock, which kinds of jobs there are.

Each domain adds its functions to these tables, and the worker calls them; no domain knows another through events.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from app.catalog.service import LESS_TO_DO
from app.credentials.bulk import IssueMany, RevokeMany
from app.credentials.issuing import EXPIRING, ISSUED
from app.credentials.reminding import remind
from app.db.outbox import Event
from app.db.transaction import Tx
from app.learning.completing import complete_after_removal
from app.work.rows import Handler

Reaction = Callable[[Tx, Event], Awaitable[None]]
Tick = Callable[[Tx], Awaitable[bool]]


async def less_to_do(tx: Tx, event: Event) -> None:
    """A course lost a lesson: some learners may have done everything now."""
    await complete_after_removal(tx, UUID(event.payload["course_id"]))


# Called in the transaction that marks the event as relayed: whatever they write happens once.
EVENTS: Mapping[str, tuple[Reaction, ...]] = {
    LESS_TO_DO: (less_to_do,),
}

# Called for a tenant at least every two minutes, and when a timer (app.work.timers) asks for it. Each does a bounded
# number of things that are due and returns whether there may be more.
TICKS: tuple[Tick, ...] = (remind,)

# What does the items of long work.
HANDLERS: tuple[Handler, ...] = (IssueMany(), RevokeMany())

# Events that are told to the person of their payload's ``user_id`` by the mail of the same name.
MAILED = frozenset({"enrolled", "course_completed", ISSUED, EXPIRING})
