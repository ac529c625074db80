"""Rules of a course that wait for each other are refused when they are made, whoever makes them (P6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, and_, bindparam, select

from app.catalog import release
from app.catalog.tables import lessons, modules
from app.db.statements import Statement
from app.db.transaction import Tx
from app.errors import Conflict

_ID = bindparam("id", type_=Uuid)


@dataclass(slots=True, eq=False)
class RuledRow:
    """A module or lesson and its rules; a module's ``parent_id`` is its course."""

    id: UUID
    parent_id: UUID
    title: str
    rules: dict[str, Any] | None


MODULES = Statement(
    select(modules.c.id, modules.c.course_id.label("parent_id"), modules.c.title, modules.c.rules)
    .where(modules.c.course_id == _ID, modules.c.deleted_at.is_(None))
    .order_by(modules.c.position, modules.c.id)
    .limit(1000),
    RuledRow,
)
LESSONS = Statement(
    select(lessons.c.id, lessons.c.module_id.label("parent_id"), lessons.c.title, lessons.c.rules)
    .join(modules, and_(modules.c.id == lessons.c.module_id, modules.c.deleted_at.is_(None)))
    .where(lessons.c.course_id == _ID, lessons.c.deleted_at.is_(None))
    .order_by(modules.c.position, lessons.c.position, lessons.c.id)
    .limit(40_000),
    RuledRow,
)


async def ruled(tx: Tx, course_id: UUID) -> tuple[list[RuledRow], list[RuledRow]]:
    """The modules and lessons of a course with their rules."""
    return await tx.all(MODULES, id=course_id), await tx.all(LESSONS, id=course_id)


def refuse_circle(
    module_rows: Sequence[RuledRow], lesson_rows: Sequence[RuledRow], changed: Mapping[UUID, release.Rule | None]
) -> None:
    """P6. Raises: Conflict (RULES_CYCLE) naming what waits for what, all the way round."""
    titles = {row.id: row.title for row in (*module_rows, *lesson_rows)}
    circle = release.find_circle(
        {row.id: changed.get(row.id, row.rules) for row in module_rows},
        {row.id: (row.parent_id, changed.get(row.id, row.rules)) for row in lesson_rows},
    )
    if circle:
        path = " → ".join(titles[key] for _, key in circle)
        raise Conflict("these would wait for each other forever: {path}", code="RULES_CYCLE", path=path)
