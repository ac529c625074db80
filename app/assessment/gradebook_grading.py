"""Giving grades by hand and excusing learners: many cells at once, none of them over what somebody else has written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.assessment import gradebook_statements as sql
from app.assessment.ending import lock_learners
from app.assessment.gradebook_input import GivenGrade, given_grades, number
from app.assessment.gradebook_input import reason as cleaned_reason
from app.assessment.gradebook_rows import GradeRow, ItemRow
from app.assessment.owning import require_teacher
from app.db import audit
from app.db.database import Operation
from app.db.outbox import publish
from app.db.transaction import Tx
from app.errors import Conflict
from app.identity.validators import Checks
from app.viewer import Action, Viewer

CHANGED = "grade_changed"


class GradeConflict(Conflict):
    """Somebody has graded some of the cells since they were read; ``cells`` are those as they are now."""

    code = "VERSION_CONFLICT"

    def __init__(
        self,
        cells: Sequence[GradeRow],
        message: str = "this was changed meanwhile; read it again and repeat your change",
    ) -> None:
        super().__init__(message)
        self.cells = cells


class GradeService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def grade(self, course_id: UUID, grades: Sequence[GivenGrade]) -> list[UUID]:
        """Give learners points for manual items, or excuse them: all of these or, if one is refused, none.

        Returns the learners. Raises: NotFound, Invalid (also QUIZ_ITEM: its answers are graded), GradeConflict.
        """
        self.viewer.require(Action.GRADE)
        check = Checks()
        wanted = given_grades(check, grades)
        check.done()
        async with self.db.write() as tx:
            items, before = await self._locked(tx, course_id, wanted)
            for index, given in enumerate(wanted):
                item, path = items.get(given.item_id), f"input.grades.{index}"
                if item is not None and item.quiz_id is not None:
                    check.note(f"{path}.itemId", "QUIZ_ITEM", "a quiz is graded by grading its answers")
                elif item is not None:
                    number(check, f"{path}.points", given.points, 0, item.points, 2)
            await self._write(tx, check, course_id, wanted, items, before, "grade.give")
        return [given.user_id for given in wanted]

    async def excuse(self, course_id: UUID, given: GivenGrade, *, is_excused: bool, reason: str) -> list[UUID]:
        """Have an item, a quiz too, not count for a learner, or count again. What they reached in it is kept.

        Returns the learner. Raises: NotFound, Invalid, GradeConflict.
        """
        self.viewer.require(Action.GRADE)
        check = Checks()
        reason = cleaned_reason(check, reason)
        check.done()
        async with self.db.write() as tx:
            items, before = await self._locked(tx, course_id, [given])
            now = before.get((given.item_id, given.user_id))
            wanted = replace(given, points=None if now is None else now.points, is_excused=is_excused)
            await self._write(tx, check, course_id, [wanted], items, before, "grade.excuse", reason)
        return [given.user_id]

    async def _locked(
        self, tx: Tx, course_id: UUID, wanted: Sequence[GivenGrade]
    ) -> tuple[dict[UUID, ItemRow], dict[tuple[UUID, UUID], GradeRow]]:
        """The items and the grades there are, after locking the learners' enrolments and the items."""
        await require_teacher(tx, self.viewer, course_id, "course")
        user_ids = list({given.user_id for given in wanted})
        await lock_learners(tx, course_id, user_ids)
        found = await tx.all(sql.ITEMS_BY_ID, ids=list({given.item_id for given in wanted}))
        found = [item for item in found if item.course_id == course_id]
        quizzes = sorted(item.id for item in found if item.quiz_id is not None and item.version == 0)
        await tx.execute_many(sql.ENSURE_QUIZ_ITEM, [{"id": key, "course_id": course_id} for key in quizzes])
        there = set(await tx.all(sql.ITEMS_FOR_SHARE, ids=[item.id for item in found]))
        grades = await tx.all(sql.GRADES, course_id=course_id, ids=user_ids)
        return {item.id: item for item in found if item.id in there}, {
            (row.item_id, row.user_id): row for row in grades
        }

    async def _write(
        self,
        tx: Tx,
        check: Checks,
        course_id: UUID,
        wanted: Sequence[GivenGrade],
        items: dict[UUID, ItemRow],
        before: dict[tuple[UUID, UUID], GradeRow],
        action: str,
        reason: str | None = None,
    ) -> None:
        learners = await tx.all(sql.LEARNERS_BY_ID, course_id=course_id, ids=list({given.user_id for given in wanted}))
        known = {learner.user_id for learner in learners}
        for index, given in enumerate(wanted):
            for name, is_known in (("itemId", given.item_id in items), ("userId", given.user_id in known)):
                if not is_known:
                    path = f"input.{name}" if action == "grade.excuse" else f"input.grades.{index}.{name}"
                    check.note(path, "ID_INVALID", "this identifier is not valid here")
        check.done()
        stale = [given for given in wanted if _version(before, given) != given.expected_version]
        if stale:
            raise GradeConflict([now for given in stale if (now := before.get((given.item_id, given.user_id)))])
        rows = [_row(course_id, given, before.get((given.item_id, given.user_id))) for given in wanted]
        viewer_id = self.viewer.user_id
        await tx.execute_many(sql.PUT_GRADE, [{**row, "viewer_id": viewer_id} for row in rows])
        for row in rows:
            former = before.get((row["item_id"], row["user_id"]))
            changes = {"user_id": str(row["user_id"]), "before": _told(former), "after": _facts(row)}
            await audit.record(
                tx, viewer_id, action, kind="grade_item", id=row["item_id"], reason=reason, changes=changes
            )
            ids = {name: str(row[name]) for name in ("course_id", "item_id", "user_id")}
            await publish(tx, CHANGED, {**ids, **_facts(row)})


def _version(before: dict[tuple[UUID, UUID], GradeRow], given: GivenGrade) -> int:
    row = before.get((given.item_id, given.user_id))
    return 0 if row is None else row.version


def _row(course_id: UUID, given: GivenGrade, before: GradeRow | None) -> dict[str, Any]:
    comment = given.comment if given.comment is not None else before.comment if before is not None else ""
    return {
        "course_id": course_id,
        "item_id": given.item_id,
        "user_id": given.user_id,
        "points": given.points,
        "is_excused": given.is_excused,
        "comment": comment,
    }


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    points: Decimal | None = row["points"]
    return {"points": None if points is None else format(points, "f"), "is_excused": row["is_excused"]}


def _told(row: GradeRow | None) -> dict[str, Any] | None:
    return None if row is None else _facts({"points": row.points, "is_excused": row.is_excused})
