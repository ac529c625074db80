"""How people stand in courses, as pure functions: who may move whom, windows, ends of access, what the clock does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Conflict
from app.learning import standing
from app.learning.enrollment_rows import SettingsRow
from app.learning.standing import By, Move, Standing, State

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def settings(**given: Any) -> SettingsRow:
    names = SettingsRow.__dataclass_fields__
    usual = {"course_id": UUID(int=1), "policy": "open", "seats_taken": 0, "last_place": 0, "version": 1}
    return SettingsRow(**{**dict.fromkeys(names), **usual, **given})


def state(status: Standing, **given: Any) -> State:
    return State(status=status, enrolled_at=NOW - 9 * DAY, **given)


STORED = [each for each in Standing if each != Standing.EXPIRED]
times = st.integers(-40, 40).map(lambda days: NOW + days * DAY)
days = st.none() | st.integers(1, 60)
rules = st.builds(settings, access_days=days, access_until=st.none() | times, inactivity_days=days, notice_days=days)
states = st.builds(
    State,
    status=st.sampled_from(STORED),
    enrolled_at=times,
    holds_seat=st.booleans(),
    activated_at=st.none() | times,
    expires_at=st.none() | times,
    noticed_for=st.none() | times,
    offer_expires_at=st.none() | times,
    missed_offers=st.integers(0, 3),
    completed_at=st.none() | times,
    last_activity_at=st.none() | times,
)


@pytest.mark.parametrize(("move", "by"), list(product(Move, By)))
def test_a_move_is_made_from_its_places_by_its_people_and_by_nobody_else(move: Move, by: By) -> None:
    rule = standing.RULES[move]
    for source in (None, *Standing):
        if source is None:
            before = None
        elif source == Standing.EXPIRED:
            before = state(Standing.ACTIVE, expires_at=NOW)
        else:
            before = state(source)
        if by in rule.by and source in rule.sources:
            standing.check(move, before, NOW, by=by)
        else:
            with pytest.raises(Conflict) as refused:
                standing.check(move, before, NOW, by=by)
            assert refused.value.code == rule.code


def test_every_standing_can_be_reached_and_left_or_is_the_end() -> None:
    reached = set().union(*(rule.targets for rule in standing.RULES.values()))
    assert reached | {Standing.EXPIRED} == set(Standing)
    for each in Standing:
        assert any(each in rule.sources for rule in standing.RULES.values()), each


@given(states | st.none(), rules, st.integers(-5, 50).map(lambda n: NOW + n * DAY))
def test_e8_access_ends_at_the_earlier_of_date_and_period_and_never_moves_by_itself(
    before: State | None, course: SettingsRow, now: datetime
) -> None:
    made = standing.activated(before, course, now)
    ends = [course.access_until] if course.access_until else []
    ends += [now + course.access_days * DAY] if course.access_days else []
    assert made.expires_at == min(ends, default=None)
    assert made.holds_seat == (made.completed_at is None)


@given(states | st.none())
def test_e1_coming_back_keeps_the_first_day_and_the_completion(before: State | None) -> None:
    made = standing.activated(before, None, NOW)
    if before is not None and before.activated_at is not None:
        assert made.enrolled_at == before.enrolled_at
    assert made.completed_at == (before.completed_at if before is not None else None)
    assert made.status == (Standing.ACTIVE if made.completed_at is None else Standing.COMPLETED)


@given(states, st.integers(1, 9))
def test_what_is_stored_fits_the_constraints_of_its_table(before: State, place: int) -> None:
    made = [
        standing.activated(before, None, NOW),
        standing.asked(before, Standing.REQUESTED, NOW),
        standing.asked(before, Standing.INVITED, NOW),
        standing.asked(before, Standing.WAITLISTED, NOW, place=place),
        standing.offered(before, NOW + DAY),
        standing.missed(before, NOW, place),
        standing.left(before, NOW),
        standing.in_role(before, "assistant", NOW),
    ]
    for each in made:
        assert (each.waitlist_place is not None) == (each.status == Standing.WAITLISTED)
        assert (each.offer_expires_at is not None) == (each.status == Standing.OFFERED)
        assert not each.holds_seat or each.status in standing.SEATED


@given(states, rules)
def test_the_clock_looks_again_only_when_there_is_something_to_do(before: State, course: SettingsRow) -> None:
    when = standing.due(before, course, NOW)
    if before.status in {Standing.DROPPED, Standing.REJECTED, Standing.REQUESTED, Standing.WAITLISTED}:
        assert when is None
    if before.status == Standing.ACTIVE and before.expires_at is not None and before.expires_at > NOW:
        assert when is not None
        assert when <= before.expires_at
    released = standing.without_seat(before, course, NOW)
    if (
        released.due_at is not None
        and released.status != Standing.OFFERED
        and standing.notice_at(released, course) is None
    ):
        assert released.due_at > NOW or standing.idle_at(released, course) is not None


def test_e4_an_offer_that_is_missed_twice_is_the_last() -> None:
    waits = state(Standing.WAITLISTED, waitlist_place=1)
    once = standing.missed(standing.offered(waits, NOW), NOW, 7)
    assert (once.status, once.waitlist_place, once.holds_seat) == (Standing.WAITLISTED, 7, False)
    twice = standing.missed(standing.offered(once, NOW), NOW, 8)
    assert (twice.status, twice.waitlist_place, twice.holds_seat) == (Standing.DROPPED, None, False)


@pytest.mark.parametrize(
    ("course", "is_asked_in", "has_code", "code"),
    [
        (None, False, False, None),
        (settings(), False, False, None),
        (settings(policy="approval"), False, False, None),
        (settings(ends_at=NOW), True, True, "COURSE_CONCLUDED"),
        (settings(ends_at=NOW + DAY, opens_at=NOW + DAY), False, True, "ENROLLMENT_NOT_OPEN_YET"),
        (settings(opens_at=NOW, closes_at=NOW), False, True, "ENROLLMENT_CLOSED"),
        (settings(policy="closed"), False, True, "ENROLLMENT_CLOSED"),
        (settings(policy="closed", closes_at=NOW), True, False, None),
        (settings(policy="invitation"), False, False, "INVITATION_ONLY"),
        (settings(policy="invitation"), False, True, None),
    ],
)
def test_e7_the_window_is_judged_in_one_order(
    course: SettingsRow | None, is_asked_in: bool, has_code: bool, code: str | None
) -> None:
    try:
        standing.check_window(course, NOW, is_asked_in=is_asked_in, has_code=has_code)
        found = None
    except Conflict as refused:
        found = refused.code
    assert found == code


def test_e8_a_notice_is_due_once_for_each_end() -> None:
    course = settings(notice_days=3)
    ends = state(Standing.ACTIVE, expires_at=NOW + 10 * DAY)
    assert standing.notice_at(ends, course) == NOW + 7 * DAY
    assert standing.notice_at(replace(ends, noticed_for=ends.expires_at), course) is None
    assert standing.notice_at(replace(ends, noticed_for=NOW + 9 * DAY), course) == NOW + 7 * DAY
