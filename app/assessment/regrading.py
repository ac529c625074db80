"""What grading anew makes of an answer (Q11). Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from app.assessment.attempt_rows import AnswerRow, CurrentBody
from app.assessment.marking import Mark, mark
from app.i18n import Locale

FULL = Decimal(1)


class Mode(StrEnum):
    """How a question is graded anew."""

    FULL_CREDIT = "full_credit"
    CURRENT_AND_PREVIOUS = "current_and_previous"
    CURRENT_ONLY = "current_only"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Regrade:
    """What somebody asked for: a mode for each question, and whether an answer may lose points by it."""

    modes: Mapping[UUID, Mode]
    may_lower: bool = False


def regraded(
    row: AnswerRow, mode: Mode, current: CurrentBody | None, locale: Locale, *, may_lower: bool
) -> Mark | None:
    """The new mark of an answer, or None when it stays as it is. Doing it twice gives the same as once.

    What waits for a grader goes on waiting, unless everybody gets the full points. Full points are never taken back:
    to drop a question is to give them.
    """
    if mode == Mode.NONE:
        return None
    if mode == Mode.FULL_CREDIT:
        made = Mark(row.points, FULL, False, list(row.parts or []))
    elif current is None:
        return None
    else:
        made = mark(current.body, row.answer, row.points, locale)
        if made.points is None:
            return None
        lowers = row.auto_points is not None and made.points < row.auto_points
        if lowers and (mode == Mode.CURRENT_AND_PREVIOUS or not may_lower):
            return None
    if made.points == row.auto_points and made.needs_manual == row.needs_manual:
        return None
    return made


def changes(
    rows: Sequence[AnswerRow], asked: Regrade, bodies: Mapping[UUID, CurrentBody], locale: Locale
) -> list[tuple[AnswerRow, Mark, int]]:
    """The answers of an attempt whose marks change, with the new mark and the version it is by."""
    found = []
    for row in rows:
        current = bodies.get(row.question_id)
        mode = asked.modes.get(row.question_id, Mode.NONE)
        made = regraded(row, mode, current, locale, may_lower=asked.may_lower)
        if made is not None:
            found.append((row, made, current.version if current else row.question_version))
    return found
