"""What single learners are granted: more time, more attempts, another window (Q17); with a reason, and on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.assessment import attempt_statements, quiz_rules
from app.assessment import quiz_statements as sql
from app.assessment.ending import lock_learners
from app.assessment.moving import move_deadlines
from app.assessment.owning import own_course, own_quiz
from app.assessment.quiz_rows import OverrideRow, QuizRow
from app.assessment.recounting import recount
from app.db import audit
from app.db.database import Operation
from app.db.transaction import Tx
from app.errors import NotFound
from app.identity.validators import Checks, line
from app.viewer import Action, Viewer


class OverrideService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def overrides_by_quiz(self, ids: list[UUID]) -> list[OverrideRow]:
        """What these quizzes grant single learners; for those who teach them."""
        async with self.db.read() as tx:
            return await tx.all(sql.OVERRIDES_BY_QUIZ, ids=ids)

    async def set_override(self, quiz_id: UUID, user_id: UUID, given: Mapping[str, Any]) -> OverrideRow:
        """Grant a learner something; an attempt under way is moved, submitted ones are counted anew.

        Raises: NotFound (quiz, user), Forbidden, Invalid.
        """
        viewer_id = self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        fields = quiz_rules.override_fields(check, given)
        check.done()
        async with self.db.write() as tx:
            quiz = await self._locked(tx, quiz_id, user_id)
            if await tx.scalar(attempt_statements.ENROLLED, course_id=quiz.course_id, user_id=user_id) is None:
                raise NotFound("user")
            before = await tx.one_or_none(sql.OVERRIDE, quiz_id=quiz_id, user_id=user_id)
            made = await tx.one(sql.PUT_OVERRIDE, quiz_id=quiz_id, user_id=user_id, viewer_id=viewer_id, **fields)
            await self._follow(tx, quiz, user_id)
            changes = {"user_id": str(user_id), "before": _shown(before), "after": _shown(made)}
            await audit.record(
                tx, viewer_id, "quiz.override", kind="quiz", id=quiz_id, reason=made.reason, changes=changes
            )
            return made

    async def delete_override(self, quiz_id: UUID, user_id: UUID, *, reason: str) -> UUID:
        """Take back what a learner was granted. Raises: NotFound, Forbidden, Invalid."""
        viewer_id = self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        reason = check("input.reason", line, reason, minimum=3, maximum=quiz_rules.REASON)
        check.done()
        async with self.db.write() as tx:
            quiz = await self._locked(tx, quiz_id, user_id)
            before = await tx.one_or_none(sql.OVERRIDE, quiz_id=quiz_id, user_id=user_id)
            await tx.one(sql.DELETE_OVERRIDE, "override", quiz_id=quiz_id, user_id=user_id)
            await self._follow(tx, quiz, user_id)
            changes = {"user_id": str(user_id), "before": _shown(before), "after": None}
            await audit.record(
                tx, viewer_id, "quiz.override_removed", kind="quiz", id=quiz_id, reason=reason, changes=changes
            )
        return quiz_id

    async def _locked(self, tx: Tx, quiz_id: UUID, user_id: UUID) -> QuizRow:
        """The course, the learner's enrolment and the quiz, locked in this order."""
        course_id = await tx.one(sql.COURSE_OF_QUIZ, "quiz", id=quiz_id)
        await own_course(tx, self.viewer, course_id)
        await lock_learners(tx, course_id, [user_id])
        return await own_quiz(tx, self.viewer, quiz_id)

    async def _follow(self, tx: Tx, quiz: QuizRow, user_id: UUID) -> None:
        await move_deadlines(tx, quiz, user_id=user_id)
        await recount(tx, quiz, [user_id])


def _shown(row: OverrideRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    times = {name: getattr(row, name) for name in ("open_at", "close_at", "due_at")}
    return {
        "extra_minutes": row.extra_minutes,
        "extra_attempts": row.extra_attempts,
        **{name: value.isoformat() if value else None for name, value in times.items()},
    }
