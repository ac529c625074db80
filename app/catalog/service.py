"""Authors' use cases: courses, their structure and their content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.catalog import rules
from app.catalog import statements as sql
from app.catalog.circles import refuse_circle, ruled
from app.catalog.copying import copy_structure
from app.catalog.outline import CourseOutline, LessonOutline
from app.catalog.reading import CatalogReader
from app.catalog.revisions import REGATE, freeze
from app.catalog.rows import CourseRow, LessonRow, ModuleRow
from app.catalog.telling import content_changed, is_other, less_to_do
from app.db import idempotency
from app.db.changes import Changes
from app.db.database import Operation
from app.db.ids import new_id
from app.db.statements import Statement
from app.db.transaction import Tx
from app.errors import Conflict, Forbidden, NotFound
from app.identity.validators import Checks, line
from app.viewer import Action, Role, Viewer

COURSE_DEFAULTS: dict[str, Any] = {
    "title": "",
    "description": "",
    "category": None,
    "level": "all",
    "language": "es",
    "cover_url": None,
    "tags": [],
}
LESSON_DEFAULTS: dict[str, Any] = {
    "title": "",
    "summary": "",
    "is_required": True,
    "weight": 1,
    "completion": "mark_done",
    "video_threshold": rules.threshold("0.95"),
    "min_score": rules.score("60"),
    "min_seconds": 60,
}
Block = Mapping[str, Any]  # kind, title, id (optional), and the fields of its kind


@dataclass(frozen=True, slots=True)
class OutlineRows:
    """A course with everything in it, as rows to insert."""

    course: dict[str, Any]
    modules: list[dict[str, Any]]
    lessons: list[dict[str, Any]]
    blocks: list[dict[str, Any]]


class CatalogService(CatalogReader):
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer, changes: Changes) -> None:
        super().__init__(db, viewer)
        self._changes = changes

    def _changing(self) -> AbstractAsyncContextManager[Tx]:
        """A write transaction; every write here changes what the catalogue shows."""
        return self._changes.write(self.db.tenant.id, self.db.write())

    # --- courses

    async def create_course(
        self,
        given: Mapping[str, Any],
        *,
        instructor_ids: Sequence[UUID] | None = None,
        idempotency_key: str | None = None,
    ) -> CourseRow:
        """Make a draft. Its instructors are the viewer, or those an administrator names.

        Raises: Unauthenticated, Forbidden, Invalid, Conflict (IDEMPOTENCY_KEY_REUSED).
        """
        user_id = self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        fields = {**COURSE_DEFAULTS, **rules.course_fields(check, {"title": "", **given})}
        key = _key(check, idempotency_key)
        check.done()
        teachers = list(instructor_ids or [user_id])
        async with self._changing() as tx:
            first = await _recalled(tx, user_id, key, "createCourse", [fields, teachers])
            if first is not None:
                return await tx.one(sql.COURSE_FOR_UPDATE, "course", id=first)
            course_id = new_id()
            await tx.execute(sql.ADD_COURSE, id=course_id, viewer_id=user_id, copied_from=None, **fields)
            await self._set_instructors(tx, course_id, teachers)
            if key is not None:
                await idempotency.settle(tx, user_id, key, course_id)
            return await tx.one(sql.COURSE_FOR_UPDATE, "course", id=course_id)

    async def update_course(
        self,
        course_id: UUID,
        given: Mapping[str, Any],
        *,
        instructor_ids: Sequence[UUID] | None = None,
        expected_version: int | None = None,
    ) -> CourseRow:
        """Change the given fields. Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT)."""
        self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        clean = rules.course_fields(check, given)
        check.done()
        async with self._changing() as tx:
            course = await self._own_course(tx, course_id, expected_version)
            values = {name: clean.get(name, getattr(course, name)) for name in sql.COURSE_FIELDS}
            await tx.execute(sql.UPDATE_COURSE, id=course_id, **values)
            if instructor_ids is not None:
                await self._set_instructors(tx, course_id, instructor_ids)
            return await tx.one(sql.COURSE_FOR_UPDATE, "course", id=course_id)

    async def publish_course(self, course_id: UUID, *, expected_version: int | None = None) -> CourseRow:
        """Make a course visible to students, and what has changed of it count (P7).

        Publishing what is published already and has not changed does nothing.

        Raises: NotFound, Forbidden (not its instructor), Conflict (COURSE_EMPTY: no lessons; VERSION_CONFLICT).
        """
        user_id = self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            await self._own_course(tx, course_id, expected_version)
            if not await tx.scalar(sql.HAS_LESSONS, id=course_id):
                raise Conflict("a course needs at least one lesson before it is published", code="COURSE_EMPTY")
            await tx.execute(sql.PUBLISH, id=course_id)
            if await freeze(tx, course_id, user_id) is not None:
                await less_to_do(tx, course_id)
            return await tx.one(sql.COURSE_FOR_UPDATE, "course", id=course_id)

    async def unpublish_course(self, course_id: UUID, *, expected_version: int | None = None) -> CourseRow:
        """Hide a course from students; enrolments and progress wait. Raises: NotFound, Forbidden, Conflict."""
        self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            await self._own_course(tx, course_id, expected_version)
            await tx.execute(sql.UNPUBLISH, id=course_id)
            return await tx.one(sql.COURSE_FOR_UPDATE, "course", id=course_id)

    async def delete_course(self, course_id: UUID, *, expected_version: int | None = None) -> UUID:
        """Take a course away; nothing that learners did is lost. Raises: NotFound, Forbidden, Conflict."""
        self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            await self._own_course(tx, course_id, expected_version)
            await tx.execute(sql.DELETE_COURSE, id=course_id)
        return course_id

    async def copy_course(
        self, course_id: UUID, *, title: str | None = None, idempotency_key: str | None = None
    ) -> CourseRow:
        """A draft with the same modules, lessons and blocks, taught by the viewer; learners are not copied.

        Raises: NotFound, Forbidden, Invalid, Conflict (IDEMPOTENCY_KEY_REUSED).
        """
        user_id = self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        chosen = check("input.title", line, title, minimum=1, maximum=rules.TITLE) if title is not None else None
        key = _key(check, idempotency_key)
        check.done()
        async with self._changing() as tx:
            first = await _recalled(tx, user_id, key, "copyCourse", [course_id, chosen])
            if first is not None:
                return await tx.one(sql.COURSE_FOR_UPDATE, "course", id=first)
            source = await self._own_course(tx, course_id)
            values = {name: getattr(source, name) for name in sql.COURSE_FIELDS}
            values["title"] = chosen or source.title
            copy_id = new_id()
            await tx.execute(sql.ADD_COURSE, id=copy_id, viewer_id=user_id, copied_from=course_id, **values)
            await tx.execute(sql.ADD_INSTRUCTOR, course_id=copy_id, user_id=user_id, position=1)
            await copy_structure(tx, course_id, copy_id)
            if key is not None:
                await idempotency.settle(tx, user_id, key, copy_id)
            return await tx.one(sql.COURSE_FOR_UPDATE, "course", id=copy_id)

    async def write_outline(self, outline: CourseOutline, instructor_id: UUID) -> UUID:
        """Write a whole course as a draft in one transaction: it comes in whole or not at all.

        Raises: Forbidden, Invalid (the path names the module, lesson and block).
        """
        self.viewer.require(Action.EDIT_COURSES)
        rows = outline_rows(outline)
        course_id: UUID = rows.course["id"]
        async with self._changing() as tx:
            await tx.execute(sql.ADD_COURSE, viewer_id=instructor_id, copied_from=None, **rows.course)
            await tx.execute(sql.ADD_INSTRUCTOR, course_id=course_id, user_id=instructor_id, position=1)
            await tx.execute_many(sql.ADD_MODULE, rows.modules)
            await tx.execute_many(sql.ADD_LESSON, rows.lessons)
            await tx.execute_many(sql.ADD_BLOCK, rows.blocks)
        return course_id

    # --- modules

    async def create_module(
        self, course_id: UUID, *, title: str, description: str = "", idempotency_key: str | None = None
    ) -> ModuleRow:
        """Add a module at the end.

        Raises: NotFound, Forbidden, Invalid, Conflict (TOO_MANY, IDEMPOTENCY_KEY_REUSED).
        """
        user_id = self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        title, description = _titled(check, title, description)
        key = _key(check, idempotency_key)
        check.done()
        async with self._changing() as tx:
            first = await _recalled(tx, user_id, key, "createModule", [course_id, title, description])
            if first is not None:
                return await tx.one(sql.MODULE, "module", id=first)
            await self._own_course(tx, course_id)
            present = await tx.all(sql.MODULE_PLACES, id=course_id)
            _room(len(present), rules.MODULES)
            module_id = new_id()
            await tx.execute(
                sql.ADD_MODULE, id=module_id, course_id=course_id, title=title, description=description,
                position=len(present) + 1,
            )  # fmt: skip
            await tx.execute(sql.TOUCH_COURSE, id=course_id)
            if key is not None:
                await idempotency.settle(tx, user_id, key, module_id)
            return await tx.one(sql.MODULE, "module", id=module_id)

    async def update_module(
        self, module_id: UUID, *, title: str | None, description: str | None, expected_version: int | None = None
    ) -> ModuleRow:
        """Change a module's title or description. Raises: NotFound, Forbidden, Invalid, Conflict."""
        self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            await self._course_of(tx, sql.COURSE_OF_MODULE, "module", module_id)
            module = await tx.one(sql.MODULE, "module", id=module_id)
            fresh(module.version, expected_version)
            check = Checks()
            title, description = _titled(
                check,
                module.title if title is None else title,
                module.description if description is None else description,
            )
            check.done()
            await tx.execute(sql.UPDATE_MODULE, id=module_id, title=title, description=description)
            return await tx.one(sql.MODULE, "module", id=module_id)

    async def delete_module(self, module_id: UUID, *, expected_version: int | None = None) -> UUID:
        """Take a module and its lessons away. Raises: NotFound, Forbidden, Conflict (VERSION_CONFLICT)."""
        self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            course_id = await self._course_of(tx, sql.COURSE_OF_MODULE, "module", module_id)
            fresh((await tx.one(sql.MODULE, "module", id=module_id)).version, expected_version)
            await tx.execute(sql.DELETE_MODULE, id=module_id)
            await less_to_do(tx, course_id)
            left = await tx.all(sql.MODULE_PLACES, id=course_id)
            await self._place_modules(tx, [row.id for row in left])
            await tx.execute(sql.TOUCH_COURSE, id=course_id)
        return course_id

    async def reorder_modules(
        self, course_id: UUID, order: Sequence[UUID], *, expected_version: int | None = None
    ) -> CourseRow:
        """Put a course's modules in this order; it must name each of them once.

        Raises: NotFound, Forbidden, Invalid (what is unknown, twice or missing), Conflict (VERSION_CONFLICT).
        """
        self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            await self._own_course(tx, course_id, expected_version)
            check = Checks()
            present = await tx.all(sql.MODULE_PLACES, id=course_id)
            rules.check_order(check, "input.moduleIds", order, [row.id for row in present])
            check.done()
            await self._place_modules(tx, order)
            await tx.execute(sql.TOUCH_COURSE, id=course_id)
            return await tx.one(sql.COURSE_FOR_UPDATE, "course", id=course_id)

    async def _place_modules(self, tx: Tx, order: Sequence[UUID]) -> None:
        rows = [{"id": module_id, "position": position} for position, module_id in enumerate(order, 1)]
        await tx.execute_many(sql.PLACE_MODULE, rows)

    # --- lessons

    async def create_lesson(
        self,
        module_id: UUID,
        given: Mapping[str, Any],
        *,
        blocks: Sequence[Block] = (),
        idempotency_key: str | None = None,
    ) -> LessonRow:
        """Add a lesson at the end of a module.

        Raises: NotFound, Forbidden, Invalid, Conflict (TOO_MANY, IDEMPOTENCY_KEY_REUSED).
        """
        user_id = self.viewer.require(Action.EDIT_COURSES)
        lesson_id = new_id()
        check = Checks()
        fields = {**LESSON_DEFAULTS, **rules.lesson_fields(check, {"title": "", **given})}
        content = _block_rows(check, lesson_id, blocks)
        _check_block_ids(check, blocks, set())
        key = _key(check, idempotency_key)
        check.done()
        async with self._changing() as tx:
            first = await _recalled(tx, user_id, key, "createLesson", [module_id, fields, blocks])
            if first is not None:
                return await tx.one(sql.LESSON, "lesson", id=first)
            course_id = await self._course_of(tx, sql.COURSE_OF_MODULE, "module", module_id)
            present = [row for row in await tx.all(sql.LESSON_PLACES, id=course_id) if row.parent_id == module_id]
            _room(len(present), rules.LESSONS)
            await tx.execute(
                sql.ADD_LESSON, id=lesson_id, course_id=course_id, module_id=module_id, position=len(present) + 1,
                **fields,
            )  # fmt: skip
            await tx.execute_many(sql.ADD_BLOCK, content)
            await tx.execute(REGATE, id=course_id)
            await tx.execute(sql.TOUCH_COURSE, id=course_id)
            if key is not None:
                await idempotency.settle(tx, user_id, key, lesson_id)
            return await tx.one(sql.LESSON, "lesson", id=lesson_id)

    async def update_lesson(
        self,
        lesson_id: UUID,
        given: Mapping[str, Any],
        *,
        blocks: Sequence[Block] | None = None,
        expected_version: int | None = None,
    ) -> LessonRow:
        """Change the given fields; ``blocks``, when given, replace the content (a block keeps the id it comes with).

        Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT).
        """
        self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        clean = rules.lesson_fields(check, given)
        content = _block_rows(check, lesson_id, blocks or ())
        check.done()
        async with self._changing() as tx:
            await self._course_of(tx, sql.COURSE_OF_LESSON, "lesson", lesson_id)
            lesson = await tx.one(sql.LESSON, "lesson", id=lesson_id)
            fresh(lesson.version, expected_version)
            values = {name: clean.get(name, getattr(lesson, name)) for name in sql.LESSON_FIELDS}
            await tx.execute(sql.UPDATE_LESSON, id=lesson_id, **values)
            if lesson.is_required and not values["is_required"]:
                await less_to_do(tx, lesson.course_id)
            if lesson.completion != values["completion"]:
                await tx.execute(REGATE, id=lesson.course_id)
            if blocks is not None:
                present = await tx.all(sql.BLOCKS_BY_LESSON, ids=[lesson_id])
                _check_block_ids(check, blocks, {row.id for row in present})
                check.done()
                await tx.execute(sql.CLEAR_BLOCKS, id=lesson_id)
                await tx.execute_many(sql.ADD_BLOCK, content)
                if is_other(present, content):
                    await content_changed(tx, lesson.course_id, lesson_id)
            return await tx.one(sql.LESSON, "lesson", id=lesson_id)

    async def delete_lesson(self, lesson_id: UUID, *, expected_version: int | None = None) -> UUID:
        """Take a lesson away; it no longer counts for anybody's percentage.

        Raises: NotFound, Forbidden, Conflict (VERSION_CONFLICT).
        """
        self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            course_id = await self._course_of(tx, sql.COURSE_OF_LESSON, "lesson", lesson_id)
            lesson = await tx.one(sql.LESSON, "lesson", id=lesson_id)
            fresh(lesson.version, expected_version)
            await tx.execute(sql.DELETE_LESSON, id=lesson_id)
            await less_to_do(tx, course_id)
            left = [
                row.id for row in await tx.all(sql.LESSON_PLACES, id=course_id) if row.parent_id == lesson.module_id
            ]
            await self._place_lessons(tx, lesson.module_id, left)
            await tx.execute(sql.TOUCH_COURSE, id=course_id)
        return course_id

    async def reorder_lessons(
        self, module_id: UUID, order: Sequence[UUID], *, expected_version: int | None = None
    ) -> ModuleRow:
        """Put these lessons, in this order, into a module.

        The order names each of the module's lessons once; it may also name lessons of the course's other modules,
        which move here. ``expected_version`` is the course's.

        Raises: NotFound, Forbidden, Invalid (what is unknown, twice or missing), Conflict (VERSION_CONFLICT, TOO_MANY,
        RULES_CYCLE).
        """
        self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            course_id = await self._course_of(tx, sql.COURSE_OF_MODULE, "module", module_id, expected_version)
            places = await tx.all(sql.LESSON_PLACES, id=course_id)
            parents = {row.id: row.parent_id for row in places}
            here = [row.id for row in places if row.parent_id == module_id]
            moving = [item for item in order if parents.get(item, module_id) != module_id]
            check = Checks()
            rules.check_order(check, "input.lessonIds", order, [*here, *dict.fromkeys(moving)])
            check.done()
            _room(len(order) - 1, rules.LESSONS)
            await self._place_lessons(tx, module_id, order)
            for left in {parents[item] for item in moving}:
                stay = [row.id for row in places if row.parent_id == left and row.id not in moving]
                await self._place_lessons(tx, left, stay)
            if moving:
                refuse_circle(*await ruled(tx, course_id), {})
                await tx.execute(REGATE, id=course_id)
            await tx.execute(sql.TOUCH_COURSE, id=course_id)
            return await tx.one(sql.MODULE, "module", id=module_id)

    async def _place_lessons(self, tx: Tx, module_id: UUID, order: Sequence[UUID]) -> None:
        rows = [
            {"id": lesson_id, "module_id": module_id, "position": position}
            for position, lesson_id in enumerate(order, 1)
        ]
        await tx.execute_many(sql.PLACE_LESSON, rows)

    # --- shared steps

    async def _own_course(self, tx: Tx, course_id: UUID, expected_version: int | None = None) -> CourseRow:
        """Lock a course that the viewer may edit. A draft of somebody else answers like one that is not there."""
        course = await tx.one(sql.COURSE_FOR_UPDATE, "course", id=course_id)
        if self.viewer.is_(Role.INSTRUCTOR):
            mine = await tx.all(sql.TEACHES, ids=[course_id], viewer_id=self.viewer.user_id)
            if not mine:
                if course.published_at is None:
                    raise NotFound("course")
                raise Forbidden("only its own instructors can change a course")
        fresh(course.version, expected_version)
        return course

    async def _course_of(
        self, tx: Tx, course_of: Statement[UUID], thing: str, thing_id: UUID, expected_version: int | None = None
    ) -> UUID:
        """Lock the course that a module or lesson belongs to, if the viewer may edit it.

        Looked up again once the lock is there: the thing may have been deleted while this waited.
        """
        course_id = await tx.one(course_of, thing, id=thing_id)
        await self._own_course(tx, course_id, expected_version)
        return await tx.one(course_of, thing, id=thing_id)

    async def _set_instructors(self, tx: Tx, course_id: UUID, ids: Sequence[UUID]) -> None:
        wanted = list(dict.fromkeys(ids))
        check = Checks()
        if not 1 <= len(wanted) <= rules.INSTRUCTORS:
            check.note(
                "input.instructorIds", "OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=1,
                maximum=rules.INSTRUCTORS,
            )  # fmt: skip
        check.done()
        if self.viewer.is_(Role.INSTRUCTOR) and self.viewer.user_id not in wanted:
            raise Forbidden("an instructor cannot give a course away; ask an administrator")
        teachers = set(await tx.all(sql.TEACHERS_AMONG, ids=wanted))
        for index, user_id in enumerate(wanted):
            if user_id not in teachers:
                path = f"input.instructorIds.{index}"
                check.note(path, "NOT_AN_INSTRUCTOR", "is not an instructor of this organisation")
        check.done()
        await tx.execute(sql.CLEAR_INSTRUCTORS, course_id=course_id)
        rows = [
            {"course_id": course_id, "user_id": user_id, "position": position}
            for position, user_id in enumerate(wanted, 1)
        ]
        await tx.execute_many(sql.ADD_INSTRUCTOR, rows)


def _titled(check: Checks, title: str, description: str, prefix: str = "input") -> tuple[str, str]:
    title = check(f"{prefix}.title", line, title, minimum=1, maximum=rules.TITLE)
    return title, check(f"{prefix}.description", rules.rich_text, description, maximum=rules.DESCRIPTION)


def _key(check: Checks, idempotency_key: str | None) -> str | None:
    if not idempotency_key:
        return None
    return check("input.idempotencyKey", line, idempotency_key, minimum=8, maximum=100)


async def _recalled(tx: Tx, user_id: UUID, key: str | None, operation: str, payload: object) -> UUID | None:
    """What the first request with this key made, if there was one."""
    return None if key is None else await idempotency.recall(tx, user_id, key, operation, payload)


def outline_rows(outline: CourseOutline) -> OutlineRows:
    """Clean a whole course. Raises Invalid (the path names the module, lesson and block)."""
    check = Checks()
    given = {name: getattr(outline, name) for name in sql.COURSE_FIELDS}
    course = {**COURSE_DEFAULTS, **rules.course_fields(check, given, "course"), "id": new_id()}
    rows = OutlineRows(course, [], [], [])
    _check_number(check, "modules", len(outline.modules), rules.MODULES)
    for m, module in enumerate(outline.modules, 1):
        path = f"modules.{m}"
        title, description = _titled(check, module.title, module.description, path)
        place = {"id": new_id(), "course_id": course["id"], "position": m}
        rows.modules.append({**place, "title": title, "description": description})
        _check_number(check, f"{path}.lessons", len(module.lessons), rules.LESSONS)
        for n, lesson in enumerate(module.lessons, 1):
            _outline_lesson(check, rows, {"module_id": place["id"], "position": n}, lesson, f"{path}.lessons.{n}")
    check.done()
    return rows


def _outline_lesson(
    check: Checks, rows: OutlineRows, place: Mapping[str, Any], lesson: LessonOutline, path: str
) -> None:
    lesson_id = new_id()
    given = {name: getattr(lesson, name) for name in ("title", "summary", "is_required", "weight", "completion")}
    fields = {**LESSON_DEFAULTS, **rules.lesson_fields(check, given, path)}
    rows.lessons.append({**place, **fields, "id": lesson_id, "course_id": rows.course["id"]})
    blocks = [{**block.content, "kind": block.kind, "title": block.title} for block in lesson.blocks]
    rows.blocks.extend(_block_rows(check, lesson_id, blocks, path))


def _block_rows(check: Checks, lesson_id: UUID, blocks: Sequence[Block], prefix: str = "input") -> list[dict[str, Any]]:
    _check_number(check, f"{prefix}.blocks", len(blocks), rules.BLOCKS)
    rows = [
        _block_row(check, lesson_id, index + 1, block, f"{prefix}.blocks.{index}") for index, block in enumerate(blocks)
    ]
    if len({row["id"] for row in rows}) < len(rows):
        check.note(f"{prefix}.blocks", "ORDER_DUPLICATE", "is in the list twice")
    return rows


def _block_row(check: Checks, lesson_id: UUID, position: int, block: Block, path: str) -> dict[str, Any]:
    kind = str(block["kind"])
    return {
        "id": block.get("id") or new_id(),
        "lesson_id": lesson_id,
        "position": position,
        "kind": kind,
        "title": check(f"{path}.title", line, block.get("title") or "", maximum=rules.TITLE),
        "content": Jsonb(rules.block_content(check, kind, block, path)),
    }


def _check_number(check: Checks, path: str, number: int, maximum: int) -> None:
    if number > maximum:
        check.note(path, "TOO_MANY", "may have at most {maximum} entries", maximum=maximum)


def _check_block_ids(check: Checks, blocks: Sequence[Block], present: Set[UUID]) -> None:
    """A block that comes with an identifier is one that the lesson has; others would be taken from another lesson."""
    for index, block in enumerate(blocks):
        if block.get("id") is not None and block["id"] not in present:
            check.note(f"input.blocks.{index}.id", "ID_INVALID", "this identifier is not valid here")


def fresh(version: int, expected: int | None) -> None:
    if expected is not None and expected != version:
        raise Conflict(
            "this was changed meanwhile; read it again and repeat your change", code="VERSION_CONFLICT", current=version
        )


def _room(present: int, maximum: int) -> None:
    if present >= maximum:
        raise Conflict("may have at most {maximum} entries", code="TOO_MANY", maximum=maximum)
