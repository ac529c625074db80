"""When attempts end (Q1, Q2, Q3), by examples and for every moment there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assessment.deadlines import (
    DRIFT,
    Ending,
    Overdue,
    Timing,
    deadline,
    next_sweep,
    submitted,
    swept,
    takes_answers,
)

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
END = START + timedelta(minutes=30)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
TIMINGS = st.builds(
    Timing,
    st.sampled_from(Overdue),
    st.integers(1, 7200).map(lambda seconds: timedelta(seconds=seconds)),
    st.integers(0, 3600).map(lambda seconds: timedelta(seconds=seconds)),
)
OFFSETS = st.integers(-4000, 20_000).map(lambda seconds: timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("limit", "extra", "close", "expected"),
    [
        (None, 0, None, None),
        (30, 0, None, 30),
        (30, 15, None, 45),
        (30, 15, 40, 40),
        (30, 0, 40, 30),
        (None, 15, 40, 40),
    ],
)
def test_q1_the_deadline_is_the_earlier_of_limit_with_extra_time_and_closing(
    limit: int | None, extra: int, close: int | None, expected: int | None
) -> None:
    found = deadline(
        START,
        limit=None if limit is None else limit * MINUTE,
        extra=extra * MINUTE,
        close_at=None if close is None else START + close * MINUTE,
    )
    assert found == (None if expected is None else START + expected * MINUTE)


@pytest.mark.parametrize(
    ("policy", "after", "expected"),
    [
        (Overdue.AUTOSUBMIT, 0 * SECOND, Ending("submitted", True, END)),
        (Overdue.AUTOSUBMIT, 60 * SECOND, Ending("submitted", True, END)),
        (Overdue.AUTOSUBMIT, 61 * SECOND, Ending("submitted", False, END)),
        (Overdue.GRACE, 60 * SECOND, Ending("submitted", True, END + MINUTE)),
        (Overdue.GRACE, 61 * SECOND, Ending("submitted", False, END + 61 * SECOND)),
        (Overdue.GRACE, 6 * MINUTE, Ending("submitted", False, END + 6 * MINUTE, is_flagged=True)),
        (Overdue.GRACE, 11 * MINUTE, Ending("submitted", False, END + 11 * MINUTE, is_flagged=True)),
        (Overdue.GRACE, 11 * MINUTE + SECOND, Ending("abandoned", False)),
        (Overdue.ABANDON, 60 * SECOND, Ending("submitted", True, END)),
        (Overdue.ABANDON, 61 * SECOND, Ending("abandoned", False)),
    ],
)
def test_q2_what_a_submission_amounts_to_after_the_deadline(
    policy: Overdue, after: timedelta, expected: Ending
) -> None:
    assert submitted(END + after, END, Timing(policy, 10 * MINUTE)) == expected


def test_q3_a_finish_within_five_minutes_is_the_deadlines_and_a_later_one_is_kept_and_flagged() -> None:
    timing = Timing(Overdue.AUTOSUBMIT, network_grace=20 * MINUTE)
    assert submitted(END + DRIFT, END, timing) == Ending("submitted", True, END)
    later = END + DRIFT + SECOND
    assert submitted(later, END, timing) == Ending("submitted", True, later, is_flagged=True)


@given(TIMINGS, OFFSETS)
def test_q2_the_sweeper_never_ends_what_a_learner_could_still_submit_with_answers(
    timing: Timing, offset: timedelta
) -> None:
    at = END + offset
    if takes_answers(at, END, timing):
        assert swept(at, END, timing).state in {"open", "overdue"}
        assert submitted(at, END, timing).takes_answers


@given(TIMINGS, OFFSETS)
def test_q2_the_sweeper_and_a_late_learner_come_to_the_same_end(timing: Timing, offset: timedelta) -> None:
    at = END + offset
    ending = swept(at, END, timing)
    if ending.state in {"submitted", "abandoned"}:
        assert submitted(at, END, timing) == ending


@given(TIMINGS, OFFSETS)
def test_q2_whoever_sweeps_when_told_to_finds_something_to_do(timing: Timing, offset: timedelta) -> None:
    at = min(END + offset, END)
    seen = ["open"]
    while (due := next_sweep(at, END, timing)) is not None and due > at:
        at = due
        seen.append(swept(at, END, timing).state)
        assert seen[-1] != "open"
        if seen[-1] in {"submitted", "abandoned"}:
            return
    pytest.fail(f"never ended: {seen}")


def test_an_attempt_without_a_deadline_goes_on() -> None:
    timing = Timing(Overdue.ABANDON)
    assert swept(END, None, timing).state == "open"
    assert next_sweep(END, None, timing) is None
    assert submitted(END, None, timing) == Ending("submitted", True, END)
