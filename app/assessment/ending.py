"""Ending an attempt once: whoever comes first, the learner or the sweeper, grades it in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.assessment import attempt_statements as sql
from app.assessment import quiz_statements
from app.assessment.attempt_rows import AnswerRow, AttemptRow
from app.assessment.deadlines import Ending
from app.assessment.marking import locale_of, mark, mark_params, worth
from app.assessment.quiz_rows import QuizRow
from app.assessment.reporting import tell_submission
from app.assessment.scoring import keep_score
from app.db.outbox import publish
from app.db.transaction import Tx

SUBMITTED = "attempt_submitted"


async def lock_learners(tx: Tx, course_id: UUID, user_ids: Sequence[UUID]) -> None:
    """Lock these learners' enrolments: everybody who changes a kept score or somebody's progress begins so."""
    await tx.all(sql.ENROLLMENTS_FOR_UPDATE, course_id=course_id, ids=list(user_ids))


async def submit_locked(
    tx: Tx,
    quiz: QuizRow,
    attempt: AttemptRow,
    answers: Sequence[AnswerRow],
    ending: Ending,
    *,
    now: datetime,
    is_auto: bool,
) -> bool:
    """Submit and grade a locked attempt with what was answered; False when it had ended already.

    The learner's enrolment is locked too. A preview is graded like any other and told to nobody (Q16).
    """
    locale = locale_of(attempt)
    grades = [mark_params(row, mark(row.body, row.answer, row.points, locale), row.question_version) for row in answers]
    [place] = await tx.all(quiz_statements.PLACES, ids=[quiz.id], user_id=attempt.user_id)
    total = worth(answers, attempt.possible, ending.finished_at, quiz.late_policy(place.due_at))
    closed = await tx.scalar(
        sql.CLOSE,
        id=attempt.id,
        state=total.state,
        finished_at=ending.finished_at,
        was_auto_submitted=is_auto,
        is_flagged_late=ending.is_flagged,
        points=total.points,
        penalty=total.penalty,
        score=total.score,
        graded_at=None if total.score is None else now,
    )
    if closed is None:
        return False
    await tx.execute_many(sql.GRADE, grades)
    if not attempt.is_preview:
        at = ending.finished_at or now
        await tell_submission(tx, quiz, attempt.user_id, at)
        await keep_score(tx, quiz, attempt.user_id, cause="attempt")
        await publish(
            tx,
            SUBMITTED,
            {
                "attempt_id": str(attempt.id),
                "quiz_id": str(quiz.id),
                "course_id": str(quiz.course_id),
                "user_id": str(attempt.user_id),
                "state": total.state,
            },
        )
    return True
