"""Time on task from heartbeats: a pure function of the set of moments at which a learner did something.

Formula: of two neighbouring moments at most ``GAP`` apart, the time between them counts; a longer gap is an absence. A
gap over midnight (UTC) is divided there, and of a day in one lesson at most ``DAY`` counts. More moments never make it
less, so that it does not matter in which order, how often or how late they are reported.
``app/learning/standing_statements.py`` computes the same in SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

GAP = timedelta(minutes=5)
DAY = timedelta(hours=4)
_NONE = timedelta()


def on_task(moments: Iterable[datetime]) -> timedelta:
    """How long somebody was at it."""
    return max((spent for _, spent in _growing(moments)), default=_NONE)


def reached_at(moments: Iterable[datetime], needed: timedelta) -> datetime | None:
    """The first of the moments at which that much time had been spent."""
    return next((moment for moment, spent in _growing(moments) if spent >= needed), None)


def _growing(moments: Iterable[datetime]) -> Iterator[tuple[datetime, timedelta]]:
    """Each moment but the first, with what had been spent by then."""
    days: dict[date, timedelta] = defaultdict(timedelta)
    spent = _NONE
    for earlier, later in pairwise(sorted(moment.astimezone(UTC) for moment in moments)):
        if later - earlier <= GAP:
            midnight = later.replace(hour=0, minute=0, second=0, microsecond=0)
            for day, part in (
                (earlier.date(), max(_NONE, midnight - earlier)),
                (later.date(), later - max(earlier, midnight)),
            ):
                before = min(DAY, days[day])
                days[day] += part
                spent += min(DAY, days[day]) - before
        yield later, spent
