"""What learners answer: JSON from a client becomes a value that fits its question, or is refused with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.assessment import bodies
from app.assessment.numbers import readable
from app.i18n import message
from app.identity.validators import InvalidValue, line, text

SHORT, LONG, NUMBER = 1000, 100_000, 60
NOT_OF_THIS_QUESTION = message("is not part of this question; read the question again")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One choice."""

    choice: str


@dataclass(frozen=True, slots=True)
class ChosenSome:
    """Some choices, each once, by identifier."""

    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a statement is true."""

    value: bool


@dataclass(frozen=True, slots=True)
class Written:
    """Words: of a short answer, or of an essay."""

    text: str


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """A number as it was written; how it is read depends on the learner's language."""

    number: str


@dataclass(frozen=True, slots=True)
class Matched:
    """Targets by what they were matched with; what is left out was not answered."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Ordered:
    """Every item in the learner's order."""

    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """Answers by gap; gaps left empty are left out."""

    gaps: tuple[tuple[str, Chosen | Written | WrittenNumber], ...]


@dataclass(frozen=True, slots=True)
class Handed:
    """Files, by the names under which the media room keeps them."""

    files: tuple[str, ...]


Answer = Chosen | ChosenSome | Verdict | Written | WrittenNumber | Matched | Ordered | Filled | Handed


def parse(body: bodies.Body, raw: Any) -> Answer | None:
    """What somebody answered, from JSON; None for nothing.

    ``{"choice": id}``, ``{"choices": [id]}``, ``{"value": true}``, ``{"text": words}``, ``{"number": "1,5"}``,
    ``{"pairs": {id: target}}``, ``{"order": [id]}``, ``{"gaps": {id: answer}}`` or ``{"files": [name]}``.

    Raises: InvalidValue (this cannot be an answer of this question).
    """
    if raw is None or raw == {}:
        return None
    if not isinstance(raw, Mapping):
        raise InvalidValue("ANSWER_INVALID", "cannot be an answer of this question")
    match body:
        case bodies.Single():
            return _one(raw, "choice", lambda value: Chosen(_known(value, _keys(body.choices))))
        case bodies.Multiple():
            return _one(raw, "choices", lambda value: _some(value, _keys(body.choices)))
        case bodies.TrueFalse():
            return _one(raw, "value", lambda value: Verdict(_typed(value, bool)))
        case bodies.ShortAnswer():
            return _one(raw, "text", lambda value: _words(line(_typed(value, str), maximum=SHORT)))
        case bodies.Numeric():
            return _one(raw, "number", lambda value: _number(_typed(value, str), body.units))
        case bodies.Matching():
            return _one(raw, "pairs", lambda value: _matched(value, body))
        case bodies.Ordering():
            return _one(raw, "order", lambda value: _ordered(value, _keys(body.items)))
        case bodies.Cloze():
            return _one(raw, "gaps", lambda value: _filled(value, body))
        case bodies.Essay():
            return _one(raw, "text", lambda value: _words(text(_typed(value, str), maximum=LONG)))
        case bodies.FileUpload():
            return _one(raw, "files", lambda value: _handed(value, body))
        case bodies.TextOnly():
            raise InvalidValue("NOTHING_ASKED", "is a text and asks nothing")


def dump(answer: Answer | None) -> dict[str, Any] | None:
    """The answer as JSON can hold it; ``parse`` makes the same answer of it."""
    match answer:
        case None:
            return None
        case Chosen(choice):
            return {"choice": choice}
        case ChosenSome(choices):
            return {"choices": list(choices)}
        case Verdict(value):
            return {"value": value}
        case Written(words):
            return {"text": words}
        case WrittenNumber(number):
            return {"number": number}
        case Matched(pairs):
            return {"pairs": dict(pairs)}
        case Ordered(order):
            return {"order": list(order)}
        case Filled(gaps):
            return {"gaps": {key: dump(inner) for key, inner in gaps}}
        case Handed(files):
            return {"files": list(files)}


def _one(raw: Mapping[str, Any], name: str, read: Callable[[Any], Answer | None]) -> Answer | None:
    if set(raw) != {name}:
        raise InvalidValue("ANSWER_INVALID", "cannot be an answer of this question")
    return None if raw[name] is None else read(raw[name])


def _keys(items: Sequence[bodies.Choice | bodies.Item]) -> frozenset[str]:
    return frozenset(item.id for item in items)


def _typed(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise InvalidValue("ANSWER_INVALID", "cannot be an answer of this question")
    return value


def _known(value: Any, keys: frozenset[str]) -> str:
    if not isinstance(value, str) or value not in keys:
        raise InvalidValue("ANSWER_UNKNOWN", NOT_OF_THIS_QUESTION)
    return value


def _some(value: Any, keys: frozenset[str]) -> ChosenSome | None:
    chosen = sorted({_known(item, keys) for item in _typed(value, list)})
    return ChosenSome(tuple(chosen)) if chosen else None


def _words(words: str) -> Written | None:
    return Written(words) if words else None


def _number(written: str, units: tuple[str, ...]) -> WrittenNumber | None:
    number = line(written, maximum=NUMBER)
    if not number:
        return None
    if not readable(number, units):
        raise InvalidValue("NUMBER_INVALID", "is not a number; write it like 1.5 or 1,5")
    return WrittenNumber(number)


def _matched(value: Any, body: bodies.Matching) -> Matched | None:
    targets, things = _keys(body.targets), frozenset(pair.id for pair in body.pairs)
    given = {_known(key, things): item for key, item in _typed(value, dict).items() if item is not None}
    pairs = tuple(sorted((key, _known(item, targets)) for key, item in given.items()))
    return Matched(pairs) if pairs else None


def _ordered(value: Any, keys: frozenset[str]) -> Ordered | None:
    order = [_known(item, keys) for item in _typed(value, list)]
    if not order:
        return None
    if len(order) != len(keys) or set(order) != keys:
        raise InvalidValue("ORDER_INCOMPLETE", "must name every item once")
    return Ordered(tuple(order))


def _filled(value: Any, body: bodies.Cloze) -> Filled | None:
    inside = {gap.id: gap.body for gap in body.gaps}
    found: list[tuple[str, Any]] = []
    for key, raw in _typed(value, dict).items():
        if (answer := parse(inside[_known(key, frozenset(inside))], raw)) is not None:
            found.append((key, answer))
    return Filled(tuple(sorted(found, key=lambda item: item[0]))) if found else None


def _handed(value: Any, body: bodies.FileUpload) -> Handed | None:
    files = tuple(dict.fromkeys(line(_typed(item, str), minimum=1, maximum=300) for item in _typed(value, list)))
    if len(files) > body.max_files:
        raise InvalidValue("TOO_MANY", "may have at most {maximum} entries", maximum=body.max_files)
    endings = {name.rpartition(".")[2].lower() for name in files}
    if body.extensions and not endings <= set(body.extensions):
        raise InvalidValue("FILE_TYPE", "must be of one of these types: {types}", types=", ".join(body.extensions))
    return Handed(files) if files else None
