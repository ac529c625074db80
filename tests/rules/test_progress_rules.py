"""Progress rules as properties: order and repetition never matter, nothing is ever lost, nothing exceeds 100 %."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from app.learning import rules
from app.learning.rules import Basis, Event, EventKind, Lesson, LessonState, Progress

START = datetime(2026, 3, 1, tzinfo=UTC)
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "150"))
VIDEOS = {"a": 100, "b": 60}


@st.composite
def events(draw: Any) -> Event:
    at = START + timedelta(seconds=draw(st.integers(0, 5000)))
    start = draw(st.floats(0, 120, allow_nan=False))
    ranges = ((start, start + draw(st.floats(0, 60))),) if draw(st.booleans()) else ()
    return Event(
        client_event_id=UUID(int=draw(st.integers(1, 40))),
        kind=draw(st.sampled_from(EventKind)),
        occurred_at=at,
        percent=draw(st.none() | st.decimals(0, 100, places=1)),
        position=draw(st.none() | st.floats(0, 200, allow_nan=False)),
        block_id=draw(st.sampled_from(["a", "b", "zzz"])),
        ranges=ranges,
        span=(at.timestamp() - draw(st.integers(0, 120)), at.timestamp()),
        has_attempt=draw(st.booleans()),
    )


def one_per_id(found: list[Event]) -> list[Event]:
    """A client's id stands for one event."""
    return list({event.client_event_id: event for event in found}.values())


lessons = st.builds(
    Lesson,
    completion=st.sampled_from(["view", "mark_done", "submit", "min_score", "min_time", "video_coverage"]),
    threshold=st.sampled_from([Decimal("0.5"), Decimal("0.95"), Decimal(1)]),
    videos=st.sampled_from([{}, VIDEOS]),
    min_score=st.sampled_from([Decimal(0), Decimal(50), Decimal(80)]),
    min_seconds=st.sampled_from([1, 200, 900]),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(events(), max_size=12), lessons, st.randoms())
def test_p2_any_order_and_repetition_gives_the_same_state(found: list[Event], lesson: Lesson, random: Any) -> None:
    distinct = one_per_id(found)
    shuffled = distinct + random.choices(distinct, k=len(distinct)) if distinct else []
    random.shuffle(shuffled)
    assert rules.progress_of(shuffled, lesson) == rules.progress_of(distinct, lesson)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(events(), max_size=12), lessons, st.integers(0, 12))
def test_p2_batches_in_any_split_end_in_the_same_state(found: list[Event], lesson: Lesson, cut: int) -> None:
    distinct = one_per_id(found)
    first = rules.progress_of(distinct[:cut], lesson)
    whole = rules.progress_of(distinct, lesson)
    assert rules.progress_of(distinct, lesson, before=first) == whole


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(events(), max_size=12), events(), lessons)
def test_p1_another_event_never_takes_anything_away(found: list[Event], more: Event, lesson: Lesson) -> None:
    distinct = one_per_id(found)
    before = rules.progress_of(distinct, lesson)
    after = rules.progress_of(one_per_id([more, *distinct]), lesson, before=before)
    if before.basis is not Basis.SCORE:  # what is done by the score alone may fall with it
        assert after.percent >= before.percent
        assert not (before.completed_at and not after.completed_at)
    assert 0 <= after.percent <= 100


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(events(), max_size=10), lessons, st.integers(0, 10), st.booleans(), st.booleans())
def test_p5_excused_counts_as_met_whenever_it_is_said_and_taking_it_back_leaves_the_work(
    found: list[Event], lesson: Lesson, cut: int, early: bool, taken_back: bool
) -> None:
    distinct = one_per_id(found)
    first = Progress(excused_at=START) if early else rules.progress_of(distinct[:cut], lesson)
    excused = rules.progress_of(distinct[:cut], lesson, before=replace(first, excused_at=START))
    whole = rules.progress_of(distinct, lesson, before=excused)
    assert (whole.completed_at, whole.percent) == (START, Decimal(100))
    if taken_back:
        earned = rules.progress_of(distinct, lesson)
        left = rules.progress_of(distinct, lesson, before=replace(whole, excused_at=None))
        assert (left.completed_at is None, left.percent) == (earned.completed_at is None, earned.percent)


@given(st.lists(st.tuples(st.floats(0, 50, width=16), st.floats(0, 50, width=16)), max_size=20))
def test_p4_the_union_of_ranges_is_sorted_disjoint_and_covers_the_same_points(pairs: list[tuple[float, float]]) -> None:
    merged = rules.union(pairs)
    assert merged == sorted(merged)
    assert all(left[1] < right[0] for left, right in pairwise(merged))
    for start, end in pairs:
        if end > start:
            assert any(low <= start and end <= high for low, high in merged)
    assert rules.union(merged) == merged


def watched(number: int, start: float, end: float, *, at: int, span: float, block: str = "a") -> Event:
    moment = START + timedelta(seconds=at)
    return Event(
        UUID(int=number), EventKind.WATCHED, moment, block_id=block, ranges=((start, end),),
        span=(moment.timestamp() - span, moment.timestamp()),
    )  # fmt: skip


def test_p4_seeking_to_the_end_is_not_watching() -> None:
    lesson = Lesson("video_coverage", Decimal("0.95"), {"a": 100})
    seen = rules.progress_of([watched(1, 98, 100, at=10, span=5)], lesson)
    assert (seen.completed_at, seen.percent) == (None, Decimal(2))


def test_p4_enough_of_the_union_completes_at_the_moment_it_was_enough() -> None:
    lesson = Lesson("video_coverage", Decimal("0.95"), {"a": 100})
    parts = [
        watched(1, 0, 50, at=60, span=50),
        watched(2, 40, 96, at=120, span=56),
        watched(3, 96, 100, at=200, span=5),
    ]
    assert rules.progress_of(parts, lesson).completed_at == START + timedelta(seconds=120)
    assert rules.progress_of(parts[::-1], lesson).completed_at == START + timedelta(seconds=120)


def test_p4_the_same_minute_of_life_counts_once() -> None:
    lesson = Lesson("video_coverage", Decimal("0.95"), {"a": 100})
    claimed = [watched(n, n * 10, n * 10 + 10, at=60, span=5) for n in range(10)]
    assert all(rules.is_plausible(event) for event in claimed)
    assert rules.progress_of(claimed, lesson).completed_at is None


def test_p4_a_range_needs_a_span_long_enough_at_double_speed() -> None:
    assert rules.is_plausible(watched(1, 0, 100, at=60, span=50))
    assert not rules.is_plausible(watched(1, 0, 100, at=60, span=40))
    assert not rules.is_plausible(Event(UUID(int=1), EventKind.WATCHED, START, block_id="a", ranges=((0, 9),)))


def test_p4_no_position_or_percentage_that_a_client_claims_stands_for_watching() -> None:
    lesson = Lesson("video_coverage", Decimal("0.95"), {"a": 100})
    moment = START + timedelta(seconds=60)
    claims = [
        Event(UUID(int=n), kind, moment, percent=Decimal(100), position=position, block_id="a")
        for n, (kind, position) in enumerate(
            (kind, position) for kind in rules.HEARTBEATS for position in (99.0, 100.0, 1e6)
        )
    ]
    seen = rules.progress_of(claims, lesson)
    assert (seen.completed_at, seen.percent) == (None, Decimal(0))


def test_p4_a_beat_that_is_sent_again_under_another_identifier_counts_once() -> None:
    lesson = Lesson("video_coverage", Decimal("0.95"), {"a": 100})
    once = [watched(1, 0, 40, at=60, span=40)]
    again = [watched(n, 0, 40, at=60, span=40) for n in range(1, 9)]
    assert rules.progress_of(again, lesson).percent == rules.progress_of(once, lesson).percent == 40


def test_p4_an_honest_burst_after_hours_without_a_network_counts_in_full() -> None:
    lesson = Lesson("video_coverage", Decimal("0.95"), {"a": 3600})
    burst = [watched(n, n * 60, n * 60 + 60, at=-90_000 + n * 30, span=30) for n in range(60)]
    assert all(rules.is_plausible(event) for event in burst)
    assert rules.progress_of(burst, lesson).completed_at == START + timedelta(seconds=-90_000 + 56 * 30)


def test_p2_a_client_clock_is_clamped_between_enrolment_and_two_minutes_from_now() -> None:
    now = START + timedelta(days=1)
    assert rules.clamp(START - timedelta(days=9), START, now) == START
    assert rules.clamp(now + timedelta(days=9), START, now) == now + timedelta(minutes=2)
    assert rules.clamp(now, START, now) == now


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_p7_the_percentage_is_a_floor_that_is_100_only_when_everything_is_done(done: int, more: int) -> None:
    total = done + more
    percent = rules.course_percent(done, total)
    assert 0 <= percent <= 100
    assert (percent == 100) == (total > 0 and more == 0)


def test_p7_an_empty_course_is_at_zero() -> None:
    assert rules.course_percent(0, 0) == 0


def test_p1_states() -> None:
    assert rules.state_of(enrolled=False, started=False, completed=False) is LessonState.LOCKED
    assert rules.state_of(enrolled=True, started=False, completed=False) is LessonState.UNLOCKED
    assert rules.state_of(enrolled=True, started=True, completed=False) is LessonState.STARTED
    assert rules.state_of(enrolled=False, started=True, completed=True) is LessonState.COMPLETED


def test_p1_a_harder_rule_later_does_not_undo_what_was_complete() -> None:
    done = Progress(percent=Decimal(100), completed_at=START, started_at=START)
    harder = Lesson("video_coverage", Decimal(1), {"a": 1000})
    assert rules.progress_of([watched(1, 0, 5, at=1, span=5)], harder, before=done).completed_at == START
