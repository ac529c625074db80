"""What events mean for certificates. The relay calls it in the transaction that marks the event, so it happens once."""

from __future__ import annotations

from uuid import UUID

import structlog

from app.assessment import gradebook_grading, scoring
from app.credentials import statements as sql
from app.credentials.house import House
from app.credentials.issuing import Ineligible, issue, score_changed
from app.db.outbox import Event
from app.db.transaction import Tx
from app.errors import NotFound

log = structlog.get_logger(__name__)


async def certify(tx: Tx, house: House, event: Event) -> None:
    """Issue the certificate of a course that was completed, and judge the one of a score that changed."""
    try:
        match event.kind:
            case "course_completed":
                await issue(tx, house, UUID(event.payload["enrollment_id"]), by=None)
            case scoring.CHANGED | gradebook_grading.CHANGED:
                key = {name: UUID(event.payload[name]) for name in ("course_id", "user_id")}
                await score_changed(tx, house, await tx.one(sql.ENROLLMENT_OF, "enrollment", **key))
    except (Ineligible, NotFound) as refusal:  # nothing was written before it was raised
        log.info("no certificate follows from an event", event_id=str(event.id), code=refusal.code)
