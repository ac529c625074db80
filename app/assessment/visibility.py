"""When learners see what their answers were worth (Q8). Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Visibility(StrEnum):
    """When results are shown."""

    NEVER = "never"
    AFTER_SUBMIT = "after_submit"
    AFTER_LAST_ATTEMPT = "after_last_attempt"
    AFTER_CLOSE = "after_close"
    ONE_TIME = "one_time"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a learner stands with a quiz: ``attempts_left`` is None when there is no limit."""

    now: datetime
    close_at: datetime | None
    attempts_left: int | None
    has_open_attempt: bool


def are_released(policy: Visibility, standing: Standing) -> bool:
    """Whether the results of submitted attempts may be shown as often as one likes.

    To have begun the last attempt is not enough: one could look while one answers. ONE_TIME results are shown by an
    act of their own, once for each attempt.
    """
    match policy:
        case Visibility.AFTER_SUBMIT:
            # The same questions may be in front of the learner now.
            return not standing.has_open_attempt
        case Visibility.AFTER_LAST_ATTEMPT:
            return standing.attempts_left == 0 and not standing.has_open_attempt
        case Visibility.AFTER_CLOSE:
            return standing.close_at is not None and standing.now >= standing.close_at and not standing.has_open_attempt
        case _:
            return False


def score_is_shown(policy: Visibility, standing: Standing) -> bool:
    """Whether the kept score is shown; where results are shown once, the score itself stays."""
    return policy == Visibility.ONE_TIME or are_released(policy, standing)
