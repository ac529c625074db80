"""Asking to be woken: what is due by the clock is acted on when it is due, not at the next sweep."""

from __future__ import annotations

from datetime import datetime

from app.db.outbox import publish
from app.db.transaction import Tx

WAKE = "wake_at"


async def wake_at(tx: Tx, at: datetime) -> None:
    """Look at what is due in this tenant at about that time (UTC), if this transaction commits.

    Nothing is promised: a sweep every two minutes finds what a lost timer would have found.
    """
    await publish(tx, WAKE, {"at": at.isoformat()})
