"""What instructors see of their learners' progress, and what they do to it."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.errors import NotFound
from app.learning import rules
from app.learning.enrollment_statements import ORDER
from app.learning.rows import EnrollmentRow
from app.learning.standing_statements import ImpactRow, LearnerLesson
from schema import ids
from schema.authoring import Problems
from schema.catalog import Lesson
from schema.context import Info
from schema.enrollment import Enrollment, EnrollmentSuccess
from schema.execution import batch
from schema.learning import LessonState
from schema.node import shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.scalars import DateTime, Decimal


@strawberry.type(description="A lesson as a learner stands in it; locks are not looked at.")
class LearnerLessonProgress:
    row: strawberry.Private[LearnerLesson]

    @batch(in_turn=True, description="The lesson.")
    async def lesson(parents: list[LearnerLessonProgress], info: Info) -> list[Lesson | None]:
        rows = await info.context.lessons_by_id.all([parent.row.lesson_id for parent in parents])
        return [None if row is None else Lesson(row=row) for row in rows]

    @strawberry.field(description="UNLOCKED, STARTED or COMPLETED.")
    def state(self) -> LessonState:
        state = rules.state_of(
            enrolled=True, started=self.row.started_at is not None, completed=self.row.completed_at is not None
        )
        return LessonState(state.value)

    @strawberry.field(description="What it counts in the learner's revision; 0 when it does not.")
    def weight(self) -> int:
        return self.row.weight

    @strawberry.field(description="How much of it is done, 0 to 100.")
    def percent(self) -> int:
        return int(self.row.percent or 0)

    @strawberry.field(description="When it was first opened.")
    def started_at(self) -> DateTime | None:
        return DateTime(self.row.started_at) if self.row.started_at else None

    @strawberry.field(description="When it was complete.")
    def completed_at(self) -> DateTime | None:
        return DateTime(self.row.completed_at) if self.row.completed_at else None

    @strawberry.field(description="The score, percent; null without one.")
    def score_percent(self) -> Decimal | None:
        return None if self.row.score is None else Decimal(self.row.score)

    @strawberry.field(description="Whether the learner was excused from it.")
    def is_excused(self) -> bool:
        return self.row.excused_at is not None


@strawberry.type(description="A learner of a course, and how far they are.")
class LearnerProgress:
    row: strawberry.Private[EnrollmentRow]

    @strawberry.field(description="The enrolment.")
    def enrollment(self) -> Enrollment:
        return Enrollment(row=self.row)

    @batch(in_turn=True, description="Share of what is required of them that is done, by weight, rounded down.")
    async def percent(learners: list[LearnerProgress], info: Info) -> list[int]:
        found = await info.context.numbers_by_enrollment.all([learner.row.id for learner in learners])
        return [0 if row is None else rules.course_percent(row.done_weight, row.total_weight) for row in found]

    @batch(in_turn=True, description="How many required lessons are done.")
    async def completed_lessons(learners: list[LearnerProgress], info: Info) -> list[int]:
        found = await info.context.numbers_by_enrollment.all([learner.row.id for learner in learners])
        return [0 if row is None else row.completed_lessons for row in found]

    @batch(in_turn=True, description="How many lessons are required of them.")
    async def total_lessons(learners: list[LearnerProgress], info: Info) -> list[int]:
        found = await info.context.numbers_by_enrollment.all([learner.row.id for learner in learners])
        return [0 if row is None else row.total_lessons for row in found]

    @batch(in_turn=True, description="The revision that counts for them; null in a course that was never frozen.")
    async def revision(learners: list[LearnerProgress], info: Info) -> list[int | None]:
        found = await info.context.numbers_by_enrollment.all([learner.row.id for learner in learners])
        return [None if row is None else row.revision for row in found]

    @batch(in_turn=True, description="Time on task in the whole course, seconds.")
    async def time_spent_seconds(learners: list[LearnerProgress], info: Info) -> list[int]:
        return await info.context.time_by_enrollment.all([learner.row.id for learner in learners])

    @batch(in_turn=True, description="Every lesson of the course in order.")
    async def lessons(learners: list[LearnerProgress], info: Info) -> list[list[LearnerLessonProgress]]:
        lists = await info.context.learner_lessons_by_enrollment.all([learner.row.id for learner in learners])
        return [shown(LearnerLessonProgress, rows) for rows in lists]


@strawberry.type(description="A page of a course's learners.")
class LearnerProgressConnection(Connection[LearnerProgress]):
    pass


@strawberry.type(description="What publishing a course now would do to its learners.")
class PublishPreview:
    row: strawberry.Private[ImpactRow]

    @strawberry.field(description="Learners who follow the newest revision; others are not touched.")
    def learners(self) -> int:
        return self.row.learners

    @strawberry.field(description="Whose percentage would change.")
    def changed(self) -> int:
        return self.row.changed

    @strawberry.field(description="Who would complete the course.")
    def completed(self) -> int:
        return self.row.completed

    @strawberry.field(description="Who had done everything and would have something to do; what is completed stays so.")
    def reopened(self) -> int:
        return self.row.reopened


@strawberry.input(description="A learner's lesson.")
class ExcuseLessonInput:
    lesson_id: strawberry.ID = strawberry.field(description="The lesson.")
    user_id: strawberry.ID = strawberry.field(description="The learner.")
    reason: str = strawberry.field(description="Why; at most 500 characters. Kept in the audit log.")


@strawberry.input(description="A learner's progress to begin anew.")
class ResetProgressInput:
    enrollment_id: strawberry.ID = strawberry.field(description="The enrolment.")
    lesson_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only this lesson; a completed course then stays completed."
    )
    reason: str = strawberry.field(description="Why; at most 500 characters. Kept in the audit log.")


ExcuseLessonResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("ExcuseLessonResult", description="Outcome of excuseLesson.")
]
UnexcuseLessonResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("UnexcuseLessonResult", description="Outcome of unexcuseLesson.")
]
ResetProgressResult = Annotated[
    EnrollmentSuccess | Problems, strawberry.union("ResetProgressResult", description="Outcome of resetProgress.")
]


@strawberry.type
class OverseeingQuery:
    @strawberry.field(
        description="How far the learners of a course are, the newest first; null without such a course to teach."
    )
    async def learner_progress(
        self,
        info: Info,
        course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")],
        user_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only this learner.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> LearnerProgressConnection | None:
        standing, mask = info.context.standing, info.context.mask
        course = ids.decode(ids.COURSE, course_id, mask)
        learner = None if user_id is None else ids.decode(ids.USER, user_id, mask)
        asked = page_request(ORDER, first, after, last, before)
        try:
            page = await standing.learners(asked, course, learner)
        except NotFound:
            return None
        made: LearnerProgressConnection = connection(
            LearnerProgressConnection,
            ORDER.name,
            page,
            nodes=shown(LearnerProgress, page.rows),
            key=lambda row: (row.enrolled_at, row.id),
            count=lambda: standing.count_learners(course, learner),
        )
        return made

    @strawberry.field(description="What publishing a course now would do; null when there is no such course to edit.")
    async def publish_preview(
        self, info: Info, course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")]
    ) -> PublishPreview | None:
        course = ids.decode(ids.COURSE, course_id, info.context.mask)
        try:
            return PublishPreview(row=await info.context.standing.impact_of_publishing(course))
        except NotFound:
            return None


@strawberry.type
class OverseeingMutation:
    @strawberry.mutation(description="Count a lesson as done for a learner.")
    async def excuse_lesson(
        self, info: Info, input: Annotated[ExcuseLessonInput, strawberry.argument(description="What to do.")]
    ) -> ExcuseLessonResult:
        mask = info.context.mask
        row = await info.context.keeping.excuse_lesson(
            ids.decode(ids.LESSON, input.lesson_id, mask),
            ids.decode(ids.USER, input.user_id, mask),
            reason=input.reason,
        )
        return EnrollmentSuccess(enrollment=Enrollment(row=row))

    @strawberry.mutation(description="Take an excuse back; what the learner did counts alone again.")
    async def unexcuse_lesson(
        self, info: Info, input: Annotated[ExcuseLessonInput, strawberry.argument(description="What to do.")]
    ) -> UnexcuseLessonResult:
        mask = info.context.mask
        row = await info.context.keeping.unexcuse_lesson(
            ids.decode(ids.LESSON, input.lesson_id, mask),
            ids.decode(ids.USER, input.user_id, mask),
            reason=input.reason,
        )
        return EnrollmentSuccess(enrollment=Enrollment(row=row))

    @strawberry.mutation(description="Let a learner begin a lesson or the whole course anew.")
    async def reset_progress(
        self, info: Info, input: Annotated[ResetProgressInput, strawberry.argument(description="What to do.")]
    ) -> ResetProgressResult:
        mask = info.context.mask
        row = await info.context.keeping.reset_progress(
            ids.decode(ids.ENROLLMENT, input.enrollment_id, mask),
            None if input.lesson_id is None else ids.decode(ids.LESSON, input.lesson_id, mask),
            reason=input.reason,
        )
        return EnrollmentSuccess(enrollment=Enrollment(row=row))
