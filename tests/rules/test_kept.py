"""Which score counts (Q9), when results are shown (Q8), and what is drawn (Q14)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assessment.drawing import Pool, draw, shuffled
from app.assessment.kept import Kept, Scored, keep, percent_of
from app.assessment.visibility import Standing, Visibility, are_released, score_is_shown

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def attempts(*scores: str | None, possible: str = "10") -> list[Scored]:
    return [
        Scored(UUID(int=n), n, None if score is None else Decimal(score), Decimal(possible))
        for n, score in enumerate(scores, 1)
    ]


@pytest.mark.parametrize(
    ("policy", "scores", "score", "number"),
    [
        (Kept.HIGHEST, ("6", "9", "7"), "9", 2),
        (Kept.HIGHEST, ("9", "9"), "9", 2),
        (Kept.LATEST, ("6", "9", "7"), "7", 3),
        (Kept.FIRST, ("6", "9", "7"), "6", 1),
        (Kept.AVERAGE, ("6", "9", "7"), "7.33", None),
        (Kept.AVERAGE, ("1", "2"), "1.50", None),
        (Kept.HIGHEST, ("6", None), "6", 1),
        (Kept.LATEST, ("6", None), "6", 1),
        (Kept.AVERAGE, ("6", None), "6.00", None),
        (Kept.FIRST, ("6", None), "6", 1),
    ],
)
def test_q9_the_score_that_counts(policy: Kept, scores: tuple[str | None, ...], score: str, number: int | None) -> None:
    found = keep(policy, attempts(*scores))
    assert found.score == Decimal(score)
    assert found.attempt_id == (None if number is None else UUID(int=number))
    assert found.is_final == (None not in scores)


def test_q9_the_first_attempt_is_waited_for_where_the_first_counts() -> None:
    found = keep(Kept.FIRST, attempts(None, "9"))
    assert (found.score, found.percent, found.is_final) == (None, None, False)


def test_q9_attempts_with_other_points_are_compared_by_their_share() -> None:
    mixed = [*attempts("8", possible="10"), Scored(UUID(int=2), 2, Decimal(9), Decimal(20))]
    assert keep(Kept.HIGHEST, mixed).attempt_id == UUID(int=1)
    average = keep(Kept.AVERAGE, mixed)
    assert (average.score, average.possible, average.percent) == (Decimal("12.50"), Decimal(20), Decimal("62.50"))


@given(st.lists(st.one_of(st.none(), st.decimals(0, 10, places=2)), min_size=1, max_size=8), st.sampled_from(Kept))
def test_q9_an_attempt_without_a_score_lowers_nothing(scores: list[Decimal | None], policy: Kept) -> None:
    made = [Scored(UUID(int=n), n, score, Decimal(10)) for n, score in enumerate(scores, 1)]
    waiting = [*made, Scored(UUID(int=99), 99, None, Decimal(10))]
    assert keep(policy, waiting).score == keep(policy, made).score


def test_a_quiz_without_points_is_done_when_it_is_submitted() -> None:
    assert percent_of(Decimal(0), Decimal(0)) == 100


@pytest.mark.parametrize(
    ("policy", "left", "is_open", "closed", "expected"),
    [
        (Visibility.NEVER, 0, False, True, False),
        (Visibility.AFTER_SUBMIT, 2, False, False, True),
        (Visibility.AFTER_SUBMIT, 2, True, False, False),
        (Visibility.AFTER_LAST_ATTEMPT, 1, False, True, False),
        (Visibility.AFTER_LAST_ATTEMPT, 0, True, True, False),
        (Visibility.AFTER_LAST_ATTEMPT, 0, False, False, True),
        (Visibility.AFTER_LAST_ATTEMPT, None, False, False, False),
        (Visibility.AFTER_CLOSE, 0, False, False, False),
        (Visibility.AFTER_CLOSE, 3, False, True, True),
        (Visibility.ONE_TIME, 0, False, True, False),
    ],
)
def test_q8_results_are_shown_by_policy_and_never_while_an_attempt_is_open(
    policy: Visibility, left: int | None, is_open: bool, closed: bool, expected: bool
) -> None:
    standing = Standing(NOW, NOW + timedelta(hours=-1 if closed else 1), left, is_open)
    assert are_released(policy, standing) == expected
    assert score_is_shown(policy, standing) == (expected or policy == Visibility.ONE_TIME)


def test_q8_a_quiz_that_never_closes_never_shows_what_waits_for_that() -> None:
    assert not are_released(Visibility.AFTER_CLOSE, Standing(NOW, None, 0, False))


IDS = [UUID(int=n) for n in range(1, 13)]
POOLS = st.lists(st.tuples(st.integers(1, 3), st.sets(st.sampled_from(IDS), max_size=8)), min_size=1, max_size=4)


@given(POOLS, st.sets(st.sampled_from(IDS), max_size=3), st.sets(st.sampled_from(IDS)), st.text(max_size=5))
def test_q14_what_is_drawn_is_distinct_from_the_pool_and_the_same_for_the_same_seed(
    given_pools: list[tuple[int, set[UUID]]], taken: set[UUID], seen: set[UUID], seed: str
) -> None:
    pools = [Pool(UUID(int=100 + n), count, sorted(found)) for n, (count, found) in enumerate(given_pools)]
    drawn = draw(pools, seed, taken=taken, seen=seen)
    assert drawn == draw(pools, seed, taken=taken, seen=seen)
    if drawn is None:
        return
    everything = [question for found in drawn.values() for question in found]
    assert len(everything) == len(set(everything)) == sum(pool.draws for pool in pools)
    assert not taken & set(everything)
    for pool in pools:
        assert set(drawn[pool.key]) <= set(pool.candidates)
    fresh = draw(pools, seed, taken=taken | seen)
    if fresh is not None:
        assert not seen & set(everything)


def test_q14_a_pool_gives_way_to_one_with_fewer_questions() -> None:
    wide, narrow = UUID(int=100), UUID(int=101)
    for n in range(50):
        drawn = draw([Pool(wide, 1, IDS[:2]), Pool(narrow, 1, IDS[:1])], f"seed {n}")
        assert drawn == {wide: [IDS[1]], narrow: [IDS[0]]}
    assert draw([Pool(wide, 1, IDS[:1]), Pool(narrow, 1, IDS[:1])], "seed") is None


def test_q5_an_order_depends_on_nothing_but_seed_and_items() -> None:
    assert shuffled("abcde", "2027") == shuffled("edcba", "2027") == list("ecbad")
