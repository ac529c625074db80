"""What a gradebook may be: pure functions that clean what teachers give or say what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.catalog.rules import rich_text
from app.identity.validators import Checks, line

TITLE, LABEL, COMMENT, REASON = 200, 20, 10_000, 500
CATEGORIES, BANDS, MANUAL, CELLS = 30, 20, 200, 100
WEIGHT, POINTS, DROPPED, POSITION = 1_000, 10_000, 50, 100_000


@dataclass(frozen=True, slots=True)
class GivenGrade:
    """What to give a learner for an item; None for the comment leaves it as it is."""

    item_id: UUID
    user_id: UUID
    expected_version: int
    points: Decimal | None = None
    is_excused: bool = False
    comment: str | None = None


def number(
    check: Checks, path: str, value: Decimal | int | None, least: int | Decimal, most: int | Decimal, places: int
) -> None:
    """Note a number that is outside or too exact."""
    if value is None:
        return
    if not least <= value <= most:
        check.note(path, "OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=least, maximum=most)
    elif isinstance(value, Decimal) and value != round(value, places):
        check.note(path, "TOO_EXACT", "may have at most {maximum} decimal places", maximum=places)


def category_rows(check: Checks, given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A course's categories in order, cleaned; one at least weighs something."""
    if len(given) > CATEGORIES:
        check.note("input.categories", "TOO_MANY", "may have at most {maximum} entries", maximum=CATEGORIES)
    rows: list[dict[str, Any]] = []
    for index, category in enumerate(given[:CATEGORIES]):
        path = f"input.categories.{index}"
        title = check(f"{path}.title", line, category["title"], minimum=1, maximum=TITLE)
        number(check, f"{path}.weight", category["weight"], 0, WEIGHT, 3)
        number(check, f"{path}.dropLowest", category["drop_lowest"], 0, DROPPED, 0)
        if category["id"] is not None and category["id"] in {row["id"] for row in rows}:
            check.note(f"{path}.id", "ORDER_DUPLICATE", "is in the list twice")
        rows.append({**category, "title": title, "position": index + 1})
    if rows and not any(row["weight"] > 0 for row in rows):
        check.note("input.categories", "WEIGHTS_MISSING", "at least one category must have a weight above 0")
    return rows


def settings(check: Checks, given: Mapping[str, Any]) -> dict[str, Any]:
    """A gradebook's settings, cleaned; ``bands`` as the table has them."""
    clean = dict(given)
    number(check, "input.exigency", clean["exigency"], 1, 99, 2)
    if clean["bands"] is None:
        return clean
    bands, path = clean["bands"], "input.bands"
    if len(bands) > BANDS:
        check.note(path, "TOO_MANY", "may have at most {maximum} entries", maximum=BANDS)
    rows: list[tuple[str, Decimal]] = []
    for index, (label, least) in enumerate(bands[:BANDS]):
        number(check, f"{path}.{index}.leastPercent", least, 0, 200, 2)
        if least in {other for _, other in rows}:
            check.note(f"{path}.{index}.leastPercent", "ORDER_DUPLICATE", "is in the list twice")
        rows.append((check(f"{path}.{index}.label", line, label, minimum=1, maximum=LABEL), least))
    if not any(least == 0 for _, least in rows):
        check.note(path, "BANDS_OPEN", "one of them must begin at 0")
    rows.sort(key=lambda row: row[1], reverse=True)
    clean["bands"] = [[label, str(least)] for label, least in rows]
    return clean


def item_fields(check: Checks, given: Mapping[str, Any], *, is_quiz: bool) -> dict[str, Any]:
    """An item's fields, cleaned. A quiz has a title of its own, and its questions' points where none are given."""
    clean = dict(given)
    if is_quiz:
        clean["title"] = None
    else:
        clean["title"] = check("input.title", line, clean["title"] or "", minimum=1, maximum=TITLE)
        if clean["points"] is None:
            check.note("input.points", "POINTS_MISSING", "say how many points it is worth")
    number(check, "input.points", clean["points"], 0, POINTS, 2)
    number(check, "input.weight", clean["weight"], 0, WEIGHT, 3)
    number(check, "input.position", clean["position"], 1, POSITION, 0)
    return clean


def given_grades(check: Checks, grades: Sequence[GivenGrade]) -> list[GivenGrade]:
    """Grades to give, their comments cleaned."""
    if not 1 <= len(grades) <= CELLS:
        check.note("input.grades", "OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=1, maximum=CELLS)
    clean: list[GivenGrade] = []
    for index, given in enumerate(grades[:CELLS]):
        path, comment = f"input.grades.{index}", given.comment
        number(check, f"{path}.points", given.points, 0, POINTS, 2)
        if comment is not None:
            comment = check(f"{path}.comment", rich_text, comment, maximum=COMMENT)
        if (given.item_id, given.user_id) in {(other.item_id, other.user_id) for other in clean}:
            check.note(path, "ORDER_DUPLICATE", "is in the list twice")
        clean.append(
            GivenGrade(given.item_id, given.user_id, given.expected_version, given.points, given.is_excused, comment)
        )
    return clean


def reason(check: Checks, value: str) -> str:
    """Why somebody does what goes into the audit log."""
    return check("input.reason", line, value, minimum=3, maximum=REASON)
