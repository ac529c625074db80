"""Invite codes, invitations and roles in a course, as clients see them."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated, Any

import strawberry

from app.learning.code_statements import ORDER
from app.learning.codes import NewCode
from app.learning.enrollment_rows import CodeRow
from schema import ids
from schema.catalog import Course
from schema.context import Info
from schema.enrollment import CourseRole, EnrollmentSuccess, Problems
from schema.enrollment_rules import shown as enrolled
from schema.enums import word
from schema.errors import LimitProblem
from schema.node import Node, shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.scalars import DateTime


@strawberry.type(description="A code that lets people into a course. The code itself was told once, when it was made.")
class InviteCode(Node):
    row: strawberry.Private[CodeRow]

    id_kind = ids.INVITE_CODE
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="The course; null while the person who asks may not see it.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.row.course_id)
        return None if row is None else Course(row=row)

    @strawberry.field(description="Its last characters, to tell codes apart.")
    def hint(self) -> str:
        return self.row.hint

    @strawberry.field(description="What its author noted.")
    def note(self) -> str:
        return self.row.note

    @strawberry.field(description="Until when it lets in; null: for ever.")
    def expires_at(self) -> DateTime | None:
        return DateTime(self.row.expires_at) if self.row.expires_at else None

    @strawberry.field(description="How many people it lets in; null: any number.")
    def max_uses(self) -> int | None:
        return self.row.max_uses

    @strawberry.field(description="How many it has let in.")
    def used_count(self) -> int:
        return self.row.used_count

    @strawberry.field(description="Addresses it is for; with domains empty too, it is for everybody.")
    def emails(self) -> list[str]:
        return self.row.emails

    @strawberry.field(description="Domains of addresses it is for.")
    def domains(self) -> list[str]:
        return self.row.domains

    @strawberry.field(description="When it was withdrawn.")
    def revoked_at(self) -> DateTime | None:
        return DateTime(self.row.revoked_at) if self.row.revoked_at else None

    @strawberry.field(description="When it was made.")
    def created_at(self) -> DateTime:
        return DateTime(self.row.created_at)


@strawberry.type(description="A page of invite codes.")
class InviteCodeConnection(Connection[InviteCode]):
    pass


@strawberry.input(description="A new code.")
class CreateInviteCodeInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    note: str = strawberry.field(default="", description="For whom or what; at most 200 characters.")
    expires_at: DateTime | None = strawberry.field(default=None, description="Until when it lets in.")
    max_uses: int | None = strawberry.field(default=None, description="How many people it lets in, 1 to 100,000.")
    emails: list[str] = strawberry.field(default_factory=list, description="Only these addresses, at most 200.")
    domains: list[str] = strawberry.field(
        default_factory=list, description="Only addresses of these domains, at most 200."
    )


@strawberry.input(description="A code to withdraw.")
class RevokeInviteCodeInput:
    id: strawberry.ID = strawberry.field(description="The code's identifier.")


@strawberry.input(description="A code to use.")
class EnrollWithCodeInput:
    code: str = strawberry.field(description="As it was told; case and hyphens do not matter.")


@strawberry.input(description="A member to invite.")
class InviteToCourseInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    user_id: strawberry.ID = strawberry.field(description="The member.")


@strawberry.input(description="What a member is to be in a course.")
class AssignCourseRoleInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    user_id: strawberry.ID = strawberry.field(description="The member.")
    role: CourseRole = strawberry.field(description="INSTRUCTOR, ASSISTANT or OBSERVER.")
    observed_id: strawberry.ID | None = strawberry.field(
        default=None, description="The learner whom an observer follows."
    )


@strawberry.type(description="A code that was made. Keep it: it is not told again.")
class CreateInviteCodeSuccess:
    invite_code: InviteCode = strawberry.field(description="What it allows.")
    code: str = strawberry.field(description="The code.")


@strawberry.type(description="A code after the change.")
class InviteCodeSuccess:
    invite_code: InviteCode = strawberry.field(description="The code.")


CreateInviteCodeResult = Annotated[
    CreateInviteCodeSuccess | Problems,
    strawberry.union("CreateInviteCodeResult", description="Outcome of createInviteCode."),
]
RevokeInviteCodeResult = Annotated[
    InviteCodeSuccess | Problems, strawberry.union("RevokeInviteCodeResult", description="Outcome of revokeInviteCode.")
]
EnrollWithCodeResult = Annotated[
    EnrollmentSuccess | Problems | LimitProblem,
    strawberry.union("EnrollWithCodeResult", description="Outcome of enrollWithCode."),
]
InviteToCourseResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("InviteToCourseResult", description="Outcome of inviteToCourse.")
]
AssignCourseRoleResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("AssignCourseRoleResult", description="Outcome of assignCourseRole.")
]


@strawberry.type
class InviteCodeQuery:
    @strawberry.field(description="The codes of a course, for who runs it, the newest first.")
    async def invite_codes(
        self,
        info: Info,
        course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> InviteCodeConnection:
        codes, course = info.context.codes, ids.decode(ids.COURSE, course_id, info.context.mask)
        page = await codes.codes(course, page_request(ORDER, first, after, last, before))
        made: InviteCodeConnection = connection(
            InviteCodeConnection,
            ORDER.name,
            page,
            nodes=shown(InviteCode, page.rows),
            key=lambda row: (row.created_at, row.id),
            count=lambda: codes.count_codes(course),
        )
        return made


def user(info: Info, text: Any) -> Any:
    """The member an identifier stands for."""
    return ids.decode(ids.USER, text, info.context.mask)


@strawberry.type
class InviteCodeMutation:
    @strawberry.mutation(description="Make a code that lets people into a course.")
    async def create_invite_code(
        self, info: Info, input: Annotated[CreateInviteCodeInput, strawberry.argument(description="What to do.")]
    ) -> CreateInviteCodeResult:
        new = NewCode(input.note, input.expires_at, input.max_uses, input.emails, input.domains)
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        row, code = await info.context.codes.create_code(course_id, new)
        return CreateInviteCodeSuccess(invite_code=InviteCode(row=row), code=code)

    @strawberry.mutation(description="Withdraw a code; who came in with it stays.")
    async def revoke_invite_code(
        self, info: Info, input: Annotated[RevokeInviteCodeInput, strawberry.argument(description="What to do.")]
    ) -> RevokeInviteCodeResult:
        code_id = ids.decode(ids.INVITE_CODE, input.id, info.context.mask)
        return InviteCodeSuccess(invite_code=InviteCode(row=await info.context.codes.revoke_code(code_id)))

    @strawberry.mutation(description="Come into the course of a code; using it again consumes nothing.")
    async def enroll_with_code(
        self, info: Info, input: Annotated[EnrollWithCodeInput, strawberry.argument(description="What to do.")]
    ) -> EnrollWithCodeResult:
        return enrolled(await info.context.codes.enroll_with_code(input.code))

    @strawberry.mutation(description="Invite a member to a course; a seat is kept until they answer.")
    async def invite_to_course(
        self, info: Info, input: Annotated[InviteToCourseInput, strawberry.argument(description="What to do.")]
    ) -> InviteToCourseResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        return enrolled(await info.context.managing.invite(course_id, user(info, input.user_id)))

    @strawberry.mutation(description="Let a member teach, assist in, or observe a learner of a course.")
    async def assign_course_role(
        self, info: Info, input: Annotated[AssignCourseRoleInput, strawberry.argument(description="What to do.")]
    ) -> AssignCourseRoleResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        observed = None if input.observed_id is None else user(info, input.observed_id)
        row = await info.context.managing.assign_role(
            course_id, user(info, input.user_id), word(input.role), observed_id=observed
        )
        return enrolled(row)
