"""Quizzes as clients see them."""

from __future__ import annotations

from decimal import Decimal as PythonDecimal
from enum import Enum
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated

import strawberry

from app.assessment.quiz_rows import OverrideRow, PlaceRow, QuizRow, ScoreRow, SlotRow
from app.assessment.visibility import Standing, Visibility, score_is_shown
from schema import ids
from schema.analysing import AnalysedAttempts, QuizAnalysis
from schema.catalog import Course, Lesson
from schema.context import Info
from schema.execution import batch
from schema.identity import User
from schema.node import Node, shown
from schema.scalars import DateTime, Decimal

if TYPE_CHECKING:
    from schema.attempts import Attempt

ZERO = PythonDecimal(0)


@strawberry.enum(name="OverduePolicy", description="What happens to an attempt that is not submitted in time.")
class OverduePolicy(Enum):
    AUTOSUBMIT = strawberry.enum_value("autosubmit", description="What was saved by the deadline is submitted.")
    GRACE = strawberry.enum_value(
        "grace", description="It may still be submitted for a while, with no other answers; then it is abandoned."
    )
    ABANDON = strawberry.enum_value("abandon", description="It ends without being graded.")


@strawberry.enum(name="KeptScore", description="Which score counts of several attempts.")
class KeptScore(Enum):
    HIGHEST = strawberry.enum_value("highest", description="The best one.")
    LATEST = strawberry.enum_value("latest", description="The last one that is graded.")
    AVERAGE = strawberry.enum_value("average", description="The mean of those that are graded.")
    FIRST = strawberry.enum_value("first", description="The first one.")


@strawberry.enum(name="ResultsVisibility", description="When learners see what their answers were worth.")
class ResultsVisibility(Enum):
    NEVER = strawberry.enum_value("never", description="Never.")
    AFTER_SUBMIT = strawberry.enum_value("after_submit", description="Whenever no attempt is open.")
    AFTER_LAST_ATTEMPT = strawberry.enum_value(
        "after_last_attempt", description="When the last attempt that is allowed has ended."
    )
    AFTER_CLOSE = strawberry.enum_value("after_close", description="When the quiz has closed.")
    ONE_TIME = strawberry.enum_value("one_time", description="Once for each attempt, by seeResults.")


@strawberry.type(description="How much of the points are lost by being late.")
class LatePolicy:
    interval_seconds: int = strawberry.field(description="Each begun interval after dueAt costs.")
    percent: Decimal = strawberry.field(description="Percent of the possible points for each interval.")
    floor_percent: Decimal = strawberry.field(description="What being late never goes below.")


@strawberry.type(description="A place of a quiz: one question, or some that are drawn anew for each attempt.")
class QuizSlot:
    row: strawberry.Private[SlotRow]

    @strawberry.field(description="Its place, from 1.")
    def position(self) -> int:
        return self.row.position

    @strawberry.field(description="The question; null where some are drawn.")
    def question_id(self, info: Info) -> strawberry.ID | None:
        found = self.row.question_id
        return None if found is None else ids.encode(ids.QUESTION, found, info.context.mask)

    @strawberry.field(description="Drawn from questions with all of these tags.")
    def tags(self) -> list[str]:
        return self.row.tags

    @strawberry.field(description="Drawn from questions of this category and those below it.")
    def category(self) -> str | None:
        return self.row.category

    @strawberry.field(description="How many questions it asks.")
    def draws(self) -> int:
        return self.row.draws

    @strawberry.field(description="Points of each question.")
    def points(self) -> Decimal:
        return Decimal(self.row.points)


@strawberry.type(description="What one learner may that others may not.")
class QuizOverride:
    row: strawberry.Private[OverrideRow]

    @strawberry.field(description="The learner.")
    async def user(self, info: Info) -> User | None:
        row = await info.context.members_by_id.load(self.row.user_id)
        return None if row is None else User(row=row)

    @strawberry.field(description="Minutes more for each attempt.")
    def extra_minutes(self) -> int:
        return self.row.extra_minutes

    @strawberry.field(description="Attempts more.")
    def extra_attempts(self) -> int:
        return self.row.extra_attempts

    @strawberry.field(description="Opens then instead.")
    def open_at(self) -> DateTime | None:
        return DateTime(self.row.open_at) if self.row.open_at else None

    @strawberry.field(description="Closes then instead.")
    def close_at(self) -> DateTime | None:
        return DateTime(self.row.close_at) if self.row.close_at else None

    @strawberry.field(description="Is late after then instead.")
    def due_at(self) -> DateTime | None:
        return DateTime(self.row.due_at) if self.row.due_at else None

    @strawberry.field(description="Why.")
    def reason(self) -> str:
        return self.row.reason


@strawberry.type(description="The score that counts of a learner's attempts.")
class QuizScore:
    row: strawberry.Private[ScoreRow]

    @strawberry.field(description="Points; null while nothing is graded.")
    def score(self) -> Decimal | None:
        return None if self.row.score is None else Decimal(self.row.score)

    @strawberry.field(description="Points that were possible.")
    def possible(self) -> Decimal:
        return Decimal(self.row.possible)

    @strawberry.field(description="The score in percent, 0 to 100.")
    def percent(self) -> Decimal | None:
        return None if self.row.percent is None else Decimal(self.row.percent)

    @strawberry.field(description="Whether it is enough; null where nothing says how much is.")
    def is_passed(self) -> bool | None:
        return self.row.is_passed

    @strawberry.field(description="Whether nothing waits for a grader.")
    def is_final(self) -> bool:
        return self.row.is_final

    @strawberry.field(description="How many attempts were submitted.")
    def attempts(self) -> int:
        return self.row.attempts


@strawberry.type(description="Where the person who asks stands with a quiz, by the server's clock.")
class QuizPlace:
    row: strawberry.Private[PlaceRow]
    quiz: strawberry.Private[QuizRow]

    @strawberry.field(description="The time at the server; deadlines are by it.")
    def server_time(self) -> DateTime:
        return DateTime(self.row.now)

    @strawberry.field(description="When it opens for them.")
    def open_at(self) -> DateTime | None:
        return DateTime(self.row.open_at) if self.row.open_at else None

    @strawberry.field(description="When it closes for them.")
    def close_at(self) -> DateTime | None:
        return DateTime(self.row.close_at) if self.row.close_at else None

    @strawberry.field(description="After when it is late for them.")
    def due_at(self) -> DateTime | None:
        return DateTime(self.row.due_at) if self.row.due_at else None

    @strawberry.field(description="Minutes more than others have.")
    def extra_minutes(self) -> int:
        return self.row.extra_minutes

    @strawberry.field(description="Attempts that were begun.")
    def attempts_used(self) -> int:
        return self.row.used

    @strawberry.field(description="Attempts that may still be begun; null: as many as one likes.")
    def attempts_left(self) -> int | None:
        return self.row.attempts_left(self.quiz.attempts_allowed)

    @strawberry.field(description="The attempt that is open.")
    def open_attempt_id(self, info: Info) -> strawberry.ID | None:
        found = self.row.open_attempt_id
        return None if found is None else ids.encode(ids.ATTEMPT, found, info.context.mask)


@strawberry.type(description="Questions to be answered in attempts.")
class Quiz(Node):
    row: strawberry.Private[QuizRow]

    id_kind = ids.QUIZ
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="Title.")
    def title(self) -> str:
        return self.row.title

    @strawberry.field(description="HTML that is safe to show; may be empty.")
    def instructions(self) -> str:
        return self.row.instructions

    @strawberry.field(description="The course it belongs to.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.row.course_id)
        return None if row is None else Course(row=row)

    @strawberry.field(description="The lesson it belongs to; null for a quiz of the whole course.")
    async def lesson(self, info: Info) -> Lesson | None:
        if self.row.lesson_id is None:
            return None
        row = await info.context.lessons_by_id.load(self.row.lesson_id)
        return None if row is None else Lesson(row=row)

    @strawberry.field(description="Attempts may be begun from then on.")
    def open_at(self) -> DateTime | None:
        return DateTime(self.row.open_at) if self.row.open_at else None

    @strawberry.field(description="Every attempt ends then.")
    def close_at(self) -> DateTime | None:
        return DateTime(self.row.close_at) if self.row.close_at else None

    @strawberry.field(description="What is submitted later is late.")
    def due_at(self) -> DateTime | None:
        return DateTime(self.row.due_at) if self.row.due_at else None

    @strawberry.field(description="How long an attempt takes at most.")
    def time_limit_seconds(self) -> int | None:
        return self.row.time_limit_seconds

    @strawberry.field(description="What happens to an attempt that is not submitted in time.")
    def overdue_policy(self) -> OverduePolicy:
        return OverduePolicy(self.row.overdue_policy)

    @strawberry.field(description="For GRACE: how long after the deadline it may be submitted.")
    def grace_period_seconds(self) -> int:
        return self.row.grace_period_seconds

    @strawberry.field(description="For how long after the deadline answers are taken that were on their way.")
    def network_grace_seconds(self) -> int:
        return self.row.network_grace_seconds

    @strawberry.field(description="How many attempts there are; null: as many as one likes.")
    def attempts_allowed(self) -> int | None:
        return self.row.attempts_allowed

    @strawberry.field(description="Which score counts.")
    def kept_score(self) -> KeptScore:
        return KeptScore(self.row.kept_score)

    @strawberry.field(description="When learners see their results.")
    def visibility(self) -> ResultsVisibility:
        return ResultsVisibility(self.row.visibility)

    @strawberry.field(description="Whether each attempt has its own order of questions.")
    def shuffle_questions(self) -> bool:
        return self.row.shuffle_questions

    @strawberry.field(description="Whether each attempt has its own order of options.")
    def shuffle_options(self) -> bool:
        return self.row.shuffle_options

    @strawberry.field(description="Whether checkAnswer tells what an answer is worth before the end.")
    def allows_check(self) -> bool:
        return self.row.allows_check

    @strawberry.field(description="The percentage that is enough; null where there is none.")
    def pass_percent(self) -> Decimal | None:
        return None if self.row.pass_percent is None else Decimal(self.row.pass_percent)

    @strawberry.field(description="What being late costs; null: nothing.")
    def late_policy(self) -> LatePolicy | None:
        if self.row.late_interval_seconds is None:
            return None
        return LatePolicy(
            interval_seconds=self.row.late_interval_seconds,
            percent=Decimal(self.row.late_percent),
            floor_percent=Decimal(self.row.late_floor_percent),
        )

    @strawberry.field(
        description="Days after the end of the course, or else of the quiz, until grades are final; null: never."
    )
    def freeze_days(self) -> int | None:
        return self.row.freeze_days

    @strawberry.field(description="Since when learners see it; null for a draft.")
    def published_at(self) -> DateTime | None:
        return DateTime(self.row.published_at) if self.row.published_at else None

    @strawberry.field(description="Grows with every change; pass it as expectedVersion.")
    def version(self) -> int:
        return self.row.version

    @batch(in_turn=True, description="How many questions an attempt has.")
    async def question_count(quizzes: list[Quiz], info: Info) -> list[int]:
        found = await info.context.extent_by_quiz.all([quiz.row.id for quiz in quizzes])
        return [0 if row is None else row.questions for row in found]

    @batch(in_turn=True, description="Points of all questions together.")
    async def possible(quizzes: list[Quiz], info: Info) -> list[Decimal]:
        found = await info.context.extent_by_quiz.all([quiz.row.id for quiz in quizzes])
        return [Decimal(ZERO if row is None else row.points) for row in found]

    @batch(description="What it asks, in order; null for who does not teach the course.")
    async def slots(quizzes: list[Quiz], info: Info) -> list[list[QuizSlot] | None]:
        may = await info.context.editable_by_course.all([quiz.row.course_id for quiz in quizzes])
        if not any(may):
            return [None for _ in quizzes]
        lists = await info.context.slots_by_quiz.all([quiz.row.id for quiz in quizzes])
        return [shown(QuizSlot, rows) if able else None for able, rows in zip(may, lists, strict=True)]

    @batch(description="What single learners are granted; null for who does not teach the course.")
    async def overrides(quizzes: list[Quiz], info: Info) -> list[list[QuizOverride] | None]:
        may = await info.context.editable_by_course.all([quiz.row.course_id for quiz in quizzes])
        if not any(may):
            return [None for _ in quizzes]
        lists = await info.context.overrides_by_quiz.all([quiz.row.id for quiz in quizzes])
        return [shown(QuizOverride, rows) if able else None for able, rows in zip(may, lists, strict=True)]

    @strawberry.field(description="How well it measures; null for who does not teach the course.")
    async def analysis(
        self,
        info: Info,
        attempts: Annotated[
            AnalysedAttempts | None, strawberry.argument(description="Of which attempts; FIRST by default.")
        ] = None,
    ) -> QuizAnalysis | None:
        if not await info.context.editable_by_course.load(self.row.course_id):
            return None
        found = await info.context.analysing.analysis(self.row.id, first_only=attempts != AnalysedAttempts.ALL)
        return QuizAnalysis(report=found)

    @batch(in_turn=True, description="Where the person who asks stands with it.")
    async def my_place(quizzes: list[Quiz], info: Info) -> list[QuizPlace | None]:
        places = await info.context.my_place_by_quiz.all([quiz.row.id for quiz in quizzes])
        return [
            None if row is None else QuizPlace(row=row, quiz=quiz.row)
            for quiz, row in zip(quizzes, places, strict=True)
        ]

    @batch(description="The score that counts of the person who asks, when it may be seen.")
    async def my_score(quizzes: list[Quiz], info: Info) -> list[QuizScore | None]:
        keys = [quiz.row.id for quiz in quizzes]
        scores = await info.context.my_score_by_quiz.all(keys)
        places = await info.context.my_place_by_quiz.all(keys)
        return [
            QuizScore(row=score) if score and place and _may_see(quiz.row, place) else None
            for quiz, score, place in zip(quizzes, scores, places, strict=True)
        ]

    @batch(in_turn=True, description="The attempts of the person who asks, the first one first.")
    async def my_attempts(
        quizzes: list[Quiz], info: Info
    ) -> list[list[Annotated[Attempt, strawberry.lazy("schema.attempts")]]]:
        lists = await info.context.my_attempts_by_quiz.all([quiz.row.id for quiz in quizzes])
        return [shown(import_module("schema.attempts").Attempt, rows) for rows in lists]


def _may_see(quiz: QuizRow, place: PlaceRow) -> bool:
    standing = Standing(
        place.now, place.close_at, place.attempts_left(quiz.attempts_allowed), place.open_attempt_id is not None
    )
    return score_is_shown(Visibility(quiz.visibility), standing)


@strawberry.type
class QuizQuery:
    @strawberry.field(description="A quiz; null when there is none to see.")
    async def quiz(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The quiz.")]
    ) -> Quiz | None:
        [row] = await info.context.quizzes_by_id.all([ids.decode(ids.QUIZ, id, info.context.mask)])
        return None if row is None else Quiz(row=row)
