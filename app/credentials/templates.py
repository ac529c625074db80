"""What may be said of a course's certificates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from psycopg.types.json import Jsonb

from app.credentials.facts import Signatory
from app.credentials.rows import TemplateRow
from app.identity.validators import Checks, InvalidValue, line

COLOR = re.compile(r"#[0-9a-f]{6}")
MOST_SIGNATORIES = 3
CLEARABLE = frozenset({"validity_months", "min_score", "hours"})


def color(value: str) -> str:
    """A colour like #1f3a5f. Raises InvalidValue."""
    found = value.strip().lower()
    if not COLOR.fullmatch(found):
        raise InvalidValue("COLOR_INVALID", "write a colour like #1f3a5f")
    return found


def between(value: Any, *, minimum: int, maximum: int) -> Any:
    """A number in a range, or None. Raises InvalidValue."""
    if value is not None and not minimum <= value <= maximum:
        raise InvalidValue("OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=minimum, maximum=maximum)
    return value


def signatories(value: Sequence[Signatory]) -> list[dict[str, str]]:
    """Up to three people, each with a name and what they are. Raises InvalidValue."""
    if len(value) > MOST_SIGNATORIES:
        raise InvalidValue("TOO_MANY", "may have at most {maximum} entries", maximum=MOST_SIGNATORIES)
    return [{"name": line(each.name, minimum=1, maximum=60), "role": line(each.role, maximum=60)} for each in value]


# What is said of each value, and how it is checked. One page holds no more text than this.
_CHECKS: dict[str, tuple[Any, dict[str, int]]] = {
    "title": (line, {"maximum": 80}),
    "body": (line, {"maximum": 300}),
    "signatories": (signatories, {}),
    "validity_months": (between, {"minimum": 1, "maximum": 600}),
    "grace_days": (between, {"minimum": 0, "maximum": 365}),
    "min_score": (between, {"minimum": 0, "maximum": 100}),
    "hours": (between, {"minimum": 1, "maximum": 10_000}),
    "primary_color": (color, {}),
    "accent_color": (color, {}),
    "logo_text": (line, {"maximum": 60}),
}


def checked(present: TemplateRow, given: Mapping[str, Any]) -> dict[str, Any]:
    """The row of the next version, with the given changes. Raises Invalid naming every value that cannot be accepted.

    Null takes a limit away (validity, score, hours) and says nothing of the others.
    """
    check = Checks()
    made = {field.name: getattr(present, field.name) for field in fields(TemplateRow)}
    for name, value in given.items():
        if value is not None or name in CLEARABLE:
            validate, options = _CHECKS.get(name, (None, {}))
            made[name] = value if validate is None else check(f"input.{_camel(name)}", validate, value, **options)
    check.done()
    return {**made, "version": present.version + 1, "signatories": Jsonb(list(made["signatories"]))}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
