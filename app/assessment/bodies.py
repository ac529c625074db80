"""What a question asks and what counts as its answer: one frozen value per kind of question.

Everything inside a question that an answer can name (a choice, a pair, a gap) has an identifier that lasts as long as
the question, so that a grade means the same in whatever order things were shown. Identifiers are drawn by lot: ones
made by counting would tell the right order of an ordering.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from functools import cache
from hashlib import sha256
from types import UnionType
from typing import Any, ClassVar, Union, cast, get_args, get_origin, get_type_hints

Order = Mapping[str, list[str]]  # what is shown in another order than it was written: identifiers by place

ZERO, ONE = Decimal(0), Decimal(1)
GAP = "[[{}]]"  # where a gap stands in the text of a cloze


def new_key() -> str:
    """An identifier for something inside a question."""
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class Marking:
    """What wrong answers cost. ``penalty`` is the share of the points that one wrong answer (of several: one wrong
    part, of its share) takes away; ``floor`` is the least share a question can give, 0 or negative.
    """

    penalty: Decimal = ZERO
    floor: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose. ``weight`` is the share of the points it is worth: 1 is right, 0 or less is wrong."""

    id: str
    html: str
    weight: Decimal = ZERO
    feedback: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A text that counts as an answer; ``*`` in it stands for anything, ``\\*`` for a star."""

    text: str
    weight: Decimal = ONE
    feedback: str = ""


@dataclass(frozen=True, slots=True)
class AcceptedNumber:
    """A number that counts as an answer, with what it may differ."""

    value: Decimal
    tolerance: Decimal = ZERO
    weight: Decimal = ONE
    feedback: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is put in its place."""

    id: str
    html: str


@dataclass(frozen=True, slots=True)
class Pair:
    """What must be matched, and the target that is right for it."""

    id: str
    html: str
    target: str
    feedback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What every question has: the text, what everybody is told afterwards, and help for those who ask for it."""

    prompt: str = ""
    feedback: str = ""
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Single(_Asked):
    """One of several choices."""

    kind: ClassVar[str] = "single"
    choices: tuple[Choice, ...]
    is_shuffled: bool = True
    marking: Marking = Marking()


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiple(_Asked):
    """Any number of choices. ``scoring``: ``partial`` (right less wrong), ``all_or_nothing`` or ``weights``."""

    kind: ClassVar[str] = "multiple"
    choices: tuple[Choice, ...]
    scoring: str = "partial"
    is_shuffled: bool = True
    marking: Marking = Marking()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueFalse(_Asked):
    """Whether a statement is true."""

    kind: ClassVar[str] = "true_false"
    is_true: bool
    feedback_true: str = ""
    feedback_false: str = ""
    marking: Marking = Marking()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortAnswer(_Asked):
    """A few words."""

    kind: ClassVar[str] = "short_answer"
    accepted: tuple[Accepted, ...]
    is_case_sensitive: bool = False
    ignores_accents: bool = False
    marking: Marking = Marking()


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric(_Asked):
    """A number; one of the units may follow it."""

    kind: ClassVar[str] = "numeric"
    accepted: tuple[AcceptedNumber, ...]
    units: tuple[str, ...] = ()
    marking: Marking = Marking()


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching(_Asked):
    """A target for each thing; there may be targets that belong to nothing."""

    kind: ClassVar[str] = "matching"
    pairs: tuple[Pair, ...]
    targets: tuple[Item, ...]
    marking: Marking = Marking()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering(_Asked):
    """Things to put in order; they are written in the right one. ``scoring``: ``all_or_nothing`` or ``adjacent``."""

    kind: ClassVar[str] = "ordering"
    items: tuple[Item, ...]
    scoring: str = "all_or_nothing"
    marking: Marking = Marking()


@dataclass(frozen=True, slots=True)
class Gap:
    """A question inside a text; it stands where the text has ``[[id]]``, and counts ``weight`` times."""

    id: str
    body: Single | ShortAnswer | Numeric
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloze(_Asked):
    """A text with gaps."""

    kind: ClassVar[str] = "cloze"
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Essay(_Asked):
    """A text that a person grades."""

    kind: ClassVar[str] = "essay"
    template: str = ""
    guidance: str = ""  # for those who grade
    min_words: int | None = None
    max_words: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUpload(_Asked):
    """Files that a person grades."""

    kind: ClassVar[str] = "file"
    guidance: str = ""
    max_files: int = 1
    max_bytes: int = 10_000_000
    extensions: tuple[str, ...] = ()  # like pdf; none: any


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOnly(_Asked):
    """Nothing is asked: text between questions."""

    kind: ClassVar[str] = "text"


Body = (
    Single | Multiple | TrueFalse | ShortAnswer | Numeric | Matching | Ordering | Cloze | Essay | FileUpload | TextOnly
)
BODIES: dict[str, type[Body]] = {body.kind: body for body in get_args(Body)}
KINDS = tuple(BODIES)
MANUAL = frozenset({Essay.kind, FileUpload.kind})


def dump(body: Body) -> dict[str, Any]:
    """The body as JSON can hold it; ``load`` makes the same body of it."""
    return {"kind": body.kind, **_dumped(body)}


def load(data: Mapping[str, Any]) -> Body:
    """The body that ``dump`` wrote. What people wrote goes through ``body_rules`` first."""
    made: Body = _loaded(BODIES[data["kind"]], data)
    return made


def _dumped(value: Any) -> Any:
    if is_dataclass(value):
        kind = {"kind": value.kind} if isinstance(value, get_args(Body)) else {}
        return {**kind, **{field.name: _dumped(getattr(value, field.name)) for field in fields(value)}}
    if isinstance(value, tuple):
        return [_dumped(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value


def _loaded(kind: Any, value: Any) -> Any:
    origin = get_origin(kind)
    if origin is tuple:
        return tuple(_loaded(get_args(kind)[0], item) for item in value)
    if origin in (Union, UnionType):
        if isinstance(value, Mapping):
            return _loaded(BODIES[value["kind"]], value)
        return value
    if is_dataclass(kind):
        hints, make = _hints(cast(Any, kind)), cast(Callable[..., Any], kind)
        return make(**{name: _loaded(hints[name], value[name]) for name in hints if name in value})
    return Decimal(value) if kind is Decimal else value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def shuffled(body: Body, seed: str) -> dict[str, list[str]]:
    """The order in which one learner sees what has no order of its own, the same whenever it is asked for.

    Sorted by a digest of seed and identifier, so that neither the version of Python nor the order in which the author
    wrote things changes it. Places are ``choices``, ``targets``, ``items``, and ``gaps.<id>`` for choices in a gap.
    """

    def by_lot(place: str, items: Sequence[Choice | Item]) -> list[str]:
        keys = [item.id for item in items]
        return sorted(keys, key=lambda key: sha256(f"{seed}|{place}|{key}".encode()).digest())

    match body:
        case Single(choices=choices, is_shuffled=True) | Multiple(choices=choices, is_shuffled=True):
            return {"choices": by_lot("choices", choices)}
        case Matching(targets=targets):
            return {"targets": by_lot("targets", targets)}
        case Ordering(items=items):
            return {"items": by_lot("items", items)}
        case Cloze(gaps=gaps):
            return {
                f"gaps.{gap.id}": by_lot(gap.id, gap.body.choices)
                for gap in gaps
                if isinstance(gap.body, Single) and gap.body.is_shuffled
            }
        case _:
            return {}


def public(body: Body, order: Order | None = None) -> dict[str, Any]:
    """What a learner may see before results are released: no key, no feedback, no hint, no guidance for graders.

    ``order`` is what ``shuffled`` gave for this learner; without it the targets of a matching and the items of an
    ordering come in an order that says nothing.
    """
    shown: dict[str, Any] = {"kind": body.kind, "prompt": body.prompt}
    order = order or {}
    match body:
        case Single(choices=choices) | Multiple(choices=choices):
            shown["choices"] = _in_order(choices, order.get("choices"))
        case Numeric(units=units):
            shown["units"] = list(units)
        case Matching(pairs=pairs, targets=targets):
            shown["pairs"] = [{"id": pair.id, "html": pair.html} for pair in pairs]
            shown["targets"] = _in_order(targets, order.get("targets") or sorted(item.id for item in targets))
        case Ordering(items=items):
            shown["items"] = _in_order(items, order.get("items") or sorted(item.id for item in items))
        case Cloze(gaps=gaps):
            shown["gaps"] = [
                {**public(gap.body, {"choices": order.get(f"gaps.{gap.id}", [])}), "id": gap.id} for gap in gaps
            ]
        case Essay():
            shown |= {"template": body.template, "min_words": body.min_words, "max_words": body.max_words}
        case FileUpload():
            shown |= {"max_files": body.max_files, "max_bytes": body.max_bytes, "extensions": list(body.extensions)}
    return shown


def _in_order(items: Sequence[Choice | Item], order: list[str] | None) -> list[dict[str, str]]:
    place = {key: position for position, key in enumerate(order or ())}
    inside = sorted(items, key=lambda item: place.get(item.id, len(place)))
    return [{"id": item.id, "html": item.html} for item in inside]


def largest(body: Body, points: Decimal) -> Decimal:
    """The points a question can give: none for a text."""
    return ZERO if isinstance(body, TextOnly) else points
