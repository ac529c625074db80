"""Lists of people for a course, as clients see them: addresses let in beforehand, and CSV files."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated

import strawberry

from app.learning.enrollment_rows import AllowanceRow
from app.learning.list_statements import ORDER
from schema import ids
from schema.context import Info
from schema.enrollment import Problems
from schema.node import Node, shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.scalars import DateTime
from schema.work import JobSuccess, started


@strawberry.type(description="An address that may come into a course.")
class EnrollmentAllowance(Node):
    row: strawberry.Private[AllowanceRow]

    id_kind = ids.ALLOWANCE
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="The address.")
    def email(self) -> str:
        return self.row.email

    @strawberry.field(description="When somebody came in with it; nobody else can.")
    def claimed_at(self) -> DateTime | None:
        return DateTime(self.row.claimed_at) if self.row.claimed_at else None

    @strawberry.field(description="When it was let in.")
    def created_at(self) -> DateTime:
        return DateTime(self.row.created_at)


@strawberry.type(description="A page of addresses.")
class EnrollmentAllowanceConnection(Connection[EnrollmentAllowance]):
    pass


@strawberry.input(description="Addresses to let into a course.")
class AllowEnrollmentInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    emails: list[str] = strawberry.field(description="1 to 200 addresses.")


@strawberry.input(description="An address to take back.")
class DisallowEnrollmentInput:
    id: strawberry.ID = strawberry.field(description="The identifier of what was allowed.")


@strawberry.input(description="A list of people to enrol.")
class BulkEnrollInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    csv: str = strawberry.field(
        description="At most 64 KB with a first line of column names: email, and role (student, instructor, "
        "assistant) and cohort (its name) if wanted; commas or semicolons."
    )
    is_dry_run: bool = strawberry.field(default=False, description="Only find out what would happen.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="8 to 100 characters; repeating the request with it does nothing twice."
    )


@strawberry.type(description="What became of an address.")
class AllowedAddress:
    email: str = strawberry.field(description="The address.")
    outcome: str = strawberry.field(
        description="ACTIVE, WAITLISTED, COMPLETED, ALREADY_ENROLLED for members; ALLOWED or ALREADY_ALLOWED for who "
        "is none yet; else the code of why it could not be, like COURSE_FULL."
    )


@strawberry.type(description="What became of the addresses, in order, each once.")
class AllowEnrollmentSuccess:
    results: list[AllowedAddress] = strawberry.field(description="One for each address.")


@strawberry.type(description="An address was taken back.")
class DisallowEnrollmentSuccess:
    deleted_id: strawberry.ID = strawberry.field(description="Its identifier.")


AllowEnrollmentResult = Annotated[
    AllowEnrollmentSuccess | Problems,
    strawberry.union("AllowEnrollmentResult", description="Outcome of allowEnrollment."),
]
DisallowEnrollmentResult = Annotated[
    DisallowEnrollmentSuccess | Problems,
    strawberry.union("DisallowEnrollmentResult", description="Outcome of disallowEnrollment."),
]
BulkEnrollResult = Annotated[
    JobSuccess | Problems, strawberry.union("BulkEnrollResult", description="Outcome of bulkEnroll.")
]


@strawberry.type
class EnrollmentListQuery:
    @strawberry.field(description="The addresses let into a course, for who runs it, the newest first.")
    async def enrollment_allowances(
        self,
        info: Info,
        course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> EnrollmentAllowanceConnection:
        allow_list, course = info.context.allow_list, ids.decode(ids.COURSE, course_id, info.context.mask)
        page = await allow_list.allowances(course, page_request(ORDER, first, after, last, before))
        made: EnrollmentAllowanceConnection = connection(
            EnrollmentAllowanceConnection,
            ORDER.name,
            page,
            nodes=shown(EnrollmentAllowance, page.rows),
            key=lambda row: (row.created_at, row.id),
            count=lambda: allow_list.count_allowances(course),
        )
        return made


@strawberry.type
class EnrollmentListMutation:
    @strawberry.mutation(
        description="Let addresses into a course: members at once, the others when they first prove to have theirs."
    )
    async def allow_enrollment(
        self, info: Info, input: Annotated[AllowEnrollmentInput, strawberry.argument(description="What to do.")]
    ) -> AllowEnrollmentResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        found = await info.context.allow_list.allow(course_id, input.emails)
        return AllowEnrollmentSuccess(
            results=[AllowedAddress(email=each.email, outcome=each.outcome) for each in found]
        )

    @strawberry.mutation(description="Take an address back that nobody has come in with.")
    async def disallow_enrollment(
        self, info: Info, input: Annotated[DisallowEnrollmentInput, strawberry.argument(description="What to do.")]
    ) -> DisallowEnrollmentResult:
        await info.context.allow_list.disallow(ids.decode(ids.ALLOWANCE, input.id, info.context.mask))
        return DisallowEnrollmentSuccess(deleted_id=input.id)

    @strawberry.mutation(
        description="Enrol the people of a CSV file, as a job with an outcome for each row. Giving the same file again "
        "skips who is in already; who has no account comes in when they first log in."
    )
    async def bulk_enroll(
        self, info: Info, input: Annotated[BulkEnrollInput, strawberry.argument(description="What to do.")]
    ) -> BulkEnrollResult:
        job_id = await info.context.bulk_enrolling.bulk_enroll(
            ids.decode(ids.COURSE, input.course_id, info.context.mask),
            input.csv,
            is_dry_run=input.is_dry_run,
            idempotency_key=input.idempotency_key,
        )
        return await started(info, job_id)
