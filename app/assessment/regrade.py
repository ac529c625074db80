"""Grading a quiz anew after its questions were corrected (Q11): a job, one item for each learner, with a dry run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.assessment import attempt_statements as sql
from app.assessment import quiz_statements
from app.assessment.attempt_rows import AnswerRow, AttemptRow, CurrentBody, Submitted
from app.assessment.ending import lock_learners
from app.assessment.manual import check_freeze, clean_reason, settle_attempt
from app.assessment.marking import locale_of, mark_params, worth
from app.assessment.owning import own_quiz
from app.assessment.quiz_rows import PlaceRow, QuizRow, ScoreRow
from app.assessment.recounting import closed_attempts
from app.assessment.regrading import Mode, Regrade, changes
from app.assessment.scoring import keep_score, result_of
from app.db import audit
from app.db.database import Operation
from app.db.transaction import Tx
from app.errors import NotFound
from app.i18n import message
from app.identity.validators import Checks
from app.viewer import Action, Viewer
from app.work import service as work
from app.work.rows import Item, Job, NewItem, Settled

KIND = "quiz_regrade"
SAME = message("nothing changes")
CHANGES = message("the score changes from {before} to {after} %")
FIGURES = ("changed", "raised", "lowered", "newly_passed", "newly_failed")


class RegradeService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def start_regrade(
        self,
        quiz_id: UUID,
        modes: Mapping[UUID, Mode],
        *,
        may_lower: bool = False,
        is_dry_run: bool = False,
        force_reason: str | None = None,
    ) -> UUID:
        """Grade these questions anew in every submitted attempt, as a job; a dry run only says what would change.

        No answer loses points unless ``may_lower``. Returns the job.

        Raises: NotFound, Forbidden, Invalid, Conflict (GRADES_FROZEN unless it is forced, and then audited).
        """
        viewer_id = self.viewer.require(Action.GRADE)
        check = Checks()
        reason = clean_reason(check, force_reason)
        if not modes:
            check.note("input.questions", "TOO_SHORT", "must not be empty")
        check.done()
        async with self.db.write() as tx:
            quiz = await own_quiz(tx, self.viewer, quiz_id)
            if not is_dry_run:
                await check_freeze(tx, quiz, await tx.one(quiz_statements.CLOCK), reason)
            known = {row.id for row in await tx.all(sql.CURRENT_BODIES, ids=list(modes))}
            if known != set(modes):
                raise NotFound("question")
            payload = {
                "quiz_id": str(quiz_id),
                "modes": {str(question_id): mode.value for question_id, mode in modes.items()},
                "may_lower": may_lower,
            }
            learners = await tx.all(sql.LEARNERS, quiz_id=quiz_id)
            items = [NewItem(row.full_name, {"user_id": str(row.user_id)}) for row in learners]
            if not is_dry_run:
                await audit.record(
                    tx, viewer_id, "quiz.regrade", kind="quiz", id=quiz_id, reason=reason, changes=payload
                )
            return await work.create(tx, KIND, by=viewer_id, payload=payload, items=items, is_dry_run=is_dry_run)


@dataclass(frozen=True, slots=True)
class Impact:
    """A learner's kept score before and after."""

    before: ScoreRow | None
    after: ScoreRow | None

    @property
    def figures(self) -> dict[str, Any]:
        """As they are kept with the item and summed up at the end."""
        before, after = _percent(self.before), _percent(self.after)
        was, is_now = _passed(self.before), _passed(self.after)
        return {
            "before": str(before),
            "after": str(after),
            "changed": int(before != after),
            "raised": int(after > before),
            "lowered": int(after < before),
            "newly_passed": int(is_now and not was),
            "newly_failed": int(was and not is_now),
        }


class RegradeHandler:
    """Regrades learners; all attempts of one learner in one transaction, so that the kept score changes once."""

    kind = KIND
    chunk = 20

    async def run(self, tx: Tx, job: Job, items: Sequence[Item]) -> list[Settled]:
        quiz_id = UUID(job.payload["quiz_id"])
        modes = {UUID(key): Mode(value) for key, value in job.payload["modes"].items()}
        asked = Regrade(modes, job.payload["may_lower"])
        [quiz] = await tx.all(quiz_statements.ANY_QUIZZES, ids=[quiz_id])
        user_ids = {item.number: UUID(item.payload["user_id"]) for item in items}
        await lock_learners(tx, quiz.course_id, list(user_ids.values()))
        attempts: dict[UUID, list[AttemptRow]] = defaultdict(list)
        answers: dict[UUID, list[AnswerRow]] = defaultdict(list)
        locked = await closed_attempts(tx, quiz_id, list(user_ids.values()))
        for attempt in locked:
            attempts[attempt.user_id].append(attempt)
        for start in range(0, len(locked), 100):
            ids = [attempt.id for attempt in locked[start : start + 100]]
            for row in await tx.all(sql.ANSWERS, ids=ids):
                answers[row.attempt_id].append(row)
        bodies = {row.id: row for row in await tx.all(sql.CURRENT_BODIES, ids=list(modes))}
        regrading = _Regrading(tx, quiz, asked, bodies, is_dry_run=job.is_dry_run)
        return [
            _settled(item.number, await regrading.learner(user_id, attempts[user_id], answers))
            for item, user_id in zip(items, user_ids.values(), strict=True)
        ]

    async def finish(self, tx: Tx, job: Job) -> Mapping[str, int] | None:
        results = await tx.all(sql.ITEM_RESULTS, id=job.id)
        return {name: sum(int(result[name]) for result in results) for name in FIGURES}


class _Regrading:
    """One chunk of a job."""

    def __init__(
        self, tx: Tx, quiz: QuizRow, asked: Regrade, bodies: Mapping[UUID, CurrentBody], *, is_dry_run: bool
    ) -> None:
        self._tx = tx
        self._quiz = quiz
        self._asked = asked
        self._bodies = bodies
        self._is_dry_run = is_dry_run

    async def learner(
        self, user_id: UUID, attempts: Sequence[AttemptRow], answers: Mapping[UUID, list[AnswerRow]]
    ) -> Impact:
        """Regrade a learner's attempts and keep the score that comes of it."""
        before = await self._tx.one_or_none(quiz_statements.SCORE, quiz_id=self._quiz.id, user_id=user_id)
        [place] = await self._tx.all(quiz_statements.PLACES, ids=[self._quiz.id], user_id=user_id)
        for attempt in attempts:
            await self._attempt(attempt, answers[attempt.id], place)
        if self._is_dry_run:
            submitted = [Submitted(row.id, row.attempt_no, row.score, row.possible) for row in attempts]
            return Impact(before, result_of(self._quiz, user_id, submitted, place.now))
        return Impact(before, await keep_score(self._tx, self._quiz, user_id, cause="regrade"))

    async def _attempt(self, attempt: AttemptRow, rows: list[AnswerRow], place: PlaceRow) -> None:
        changed = changes(rows, self._asked, self._bodies, locale_of(attempt))
        if not changed:
            return
        grades = [mark_params(row, made, version) for row, made, version in changed]
        if self._is_dry_run:
            late = self._quiz.late_policy(place.due_at)
            attempt.score = worth(rows, attempt.possible, attempt.finished_at, late).score
            return
        await self._tx.execute_many(sql.GRADE, grades)
        await settle_attempt(self._tx, self._quiz, attempt, rows, place.now, is_regrade=True)


def _settled(number: int, impact: Impact) -> Settled:
    figures = impact.figures
    if not figures["changed"]:
        return Settled(number, "skipped", "SAME", SAME, result=figures)
    params = {"before": figures["before"], "after": figures["after"]}
    return Settled(number, "done", "CHANGED", CHANGES, params, figures)


def _percent(row: ScoreRow | None) -> Decimal:
    return Decimal(0) if row is None or row.percent is None else row.percent


def _passed(row: ScoreRow | None) -> bool:
    return row is not None and bool(row.is_passed)
