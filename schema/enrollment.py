"""Enrolment as clients see it."""

from __future__ import annotations

from enum import Enum
from operator import attrgetter
from typing import Annotated, Any

import strawberry

from app.learning.enrollment_statements import ORDER
from app.learning.rows import EnrollmentRow
from schema import ids
from schema.assignments import Assignment, ObservedProgress
from schema.catalog import Course
from schema.context import Info
from schema.enums import word
from schema.errors import ConflictProblem, ForbiddenProblem, NotFoundProblem, UnavailableProblem, ValidationProblem
from schema.execution import batch
from schema.identity import User
from schema.learning import CourseProgress
from schema.node import Node, shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.scalars import DateTime


@strawberry.enum(name="EnrollmentStatus", description="Where a learner stands in a course.")
class EnrollmentStatus(Enum):
    REQUESTED = strawberry.enum_value("requested", description="Asked to come in; an instructor decides.")
    INVITED = strawberry.enum_value("invited", description="Was invited and has not answered; a seat is kept.")
    ACTIVE = strawberry.enum_value("active", description="Learning.")
    COMPLETED = strawberry.enum_value("completed", description="Every required lesson was done.")
    WAITLISTED = strawberry.enum_value("waitlisted", description="Waits for a seat.")
    OFFERED = strawberry.enum_value("offered", description="May take a seat until offerExpiresAt.")
    SUSPENDED = strawberry.enum_value("suspended", description="Kept from learning for a while; the seat is kept.")
    DROPPED = strawberry.enum_value("dropped", description="Left; may come back and finds the progress again.")
    REJECTED = strawberry.enum_value("rejected", description="The request was turned down, or the invitation was.")


@strawberry.enum(name="EffectiveState", description="What an enrolment amounts to now.")
class EffectiveState(Enum):
    REQUESTED = strawberry.enum_value("requested", description="Asked to come in.")
    INVITED = strawberry.enum_value("invited", description="Was invited.")
    ACTIVE = strawberry.enum_value("active", description="The learner can learn.")
    COMPLETED = strawberry.enum_value("completed", description="The course is done.")
    WAITLISTED = strawberry.enum_value("waitlisted", description="Waits for a seat.")
    OFFERED = strawberry.enum_value("offered", description="May take a seat.")
    SUSPENDED = strawberry.enum_value("suspended", description="Kept from learning for a while.")
    DROPPED = strawberry.enum_value("dropped", description="The learner left.")
    REJECTED = strawberry.enum_value("rejected", description="The request or the invitation was turned down.")
    EXPIRED = strawberry.enum_value("expired", description="Access has ended; what was done can still be read.")
    INACTIVE = strawberry.enum_value("inactive", description="The course is not published now; nothing is lost.")


@strawberry.enum(name="CourseRole", description="What somebody is in a course.")
class CourseRole(Enum):
    STUDENT = strawberry.enum_value("student", description="Learns.")
    INSTRUCTOR = strawberry.enum_value("instructor", description="Teaches; takes no seat.")
    ASSISTANT = strawberry.enum_value("assistant", description="Helps to teach; takes no seat.")
    OBSERVER = strawberry.enum_value("observer", description="Follows one learner; takes no seat.")


@strawberry.type(description="A learner's place in a course.")
class Enrollment(Node):
    row: strawberry.Private[EnrollmentRow]

    id_kind = ids.ENROLLMENT
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="The course; null while the person who asks may not see it.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.row.course_id)
        return None if row is None else Course(row=row)

    @strawberry.field(description="The learner.")
    async def user(self, info: Info) -> User | None:
        row = await info.context.members_by_id.load(self.row.user_id)
        return None if row is None else User(row=row)

    @strawberry.field(description="Where the learner stands.")
    def status(self) -> EnrollmentStatus:
        return EnrollmentStatus(self.row.status)

    @strawberry.field(description="What it amounts to now, the state of the course considered.")
    def effective_state(self) -> EffectiveState:
        if self.row.status == "active" and self.row.is_expired:
            return EffectiveState.EXPIRED
        if self.row.status == "active" and not self.row.is_open:
            return EffectiveState.INACTIVE
        return EffectiveState(self.row.status)

    @strawberry.field(description="Counts the times the course was begun anew, from 1.")
    def cycle(self) -> int:
        return self.row.cycle

    @strawberry.field(description="Since when.")
    def enrolled_at(self) -> DateTime:
        return DateTime(self.row.enrolled_at)

    @strawberry.field(description="When the course was completed.")
    def completed_at(self) -> DateTime | None:
        return DateTime(self.row.completed_at) if self.row.completed_at else None

    @strawberry.field(description="When the learner left.")
    def dropped_at(self) -> DateTime | None:
        return DateTime(self.row.dropped_at) if self.row.dropped_at else None

    @strawberry.field(description="What they are in the course.")
    def role(self) -> CourseRole:
        return CourseRole(self.row.role)

    @strawberry.field(description="When access ends; fixed when it began. Null: never.")
    def expires_at(self) -> DateTime | None:
        return DateTime(self.row.expires_at) if self.row.expires_at else None

    @strawberry.field(description="Until when the offered seat is kept; null without an offer.")
    def offer_expires_at(self) -> DateTime | None:
        return DateTime(self.row.offer_expires_at) if self.row.offer_expires_at else None

    @batch(description="Place in the waiting list, 1 being the next; null for who does not wait.")
    async def waitlist_position(parents: list[Enrollment], info: Info) -> list[int | None]:
        waiting = [parent.row.id for parent in parents if parent.row.waitlist_place is not None]
        found = dict(zip(waiting, await info.context.waiting_place_by_enrollment.all(waiting), strict=True))
        return [found.get(parent.row.id) for parent in parents]

    @batch(description="What their cohort expects of them; null for who is in none.")
    async def assignment(parents: list[Enrollment], info: Info) -> list[Assignment | None]:
        rows = await info.context.assignment_by_enrollment.all([parent.row.id for parent in parents])
        return [None if row is None else Assignment(row=row) for row in rows]

    @strawberry.field(description="The learner whom an observer follows.")
    async def observed(self, info: Info) -> User | None:
        if self.row.observed_id is None:
            return None
        row = await info.context.members_by_id.load(self.row.observed_id)
        return None if row is None else User(row=row)

    @strawberry.field(description="How far that learner is; null for whoever does not observe.")
    async def observed_progress(self, info: Info) -> ObservedProgress | None:
        found = await info.context.enrolling.observed(self.row)
        return None if found is None else ObservedProgress(found=found)

    @strawberry.field(description="How far the learner is; null for other people's enrolments.")
    def progress(self, info: Info) -> CourseProgress | None:
        return CourseProgress(row=self.row) if self.row.user_id == info.context.viewer.user_id else None


@strawberry.type(description="A page of enrolments.")
class EnrollmentConnection(Connection[Enrollment]):
    pass


@strawberry.input(description="Which enrolments to list.")
class EnrollmentFilter:
    status: EnrollmentStatus | None = strawberry.field(default=None, description="Only with this status.")
    course_id: strawberry.ID | None = strawberry.field(default=None, description="Only in this course.")


@strawberry.input(description="A course to enrol in.")
class EnrollInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="8 to 100 characters; repeating the request with it does nothing twice."
    )


@strawberry.input(description="A course to leave.")
class UnenrollInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")


@strawberry.input(description="The course whose offer or invitation is answered.")
class AnswerInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")


@strawberry.type(description="An enrolment after the change.")
class EnrollmentSuccess:
    enrollment: Enrollment = strawberry.field(description="The enrolment.")


Problems = ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem

EnrollResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("EnrollResult", description="Outcome of enroll.")
]
UnenrollResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("UnenrollResult", description="Outcome of unenroll.")
]
AcceptOfferResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("AcceptOfferResult", description="Outcome of acceptOffer.")
]
DeclineOfferResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("DeclineOfferResult", description="Outcome of declineOffer.")
]
AcceptInvitationResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("AcceptInvitationResult", description="Outcome of acceptInvitation.")
]
DeclineInvitationResult = Annotated[
    EnrollmentSuccess | Problems,
    strawberry.union("DeclineInvitationResult", description="Outcome of declineInvitation."),
]


def filters_of(filter: EnrollmentFilter | None, mask: int) -> dict[str, Any]:
    """A filter as the service takes it."""
    found: dict[str, Any] = {}
    if filter is not None and filter.status is not None:
        found["status"] = word(filter.status)
    if filter is not None and filter.course_id is not None:
        found["course_id"] = ids.decode(ids.COURSE, filter.course_id, mask)
    return found


def enrollment_page(info: Info, page: Any, count: Any) -> EnrollmentConnection:
    """A connection of enrolments."""
    made: EnrollmentConnection = connection(
        EnrollmentConnection,
        ORDER.name,
        page,
        nodes=shown(Enrollment, page.rows),
        key=lambda row: (row.enrolled_at, row.id),
        count=count,
    )
    return made


@strawberry.type
class EnrollmentQuery:
    @strawberry.field(
        description="The enrolments of the person who asks, the newest first; those left only on request."
    )
    async def my_enrollments(
        self,
        info: Info,
        filter: Annotated[EnrollmentFilter | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> EnrollmentConnection:
        enrolling, wanted = info.context.enrolling, filters_of(filter, info.context.mask)
        page = await enrolling.my_enrollments(page_request(ORDER, first, after, last, before), wanted)
        return enrollment_page(info, page, lambda: enrolling.count_my_enrollments(wanted))

    @strawberry.field(
        description="Everybody's enrolments: for administrators, and for instructors in their own courses."
    )
    async def enrollments(
        self,
        info: Info,
        filter: Annotated[EnrollmentFilter | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> EnrollmentConnection:
        enrolling, wanted = info.context.enrolling, filters_of(filter, info.context.mask)
        page = await enrolling.enrollments(page_request(ORDER, first, after, last, before), wanted)
        return enrollment_page(info, page, lambda: enrolling.count_enrollments(wanted))


@strawberry.type
class EnrollmentMutation:
    @strawberry.mutation(
        description="Enrol in a course; asking again changes nothing. See the status: it may be a request, or a place "
        "in the waiting list. An offer or invitation that is open is accepted."
    )
    async def enroll(
        self, info: Info, input: Annotated[EnrollInput, strawberry.argument(description="What to do.")]
    ) -> EnrollResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        row = await info.context.enrolling.enroll(course_id, idempotency_key=input.idempotency_key)
        return EnrollmentSuccess(enrollment=Enrollment(row=row))

    @strawberry.mutation(
        description="Leave a course, its waiting list, or an open request; progress is kept for a return."
    )
    async def unenroll(
        self, info: Info, input: Annotated[UnenrollInput, strawberry.argument(description="What to do.")]
    ) -> UnenrollResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        return EnrollmentSuccess(enrollment=Enrollment(row=await info.context.enrolling.unenroll(course_id)))

    @strawberry.mutation(description="Take the seat that was offered; doing it twice changes nothing.")
    async def accept_offer(
        self, info: Info, input: Annotated[AnswerInput, strawberry.argument(description="What to do.")]
    ) -> AcceptOfferResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        return EnrollmentSuccess(enrollment=Enrollment(row=await info.context.enrolling.accept_offer(course_id)))

    @strawberry.mutation(description="Leave the offered seat to the next in the waiting list.")
    async def decline_offer(
        self, info: Info, input: Annotated[AnswerInput, strawberry.argument(description="What to do.")]
    ) -> DeclineOfferResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        return EnrollmentSuccess(enrollment=Enrollment(row=await info.context.enrolling.decline_offer(course_id)))

    @strawberry.mutation(description="Come into a course that one was invited to.")
    async def accept_invitation(
        self, info: Info, input: Annotated[AnswerInput, strawberry.argument(description="What to do.")]
    ) -> AcceptInvitationResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        return EnrollmentSuccess(enrollment=Enrollment(row=await info.context.enrolling.accept_invitation(course_id)))

    @strawberry.mutation(description="Say no to an invitation.")
    async def decline_invitation(
        self, info: Info, input: Annotated[AnswerInput, strawberry.argument(description="What to do.")]
    ) -> DeclineInvitationResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        return EnrollmentSuccess(enrollment=Enrollment(row=await info.context.enrolling.decline_invitation(course_id)))
