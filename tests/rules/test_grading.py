"""Rule Q13: what each kind of question gives for an answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from app.assessment import answers, bodies
from app.assessment.bodies import Accepted, AcceptedNumber, Choice, Gap, Item, Marking, Pair
from app.assessment.grading import folded, grade
from app.assessment.numbers import number
from app.i18n import Locale
from app.identity.validators import InvalidValue

ONE, HALF, ZERO = Decimal(1), Decimal("0.5"), Decimal(0)
FOUR = (Choice("a", "A", ONE, "yes"), Choice("b", "B", ONE), Choice("c", "C", ZERO, "no"), Choice("d", "D"))
NEGATIVE = Marking(penalty=Decimal("0.25"), floor=Decimal("-0.25"))


def points(body: bodies.Body, raw: Any, worth: str = "2", locale: Locale = "es") -> Decimal | None:
    """What an answer gets, as the schema shows it."""
    found = grade(body, answers.parse(body, raw), Decimal(worth), locale=locale).points
    return None if found is None else found.normalize()


def test_q13_a_single_choice_gives_all_or_nothing() -> None:
    body = bodies.Single(prompt="?", choices=FOUR[1:])
    assert points(body, {"choice": "b"}) == 2
    assert points(body, {"choice": "c"}) == 0
    assert points(body, None) == 0


def test_q13_a_weighted_choice_gives_its_share() -> None:
    body = bodies.Single(prompt="?", choices=(Choice("a", "A", ONE), Choice("b", "B", Decimal("0.3"))))
    assert points(body, {"choice": "b"}) == Decimal("0.6")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [(["a", "b"], "2"), (["a"], "1"), (["a", "c"], "0"), (["a", "b", "c"], "1"), (["c", "d"], "0"), ([], "0")],
)
def test_q13_multiple_choices_give_right_less_wrong(chosen: list[str], expected: str) -> None:
    assert points(bodies.Multiple(prompt="?", choices=FOUR), {"choices": chosen}) == Decimal(expected)


@pytest.mark.parametrize(("chosen", "expected"), [(["b", "a"], "2"), (["a"], "0"), (["a", "b", "c"], "0")])
def test_q13_multiple_choices_can_be_all_or_nothing(chosen: list[str], expected: str) -> None:
    body = bodies.Multiple(prompt="?", choices=FOUR, scoring="all_or_nothing")
    assert points(body, {"choices": chosen}) == Decimal(expected)


def test_q13_multiple_choices_can_be_weighted() -> None:
    choices = (Choice("a", "A", Decimal("0.5")), Choice("b", "B", Decimal("0.5")), Choice("c", "C", Decimal("-1")))
    body = bodies.Multiple(prompt="?", choices=choices, scoring="weights")
    assert points(body, {"choices": ["a"]}) == 1
    assert points(body, {"choices": ["a", "b", "c"]}) == 0


def test_q13_naming_a_choice_twice_counts_once() -> None:
    body = bodies.Multiple(prompt="?", choices=FOUR)
    assert points(body, {"choices": ["a", "a", "a"]}) == 1


def test_q13_a_third_of_three_points_is_one_point() -> None:
    choices = tuple(Choice(key, key, ONE) for key in "abc")
    body = bodies.Multiple(prompt="?", choices=choices)
    found = grade(body, answers.parse(body, {"choices": ["b"]}), Decimal(3))
    assert (found.points, found.fraction) == (Decimal("1.00000"), Decimal("0.3333333"))


@pytest.mark.parametrize(("value", "expected"), [(True, "2"), (False, "-0.5")])
def test_q13_wrong_answers_cost_points_only_below_a_lower_floor(value: bool, expected: str) -> None:
    assert points(bodies.TrueFalse(prompt="?", is_true=True, marking=NEGATIVE), {"value": value}) == Decimal(expected)
    kept = bodies.TrueFalse(prompt="?", is_true=True, marking=Marking(penalty=ONE))
    assert points(kept, {"value": False}) == 0
    assert points(kept, None) == 0


def test_q13_no_answer_costs_nothing() -> None:
    assert points(bodies.Single(prompt="?", choices=FOUR[1:], marking=NEGATIVE), None) == 0
    assert points(bodies.Single(prompt="?", choices=FOUR[1:], marking=NEGATIVE), {"choice": "d"}) == Decimal("-0.5")


PAIRS = bodies.Matching(
    prompt="?",
    pairs=(Pair("p", "Chile", "s"), Pair("q", "Perú", "l"), Pair("r", "Cuba", "h"), Pair("t", "La Habana?", "h")),
    targets=(Item("s", "Santiago"), Item("l", "Lima"), Item("h", "La Habana"), Item("x", "Quito")),
)


def test_q13_matching_counts_each_pair() -> None:
    assert points(PAIRS, {"pairs": {"p": "s", "q": "l", "r": "h", "t": "h"}}) == 2
    assert points(PAIRS, {"pairs": {"p": "s", "q": "x"}}) == HALF
    found = grade(PAIRS, answers.parse(PAIRS, {"pairs": {"p": "s", "q": "x"}}), ONE)
    assert [(part.id, part.is_right) for part in found.parts] == [("p", True), ("q", False), ("r", False), ("t", False)]


ITEMS = tuple(Item(key, key) for key in "abcd")


@pytest.mark.parametrize(("order", "whole", "adjacent"), [("abcd", "3", "3"), ("bcda", "0", "2"), ("dcba", "0", "0")])
def test_q13_an_ordering_gives_all_or_counts_neighbours(order: str, whole: str, adjacent: str) -> None:
    raw = {"order": list(order)}
    assert points(bodies.Ordering(prompt="?", items=ITEMS), raw, "3") == Decimal(whole)
    assert points(bodies.Ordering(prompt="?", items=ITEMS, scoring="adjacent"), raw, "3") == Decimal(adjacent)


@pytest.mark.parametrize(
    ("written", "es", "en"),
    [
        ("1.234,5", "1234.5", "1234.5"),
        ("1,234.5", "1234.5", "1234.5"),
        ("1,5", "1.5", "1.5"),
        ("1.5", "1.5", "1.5"),
        ("1.234", "1234", "1.234"),
        ("1,234", "1.234", "1234"),
        ("1 234 567,8", "1234567.8", "1234567.8"),
        ("1'234.5", "1234.5", "1234.5"),
        ("\u22122,5", "-2.5", "-2.5"),
        ("+7", "7", "7"),
        (".5", "0.5", "0.5"),
        (",5", "0.5", "0.5"),
        ("3.", "3", "3"),
        ("6,02e23", "6.02e23", "6.02e23"),
        ("12 km", "12", "12"),
        ("1,5km", "1.5", "1.5"),
        ("1.2.3", None, None),
        ("1,23,456", None, None),
        ("12 m", None, None),
        ("1e999", None, None),
        ("doce", None, None),
        ("", None, None),
    ],
)
def test_q13_numbers_are_read_as_the_language_writes_them(written: str, es: str | None, en: str | None) -> None:
    assert number(written, "es", ("km",)) == (None if es is None else Decimal(es))
    assert number(written, "en", ("km",)) == (None if en is None else Decimal(en))


@pytest.mark.parametrize(
    ("written", "expected"),
    [("3,14", "2"), ("3.13", "2"), ("3,15", "2"), ("3,1499999", "2"), ("3,151", "1"), ("3", "1"), ("4", "0")],
)
def test_q13_a_number_counts_within_its_tolerance_and_the_best_one_wins(written: str, expected: str) -> None:
    accepted = (
        AcceptedNumber(Decimal("3.14"), Decimal("0.2"), HALF, "roughly"),
        AcceptedNumber(Decimal("3.14"), Decimal("0.01")),
    )
    assert points(bodies.Numeric(prompt="?", accepted=accepted), {"number": written}) == Decimal(expected)


@pytest.mark.parametrize(
    ("accepted", "written", "is_right"),
    [
        ("Santiago de Chile", "  santiago   DE chile ", True),
        ("Valparaíso", "valparaiso", False),
        ("café", "CAFE\u0301", True),
        ("straße", "STRASSE", True),
        ("ﬁn", "fin", True),
        ("n*a", "neblina", True),
        ("*", "x", True),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "acb", False),
        ("aa*aa", "aaa", False),
        (r"2\*3", "2*3", True),
        (r"2\*3", "2x3", False),
        ("a.c", "abc", False),
    ],
)
def test_q13_short_answers_are_compared_as_people_mean_them(accepted: str, written: str, is_right: bool) -> None:
    body = bodies.ShortAnswer(prompt="?", accepted=(Accepted(accepted),))
    assert points(body, {"text": written}) == (2 if is_right else 0)


def test_q13_accents_and_capitals_count_as_the_question_says() -> None:
    assert folded("Órgano Ñandú", ignores_accents=True) == "organo ñandu"
    lenient = bodies.ShortAnswer(prompt="?", accepted=(Accepted("Año de Perú"),), ignores_accents=True)
    assert points(lenient, {"text": "año de peru"}) == 2
    assert points(lenient, {"text": "ano de peru"}) == 0
    strict = bodies.ShortAnswer(prompt="?", accepted=(Accepted("NaCl"),), is_case_sensitive=True)
    assert points(strict, {"text": "NaCl"}) == 2
    assert points(strict, {"text": "nacl"}) == 0


def test_q13_alternatives_have_weights() -> None:
    accepted = (Accepted("Miguel*", HALF, "And his surname?"), Accepted("Miguel de Cervantes"))
    body = bodies.ShortAnswer(prompt="?", accepted=accepted)
    assert points(body, {"text": "miguel de cervantes"}) == 2
    found = grade(body, answers.parse(body, {"text": "Miguel"}), Decimal(2))
    assert (found.points, found.parts[0].feedback) == (Decimal("1.00000"), "And his surname?")


def test_q13_gaps_count_by_their_weight() -> None:
    gaps = (
        Gap("g", bodies.Single(choices=FOUR[1:]), 1),
        Gap("h", bodies.Numeric(accepted=(AcceptedNumber(Decimal("1.5")),)), 2),
        Gap("i", bodies.ShortAnswer(accepted=(Accepted("sí"),)), 1),
    )
    body = bodies.Cloze(prompt="[[g]] [[h]] [[i]]", gaps=gaps)
    assert points(body, {"gaps": {"g": {"choice": "b"}, "h": {"number": "1,5"}, "i": {"text": "SÍ"}}}) == 2
    assert points(body, {"gaps": {"h": {"number": "1,5"}}}) == 1


def test_q13_people_grade_essays_and_files_unless_there_is_nothing() -> None:
    essay, file = bodies.Essay(prompt="?"), bodies.FileUpload(prompt="?", extensions=("pdf",))
    for body, raw in ((essay, {"text": "Erase una vez"}), (file, {"files": ["a.PDF"]})):
        found = grade(body, answers.parse(body, raw), Decimal(5))
        assert (found.points, found.fraction, found.needs_manual) == (None, None, True)
        assert grade(body, None, Decimal(5)).points == 0


def test_q13_a_text_gives_no_points() -> None:
    assert bodies.largest(bodies.TextOnly(prompt="Read."), Decimal(5)) == 0
    assert grade(bodies.TextOnly(prompt="Read."), None, Decimal(5)).points == 0


@pytest.mark.parametrize(
    ("body", "raw", "code"),
    [
        (bodies.Single(choices=FOUR), {"choice": "z"}, "ANSWER_UNKNOWN"),
        (bodies.Single(choices=FOUR), {"choice": ["a"]}, "ANSWER_UNKNOWN"),
        (bodies.Single(choices=FOUR), {"text": "a"}, "ANSWER_INVALID"),
        (bodies.Single(choices=FOUR), ["a"], "ANSWER_INVALID"),
        (bodies.Single(choices=FOUR), {"choice": "a", "points": 5}, "ANSWER_INVALID"),
        (bodies.Multiple(choices=FOUR), {"choices": "a"}, "ANSWER_INVALID"),
        (bodies.TrueFalse(is_true=True), {"value": 1}, "ANSWER_INVALID"),
        (bodies.Numeric(accepted=()), {"number": "doce"}, "NUMBER_INVALID"),
        (bodies.ShortAnswer(accepted=()), {"text": "a" * 2000}, "TOO_LONG"),
        (bodies.ShortAnswer(accepted=()), {"text": "a\x00b"}, "TEXT_INVALID"),
        (bodies.Ordering(items=ITEMS), {"order": ["a", "b"]}, "ORDER_INCOMPLETE"),
        (bodies.Ordering(items=ITEMS), {"order": ["a", "b", "c", "d", "a"]}, "ORDER_INCOMPLETE"),
        (PAIRS, {"pairs": {"p": "nowhere"}}, "ANSWER_UNKNOWN"),
        (bodies.TextOnly(), {"text": "hm"}, "NOTHING_ASKED"),
        (bodies.FileUpload(extensions=("pdf",)), {"files": ["x.exe"]}, "FILE_TYPE"),
        (bodies.FileUpload(), {"files": ["a", "b"]}, "TOO_MANY"),
    ],
)
def test_what_cannot_be_an_answer_is_refused_with_a_reason(body: bodies.Body, raw: Any, code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        answers.parse(body, raw)
    assert refused.value.code == code


def test_a_learner_sees_no_key_and_no_feedback() -> None:
    shown = str(bodies.public(bodies.Multiple(prompt="?", choices=FOUR, feedback="because", hints=("think",))))
    assert not [word for word in ("weight", "yes", "no'", "because", "think") if word in shown]
    ordering = bodies.public(bodies.Ordering(prompt="?", items=(Item("z9", "first"), Item("a1", "second"))))
    assert [item["id"] for item in ordering["items"]] == ["a1", "z9"]
    assert "target'" not in str(bodies.public(PAIRS))


def test_the_order_for_a_learner_is_the_same_every_time_and_on_every_machine() -> None:
    body = bodies.Multiple(prompt="?", choices=FOUR)
    assert bodies.shuffled(body, "attempt 1") == {"choices": ["c", "b", "d", "a"]}
    assert bodies.shuffled(bodies.Multiple(prompt="?", choices=FOUR, is_shuffled=False), "attempt 1") == {}
    seen = {tuple(bodies.shuffled(body, f"attempt {n}")["choices"]) for n in range(300)}
    assert len(seen) == 24
