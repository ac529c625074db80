"""How people enrol in a course, and what its staff does about it, as clients see it."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import strawberry

from app.learning.enrollment_rows import SettingsRow
from app.learning.seat_statements import CHANGEABLE
from app.viewer import Action
from schema import ids
from schema.context import Info
from schema.enrollment import Enrollment, EnrollmentSuccess, Problems
from schema.identity import given
from schema.scalars import DateTime

UNSET = strawberry.UNSET


@strawberry.enum(name="EnrollmentPolicy", description="Who comes into a course.")
class EnrollmentPolicy(Enum):
    OPEN = strawberry.enum_value("open", description="Everybody.")
    APPROVAL = strawberry.enum_value("approval", description="Whom an instructor lets in; others ask.")
    INVITATION = strawberry.enum_value("invitation", description="Who was invited or has a code.")
    CLOSED = strawberry.enum_value("closed", description="Nobody but whom an instructor enrols.")


@strawberry.type(description="How people enrol in a course.")
class EnrollmentSettings:
    row: strawberry.Private[SettingsRow | None]

    def _time(self, name: str) -> DateTime | None:
        found = getattr(self.row, name, None)
        return DateTime(found) if found is not None else None

    @strawberry.field(description="Who comes in.")
    def policy(self) -> EnrollmentPolicy:
        return EnrollmentPolicy(self.row.policy if self.row else "open")

    @strawberry.field(description="How many seats there are; null: no limit.")
    def capacity(self) -> int | None:
        return self.row.capacity if self.row else None

    @strawberry.field(
        description="Seats taken by who learns, is suspended, invited, or has an offer; null where nobody counts them."
    )
    def seats_taken(self) -> int | None:
        return self.row.seats_taken if self.row else None

    @strawberry.field(description="Seats that are free; null: no limit.")
    def seats_left(self) -> int | None:
        if self.row is None or self.row.capacity is None:
            return None
        return max(0, self.row.capacity - self.row.seats_taken)

    @strawberry.field(description="How many hours an offered seat is kept; null: there is no waiting list.")
    def offer_hours(self) -> int | None:
        return self.row.offer_hours if self.row else None

    @strawberry.field(description="When enrolment begins; null: at once.")
    def opens_at(self) -> DateTime | None:
        return self._time("opens_at")

    @strawberry.field(description="When enrolment ends; null: never.")
    def closes_at(self) -> DateTime | None:
        return self._time("closes_at")

    @strawberry.field(description="When the course ends and takes nobody any more; null: never.")
    def ends_at(self) -> DateTime | None:
        return self._time("ends_at")

    @strawberry.field(description="When everybody's access ends; null: at no fixed time.")
    def access_until(self) -> DateTime | None:
        return self._time("access_until")

    @strawberry.field(description="How many days access lasts after enrolling; null: without limit.")
    def access_days(self) -> int | None:
        return self.row.access_days if self.row else None

    @strawberry.field(description="After how many days of doing nothing a learner leaves the course; null: never.")
    def inactivity_days(self) -> int | None:
        return self.row.inactivity_days if self.row else None

    @strawberry.field(description="How many days before the end of access a learner is told; null: not at all.")
    def notice_days(self) -> int | None:
        return self.row.notice_days if self.row else None

    @strawberry.field(description="Grows with every change, from 0; pass it as expectedVersion.")
    def version(self) -> int:
        return self.row.version if self.row else 0


@strawberry.input(description="Changes of how people enrol; fields left out stay, null clears.")
class UpdateEnrollmentSettingsInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    policy: EnrollmentPolicy | None = strawberry.field(default=UNSET, description="Who comes in; null is OPEN.")
    capacity: int | None = strawberry.field(default=UNSET, description="Seats, 0 to 100,000; nobody is put out.")
    offer_hours: int | None = strawberry.field(
        default=UNSET, description="1 to 720: a waiting list whose offers are kept so long; null: no waiting list."
    )
    opens_at: DateTime | None = strawberry.field(default=UNSET, description="When enrolment begins.")
    closes_at: DateTime | None = strawberry.field(default=UNSET, description="When enrolment ends.")
    ends_at: DateTime | None = strawberry.field(default=UNSET, description="When the course ends.")
    access_until: DateTime | None = strawberry.field(
        default=UNSET, description="When access ends, for who enrols from now on."
    )
    access_days: int | None = strawberry.field(
        default=UNSET, description="Days of access, 1 to 3660, for who enrols from now on."
    )
    inactivity_days: int | None = strawberry.field(default=UNSET, description="Days of doing nothing, 1 to 3660.")
    notice_days: int | None = strawberry.field(default=UNSET, description="Days before the end of access, 1 to 365.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="An enrolment.")
class EnrollmentIdInput:
    id: strawberry.ID = strawberry.field(description="The enrolment.")


@strawberry.input(description="An enrolment and why.")
class EnrollmentReasonInput:
    id: strawberry.ID = strawberry.field(description="The enrolment.")
    reason: str = strawberry.field(description="Why; at most 1,000 characters, kept in the audit log.")


@strawberry.input(description="A request to turn down.")
class RejectEnrollmentInput:
    id: strawberry.ID = strawberry.field(description="The enrolment.")
    reason: str = strawberry.field(default="", description="Told to whoever asked; at most 1,000 characters.")


@strawberry.input(description="Access to renew.")
class RenewEnrollmentInput:
    id: strawberry.ID = strawberry.field(description="The enrolment.")
    until: DateTime | None = strawberry.field(
        default=None, description="The new end of access; by default what the course gives from now on."
    )


@strawberry.type(description="How people enrol in a course, after the change.")
class EnrollmentSettingsSuccess:
    settings: EnrollmentSettings = strawberry.field(description="The settings.")


UpdateEnrollmentSettingsResult = Annotated[
    EnrollmentSettingsSuccess | Problems,
    strawberry.union("UpdateEnrollmentSettingsResult", description="Outcome of updateEnrollmentSettings."),
]
ApproveEnrollmentResult = Annotated[
    EnrollmentSuccess | Problems,
    strawberry.union("ApproveEnrollmentResult", description="Outcome of approveEnrollment."),
]
RejectEnrollmentResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("RejectEnrollmentResult", description="Outcome of rejectEnrollment.")
]
SuspendEnrollmentResult = Annotated[
    EnrollmentSuccess | Problems,
    strawberry.union("SuspendEnrollmentResult", description="Outcome of suspendEnrollment."),
]
ResumeEnrollmentResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("ResumeEnrollmentResult", description="Outcome of resumeEnrollment.")
]
DropEnrollmentResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("DropEnrollmentResult", description="Outcome of dropEnrollment.")
]
RenewEnrollmentResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("RenewEnrollmentResult", description="Outcome of renewEnrollment.")
]


def settings_of(input: UpdateEnrollmentSettingsInput) -> dict[str, Any]:
    """The sent fields as the service takes them; a policy that is cleared is the open one."""
    sent = {name: getattr(value, "value", value) for name, value in given(input, CHANGEABLE).items()}
    return {**sent, "policy": sent["policy"] or "open"} if "policy" in sent else sent


def shown(row: Any) -> EnrollmentSuccess:
    """An enrolment that was changed."""
    return EnrollmentSuccess(enrollment=Enrollment(row=row))


@strawberry.type
class ManagingQuery:
    @strawberry.field(description="How people enrol in a course; null when there is no such course to see.")
    async def enrollment_settings(
        self, info: Info, course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")]
    ) -> EnrollmentSettings | None:
        info.context.viewer.require(Action.READ_CATALOG)
        course = await info.context.courses_by_id.load(ids.decode(ids.COURSE, course_id, info.context.mask))
        if course is None:
            return None
        return EnrollmentSettings(row=await info.context.settings_by_course.load(course.id))


@strawberry.type
class ManagingMutation:
    @strawberry.mutation(description="Change how people enrol in a course.")
    async def update_enrollment_settings(
        self,
        info: Info,
        input: Annotated[UpdateEnrollmentSettingsInput, strawberry.argument(description="What to do.")],
    ) -> UpdateEnrollmentSettingsResult:
        row = await info.context.managing.update_settings(
            ids.decode(ids.COURSE, input.course_id, info.context.mask),
            settings_of(input),
            expected_version=input.expected_version,
        )
        return EnrollmentSettingsSuccess(settings=EnrollmentSettings(row=row))

    @strawberry.mutation(description="Let in who asked; in a full course they wait.")
    async def approve_enrollment(
        self, info: Info, input: Annotated[EnrollmentIdInput, strawberry.argument(description="What to do.")]
    ) -> ApproveEnrollmentResult:
        return shown(await info.context.managing.approve(ids.decode(ids.ENROLLMENT, input.id, info.context.mask)))

    @strawberry.mutation(description="Turn a request down.")
    async def reject_enrollment(
        self, info: Info, input: Annotated[RejectEnrollmentInput, strawberry.argument(description="What to do.")]
    ) -> RejectEnrollmentResult:
        enrollment_id = ids.decode(ids.ENROLLMENT, input.id, info.context.mask)
        return shown(await info.context.managing.reject(enrollment_id, reason=input.reason))

    @strawberry.mutation(description="Keep somebody from learning for a while; the seat stays theirs.")
    async def suspend_enrollment(
        self, info: Info, input: Annotated[EnrollmentReasonInput, strawberry.argument(description="What to do.")]
    ) -> SuspendEnrollmentResult:
        enrollment_id = ids.decode(ids.ENROLLMENT, input.id, info.context.mask)
        return shown(await info.context.managing.suspend(enrollment_id, reason=input.reason))

    @strawberry.mutation(description="End a suspension.")
    async def resume_enrollment(
        self, info: Info, input: Annotated[EnrollmentIdInput, strawberry.argument(description="What to do.")]
    ) -> ResumeEnrollmentResult:
        return shown(await info.context.managing.resume(ids.decode(ids.ENROLLMENT, input.id, info.context.mask)))

    @strawberry.mutation(description="Take somebody out of a course or its waiting list, or an invitation back.")
    async def drop_enrollment(
        self, info: Info, input: Annotated[EnrollmentReasonInput, strawberry.argument(description="What to do.")]
    ) -> DropEnrollmentResult:
        enrollment_id = ids.decode(ids.ENROLLMENT, input.id, info.context.mask)
        return shown(await info.context.managing.drop(enrollment_id, reason=input.reason))

    @strawberry.mutation(description="Give access anew; who has lost the seat needs a free one.")
    async def renew_enrollment(
        self, info: Info, input: Annotated[RenewEnrollmentInput, strawberry.argument(description="What to do.")]
    ) -> RenewEnrollmentResult:
        enrollment_id = ids.decode(ids.ENROLLMENT, input.id, info.context.mask)
        return shown(await info.context.managing.renew(enrollment_id, until=input.until))
