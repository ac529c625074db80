"""Events as clients send them, before anything is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.learning import rules


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """An event as a client sent it."""

    client_event_id: UUID
    lesson_id: UUID
    kind: rules.EventKind
    occurred_at: datetime
    percent: Decimal | None = None
    position: float | None = None
    block_id: UUID | None = None
    ranges: tuple[rules.Range, ...] = ()
    span_started_at: datetime | None = None
