"""Scores of submitted attempts after what they depend on was changed: due dates, late rules, which score counts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from app.assessment import attempt_statements as sql
from app.assessment import quiz_statements
from app.assessment.attempt_rows import AttemptRow
from app.assessment.late import deducted
from app.assessment.quiz_rows import QuizRow
from app.assessment.reporting import tell_score, tell_submission
from app.assessment.scoring import keep_score
from app.db.transaction import Tx

# What changes which of the scores counts, and what changes the scores themselves.
OF_KEEPING = ("kept_score", "pass_percent")
OF_PENALTIES = ("due_at", "late_interval_seconds", "late_percent", "late_floor_percent")
BATCH, PAGE = 500, 1000


async def recount(tx: Tx, quiz: QuizRow, user_ids: Sequence[UUID], *, everybody: bool = False) -> None:
    """Bring these learners' scores up to date; their enrolments and the quiz are locked.

    ``everybody``: also of those whose attempts are worth what they were, because another one may count now.
    """
    for start in range(0, len(user_ids), BATCH):
        chunk = list(user_ids[start : start + BATCH])
        concerned = await _penalise(tx, quiz, chunk)
        for user_id in chunk if everybody else concerned:
            await keep_score(tx, quiz, user_id, cause="settings")


async def tell_lesson(tx: Tx, quiz: QuizRow, user_ids: Sequence[UUID]) -> None:
    """Tell a quiz's new lesson what these learners have done in the quiz already; their enrolments are locked."""
    for user_id in user_ids:
        score = await tx.one_or_none(quiz_statements.SCORE, quiz_id=quiz.id, user_id=user_id)
        if score is not None:
            at = await tx.one(quiz_statements.MOMENT)
            await tell_submission(tx, quiz, user_id, at)
            await tell_score(tx, quiz, score, at)


async def closed_attempts(tx: Tx, quiz_id: UUID, user_ids: Sequence[UUID]) -> list[AttemptRow]:
    """All submitted attempts of these learners, locked: there is no limit to how many somebody makes."""
    found: list[AttemptRow] = []
    after = UUID(int=0)
    while page := await tx.all(sql.CLOSED_OF_LEARNERS, quiz_id=quiz_id, ids=list(user_ids), after=after):
        found += page
        after = page[-1].id
        if len(page) < PAGE:
            break
    return found


async def _penalise(tx: Tx, quiz: QuizRow, user_ids: list[UUID]) -> list[UUID]:
    """Take off anew what being late costs; returns whose scores are other ones now."""
    granted = {row.user_id: row for row in await tx.all(quiz_statements.OVERRIDES_OF, quiz_id=quiz.id, ids=user_ids)}
    changed, concerned = [], []
    for attempt in await closed_attempts(tx, quiz.id, user_ids):
        mine = granted.get(attempt.user_id)
        due_at = (mine.due_at if mine else None) or quiz.due_at
        if attempt.points is None or attempt.finished_at is None:
            continue
        penalty = deducted(
            quiz.late_policy(due_at),
            score=attempt.points,
            possible=attempt.possible,
            finished_at=attempt.finished_at,
        )
        if penalty != attempt.penalty:
            changed.append(_settled(attempt, penalty, attempt.points - penalty))
            concerned.append(attempt.user_id)
    await tx.execute_many(sql.SETTLE, changed)
    return list(dict.fromkeys(concerned))


def _settled(attempt: AttemptRow, penalty: Decimal, score: Decimal) -> dict[str, object]:
    return {
        "id": attempt.id,
        "state": attempt.state,
        "points": attempt.points,
        "penalty": penalty,
        "score": score,
        "graded_at": attempt.graded_at,
        "score_before_regrade": attempt.score_before_regrade,
    }
