"""Cohorts: people who take a course together, until when, and how each of them stands with it (E13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.db import audit
from app.db.database import Operation
from app.db.ids import new_id
from app.db.paging import NOTHING, Page, PageRequest, key_params, page_of
from app.db.transaction import Tx
from app.errors import Conflict, NotFound
from app.identity.validators import Checks, line, text
from app.learning import cohort_statements as sql
from app.learning import seat_statements as seat_sql
from app.learning.enrollment_rows import AssignmentRow, CohortRow, StatusCount
from app.learning.managing import REASON, check_version, entered, runs, shows
from app.learning.rows import EnrollmentRow
from app.viewer import Action, Viewer

DEFAULTS: dict[str, Any] = {"name": "", "due_at": None, "due_days": None, "grace_days": 0, "risk_days": 7}
LIMITS = {"due_days": (1, 3660), "grace_days": (0, 365), "risk_days": (0, 365)}
PATHS = {"due_days": "input.dueDays", "grace_days": "input.graceDays", "risk_days": "input.riskDays"}
MOST = 200


class CohortService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def create_cohort(self, course_id: UUID, given: Mapping[str, Any]) -> CohortRow:
        """Make a cohort. Raises: NotFound, Forbidden, Invalid, Conflict (NAME_TAKEN)."""
        self.viewer.require(Action.MANAGE_ENROLLMENTS)
        values = _clean({**DEFAULTS, **given})
        async with self.db.write() as tx:
            await entered(tx, self.viewer, course_id)
            made = await tx.one_or_none(sql.ADD, id=new_id(), course_id=course_id, **values)
            if made is None:
                raise _name_taken()
            return made

    async def update_cohort(
        self, cohort_id: UUID, given: Mapping[str, Any], *, expected_version: int | None = None
    ) -> CohortRow:
        """Change a cohort. Raises: NotFound, Invalid, Conflict (VERSION_CONFLICT, NAME_TAKEN)."""
        async with self.db.write() as tx:
            row = await self._own(tx, cohort_id)
            check_version(row.version, expected_version)
            values = _clean({**{name: getattr(row, name) for name in DEFAULTS}, **given})
            if await tx.scalar(sql.SAME_NAME, id=cohort_id, course_id=row.course_id, name=values["name"]) is not None:
                raise _name_taken()
            return await tx.one(sql.PUT, "cohort", id=cohort_id, **values)

    async def delete_cohort(self, cohort_id: UUID) -> UUID:
        """Take a cohort away; its people stay enrolled. Raises: NotFound."""
        async with self.db.write() as tx:
            row = await self._own(tx, cohort_id)
            await audit.record(
                tx, self.viewer.user_id, "cohort.delete", kind="course", id=row.course_id, reason=row.name
            )
            return await tx.one(sql.DELETE, "cohort", id=cohort_id)

    async def add_members(self, cohort_id: UUID, enrollment_ids: Sequence[UUID]) -> CohortRow:
        """Put students of the course into a cohort, out of any other. Raises: NotFound, Invalid."""
        self.viewer.require(Action.MANAGE_ENROLLMENTS)
        wanted = _few(enrollment_ids)
        async with self.db.write() as tx:
            row = await self._own(tx, cohort_id)
            if set(await tx.all(sql.OF_COURSE, ids=wanted, course_id=row.course_id)) != set(wanted):
                raise NotFound("enrollment")
            await tx.execute_many(sql.JOIN, [{"id": each, "cohort_id": cohort_id} for each in sorted(wanted)])
            return row

    async def remove_members(self, cohort_id: UUID, enrollment_ids: Sequence[UUID]) -> CohortRow:
        """Take people out of a cohort; they stay enrolled. Raises: NotFound, Invalid."""
        self.viewer.require(Action.MANAGE_ENROLLMENTS)
        wanted = _few(enrollment_ids)
        async with self.db.write() as tx:
            row = await self._own(tx, cohort_id)
            await tx.all(sql.LEAVE, id=cohort_id, ids=wanted)
            return row

    async def waive(self, enrollment_id: UUID, *, reason: str) -> UUID:
        """Excuse somebody from what their cohort has to do. Raises: NotFound (in no cohort), Invalid."""
        self.viewer.require(Action.MANAGE_ENROLLMENTS)
        check = Checks()
        reason = check("input.reason", text, reason, minimum=1, maximum=REASON)
        check.done()
        async with self.db.write() as tx:
            user_id = await self._of_enrollment(tx, enrollment_id)
            done = await tx.one(sql.WAIVE, "cohort", id=enrollment_id, user_id=user_id, reason=reason)
            await audit.record(tx, user_id, "assignment.waive", kind="enrollment", id=enrollment_id, reason=reason)
            return done

    async def expect_again(self, enrollment_id: UUID) -> UUID:
        """Take an excuse back. Raises: NotFound (in no cohort)."""
        async with self.db.write() as tx:
            user_id = await self._of_enrollment(tx, enrollment_id)
            done = await tx.one(sql.EXPECT_AGAIN, "cohort", id=enrollment_id)
            await audit.record(tx, user_id, "assignment.expect", kind="enrollment", id=enrollment_id)
            return done

    # --- reading

    async def cohorts(self, course_id: UUID, page: PageRequest) -> Page[CohortRow]:
        """A page of a course's cohorts, the newest first. Raises: Unauthenticated, Forbidden."""
        async with self.db.read() as tx:
            if not await shows(tx, self.viewer, course_id):
                return NOTHING
            statement = sql.cohort_page(page.key is not None, page.backward)
            return page_of(page, await tx.all(statement, course_id=course_id, **key_params(page)))

    async def count_cohorts(self, course_id: UUID) -> int:
        """How many cohorts a course has."""
        async with self.db.read() as tx:
            if not await shows(tx, self.viewer, course_id):
                return 0
            return await tx.scalar(sql.COUNT, course_id=course_id) or 0

    async def cohort(self, cohort_id: UUID) -> CohortRow | None:
        """A cohort, for the staff of its course; None when missing or hidden."""
        async with self.db.read() as tx:
            row = await tx.one_or_none(sql.COHORT, id=cohort_id)
            return row if row is not None and await runs(tx, self.viewer, row.course_id) else None

    async def cohorts_by_id(self, ids: list[UUID]) -> list[CohortRow]:
        """These cohorts; who asks has an enrolment in each of them before them."""
        async with self.db.read() as tx:
            return await tx.all(sql.BY_ID, ids=ids)

    async def members(self, cohort_id: UUID, page: PageRequest, status: str | None) -> Page[EnrollmentRow]:
        """A page of a cohort's enrolments, all or those that stand so; the cohort was found for the viewer before."""
        wanted = {} if status is None else {"status": status}
        statement = sql.member_page(frozenset(wanted), page.key is not None, page.backward)
        async with self.db.read() as tx:
            return page_of(page, await tx.all(statement, id=cohort_id, **key_params(page), **wanted))

    async def count_members(self, cohort_id: UUID, status: str | None) -> int:
        """How many enrolments a cohort has."""
        wanted = {} if status is None else {"status": status}
        async with self.db.read() as tx:
            return await tx.scalar(sql.member_count(frozenset(wanted)), id=cohort_id, **wanted) or 0

    async def status_counts_by_cohort(self, ids: list[UUID]) -> list[StatusCount]:
        """How many of these cohorts stand how."""
        async with self.db.read() as tx:
            return await tx.all(sql.STATUS_COUNTS, ids=ids)

    async def assignment_by_enrollment(self, ids: list[UUID]) -> list[AssignmentRow]:
        """What is expected of these enrolments, of those that are in a cohort."""
        async with self.db.read() as tx:
            return await tx.all(sql.ASSIGNMENTS, ids=ids)

    async def _own(self, tx: Tx, cohort_id: UUID) -> CohortRow:
        """Lock a cohort of a course that the viewer runs, the course first."""
        self.viewer.require(Action.MANAGE_ENROLLMENTS)
        row = await tx.one(sql.COHORT, "cohort", id=cohort_id)
        await entered(tx, self.viewer, row.course_id, thing="cohort")
        return await tx.one(sql.FOR_UPDATE, "cohort", id=cohort_id)

    async def _of_enrollment(self, tx: Tx, enrollment_id: UUID) -> UUID:
        user_id = self.viewer.require(Action.MANAGE_ENROLLMENTS)
        course_id = await tx.one(seat_sql.COURSE_OF, "enrollment", id=enrollment_id)
        await entered(tx, self.viewer, course_id, thing="enrollment")
        return user_id


def _few(ids: Sequence[UUID]) -> list[UUID]:
    if not 1 <= len(ids) <= MOST:
        check = Checks()
        check.note("input.enrollmentIds", "OUT_OF_RANGE", "must be between 1 and {maximum}", maximum=MOST)
        check.done()
    return list(dict.fromkeys(ids))


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    check = Checks()
    clean = {**values, "name": check("input.name", line, values["name"], minimum=1, maximum=100)}
    for name, (minimum, maximum) in LIMITS.items():
        if clean[name] is not None and not minimum <= clean[name] <= maximum:
            check.note(
                PATHS[name], "OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=minimum, maximum=maximum
            )
    if clean["due_at"] is not None and clean["due_days"] is not None:
        check.note("input.dueDays", "TWO_DEADLINES", "give a date or a number of days, not both")
    check.done()
    return clean


def _name_taken() -> Conflict:
    return Conflict("there is a cohort with this name already", code="NAME_TAKEN")
