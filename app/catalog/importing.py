"""Open edX courses become ours."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.catalog.olx import OlxBlock, OlxCourse
from app.catalog.outline import BlockOutline, CourseOutline, LessonOutline, ModuleOutline
from app.catalog.service import CatalogService, outline_rows
from app.catalog.statements import TEACHER_BY_EMAIL
from app.db.changes import Changes
from app.db.database import Database, Operation
from app.tenancy.records import Tenant
from app.viewer import Role, Viewer


async def check_olx(database: Database, tenant: Tenant, instructor_email: str, course: OlxCourse) -> None:
    """Raise what ``import_olx`` would raise, and write nothing."""
    await teacher_of(Operation(database, tenant.handle), instructor_email)
    outline_rows(outline_of(course))


async def import_olx(
    database: Database, changes: Changes, tenant: Tenant, instructor_email: str, course: OlxCourse
) -> UUID:
    """Write a course that was read from OLX, as a draft of this instructor; returns its id.

    Raises: NotFound (no such instructor), Invalid (a block that is too large; the path names it).
    """
    db = Operation(database, tenant.handle)
    teacher = await teacher_of(db, instructor_email)
    viewer = Viewer(teacher, tenant.id, None, Role.ADMIN)
    return await CatalogService(db, viewer, changes).write_outline(outline_of(course), teacher)


async def teacher_of(db: Operation, email: str) -> UUID:
    """The instructor or administrator with this address. Raises: NotFound."""
    async with db.write() as tx:
        return await tx.one(TEACHER_BY_EMAIL, "instructor", email=email.strip().lower())


def outline_of(course: OlxCourse) -> CourseOutline:
    """The course in our terms."""
    return CourseOutline(
        title=course.title,
        description=course.description_html,
        language=course.language,
        modules=tuple(
            ModuleOutline(
                module.title,
                tuple(
                    LessonOutline(lesson.title, tuple(_block(block) for block in lesson.blocks))
                    for lesson in module.lessons
                ),
            )
            for module in course.modules
        ),
    )


def _block(block: OlxBlock) -> BlockOutline:
    content: dict[str, Any] = dict(block.content)
    return BlockOutline(block.kind, content, block.title)
