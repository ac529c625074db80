"""Progress as pure functions: a lesson's state depends on the set of its events, not on order or repetition.

The rules P1, P2, P4, P5 and P7 are written here; ``tests/rules/test_progress_rules.py`` proves them by property.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from app.learning.time_on_task import on_task, reached_at

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
    """What happened in a lesson: clients report the first four, the platform itself the others."""

    VIEWED = "viewed"
    POSITION = "position"
    WATCHED = "watched"
    COMPLETED = "completed"
    SUBMITTED = "submitted"
    SCORED = "scored"


HEARTBEATS = frozenset({EventKind.VIEWED, EventKind.POSITION, EventKind.WATCHED, EventKind.COMPLETED})


class Basis(StrEnum):
    """Why a lesson is complete. What is by the score alone, or excused, can cease to be; work cannot."""

    WORK = "work"
    SCORE = "score"
    EXCUSED = "excused"


class LessonState(StrEnum):
    """P1: where a learner is in a lesson. A completed lesson never becomes incomplete."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    STARTED = "started"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Event:
    """Something a learner did. ``occurred_at`` is already clamped; ranges and position are in seconds.

    ``span`` is the wall-clock time in which the ranges were watched (POSIX seconds). Of a score, ``percent`` is the
    score, None when there is none any more, and ``has_attempt`` whether the learner handed something in for it.
    """

    client_event_id: UUID
    kind: EventKind
    occurred_at: datetime
    percent: Decimal | None = None
    position: float | None = None
    block_id: str | None = None
    ranges: tuple[Range, ...] = ()
    span: Range | None = None
    has_attempt: bool = False

    @property
    def is_act(self) -> bool:
        """Whether the learner did something; a grade that somebody gave without an attempt is not their doing."""
        return self.kind != EventKind.SCORED or self.has_attempt


@dataclass(frozen=True, slots=True)
class Lesson:
    """What decides when a lesson is completed (P5). ``videos``: block ids to seconds, as the author gave them.

    ``threshold`` is a share 0..1 of the videos, ``min_score`` a percentage, ``min_seconds`` time on task.
    """

    completion: str
    threshold: Decimal = Decimal("0.95")
    videos: Mapping[str, int] = field(default_factory=dict)
    min_score: Decimal = Decimal(60)
    min_seconds: int = 60

    @property
    def by_coverage(self) -> bool:
        """Whether only watching completes it; without a video of known length it is marked done by hand."""
        return self.completion == "video_coverage" and bool(self.videos)


@dataclass(frozen=True, slots=True)
class Progress:
    """A learner's state in a lesson. ``score`` is the latest; ``seen_at`` when they last did more than go on."""

    percent: Decimal = Decimal(0)
    position: float = 0.0
    position_at: datetime | None = None
    position_event: UUID | None = None
    watched: Mapping[str, list[Range]] = field(default_factory=dict)
    started_at: datetime | None = None
    completed_at: datetime | None = None
    basis: Basis | None = None
    score: Decimal | None = None
    seen_at: datetime | None = None
    excused_at: datetime | None = None


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

    ``before`` is what was true already; it can only be added to (P1), but for what was complete by its score alone.
    """
    distinct = {event.client_event_id: event for event in events}
    ordered = sorted(distinct.values(), key=lambda event: (event.occurred_at, event.client_event_id.int))
    made = _fold(ordered, lesson)
    return made if before is None else _merged(made, before)


def _fold(ordered: Sequence[Event], lesson: Lesson) -> Progress:
    if not ordered:
        return Progress()
    completed_at = _completed_at(ordered, lesson)
    by_score = lesson.completion == "min_score"
    latest = next((event for event in reversed(ordered) if event.position is not None), None)
    scores = _scores(ordered)
    return Progress(
        percent=_percent(ordered, lesson, completed=completed_at is not None),
        position=0.0 if latest is None or latest.position is None else min(max(0.0, latest.position), LONGEST),
        position_at=None if latest is None else latest.occurred_at,
        position_event=None if latest is None else latest.client_event_id,
        watched=watched_ranges(ordered, lesson.videos),
        started_at=next((event.occurred_at for event in ordered if event.is_act), None),
        completed_at=completed_at,
        basis=None if completed_at is None else Basis.SCORE if by_score else Basis.WORK,
        score=scores[-1].percent if scores else None,
        seen_at=next(
            (event.occurred_at for event in reversed(ordered) if event.is_act and event.kind != EventKind.POSITION),
            None,
        ),
    )


def _scores(ordered: Sequence[Event]) -> list[Event]:
    """The scores in order; of two of the same moment the higher counts, the identifier decides nothing."""
    found = [event for event in ordered if event.kind == EventKind.SCORED]
    return sorted(found, key=lambda event: (event.occurred_at, -1 if event.percent is None else event.percent))


def _beats(events: Iterable[Event]) -> Iterator[datetime]:
    return (event.occurred_at for event in events if event.kind in HEARTBEATS)


def _percent(events: Sequence[Event], lesson: Lesson, *, completed: bool) -> Decimal:
    if completed:
        return Decimal(100)
    if lesson.by_coverage:
        reached = Decimal(int(coverage(events, lesson.videos) * 100))
    elif lesson.completion == "min_time":
        reached = Decimal(int(100 * on_task(_beats(events)).total_seconds() / lesson.min_seconds))
    else:
        reported = (event.percent for event in events if event.percent is not None and event.kind in HEARTBEATS)
        reached = max(reported, default=Decimal(0))
    return min(Decimal(99), max(Decimal(0), reached))  # 100 is for what is completed


def _completed_at(ordered: Sequence[Event], lesson: Lesson) -> datetime | None:
    """When the lesson was first complete: the earliest moment at which the events until then suffice."""
    if lesson.by_coverage:
        needed = float(lesson.threshold)
        reached = bisect_left(
            range(1, len(ordered) + 1), True, key=lambda n: coverage(ordered[:n], lesson.videos) >= needed
        )
        return ordered[reached].occurred_at if reached < len(ordered) else None
    if lesson.completion == "min_time":
        return reached_at(_beats(ordered), timedelta(seconds=lesson.min_seconds))
    if lesson.completion == "min_score":
        return _passed_at(_scores(ordered), lesson.min_score)
    return next((event.occurred_at for event in ordered if _suffices(event, lesson.completion)), None)


def _suffices(event: Event, completion: str) -> bool:
    """P5: whoever handed something in has seen it; a grade without an attempt is no submission."""
    handed_in = event.kind == EventKind.SUBMITTED or (event.kind == EventKind.SCORED and event.has_attempt)
    match completion:
        case "view":
            return event.kind in HEARTBEATS or handed_in
        case "submit":
            return handed_in
        case _:
            return event.kind == EventKind.COMPLETED


def _passed_at(scores: Sequence[Event], needed: Decimal) -> datetime | None:
    """Since when the score has been enough without ceasing to be; None when the latest is not."""
    since = None
    for event in scores:
        if event.percent is None or event.percent < needed:
            since = None
        elif since is None:
            since = event.occurred_at
    return since


def _merged(made: Progress, before: Progress) -> Progress:
    latest = max((made, before), key=lambda state: state.position_at.timestamp() if state.position_at else -1.0)
    kept = before.completed_at if _stays(before, made) else None
    completed_at = _first(made.completed_at, kept, before.excused_at)
    if completed_at is not None:
        percent = Decimal(100)
    else:
        percent = made.percent if before.completed_at is not None else max(made.percent, before.percent)
    return Progress(
        percent=percent,
        position=latest.position,
        position_at=latest.position_at,
        position_event=latest.position_event,
        watched=made.watched or before.watched,
        started_at=_first(made.started_at, before.started_at),
        completed_at=completed_at,
        basis=_basis(made, before, is_kept=kept is not None),
        score=made.score,
        seen_at=max((at for at in (made.seen_at, before.seen_at) if at is not None), default=None),
        excused_at=before.excused_at,
    )


def _stays(before: Progress, made: Progress) -> bool:
    """Whether what was complete stays so by itself.

    By its score alone it is what the scores make of it; when the author has asked for more since, it stays until the
    score falls.
    """
    match before.basis:
        case Basis.EXCUSED:
            return False
        case Basis.SCORE:
            fell = made.score is None or before.score is None or made.score < before.score
            return made.completed_at is None and not fell
        case _:
            return before.completed_at is not None


def _basis(made: Progress, before: Progress, *, is_kept: bool) -> Basis | None:
    reasons = {made.basis if made.completed_at else None, (before.basis or Basis.WORK) if is_kept else None}
    if Basis.WORK in reasons:
        return Basis.WORK
    if Basis.SCORE in reasons:
        return Basis.SCORE
    return Basis.EXCUSED if before.excused_at else None


def _first(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def course_percent(done_weight: int, total_weight: int) -> int:
    """P7: the share of required weight that is done, rounded down; 100 only for all of it; 0 for an empty course."""
    return 100 * done_weight // total_weight if total_weight else 0


def state_of(*, enrolled: bool, started: bool, completed: bool, locked: bool = False) -> LessonState:
    """P1: completed stays completed, and what was started is not locked again; then whatever applies."""
    if completed:
        return LessonState.COMPLETED
    if not enrolled:
        return LessonState.LOCKED
    if started:
        return LessonState.STARTED
    return LessonState.LOCKED if locked else LessonState.UNLOCKED
