"""Looking at attempts: one's own, or those of one's learners; and when results may be seen (Q8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.assessment import attempt_statements as sql
from app.assessment import quiz_statements
from app.assessment.attempt_rows import AnswerRow, AttemptRow
from app.assessment.attempt_rows import Standing as StandingRow
from app.assessment.owning import teaches
from app.assessment.visibility import Standing, Visibility, are_released
from app.db.database import Operation
from app.db.paging import Page, PageRequest, key_params, page_of
from app.errors import Conflict, NotFound
from app.viewer import Action, Viewer


class ResultService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def attempt(self, attempt_id: UUID) -> AttemptRow | None:
        """One's own attempt, or one of a course that one teaches; None when missing or hidden."""
        own = self.viewer.require(Action.READ_SELF)
        async with self.db.read() as tx:
            row = await tx.one_or_none(sql.BY_ID, ids=[attempt_id])
            if row is None or row.user_id == own or await teaches(tx, self.viewer, row.course_id):
                return row
        return None

    async def my_attempts(self, page: PageRequest, filters: Mapping[str, Any]) -> Page[AttemptRow]:
        """A page of the viewer's attempts, the newest first."""
        return await self._page(page, {**filters, "user_id": self.viewer.require(Action.READ_SELF)})

    async def count_my_attempts(self, filters: Mapping[str, Any]) -> int:
        """How many attempts the viewer has made."""
        return await self._count({**filters, "user_id": self.viewer.require(Action.READ_SELF)})

    async def my_attempts_by_quiz(self, ids: list[UUID]) -> list[AttemptRow]:
        """The viewer's attempts at these quizzes, the first one first."""
        async with self.db.read() as tx:
            return await tx.all(sql.MY_ATTEMPTS_BY_QUIZ, ids=ids, user_id=self.viewer.user_id)

    async def attempts(self, page: PageRequest, filters: Mapping[str, Any]) -> Page[AttemptRow]:
        """A page of learners' attempts: any for an administrator, in one's own courses for an instructor."""
        return await self._page(page, self._everybodys(filters))

    async def count_attempts(self, filters: Mapping[str, Any]) -> int:
        """How many attempts there are with these filters."""
        return await self._count(self._everybodys(filters))

    def _everybodys(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        own = self.viewer.require(Action.GRADE)
        return dict(filters) if self.viewer.may(Action.EDIT_ANY_COURSE) else {**filters, "teacher_id": own}

    async def _page(self, page: PageRequest, wanted: Mapping[str, Any]) -> Page[AttemptRow]:
        statement = sql.attempt_page(frozenset(wanted), page.key is not None, page.backward)
        async with self.db.read() as tx:
            return page_of(page, await tx.all(statement, **key_params(page), **_values(wanted)))

    async def _count(self, wanted: Mapping[str, Any]) -> int:
        async with self.db.read() as tx:
            return await tx.scalar(sql.attempt_count(frozenset(wanted)), **_values(wanted)) or 0

    async def answers_by_attempt(self, ids: list[UUID]) -> list[AnswerRow]:
        """What was asked and answered in attempts that were shown to the viewer, in order."""
        async with self.db.read() as tx:
            return await tx.all(sql.ANSWERS, ids=ids)

    async def standing_by_attempt(self, ids: list[UUID]) -> list[StandingRow]:
        """How the learners of these attempts stand."""
        async with self.db.read() as tx:
            return await tx.all(sql.STANDINGS, ids=ids)

    async def any_quizzes_by_id(self, ids: list[UUID]) -> list[Any]:
        """The quizzes of attempts that were shown to the viewer, deleted and hidden ones too."""
        async with self.db.read() as tx:
            return await tx.all(quiz_statements.ANY_QUIZZES, ids=ids)

    async def see_results(self, attempt_id: UUID) -> AttemptRow:
        """Look at results that are shown once, and so use it up.

        Raises: NotFound (attempt), Conflict (RESULTS_HIDDEN, RESULTS_SEEN).
        """
        user_id = self.viewer.require(Action.LEARN)
        async with self.db.write() as tx:
            attempt = await tx.one(sql.FOR_UPDATE, "attempt", id=attempt_id)
            if attempt.user_id != user_id:
                raise NotFound("attempt")
            if attempt.is_open or attempt.state == "abandoned":
                raise Conflict("these results are not shown yet", code="RESULTS_HIDDEN")
            [standing] = await tx.all(sql.STANDINGS, ids=[attempt_id])
            is_once = attempt.visibility == Visibility.ONE_TIME and not standing.has_open_attempt
            if not is_once and not released(attempt.visibility, standing):
                raise Conflict("these results are not shown yet", code="RESULTS_HIDDEN")
            if is_once and await tx.scalar(sql.SEE_RESULTS, id=attempt_id) is None:
                raise Conflict("these results were shown once already", code="RESULTS_SEEN")
            return (await tx.all(sql.BY_ID, ids=[attempt_id]))[0]


def released(visibility: str, row: StandingRow) -> bool:
    """Whether the results of an attempt whose learner stands so are shown."""
    left = None if row.attempts_allowed is None else max(0, row.attempts_allowed - row.used)
    return are_released(Visibility(visibility), Standing(row.now, row.close_at, left, row.has_open_attempt))


def _values(wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if name not in sql.FLAGS}
