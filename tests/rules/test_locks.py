"""Locks as pure functions of facts, circles among rules, and time on task as a function of a set."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.release import clean_rule, find_circle, moved
from app.identity.validators import Checks
from app.learning.locks import CourseLocks, LessonFact, ModuleFact, judge
from app.learning.rules import LessonState
from app.learning.time_on_task import DAY, on_task, reached_at

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
COURSE, ONE, TWO, A, B, C = (UUID(int=n) for n in range(1, 7))


def lesson(key: UUID, module: UUID = ONE, *, rules: Any = None, done: int | None = None, **more: Any) -> LessonFact:
    """``done``: days after the enrolment."""
    at = None if done is None else START + timedelta(days=done)
    return LessonFact(
        key, COURSE, module, f"L{key.int}", rules, more.get("counted", 1), more.get("started", at), at,
        more.get("score"),
    )  # fmt: skip


def judged(*lessons: LessonFact, days: float = 0, modules: tuple[ModuleFact, ...] = ()) -> CourseLocks:
    known = modules or (ModuleFact(ONE, COURSE, "M1", None, None), ModuleFact(TWO, COURSE, "M2", None, None))
    return judge(known, lessons, START, START + timedelta(days=days))


def every(*conditions: Any, require: str = "all", count: int | None = None) -> dict[str, Any]:
    return {"require": require, "count": count, "of": list(conditions)}


def codes(locks: CourseLocks, key: UUID) -> list[str]:
    return [reason.code for reason in locks.lessons[key].reasons]


def test_p6_a_prerequisite_that_is_gone_counts_as_met() -> None:
    rule = every({"lesson": str(UUID(int=99))}, {"module": str(UUID(int=98))}, {"after": {"days": 3, "lesson": str(C)}})
    gone_score = every({"score": {"lesson": str(UUID(int=97)), "percent": "50"}})
    locks = judged(lesson(A, rules=rule), lesson(B, rules=gone_score))
    assert codes(locks, A) == codes(locks, B) == []


def test_p1_what_was_begun_or_done_is_never_locked_again() -> None:
    rule = every({"date": "2030-01-01T00:00:00+00:00"})
    ruled = (ModuleFact(ONE, COURSE, "M1", rule, None), ModuleFact(TWO, COURSE, "M2", rule, None))
    locks = judged(lesson(A, rules=rule, done=1), lesson(B, rules=rule, started=START), lesson(C, TWO), modules=ruled)
    assert [codes(locks, key) for key in (A, B, C)] == [[], [], ["NOT_YET"]]
    assert not locks.modules[ONE].is_locked
    assert locks.modules[TWO].unlocks_at == datetime(2030, 1, 1, tzinfo=UTC)


def test_a_group_tells_what_is_missing_and_when_it_opens_by_itself() -> None:
    first, second = "2026-03-05T00:00:00+00:00", "2026-03-09T00:00:00+00:00"
    both = judged(lesson(A, rules=every({"date": first}, {"date": second})))
    assert both.lessons[A].unlocks_at == datetime.fromisoformat(second)
    either = judged(lesson(A, rules=every({"date": first}, {"date": second}, require="any")))
    assert either.lessons[A].unlocks_at == datetime.fromisoformat(first)
    assert codes(either, A) == ["SOME_REQUIRED", "NOT_YET", "NOT_YET"]
    waiting = judged(lesson(A, rules=every({"date": first}, {"lesson": str(B)})), lesson(B))
    assert waiting.lessons[A].unlocks_at is None
    assert [(reason.code, reason.lesson_id) for reason in waiting.lessons[A].reasons] == [
        ("NOT_YET", None), ("LESSON_REQUIRED", B),
    ]  # fmt: skip


@pytest.mark.parametrize(("done", "open_"), [(0, False), (1, False), (2, True), (3, True)])
def test_so_many_of_several_conditions_are_enough(done: int, open_: bool) -> None:
    keys = [UUID(int=50 + n) for n in range(3)]
    rule = every(*({"lesson": str(key)} for key in keys), require="count", count=2)
    others = [lesson(key, done=1 if n < done else None) for n, key in enumerate(keys)]
    locks = judged(lesson(A, rules=rule), *others)
    assert locks.lessons[A].is_locked != open_
    if done == 1:
        assert codes(locks, A) == ["SOME_REQUIRED", "LESSON_REQUIRED", "LESSON_REQUIRED"]


def test_days_after_something_count_from_when_it_was_done() -> None:
    rules = {
        A: every({"after": {"days": 2}}),
        B: every({"after": {"days": 2, "lesson": str(C)}}),
        UUID(int=60): every({"after": {"days": 1, "module": str(TWO), "time": "08:30", "zone": "America/Santiago"}}),
    }
    locks = judged(*(lesson(key, rules=rule) for key, rule in rules.items()), lesson(C, TWO, done=3), days=4)
    assert [(codes(locks, key), locks.lessons[key].unlocks_at) for key in rules] == [
        ([], None),
        (["NOT_YET"], START + timedelta(days=5)),
        ([], None),  # the day after 4 March at 08:30 in Santiago, 11:30 UTC; it is 12:00 UTC
    ]
    early = judged(lesson(A, rules=rules[UUID(int=60)]), lesson(C, TWO, done=3), days=3.97)
    assert early.lessons[A].unlocks_at == datetime(2026, 3, 5, 11, 30, tzinfo=UTC)
    open_ = judged(lesson(B, rules=rules[B]), lesson(C, TWO))
    assert open_.lessons[B].reasons[0].params == {"title": "L6", "days": 2}


def test_p1_a_module_is_done_by_enough_of_its_required_lessons() -> None:
    counted = ModuleFact(ONE, COURSE, "M1", None, 2)
    found = []
    for done in range(4):
        rows = [lesson(UUID(int=70 + n), done=n if n < done else None) for n in range(3)]
        optional = lesson(A, counted=0, done=9)
        locks = judged(*rows, optional, lesson(B, TWO, rules=every({"module": str(ONE)})), modules=(counted,))
        found.append((locks.standings[ONE].state, locks.standings[ONE].percent, locks.lessons[B].is_locked))
    assert found == [
        (LessonState.STARTED, 0, True), (LessonState.STARTED, 50, True), (LessonState.COMPLETED, 100, False),
        (LessonState.COMPLETED, 100, False),
    ]  # fmt: skip


def test_a_score_is_reached_or_waited_for() -> None:
    rule = every({"score": {"lesson": str(B), "percent": "80"}})
    assert codes(judged(lesson(A, rules=rule), lesson(B, score=Decimal("79.99"), done=1)), A) == ["SCORE_REQUIRED"]
    assert codes(judged(lesson(A, rules=rule), lesson(B, score=Decimal(80))), A) == []


def test_p6_circles_are_found_through_lessons_modules_and_groups() -> None:
    rule = every(every({"lesson": str(B)}, require="any"))
    assert find_circle({ONE: None}, {A: (ONE, rule), B: (ONE, every({"lesson": str(A)}))}) in (
        [("lesson", A), ("lesson", B), ("lesson", A)], [("lesson", B), ("lesson", A), ("lesson", B)],
    )  # fmt: skip
    own = find_circle({ONE: every({"lesson": str(A)})}, {A: (ONE, None)})
    assert own == [("lesson", A), ("lesson", A)]
    across = find_circle(
        {ONE: every({"module": str(TWO)}), TWO: None}, {A: (ONE, None), B: (TWO, every({"lesson": str(A)}))}
    )
    assert (across[0], {*across}) == (across[-1], {("lesson", A), ("module", TWO), ("lesson", B)})
    assert find_circle({ONE: None, TWO: every({"module": str(ONE)})}, {A: (ONE, None), B: (TWO, None)}) == []


@given(st.integers(2, 30), st.randoms())
def test_p6_a_chain_is_no_circle_and_closing_it_is(count: int, rng: random.Random) -> None:
    keys = [UUID(int=100 + n) for n in range(count)]
    chain: dict[UUID, tuple[UUID, Any]] = {
        key: (ONE, every(*({"lesson": str(other)} for other in rng.sample(keys[:n], min(n, 2)))) if n else None)
        for n, key in enumerate(keys)
    }
    assert find_circle({ONE: None}, chain) == []
    chain[keys[0]] = (ONE, every({"lesson": str(keys[-1])}))
    chain[keys[-1]] = (ONE, every({"lesson": str(keys[0])}))
    circle = find_circle({ONE: None}, chain)
    assert circle[0] == circle[-1]
    assert len(circle) >= 3


def problems(rule: dict[str, Any]) -> list[tuple[str, str]]:
    check = Checks()
    clean_rule(check, rule, {A: "A"}, {ONE: "1"})
    return [(problem.path, problem.code) for problem in check.problems]


def test_what_is_wrong_with_a_rule_is_said_where_it_is() -> None:
    assert problems(every()) == [("input.rules.conditions", "TOO_SHORT")]
    assert problems(every({"lesson": B}, {"module": TWO})) == [
        ("input.rules.conditions.0.lessonDone", "ID_INVALID"), ("input.rules.conditions.1.moduleDone", "ID_INVALID"),
    ]  # fmt: skip
    assert problems(every({"lesson": A}, require="count", count=2)) == [("input.rules.count", "OUT_OF_RANGE")]
    after = {"days": -1, "lesson": A, "module": ONE, "time": "25:00", "zone": "Mars/Olympus"}
    assert [code for _, code in problems(every({"after": after}))] == [
        "OUT_OF_RANGE", "CHOICE_INVALID", "TIME_INVALID", "TIME_ZONE_INVALID",
    ]  # fmt: skip
    deep: dict[str, Any] = {"lesson": A}
    for _ in range(5):
        deep = every(deep)
    assert problems(deep) == [(f"input.rules{'.conditions.0.group' * 4}", "RULES_TOO_DEEP")]
    assert problems(every(*[{"lesson": A}] * 51)) == [("input.rules", "TOO_MANY")]


def test_the_rules_of_a_copy_are_about_the_copies() -> None:
    rule = every({"lesson": str(A)}, every({"after": {"days": 1, "module": str(ONE)}}, {"date": "x"}))
    assert moved(rule, {A: B, ONE: TWO}) == every(
        {"lesson": str(B)}, every({"after": {"days": 1, "module": str(TWO)}}, {"date": "x"})
    )


MOMENTS = st.lists(st.integers(-1000, 1000).map(lambda minutes: START.replace(hour=0) + timedelta(minutes=minutes)))


@given(MOMENTS, MOMENTS, st.randoms())
def test_p2_time_on_task_needs_no_order_and_never_falls(
    found: list[datetime], more: list[datetime], rng: random.Random
) -> None:
    shuffled = found + rng.choices(found, k=len(found)) if found else []
    rng.shuffle(shuffled)
    assert on_task(shuffled) == on_task(found)
    assert on_task([*found, *more]) >= on_task(found)


def test_time_on_task_leaves_absences_out_and_is_bounded_for_a_day() -> None:
    minutes = [0, 4, 9, 20, 24]
    assert on_task(START + timedelta(minutes=m) for m in minutes) == timedelta(minutes=13)
    night = START.replace(hour=23)
    assert on_task(night + timedelta(minutes=4 * m) for m in range(200)) == timedelta(hours=1) + DAY
    assert reached_at([night, night + timedelta(minutes=3)], timedelta(minutes=3)) == night + timedelta(minutes=3)
    assert reached_at([night], timedelta(seconds=1)) is None
