"""Readers' use cases: what of the catalogue somebody sees, one at a time and by the level."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.catalog import statements as sql
from app.catalog.rows import BlockRow, CourseRow, InstructorRow, LessonRow, ModuleRow
from app.db.database import Operation
from app.db.paging import Page, PageRequest, key_params, page_of
from app.identity.validators import Checks
from app.viewer import Action, Viewer


def scope_of(viewer: Viewer) -> str:
    """Which courses somebody sees (``statements.visible``): all, published ones and their own, or published ones."""
    if viewer.may(Action.EDIT_ANY_COURSE):
        return "all"
    return "own" if viewer.may(Action.READ_DRAFTS) else "published"


# Of websearch_to_tsquery: a quoted phrase, or a word that must not occur.
OPERATORS = re.compile(r'"|(?:^|\s)-\w')


class CatalogReader:
    """One operation's reads in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    @property
    def scope(self) -> str:
        """Which courses the viewer sees (``statements.visible``)."""
        return scope_of(self.viewer)

    def _who(self) -> dict[str, Any]:
        viewer_id = self.viewer.require(Action.READ_CATALOG)
        return {"viewer_id": viewer_id} if self.scope == "own" else {}

    async def courses(
        self, page: PageRequest, order: str, filters: Mapping[str, Any], *, brief: bool = False
    ) -> Page[CourseRow]:
        """A page of the courses the viewer sees; ``filters`` by the names in ``statements.FILTERS``.

        ``brief``: the rows lack ``statements.LONG_COLUMNS``.

        Raises: Unauthenticated, Invalid (RELEVANCE without a search).
        """
        used, params = self._filters(filters)
        if order == "RELEVANCE" and "search" not in params:
            check = Checks()
            check.note("sort", "SORT_NEEDS_SEARCH", "sorting by relevance needs something to search for")
            check.done()
        statement = sql.course_page(self.scope, used, order, page.key is not None, page.backward, brief)
        async with self.db.read() as tx:
            return page_of(page, await tx.all(statement, **key_params(page), **params))

    async def count_courses(self, filters: Mapping[str, Any]) -> int:
        """How many courses the viewer sees with these filters."""
        used, params = self._filters(filters)
        async with self.db.read() as tx:
            return await tx.scalar(sql.course_count(self.scope, used), **params) or 0

    def _filters(self, filters: Mapping[str, Any]) -> tuple[frozenset[str], dict[str, Any]]:
        params = self._who()
        used = frozenset(filters)
        if OPERATORS.search(filters.get("search", "")):
            used = used - {"search"} | {"exact"}
        if "mine" in used:
            params["viewer_id"] = self.viewer.require(Action.READ_CATALOG)
        flags = {"mine", "published", "draft"}
        return used, {**params, **{name: value for name, value in filters.items() if name not in flags}}

    async def courses_by_id(self, ids: list[UUID]) -> list[CourseRow]:
        """The courses among these that the viewer sees."""
        who = self._who()
        async with self.db.read() as tx:
            return await tx.all(sql.courses_by_id(self.scope), ids=ids, **who)

    async def modules_by_id(self, ids: list[UUID]) -> list[ModuleRow]:
        """The modules among these whose course the viewer sees."""
        who = self._who()
        async with self.db.read() as tx:
            return await tx.all(sql.modules_by_id(self.scope), ids=ids, **who)

    async def lessons_by_id(self, ids: list[UUID]) -> list[LessonRow]:
        """The lessons among these whose course the viewer sees."""
        who = self._who()
        async with self.db.read() as tx:
            return await tx.all(sql.lessons_by_id(self.scope), ids=ids, **who)

    async def modules_by_course(self, ids: list[UUID]) -> list[ModuleRow]:
        """Modules of courses that were shown to the viewer, by position."""
        async with self.db.read() as tx:
            return await tx.all(sql.MODULES_BY_COURSE, ids=ids)

    async def ruled_modules_by_course(self, ids: list[UUID]) -> list[ModuleRow]:
        """The same with their rules."""
        async with self.db.read() as tx:
            return await tx.all(sql.RULED_MODULES_BY_COURSE, ids=ids)

    async def lessons_by_module(self, ids: list[UUID]) -> list[LessonRow]:
        """Lessons of modules that were shown to the viewer, by position."""
        async with self.db.read() as tx:
            return await tx.all(sql.LESSONS_BY_MODULE, ids=ids)

    async def lesson_titles_by_module(self, ids: list[UUID]) -> list[LessonRow]:
        """The same with nothing but ids, titles and positions."""
        async with self.db.read() as tx:
            return await tx.all(sql.LESSON_TITLES_BY_MODULE, ids=ids)

    async def blocks_by_lesson(self, ids: list[UUID]) -> list[BlockRow]:
        """Content of lessons that the viewer may read, by position."""
        async with self.db.read() as tx:
            return await tx.all(sql.BLOCKS_BY_LESSON, ids=ids)

    async def instructors_by_course(self, ids: list[UUID]) -> list[InstructorRow]:
        """Who teaches these courses, the first named first."""
        async with self.db.read() as tx:
            return await tx.all(sql.INSTRUCTORS_BY_COURSE, ids=ids)

    async def lesson_count_by_course(self, ids: list[UUID]) -> dict[UUID, int]:
        """How many lessons these courses have."""
        async with self.db.read() as tx:
            return {row.key: row.count for row in await tx.all(sql.LESSON_COUNTS, ids=ids)}

    async def taught_by_me(self, ids: list[UUID]) -> dict[UUID, bool]:
        """Which of these courses the viewer may edit: any for an administrator, one's own for an instructor."""
        if self.viewer.may(Action.EDIT_ANY_COURSE):
            return dict.fromkeys(ids, True)
        if not self.viewer.may(Action.EDIT_COURSES):
            return {}
        async with self.db.read() as tx:
            return dict.fromkeys(await tx.all(sql.TEACHES, ids=ids, viewer_id=self.viewer.user_id), True)
