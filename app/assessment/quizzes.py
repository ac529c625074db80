"""Authors' use cases: quizzes and what they ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.assessment import attempt_statements, quiz_rules
from app.assessment import quiz_statements as sql
from app.assessment.drawing import Pool, draw
from app.assessment.manual import check_freeze, is_frozen
from app.assessment.moving import move_deadlines
from app.assessment.owning import own_course, own_quiz
from app.assessment.quiz_rows import Asked, Extent, PlaceRow, QuizRow, ScoreRow, SlotRow
from app.assessment.recounting import OF_KEEPING, OF_PENALTIES, recount, tell_lesson
from app.catalog import statements as catalog
from app.catalog.reading import scope_of
from app.db import audit, idempotency
from app.db.database import Operation
from app.db.ids import new_id
from app.db.transaction import Tx
from app.errors import Conflict, NotFound
from app.identity.validators import Checks, line
from app.viewer import Action, Viewer

NOBODY = UUID(int=0)
OF_SCORES = (*OF_KEEPING, *OF_PENALTIES)


class QuizService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    # --- reading

    def _who(self) -> tuple[str, dict[str, Any]]:
        viewer_id = self.viewer.require(Action.READ_CATALOG)
        scope = scope_of(self.viewer)
        return scope, {"viewer_id": viewer_id} if scope == "own" else {}

    async def quizzes_by_id(self, ids: list[UUID]) -> list[QuizRow]:
        """The quizzes among these that the viewer sees."""
        scope, who = self._who()
        async with self.db.read() as tx:
            return await tx.all(sql.quizzes_by_id(scope), ids=ids, **who)

    async def quizzes_by_course(self, ids: list[UUID]) -> list[QuizRow]:
        """The quizzes of these courses that the viewer sees, the oldest first."""
        scope, who = self._who()
        async with self.db.read() as tx:
            return await tx.all(sql.quizzes_by_course(scope), ids=ids, **who)

    async def quizzes_by_lesson(self, ids: list[UUID]) -> list[QuizRow]:
        """The quizzes of these lessons that the viewer sees, the oldest first."""
        scope, who = self._who()
        async with self.db.read() as tx:
            return await tx.all(sql.quizzes_by_lesson(scope), ids=ids, **who)

    async def slots_by_quiz(self, ids: list[UUID]) -> list[SlotRow]:
        """What these quizzes ask, in order; for those who teach them."""
        async with self.db.read() as tx:
            return await tx.all(sql.SLOTS, ids=ids)

    async def extent_by_quiz(self, ids: list[UUID]) -> list[Extent]:
        """How much these quizzes ask."""
        async with self.db.read() as tx:
            return await tx.all(sql.EXTENTS, ids=ids)

    async def my_place_by_quiz(self, ids: list[UUID]) -> list[PlaceRow]:
        """Where the viewer stands with these quizzes."""
        async with self.db.read() as tx:
            return await tx.all(sql.PLACES, ids=ids, user_id=self.viewer.user_id)

    async def my_score_by_quiz(self, ids: list[UUID]) -> list[ScoreRow]:
        """The viewer's kept scores."""
        async with self.db.read() as tx:
            return await tx.all(sql.MY_SCORES, ids=ids, user_id=self.viewer.user_id)

    # --- writing

    async def create_quiz(
        self, course_id: UUID, given: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> QuizRow:
        """Make a draft.

        Raises: NotFound, Forbidden, Invalid, Conflict (TOO_MANY, IDEMPOTENCY_KEY_REUSED).
        """
        user_id = self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        fields = quiz_rules.quiz_fields(check, {**quiz_rules.DEFAULTS, **given})
        key = check("input.idempotencyKey", line, idempotency_key, minimum=8, maximum=100) if idempotency_key else None
        check.done()
        async with self.db.write() as tx:
            if key is not None:
                first = await idempotency.recall(tx, user_id, key, "createQuiz", [course_id, fields])
                if first is not None:
                    return await tx.one(sql.QUIZ, "quiz", id=first)
            await own_course(tx, self.viewer, course_id)
            await self._check_lesson(tx, course_id, fields["lesson_id"])
            if (await tx.scalar(sql.COUNT_IN_COURSE, id=course_id) or 0) >= quiz_rules.QUIZZES:
                raise Conflict("may have at most {maximum} entries", code="TOO_MANY", maximum=quiz_rules.QUIZZES)
            quiz_id = new_id()
            await tx.execute(sql.ADD, id=quiz_id, course_id=course_id, viewer_id=user_id, **fields)
            if key is not None:
                await idempotency.settle(tx, user_id, key, quiz_id)
            return await tx.one(sql.QUIZ, "quiz", id=quiz_id)

    async def update_quiz(
        self, quiz_id: UUID, given: Mapping[str, Any], *, expected_version: int | None = None
    ) -> QuizRow:
        """Change the given fields. Attempts under way get their new deadline at once (Q1), submitted ones their score.

        Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT; GRADES_FROZEN: scores would change).
        """
        self.viewer.require(Action.EDIT_COURSES)
        async with self.db.write() as tx:
            await self._lock_learners(tx, quiz_id, given)
            before = await own_quiz(tx, self.viewer, quiz_id, expected_version)
            check = Checks()
            fields = quiz_rules.quiz_fields(
                check, {name: given.get(name, getattr(before, name)) for name in sql.FIELDS}
            )
            check.done()
            if fields["lesson_id"] != before.lesson_id:
                await self._check_lesson(tx, before.course_id, fields["lesson_id"])
            changed = {name for name in OF_SCORES if fields[name] != getattr(before, name)}
            await tx.execute(sql.UPDATE, id=quiz_id, **fields)
            quiz = await tx.one(sql.QUIZ, "quiz", id=quiz_id)
            await self._check_freeze(tx, before, quiz, counts_anew=bool(changed))
            await move_deadlines(tx, quiz)
            has_moved = quiz.lesson_id not in (None, before.lesson_id)
            if changed or has_moved:
                learners = [row.user_id for row in await tx.all(attempt_statements.LEARNERS, quiz_id=quiz_id)]
                if has_moved:
                    await tell_lesson(tx, quiz, learners)
                if changed:
                    await recount(tx, quiz, learners, everybody=bool(changed & set(OF_KEEPING)))
            return quiz

    async def _check_freeze(self, tx: Tx, before: QuizRow, after: QuizRow, *, counts_anew: bool) -> None:
        """Q18: settings change no final grades; and who makes final grades changeable again is on record."""
        now = await tx.one(sql.CLOCK)
        if counts_anew:
            await check_freeze(tx, before, now)
        if await is_frozen(tx, before, now) and not await is_frozen(tx, after, now):
            await audit.record(tx, self.viewer.user_id, "quiz.unfreeze", kind="quiz", id=before.id)

    async def _lock_learners(self, tx: Tx, quiz_id: UUID, given: Mapping[str, Any]) -> None:
        """What changes everybody's score or progress locks their enrolments, before the quiz and after the course."""
        if not any(name in given for name in (*OF_SCORES, "lesson_id")):
            return
        course_id = await tx.one(sql.COURSE_OF_QUIZ, "quiz", id=quiz_id)
        await own_course(tx, self.viewer, course_id)
        await tx.all(attempt_statements.ENROLLMENTS_OF_QUIZ_FOR_UPDATE, course_id=course_id, quiz_id=quiz_id)

    async def set_slots(
        self, quiz_id: UUID, slots: Sequence[Mapping[str, Any]], *, expected_version: int | None = None
    ) -> QuizRow:
        """Say what a quiz asks, the whole of it. Attempts that were begun keep what they were asked (Q5).

        Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT; POOL_TOO_SMALL of a published one).
        """
        self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        rows = quiz_rules.slot_rows(check, slots)
        check.done()
        async with self.db.write() as tx:
            quiz = await own_quiz(tx, self.viewer, quiz_id, expected_version)
            named = [row["question_id"] for row in rows if row["question_id"] is not None]
            known = set(await tx.all(sql.QUESTIONS_AMONG, ids=named, course_id=quiz.course_id))
            for index, row in enumerate(rows):
                if row["question_id"] is not None and row["question_id"] not in known:
                    check.note(f"input.slots.{index}.questionId", "ID_INVALID", "this identifier is not valid here")
            check.done()
            await tx.execute(sql.CLEAR_SLOTS, id=quiz_id)
            await tx.execute_many(sql.ADD_SLOT, [{**row, "id": new_id(), "quiz_id": quiz_id} for row in rows])
            if quiz.published_at is not None:
                await self._check_asks(tx, quiz_id)
            await tx.execute(sql.TOUCH, id=quiz_id)
            return await tx.one(sql.QUIZ, "quiz", id=quiz_id)

    async def publish_quiz(self, quiz_id: UUID, *, expected_version: int | None = None) -> QuizRow:
        """Make a quiz visible to learners; publishing a published one changes nothing (Q14).

        Raises: NotFound, Forbidden, Conflict (QUIZ_EMPTY, POOL_TOO_SMALL, VERSION_CONFLICT).
        """
        self.viewer.require(Action.EDIT_COURSES)
        async with self.db.write() as tx:
            await own_quiz(tx, self.viewer, quiz_id, expected_version)
            await self._check_asks(tx, quiz_id)
            await tx.execute(sql.PUBLISH, id=quiz_id)
            return await tx.one(sql.QUIZ, "quiz", id=quiz_id)

    async def delete_quiz(self, quiz_id: UUID, *, expected_version: int | None = None) -> UUID:
        """Take a quiz away; what learners did in it is kept. Raises: NotFound, Forbidden, Conflict."""
        self.viewer.require(Action.EDIT_COURSES)
        async with self.db.write() as tx:
            await own_quiz(tx, self.viewer, quiz_id, expected_version)
            await tx.execute(sql.DELETE, id=quiz_id)
        return quiz_id

    async def _check_lesson(self, tx: Tx, course_id: UUID, lesson_id: UUID | None) -> None:
        if lesson_id is None:
            return
        if await tx.scalar(catalog.COURSE_OF_LESSON, id=lesson_id) != course_id:
            raise NotFound("lesson")

    async def _check_asks(self, tx: Tx, quiz_id: UUID) -> None:
        slots = await tx.all(sql.SLOTS, ids=[quiz_id])
        if not slots:
            raise Conflict("a quiz needs at least one question before it is published", code="QUIZ_EMPTY")
        asked = await tx.all(sql.ASKED, quiz_id=quiz_id, user_id=NOBODY)
        if questions_for(slots, asked, "publish") is None:
            raise Conflict("a pool has fewer questions than are drawn from it", code="POOL_TOO_SMALL")


def questions_for(slots: Sequence[SlotRow], asked: Sequence[Asked], seed: str) -> list[tuple[SlotRow, Asked]] | None:
    """What an attempt asks, in the order of the slots; None when a pool is too small (Q14)."""
    by_slot: dict[UUID, list[Asked]] = {slot.id: [] for slot in slots}
    for item in asked:
        by_slot[item.slot_id].append(item)
    fixed = {slot.id: by_slot[slot.id] for slot in slots if slot.question_id is not None}
    if not all(fixed.values()):
        return None
    drawn = draw(
        [
            Pool(slot.id, slot.draws, [item.question_id for item in by_slot[slot.id]])
            for slot in slots
            if slot.question_id is None
        ],
        seed,
        taken={items[0].question_id for items in fixed.values()},
        seen={item.question_id for item in asked if item.was_seen},
    )
    if drawn is None:
        return None
    found = []
    for slot in slots:
        known = {item.question_id: item for item in by_slot[slot.id]}
        chosen = [slot.question_id] if slot.question_id is not None else drawn[slot.id]
        found += [(slot, known[question_id]) for question_id in chosen]
    return found
