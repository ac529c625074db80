"""Open edX problems become questions; what has no counterpart is named.

A problem with several small inputs becomes one text with gaps, its layout kept. One with a part that cannot be kept
(a program that grades, a drawing) is left as it is: half of a problem would be another problem.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from html import escape
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from app.assessment import bodies
from app.assessment.body_rules import GAP_KINDS, body_of
from app.identity.validators import Checks

RESPONSE = re.compile(r"^\w+response$")
_SKIPPED = frozenset(
    {
        "script", "solution", "demandhint", "startouttext", "endouttext", "choicegroup", "checkboxgroup", "optioninput",
        "textline", "formulaequationinput", "responseparam", "additional_answer", "stringequalhint", "correcthint",
        "compoundhint",
    }
)  # fmt: skip
_RENAMED = {"label": "p", "description": "p", "text": "", "problem": "", "clarification": "em"}
_EMPTY = frozenset({"img", "br", "hr"})
_PLACEHOLDER = re.compile(r"\$\w")
_RANGE = re.compile(r"^[\[(]\s*([^,\s]+)\s*,\s*([^,\s]+)\s*[\])]$")
_ANYTHING = frozenset({".*", ".+", ".*."})
HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class OlxQuestion:
    """A question made of (a part of) a problem, and what of it was not kept, by name."""

    body: bodies.Body
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OlxConverted:
    """What a problem became: questions, or nothing and the names of what stood in the way."""

    questions: tuple[OlxQuestion, ...] = ()
    lost: tuple[str, ...] = ()


class _Lost(Exception):
    """A part without counterpart, by name."""


@dataclass(slots=True)
class _Part:
    """One response: the kind of question it makes, and what ``body_of`` takes."""

    kind: str
    given: dict[str, Any]
    lost: list[str]


def convert(source: str) -> OlxConverted:
    """The questions in the XML of a problem."""
    try:
        problem: Element = fromstring(source, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        return OlxConverted(lost=("problem that is not XML",))
    try:
        return OlxConverted(tuple(_questions(problem)))
    except _Lost as lost:
        return OlxConverted(lost=(str(lost),))
    except RecursionError:
        return OlxConverted(lost=("problem with elements too deep inside each other",))


def _questions(problem: Element) -> Iterator[OlxQuestion]:
    responses = [node for node in problem.iter() if RESPONSE.match(node.tag)]
    if not responses:
        raise _Lost("problem without a question")
    has_program = any(node.tag == "script" for node in problem.iter())
    parts = [_part(node, has_program) for node in responses]
    if has_program and _PLACEHOLDER.search(_html(problem, lambda _: "")):
        raise _Lost("problem with random values")
    shared = {
        "hints": [_html(hint, lambda _: "") for demand in problem.iter("demandhint") for hint in demand.iter("hint")],
        "feedback": "".join(_html(found, lambda _: "") for found in problem.iter("solution")),
    }
    if len(parts) > 1 and all(part.kind in GAP_KINDS for part in parts):
        yield _cloze(problem, responses, parts, shared)
        return
    for response, part in zip(responses, parts, strict=True):
        prompt = _html(problem, _only(response))
        yield _made(part.kind, {**part.given, **shared, "prompt": prompt}, part.lost)


def _only(response: Element) -> Callable[[Element], str]:
    """The words around one response, without the others."""
    return lambda found: _html(found, lambda _: "") if found is response else ""


def _cloze(problem: Element, responses: list[Element], parts: list[_Part], shared: dict[str, Any]) -> OlxQuestion:
    names = {response: f"g{number}" for number, response in enumerate(responses, 1)}
    prompt = _html(problem, lambda found: f"{_html(found, lambda _: '')}[[{names[found]}]]")
    gaps = [
        {**part.given, "id": names[response], "kind": part.kind}
        for response, part in zip(responses, parts, strict=True)
    ]
    lost = [name for part in parts for name in part.lost]
    return _made(bodies.Cloze.kind, {**shared, "prompt": prompt, "gaps": gaps}, lost)


def _made(kind: str, given: dict[str, Any], lost: list[str]) -> OlxQuestion:
    check = Checks()
    body = body_of(check, kind, given, "problem")
    if check.problems:
        raise _Lost(f"{kind} question that is not complete ({check.problems[0].path}: {check.problems[0].code})")
    return OlxQuestion(body, tuple(dict.fromkeys(lost)))


def _part(node: Element, has_program: bool) -> _Part:
    readers: dict[str, Callable[[Element], _Part]] = {
        "multiplechoiceresponse": _single,
        "choiceresponse": _multiple,
        "optionresponse": _dropdown,
        "stringresponse": _words,
        "numericalresponse": _number,
    }
    reader = readers.get(node.tag)
    if reader is None or (has_program and _PLACEHOLDER.match(node.get("answer") or "")):
        raise _Lost(node.tag if reader is None else f"{node.tag} with random values")
    return reader(node)


def _single(node: Element) -> _Part:
    lost: list[str] = []
    choices = []
    for choice in node.iter("choice"):
        correct = (choice.get("correct") or "").lower()
        partly = _decimal(choice.get("point_value")) or HALF if correct == "partial" else Decimal(0)
        weight = Decimal(1) if correct == "true" else partly
        choices.append({"html": _choice(choice), "weight": weight, "feedback": _hint(choice, lost)})
    group = node.find("choicegroup")
    is_shuffled = group is not None and (group.get("shuffle") or "").lower() == "true"
    if group is not None and group.get("answer-pool"):
        lost.append("answer pool")
    return _Part(bodies.Single.kind, {"choices": choices, "is_shuffled": is_shuffled}, lost)


def _multiple(node: Element) -> _Part:
    """Without partial credit all must be right; with it, each wrong choice takes a right one away."""
    lost: list[str] = ["compound hints"] if node.find(".//compoundhint") is not None else []
    choices = [
        {
            "html": _choice(choice),
            "is_right": (choice.get("correct") or "").lower() == "true",
            "feedback": _hint(choice, lost),
        }
        for choice in node.iter("choice")
    ]
    credit = node.get("partial_credit")
    if credit:
        lost.append(f"partial credit {credit}, which is now right less wrong")
    scoring = "partial" if credit else "all_or_nothing"
    return _Part(bodies.Multiple.kind, {"choices": choices, "scoring": scoring, "is_shuffled": False}, lost)


def _dropdown(node: Element) -> _Part:
    lost: list[str] = []
    box = node.find("optioninput")
    if box is None:
        raise _Lost("optionresponse without options")
    choices = [
        {
            "html": _choice(option),
            "is_right": (option.get("correct") or "").lower() == "true",
            "feedback": _hint(option, lost),
        }
        for option in box.iter("option")
    ]
    if not choices:
        right = (box.get("correct") or "").strip()
        choices = [{"html": escape(word, quote=False), "is_right": word == right} for word in _options(box)]
    return _Part(bodies.Single.kind, {"choices": choices, "is_shuffled": False}, lost)


def _options(box: Element) -> list[str]:
    """The words of ``('a','b')``, which is written as Python writes it."""
    try:
        found = literal_eval(box.get("options") or "()")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise _Lost("optionresponse whose options cannot be read") from None
    return [str(word).strip() for word in (found if isinstance(found, tuple | list) else (found,))]


def _words(node: Element) -> _Part:
    words = [node.get("answer") or "", *(_answer(extra) for extra in node.iter("additional_answer"))]
    kind = (node.get("type") or "").split()
    if "regexp" in kind:
        if not set(words) <= _ANYTHING:
            raise _Lost("stringresponse with a regular expression")
        accepted = ["*"]
    else:
        accepted = [word.replace("*", "\\*") for word in words]
    told = node.find("correcthint")
    feedback = "" if told is None else _html(told, lambda _: "")
    given: list[dict[str, Any]] = [{"text": word, "feedback": feedback} for word in accepted]
    given += [
        {
            "text": (hint.get("answer") or "").replace("*", "\\*"),
            "weight": Decimal(0),
            "feedback": _html(hint, lambda _: ""),
        }
        for hint in node.iter("stringequalhint")
    ]
    return _Part(bodies.ShortAnswer.kind, {"accepted": given, "is_case_sensitive": "ci" not in kind}, [])


def _number(node: Element) -> _Part:
    lost: list[str] = []
    params = list(node.iter("responseparam"))
    tolerance = next((param.get("default") for param in params if param.get("type") == "tolerance"), None) or "0"
    whole = [node.get("answer") or "", *(_answer(extra) for extra in node.iter("additional_answer"))]
    partly = [word for param in params for word in (param.get("partial_answers") or "").split(",") if word.strip()]
    told = node.find("correcthint")
    feedback = "" if told is None else _html(told, lambda _: "")
    accepted = [{**_near(word, tolerance, lost), "feedback": feedback} for word in whole]
    accepted += [{**_near(word, tolerance, lost), "weight": HALF} for word in partly]
    if "close" in (node.get("partial_credit") or ""):
        lost.append("partial credit for close numbers")
    return _Part(bodies.Numeric.kind, {"accepted": accepted}, lost)


def _near(word: str, tolerance: str, lost: list[str]) -> dict[str, Decimal]:
    """A number and what it may differ: from ``600`` and ``5`` or ``1%``, or from a range ``[1,5]``."""
    if found := _RANGE.match(word.strip()):
        low, high = _decimal(found[1]), _decimal(found[2])
        if low is not None and high is not None:
            if not (word.strip().startswith("[") and word.strip().endswith("]")):
                lost.append("open ends of a range, which now belong to it")
            return {"value": (low + high) / 2, "tolerance": abs(high - low) / 2}
    value, percent = _decimal(word), tolerance.strip().endswith("%")
    margin = _decimal(tolerance.strip().removesuffix("%"))
    if value is None or margin is None:
        raise _Lost("numericalresponse with a formula")
    return {"value": value, "tolerance": abs(value) * abs(margin) / 100 if percent else abs(margin)}


def _decimal(word: str | None) -> Decimal | None:
    try:
        found = Decimal((word or "").strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found.adjusted()) <= 100 else None


def _answer(extra: Element) -> str:
    return extra.get("answer") or (extra.text or "").strip()


def _choice(choice: Element) -> str:
    return _html(choice, lambda _: "", skipped=frozenset({"choicehint", "optionhint"})).strip()


def _hint(choice: Element, lost: list[str]) -> str:
    """What is told to those who choose it; hints for those who leave it out have no place here."""
    told = []
    for hint in (*choice.iter("choicehint"), *choice.iter("optionhint")):
        if (hint.get("selected") or "true").lower() == "false":
            lost.append("hints for choices that are left out")
        else:
            told.append(_html(hint, lambda _: ""))
    return "".join(told).strip()


def _html(node: Element, place: Callable[[Element], str], skipped: frozenset[str] = frozenset()) -> str:
    """What is inside an element as HTML, without inputs and keys; ``place`` says what stands for a response."""
    found = [escape(node.text or "", quote=False)]
    for child in node:
        if not isinstance(child.tag, str) or child.tag in _SKIPPED or child.tag in skipped:
            inner = ""
        elif RESPONSE.match(child.tag):
            inner = place(child)
        else:
            inner = _element(child, place, skipped)
        found += [inner, escape(child.tail or "", quote=False)]
    return "".join(found)


def _element(node: Element, place: Callable[[Element], str], skipped: frozenset[str]) -> str:
    tag = _RENAMED.get(node.tag, node.tag)
    inside = _html(node, place, skipped)
    if not tag:
        return inside
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in node.attrib.items())
    return f"<{tag}{attributes}>" if tag in _EMPTY else f"<{tag}{attributes}>{inside}</{tag}>"
