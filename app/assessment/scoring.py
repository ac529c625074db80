"""Keeping the score that counts (Q9): in the transaction that changes one of the attempts, and told from here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.assessment import attempt_statements as sql
from app.assessment import quiz_statements
from app.assessment.attempt_rows import Submitted
from app.assessment.kept import Kept, Scored, keep
from app.assessment.quiz_rows import QuizRow, ScoreRow
from app.assessment.reporting import tell_score
from app.assessment.visibility import Standing, Visibility, score_is_shown
from app.db.outbox import publish
from app.db.transaction import Tx

CHANGED = "score_changed"
REGRADED = "regraded"


def result_of(quiz: QuizRow, user_id: UUID, attempts: Sequence[Submitted], at: datetime) -> ScoreRow | None:
    """The score that counts of these submitted attempts; None without any."""
    if not attempts:
        return None
    found = keep(Kept(quiz.kept_score), [Scored(row.id, row.attempt_no, row.score, row.possible) for row in attempts])
    percent = found.percent
    is_passed = None if percent is None or quiz.pass_percent is None else percent >= quiz.pass_percent
    return ScoreRow(
        quiz.id, user_id, quiz.course_id, found.score, found.possible, percent, found.attempt_id, len(attempts),
        found.is_final, is_passed, at,
    )  # fmt: skip


async def keep_score(tx: Tx, quiz: QuizRow, user_id: UUID, *, cause: str) -> ScoreRow | None:
    """Write a learner's kept score anew from their attempts, and tell who has to know when it is another one.

    The caller has locked the learner's enrolment, so that two of their attempts cannot both be the last to write.
    ``cause``: "attempt", "manual", "regrade", "settings" or "reopened".
    """
    at = await tx.one(quiz_statements.MOMENT)
    before = await tx.one_or_none(quiz_statements.SCORE, quiz_id=quiz.id, user_id=user_id)
    after = result_of(quiz, user_id, await tx.all(sql.SUBMITTED, quiz_id=quiz.id, user_id=user_id), at)
    if after is None:
        return before
    if before is not None and facts(before) == facts(after):
        return before
    await tx.execute(
        quiz_statements.PUT_SCORE,
        **{name: getattr(after, name) for name in ScoreRow.__dataclass_fields__ if name != "updated_at"},
    )
    if before is None or (before.score, before.possible) != (after.score, after.possible):
        await tell_score(tx, quiz, after, at)
        await _publish(tx, quiz, before, after, cause)
    return after


def facts(row: ScoreRow) -> tuple[object, ...]:
    """What makes one kept score another."""
    return (row.score, row.possible, row.percent, row.attempt_id, row.attempts, row.is_final, row.is_passed)


async def _publish(tx: Tx, quiz: QuizRow, before: ScoreRow | None, after: ScoreRow, cause: str) -> None:
    payload = {
        "quiz_id": str(quiz.id),
        "quiz_title": quiz.title,
        "course_id": str(quiz.course_id),
        "lesson_id": str(quiz.lesson_id) if quiz.lesson_id else None,
        "user_id": str(after.user_id),
        "before": _text(before.percent if before else None),
        "after": _text(after.percent),
        "is_passed": after.is_passed,
        "cause": cause,
    }
    await publish(tx, CHANGED, payload)
    if cause == "regrade":
        hidden = {} if await _is_shown(tx, quiz, after.user_id) else dict.fromkeys(("before", "after", "is_passed"))
        await publish(tx, REGRADED, payload | hidden)


async def _is_shown(tx: Tx, quiz: QuizRow, user_id: UUID) -> bool:
    """Whether the learner may see the score now (Q8): what is mailed to them must not say more."""
    [place] = await tx.all(quiz_statements.PLACES, ids=[quiz.id], user_id=user_id)
    left, has_open = place.attempts_left(quiz.attempts_allowed), place.open_attempt_id is not None
    return score_is_shown(Visibility(quiz.visibility), Standing(place.now, place.close_at, left, has_open))


def _text(percent: Decimal | None) -> str | None:
    return None if percent is None else format(percent.normalize(), "f")
