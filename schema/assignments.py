"""What is expected of an enrolment in a cohort, and what observers see, as clients see it."""

from __future__ import annotations

from enum import Enum

import strawberry

from app.learning import rules
from app.learning.enrolling import Observed
from app.learning.enrollment_rows import AssignmentRow
from schema.context import Info
from schema.scalars import DateTime


@strawberry.enum(name="AssignmentStatus", description="How somebody stands with what their cohort has to do.")
class AssignmentStatus(Enum):
    NOT_STARTED = strawberry.enum_value("not_started", description="Has done nothing yet.")
    IN_PROGRESS = strawberry.enum_value("in_progress", description="Has begun.")
    COMPLETED = strawberry.enum_value("completed", description="Has completed the course.")
    AT_RISK = strawberry.enum_value("at_risk", description="Has not, and the deadline is near.")
    OVERDUE = strawberry.enum_value("overdue", description="Has not, and the deadline has passed.")
    WAIVED = strawberry.enum_value("waived", description="Was excused.")


@strawberry.enum(name="Compliance", description="Whether somebody keeps the deadline.")
class Compliance(Enum):
    PENDING = strawberry.enum_value("pending", description="There is time left, or no deadline.")
    COMPLIANT = strawberry.enum_value("compliant", description="Has completed the course, or was excused.")
    IN_GRACE_PERIOD = strawberry.enum_value("in_grace_period", description="The deadline has passed, not the grace.")
    NON_COMPLIANT = strawberry.enum_value("non_compliant", description="The days of grace have passed too.")


@strawberry.type(description="What a cohort expects of one of its members; derived from time and progress.")
class Assignment:
    row: strawberry.Private[AssignmentRow]

    @strawberry.field(description="The cohort's name.")
    async def cohort_name(self, info: Info) -> str:
        found = await info.context.cohorts_by_id.load(self.row.cohort_id)
        return "" if found is None else found.name

    @strawberry.field(description="How they stand.")
    def status(self) -> AssignmentStatus:
        return AssignmentStatus(self.row.status)

    @strawberry.field(description="Whether they keep the deadline.")
    def compliance(self) -> Compliance:
        return Compliance(self.row.compliance)

    @strawberry.field(description="Until when; null without a deadline, or before the days begin to count.")
    def due_at(self) -> DateTime | None:
        return DateTime(self.row.deadline) if self.row.deadline else None

    @strawberry.field(description="When they were excused.")
    def waived_at(self) -> DateTime | None:
        return DateTime(self.row.waived_at) if self.row.waived_at else None

    @strawberry.field(description="Why.")
    def waive_reason(self) -> str | None:
        return self.row.waive_reason


@strawberry.type(description="How far the learner is whom an observer follows.")
class ObservedProgress:
    found: strawberry.Private[Observed]

    @strawberry.field(description="Share of the required lessons that is done, by weight, rounded down.")
    def percent(self) -> int:
        row = self.found.progress
        return 0 if row is None else rules.course_percent(row.done_weight, row.total_weight)

    @strawberry.field(description="How many required lessons are done.")
    def completed_lessons(self) -> int:
        return 0 if self.found.progress is None else self.found.progress.completed_lessons

    @strawberry.field(description="How many required lessons there are.")
    def total_lessons(self) -> int:
        return 0 if self.found.progress is None else self.found.progress.total_lessons

    @strawberry.field(description="When the course was completed.")
    def completed_at(self) -> DateTime | None:
        return DateTime(self.found.completed_at) if self.found.completed_at else None

    @strawberry.field(description="When the learner last did something in it.")
    def last_activity_at(self) -> DateTime | None:
        return DateTime(self.found.last_activity_at) if self.found.last_activity_at else None
