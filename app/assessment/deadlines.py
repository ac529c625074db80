"""When an attempt ends, and what becomes of what arrives around that moment (Q1, Q2, Q3). Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# A finish recorded so little after the deadline is the deadline's: clocks and networks, not the learner.
DRIFT = timedelta(minutes=5)
MOMENT = timedelta(milliseconds=1)


class Overdue(StrEnum):
    """What happens to an attempt that its learner has not submitted by the deadline."""

    AUTOSUBMIT = "autosubmit"
    GRACE = "grace"
    ABANDON = "abandon"


@dataclass(frozen=True, slots=True)
class Timing:
    """How a quiz deals with time."""

    policy: Overdue
    grace_period: timedelta = timedelta(0)
    network_grace: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ends. ``finished_at`` is None while it goes on or when it is abandoned."""

    state: str  # "open", "overdue", "submitted" or "abandoned"
    takes_answers: bool
    finished_at: datetime | None = None
    is_flagged: bool = False


OPEN = Ending("open", takes_answers=True)


def deadline(
    started_at: datetime, *, limit: timedelta | None, extra: timedelta = timedelta(0), close_at: datetime | None = None
) -> datetime | None:
    """Q1: the earlier of the time limit, with what somebody may have more, and the closing of the quiz."""
    ends = [] if limit is None else [started_at + limit + extra]
    return min([*ends, *([] if close_at is None else [close_at])], default=None)


def takes_answers(at: datetime, ends_at: datetime | None, timing: Timing) -> bool:
    """Whether answers that arrive now still count: they may have been on their way at the deadline."""
    return ends_at is None or at <= ends_at + timing.network_grace


def submitted(at: datetime, ends_at: datetime | None, timing: Timing) -> Ending:
    """Q2, Q3: what a learner's submission that arrives at this moment amounts to."""
    if ends_at is None or at <= ends_at:
        return Ending("submitted", takes_answers=True, finished_at=at)
    taken = takes_answers(at, ends_at, timing)
    has_drifted = at > ends_at + DRIFT
    if timing.policy == Overdue.GRACE:
        if at <= ends_at + timing.grace_period + timing.network_grace:
            return Ending("submitted", taken, at, is_flagged=has_drifted)
        return Ending("abandoned", takes_answers=False)
    if taken:
        return Ending("submitted", True, at if has_drifted else ends_at, is_flagged=has_drifted)
    if timing.policy == Overdue.AUTOSUBMIT:
        return Ending("submitted", takes_answers=False, finished_at=ends_at)
    return Ending("abandoned", takes_answers=False)


def swept(at: datetime, ends_at: datetime | None, timing: Timing) -> Ending:
    """Q2: what the sweeper makes at this moment of an attempt that nobody submitted."""
    if ends_at is None or at <= ends_at:
        return OPEN
    taken = takes_answers(at, ends_at, timing)
    if timing.policy == Overdue.GRACE:
        if at <= ends_at + timing.grace_period + timing.network_grace:
            return Ending("overdue", taken)
        return Ending("abandoned", takes_answers=False)
    if taken:
        return OPEN
    if timing.policy == Overdue.AUTOSUBMIT:
        return Ending("submitted", takes_answers=False, finished_at=ends_at)
    return Ending("abandoned", takes_answers=False)


def next_sweep(at: datetime, ends_at: datetime | None, timing: Timing) -> datetime | None:
    """When the sweeper has to look at an open attempt next: just after the last moment of what is still taken."""
    if ends_at is None:
        return None
    if timing.policy == Overdue.GRACE:
        waits = timedelta(0) if at <= ends_at else timing.grace_period + timing.network_grace
        return ends_at + waits + MOMENT
    return ends_at + timing.network_grace + MOMENT


def reopened_too_late(ends_at: datetime | None) -> Ending:
    """What a reopened attempt amounts to whose time was up long ago."""
    return Ending("submitted", takes_answers=False, finished_at=ends_at)
