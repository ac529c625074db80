"""Freezing what counts in a course when it is published, and knowing which lessons have to be judged."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Integer,
    Select,
    Uuid,
    and_,
    bindparam,
    cast,
    func,
    insert,
    or_,
    select,
    update,
)

from app.catalog.revision_tables import course_revisions, revision_lessons
from app.catalog.tables import courses, lessons, modules
from app.db.statements import Statement
from app.db.transaction import Tx

_ID = bindparam("id", type_=Uuid)
_NUMBER = bindparam("number", type_=Integer)
_TAKEN = ("is_required", "weight", "completion", "video_threshold", "min_score", "min_seconds", "content_version")
_FIELDS = ("lesson_id", "module_id", "module_position", "position", *_TAKEN)


def _live(*first: Any) -> Select[Any]:
    return (
        select(
            *first,
            lessons.c.id.label("lesson_id"),
            lessons.c.module_id,
            modules.c.position.label("module_position"),
            lessons.c.position,
            *(lessons.c[name] for name in _TAKEN),
        )
        .join(modules, modules.c.id == lessons.c.module_id)
        .where(lessons.c.course_id == _ID, lessons.c.deleted_at.is_(None), modules.c.deleted_at.is_(None))
    )


_LAST = select(*(revision_lessons.c[name] for name in _FIELDS)).where(
    revision_lessons.c.course_id == _ID,
    revision_lessons.c.number == select(courses.c.revision).where(courses.c.id == _ID).scalar_subquery(),
)
DIFFERS = Statement(
    select(
        or_(
            select(courses.c.revision).where(courses.c.id == _ID).scalar_subquery().is_(None),
            _live().except_(_LAST).exists(),
            _LAST.except_(_live()).exists(),
        )
    ),
    bool,
)
NEXT_NUMBER = Statement(
    update(courses)
    .where(courses.c.id == _ID)
    .values(revision=func.coalesce(courses.c.revision, 0) + 1)
    .returning(courses.c.revision),
    int,
)
ADD_REVISION = Statement(
    insert(course_revisions).values(
        course_id=_ID, number=_NUMBER, published_at=func.now(), published_by=bindparam("by", type_=Uuid)
    ),
    int,
)
ADD_LESSONS = Statement(
    insert(revision_lessons).from_select(
        ["course_id", "number", *_FIELDS],
        _live(cast(_ID, Uuid).label("course_id"), cast(_NUMBER, Integer).label("number")),
    ),
    int,
)
# Revisions that may be somebody's: where learners follow the newest, that one alone.
_COMPLETED_OTHERWISE = (
    select(revision_lessons.c.lesson_id)
    .join(courses, courses.c.id == revision_lessons.c.course_id)
    .where(
        revision_lessons.c.lesson_id == lessons.c.id,
        revision_lessons.c.number >= func.coalesce(courses.c.pinned_from, courses.c.revision),
        revision_lessons.c.completion != lessons.c.completion,
    )
    .correlate(lessons)
    .exists()
)
_GATED = or_(
    lessons.c.rules.is_not(None),
    select(modules.c.id)
    .where(modules.c.id == lessons.c.module_id, modules.c.rules.is_not(None))
    .correlate(lessons)
    .exists(),
    _COMPLETED_OTHERWISE,
)
REGATE = Statement(
    update(lessons).where(and_(lessons.c.course_id == _ID, lessons.c.gated != _GATED)).values(gated=_GATED), int
)
CHANGE_CONTENT = Statement(
    update(lessons)
    .where(lessons.c.id == _ID)
    .values(content_version=lessons.c.content_version + 1, content_changed_at=func.now())
    .returning(lessons.c.content_changed_at),
    datetime,
)


async def freeze(tx: Tx, course_id: UUID, by: UUID) -> int | None:
    """Make a new revision of a course that the caller has locked; None when nothing that counts has changed since."""
    if not await tx.scalar(DIFFERS, id=course_id):
        return None
    number = await tx.one(NEXT_NUMBER, "course", id=course_id)
    await tx.execute(ADD_REVISION, id=course_id, number=number, by=by)
    await tx.execute(ADD_LESSONS, id=course_id, number=number)
    await tx.execute(REGATE, id=course_id)
    return number
