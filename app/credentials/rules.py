"""What decides about certificates: pure functions of facts (rules K1-K9 of the learning rules)."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from app.i18n import message

REMIND_DAYS = (7, 1)


class State(StrEnum):
    """What is stored of a certificate."""

    ISSUED = "issued"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


class Standing(StrEnum):
    """What a certificate amounts to now, time considered."""

    VALID = "valid"
    GRACE = "grace"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


class ScorePolicy(StrEnum):
    """K4: what happens to a certificate when its score falls below the pass mark afterwards."""

    KEEP = "keep"
    FLAG = "flag"
    REVOKE = "revoke"


class Reason(StrEnum):
    """Why no certificate can be issued, in the order in which they are looked at."""

    INVALIDATED = "INVALIDATED"
    NOT_ENROLLED = "NOT_ENROLLED"
    CERTIFICATES_OFF = "CERTIFICATES_OFF"
    NOT_COMPLETED = "NOT_COMPLETED"
    SCORE_TOO_LOW = "SCORE_TOO_LOW"
    REVOKED = "REVOKED"


SENTENCES: dict[Reason, str] = {
    Reason.INVALIDATED: message("this learner is on the course's list of those who get no certificate"),
    Reason.NOT_ENROLLED: message("there is no enrolment in this course"),
    Reason.CERTIFICATES_OFF: message("this course gives no certificates"),
    Reason.NOT_COMPLETED: message("the course is not completed; finish its required lessons first"),
    Reason.SCORE_TOO_LOW: message("the score is {score} and the certificate needs {minimum}"),
    Reason.REVOKED: message("the certificate was revoked; an instructor has to reinstate it"),
}
TOO_LOW_UNSAID = message("the score is lower than the certificate needs")


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that decides whether a learner gets a certificate of a course in one cycle.

    ``score`` is in percent; None when the course has none, or the learner was excused from it (K5).
    """

    is_enrolled: bool
    is_completed: bool
    is_enabled: bool
    is_allowed: bool
    is_invalidated: bool
    is_revoked: bool = False
    score: Decimal | None = None
    min_score: Decimal | None = None


def reasons(case: Case) -> list[Reason]:
    """Everything that stands against a certificate, the gravest first; empty when nothing does.

    The order of checks is edX's: the list of invalidations blocks everything, also those who are allowed without
    having passed; who is allowed needs neither completion nor score.
    """
    found = []
    if case.is_invalidated:
        found.append(Reason.INVALIDATED)
    if not case.is_enrolled:
        found.append(Reason.NOT_ENROLLED)
    if not case.is_enabled:
        found.append(Reason.CERTIFICATES_OFF)
    if not case.is_allowed:
        if not case.is_completed:
            found.append(Reason.NOT_COMPLETED)
        if is_below(case.score, case.min_score):
            found.append(Reason.SCORE_TOO_LOW)
    if case.is_revoked:
        found.append(Reason.REVOKED)
    return found


def is_below(score: Decimal | None, minimum: Decimal | None) -> bool:
    """Whether a score misses the pass mark; none at all misses nothing (K5)."""
    return score is not None and minimum is not None and score < minimum


def basis(case: Case) -> str:
    """K5: on what a certificate rests: ``score``, ``completion``, or ``exception`` (an instructor's decision)."""
    if not case.is_completed or is_below(case.score, case.min_score):
        return "exception"
    return "completion" if case.score is None else "score"


def months_later(start: datetime, months: int) -> datetime:
    """The same day and time so many months on, or the last day of a month that is shorter."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def standing(state: str, valid_until: datetime | None, grace_days: int, now: datetime) -> Standing:
    """What a stored state amounts to at a moment; EXPIRED and GRACE are never stored."""
    if state != State.ISSUED:
        return Standing(state)
    if valid_until is None or now < valid_until:
        return Standing.VALID
    return Standing.GRACE if now < valid_until + timedelta(days=grace_days) else Standing.EXPIRED


class Verdict(StrEnum):
    """What a changed score means for an issued certificate."""

    NOTHING = "nothing"
    FLAG = "flag"
    UNFLAG = "unflag"
    REVOKE = "revoke"


def on_new_score(
    policy: ScorePolicy, score: Decimal | None, minimum: Decimal | None, *, is_allowed: bool, is_flagged: bool
) -> Verdict:
    """K4. Whoever is on the list of exceptions is never revoked by a rule, only by a person."""
    if not is_below(score, minimum):
        return Verdict.UNFLAG if is_flagged else Verdict.NOTHING
    if is_allowed or policy is ScorePolicy.KEEP:
        return Verdict.NOTHING
    if policy is ScorePolicy.REVOKE:
        return Verdict.REVOKE
    return Verdict.NOTHING if is_flagged else Verdict.FLAG
