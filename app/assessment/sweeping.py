"""Ending attempts whose time is up and whose learners are silent (Q2); a tick of the worker."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from app.assessment import attempt_statements as sql
from app.assessment import quiz_statements
from app.assessment.attempt_rows import AnswerRow, AttemptRow, Locked
from app.assessment.deadlines import next_sweep, swept
from app.assessment.ending import lock_learners, submit_locked
from app.assessment.quiz_rows import QuizRow
from app.db.transaction import Tx
from app.work.timers import wake_at

BATCH = 50


async def end_overdue(tx: Tx) -> bool:
    """End what is due; returns whether there may be more.

    One course at a time, the enrolments first and in order; then only attempts that nobody else is ending right now.
    What a learner submits meanwhile is no longer due when its lock is there.
    """
    due = await tx.all(sql.DUE, limit=BATCH)
    if not due:
        return False
    course_id = due[0].course_id
    mine = [row for row in due if row.course_id == course_id]
    await lock_learners(tx, course_id, list({row.user_id for row in mine}))
    attempts = await tx.all(sql.STILL_DUE, ids=[row.id for row in mine])
    quizzes = await _quizzes(tx, mine)
    answers: dict[UUID, list[AnswerRow]] = defaultdict(list)
    for answer in await tx.all(sql.ANSWERS, ids=[attempt.id for attempt in attempts]):
        answers[answer.attempt_id].append(answer)
    for attempt in attempts:
        await _end(tx, quizzes[attempt.quiz_id], attempt, answers[attempt.id])
    return bool(attempts) and (len(due) == BATCH or len(mine) < len(due))


async def _quizzes(tx: Tx, due: list[Locked]) -> dict[UUID, QuizRow]:
    found = await tx.all(quiz_statements.ANY_QUIZZES, ids=list({row.quiz_id for row in due}))
    return {quiz.id: quiz for quiz in found}


async def _end(tx: Tx, quiz: QuizRow, attempt: AttemptRow, answers: list[AnswerRow]) -> None:
    [place] = await tx.all(quiz_statements.PLACES, ids=[quiz.id], user_id=attempt.user_id)
    ending = swept(place.now, attempt.deadline_at, quiz.timing)
    match ending.state:
        case "submitted":
            await submit_locked(tx, quiz, attempt, answers, ending, now=place.now, is_auto=True)
        case "abandoned":
            await tx.execute(sql.ABANDON, id=attempt.id)
        case state:
            due = next_sweep(place.now, attempt.deadline_at, quiz.timing)
            await tx.execute(
                sql.MOVE,
                id=attempt.id,
                state="overdue" if state == "overdue" else "in_progress",
                deadline_at=attempt.deadline_at,
                due_for_sweep_at=due,
            )
            if due is not None:
                await wake_at(tx, due)
