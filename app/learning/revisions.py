"""Which revision of a course counts for a learner, and what a lesson is in it: the terms that statements share (P7).

Nobody is written down as being at a revision: it follows from the course's policy and from when the learner enrolled.
A course that was never frozen has no revision, and what counts is what there is. A deleted lesson is in no statement's
lessons, so that it is on neither side of a percentage; a lesson that the revision does not know counts for nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, case, func, null, select, true

from app.catalog.revision_tables import course_revisions, revision_lessons
from app.catalog.tables import courses, lessons
from app.learning.tables import enrollments

_NAMES = ("is_required", "weight", "completion", "video_threshold", "min_score", "min_seconds")
_AT_ENROLMENT = (
    select(func.max(course_revisions.c.number))
    .where(
        course_revisions.c.course_id == courses.c.id,
        course_revisions.c.published_at <= enrollments.c.enrolled_at,
    )
    .correlate(courses, enrollments)
    .scalar_subquery()
)
NUMBER: ColumnElement[Any] = case(
    (courses.c.revision.is_(None), null()),
    (courses.c.pinned_from.is_(None), courses.c.revision),
    else_=func.greatest(courses.c.pinned_from, _AT_ENROLMENT),
)
# Of courses, an enrolment (or none) and a lesson: the lesson in the learner's revision. Looked up by its key for each
# lesson: a join might be planned as one that reads the revisions of all courses.
FROZEN = (
    select(*(revision_lessons.c[name] for name in _NAMES))
    .where(
        revision_lessons.c.number == NUMBER,
        revision_lessons.c.lesson_id == lessons.c.id,
    )
    .correlate(courses, enrollments, lessons)
    .limit(1)
    .lateral("frozen")
)
IN_REVISION = true()
_NOW = case((lessons.c.is_required, lessons.c.weight), else_=0)
COUNTED: ColumnElement[int] = case(
    (courses.c.revision.is_(None), _NOW), (FROZEN.c.is_required, FROZEN.c.weight), else_=0
)  # the lesson's weight; 0 when it is optional


def in_revision(name: str) -> ColumnElement[Any]:
    """A column of the lesson as the learner's revision has it, else as it is."""
    return func.coalesce(FROZEN.c[name], lessons.c[name], type_=lessons.c[name].type).label(name)
