"""Teachers' use cases with a gradebook, and a learner's look at their own grades."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.assessment import gradebook_input as given_input
from app.assessment import gradebook_statements as sql
from app.assessment import quiz_statements
from app.assessment.gradebook_input import MANUAL
from app.assessment.gradebook_reading import hidden_items, read_book, read_grades
from app.assessment.gradebook_rows import Book, ItemRow, LearnerGrades, LearnerRow
from app.assessment.owning import fresh, own_course, require_teacher, teaches
from app.db import audit, idempotency
from app.db.database import Operation
from app.db.ids import new_id
from app.db.paging import MAX_PAGE, Page, PageRequest, key_params, page_of
from app.db.transaction import Tx
from app.errors import Conflict, NotFound
from app.identity.validators import Checks, line
from app.viewer import Action, Viewer

SEARCH = 100
EXPORTED = 5_000


class GradebookService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    # --- reading

    async def gradebook(self, course_id: UUID) -> Book | None:
        """The gradebook of a course that the viewer teaches; None for any other."""
        self.viewer.require(Action.GRADE)
        async with self.db.read() as tx:
            return await read_book(tx, course_id) if await teaches(tx, self.viewer, course_id) else None

    async def learners(self, book: Book, page: PageRequest, search: str | None = None) -> Page[LearnerGrades]:
        """A page of a gradebook that was shown to the viewer, by name: three statements for any number of learners."""
        wanted = _wanted(search)
        statement = sql.learner_page("search" in wanted, page.key is not None, page.backward)
        async with self.db.read() as tx:
            rows = await tx.all(statement, course_id=book.row.course_id, **key_params(page), **wanted)
            found = page_of(page, rows)
            return Page(await read_grades(tx, book, found.rows), found.has_next, found.has_previous)

    async def count_learners(self, book: Book, search: str | None = None) -> int:
        """How many are graded."""
        wanted = _wanted(search)
        async with self.db.read() as tx:
            statement = sql.learner_count("search" in wanted)
            return await tx.scalar(statement, course_id=book.row.course_id, **wanted) or 0

    async def grades_of(self, book: Book, user_ids: Sequence[UUID]) -> list[LearnerGrades]:
        """The lines of these learners, by name."""
        async with self.db.read() as tx:
            learners = await tx.all(sql.LEARNERS_BY_ID, course_id=book.row.course_id, ids=list(user_ids))
            return await read_grades(tx, book, learners)

    async def my_grades(self, course_id: UUID) -> LearnerGrades | None:
        """The viewer's own line; None for who is not graded there. What they may not see yet is not in the total."""
        user_id = self.viewer.require(Action.READ_SELF)
        async with self.db.read() as tx:
            learners = await tx.all(sql.LEARNERS_BY_ID, course_id=course_id, ids=[user_id])
            book = await read_book(tx, course_id) if learners else None
            if book is None:
                return None
            quizzes = [item.id for item in book.items if item.quiz_id is not None]
            places = await tx.all(quiz_statements.PLACES, ids=quizzes, user_id=user_id) if quizzes else []
            [found] = await read_grades(tx, book, learners, hidden=hidden_items(book.items, places))
            return found

    async def everybody(self, course_id: UUID) -> tuple[Book, AsyncIterator[list[LearnerGrades]]] | None:
        """A gradebook and all its lines, in pages of one snapshot; None for a course that the viewer does not teach.

        Raises Conflict (TOO_MANY_LEARNERS).
        """
        book = await self.gradebook(course_id)
        if book is None:
            return None
        async with self.db.read() as tx:
            statement = sql.learner_page(False, False, False)
            learners = await tx.all(statement, course_id=course_id, limit=EXPORTED + 1)
        if len(learners) > EXPORTED:
            raise Conflict(
                "this gradebook has more than {maximum} learners; that is too many for one file",
                code="TOO_MANY_LEARNERS",
                maximum=EXPORTED,
            )
        return book, self._pages(book, learners)

    async def _pages(self, book: Book, learners: Sequence[LearnerRow]) -> AsyncIterator[list[LearnerGrades]]:
        for start in range(0, len(learners), MAX_PAGE):
            async with self.db.read() as tx:
                yield await read_grades(tx, book, learners[start : start + MAX_PAGE])

    # --- how grades are put together

    async def update_gradebook(
        self, course_id: UUID, given: Mapping[str, Any], *, expected_version: int | None = None
    ) -> Book:
        """Change the given settings. Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT)."""
        viewer_id = self.viewer.require(Action.GRADE)
        async with self.db.write() as tx:
            await own_course(tx, self.viewer, course_id)
            before = await tx.one(sql.BOOK, "course", course_id=course_id)
            fresh(before.version, expected_version)
            check = Checks()
            now = {name: getattr(before, name) for name in ("ungraded_as_zero", "scale", "exigency")}
            bands = [(band.label, band.least) for band in before.letters] if before.bands is not None else None
            clean = given_input.settings(check, {**now, "bands": bands, **given})
            check.done()
            stored = clean["bands"]
            await tx.execute(
                sql.PUT_BOOK, course_id=course_id, **{**clean, "bands": None if stored is None else Jsonb(stored)}
            )
            changes = {"after": {**clean, "exigency": str(clean["exigency"])}}
            await audit.record(tx, viewer_id, "gradebook.update", kind="course", id=course_id, changes=changes)
            return await _book(tx, course_id)

    async def set_categories(
        self, course_id: UUID, given: Sequence[Mapping[str, Any]], *, expected_version: int | None = None
    ) -> Book:
        """Say which categories there are, all of them. Items of one that goes are left without.

        Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT).
        """
        viewer_id = self.viewer.require(Action.GRADE)
        check = Checks()
        rows = given_input.category_rows(check, given)
        check.done()
        async with self.db.write() as tx:
            await own_course(tx, self.viewer, course_id)
            fresh((await tx.one(sql.BOOK, "course", course_id=course_id)).version, expected_version)
            before = await tx.all(sql.CATEGORIES, course_id=course_id)
            known, kept = {row.id for row in before}, {row["id"] for row in rows}
            for index, row in enumerate(rows):
                if row["id"] is not None and row["id"] not in known:
                    check.note(f"input.categories.{index}.id", "ID_INVALID", "this identifier is not valid here")
            check.done()
            gone = [row.id for row in before if row.id not in kept]
            if gone:
                await tx.execute(sql.LEAVE_CATEGORIES, course_id=course_id, ids=gone)
                await tx.execute(sql.DELETE_CATEGORIES, course_id=course_id, ids=gone)
            made = [{**row, "id": row["id"] or new_id(), "course_id": course_id} for row in rows]
            await tx.execute_many(sql.PUT_CATEGORY, made)
            await tx.execute(sql.TOUCH_BOOK, course_id=course_id)
            changes = {
                "before": [[row.title, str(row.weight), row.drop_lowest] for row in before],
                "after": [[row["title"], str(row["weight"]), row["drop_lowest"]] for row in rows],
            }
            await audit.record(tx, viewer_id, "gradebook.categories", kind="course", id=course_id, changes=changes)
            return await _book(tx, course_id)

    # --- what is graded

    async def create_item(
        self, course_id: UUID, given: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> ItemRow:
        """Have something graded by hand.

        Raises: NotFound, Forbidden, Invalid, Conflict (TOO_MANY, IDEMPOTENCY_KEY_REUSED).
        """
        viewer_id = self.viewer.require(Action.GRADE)
        check = Checks()
        fields = given_input.item_fields(check, given, is_quiz=False)
        key = check("input.idempotencyKey", line, idempotency_key, minimum=8, maximum=100) if idempotency_key else None
        check.done()
        async with self.db.write() as tx:
            if key is not None:
                first = await idempotency.recall(tx, viewer_id, key, "createGradeItem", [course_id, fields])
                if first is not None:
                    return await tx.one(sql.ITEMS_BY_ID, "grade item", ids=[first])
            await own_course(tx, self.viewer, course_id)
            await _check_category(tx, check, course_id, fields)
            if (await tx.scalar(sql.COUNT_MANUAL, course_id=course_id) or 0) >= MANUAL:
                raise Conflict("may have at most {maximum} entries", code="TOO_MANY", maximum=MANUAL)
            item_id = new_id()
            await tx.execute(sql.PUT_ITEM, id=item_id, course_id=course_id, quiz_id=None, **fields)
            if key is not None:
                await idempotency.settle(tx, viewer_id, key, item_id)
            return await self._changed(tx, "grade_item.create", item_id, fields)

    async def update_item(
        self, item_id: UUID, given: Mapping[str, Any], *, expected_version: int | None = None
    ) -> ItemRow:
        """Change the given fields of an item, a quiz's place in the gradebook too.

        Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT).
        """
        self.viewer.require(Action.GRADE)
        async with self.db.write() as tx:
            before = await self._own_item(tx, item_id, expected_version)
            now = {name: getattr(before, name) for name in sql.FIELDS if name != "points"}
            check = Checks()
            fields = given_input.item_fields(
                check, {**now, "points": before.own_points, **given}, is_quiz=before.quiz_id is not None
            )
            if before.quiz_id is not None and given.get("title") is not None:
                check.note("input.title", "QUIZ_TITLE", "a quiz has its own title; change it there")
            check.done()
            await _check_category(tx, check, before.course_id, fields)
            await tx.execute(sql.PUT_ITEM, id=item_id, course_id=before.course_id, quiz_id=before.quiz_id, **fields)
            return await self._changed(tx, "grade_item.update", item_id, fields)

    async def delete_item(self, item_id: UUID, *, expected_version: int | None = None) -> UUID:
        """Take away a manual item; what was given for it is kept and counts no more.

        Raises: NotFound, Forbidden, Conflict (VERSION_CONFLICT, QUIZ_ITEM).
        """
        viewer_id = self.viewer.require(Action.GRADE)
        async with self.db.write() as tx:
            item = await self._own_item(tx, item_id, expected_version)
            if item.quiz_id is not None:
                raise Conflict("a published quiz is always in the gradebook; exclude it instead", code="QUIZ_ITEM")
            await tx.execute(sql.DELETE_ITEM, id=item_id)
            await audit.record(tx, viewer_id, "grade_item.delete", kind="grade_item", id=item_id)
        return item_id

    async def _own_item(self, tx: Tx, item_id: UUID, expected_version: int | None) -> ItemRow:
        """An item of a course that the viewer teaches, its course locked."""
        found = await tx.one(sql.ITEMS_BY_ID, "grade item", ids=[item_id])
        await require_teacher(tx, self.viewer, found.course_id, "grade item")
        await own_course(tx, self.viewer, found.course_id)
        item = await tx.one(sql.ITEMS_BY_ID, "grade item", ids=[item_id])
        fresh(item.version, expected_version)
        return item

    async def _changed(self, tx: Tx, action: str, item_id: UUID, fields: Mapping[str, Any]) -> ItemRow:
        after = {name: value if isinstance(value, bool | int | None) else str(value) for name, value in fields.items()}
        viewer_id = self.viewer.user_id
        await audit.record(tx, viewer_id, action, kind="grade_item", id=item_id, changes={"after": after})
        return await tx.one(sql.ITEMS_BY_ID, "grade item", ids=[item_id])


async def _book(tx: Tx, course_id: UUID) -> Book:
    book = await read_book(tx, course_id)
    if book is None:
        raise NotFound("course")
    return book


async def _check_category(tx: Tx, check: Checks, course_id: UUID, fields: Mapping[str, Any]) -> None:
    """The course is locked, so that the category stays."""
    wanted = fields["category_id"]
    if wanted is not None and wanted not in {row.id for row in await tx.all(sql.CATEGORIES, course_id=course_id)}:
        check.note("input.categoryId", "ID_INVALID", "this identifier is not valid here")
    check.done()


def _wanted(search: str | None) -> dict[str, str]:
    check = Checks()
    text = check("search", line, search or "", maximum=SEARCH)
    check.done()
    return {"search": text} if text else {}
