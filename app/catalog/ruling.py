"""Authors' use cases about what learners must do and when: rules of release, revisions, changes of content."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, Integer, Text, Uuid, any_, bindparam, func, null, select, update
from sqlalchemy.dialects.postgresql import JSONB

from app.catalog import release, rules
from app.catalog import statements as sql
from app.catalog.circles import refuse_circle, ruled
from app.catalog.revisions import REGATE
from app.catalog.rows import CourseRow, LessonRow, ModuleRow
from app.catalog.service import CatalogService, fresh
from app.catalog.tables import courses, lessons, modules
from app.catalog.telling import less_to_do
from app.db.statements import Statement
from app.db.transaction import Tx
from app.identity.validators import Checks
from app.viewer import Action

_ID = bindparam("id", type_=Uuid)


@dataclass(slots=True, eq=False)
class PolicyRow:
    """What a course says about its revisions and about changes of its content."""

    id: UUID
    revision: int | None
    pinned_from: int | None
    content_change: str | None


SET_MODULE_RULES = Statement(
    update(modules)
    .where(modules.c.id == _ID)
    .values(
        rules=bindparam("rules", type_=JSONB),
        requirement_count=bindparam("requirement_count", type_=Integer, required=True),
        version=modules.c.version + 1,
        updated_at=func.now(),
    ),
    int,
)
SET_LESSON_RULES = Statement(
    update(lessons)
    .where(lessons.c.id == _ID)
    .values(rules=bindparam("rules", type_=JSONB), version=lessons.c.version + 1, updated_at=func.now()),
    int,
)
POLICY = Statement(
    select(*(courses.c[name] for name in PolicyRow.__dataclass_fields__)).where(
        courses.c.id == any_(bindparam("ids", type_=ARRAY(Uuid)))
    ),
    PolicyRow,
)
_CONTENT = {"content_change": bindparam("content_change", type_=Text, required=True)}
# Who was at a revision stays there; who enrols later stays with what is the newest then.
PIN = Statement(
    update(courses)
    .where(courses.c.id == _ID)
    .values(pinned_from=func.coalesce(courses.c.pinned_from, courses.c.revision, 1), **_CONTENT),
    int,
)
FOLLOW = Statement(update(courses).where(courses.c.id == _ID).values(pinned_from=null(), **_CONTENT), int)


class RuleAuthor(CatalogService):
    """One operation's use cases in one tenant."""

    async def set_module_rules(
        self,
        module_id: UUID,
        rule: release.Rule | None,
        *,
        requirement_count: int | None = None,
        expected_version: int | None = None,
    ) -> ModuleRow:
        """Say when a module opens (None: at once), and how many of its required lessons make it done (None: all).

        Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT, RULES_CYCLE).
        """
        self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            course_id = await self._course_of(tx, sql.COURSE_OF_MODULE, "module", module_id)
            fresh((await tx.one(sql.MODULE, "module", id=module_id)).version, expected_version)
            check = Checks()
            if requirement_count is not None:
                check("input.requirementCount", rules.between, requirement_count, minimum=1, maximum=rules.LESSONS)
            kept = await self._judged(tx, check, course_id, module_id, rule)
            await tx.execute(SET_MODULE_RULES, id=module_id, rules=kept, requirement_count=requirement_count)
            await self._ruled(tx, course_id)
            return await tx.one(sql.MODULE, "module", id=module_id)

    async def set_lesson_rules(
        self, lesson_id: UUID, rule: release.Rule | None, *, expected_version: int | None = None
    ) -> LessonRow:
        """Say when a lesson opens (None: with its module).

        Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT, RULES_CYCLE).
        """
        self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            course_id = await self._course_of(tx, sql.COURSE_OF_LESSON, "lesson", lesson_id)
            fresh((await tx.one(sql.LESSON, "lesson", id=lesson_id)).version, expected_version)
            kept = await self._judged(tx, Checks(), course_id, lesson_id, rule)
            await tx.execute(SET_LESSON_RULES, id=lesson_id, rules=kept)
            await self._ruled(tx, course_id)
            return await tx.one(sql.LESSON, "lesson", id=lesson_id)

    async def _judged(
        self, tx: Tx, check: Checks, course_id: UUID, target: UUID, rule: release.Rule | None
    ) -> Jsonb | None:
        """The rule as it is kept. Raises: Invalid, Conflict (RULES_CYCLE; the sentence names the way round)."""
        module_rows, lesson_rows = await ruled(tx, course_id)
        kept = None
        if rule is not None:
            titles = [{row.id: row.title for row in rows} for rows in (lesson_rows, module_rows)]
            kept = release.clean_rule(check, rule, *titles)
        check.done()
        refuse_circle(module_rows, lesson_rows, {target: kept})
        return None if kept is None else Jsonb(kept)

    async def _ruled(self, tx: Tx, course_id: UUID) -> None:
        await tx.execute(REGATE, id=course_id)
        await tx.execute(sql.TOUCH_COURSE, id=course_id)

    async def set_course_policies(
        self,
        course_id: UUID,
        *,
        is_pinned: bool,
        content_change: str | None,
        expected_version: int | None = None,
    ) -> CourseRow:
        """Say whether learners stay with their revision, and what a change of content means (None: the house's rule).

        Raises: NotFound, Forbidden, Conflict (VERSION_CONFLICT).
        """
        self.viewer.require(Action.EDIT_COURSES)
        async with self._changing() as tx:
            await self._own_course(tx, course_id, expected_version)
            await tx.execute(PIN if is_pinned else FOLLOW, id=course_id, content_change=content_change)
            await self._ruled(tx, course_id)
            await less_to_do(tx, course_id)
            return await tx.one(sql.COURSE_FOR_UPDATE, "course", id=course_id)

    async def policy_by_course(self, ids: list[UUID]) -> list[PolicyRow]:
        """What these courses, which were shown to the viewer, say about revisions and content."""
        async with self.db.read() as tx:
            return await tx.all(POLICY, ids=ids)
