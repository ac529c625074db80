"""Cohorts and what is expected of their members, as clients see them."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated, Any

import strawberry

from app.learning.cohort_statements import MEMBER_ORDER, ORDER
from app.learning.enrollment_rows import CohortRow
from schema import ids
from schema.assignments import AssignmentStatus
from schema.catalog import Course
from schema.context import Info
from schema.enrollment import Enrollment, EnrollmentConnection, EnrollmentSuccess, Problems
from schema.enums import word
from schema.execution import batch
from schema.identity import given
from schema.node import Node, shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.scalars import DateTime

UNSET = strawberry.UNSET


@strawberry.type(description="How many members of a cohort stand so.")
class AssignmentCount:
    status: AssignmentStatus = strawberry.field(description="How they stand.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="People who take a course together.")
class Cohort(Node):
    row: strawberry.Private[CohortRow]

    id_kind = ids.COHORT
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="The course; null while the person who asks may not see it.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.row.course_id)
        return None if row is None else Course(row=row)

    @strawberry.field(description="What it is called.")
    def name(self) -> str:
        return self.row.name

    @strawberry.field(description="Until when its members complete the course, the same for all; null: see dueDays.")
    def due_at(self) -> DateTime | None:
        return DateTime(self.row.due_at) if self.row.due_at else None

    @strawberry.field(description="How many days after enrolling each of them has; null: see dueAt.")
    def due_days(self) -> int | None:
        return self.row.due_days

    @strawberry.field(description="Days after the deadline before somebody counts as not compliant.")
    def grace_days(self) -> int:
        return self.row.grace_days

    @strawberry.field(description="Days before the deadline from which who is not done counts as at risk.")
    def risk_days(self) -> int:
        return self.row.risk_days

    @strawberry.field(description="Grows with every change; pass it as expectedVersion.")
    def version(self) -> int:
        return self.row.version

    @batch(description="How its members stand; states that nobody is in are left out.")
    async def status_counts(parents: list[Cohort], info: Info) -> list[list[AssignmentCount]]:
        found = await info.context.status_counts_by_cohort.all([parent.row.id for parent in parents])
        return [
            [AssignmentCount(status=AssignmentStatus(row.status), count=row.count) for row in rows] for rows in found
        ]

    @strawberry.field(description="Its members' enrolments.")
    async def members(
        self,
        info: Info,
        status: Annotated[AssignmentStatus | None, strawberry.argument(description="Only who stands so.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> EnrollmentConnection:
        wanted, cohorts = None if status is None else word(status), info.context.cohorts
        page = await cohorts.members(self.row.id, page_request(MEMBER_ORDER, first, after, last, before), wanted)
        made: EnrollmentConnection = connection(
            EnrollmentConnection,
            MEMBER_ORDER.name,
            page,
            nodes=shown(Enrollment, page.rows),
            key=lambda row: (row.id,),
            count=lambda: cohorts.count_members(self.row.id, wanted),
        )
        return made


@strawberry.type(description="A page of cohorts.")
class CohortConnection(Connection[Cohort]):
    pass


@strawberry.input(description="A new cohort; give a date or a number of days as its deadline, or neither.")
class CreateCohortInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    name: str = strawberry.field(description="At most 100 characters, once in a course.")
    due_at: DateTime | None = strawberry.field(default=UNSET, description="Until when, the same for all.")
    due_days: int | None = strawberry.field(default=UNSET, description="Days after enrolling, 1 to 3660.")
    grace_days: int = strawberry.field(default=0, description="0 to 365.")
    risk_days: int = strawberry.field(default=7, description="0 to 365.")


@strawberry.input(description="Changes of a cohort; fields left out stay, null clears a deadline.")
class UpdateCohortInput:
    id: strawberry.ID = strawberry.field(description="The cohort.")
    name: str | None = strawberry.field(default=UNSET, description="At most 100 characters, once in a course.")
    due_at: DateTime | None = strawberry.field(default=UNSET, description="Until when, the same for all.")
    due_days: int | None = strawberry.field(default=UNSET, description="Days after enrolling, 1 to 3660.")
    grace_days: int | None = strawberry.field(default=UNSET, description="0 to 365.")
    risk_days: int | None = strawberry.field(default=UNSET, description="0 to 365.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A cohort.")
class CohortIdInput:
    id: strawberry.ID = strawberry.field(description="The cohort.")


@strawberry.input(description="People to put into a cohort or take out of it.")
class CohortMembersInput:
    id: strawberry.ID = strawberry.field(description="The cohort.")
    enrollment_ids: list[strawberry.ID] = strawberry.field(description="Students of its course, 1 to 200.")


@strawberry.input(description="Somebody to excuse.")
class WaiveAssignmentInput:
    enrollment_id: strawberry.ID = strawberry.field(description="Their enrolment.")
    reason: str = strawberry.field(description="Why; at most 1,000 characters, kept in the audit log.")


@strawberry.input(description="Somebody to excuse no more.")
class ExpectAgainInput:
    enrollment_id: strawberry.ID = strawberry.field(description="Their enrolment.")


@strawberry.type(description="A cohort after the change.")
class CohortSuccess:
    cohort: Cohort = strawberry.field(description="The cohort.")


@strawberry.type(description="A cohort was taken away.")
class DeleteCohortSuccess:
    deleted_id: strawberry.ID = strawberry.field(description="Its identifier.")


CreateCohortResult = Annotated[
    CohortSuccess | Problems, strawberry.union("CreateCohortResult", description="Outcome of createCohort.")
]
UpdateCohortResult = Annotated[
    CohortSuccess | Problems, strawberry.union("UpdateCohortResult", description="Outcome of updateCohort.")
]
DeleteCohortResult = Annotated[
    DeleteCohortSuccess | Problems, strawberry.union("DeleteCohortResult", description="Outcome of deleteCohort.")
]
AddToCohortResult = Annotated[
    CohortSuccess | Problems, strawberry.union("AddToCohortResult", description="Outcome of addToCohort.")
]
RemoveFromCohortResult = Annotated[
    CohortSuccess | Problems, strawberry.union("RemoveFromCohortResult", description="Outcome of removeFromCohort.")
]
WaiveAssignmentResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("WaiveAssignmentResult", description="Outcome of waiveAssignment.")
]
ExpectAssignmentResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("ExpectAssignmentResult", description="Outcome of expectAssignment.")
]

FIELDS = ("name", "due_at", "due_days", "grace_days", "risk_days")


async def enrollment(info: Info, key: Any) -> EnrollmentSuccess:
    """An enrolment whose assignment was changed."""
    row = await info.context.enrolling.enrollment(key)
    if row is None:
        raise LookupError("an enrolment that was just changed is there")
    return EnrollmentSuccess(enrollment=Enrollment(row=row))


@strawberry.type
class CohortQuery:
    @strawberry.field(description="The cohorts of a course, for who runs it, the newest first.")
    async def cohorts(
        self,
        info: Info,
        course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> CohortConnection:
        cohorts, course = info.context.cohorts, ids.decode(ids.COURSE, course_id, info.context.mask)
        page = await cohorts.cohorts(course, page_request(ORDER, first, after, last, before))
        made: CohortConnection = connection(
            CohortConnection,
            ORDER.name,
            page,
            nodes=shown(Cohort, page.rows),
            key=lambda row: (row.created_at, row.id),
            count=lambda: cohorts.count_cohorts(course),
        )
        return made


@strawberry.type
class CohortMutation:
    @strawberry.mutation(description="Make a cohort in a course.")
    async def create_cohort(
        self, info: Info, input: Annotated[CreateCohortInput, strawberry.argument(description="What to do.")]
    ) -> CreateCohortResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        return CohortSuccess(
            cohort=Cohort(row=await info.context.cohorts.create_cohort(course_id, given(input, FIELDS)))
        )

    @strawberry.mutation(description="Change a cohort.")
    async def update_cohort(
        self, info: Info, input: Annotated[UpdateCohortInput, strawberry.argument(description="What to do.")]
    ) -> UpdateCohortResult:
        sent = {
            name: value
            for name, value in given(input, FIELDS).items()
            if value is not None or name in {"due_at", "due_days"}
        }
        row = await info.context.cohorts.update_cohort(
            ids.decode(ids.COHORT, input.id, info.context.mask), sent, expected_version=input.expected_version
        )
        return CohortSuccess(cohort=Cohort(row=row))

    @strawberry.mutation(description="Take a cohort away; its members stay enrolled.")
    async def delete_cohort(
        self, info: Info, input: Annotated[CohortIdInput, strawberry.argument(description="What to do.")]
    ) -> DeleteCohortResult:
        await info.context.cohorts.delete_cohort(ids.decode(ids.COHORT, input.id, info.context.mask))
        return DeleteCohortSuccess(deleted_id=input.id)

    @strawberry.mutation(description="Put students of the course into a cohort, out of any other.")
    async def add_to_cohort(
        self, info: Info, input: Annotated[CohortMembersInput, strawberry.argument(description="What to do.")]
    ) -> AddToCohortResult:
        mask = info.context.mask
        wanted = ids.decode_all(ids.ENROLLMENT, input.enrollment_ids, mask, "input.enrollmentIds")
        row = await info.context.cohorts.add_members(ids.decode(ids.COHORT, input.id, mask), wanted)
        return CohortSuccess(cohort=Cohort(row=row))

    @strawberry.mutation(description="Take people out of a cohort; they stay enrolled.")
    async def remove_from_cohort(
        self, info: Info, input: Annotated[CohortMembersInput, strawberry.argument(description="What to do.")]
    ) -> RemoveFromCohortResult:
        mask = info.context.mask
        wanted = ids.decode_all(ids.ENROLLMENT, input.enrollment_ids, mask, "input.enrollmentIds")
        row = await info.context.cohorts.remove_members(ids.decode(ids.COHORT, input.id, mask), wanted)
        return CohortSuccess(cohort=Cohort(row=row))

    @strawberry.mutation(description="Excuse somebody from what their cohort has to do.")
    async def waive_assignment(
        self, info: Info, input: Annotated[WaiveAssignmentInput, strawberry.argument(description="What to do.")]
    ) -> WaiveAssignmentResult:
        key = ids.decode(ids.ENROLLMENT, input.enrollment_id, info.context.mask)
        return await enrollment(info, await info.context.cohorts.waive(key, reason=input.reason))

    @strawberry.mutation(description="Take an excuse back.")
    async def expect_assignment(
        self, info: Info, input: Annotated[ExpectAgainInput, strawberry.argument(description="What to do.")]
    ) -> ExpectAssignmentResult:
        key = ids.decode(ids.ENROLLMENT, input.enrollment_id, info.context.mask)
        return await enrollment(info, await info.context.cohorts.expect_again(key))
