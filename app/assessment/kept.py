"""Which score counts of several attempts (Q9). Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from uuid import UUID

CENT = Decimal("0.01")


class Kept(StrEnum):
    """Which score counts."""

    HIGHEST = "highest"
    LATEST = "latest"
    AVERAGE = "average"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Scored:
    """A submitted attempt; ``score`` is None while somebody has to grade it."""

    attempt_id: UUID
    number: int
    score: Decimal | None
    possible: Decimal


@dataclass(frozen=True, slots=True)
class Result:
    """The score that counts and the attempt it is of (None for an average); no score while there is none."""

    score: Decimal | None
    possible: Decimal
    attempt_id: UUID | None
    is_final: bool

    @property
    def percent(self) -> Decimal | None:
        """The score in percent, to two places; a quiz without points is done when it is submitted."""
        return None if self.score is None else percent_of(self.score, self.possible)


def percent_of(score: Decimal, possible: Decimal) -> Decimal:
    """A score in percent, to two places, half up, 0 to 100."""
    if possible <= 0:
        return Decimal(100)
    return min(max((score * 100 / possible).quantize(CENT, ROUND_HALF_UP), Decimal(0)), Decimal(100))


def keep(policy: Kept, attempts: Sequence[Scored]) -> Result:
    """The score that counts of these submitted attempts, of which there is at least one.

    An attempt without a score lowers nothing. The first one alone is waited for where the first counts.
    """
    in_order = sorted(attempts, key=lambda attempt: attempt.number)
    graded = [attempt for attempt in in_order if attempt.score is not None]
    is_final = len(graded) == len(in_order)
    nothing = Result(None, in_order[-1].possible, None, is_final)
    if not graded:
        return nothing
    match policy:
        case Kept.FIRST:
            return nothing if in_order[0].score is None else _of(in_order[0], is_final)
        case Kept.LATEST:
            return _of(graded[-1], is_final)
        case Kept.HIGHEST:
            return _of(max(graded, key=lambda attempt: (_share(attempt), attempt.number)), is_final)
        case Kept.AVERAGE:
            possible = graded[-1].possible
            if all(attempt.possible == possible for attempt in graded):
                mean = sum((attempt.score or Decimal(0) for attempt in graded), Decimal(0)) / len(graded)
            else:
                mean = possible * sum(map(_share, graded), Decimal(0)) / len(graded)
            return Result(mean.quantize(CENT, ROUND_HALF_UP), possible, None, is_final)


def _share(attempt: Scored) -> Decimal:
    return (attempt.score or Decimal(0)) / attempt.possible if attempt.possible > 0 else Decimal(1)


def _of(attempt: Scored, is_final: bool) -> Result:
    return Result(attempt.score, attempt.possible, attempt.attempt_id, is_final)
