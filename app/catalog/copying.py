"""Copying what is in a course into another one."""

from __future__ import annotations

from uuid import UUID

from psycopg.types.json import Jsonb

from app.catalog import statements as sql
from app.catalog.release import moved
from app.catalog.revisions import REGATE
from app.db.ids import new_id
from app.db.transaction import Tx

COPIED = 100  # lessons whose blocks are copied at a time: as many as a read of blocks returns whole


async def copy_structure(tx: Tx, source: UUID, target: UUID) -> None:
    """Copy modules with their rules, lessons and blocks; rules of the copy are about the copies."""
    modules = await tx.all(sql.RULED_MODULES_BY_COURSE, ids=[source])
    lessons = await tx.all(sql.LESSONS_BY_MODULE, ids=[module.id for module in modules])
    made = {old: new_id() for old in (*(row.id for row in modules), *(row.id for row in lessons))}
    await tx.execute_many(
        sql.ADD_MODULE,
        [
            {"id": made[m.id], "course_id": target, "title": m.title, "description": m.description,
             "position": m.position}
            for m in modules
        ],
    )  # fmt: skip
    await tx.execute_many(
        sql.ADD_LESSON,
        [
            {"id": made[row.id], "course_id": target, "module_id": made[row.module_id], "position": row.position,
             **{name: getattr(row, name) for name in sql.LESSON_FIELDS}}
            for row in lessons
        ],
    )  # fmt: skip
    for start in range(0, len(lessons), COPIED):
        blocks = await tx.all(sql.BLOCKS_BY_LESSON, ids=[row.id for row in lessons[start : start + COPIED]])
        await tx.execute_many(
            sql.ADD_BLOCK,
            [
                {"id": new_id(), "lesson_id": made[b.lesson_id], "position": b.position, "kind": b.kind,
                 "title": b.title, "content": Jsonb(b.content)}
                for b in blocks
            ],
        )  # fmt: skip
    ruled = [row for row in modules if row.rules is not None or row.requirement_count is not None]
    await tx.execute_many(
        sql.COPY_MODULE_RULES,
        [
            {"id": made[row.id], "rules": _json(row.rules, made), "requirement_count": row.requirement_count}
            for row in ruled
        ],
    )
    gated = [row for row in lessons if row.rules is not None]
    await tx.execute_many(sql.COPY_LESSON_RULES, [{"id": made[r.id], "rules": _json(r.rules, made)} for r in gated])
    if ruled or gated:
        await tx.execute(REGATE, id=target)


def _json(rule: dict[str, object] | None, made: dict[UUID, UUID]) -> Jsonb | None:
    return None if rule is None else Jsonb(moved(rule, made))
