"""Whose quiz it is: what every use case of a teacher asks first."""

from __future__ import annotations

from uuid import UUID

from app.assessment import quiz_statements as sql
from app.assessment.quiz_rows import QuizRow
from app.catalog import statements as catalog
from app.catalog.rows import CourseRow
from app.db.transaction import Tx
from app.errors import Conflict, Forbidden, NotFound
from app.viewer import Action, Viewer


async def teaches(tx: Tx, viewer: Viewer, course_id: UUID) -> bool:
    """Whether the viewer may change this course: any for an administrator, one's own for an instructor."""
    if viewer.may(Action.EDIT_ANY_COURSE):
        return True
    if not viewer.may(Action.EDIT_COURSES):
        return False
    return await tx.scalar(sql.TEACHES, id=course_id, viewer_id=viewer.user_id) is not None


async def require_teacher(tx: Tx, viewer: Viewer, course_id: UUID, thing: str) -> None:
    """Raises NotFound when the viewer does not teach the course; what is theirs to see is not theirs to change."""
    viewer.require(Action.EDIT_COURSES)
    if not await teaches(tx, viewer, course_id):
        raise NotFound(thing)


async def own_course(tx: Tx, viewer: Viewer, course_id: UUID) -> CourseRow:
    """Lock a course that the viewer teaches. Raises: NotFound, Forbidden (somebody else's published one)."""
    course = await tx.one(catalog.COURSE_FOR_UPDATE, "course", id=course_id)
    if not await teaches(tx, viewer, course_id):
        if course.published_at is None:
            raise NotFound("course")
        raise Forbidden("only its own instructors can change a course")
    return course


async def own_quiz(tx: Tx, viewer: Viewer, quiz_id: UUID, expected_version: int | None = None) -> QuizRow:
    """Lock a quiz that the viewer may change, its course first.

    Raises: NotFound, Forbidden, Conflict (VERSION_CONFLICT).
    """
    course_id = await tx.one(sql.COURSE_OF_QUIZ, "quiz", id=quiz_id)
    await own_course(tx, viewer, course_id)
    quiz = await tx.one(sql.QUIZ_FOR_UPDATE, "quiz", id=quiz_id)
    fresh(quiz.version, expected_version)
    return quiz


def fresh(version: int, expected: int | None) -> None:
    """Raises Conflict when somebody has changed the thing since it was read."""
    if expected is not None and expected != version:
        raise Conflict(
            "this was changed meanwhile; read it again and repeat your change", code="VERSION_CONFLICT", current=version
        )
