"""What being late costs (Q12). Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

HUNDRED = Decimal(100)
_FINEST = Decimal("0.00001")


@dataclass(frozen=True, slots=True)
class LatePolicy:
    """``percent`` of the possible points for each begun ``interval`` after ``due_at``, never below ``floor``."""

    due_at: datetime | None = None
    interval: timedelta | None = None
    percent: Decimal = Decimal(0)
    floor: Decimal = Decimal(0)


NONE = LatePolicy()


def deducted(policy: LatePolicy, *, score: Decimal, possible: Decimal, finished_at: datetime) -> Decimal:
    """The points to take off; to five places, half up, and never more than there are.

    As Canvas has it: n begun intervals take possible * min(percent * n, max(score in percent - floor, 0)) / 100.
    """
    if policy.due_at is None or policy.interval is None or finished_at <= policy.due_at or possible <= 0 or score <= 0:
        return Decimal(0)
    late = finished_at - policy.due_at
    begun = -(-late // policy.interval)
    lost = min(policy.percent * begun, max(score * HUNDRED / possible - policy.floor, Decimal(0)))
    return min((possible * lost / HUNDRED).quantize(_FINEST, ROUND_HALF_UP), score)
