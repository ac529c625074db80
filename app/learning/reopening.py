"""What a change of a lesson's content means to who had completed it (P8): it stays done, or is to be done anew."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Text, Uuid, any_, bindparam, func, literal, null, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.catalog.tables import courses
from app.db.database import Operation
from app.db.statements import Statement
from app.db.transaction import Tx
from app.learning import statements as sql
from app.learning.completing import FIRST
from app.learning.progress_tables import learning_policy
from app.learning.tables import enrollments, lesson_progress
from app.viewer import Action, Viewer

KEEP, REOPEN = "keep", "reopen"
_AT = bindparam("at", type_=DateTime(timezone=True))
_HOUSE = select(learning_policy.c.content_change).where(learning_policy.c.id == 1).scalar_subquery()

POLICY = Statement(select(func.coalesce(_HOUSE, KEEP, type_=Text)), str)
COURSE_POLICY = Statement(
    select(func.coalesce(courses.c.content_change, _HOUSE, KEEP, type_=Text)).where(
        courses.c.id == bindparam("id", type_=Uuid)
    ),
    str,
)
_SET = {"content_change": bindparam("content_change", type_=Text)}
SET_POLICY = Statement(
    upsert(learning_policy)
    .values(id=literal(1), **_SET)
    .on_conflict_do_update(index_elements=["id"], set_={**_SET, "updated_at": func.now()}),
    int,
)
LEARNERS_FOR_UPDATE = Statement(
    select(enrollments.c.id)
    .where(
        enrollments.c.course_id == bindparam("course_id", type_=Uuid),
        sql.LEARNING,
        enrollments.c.id > bindparam("after", type_=Uuid),
    )
    .order_by(enrollments.c.id)
    .limit(1000)
    .with_for_update(),
    UUID,
)
# Who has opened it since has seen what is new. What was begun stays begun, so that no rule locks it.
REOPEN_LESSON = Statement(
    update(lesson_progress)
    .where(
        lesson_progress.c.enrollment_id == any_(bindparam("ids", type_=ARRAY(Uuid))),
        lesson_progress.c.lesson_id == bindparam("lesson_id", type_=Uuid),
        lesson_progress.c.completed_at < _AT,
        func.coalesce(lesson_progress.c.seen_at, lesson_progress.c.completed_at) < _AT,
        lesson_progress.c.excused_at.is_(None),
    )
    .values(completed_at=null(), basis=null(), score=null(), percent=0, counts_from=_AT, updated_at=func.now()),
    int,
)


async def reopen_changed(tx: Tx, course_id: UUID, lesson_id: UUID, at: datetime) -> None:
    """Reopen a lesson that was changed, where that is the policy. A completed course stays completed."""
    if await tx.scalar(COURSE_POLICY, id=course_id) != REOPEN:
        return
    after = FIRST
    while ids := await tx.all(LEARNERS_FOR_UPDATE, course_id=course_id, after=after):
        await tx.execute(REOPEN_LESSON, ids=ids, lesson_id=lesson_id, at=at)
        after = ids[-1]


class PolicyService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def content_change(self) -> str:
        """What a change of content means where a course says nothing: ``keep`` or ``reopen``."""
        self.viewer.require(Action.EDIT_COURSES)
        async with self.db.read() as tx:
            return await tx.one(POLICY)

    async def set_content_change(self, choice: str) -> str:
        """Decide it for the organisation; changes from now on are concerned."""
        self.viewer.require(Action.MANAGE_USERS)
        async with self.db.write() as tx:
            await tx.execute(SET_POLICY, content_change=choice)
        return choice
