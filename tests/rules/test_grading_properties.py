"""Rule Q13 for any question and any answer that fits it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.assessment import answers, bodies
from app.assessment.bodies import Accepted, AcceptedNumber, Choice, Gap, Item, Marking, Pair
from app.assessment.grading import folded, grade
from app.i18n import Locale
from app.identity.validators import InvalidValue
from tests.rules.trying import tried

SHARES = st.integers(-100, 100).map(lambda n: Decimal(n) / 100)
MARKINGS = st.builds(
    Marking,
    st.integers(0, 100).map(lambda n: Decimal(n) / 100),
    st.sampled_from([Decimal(0), Decimal("-0.5"), Decimal(-1)]),
)
KEYS = st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=8, unique=True)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf")), max_size=12)
NUMBERS = st.decimals(-(10**6), 10**6, places=4)
POINTS = st.decimals(0, 1000, places=3)
LOCALES: st.SearchStrategy[Locale] = st.sampled_from(["es", "en"])


@st.composite
def choices(draw: st.DrawFn) -> tuple[Choice, ...]:
    return tuple(Choice(key, key, draw(SHARES)) for key in draw(KEYS))


SINGLES = st.builds(bodies.Single, choices=choices(), marking=MARKINGS)
SHORT = st.builds(
    bodies.ShortAnswer,
    accepted=st.lists(st.builds(Accepted, WORDS, SHARES), min_size=1, max_size=4).map(tuple),
    is_case_sensitive=st.booleans(),
    ignores_accents=st.booleans(),
    marking=MARKINGS,
)
NUMERIC = st.builds(
    bodies.Numeric,
    accepted=st.lists(
        st.builds(AcceptedNumber, NUMBERS, st.decimals(0, 100, places=4), SHARES), min_size=1, max_size=4
    ).map(tuple),
    units=st.sampled_from([(), ("km", "%")]),
    marking=MARKINGS,
)


@st.composite
def matching(draw: st.DrawFn) -> bodies.Matching:
    targets = tuple(Item(key, key) for key in draw(KEYS))
    pairs = tuple(Pair(key, key, draw(st.sampled_from(targets)).id) for key in draw(KEYS))
    return bodies.Matching(pairs=pairs, targets=targets, marking=draw(MARKINGS))


BODIES = st.one_of(
    SINGLES,
    st.builds(
        bodies.Multiple,
        choices=choices(),
        scoring=st.sampled_from(["partial", "all_or_nothing", "weights"]),
        marking=MARKINGS,
    ),
    st.builds(bodies.TrueFalse, is_true=st.booleans(), marking=MARKINGS),
    SHORT,
    NUMERIC,
    matching(),
    st.builds(
        bodies.Ordering,
        items=KEYS.map(lambda keys: tuple(Item(key, key) for key in keys)),
        scoring=st.sampled_from(["all_or_nothing", "adjacent"]),
        marking=MARKINGS,
    ),
    st.lists(st.tuples(st.one_of(SINGLES, SHORT, NUMERIC), st.integers(1, 5)), min_size=1, max_size=4).map(
        lambda gaps: bodies.Cloze(gaps=tuple(Gap(f"g{n}", body, weight) for n, (body, weight) in enumerate(gaps)))
    ),
    st.builds(bodies.TextOnly),
)


@st.composite
def answered(draw: st.DrawFn, body: bodies.Body) -> Any:
    """An answer as a client might send it."""
    match body:
        case bodies.Single():
            return {"choice": draw(st.sampled_from(body.choices)).id}
        case bodies.Multiple():
            return {"choices": [item.id for item in draw(st.lists(st.sampled_from(body.choices), max_size=6))]}
        case bodies.TrueFalse():
            return {"value": draw(st.booleans())}
        case bodies.ShortAnswer():
            return {
                "text": draw(
                    st.sampled_from(["", *(item.text for item in body.accepted)])
                    | st.from_regex("[a-z]*", fullmatch=True)
                )
            }
        case bodies.Numeric():
            near = draw(st.sampled_from([item.value for item in body.accepted]) | NUMBERS)
            return {"number": str(near).replace(".", draw(st.sampled_from(".,")))}
        case bodies.Matching():
            return {"pairs": {p.id: draw(st.sampled_from(body.targets)).id for p in body.pairs if draw(st.booleans())}}
        case bodies.Ordering():
            return {"order": [item.id for item in draw(st.permutations(body.items))]}
        case bodies.Cloze():
            return {"gaps": {gap.id: draw(answered(gap.body)) for gap in body.gaps if draw(st.booleans())}}
        case _:
            return None


def floor_of(body: bodies.Body) -> Decimal:
    """The least share that a question can give."""
    if isinstance(body, bodies.Cloze):
        weight = sum(gap.weight for gap in body.gaps)
        return sum((floor_of(gap.body) * gap.weight for gap in body.gaps), Decimal(0)) / weight
    return getattr(body, "marking", Marking()).floor


def permuted(draw: st.DrawFn, body: bodies.Body) -> bodies.Body:
    """The same question with what has no order of its own in another one."""
    match body:
        case bodies.Single() | bodies.Multiple():
            return replace(body, choices=tuple(draw(st.permutations(body.choices))))
        case bodies.Matching():
            return replace(
                body, pairs=tuple(draw(st.permutations(body.pairs))), targets=tuple(draw(st.permutations(body.targets)))
            )
        case bodies.ShortAnswer():
            return replace(body, accepted=tuple(draw(st.permutations(body.accepted))))
        case bodies.Cloze():
            return replace(body, gaps=tuple(draw(st.permutations(body.gaps))))
        case _:
            return body


@tried(80)
@given(st.data(), POINTS, LOCALES)
def test_q13_no_answer_gets_more_than_the_points_or_less_than_the_floor(
    data: st.DataObject, points: Decimal, locale: Locale
) -> None:
    body = data.draw(BODIES)
    answer = answers.parse(body, data.draw(answered(body)))
    found = grade(body, answer, points, locale=locale)
    assert found.points is not None
    assert floor_of(body) * points - Decimal("0.00001") <= found.points <= points
    assert found.points == found.points.quantize(Decimal("0.00001"))
    assert answers.parse(body, answers.dump(answer)) == answer
    stored = bodies.load(bodies.dump(body))
    assert stored == body
    assert grade(stored, answer, points, locale=locale) == found


@tried(50)
@given(st.data(), POINTS)
def test_q13_the_order_in_which_things_are_written_changes_no_grade(data: st.DataObject, points: Decimal) -> None:
    body = data.draw(BODIES)
    answer = answers.parse(body, data.draw(answered(body)))
    other = data.draw(st.composite(permuted)(body))
    assert grade(other, answer, points).points == grade(body, answer, points).points


@tried(50)
@given(st.text(max_size=30), st.booleans(), st.booleans())
def test_q13_folding_twice_changes_nothing(text: str, cases: bool, accents: bool) -> None:
    once = folded(text, is_case_sensitive=cases, ignores_accents=accents)
    assert folded(once, is_case_sensitive=cases, ignores_accents=accents) == once


@tried(50)
@given(
    st.data(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["choice", "choices", "pairs", "gaps", "text", "order", "number", "files", "value", "a"]
                ),
                inner,
                max_size=2,
            )
        ),
        max_leaves=6,
    ),
)
def test_whatever_a_client_sends_is_an_answer_or_refused_with_a_reason(data: st.DataObject, raw: Any) -> None:
    body = data.draw(BODIES)
    with suppress(InvalidValue):
        grade(body, answers.parse(body, raw), Decimal(1))


@tried(50)
@given(BODIES, st.text(max_size=8))
def test_what_is_shown_names_everything_once_in_the_learners_order(body: bodies.Body, seed: str) -> None:
    order = bodies.shuffled(body, seed)
    shown = bodies.public(body, order)
    for place, keys in order.items():
        if not place.startswith("gaps."):
            assert [item["id"] for item in shown[place]] == keys
            assert sorted(keys) == sorted(item.id for item in getattr(body, place))
