"""Learners' use cases: beginning an attempt, saving answers, submitting; once each, from however many tabs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.assessment import answers as answering
from app.assessment import attempt_statements as sql
from app.assessment import bodies, quiz_statements
from app.assessment.attempt_rows import AnswerRow, AttemptRow, TimedAttempt
from app.assessment.deadlines import deadline, next_sweep, submitted, takes_answers
from app.assessment.drawing import shuffled
from app.assessment.ending import lock_learners, submit_locked
from app.assessment.marking import Mark, locale_of, mark
from app.assessment.owning import teaches
from app.assessment.quiz_rows import PlaceRow, QuizRow
from app.assessment.quizzes import questions_for
from app.db import idempotency
from app.db.database import Operation
from app.db.ids import new_id
from app.db.transaction import Tx
from app.errors import Conflict, FieldProblem, Invalid, NotFound
from app.i18n import DEFAULT_LOCALE, Locale
from app.identity.validators import Checks, InvalidValue, line
from app.learning.locking import refuse_if_locked
from app.viewer import Action, Viewer
from app.work.timers import wake_at


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer as a client sent it; of two, the one with the greater revision counts."""

    slot: int
    raw: Any
    revision: int


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of one answer: SAVED, IGNORED (a later one is there), or REJECTED with a code and a sentence."""

    slot: int
    status: str
    code: str | None = None
    message: str | None = None
    params: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The same with what is to be kept."""

    saved: Saved
    revision: int
    answer: Any = None


def closed() -> Conflict:
    """An attempt takes nothing more."""
    return Conflict("this attempt has been submitted or has ended; it takes no other answers", code="ATTEMPT_CLOSED")


class AttemptService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer, locale: Locale = DEFAULT_LOCALE) -> None:
        self.db = db
        self.viewer = viewer
        self.locale = locale

    # --- beginning

    async def start_attempt(
        self, quiz_id: UUID, *, is_preview: bool = False, idempotency_key: str | None = None
    ) -> AttemptRow:
        """Begin an attempt, or come back to the one that is open (Q4, Q5).

        ``is_preview``: an instructor's own, of a draft too, without limits, and counted nowhere (Q16).

        Raises: NotFound (quiz), Conflict (NOT_ENROLLED, NOT_OPEN_YET, QUIZ_CLOSED, NO_ATTEMPTS_LEFT, LESSON_LOCKED,
        POOL_TOO_SMALL, QUIZ_EMPTY, IDEMPOTENCY_KEY_REUSED).
        """
        user_id = self.viewer.require(Action.LEARN)
        check = Checks()
        key = check("input.idempotencyKey", line, idempotency_key, minimum=8, maximum=100) if idempotency_key else None
        check.done()
        async with self.db.write() as tx:
            if key is not None:
                first = await idempotency.recall(tx, user_id, key, "startAttempt", [quiz_id, is_preview])
                if first is not None:
                    return (await tx.all(sql.BY_ID, ids=[first]))[0]
            attempt = await self._begin(tx, quiz_id, user_id, is_preview)
            if key is not None:
                await idempotency.settle(tx, user_id, key, attempt.id)
            return attempt

    async def _begin(self, tx: Tx, quiz_id: UUID, user_id: UUID, is_preview: bool) -> AttemptRow:
        course_id = await tx.one(quiz_statements.COURSE_OF_QUIZ, "quiz", id=quiz_id)
        if is_preview:
            if not await teaches(tx, self.viewer, course_id):
                raise NotFound("quiz")
        else:
            await self._admit(tx, course_id, user_id)
        quiz = await tx.one(quiz_statements.QUIZ_FOR_SHARE, "quiz", id=quiz_id)
        if quiz.published_at is None and not is_preview:
            raise NotFound("quiz")
        opened = await tx.one_or_none(sql.OPEN_OF, quiz_id=quiz_id, user_id=user_id, is_preview=is_preview)
        if opened is not None:
            return opened
        [place] = await tx.all(quiz_statements.PLACES, ids=[quiz_id], user_id=user_id)
        if not is_preview:
            check_place(quiz, place)
            if quiz.lesson_id is not None:
                await refuse_if_locked(tx, user_id=user_id, lesson_id=quiz.lesson_id)
        return await self._add(tx, quiz, place, user_id, is_preview)

    async def _admit(self, tx: Tx, course_id: UUID, user_id: UUID) -> None:
        """Lock the learner's enrolment: the starts of one learner take turns there."""
        if await tx.scalar(quiz_statements.COURSE_IS_OPEN, id=course_id) is None:
            raise NotFound("quiz")
        if await tx.scalar(sql.MAY_LEARN_FOR_UPDATE, course_id=course_id, user_id=user_id) is None:
            raise Conflict("enrol in the course first", code="NOT_ENROLLED")

    async def _add(self, tx: Tx, quiz: QuizRow, place: PlaceRow, user_id: UUID, is_preview: bool) -> AttemptRow:
        seed = secrets.token_hex(8)
        asked = await self._ask(tx, quiz, user_id, seed)
        limit = None if quiz.time_limit_seconds is None else timedelta(seconds=quiz.time_limit_seconds)
        close_at = None if is_preview else place.close_at
        ends_at = deadline(place.now, limit=limit, extra=timedelta(minutes=place.extra_minutes), close_at=close_at)
        due = next_sweep(place.now, ends_at, quiz.timing)
        attempt_id = new_id()
        added = await tx.scalar(
            sql.ADD,
            id=attempt_id,
            quiz_id=quiz.id,
            course_id=quiz.course_id,
            user_id=user_id,
            attempt_no=place.last_number + 1,
            locale=self.locale,
            is_preview=is_preview,
            deadline_at=ends_at,
            due_for_sweep_at=due,
            possible=sum((row["points"] for row in asked), Decimal(0)),
        )
        if added is None:
            return await tx.one(sql.OPEN_OF, "attempt", quiz_id=quiz.id, user_id=user_id, is_preview=is_preview)
        await tx.execute_many(sql.ADD_ANSWER, [{**row, "attempt_id": attempt_id} for row in asked])
        if due is not None:
            await wake_at(tx, due)
        return (await tx.all(sql.BY_ID, ids=[attempt_id]))[0]

    async def _ask(self, tx: Tx, quiz: QuizRow, user_id: UUID, seed: str) -> list[dict[str, Any]]:
        slots = await tx.all(quiz_statements.SLOTS, ids=[quiz.id])
        if not slots:
            raise Conflict("a quiz needs at least one question before it is published", code="QUIZ_EMPTY")
        found = questions_for(slots, await tx.all(quiz_statements.ASKED, quiz_id=quiz.id, user_id=user_id), seed)
        if found is None:
            raise Conflict("a pool has fewer questions than are drawn from it", code="POOL_TOO_SMALL")
        rows = [
            {
                "question_id": item.question_id,
                "question_version": item.version,
                "points": slot.points if item.kind != bodies.TextOnly.kind else Decimal(0),
                "seed": f"{seed}:{item.question_id}" if quiz.shuffle_options else "",
            }
            for slot, item in found
        ]
        if quiz.shuffle_questions:
            order = shuffled((row["question_id"] for row in rows), seed)
            rows.sort(key=lambda row: order.index(row["question_id"]))
        return [{**row, "slot": number} for number, row in enumerate(rows, 1)]

    # --- answering

    async def save_answers(self, attempt_id: UUID, given: Sequence[GivenAnswer]) -> tuple[AttemptRow, list[Saved]]:
        """Keep answers while the attempt goes on, each on its own merits: the last valid one counts.

        Raises: NotFound (attempt), Invalid (twice the same question), Conflict (ATTEMPT_CLOSED, TIME_IS_UP).
        """
        user_id = self.viewer.require(Action.LEARN)
        async with self.db.write() as tx:
            attempt = await self._own_locked(tx, attempt_id, user_id)
            if not attempt.is_open:
                raise closed()
            if not takes_answers(attempt.now, attempt.deadline_at, attempt.timing):
                raise Conflict("the time is up; what was saved before counts", code="TIME_IS_UP")
            rows = {row.slot: row for row in await tx.all(sql.ANSWERS, ids=[attempt_id])}
            check_slots(given, rows.keys())
            return attempt, await self._write(tx, attempt_id, [judge(rows[answer.slot], answer) for answer in given])

    async def _write(self, tx: Tx, attempt_id: UUID, judged: Sequence[Judged]) -> list[Saved]:
        """Keep what is to be kept, in the order of the questions: two saves must not wait for each other."""
        taken = sorted((item for item in judged if item.saved.status == "SAVED"), key=lambda item: item.saved.slot)
        await tx.execute_many(
            sql.SAVE,
            [
                {
                    "id": attempt_id,
                    "number": item.saved.slot,
                    "revision": item.revision,
                    "answer": None if item.answer is None else Jsonb(item.answer),
                }
                for item in taken
            ],
        )
        return [item.saved for item in judged]

    async def _own_locked(self, tx: Tx, attempt_id: UUID, user_id: UUID) -> TimedAttempt:
        attempt = await tx.one(sql.FOR_UPDATE, "attempt", id=attempt_id)
        if attempt.user_id != user_id:
            raise NotFound("attempt")
        return attempt

    # --- submitting

    async def submit_attempt(self, attempt_id: UUID, given: Sequence[GivenAnswer] = ()) -> AttemptRow:
        """End an attempt and grade it; doing it again gives the same result (Q6, Q7).

        Answers that come too late are dropped, by the quiz's policy (Q2).

        Raises: NotFound (attempt), Invalid (an answer that is none; a question twice or of another attempt), Conflict
        (ATTEMPT_CLOSED: it ended with other answers; TIME_IS_UP: too late for this quiz).
        """
        user_id = self.viewer.require(Action.LEARN)
        async with self.db.write() as tx:
            to_lock = await tx.one(sql.TO_LOCK, "attempt", id=attempt_id)
            if to_lock.user_id != user_id:
                raise NotFound("attempt")
            await lock_learners(tx, to_lock.course_id, [user_id])
            attempt = await self._own_locked(tx, attempt_id, user_id)
            rows = await tx.all(sql.ANSWERS, ids=[attempt_id])
            by_slot = {row.slot: row for row in rows}
            check_slots(given, by_slot.keys())
            if not attempt.is_open:
                if attempt.state == "abandoned" or any(is_other(by_slot[answer.slot], answer) for answer in given):
                    raise closed()
                return attempt
            ending = submitted(attempt.now, attempt.deadline_at, attempt.timing)
            if ending.state == "abandoned":
                raise Conflict("the time is up; this attempt can no longer be submitted", code="TIME_IS_UP")
            if ending.takes_answers:
                await self._take(tx, attempt_id, by_slot, given)
            [quiz] = await tx.all(quiz_statements.ANY_QUIZZES, ids=[attempt.quiz_id])
            await submit_locked(tx, quiz, attempt, rows, ending, now=attempt.now, is_auto=not ending.takes_answers)
            return (await tx.all(sql.BY_ID, ids=[attempt_id]))[0]

    async def _take(self, tx: Tx, attempt_id: UUID, rows: dict[int, AnswerRow], given: Sequence[GivenAnswer]) -> None:
        """What is sent with the submission counts if nothing later was saved; an answer that is none refuses it."""
        judged = [judge(rows[answer.slot], answer) for answer in given]
        problems = [
            FieldProblem(f"input.answers.{index}", item.saved.message, item.saved.code, dict(item.saved.params or {}))
            for index, item in enumerate(judged)
            if item.saved.message is not None and item.saved.code is not None
        ]
        if problems:
            raise Invalid(fields=problems)
        await self._write(tx, attempt_id, judged)
        for item in judged:
            if item.saved.status == "SAVED":
                rows[item.saved.slot].answer = item.answer

    async def check_answer(self, attempt_id: UUID, slot: int, raw: Any) -> Mark:
        """What an answer would be worth, without keeping it, where the quiz allows that.

        Raises: NotFound (attempt, question), Invalid, Conflict (ATTEMPT_CLOSED, CHECK_NOT_ALLOWED).
        """
        user_id = self.viewer.require(Action.LEARN)
        async with self.db.write() as tx:
            attempt = await self._own_locked(tx, attempt_id, user_id)
            if not attempt.is_open:
                raise closed()
            if not attempt.allows_check:
                raise Conflict("this quiz does not tell before the end", code="CHECK_NOT_ALLOWED")
            row = next((row for row in await tx.all(sql.ANSWERS, ids=[attempt_id]) if row.slot == slot), None)
            if row is None:
                raise NotFound("question")
            check = Checks()
            check("input.answer", parsed, row, raw=raw)
            check.done()
            return mark(row.body, raw, row.points, locale_of(attempt))


def parsed(row: AnswerRow, raw: Any) -> Any:
    """An answer as it is kept. Raises InvalidValue when it is none of this question."""
    return answering.dump(answering.parse(bodies.load(row.body), raw))


def judge(row: AnswerRow, answer: GivenAnswer) -> Judged:
    """What becomes of an answer that is sent while the attempt goes on."""
    if answer.revision <= row.revision:
        return Judged(Saved(answer.slot, "IGNORED"), answer.revision)
    try:
        return Judged(Saved(answer.slot, "SAVED"), answer.revision, parsed(row, answer.raw))
    except InvalidValue as problem:
        refused = Saved(answer.slot, "REJECTED", problem.code, problem.message, problem.params)
        return Judged(refused, answer.revision)


def is_other(row: AnswerRow, answer: GivenAnswer) -> bool:
    """Whether an answer is another one than the one that counts; an older one would not have counted anyway."""
    if answer.revision < row.revision:
        return False
    try:
        return bool(parsed(row, answer.raw) != row.answer)
    except InvalidValue:
        return True


def check_place(quiz: QuizRow, place: PlaceRow) -> None:
    """Raises Conflict when a learner who stands so cannot begin another attempt."""
    if place.open_at is not None and place.now < place.open_at:
        raise Conflict("this quiz is not open yet", code="NOT_OPEN_YET", opens_at=place.open_at.isoformat())
    if place.close_at is not None and place.now >= place.close_at:
        raise Conflict("this quiz is closed", code="QUIZ_CLOSED")
    if place.attempts_left(quiz.attempts_allowed) == 0:
        raise Conflict("there are no attempts left", code="NO_ATTEMPTS_LEFT")


def check_slots(given: Sequence[GivenAnswer], known: Any) -> None:
    """Q6: only questions of the attempt, each at most once. Raises Invalid."""
    check, seen = Checks(), set()
    for index, answer in enumerate(given):
        if answer.slot not in known:
            check.note(f"input.answers.{index}.slot", "SLOT_UNKNOWN", "is no question of this attempt")
        if answer.slot in seen:
            check.note(f"input.answers.{index}.slot", "ORDER_DUPLICATE", "is in the list twice")
        seen.add(answer.slot)
    check.done()
