"""Who is asking: the only permission vocabulary of the house, and the matrix of who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.errors import Forbidden, Unauthenticated


class Role(StrEnum):
    """What a person is in one tenant. ``OPERATOR`` is the platform's own and belongs to no tenant's directory."""

    STUDENT = "student"
    INSTRUCTOR = "instructor"
    ADMIN = "admin"
    ANALYST = "analyst"
    OPERATOR = "operator"


class Action(StrEnum):
    """What a role may be allowed to do. Ownership (own course, own progress) is checked by the service on top."""

    READ_SELF = "read_self"
    EDIT_SELF = "edit_self"
    READ_USERS = "read_users"
    MANAGE_USERS = "manage_users"
    READ_CATALOG = "read_catalog"
    READ_DRAFTS = "read_drafts"
    EDIT_COURSES = "edit_courses"
    EDIT_ANY_COURSE = "edit_any_course"
    LEARN = "learn"
    READ_ENROLLMENTS = "read_enrollments"
    MANAGE_PROGRESS = "manage_progress"
    RUN_JOBS = "run_jobs"
    GRADE = "grade"


_EVERYONE = frozenset({Role.STUDENT, Role.INSTRUCTOR, Role.ADMIN, Role.ANALYST, Role.OPERATOR})
_AUTHORS = frozenset({Role.INSTRUCTOR, Role.ADMIN})

MATRIX: dict[Action, frozenset[Role]] = {
    Action.READ_SELF: _EVERYONE,
    Action.EDIT_SELF: _EVERYONE,
    Action.READ_USERS: frozenset({Role.ADMIN}),
    Action.MANAGE_USERS: frozenset({Role.ADMIN}),
    Action.READ_CATALOG: _EVERYONE,
    Action.READ_DRAFTS: _AUTHORS,
    Action.EDIT_COURSES: _AUTHORS,
    Action.EDIT_ANY_COURSE: frozenset({Role.ADMIN}),
    Action.LEARN: frozenset({Role.STUDENT, Role.INSTRUCTOR, Role.ADMIN}),
    Action.READ_ENROLLMENTS: _AUTHORS,
    Action.MANAGE_PROGRESS: _AUTHORS,
    Action.RUN_JOBS: _AUTHORS,
    Action.GRADE: _AUTHORS,
}


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person behind a request, in one tenant, or nobody (``ANONYMOUS``)."""

    user_id: UUID | None = None
    tenant_id: UUID | None = None
    session_id: UUID | None = None
    role: Role | None = None
    locale: str | None = None

    def is_(self, *roles: Role) -> bool:
        """Whether the viewer has one of the roles."""
        return self.role in roles

    def may(self, action: Action) -> bool:
        """Whether the viewer's role is allowed the action; ownership is not considered."""
        return self.role is not None and self.role in MATRIX[action]

    def require(self, action: Action) -> UUID:
        """Return the viewer's user id, or raise Unauthenticated (nobody) or Forbidden (somebody else's business)."""
        if self.user_id is None or self.role is None:
            raise Unauthenticated("log in to do this")
        if self.role not in MATRIX[action]:
            raise Forbidden("your role does not allow this")
        return self.user_id


ANONYMOUS = Viewer()
