"""Rule Q15: item analysis gives what Moodle's own fixture says, and nothing where nothing can be said."""

from __future__ import annotations

import csv
from decimal import Decimal
from math import isfinite
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assessment.analysis import Analysis, analyse, cell, to_csv
from tests.rules.trying import tried

DATA = Path(__file__).parents[3] / "shared" / "data"
QUIZ = {
    "median": 4.5,
    "mean": 4.617333,
    "sd": 0.81172656,
    "skewness": -0.0925025,
    "kurtosis": -0.70739686,
    "cic": -87.2230936,
    "error_ratio": 136.82949,
    "standard_error": 1.11068131,
}
COLUMNS = {
    "facility": "facility",
    "sd": "sd",
    "effectiveweight": "effective_weight",
    "covariance": "covariance",
    "markvariance": "mark_variance",
    "othermarkvariance": "other_mark_variance",
    "discriminationindex": "discrimination_index",
    "covariancemax": "covariance_max",
    "discriminativeefficiency": "discriminative_efficiency",
}


def moodle() -> tuple[Analysis, list[dict[str, str]]]:
    """The fixture's marks analysed, and the figures expected per question."""
    if not DATA.is_dir():
        pytest.skip("the folder of real inputs (shared/data) is not here")
    with (DATA / "moodle_results00_marks.csv").open() as file:
        marks = [[Decimal(row[f"s{n}"]) for n in range(1, 8)] for row in csv.DictReader(file)]
    with (DATA / "moodle_qstats00.csv").open() as file:
        return analyse(marks, [Decimal(1)] * 7), list(csv.DictReader(file))


def test_q15_moodles_own_fixture_is_reproduced() -> None:
    found, expected = moodle()
    worst = {
        theirs: max(
            abs(getattr(item, ours) - float(row[theirs])) for item, row in zip(found.items, expected, strict=True)
        )
        for theirs, ours in COLUMNS.items()
    }
    assert {name: value for name, value in worst.items() if value > 1e-9} == {}
    assert {name: getattr(found.quiz, name) for name in QUIZ} == pytest.approx(QUIZ, abs=1e-5)


@pytest.mark.parametrize("attempts", [0, 1])
def test_q15_fewer_than_two_attempts_say_nothing(attempts: int) -> None:
    found = analyse([[Decimal(1), None]] * attempts, [Decimal(1), Decimal(2)])
    assert found.quiz.attempts == attempts
    assert (found.quiz.mean, found.quiz.sd, found.quiz.cic) == (None, None, None)
    first = found.items[0]
    assert (first.facility, first.sd, first.discrimination_index, first.effective_weight) == (None, None, None, None)
    assert first.intended_weight == pytest.approx(100 / 3)


def test_q15_without_spread_there_is_no_index() -> None:
    found = analyse([[Decimal("0.1"), Decimal("0.7")]] * 7, [Decimal("0.1"), Decimal("0.7")])
    assert [(item.facility, item.sd, item.discrimination_index) for item in found.items] == [(1, 0, None)] * 2
    assert (found.quiz.sd, found.quiz.skewness, found.quiz.cic) == (0, None, None)


def test_q15_a_question_that_works_against_the_total_has_no_effective_weight() -> None:
    rows = [[Decimal(0), Decimal(4)], [Decimal(1), Decimal(2)], [Decimal(1), Decimal(0)]]
    found = analyse(rows, [Decimal(1), Decimal(4)])
    assert found.items[0].effective_weight is None
    assert found.items[1].effective_weight == pytest.approx(100)
    assert found.items[0].discrimination_index is not None
    assert found.items[0].discrimination_index < 0


@tried(60)
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(st.decimals(0, 1, places=2), min_size=n, max_size=n))))
def test_q15_indices_stay_within_their_bounds(rows: list[list[Decimal]]) -> None:
    width = len(rows[0]) if rows else 1
    for item in analyse(rows, [Decimal(1)] * width).items:
        figures = (item.discrimination_index, item.discriminative_efficiency, item.effective_weight)
        assert all(figure is None or (isfinite(figure) and figure <= 100 + 1e-6) for figure in figures)


@pytest.mark.parametrize("name", ["=1+1", "+1", "@SUM(A1)", "-2+3", "\t=1", " =1", "\r=1"])
def test_a_spreadsheet_runs_no_question(name: str) -> None:
    found = analyse([[Decimal(1)], [Decimal(0)]], [Decimal(1)])
    rows = list(csv.reader(to_csv(found, [name]).splitlines(keepends=True)))
    assert rows[1][0] == f"'{name}"
    assert [cell("-2.5"), cell("a=b"), cell("")] == ["-2.5", "a=b", ""]


def test_statistics_of_two_hundred_thousand_marks_take_a_second_or_two() -> None:
    rows = [[Decimal((n * k) % 7) / 7 for k in range(1, 51)] for n in range(4000)]
    found = analyse(rows, [Decimal(1)] * 50)
    assert found.quiz.attempts == 4000
    assert found.items[6].sd == 0
