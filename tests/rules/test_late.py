"""What being late costs (Q12): Canvas' vectors, and what holds for every score."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assessment.late import NONE, LatePolicy, deducted

DUE = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SCORES = st.decimals(0, 100, places=4)


@pytest.mark.parametrize(
    ("late", "floor", "expected"),
    [
        (25 * HOUR, 0, "6"),
        (25 * HOUR, 70, "7"),
        (30 * DAY, 0, "0"),
        (24 * HOUR, 0, "7"),
        (24 * HOUR + timedelta(microseconds=1), 0, "6"),
        (timedelta(microseconds=1), 0, "7"),
        (timedelta(0), 0, "8"),
        (-HOUR, 0, "8"),
        (25 * HOUR, 80, "8"),
        (25 * HOUR, 95, "8"),
    ],
)
def test_q12_eight_of_ten_at_ten_percent_a_day(late: timedelta, floor: int, expected: str) -> None:
    policy = LatePolicy(DUE, DAY, Decimal(10), Decimal(floor))
    score = Decimal(8)
    assert score - deducted(policy, score=score, possible=Decimal(10), finished_at=DUE + late) == Decimal(expected)


@given(SCORES, SCORES, st.integers(0, 10**7), st.integers(0, 100), st.integers(0, 100))
def test_q12_never_more_than_there_is_nor_below_the_floor(
    score: Decimal, possible: Decimal, seconds: int, percent: int, floor: int
) -> None:
    policy = LatePolicy(DUE, HOUR, Decimal(percent), Decimal(floor))
    lost = deducted(policy, score=score, possible=possible, finished_at=DUE + timedelta(seconds=seconds))
    assert 0 <= lost <= score
    if lost and possible:
        assert (score - lost) * 100 / possible >= floor - Decimal("0.01") * 100 / possible


@given(SCORES, st.integers(0, 10**6), st.integers(0, 10**6))
def test_q12_later_never_costs_less(score: Decimal, one: int, more: int) -> None:
    policy = LatePolicy(DUE, HOUR, Decimal("2.5"), Decimal(20))
    lost = [
        deducted(policy, score=score, possible=Decimal(100), finished_at=DUE + timedelta(seconds=seconds))
        for seconds in (one, one + more)
    ]
    assert lost == sorted(lost)


def test_q12_without_a_policy_nothing_is_lost() -> None:
    assert deducted(NONE, score=Decimal(8), possible=Decimal(10), finished_at=DUE + 30 * DAY) == 0
