"""Reads questions in GIFT, the plain-text format that most learning systems export.

A question that cannot be read is reported with its line and never loses the others. Source of the rules: Moodle's
documentation of the format (docs.moodle.org, "GIFT format"): questions end at an empty line, ``\\`` escapes
``~ = # { } :``, the kind follows from what stands between the braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from app.assessment import bodies
from app.assessment.body_rules import TITLE, body_of, category
from app.catalog.rules import tags
from app.errors import FieldProblem
from app.i18n import message
from app.identity.validators import Checks, line

ESCAPABLE = "~=#{}:\\"
# Characters that Unicode promises never to use stand for escaped ones while the text is taken apart.
_HIDDEN = {char: chr(0xFDD0 + index) for index, char in enumerate(ESCAPABLE)} | {"n": "\ufdef"}
_SHOWN = str.maketrans({hidden: "\n" if char == "n" else char for char, hidden in _HIDDEN.items()})
_STRAY = re.compile("[\ufdd0-\ufdef]")
_ESCAPED = re.compile(r"\\([~=#{}:\\n])")
_FORMAT = re.compile(r"\s*\[(html|moodle|plain|markdown)\]", re.IGNORECASE)
_TITLE = re.compile(r"\s*::(.*?)::", re.DOTALL)
_WEIGHT = re.compile(r"\s*%([^%]*)%")
_TAG = re.compile(r"\[tag:([^\]]*)\]")
_CATEGORY = re.compile(r"\s*\$CATEGORY:(.*)", re.IGNORECASE)
_ROOT = re.compile(r"^\$\w+\$/?")
_LINE = re.compile("\r\n|\r|\n")
_TRUTH = {"T": True, "TRUE": True, "F": False, "FALSE": False}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_MISSING_WORD = " _____ "
_MARKDOWN = MarkdownIt("commonmark")

BRACES = message("has braces that do not belong together; write \\{ or \\} for a brace that is part of the text")
NO_NUMBER = message("has an answer that is not a number: {number}")
NO_WEIGHT = message("has a weight that is not between -100 and 100: {weight}")
NO_PAIR = message("has a matching without an arrow: write = one -> other")
NO_ANSWER = message("has braces with nothing that could be an answer")
NO_COUNTERPART = message("has an answer for any other number, which cannot be kept")


@dataclass(frozen=True, slots=True)
class GiftQuestion:
    """A question that was read. ``key`` recognises the same text when it comes again; ``lost`` has no counterpart."""

    line: int
    title: str
    category: str
    tags: tuple[str, ...]
    body: bodies.Body
    key: str
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GiftProblem:
    """Why the question that begins at a line was not read."""

    line: int
    title: str
    problems: tuple[FieldProblem, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    line: int
    text: str
    category: str
    tags: tuple[str, ...]


class _Unreadable(Exception):
    def __init__(self, code: str, text: str, **params: object) -> None:
        super().__init__(text)
        self.problem = FieldProblem("question", text, code, params)


def read_gift(text: str) -> Iterator[GiftQuestion | GiftProblem]:
    """Every question of a text in order, or why there is none."""
    for block in _blocks(_STRAY.sub("", text.removeprefix("\ufeff"))):
        check = Checks()
        title = ""
        try:
            title, rest = _title(_hide(block.text))
            written = _Written(rest)
        except _Unreadable as error:
            yield GiftProblem(block.line, title, (error.problem,))
            continue
        title = check("title", line, title, maximum=TITLE)
        path = check("category", category, block.category)
        labels = check("tags", tags, block.tags)
        # A question that is only a title asks its title.
        prompt = written.given["prompt"] or escape(title, quote=False)
        body = body_of(check, written.kind, {**written.given, "prompt": prompt}, "question")
        if check.problems:
            yield GiftProblem(block.line, title, tuple(check.problems))
        else:
            key = sha256("\x1f".join((path, *block.text.split())).encode()).hexdigest()
            yield GiftQuestion(block.line, title, path, tuple(labels), body, f"gift:{key}", tuple(written.lost))


def _blocks(text: str) -> Iterator[_Block]:
    """The pieces between empty lines, without comments, each with the category it stands in."""
    path, start = "", 0
    labels: list[str] = []
    kept: list[str] = []
    for number, row in enumerate([*_LINE.split(text), ""], 1):
        if row.lstrip().startswith("//"):
            labels += _TAG.findall(row)
        elif row.strip():
            if not kept and (found := _CATEGORY.match(row)):
                path = _path(found[1])
                continue
            start = start if kept else number
            kept.append(row)
        else:
            if kept:
                yield _Block(start, "\n".join(kept), path, tuple(labels))
            labels, kept = [], []


def _path(written: str) -> str:
    """``$course$/top/units/area`` as ``units/area``; a doubled slash is one that belongs to a name."""
    path = _ROOT.sub("", written.strip()).replace("//", "\u2215")
    return "" if path == "top" else path.removeprefix("top/")


def _hide(text: str) -> str:
    return _ESCAPED.sub(lambda found: _HIDDEN[found[1]], text)


def _show(text: str) -> str:
    return text.translate(_SHOWN).strip()


def _title(hidden: str) -> tuple[str, str]:
    found = _TITLE.match(hidden)
    return (_show(found[1]), hidden[found.end() :]) if found else ("", hidden)


class _Written:
    """One question being taken apart: ``kind`` and ``given`` as ``body_of`` takes them."""

    def __init__(self, hidden: str) -> None:
        self.lost: list[str] = []
        self._format = "moodle"
        found = _FORMAT.match(hidden)
        if found:
            self._format, hidden = found[1].lower(), hidden[found.end() :]
        opening, closing = hidden.count("{"), hidden.count("}")
        if opening == closing == 0:
            self.kind, self.given = "text", {"prompt": self._html(hidden)}
            return
        before, _, rest = hidden.partition("{")
        inside, brace, after = rest.partition("}")
        if (opening, closing) != (1, 1) or not brace:
            raise _Unreadable("GIFT_BRACES", BRACES)
        prompt = before + _MISSING_WORD + after if after.strip() else before
        answers, _, feedback = inside.partition("####")
        self.kind, answered = self._answer(answers.strip())
        self.given = {**answered, "prompt": self._html(prompt), "feedback": self._html(feedback)}

    def _answer(self, answer: str) -> tuple[str, dict[str, Any]]:
        if not answer:
            return bodies.Essay.kind, {}
        if answer.startswith("#"):
            return bodies.Numeric.kind, {"accepted": self._numbers(answer[1:].strip())}
        verdict, *told = answer.split("#")
        if "~" in answer:
            return self._choices(answer.replace("~=", "="))
        if "=" in answer and "->" in answer:
            return bodies.Matching.kind, self._pairs(answer)
        if verdict.strip().upper() in _TRUTH:
            return bodies.TrueFalse.kind, self._verdict(_TRUTH[verdict.strip().upper()], told)
        return bodies.ShortAnswer.kind, {"accepted": [self._accepted(item) for _, item in _items(answer)]}

    def _verdict(self, is_true: bool, told: list[str]) -> dict[str, Any]:
        """The first feedback is for those who were wrong, the second for those who were right."""
        wrong, right = (self._html(text) for text in (*told, "", "")[:2])
        shown = {"feedback_true": right, "feedback_false": wrong} if is_true else {}
        return {"is_true": is_true, **(shown or {"feedback_true": wrong, "feedback_false": right})}

    def _choices(self, answer: str) -> tuple[str, dict[str, Any]]:
        choices = []
        items = _items(answer)
        for mark, item in items:
            weight, text, feedback = self._parts(item)
            full = Decimal(1) if mark == "=" else Decimal(0)
            choices.append(
                {"html": self._html(text), "weight": full if weight is None else weight, "feedback": feedback}
            )
        if any(mark == "=" for mark, _ in items):
            return bodies.Single.kind, {"choices": choices}
        return bodies.Multiple.kind, _plainly(choices)

    def _accepted(self, item: str) -> dict[str, Any]:
        weight, text, feedback = self._parts(item)
        return {"text": _show(text), "weight": Decimal(1) if weight is None else weight, "feedback": feedback}

    def _numbers(self, answer: str) -> list[dict[str, Any]]:
        found = []
        for mark, item in _items(answer):
            weight, text, feedback = self._parts(item)
            if mark == "~" or text.strip() in {"", "*"}:
                self.lost.append(NO_COUNTERPART)
                continue
            value, tolerance = _range(_show(text))
            found.append(
                {
                    "value": value,
                    "tolerance": tolerance,
                    "weight": Decimal(1) if weight is None else weight,
                    "feedback": feedback,
                }
            )
        return found

    def _pairs(self, answer: str) -> dict[str, Any]:
        pairs, targets = [], dict[str, str]()
        for _, item in _items(answer):
            left, arrow, right = item.partition("->")
            if not arrow:
                raise _Unreadable("GIFT_PAIR", NO_PAIR)
            target = targets.setdefault(self._html(right), f"target {len(targets)}")
            if left.strip():
                pairs.append({"html": self._html(left), "target": target})
        return {"pairs": pairs, "targets": [{"id": key, "html": html} for html, key in targets.items()]}

    def _parts(self, item: str) -> tuple[Decimal | None, str, str]:
        """Weight, text and feedback of an answer."""
        weight = None
        if found := _WEIGHT.match(item):
            weight, item = _share(_show(found[1])), item[found.end() :]
        text, _, feedback = item.partition("#")
        return weight, text, self._html(feedback)

    def _html(self, hidden: str) -> str:
        found = _FORMAT.match(hidden)
        kind = found[1].lower() if found else self._format
        text = _show(hidden[found.end() :] if found else hidden)
        match kind:
            case "html":
                return text
            case "plain":
                return escape(text, quote=False).replace("\n", "<br>")
            case "markdown":
                return _rendered(text)
            case _:
                return text.replace("\n", "<br>")


def _rendered(text: str) -> str:
    html = str(_MARKDOWN.render(text)).strip()
    inner = html.removeprefix("<p>").removesuffix("</p>")
    return inner if len(inner) == len(html) - 7 and "<p>" not in inner else html


def _items(answer: str) -> list[tuple[str, str]]:
    """The answers with the mark each begins with; one without a mark counts as right. Raises _Unreadable."""
    first, *pieces = re.split("([=~])", answer)
    items = list(zip(pieces[::2], pieces[1::2], strict=True))
    if not first.strip():
        return items
    if items:
        raise _Unreadable("GIFT_ANSWER", NO_ANSWER)
    return [("=", first)]


def _plainly(choices: list[dict[str, Any]]) -> dict[str, Any]:
    """Choices of which each right one adds, and each wrong one takes, the same share: that is right less wrong."""
    right = [choice for choice in choices if choice["weight"] > 0]
    shares = {abs(choice["weight"]) for choice in choices}
    if right and all(abs(share * len(right) - 1) < Decimal("0.001") for share in shares):
        even = [{**choice, "weight": Decimal(1) if choice["weight"] > 0 else Decimal(0)} for choice in choices]
        return {"choices": even, "scoring": "partial"}
    return {"choices": choices, "scoring": "weights"}


def _share(written: str) -> Decimal:
    try:
        weight = Decimal(written.replace(",", "."))
    except InvalidOperation:
        weight = Decimal("NaN")
    if not weight.is_finite() or abs(weight) > 100:
        raise _Unreadable("GIFT_WEIGHT", NO_WEIGHT, weight=written[:20])
    return weight / 100


def _range(written: str) -> tuple[Decimal, Decimal]:
    """A number with what it may differ, from ``3``, ``3:0.1`` or ``2.9..3.1``."""
    least, dots, most = written.partition("..")
    if dots:
        low, high = _number(least), _number(most)
        return (low + high) / 2, abs(high - low) / 2
    value, _, tolerance = written.partition(":")
    return _number(value), _number(tolerance) if tolerance.strip() else Decimal(0)


def _number(written: str) -> Decimal:
    if not _NUMBER.fullmatch(written.strip()) or len(written) > 40:
        raise _Unreadable("GIFT_NUMBER", NO_NUMBER, number=written.strip()[:40])
    return Decimal(written.strip().replace(",", "."))
