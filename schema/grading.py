"""What graders do with attempts: mutations."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import strawberry

from app.assessment.regrading import Mode
from schema import ids
from schema.attempts import Attempt, AttemptSuccess
from schema.context import Info
from schema.enums import word
from schema.errors import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from schema.scalars import Decimal
from schema.work import JobSuccess, started


@strawberry.enum(name="RegradeMode", description="How a question is graded anew.")
class RegradeMode(Enum):
    FULL_CREDIT = strawberry.enum_value("full_credit", description="Everybody gets its points; to drop a question.")
    CURRENT_AND_PREVIOUS = strawberry.enum_value(
        "current_and_previous", description="What was right stays right; what is right now is right too."
    )
    CURRENT_ONLY = strawberry.enum_value("current_only", description="What is right now is right.")
    NONE = strawberry.enum_value("none", description="Nothing changes.")


@strawberry.input(description="What an answer is worth.")
class GradeAnswerInput:
    attempt_id: strawberry.ID = strawberry.field(description="The attempt.")
    slot: int = strawberry.field(description="The question's place in the attempt.")
    points: Decimal = strawberry.field(description="0 to the question's points.")
    expected_version: int = strawberry.field(description="The result's version; refused if somebody graded since.")
    comment: str | None = strawberry.field(default=None, description="HTML for the learner; null leaves it as it is.")
    force_reason: str | None = strawberry.field(
        default=None, description="Why a grade has to change that is final; goes into the audit log."
    )


@strawberry.input(description="An abandoned attempt to go on with.")
class ReopenAttemptInput:
    attempt_id: strawberry.ID = strawberry.field(description="The attempt.")
    reason: str = strawberry.field(description="Why; goes into the audit log.")


@strawberry.input(description="How to grade one question anew.")
class RegradeQuestionInput:
    question_id: strawberry.ID = strawberry.field(description="The question.")
    mode: RegradeMode = strawberry.field(description="How.")


@strawberry.input(description="What to grade anew in all submitted attempts.")
class RegradeQuizInput:
    quiz_id: strawberry.ID = strawberry.field(description="The quiz.")
    questions: list[RegradeQuestionInput] = strawberry.field(description="Which questions and how.")
    may_lower: bool = strawberry.field(default=False, description="Whether an answer may lose points by it.")
    is_dry_run: bool = strawberry.field(default=False, description="Only find out what would change, and for whom.")
    force_reason: str | None = strawberry.field(
        default=None, description="Why grades have to change that are final; goes into the audit log."
    )


Problems = ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem

GradeAnswerResult = Annotated[
    AttemptSuccess | Problems, strawberry.union("GradeAnswerResult", description="Outcome of gradeAnswer.")
]
ReopenAttemptResult = Annotated[
    AttemptSuccess | Problems, strawberry.union("ReopenAttemptResult", description="Outcome of reopenAttempt.")
]
RegradeQuizResult = Annotated[
    JobSuccess | Problems, strawberry.union("RegradeQuizResult", description="Outcome of regradeQuiz.")
]


@strawberry.type
class GradingMutation:
    @strawberry.mutation(description="Say what an answer is worth; it outlives a regrade.")
    async def grade_answer(
        self, info: Info, input: Annotated[GradeAnswerInput, strawberry.argument(description="What to say.")]
    ) -> GradeAnswerResult:
        row = await info.context.grading.grade_answer(
            ids.decode(ids.ATTEMPT, input.attempt_id, info.context.mask),
            input.slot,
            input.points,
            comment=input.comment,
            expected_version=input.expected_version,
            force_reason=input.force_reason,
        )
        return AttemptSuccess(attempt=Attempt(row=row))

    @strawberry.mutation(description="Let a learner go on with an abandoned attempt, if there is time left.")
    async def reopen_attempt(
        self, info: Info, input: Annotated[ReopenAttemptInput, strawberry.argument(description="Which.")]
    ) -> ReopenAttemptResult:
        attempt_id = ids.decode(ids.ATTEMPT, input.attempt_id, info.context.mask)
        row = await info.context.grading.reopen_attempt(attempt_id, reason=input.reason)
        return AttemptSuccess(attempt=Attempt(row=row))

    @strawberry.mutation(description="Grade questions anew in all submitted attempts, as a job; with a dry run.")
    async def regrade_quiz(
        self, info: Info, input: Annotated[RegradeQuizInput, strawberry.argument(description="What to do.")]
    ) -> RegradeQuizResult:
        mask = info.context.mask
        modes = {ids.decode(ids.QUESTION, item.question_id, mask): Mode(word(item.mode)) for item in input.questions}
        job_id = await info.context.regrading.start_regrade(
            ids.decode(ids.QUIZ, input.quiz_id, mask),
            modes,
            may_lower=input.may_lower,
            is_dry_run=input.is_dry_run,
            force_reason=input.force_reason,
        )
        return await started(info, job_id)
