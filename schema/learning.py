"""Enrolment and progress as clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal as PythonDecimal
from enum import Enum
from typing import Annotated
from uuid import UUID as PythonUUID

import strawberry

from app.catalog.rows import LessonRow
from app.errors import NotFound
from app.i18n import translate
from app.learning import rules
from app.learning.locks import OPEN, CourseLocks, ModuleStanding, Verdict
from app.learning.reported import ReportedEvent
from app.learning.rows import EnrollmentRow, LearnerLessonRow
from app.learning.service import Outcome
from app.learning.standing_statements import LessonStanding
from app.viewer import Action
from schema import ids
from schema.catalog import Course, Lesson, LockReason
from schema.context import Info
from schema.enums import word
from schema.errors import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from schema.execution import batch, selected
from schema.scalars import UUID, DateTime, Decimal


@strawberry.enum(name="LessonState", description="Where a learner is in a lesson.")
class LessonState(Enum):
    LOCKED = strawberry.enum_value("locked", description="Cannot be opened; see lockReasons.")
    UNLOCKED = strawberry.enum_value("unlocked", description="Can be opened.")
    STARTED = strawberry.enum_value("started", description="Was opened.")
    COMPLETED = strawberry.enum_value("completed", description="Is done, and stays so.")


@strawberry.enum(name="ProgressEventKind", description="What a learner did.")
class ProgressEventKind(Enum):
    VIEWED = strawberry.enum_value("viewed", description="Opened the lesson.")
    POSITION = strawberry.enum_value("position", description="Reached a place in it.")
    WATCHED = strawberry.enum_value("watched", description="Watched parts of a video.")
    COMPLETED = strawberry.enum_value("completed", description="Marked it as done.")


@strawberry.enum(name="SyncStatus", description="What became of an event.")
class SyncStatus(Enum):
    ACCEPTED = strawberry.enum_value("ACCEPTED", description="It counts.")
    DUPLICATE = strawberry.enum_value("DUPLICATE", description="It was known already.")
    REJECTED = strawberry.enum_value("REJECTED", description="It does not count; see code and message.")


@strawberry.type(description="What a learner has done in a lesson.")
class LessonProgress:
    lesson_row: strawberry.Private[LessonRow]
    row: strawberry.Private[LearnerLessonRow | LessonStanding | None]
    verdict: strawberry.Private[Verdict]

    @strawberry.field(description="Where the learner is.")
    def state(self) -> LessonState:
        return STATES[state_in(self.row, self.verdict)]

    @strawberry.field(description="The lesson.")
    def lesson(self) -> Lesson:
        return Lesson(row=self.lesson_row)

    @strawberry.field(description="How much of it is done, 0 to 100; never falls.")
    def percent(self) -> int:
        return int(self.row.percent or 0) if self.row else 0

    @strawberry.field(description="Where to go on, seconds from the start.")
    def position_seconds(self) -> Decimal:
        return Decimal((self.row and self.row.position_seconds) or PythonDecimal(0))

    @strawberry.field(description="When it was first opened.")
    def started_at(self) -> DateTime | None:
        return DateTime(self.row.started_at) if self.row and self.row.started_at else None

    @strawberry.field(description="When it was first complete.")
    def completed_at(self) -> DateTime | None:
        return DateTime(self.row.completed_at) if self.row and self.row.completed_at else None

    @strawberry.field(description="Why it cannot be opened; empty when it can.")
    async def lock_reasons(self, info: Info) -> list[LockReason]:
        return await Lesson(row=self.lesson_row).progress_reasons(info, self.verdict)

    @strawberry.field(description="When it opens by itself; null when it is open, or waits for something else.")
    def unlocks_at(self) -> DateTime | None:
        at = self.verdict.unlocks_at
        return None if at is None else DateTime(at)

    @strawberry.field(description="Whether it was changed since the learner completed it, and not opened since.")
    def has_new_content(self) -> bool:
        return isinstance(self.row, LessonStanding) and self.row.has_new_content

    @strawberry.field(description="The score, percent; null without one.")
    def score_percent(self) -> Decimal | None:
        score = self.row.score if isinstance(self.row, LessonStanding) else None
        return None if score is None else Decimal(score)

    @strawberry.field(description="Whether the learner was excused from it, which counts as done.")
    def is_excused(self) -> bool:
        return isinstance(self.row, LessonStanding) and self.row.excused_at is not None

    @batch(
        in_turn=True,
        description="Time on task: gaps of at most 5 minutes between events count, at most 4 hours a day (UTC).",
    )
    async def time_spent_seconds(progresses: list[LessonProgress], info: Info) -> list[int]:
        return await info.context.my_time_by_lesson.all([progress.lesson_row.id for progress in progresses])


@strawberry.type(description="How far a learner is in a module.")
class ModuleProgress:
    state: LessonState = strawberry.field(description="Where the learner is; COMPLETED with enough of its lessons.")
    percent: int = strawberry.field(description="Share of what makes it done, by weight, rounded down.")


def module_progress(standing: ModuleStanding) -> ModuleProgress:
    """A learner's standing in a module as clients see it."""
    return ModuleProgress(state=STATES[standing.state], percent=standing.percent)


@strawberry.type(description="Where a learner goes on in a course.")
class ResumePoint:
    lesson: Lesson = strawberry.field(description="The lesson: the last one touched while it is open, else the next.")
    position_seconds: Decimal = strawberry.field(description="Seconds from the start of the lesson.")


@strawberry.type(description="How far a learner is in a course.")
class CourseProgress:
    row: strawberry.Private[EnrollmentRow]

    async def _numbers(self, info: Info) -> tuple[int, int, int, int]:
        found = await info.context.my_progress_by_course.load(self.row.course_id)
        if found is None:
            return 0, 0, 0, 0
        return found.done_weight, found.total_weight, found.completed_lessons, found.total_lessons

    @strawberry.field(description="The course; null while it is not published.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.row.course_id)
        return None if row is None else Course(row=row)

    @strawberry.field(
        description="Share of the required lessons that is done, by weight, rounded down; 100 only when all are."
    )
    async def percent(self, info: Info) -> int:
        done, total, _, _ = await self._numbers(info)
        return rules.course_percent(done, total)

    @strawberry.field(description="How many required lessons are done.")
    async def completed_lessons(self, info: Info) -> int:
        return (await self._numbers(info))[2]

    @strawberry.field(description="How many required lessons there are now.")
    async def total_lessons(self, info: Info) -> int:
        return (await self._numbers(info))[3]

    @strawberry.field(description="When the course was completed, which happens once; stays when lessons are added.")
    def completed_at(self) -> DateTime | None:
        return DateTime(self.row.completed_at) if self.row.completed_at else None

    @strawberry.field(description="When the learner last did something in it.")
    def last_activity_at(self) -> DateTime | None:
        return DateTime(self.row.last_activity_at) if self.row.last_activity_at else None

    @strawberry.field(
        description="Whether a lesson changed since it was completed, or, after the course, there are more to do."
    )
    async def has_new_content(self, info: Info) -> bool:
        return await info.context.my_new_content_by_course.load(self.row.course_id)

    @strawberry.field(description="Time on task in the whole course; no moment counts in two of its lessons.")
    async def time_spent_seconds(self, info: Info) -> int:
        return await info.context.my_time_by_course.load(self.row.course_id)

    @strawberry.field(description="Where to go on; null when every lesson that is open is done.")
    async def resume(self, info: Info) -> ResumePoint | None:
        found = await info.context.my_resume_by_course.load(self.row.course_id)
        if found is None:
            return None
        lesson = await info.context.lessons_by_id.load(found.lesson_id)
        if lesson is not None and lesson.gated:
            lesson = await self._first_open(info, lesson)
        if lesson is None:
            return None
        progress = await info.context.my_progress_by_lesson.load(lesson.id)
        position = (progress and progress.position_seconds) or PythonDecimal(0)
        return ResumePoint(lesson=Lesson(row=lesson), position_seconds=Decimal(position))

    async def _first_open(self, info: Info, lesson: LessonRow) -> LessonRow | None:
        """The lesson unless it is locked; then the first that is open and not done."""
        locks = await info.context.my_locks_by_course.load(self.row.course_id)
        if locks is None or not locks.lessons.get(lesson.id, OPEN).is_locked:
            return lesson
        open_ = (row.id for row in locks.order if not row.completed_at and not locks.lessons[row.id].is_locked)
        first = next(open_, None)
        return None if first is None else await info.context.lessons_by_id.load(first)

    @strawberry.field(description="Every lesson of the course in order, with what the learner did in it.")
    async def lessons(self, info: Info) -> list[LessonProgress]:
        if await info.context.courses_by_id.load(self.row.course_id) is None:
            return []
        modules = await info.context.modules_by_course.load(self.row.course_id)
        lists = await info.context.lessons_by_module.all([module.id for module in modules])
        return await lesson_progress(info, [lesson for rows in lists for lesson in rows])


@strawberry.input(description="A part of a video, in seconds from its start.")
class RangeInput:
    start: float = strawberry.field(description="From.")
    end: float = strawberry.field(description="To.")


@strawberry.input(description="Something a learner did. Events may be sent late, twice and in any order.")
class ProgressEventInput:
    client_event_id: UUID = strawberry.field(description="Made by the client, once per event; tells repetitions.")
    lesson_id: strawberry.ID = strawberry.field(description="The lesson.")
    kind: ProgressEventKind = strawberry.field(description="What happened.")
    occurred_at: DateTime = strawberry.field(description="When, by the client's clock.")
    percent: Decimal | None = strawberry.field(default=None, description="How much of the lesson was read, 0 to 100.")
    position_seconds: float | None = strawberry.field(default=None, description="Place reached, seconds.")
    block_id: strawberry.ID | None = strawberry.field(default=None, description="The video that was watched.")
    watched_ranges: list[RangeInput] | None = strawberry.field(default=None, description="Parts that were watched.")
    span_started_at: DateTime | None = strawberry.field(
        default=None, description="When the watching that the ranges tell of began; needed with ranges."
    )


@strawberry.input(description="Events to take.")
class SyncProgressInput:
    events: list[ProgressEventInput] = strawberry.field(description="At most 500, in any order.")


@strawberry.input(description="A lesson that is done.")
class CompleteLessonInput:
    lesson_id: strawberry.ID = strawberry.field(description="The lesson.")
    client_event_id: UUID | None = strawberry.field(default=None, description="Tells repetitions of this request.")


@strawberry.type(description="What became of one event.")
class SyncItem:
    client_event_id: UUID = strawberry.field(description="The event.")
    status: SyncStatus = strawberry.field(description="What became of it.")
    code: str | None = strawberry.field(description="Why it was rejected; for programs.")
    message: str | None = strawberry.field(description="Why it was rejected, in the reader's language.")


@strawberry.type(description="What became of each event, in the order in which they were sent.")
class SyncProgressSuccess:
    results: list[SyncItem] = strawberry.field(description="One for each event.")
    course_ids: strawberry.Private[list[PythonUUID]]

    @strawberry.field(description="How far the learner now is in the courses concerned.")
    async def courses(self, info: Info) -> list[CourseProgress]:
        rows = await info.context.my_enrollment_by_course.all(self.course_ids)
        return [CourseProgress(row=row) for row in rows if row is not None]


@strawberry.type(description="A lesson is done.")
class CompleteLessonSuccess:
    lesson: Lesson | None = strawberry.field(description="The lesson; null while its course is not published.")
    progress: CourseProgress = strawberry.field(description="How far the learner now is in its course.")


SyncProgressResult = Annotated[
    SyncProgressSuccess | ValidationProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem,
    strawberry.union("SyncProgressResult", description="Outcome of syncProgress."),
]
CompleteLessonResult = Annotated[
    CompleteLessonSuccess
    | NotFoundProblem
    | ForbiddenProblem
    | ConflictProblem
    | ValidationProblem
    | UnavailableProblem,
    strawberry.union("CompleteLessonResult", description="Outcome of completeLesson."),
]


async def lesson_progress(info: Info, lessons: Sequence[LessonRow]) -> list[LessonProgress]:
    """The viewer's progress in lessons, one statement for all of them; more only where some may be locked."""
    keys = [lesson.id for lesson in lessons]
    if selected(info).keys() <= BRIEF:
        brief = await info.context.my_progress_by_lesson.all(keys)
        return [
            LessonProgress(lesson_row=lesson, row=row, verdict=OPEN) for lesson, row in zip(lessons, brief, strict=True)
        ]
    rows = await info.context.my_standing_by_lesson.all(keys)
    ruled = list({row.course_id for row in rows if row is not None and row.gated})
    locks = dict(zip(ruled, await info.context.my_locks_by_course.all(ruled), strict=True)) if ruled else {}
    return [
        LessonProgress(lesson_row=lesson, row=row, verdict=verdict_in(locks.get(lesson.course_id), lesson.id))
        for lesson, row in zip(lessons, rows, strict=True)
    ]


def verdict_in(locks: CourseLocks | None, lesson_id: PythonUUID) -> Verdict:
    """Whether a lesson is open; it is where nothing says otherwise."""
    return OPEN if locks is None else locks.lessons.get(lesson_id, OPEN)


# What of a learner's progress depends on no rule and is in the shortest row.
BRIEF = frozenset({"__typename", "lesson", "percent", "positionSeconds", "startedAt", "completedAt"})
STATES = {state: LessonState(state.value) for state in rules.LessonState}


def state_in(row: LearnerLessonRow | LessonStanding | None, verdict: Verdict) -> rules.LessonState:
    """Where a learner is in a lesson."""
    return rules.state_of(
        enrolled=row is not None and row.status in {"active", "completed"},
        started=row is not None and row.started_at is not None,
        completed=row is not None and row.completed_at is not None,
        locked=verdict.is_locked,
    )


def reported(event: ProgressEventInput, mask: int) -> ReportedEvent:
    """An event as the service takes it."""
    return ReportedEvent(
        client_event_id=event.client_event_id,
        lesson_id=ids.decode(ids.LESSON, event.lesson_id, mask),
        kind=rules.EventKind(word(event.kind)),
        occurred_at=event.occurred_at,
        percent=event.percent,
        position=event.position_seconds,
        block_id=ids.decode(ids.BLOCK, event.block_id, mask) if event.block_id is not None else None,
        ranges=tuple((part.start, part.end) for part in event.watched_ranges or ()),
        span_started_at=event.span_started_at,
    )


def item(outcome: Outcome, info: Info) -> SyncItem:
    """An outcome as clients see it."""
    return SyncItem(
        client_event_id=UUID(outcome.client_event_id),
        status=SyncStatus(outcome.status),
        code=outcome.code,
        message=translate(outcome.message, info.context.locale) if outcome.message else None,
    )


@strawberry.type
class LearningQuery:
    @strawberry.field(description="How far the person who asks is in a course; null without an enrolment.")
    async def progress(
        self, info: Info, course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")]
    ) -> CourseProgress | None:
        info.context.viewer.require(Action.READ_SELF)
        course = ids.decode(ids.COURSE, course_id, info.context.mask)
        row = await info.context.my_enrollment_by_course.load(course)
        return None if row is None else CourseProgress(row=row)


@strawberry.type
class LearningMutation:
    @strawberry.mutation(description="Take what a learner did, each event on its own merits.")
    async def sync_progress(
        self, info: Info, input: Annotated[SyncProgressInput, strawberry.argument(description="What to do.")]
    ) -> SyncProgressResult:
        events = [reported(event, info.context.mask) for event in input.events]
        outcomes, course_ids = await info.context.learning.sync_progress(events)
        return SyncProgressSuccess(results=[item(outcome, info) for outcome in outcomes], course_ids=course_ids)

    @strawberry.mutation(description="Mark a lesson as done; doing it again changes nothing.")
    async def complete_lesson(
        self, info: Info, input: Annotated[CompleteLessonInput, strawberry.argument(description="What to do.")]
    ) -> CompleteLessonResult:
        lesson_id = ids.decode(ids.LESSON, input.lesson_id, info.context.mask)
        course_id = await info.context.learning.complete_lesson(lesson_id, client_event_id=input.client_event_id)
        lesson = await info.context.lessons_by_id.load(lesson_id)
        enrollment = await info.context.my_enrollment_by_course.load(course_id)
        if enrollment is None:
            raise NotFound("enrollment")
        return CompleteLessonSuccess(
            lesson=None if lesson is None else Lesson(row=lesson), progress=CourseProgress(row=enrollment)
        )
