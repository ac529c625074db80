"""Moving the deadlines of attempts under way when the limit, the window or somebody's extra time changes (Q1, Q17)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.assessment import attempt_statements as sql
from app.assessment import quiz_statements
from app.assessment.attempt_rows import AttemptRow
from app.assessment.deadlines import deadline, next_sweep, swept
from app.assessment.quiz_rows import OverrideRow, QuizRow
from app.db.transaction import Tx
from app.work.timers import wake_at


async def move_deadlines(tx: Tx, quiz: QuizRow, *, user_id: UUID | None = None) -> None:
    """Give every open attempt of a locked quiz (of one learner, or of all) the deadline it has by its new settings."""
    if user_id is not None:
        await _move(tx, quiz, await tx.all(sql.OPEN_OF_FOR_UPDATE, quiz_id=quiz.id, user_id=user_id))
        return
    after = UUID(int=0)
    while attempts := await tx.all(sql.OPEN_IN_QUIZ, quiz_id=quiz.id, after=after):
        after = attempts[-1].id
        await _move(tx, quiz, attempts)


async def _move(tx: Tx, quiz: QuizRow, attempts: Sequence[AttemptRow]) -> None:
    ids = [attempt.user_id for attempt in attempts]
    granted = {row.user_id: row for row in await tx.all(quiz_statements.OVERRIDES_OF, quiz_id=quiz.id, ids=ids)}
    now = await tx.one(quiz_statements.CLOCK)
    moves = [moved(quiz, attempt, now, granted.get(attempt.user_id)) for attempt in attempts]
    await tx.execute_many(sql.MOVE, moves)
    due = [move["due_for_sweep_at"] for move in moves if move["due_for_sweep_at"] is not None]
    if due:
        await wake_at(tx, min(due))


def moved(quiz: QuizRow, attempt: AttemptRow, now: datetime, granted: OverrideRow | None) -> dict[str, Any]:
    """The parameters of ``MOVE``: an attempt's deadline, its state by it, and when to look again."""
    limit = None if quiz.time_limit_seconds is None else timedelta(seconds=quiz.time_limit_seconds)
    extra = timedelta(minutes=granted.extra_minutes if granted else 0)
    close_at = (granted.close_at if granted else None) or quiz.close_at
    ends_at = deadline(attempt.started_at, limit=limit, extra=extra, close_at=close_at)
    is_overdue = swept(now, ends_at, quiz.timing).state == "overdue"
    return {
        "id": attempt.id,
        "state": "overdue" if is_overdue else "in_progress",
        "deadline_at": ends_at,
        "due_for_sweep_at": next_sweep(now, ends_at, quiz.timing),
    }
