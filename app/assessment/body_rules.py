"""What a question may look like: what an author wrote becomes a body, or each problem is noted with its place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import ROUND_HALF_UP, Decimal
from html import unescape
from typing import Any

import nh3

from app.assessment import bodies
from app.assessment.bodies import ONE, ZERO, Accepted, AcceptedNumber, Choice, Gap, Item, Marking, Pair, new_key
from app.catalog.rules import between, one_of, rich_text
from app.identity.validators import Checks, InvalidValue, line, text

PROMPT, SMALL, HINTS, MANY, TITLE, CATEGORY, WORDS = 60_000, 10_000, 10, 50, 200, 300, 20_000
MOST_POINTS = Decimal(1000)
POINTS_STEP, WEIGHT_STEP = Decimal("0.00001"), Decimal("0.0000001")
STATUSES = ("draft", "ready", "retired")
DIGITS, LARGEST = 40, 100
GAP_KINDS = (bodies.Single.kind, bodies.ShortAnswer.kind, bodies.Numeric.kind)
_KEY = re.compile(r"[A-Za-z0-9_-]{1,40}")
_PLACE = re.compile(r"\[\[([A-Za-z0-9_-]{1,40})\]\]")
_EXTENSION = re.compile(r"[a-z0-9]{1,10}")
Given = Mapping[str, Any]


def plain(html: str) -> str:
    """The words of a piece of HTML, on one line."""
    return " ".join(unescape(nh3.clean(html.replace("<", " <"), tags=set(), clean_content_tags={"script"})).split())


def words_of(body: bodies.Body) -> str:
    """What a search finds a question by: the words that a learner reads in it."""
    found = [body.prompt]
    match body:
        case bodies.Single(choices=choices) | bodies.Multiple(choices=choices):
            found += [choice.html for choice in choices]
        case bodies.Matching(pairs=pairs, targets=targets):
            found += [pair.html for pair in pairs] + [item.html for item in targets]
        case bodies.Ordering(items=items):
            found += [item.html for item in items]
    return " ".join(map(plain, found))[:WORDS]


def share(value: Any, *, least: Decimal = Decimal(-1), most: Decimal = ONE) -> Decimal:
    """A share of the points, seven decimals of it."""
    if not least <= value <= most:
        raise InvalidValue("OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=least, maximum=most)
    found: Decimal = value.quantize(WEIGHT_STEP, ROUND_HALF_UP).normalize()
    return found + 0  # no negative zero


def points(value: Decimal) -> Decimal:
    """The points of a question: 0 to 1000, five decimals."""
    if not 0 <= value <= MOST_POINTS:
        raise InvalidValue("OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=0, maximum=MOST_POINTS)
    return value.quantize(POINTS_STEP, ROUND_HALF_UP)


def sized(value: Decimal) -> Decimal:
    """A number that can be calculated with exactly: 40 digits, between 10^-100 and 10^100."""
    if len(value.as_tuple().digits) > DIGITS or (value and abs(value.adjusted()) > LARGEST):
        raise InvalidValue("NUMBER_TOO_LONG", "may have at most {maximum} digits", maximum=DIGITS)
    return value


def category(value: str) -> str:
    """A path like ``units/area``: parts on one line each, joined by slashes, without empty ones."""
    parts = [part for part in (line(part, maximum=100) for part in value.split("/")) if part]
    return line("/".join(parts), maximum=CATEGORY)


def shown(value: str, *, maximum: int = SMALL) -> str:
    """Safe HTML with something to see in it."""
    clean = rich_text(value.strip(), maximum=maximum)
    if not plain(clean) and not re.search(r"<(img|svg|math|audio|video)\b", clean):
        raise InvalidValue("TOO_SHORT", "must not be empty")
    return clean


def body_of(
    check: Checks, kind: str, given: Given, path: str = "input.body", *, known: AbstractSet[str] = frozenset()
) -> bodies.Body:
    """The body an author describes; problems are noted in ``check``, and the body is then not to be used.

    ``known`` are identifiers that the question has had: they stay. Others that come along only join the parts of this
    description, and are drawn anew: an author's own numbering would tell learners what belongs together.
    """
    return _Reader(check, path, known).body(kind, given)


def keys_of(body: bodies.Body) -> frozenset[str]:
    """The identifiers in a body that may be drawn anew."""
    match body:
        case bodies.Single(choices=choices) | bodies.Multiple(choices=choices):
            return frozenset(item.id for item in choices)
        case bodies.Matching(pairs=pairs, targets=targets):
            return frozenset([pair.id for pair in pairs] + [item.id for item in targets])
        case bodies.Ordering(items=items):
            return frozenset(item.id for item in items)
        case bodies.Cloze(gaps=gaps):
            return frozenset().union(*(keys_of(gap.body) for gap in gaps))
        case _:
            return frozenset()


class _Reader:
    """One description being read."""

    def __init__(self, check: Checks, path: str, known: AbstractSet[str]) -> None:
        self._check = check
        self._path = path
        self._known = known

    def body(self, kind: str, given: Given) -> bodies.Body:
        asked = self._asked(given)
        marking = self._marking(given.get("marking") or {})
        match kind:
            case bodies.Single.kind:
                choices = self._choices(given, least=2)
                self._has_whole("choices", [choice.weight for choice in choices])
                return bodies.Single(**asked, choices=choices, marking=marking, is_shuffled=_flag(given, "is_shuffled"))
            case bodies.Multiple.kind:
                return self._multiple(given, asked, marking)
            case bodies.TrueFalse.kind:
                return bodies.TrueFalse(
                    **asked,
                    is_true=bool(given.get("is_true")),
                    feedback_true=self._optional("feedback_true", given.get("feedback_true")),
                    feedback_false=self._optional("feedback_false", given.get("feedback_false")),
                    marking=marking,
                )
            case bodies.ShortAnswer.kind:
                return self._short_answer(given, asked, marking)
            case bodies.Numeric.kind:
                return self._numeric(given, asked, marking)
            case bodies.Matching.kind:
                return self._matching(given, asked, marking)
            case bodies.Ordering.kind:
                items = tuple(self._item("items", n, item) for n, item in self._many(given, "items", least=2))
                self._differ("items", [item.id for item in items])
                scoring = self._scoring(given, ("all_or_nothing", "adjacent"))
                return bodies.Ordering(**asked, items=items, scoring=scoring, marking=marking)
            case bodies.Cloze.kind:
                return self._cloze(given, asked)
            case bodies.Essay.kind:
                return self._essay(given, asked)
            case bodies.FileUpload.kind:
                return self._file(given, asked)
            case bodies.TextOnly.kind:
                return bodies.TextOnly(**asked)
            case _:
                raise ValueError(f"no such kind of question: {kind}")

    # --- kinds

    def _multiple(self, given: Given, asked: Given, marking: Marking) -> bodies.Multiple:
        choices = self._choices(given, least=1)
        if choices and not any(choice.weight > 0 for choice in choices):
            self.note("choices", "NO_RIGHT_ANSWER", "needs at least one right answer")
        scoring = self._scoring(given, ("partial", "all_or_nothing", "weights"))
        return bodies.Multiple(
            **asked, choices=choices, scoring=scoring, marking=marking, is_shuffled=_flag(given, "is_shuffled")
        )

    def _short_answer(self, given: Given, asked: Given, marking: Marking) -> bodies.ShortAnswer:
        accepted = tuple(
            Accepted(
                self._at(f"accepted.{n}.text", line, item.get("text") or "", minimum=1, maximum=1000),
                self._weight(f"accepted.{n}", item, ONE),
                self._optional(f"accepted.{n}.feedback", item.get("feedback")),
            )
            for n, item in self._many(given, "accepted")
        )
        self._has_whole("accepted", [item.weight for item in accepted])
        return bodies.ShortAnswer(
            **asked,
            accepted=accepted,
            is_case_sensitive=bool(given.get("is_case_sensitive")),
            ignores_accents=bool(given.get("ignores_accents")),
            marking=marking,
        )

    def _numeric(self, given: Given, asked: Given, marking: Marking) -> bodies.Numeric:
        accepted = tuple(
            AcceptedNumber(
                self._at(f"accepted.{n}.value", sized, item["value"]),
                self._tolerance(f"accepted.{n}.tolerance", item.get("tolerance") or ZERO),
                self._weight(f"accepted.{n}", item, ONE),
                self._optional(f"accepted.{n}.feedback", item.get("feedback")),
            )
            for n, item in self._many(given, "accepted")
        )
        self._has_whole("accepted", [item.weight for item in accepted])
        units = self._lines(given, "units", least=0, maximum=20)
        return bodies.Numeric(**asked, accepted=accepted, units=units, marking=marking)

    def _matching(self, given: Given, asked: Given, marking: Marking) -> bodies.Matching:
        drawn: dict[str, str] = {}
        targets: list[Item] = []
        for n, item in self._many(given, "targets", least=2):
            targets.append(self._item("targets", n, item))
            drawn[str(item.get("id") or targets[-1].id)] = targets[-1].id
        pairs: list[Pair] = []
        for n, item in self._many(given, "pairs", least=2):
            target = drawn.get(str(item.get("target")), "")
            if not target:
                self.note(f"pairs.{n}.target", "TARGET_UNKNOWN", "must be the id of one of the targets")
            html = self._at(f"pairs.{n}.html", shown, item.get("html") or "")
            told = self._optional(f"pairs.{n}.feedback", item.get("feedback"))
            pairs.append(Pair(self._key(item.get("id")), html, target, told))
        self._differ("targets", [item.id for item in targets])
        self._differ("pairs", [pair.id for pair in pairs])
        return bodies.Matching(**asked, pairs=tuple(pairs), targets=tuple(targets), marking=marking)

    def _cloze(self, given: Given, asked: Given) -> bodies.Cloze:
        gaps: list[Gap] = []
        for n, item in self._many(given, "gaps"):
            key, kind = str(item.get("id") or ""), str(item.get("kind") or "")
            if not _KEY.fullmatch(key):
                self.note(f"gaps.{n}.id", "ID_INVALID", "use 1 to 40 letters, digits, hyphens and underscores")
            if kind not in GAP_KINDS:
                self.note(f"gaps.{n}", "GAP_KIND", "a gap holds choices, words or a number")
                continue
            inner = _Reader(self._check, f"{self._path}.gaps.{n}.content.{camel(kind)}", self._known).body(
                kind, {**item, "prompt": None}
            )
            weight = self._at(f"gaps.{n}.weight", between, item.get("weight") or 1, minimum=1, maximum=100)
            if isinstance(inner, bodies.Single | bodies.ShortAnswer | bodies.Numeric):
                gaps.append(Gap(key, inner, weight))
        places = Counter(_PLACE.findall(asked["prompt"]))
        for n, gap in enumerate(gaps):
            if places.pop(gap.id, 0) != 1:
                self.note(f"gaps.{n}.id", "GAP_PLACE", "must stand once in the text, as [[id]]")
        for key in places:
            self.note("prompt", "GAP_UNKNOWN", "has a place for a gap that there is not: {gap}", gap=key)
        return bodies.Cloze(**asked, gaps=tuple(gaps))

    def _essay(self, given: Given, asked: Given) -> bodies.Essay:
        limits: dict[str, Any] = {}
        for name in ("min_words", "max_words"):
            value = given.get(name)
            limits[name] = None if value is None else self._at(camel(name), between, value, minimum=1, maximum=20_000)
        if limits["min_words"] and limits["max_words"] and limits["min_words"] > limits["max_words"]:
            self.note("minWords", "OUT_OF_RANGE", "must not be more than the most that is allowed")
        template = self._at("template", text, given.get("template") or "", maximum=SMALL)
        guidance = self._optional("guidance", given.get("guidance"))
        return bodies.Essay(**asked, template=template, guidance=guidance, **limits)

    def _file(self, given: Given, asked: Given) -> bodies.FileUpload:
        extensions = tuple(item.lower().removeprefix(".") for item in given.get("extensions") or ())
        for n, item in enumerate(extensions):
            if not _EXTENSION.fullmatch(item):
                self.note(f"extensions.{n}", "EXTENSION_INVALID", "is not the ending of a file; write it like pdf")
        return bodies.FileUpload(
            **asked,
            guidance=self._optional("guidance", given.get("guidance")),
            max_files=self._at("maxFiles", between, given.get("max_files") or 1, minimum=1, maximum=20),
            max_bytes=self._at(
                "maxBytes", between, given.get("max_bytes") or 10_000_000, minimum=1, maximum=1_000_000_000
            ),
            extensions=extensions[:MANY],
        )

    # --- parts

    def _asked(self, given: Given) -> dict[str, Any]:
        is_gap = "prompt" in given and given["prompt"] is None
        prompt = "" if is_gap else self._at("prompt", shown, given.get("prompt") or "", maximum=PROMPT)
        hints = [self._at(f"hints.{n}", shown, hint) for n, hint in self._many(given, "hints", least=0, most=HINTS)]
        return {
            "prompt": prompt,
            "feedback": "" if is_gap else self._optional("feedback", given.get("feedback")),
            "hints": tuple(hints),
        }

    def _marking(self, given: Given) -> Marking:
        return Marking(
            self._at("marking.penalty", share, given.get("penalty") or ZERO, least=ZERO),
            self._at("marking.floor", share, given.get("floor") or ZERO, most=ZERO),
        )

    def _choices(self, given: Given, *, least: int) -> tuple[Choice, ...]:
        choices = tuple(
            Choice(
                self._key(item.get("id")),
                self._at(f"choices.{n}.html", shown, item.get("html") or ""),
                self._weight(f"choices.{n}", item, ONE if item.get("is_right") else ZERO),
                self._optional(f"choices.{n}.feedback", item.get("feedback")),
            )
            for n, item in self._many(given, "choices", least=least)
        )
        self._differ("choices", [choice.id for choice in choices])
        return choices

    def _item(self, name: str, n: int, item: Given) -> Item:
        return Item(self._key(item.get("id")), self._at(f"{name}.{n}.html", shown, item.get("html") or ""))

    def _weight(self, place: str, item: Given, otherwise: Decimal) -> Decimal:
        weight = item.get("weight")
        return otherwise if weight is None else self._at(f"{place}.weight", share, weight)

    def _tolerance(self, place: str, value: Decimal) -> Decimal:
        if value < 0:
            self.note(place, "OUT_OF_RANGE", "must not be less than {minimum}", minimum=0)
        sized_value: Decimal = self._at(place, sized, value)
        return sized_value

    def _scoring(self, given: Given, choices: Sequence[str]) -> str:
        return self._text("scoring", one_of, given.get("scoring") or choices[0], choices=choices)

    def _lines(self, given: Given, name: str, *, least: int, maximum: int) -> tuple[str, ...]:
        many = self._many(given, name, least=least)
        return tuple(self._at(f"{name}.{n}", line, item, minimum=1, maximum=maximum) for n, item in many)

    def _many(self, given: Given, name: str, *, least: int = 1, most: int = MANY) -> list[tuple[int, Any]]:
        items = list(given.get(name) or ())
        if not least <= len(items) <= most:
            self.note(name, "COUNT", "must have {minimum} to {maximum} entries", minimum=least, maximum=most)
        return list(enumerate(items[:most]))

    def _has_whole(self, name: str, weights: Sequence[Decimal]) -> None:
        if weights and max(weights) != 1:
            self.note(name, "NO_RIGHT_ANSWER", "needs an answer that is worth all of the points")

    def _differ(self, name: str, keys: Sequence[str]) -> None:
        if len(set(keys)) < len(keys):
            self.note(name, "ORDER_DUPLICATE", "is in the list twice")

    def _key(self, given: Any) -> str:
        return str(given) if given in self._known else new_key()

    def _optional(self, name: str, value: str | None) -> str:
        return self._text(camel(name), rich_text, (value or "").strip(), maximum=SMALL)

    def _at(self, place: str, validate: Callable[..., Any], value: Any, **options: Any) -> Any:
        return self._check(f"{self._path}.{place}", validate, value, **options)

    def _text(self, place: str, validate: Callable[..., str], value: str, **options: Any) -> str:
        return self._check(f"{self._path}.{place}", validate, value, **options)

    def note(self, place: str, code: str, message: str, **params: object) -> None:
        self._check.note(f"{self._path}.{place}", code, message, **params)


def _flag(given: Given, name: str) -> bool:
    value = given.get(name)
    return True if value is None else bool(value)


def camel(name: str) -> str:
    """A name as clients write it."""
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)
