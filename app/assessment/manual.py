"""Graders' use cases: grading by hand (Q10), reopening what was abandoned; a frozen grade only by force (Q18)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.assessment import attempt_statements as sql
from app.assessment import quiz_rules, quiz_statements
from app.assessment.attempt_rows import AnswerRow, AttemptRow, TimedAttempt
from app.assessment.deadlines import reopened_too_late, swept
from app.assessment.ending import lock_learners, submit_locked
from app.assessment.marking import worth
from app.assessment.moving import moved
from app.assessment.owning import fresh, require_teacher
from app.assessment.quiz_rows import QuizRow
from app.assessment.scoring import keep_score
from app.catalog.rules import rich_text
from app.db import audit
from app.db.database import Operation
from app.db.transaction import Tx
from app.errors import Conflict, NotFound
from app.identity.validators import Checks, line
from app.viewer import Action, Viewer
from app.work.timers import wake_at

COMMENT = 10_000


class GradingService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def grade_answer(
        self,
        attempt_id: UUID,
        slot: int,
        points: Decimal,
        *,
        comment: str | None = None,
        expected_version: int,
        force_reason: str | None = None,
    ) -> AttemptRow:
        """Say what an answer is worth. Kept as the difference from the rules' points, so that it outlives a regrade.

        Of two graders who read the same version one is refused, also when both say the same. No rule about attempts
        (limits, windows) is asked here.

        Raises: NotFound (attempt, question), Invalid, Conflict (VERSION_CONFLICT, ATTEMPT_OPEN, GRADES_FROZEN).
        """
        viewer_id = self.viewer.require(Action.GRADE)
        check = Checks()
        comment = None if comment is None else check("input.comment", rich_text, comment, maximum=COMMENT)
        reason = clean_reason(check, force_reason)
        check.done()
        async with self.db.write() as tx:
            attempt, quiz = await self._taught_locked(tx, attempt_id)
            if attempt.is_open or attempt.state == "abandoned":
                raise Conflict("this attempt has not been submitted", code="ATTEMPT_OPEN")
            await check_freeze(tx, quiz, attempt.now, reason)
            rows = await tx.all(sql.ANSWERS, ids=[attempt_id])
            row = next((row for row in rows if row.slot == slot), None)
            if row is None:
                raise NotFound("question")
            fresh(row.version, expected_version)
            if not 0 <= points <= row.points:
                most = format(row.points.normalize(), "f")
                check.note(
                    "input.points", "OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=0, maximum=most
                )
                check.done()
            before = row.worth
            row.manual_delta = points - (row.auto_points or Decimal(0))
            await self._write(tx, row, viewer_id, row.comment if comment is None else comment)
            await settle_attempt(tx, quiz, attempt, rows, attempt.now)
            if not attempt.is_preview:
                await keep_score(tx, quiz, attempt.user_id, cause="manual")
            changes = {"slot": slot, "before": _text(before), "after": _text(points)}
            await audit.record(
                tx, viewer_id, "attempt.grade", kind="attempt", id=attempt_id, reason=reason, changes=changes
            )
            return (await tx.all(sql.BY_ID, ids=[attempt_id]))[0]

    async def _write(self, tx: Tx, row: AnswerRow, viewer_id: UUID, comment: str) -> None:
        written = await tx.scalar(
            sql.GRADE_BY_HAND,
            id=row.attempt_id,
            number=row.slot,
            expected=row.version,
            manual_delta=row.manual_delta,
            comment=comment,
            viewer_id=viewer_id,
        )
        if written is None:
            fresh(row.version + 1, row.version)

    async def reopen_attempt(self, attempt_id: UUID, *, reason: str) -> AttemptRow:
        """Let a learner go on with an abandoned attempt; if its time is up, what was saved is submitted instead.

        Raises: NotFound, Invalid, Conflict (NOT_ABANDONED, ATTEMPT_OPEN: the learner has begun another one).
        """
        viewer_id = self.viewer.require(Action.GRADE)
        check = Checks()
        reason = check("input.reason", line, reason, minimum=3, maximum=quiz_rules.REASON)
        check.done()
        async with self.db.write() as tx:
            attempt, quiz = await self._taught_locked(tx, attempt_id)
            if attempt.state != "abandoned":
                raise Conflict("this attempt was not abandoned", code="NOT_ABANDONED")
            other = await tx.one_or_none(
                sql.OPEN_OF, quiz_id=quiz.id, user_id=attempt.user_id, is_preview=attempt.is_preview
            )
            if other is not None:
                raise Conflict("the learner has begun another attempt", code="ATTEMPT_OPEN")
            granted = await tx.one_or_none(quiz_statements.OVERRIDE, quiz_id=quiz.id, user_id=attempt.user_id)
            move = moved(quiz, attempt, attempt.now, granted)
            await tx.execute(sql.REOPEN, **move)
            await audit.record(tx, viewer_id, "attempt.reopen", kind="attempt", id=attempt_id, reason=reason)
            await self._go_on(tx, quiz, attempt, move)
            return (await tx.all(sql.BY_ID, ids=[attempt_id]))[0]

    async def _go_on(self, tx: Tx, quiz: QuizRow, attempt: TimedAttempt, move: dict[str, Any]) -> None:
        """Moodle's rule: an attempt reopened after its time was up is submitted as of the end of that time."""
        ends_at = move["deadline_at"]
        if swept(attempt.now, ends_at, quiz.timing).state in {"abandoned", "submitted"}:
            ending = reopened_too_late(ends_at)
            rows = await tx.all(sql.ANSWERS, ids=[attempt.id])
            await submit_locked(tx, quiz, attempt, rows, ending, now=attempt.now, is_auto=True)
        elif move["due_for_sweep_at"] is not None:
            await wake_at(tx, move["due_for_sweep_at"])

    async def _taught_locked(self, tx: Tx, attempt_id: UUID) -> tuple[TimedAttempt, QuizRow]:
        to_lock = await tx.one(sql.TO_LOCK, "attempt", id=attempt_id)
        await require_teacher(tx, self.viewer, to_lock.course_id, "attempt")
        await lock_learners(tx, to_lock.course_id, [to_lock.user_id])
        [quiz] = await tx.all(quiz_statements.ANY_QUIZZES, ids=[to_lock.quiz_id])
        return await tx.one(sql.FOR_UPDATE, "attempt", id=attempt_id), quiz


async def settle_attempt(
    tx: Tx, quiz: QuizRow, attempt: AttemptRow, rows: list[AnswerRow], now: datetime, *, is_regrade: bool = False
) -> None:
    """Write a submitted attempt's sum anew. What it was before the first regrade is kept for good."""
    [place] = await tx.all(quiz_statements.PLACES, ids=[quiz.id], user_id=attempt.user_id)
    total = worth(rows, attempt.possible, attempt.finished_at, quiz.late_policy(place.due_at))
    before = attempt.score_before_regrade
    if is_regrade and before is None and total.score != attempt.score:
        before = attempt.score
    await tx.execute(
        sql.SETTLE,
        id=attempt.id,
        state=total.state,
        points=total.points,
        penalty=total.penalty,
        score=total.score,
        graded_at=None if total.score is None else attempt.graded_at or now,
        score_before_regrade=before,
    )
    attempt.score = total.score


def clean_reason(check: Checks, reason: str | None) -> str | None:
    """Why somebody forces what is refused otherwise."""
    return None if reason is None else check("input.forceReason", line, reason, minimum=3, maximum=quiz_rules.REASON)


async def check_freeze(tx: Tx, quiz: QuizRow, now: datetime, force_reason: str | None = None) -> None:
    """Q18: grades are frozen some days after the end. Raises Conflict unless somebody says why to change them."""
    if force_reason is None and await is_frozen(tx, quiz, now):
        raise Conflict("these grades are final; say why they have to change", code="GRADES_FROZEN")


async def is_frozen(tx: Tx, quiz: QuizRow, now: datetime) -> bool:
    """Whether grades are final: so many days after the course has ended or, where it has no end, the quiz has."""
    if quiz.freeze_days is None:
        return False
    end = await tx.scalar(quiz_statements.COURSE_ENDS_AT, id=quiz.course_id) or quiz.close_at
    return end is not None and now > end + timedelta(days=quiz.freeze_days)


def _text(points: Decimal | None) -> str | None:
    return None if points is None else format(points.normalize(), "f")
