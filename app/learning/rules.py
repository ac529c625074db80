"""Progress as pure functions: a lesson's state depends on the set of its events, not on order or repetition.

The rules P1, P2, P4 and P7 are written here; ``tests/rules/test_progress_rules.py`` proves them by property.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

Range = tuple[float, float]

FUTURE = timedelta(minutes=2)  # how far ahead a client's clock may be
SPEED = 2.0  # the fastest playback that counts
TOLERANCE = 2.0  # seconds that a range may exceed what the clock allows
LONGEST = 10 * 86_400.0  # seconds; positions beyond are nonsense
MAX_RANGES = 500
# Events and ranges that are kept of one learner in one lesson: a state is computed from all of them, so that their
# number bounds how long a batch takes. A report every ten seconds reaches it after a day of watching one lesson.
MAX_HISTORY = 20_000
LAST_WORDS = 100  # how many more may say that it is done


class EventKind(StrEnum):
    """What a client may report."""

    VIEWED = "viewed"
    POSITION = "position"
    WATCHED = "watched"
    COMPLETED = "completed"


class LessonState(StrEnum):
    """P1: where a learner is in a lesson. A completed lesson never becomes incomplete."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    STARTED = "started"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Event:
    """Something a learner did. ``occurred_at`` is already clamped; ranges and position are in seconds.

    ``span`` is the wall-clock time in which the ranges were watched (POSIX seconds).
    """

    client_event_id: UUID
    kind: EventKind
    occurred_at: datetime
    percent: Decimal | None = None
    position: float | None = None
    block_id: str | None = None
    ranges: tuple[Range, ...] = ()
    span: Range | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """What decides when a lesson is completed. ``videos`` maps block ids to seconds, as the author gave them."""

    completion: str
    threshold: Decimal = Decimal("0.95")
    videos: Mapping[str, int] = field(default_factory=dict)

    @property
    def by_coverage(self) -> bool:
        """Whether only watching completes it; without a video of known length it is marked done by hand."""
        return self.completion == "video_coverage" and bool(self.videos)


@dataclass(frozen=True, slots=True)
class Progress:
    """A learner's state in a lesson."""

    percent: Decimal = Decimal(0)
    position: float = 0.0
    position_at: datetime | None = None
    position_event: UUID | None = None
    watched: Mapping[str, list[Range]] = field(default_factory=dict)
    started_at: datetime | None = None
    completed_at: datetime | None = None


def clamp(occurred_at: datetime, enrolled_at: datetime, now: datetime) -> datetime:
    """P2: a client's clock may be wrong; nothing happened before the enrolment or in the future."""
    return max(enrolled_at, min(occurred_at, now + FUTURE))


def is_sane(percent: Decimal | None, position: float | None, ranges: Sequence[Range]) -> bool:
    """Whether an event's numbers can be meant."""
    return (
        (percent is None or 0 <= percent <= 100)
        and (position is None or 0 <= position <= LONGEST)
        and len(ranges) <= MAX_RANGES
        and all(0 <= start <= end <= LONGEST for start, end in ranges)
    )


def union(ranges: Iterable[Range]) -> list[Range]:
    """Sorted, disjoint ranges that cover the same points; empty ones vanish."""
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def length(ranges: Iterable[Range]) -> float:
    """Total length of disjoint ranges."""
    return sum(end - start for start, end in ranges)


def is_plausible(event: Event) -> bool:
    """P4: the ranges of one event fit into its own span of wall-clock time at double speed.

    Judged from the event alone, so that the order of arrival cannot matter; offline bursts are welcome.
    """
    if not event.ranges:
        return True
    if event.span is None:
        return False
    watched = length(union(event.ranges))
    return watched <= max(0.0, event.span[1] - event.span[0]) * SPEED + TOLERANCE


def coverage(events: Sequence[Event], videos: Mapping[str, int]) -> float:
    """P4: the share (0..1) of the lesson's video seconds that these events cover.

    The union of the ranges, each clipped to its video; but not more than double the union of the spans, so that a
    client cannot claim the same minute of its life many times.
    """
    total = sum(videos.values())
    if not total:
        return 0.0
    per_video = watched_ranges(events, videos)
    seen = sum(length(ranges) for ranges in per_video.values())
    lived = length(union(event.span for event in events if event.span is not None and event.ranges))
    allowed = lived * SPEED + TOLERANCE * len(per_video)
    return min(1.0, min(seen, allowed) / total)


def watched_ranges(events: Iterable[Event], videos: Mapping[str, int]) -> dict[str, list[Range]]:
    """The union of the watched ranges of each video, clipped to its length."""
    found: dict[str, list[Range]] = {}
    for event in events:
        duration = videos.get(event.block_id or "")
        if duration and event.block_id is not None:
            clipped = ((max(0.0, start), min(float(duration), end)) for start, end in event.ranges)
            found.setdefault(event.block_id, []).extend(clipped)
    return {block: merged for block, ranges in sorted(found.items()) if (merged := union(ranges))}


def progress_of(events: Iterable[Event], lesson: Lesson, before: Progress | None = None) -> Progress:
    """P2: the state that a set of events amounts to, in whatever order and however often they came.

    ``before`` is what was true already; it can only be added to (P1).
    """
    distinct = {event.client_event_id: event for event in events}
    ordered = sorted(distinct.values(), key=lambda event: (event.occurred_at, event.client_event_id.int))
    made = _fold(ordered, lesson)
    return made if before is None else _never_less(made, before)


def _fold(ordered: Sequence[Event], lesson: Lesson) -> Progress:
    if not ordered:
        return Progress()
    completed_at = _completed_at(ordered, lesson)
    latest = next((event for event in reversed(ordered) if event.position is not None), None)
    return Progress(
        percent=_percent(ordered, lesson, completed=completed_at is not None),
        position=0.0 if latest is None or latest.position is None else min(max(0.0, latest.position), LONGEST),
        position_at=None if latest is None else latest.occurred_at,
        position_event=None if latest is None else latest.client_event_id,
        watched=watched_ranges(ordered, lesson.videos),
        started_at=ordered[0].occurred_at,
        completed_at=completed_at,
    )


def _percent(events: Sequence[Event], lesson: Lesson, *, completed: bool) -> Decimal:
    if completed:
        return Decimal(100)
    if lesson.by_coverage:
        reached = Decimal(int(coverage(events, lesson.videos) * 100))
    else:
        reached = max((event.percent for event in events if event.percent is not None), default=Decimal(0))
    return min(Decimal(99), max(Decimal(0), reached))  # 100 is for what is completed


def _completed_at(ordered: Sequence[Event], lesson: Lesson) -> datetime | None:
    """When the lesson was first complete: the earliest moment at which the events until then suffice."""
    if lesson.by_coverage:
        needed = float(lesson.threshold)
        reached = bisect_left(
            range(1, len(ordered) + 1), True, key=lambda n: coverage(ordered[:n], lesson.videos) >= needed
        )
        return ordered[reached].occurred_at if reached < len(ordered) else None
    enough = set(EventKind) if lesson.completion == "view" else {EventKind.COMPLETED}
    return next((event.occurred_at for event in ordered if event.kind in enough), None)


def _never_less(made: Progress, before: Progress) -> Progress:
    latest = max((made, before), key=lambda state: state.position_at.timestamp() if state.position_at else -1.0)
    completed = [moment for moment in (made.completed_at, before.completed_at) if moment is not None]
    started = [moment for moment in (made.started_at, before.started_at) if moment is not None]
    return Progress(
        percent=max(made.percent, before.percent),
        position=latest.position,
        position_at=latest.position_at,
        position_event=latest.position_event,
        watched=made.watched or before.watched,
        started_at=min(started, default=None),
        completed_at=min(completed, default=None),
    )


def course_percent(done_weight: int, total_weight: int) -> int:
    """P7: the share of required weight that is done, rounded down; 100 only for all of it; 0 for an empty course."""
    return 100 * done_weight // total_weight if total_weight else 0


def state_of(*, enrolled: bool, started: bool, completed: bool) -> LessonState:
    """P1: completed stays completed; then whatever applies."""
    if completed:
        return LessonState.COMPLETED
    if not enrolled:
        return LessonState.LOCKED
    return LessonState.STARTED if started else LessonState.UNLOCKED
