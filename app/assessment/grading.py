"""How many points an answer gets (rule Q13).

Shares are exact fractions until the end. Points are rounded once, half up, to five decimals: a third of three points
is one point, and the sum of a quiz does not depend on the order of its questions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise

from app.assessment import bodies
from app.assessment.answers import (
    Answer,
    Chosen,
    ChosenSome,
    Filled,
    Matched,
    Ordered,
    Verdict,
    Written,
    WrittenNumber,
)
from app.assessment.numbers import number
from app.i18n import DEFAULT_LOCALE, Locale

DECIMALS = Decimal("0.00001")
SHARE = Decimal("0.0000001")
_STAR = re.compile(r"(?<!\\)\*+")
_TILDE = "\u0303"


@dataclass(frozen=True, slots=True)
class Part:
    """How one part of an answer did: a choice that was made, a pair, a position, a gap. ``share`` is 0 to 1 of it."""

    id: str
    is_right: bool
    share: Decimal
    feedback: str = ""


@dataclass(frozen=True, slots=True)
class Graded:
    """What an answer got. ``points`` and ``fraction`` are None while a person has to grade it."""

    points: Decimal | None
    fraction: Decimal | None
    needs_manual: bool = False
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class _Share:
    """A share before it is rounded."""

    share: Fraction
    parts: tuple[Part, ...] = ()


def grade(body: bodies.Body, answer: Answer | None, points: Decimal, *, locale: Locale = DEFAULT_LOCALE) -> Graded:
    """The points of an answer to a question that is worth ``points``.

    No answer gets 0 and costs nothing. Essays and files wait for a person, unless there is nothing to look at.

    Raises: TypeError (the answer was not made by ``answers.parse`` of this question).
    """
    if body.kind in bodies.MANUAL and answer is not None:
        return Graded(None, None, needs_manual=True)
    if answer is None or isinstance(body, bodies.TextOnly):
        return Graded(Decimal(0), Decimal(0))
    found = _share(body, answer, locale)
    return Graded(rounded(found.share * Fraction(points), DECIMALS), rounded(found.share, SHARE), parts=found.parts)


def rounded(value: Fraction, step: Decimal) -> Decimal:
    """An exact fraction as a decimal of so many places, half up (away from zero)."""
    scaled = value / Fraction(step)
    whole = (abs(scaled.numerator) * 2 + scaled.denominator) // (scaled.denominator * 2)
    return (Decimal(whole if scaled >= 0 else -whole) * step).quantize(step, ROUND_HALF_UP)


def _share(body: bodies.Body, answer: Answer, locale: Locale) -> _Share:
    match body, answer:
        case bodies.Single(), Chosen(choice):
            return _single(body, choice)
        case bodies.Multiple(), ChosenSome(choices):
            return _multiple(body, choices)
        case bodies.TrueFalse(), Verdict(value):
            is_right = value == body.is_true
            feedback = body.feedback_true if value else body.feedback_false
            return _all(is_right, body.marking, str(value).lower(), feedback)
        case bodies.ShortAnswer(), Written(words):
            accepted = [item for item in body.accepted if matches(item.text, words, body)]
            return _best(accepted, body.marking)
        case bodies.Numeric(), WrittenNumber(written):
            value_read = number(written, locale, body.units)
            near = [item for item in body.accepted if value_read is not None and _is_near(item, value_read)]
            return _best(near, body.marking)
        case bodies.Matching(), Matched(pairs):
            return _matching(body, dict(pairs))
        case bodies.Ordering(), Ordered(order):
            return _ordering(body, order)
        case bodies.Cloze(), Filled(gaps):
            return _cloze(body, dict(gaps), locale)
        case _:
            raise TypeError(f"{type(answer).__name__} does not answer a question of kind {body.kind}")


def _limited(share: Fraction, marking: bodies.Marking) -> Fraction:
    return max(Fraction(marking.floor), min(share, Fraction(1)))


def _part(key: str, share: Fraction | Decimal, feedback: str = "") -> Part:
    exact = max(Fraction(0), Fraction(share))
    return Part(key, exact >= 1, rounded(exact, SHARE), feedback)


def _all(is_right: bool, marking: bodies.Marking, key: str, feedback: str) -> _Share:
    share = Fraction(1) if is_right else -Fraction(marking.penalty)
    return _Share(_limited(share, marking), (_part(key, Fraction(is_right), feedback),))


def _single(body: bodies.Single, chosen: str) -> _Share:
    choice = next(item for item in body.choices if item.id == chosen)
    share = Fraction(choice.weight)
    if choice.weight <= 0:
        share -= Fraction(body.marking.penalty)
    return _Share(_limited(share, body.marking), (_part(choice.id, choice.weight, choice.feedback),))


def _multiple(body: bodies.Multiple, chosen: Sequence[str]) -> _Share:
    made = [item for item in body.choices if item.id in chosen]
    total = sum(item.weight > 0 for item in body.choices)
    right = sum(item.weight > 0 for item in made)
    wrong = len(made) - right
    penalty = Fraction(body.marking.penalty)
    if body.scoring == "weights":
        # The positive weights together are the whole: three times a rounded third is all of it.
        whole = sum((Fraction(item.weight) for item in body.choices if item.weight > 0), Fraction(0))
        share = sum((Fraction(item.weight) for item in made), Fraction(0)) / (whole or 1) - wrong * penalty
    elif body.scoring == "all_or_nothing":
        share = Fraction(1) if right == total and wrong == 0 else -penalty
    else:
        # Each wrong one takes a right one away; what the author adds as a penalty comes on top.
        share = (right - wrong * (1 + penalty)) / max(total, 1)
    parts = tuple(_part(item.id, Fraction(item.weight > 0), item.feedback) for item in made)
    return _Share(_limited(Fraction(share), body.marking), parts)


def _best(accepted: Sequence[bodies.Accepted | bodies.AcceptedNumber], marking: bodies.Marking) -> _Share:
    """The alternative that gives most of those that fit; the first of equal ones."""
    if not accepted:
        return _Share(_limited(-Fraction(marking.penalty), marking))
    best = max(accepted, key=lambda item: item.weight)
    share = Fraction(best.weight) - (Fraction(marking.penalty) if best.weight <= 0 else 0)
    return _Share(_limited(share, marking), (_part("answer", best.weight, best.feedback),))


def _is_near(accepted: bodies.AcceptedNumber, value: Decimal) -> bool:
    return abs(Fraction(accepted.value) - Fraction(value)) <= Fraction(accepted.tolerance)


def _matching(body: bodies.Matching, given: dict[str, str]) -> _Share:
    parts = tuple(
        _part(pair.id, Fraction(given.get(pair.id) == pair.target), pair.feedback if pair.id in given else "")
        for pair in body.pairs
    )
    right = sum(part.is_right for part in parts)
    share = (right - (len(given) - right) * Fraction(body.marking.penalty)) / len(parts)
    return _Share(_limited(Fraction(share), body.marking), parts)


def _ordering(body: bodies.Ordering, order: Sequence[str]) -> _Share:
    """All in place, or the share of neighbours that follow each other as they should."""
    keys = [item.id for item in body.items]
    parts = tuple(_part(key, Fraction(key == right)) for key, right in zip(order, keys, strict=True))
    if body.scoring == "adjacent" and len(keys) > 1:
        wanted = set(pairwise(keys))
        right = sum(pair in wanted for pair in pairwise(order))
        total = len(keys) - 1
        share = (right - (total - right) * Fraction(body.marking.penalty)) / total
    else:
        share = Fraction(1) if list(order) == keys else -Fraction(body.marking.penalty)
    return _Share(_limited(Fraction(share), body.marking), parts)


def _cloze(body: bodies.Cloze, given: dict[str, Chosen | Written | WrittenNumber], locale: Locale) -> _Share:
    total = sum(gap.weight for gap in body.gaps)
    share, parts = Fraction(0), []
    for gap in body.gaps:
        answer = given.get(gap.id)
        found = _Share(Fraction(0)) if answer is None else _share(gap.body, answer, locale)
        share += found.share * gap.weight / total
        parts.append(_part(gap.id, found.share, found.parts[0].feedback if found.parts else ""))
    return _Share(min(share, Fraction(1)), tuple(parts))


def folded(words: str, *, is_case_sensitive: bool = False, ignores_accents: bool = False) -> str:
    """Words as they are compared: one spelling of each character, single blanks, and as the question says.

    Without accents n and ñ stay two letters, as they are in Spanish.
    """
    text = unicodedata.normalize("NFKC", words)
    if not is_case_sensitive:
        text = unicodedata.normalize("NFKC", text.casefold())
    if ignores_accents:
        text = _without_accents(text)
    return " ".join(text.split())


def _without_accents(text: str) -> str:
    kept: list[str] = []
    for char in unicodedata.normalize("NFD", text):
        is_of_n = char == _TILDE and bool(kept) and kept[-1] in "nN"
        if is_of_n or not unicodedata.combining(char):
            kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def matches(accepted: str, written: str, body: bodies.ShortAnswer) -> bool:
    """Whether words are what a question accepts; each star stands for any number of characters.

    The pieces between the stars are looked for one behind the other, which takes no longer with many stars.
    """

    def fold(words: str) -> str:
        return folded(words, is_case_sensitive=body.is_case_sensitive, ignores_accents=body.ignores_accents)

    words = fold(written)
    pieces = [piece.replace("\\*", "*") for piece in _STAR.split(fold(accepted))]
    if len(pieces) == 1:
        return words == pieces[0]
    first, *middle, last = pieces
    if len(words) < len(first) + len(last) or not words.startswith(first) or not words.endswith(last):
        return False
    at, end = len(first), len(words) - len(last)
    for piece in middle:
        found = words.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
