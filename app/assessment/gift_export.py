"""Writes questions in GIFT; what the format cannot say is named, never dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from app.assessment import bodies
from app.i18n import message

_ESCAPES = re.compile(r"[~=#{}:\\]")
_PERCENT = Decimal("0.00001")

KIND_LOST = message("this kind of question does not exist in GIFT")
HINTS_LOST = message("its hints")
MARKING_LOST = message("what wrong answers cost")
SCORING_LOST = message("how partly right answers count")
WORDS_LOST = message("how capitals and accents count")
UNITS_LOST = message("its units")
PAIRS_LOST = message("what is told about each pair")
GRADERS_LOST = message("what graders and learners are told about length and content")
FEEDBACK_LOST = message("what is told about it")
POINTS_LOST = message("its points")


@dataclass(frozen=True, slots=True)
class Exported:
    """A question to write."""

    title: str
    category: str
    tags: Sequence[str]
    points: Decimal
    body: bodies.Body


@dataclass(frozen=True, slots=True)
class Lost:
    """Something of a question (by its place in the list, from 0) that the text does not hold."""

    index: int
    title: str
    what: str


def write_gift(questions: Iterable[Exported]) -> tuple[str, list[Lost]]:
    """The text, and what it lacks."""
    lost: list[Lost] = []
    blocks, category = [], ""
    for index, question in enumerate(questions):
        lost += [Lost(index, question.title, what) for what in _losses(question)]
        answer = _answer(question.body)
        if answer is None:
            continue
        if question.category != category:
            category = question.category
            blocks.append(f"$CATEGORY: {'/'.join(('$course$/top', *filter(None, [category])))}")
        blocks.append(_block(question, answer))
    return "\n\n".join(blocks) + "\n" * bool(blocks), lost


def _block(question: Exported, answer: str) -> str:
    tags = " ".join(f"[tag:{tag}]" for tag in question.tags)
    title = f"::{_text(question.title)}::" if question.title else ""
    return "".join((f"// {tags}\n" if tags else "", title, "[html]", _text(question.body.prompt), answer))


def _losses(question: Exported) -> list[str]:
    body = question.body
    if _answer(body) is None:
        return [KIND_LOST]
    found = [HINTS_LOST] if body.hints else []
    if getattr(body, "marking", bodies.Marking()) != bodies.Marking():
        found.append(MARKING_LOST)
    match body:
        case bodies.Multiple(scoring="all_or_nothing"):
            found.append(SCORING_LOST)
        case bodies.ShortAnswer() if body.is_case_sensitive or body.ignores_accents:
            found.append(WORDS_LOST)
        case bodies.Numeric() if body.units:
            found.append(UNITS_LOST)
        case bodies.Matching() if any(pair.feedback for pair in body.pairs):
            found.append(PAIRS_LOST)
        case bodies.TextOnly() if body.feedback:
            found.append(FEEDBACK_LOST)
        case bodies.Essay() if replace(body, prompt="", feedback="", hints=()) != bodies.Essay():
            found.append(GRADERS_LOST)
    if question.points != 1:
        found.append(POINTS_LOST)
    return found


def _answer(body: bodies.Body) -> str | None:
    """What stands in braces; None for what GIFT does not have."""
    general = f"####{_text(body.feedback)}" if body.feedback else ""
    match body:
        case bodies.TextOnly():
            return ""
        case bodies.Essay():
            return f" {{{general}}}"
        case bodies.TrueFalse():
            told = (body.feedback_false, body.feedback_true)
            wrong, right = told if body.is_true else told[::-1]
            shown = f"#{_text(wrong)}" * bool(wrong or right) + f"#{_text(right)}" * bool(right)
            return f" {{{str(body.is_true).upper()}{shown}{general}}}"
        case bodies.Single():
            items = _single(body.choices)
        case bodies.Multiple():
            items = [f"~%{weight}%{_told(choice)}" for weight, choice in _shares(body)]
        case bodies.ShortAnswer():
            items = [f"={_weight(item.weight)}{_text(item.text)}{_fed(item.feedback)}" for item in body.accepted]
        case bodies.Numeric():
            items = ["#", *(_number(item) for item in body.accepted)]
        case bodies.Matching():
            items = _pairs(body)
        case _:
            return None
    return " {\n" + "\n".join(items) + f"\n{general}}}"


def _single(choices: Sequence[bodies.Choice]) -> list[str]:
    """The first whole answer is marked as right; a second one says so by its weight, or it would be a short answer."""
    first = next(choice for choice in choices if choice.weight == 1)
    return [
        f"={_told(choice)}" if choice is first else f"~{_weight(choice.weight, bare=Decimal(0))}{_told(choice)}"
        for choice in choices
    ]


def _shares(body: bodies.Multiple) -> list[tuple[str, bodies.Choice]]:
    if body.scoring == "weights":
        return [(_percent(choice.weight), choice) for choice in body.choices]
    right = sum(choice.weight > 0 for choice in body.choices)
    wrong = Decimal(1) if body.scoring == "all_or_nothing" else Decimal(1) / right
    return [(_percent(Decimal(1) / right if choice.weight > 0 else -wrong), choice) for choice in body.choices]


def _pairs(body: bodies.Matching) -> list[str]:
    targets = {target.id: target.html for target in body.targets}
    used = {pair.target for pair in body.pairs}
    rows = [(pair.html, targets[pair.target]) for pair in body.pairs]
    rows += [("", html) for key, html in targets.items() if key not in used]
    return [f"={_text(left)} -> {_text(right)}" for left, right in rows]


def _number(item: bodies.AcceptedNumber) -> str:
    tolerance = f":{item.tolerance}" if item.tolerance else ""
    return f"={_weight(item.weight)}{item.value}{tolerance}{_fed(item.feedback)}"


def _told(choice: bodies.Choice) -> str:
    return _text(choice.html) + _fed(choice.feedback)


def _fed(feedback: str) -> str:
    return f"#{_text(feedback)}" if feedback else ""


def _weight(weight: Decimal, bare: Decimal = bodies.ONE) -> str:
    """The weight as GIFT writes it; nothing for the one that goes without saying."""
    return "" if weight == bare else f"%{_percent(weight)}%"


def _percent(weight: Decimal) -> str:
    return f"{(weight * 100).quantize(_PERCENT, ROUND_HALF_UP).normalize():f}"


def _text(text: str) -> str:
    return _ESCAPES.sub(lambda found: "\\" + found[0], text).replace("\r", "").replace("\n", "\\n")
