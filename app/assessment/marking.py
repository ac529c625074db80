"""What an attempt is worth: every answer by the grading rules, the sum, and what being late takes off it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from app.assessment import answers, bodies, grading
from app.assessment.attempt_rows import AnswerRow, AttemptRow
from app.assessment.late import LatePolicy, deducted
from app.i18n import Locale
from app.identity.validators import InvalidValue

ZERO = Decimal(0)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """What one answer is worth by the rules; no points while somebody has to look at it."""

    points: Decimal | None
    fraction: Decimal | None
    needs_manual: bool
    parts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Worth:
    """What an attempt is worth; no score while an answer waits for a grader."""

    points: Decimal | None
    penalty: Decimal
    score: Decimal | None

    @property
    def state(self) -> str:
        """Where the attempt is."""
        return "grading" if self.score is None else "graded"


def mark(body: Any, raw: Any, points: Decimal, locale: Locale) -> Mark:
    """Grade an answer as it was sent. One that is none of this body (it was changed since) counts as none.

    One that cannot be graded because of an error of ours waits for a person: nobody's attempt must stay open by it.
    """
    try:
        graded = _graded(bodies.load(body), raw, points, locale)
    except Exception as error:
        log.exception("an answer cannot be graded", error=type(error).__name__)
        return Mark(None, None, True, [])
    parts = [{**asdict(part), "share": str(part.share)} for part in graded.parts]
    return Mark(graded.points, graded.fraction, graded.needs_manual, parts)


def _graded(question: bodies.Body, raw: Any, points: Decimal, locale: Locale) -> grading.Graded:
    try:
        answer = answers.parse(question, raw)
    except InvalidValue:
        answer = None
    return grading.grade(question, answer, points, locale=locale)


def mark_params(row: AnswerRow, made: Mark, version: int) -> dict[str, Any]:
    """The parameters of ``GRADE``; the row learns its worth too."""
    row.auto_points, row.needs_manual, row.fraction = made.points, made.needs_manual, made.fraction
    row.parts, row.graded_version = made.parts, version
    return {
        "id": row.attempt_id,
        "number": row.slot,
        "auto_points": made.points,
        "needs_manual": made.needs_manual,
        "fraction": made.fraction,
        "parts": Jsonb(made.parts),
        "graded_version": version,
    }


def worth(rows: Iterable[AnswerRow], possible: Decimal, finished_at: datetime | None, late: LatePolicy) -> Worth:
    """The sum of the answers, less what being late costs."""
    points = ZERO
    for row in rows:
        if row.worth is None:
            return Worth(None, ZERO, None)
        points += row.worth
    penalty = ZERO if finished_at is None else deducted(late, score=points, possible=possible, finished_at=finished_at)
    return Worth(points, penalty, points - penalty)


def locale_of(attempt: AttemptRow) -> Locale:
    """How the learner of an attempt writes numbers."""
    return "en" if attempt.locale == "en" else "es"
