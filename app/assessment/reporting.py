"""What the learning room is told of quizzes: the one place that does so."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.assessment.quiz_rows import QuizRow, ScoreRow
from app.db.transaction import Tx
from app.learning.requirements import report_score, report_submission


async def tell_submission(tx: Tx, quiz: QuizRow, user_id: UUID, at: datetime) -> None:
    """Somebody submitted an attempt that counts."""
    if quiz.lesson_id is not None:
        await report_submission(tx, user_id=user_id, lesson_id=quiz.lesson_id, at=at)


async def tell_score(tx: Tx, quiz: QuizRow, score: ScoreRow, at: datetime) -> None:
    """The score that counts has changed, up or down."""
    if quiz.lesson_id is not None:
        await report_score(
            tx,
            user_id=score.user_id,
            lesson_id=quiz.lesson_id,
            score_percent=score.percent,
            has_attempt=score.attempts > 0,
            at=at,
        )
