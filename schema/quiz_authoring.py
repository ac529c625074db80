"""What authors and graders do with quizzes: mutations."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from schema import ids
from schema.authoring import DeleteSuccess
from schema.context import Info
from schema.errors import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from schema.identity import given
from schema.quizzes import KeptScore, OverduePolicy, Quiz, QuizOverride, ResultsVisibility
from schema.scalars import DateTime, Decimal

UNSET = strawberry.UNSET
FIELDS = (
    "title", "instructions", "open_at", "close_at", "due_at", "time_limit_seconds", "overdue_policy",
    "grace_period_seconds", "network_grace_seconds", "attempts_allowed", "kept_score", "visibility",
    "shuffle_questions", "shuffle_options", "allows_check", "pass_percent", "late_interval_seconds", "late_percent",
    "late_floor_percent", "freeze_days",
)  # fmt: skip
CLEARABLE = frozenset(
    {
        "lesson_id", "open_at", "close_at", "due_at", "time_limit_seconds", "attempts_allowed", "pass_percent",
        "late_interval_seconds", "freeze_days",
    }
)  # fmt: skip


@strawberry.input(description="A new quiz; it starts as a draft without questions.")
class CreateQuizInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    title: str = strawberry.field(description="At most 200 characters.")
    lesson_id: strawberry.ID | None = strawberry.field(default=UNSET, description="The lesson it belongs to.")
    instructions: str | None = strawberry.field(default=UNSET, description="HTML; what is not safe is taken out.")
    open_at: DateTime | None = strawberry.field(default=UNSET, description="Attempts may be begun from then on.")
    close_at: DateTime | None = strawberry.field(default=UNSET, description="Every attempt ends then.")
    due_at: DateTime | None = strawberry.field(default=UNSET, description="What is submitted later is late.")
    time_limit_seconds: int | None = strawberry.field(default=UNSET, description="How long an attempt takes at most.")
    overdue_policy: OverduePolicy | None = strawberry.field(default=UNSET, description="AUTOSUBMIT by default.")
    grace_period_seconds: int | None = strawberry.field(default=UNSET, description="For GRACE; at most 30 days.")
    network_grace_seconds: int | None = strawberry.field(default=UNSET, description="60 by default, at most 3600.")
    attempts_allowed: int | None = strawberry.field(default=UNSET, description="1 to 1000; null: no limit.")
    kept_score: KeptScore | None = strawberry.field(default=UNSET, description="HIGHEST by default.")
    visibility: ResultsVisibility | None = strawberry.field(default=UNSET, description="AFTER_SUBMIT by default.")
    shuffle_questions: bool | None = strawberry.field(default=UNSET, description="No by default.")
    shuffle_options: bool | None = strawberry.field(default=UNSET, description="No by default.")
    allows_check: bool | None = strawberry.field(default=UNSET, description="No by default.")
    pass_percent: Decimal | None = strawberry.field(default=UNSET, description="0 to 100; null: nothing is needed.")
    late_interval_seconds: int | None = strawberry.field(default=UNSET, description="60 or more; null: never costs.")
    late_percent: Decimal | None = strawberry.field(default=UNSET, description="0 to 100 for each interval.")
    late_floor_percent: Decimal | None = strawberry.field(default=UNSET, description="0 to 100; never below it.")
    freeze_days: int | None = strawberry.field(
        default=UNSET, description="Days after the end of the course, or else of the quiz; null: never final."
    )
    idempotency_key: str | None = strawberry.field(
        default=None, description="8 to 100 characters; repeating the request with it makes nothing twice."
    )


@strawberry.input(description="Changes of a quiz; fields left out stay, null clears. Open attempts move with it.")
class UpdateQuizInput:
    id: strawberry.ID = strawberry.field(description="The quiz.")
    title: str | None = strawberry.field(default=UNSET, description="At most 200 characters.")
    lesson_id: strawberry.ID | None = strawberry.field(default=UNSET, description="The lesson it belongs to.")
    instructions: str | None = strawberry.field(default=UNSET, description="HTML; what is not safe is taken out.")
    open_at: DateTime | None = strawberry.field(default=UNSET, description="Attempts may be begun from then on.")
    close_at: DateTime | None = strawberry.field(default=UNSET, description="Every attempt ends then.")
    due_at: DateTime | None = strawberry.field(default=UNSET, description="What is submitted later is late.")
    time_limit_seconds: int | None = strawberry.field(default=UNSET, description="How long an attempt takes at most.")
    overdue_policy: OverduePolicy | None = strawberry.field(default=UNSET, description="What happens at the deadline.")
    grace_period_seconds: int | None = strawberry.field(default=UNSET, description="For GRACE; at most 30 days.")
    network_grace_seconds: int | None = strawberry.field(default=UNSET, description="At most 3600.")
    attempts_allowed: int | None = strawberry.field(default=UNSET, description="1 to 1000; null: no limit.")
    kept_score: KeptScore | None = strawberry.field(default=UNSET, description="Which score counts.")
    visibility: ResultsVisibility | None = strawberry.field(default=UNSET, description="When results are seen.")
    shuffle_questions: bool | None = strawberry.field(default=UNSET, description="For attempts begun from now on.")
    shuffle_options: bool | None = strawberry.field(default=UNSET, description="For attempts begun from now on.")
    allows_check: bool | None = strawberry.field(default=UNSET, description="Whether checkAnswer may be used.")
    pass_percent: Decimal | None = strawberry.field(default=UNSET, description="0 to 100; null: nothing is needed.")
    late_interval_seconds: int | None = strawberry.field(default=UNSET, description="60 or more; null: never costs.")
    late_percent: Decimal | None = strawberry.field(default=UNSET, description="0 to 100 for each interval.")
    late_floor_percent: Decimal | None = strawberry.field(default=UNSET, description="0 to 100; never below it.")
    freeze_days: int | None = strawberry.field(
        default=UNSET, description="Days after the end of the course, or else of the quiz; null: never final."
    )
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A place of a quiz: a question, or tags or a category to draw from.")
class QuizSlotInput:
    points: Decimal = strawberry.field(description="For each question, 0 to 1000.")
    question_id: strawberry.ID | None = strawberry.field(default=None, description="The question.")
    tags: list[str] = strawberry.field(default_factory=list, description="Draw from questions with all of these.")
    category: str | None = strawberry.field(default=None, description="Draw from this category and those below it.")
    draws: int = strawberry.field(default=1, description="How many questions to draw.")


@strawberry.input(description="All that a quiz asks, in order.")
class SetQuizSlotsInput:
    id: strawberry.ID = strawberry.field(description="The quiz.")
    slots: list[QuizSlotInput] = strawberry.field(description="At most 200 questions; they replace the former ones.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A quiz.")
class QuizIdInput:
    id: strawberry.ID = strawberry.field(description="The quiz.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="What to grant a learner; it replaces what they had before.")
class SetQuizOverrideInput:
    quiz_id: strawberry.ID = strawberry.field(description="The quiz.")
    user_id: strawberry.ID = strawberry.field(description="The learner, enrolled in the course.")
    reason: str = strawberry.field(description="Why; goes into the audit log.")
    extra_minutes: int = strawberry.field(default=0, description="For each attempt, 0 to 10080.")
    extra_attempts: int = strawberry.field(default=0, description="0 to 1000.")
    open_at: DateTime | None = strawberry.field(default=None, description="Opens then instead.")
    close_at: DateTime | None = strawberry.field(default=None, description="Closes then instead.")
    due_at: DateTime | None = strawberry.field(default=None, description="Is late after then instead.")


@strawberry.input(description="What to take back from a learner.")
class DeleteQuizOverrideInput:
    quiz_id: strawberry.ID = strawberry.field(description="The quiz.")
    user_id: strawberry.ID = strawberry.field(description="The learner.")
    reason: str = strawberry.field(description="Why; goes into the audit log.")


@strawberry.type(description="A quiz after the change.")
class QuizSuccess:
    quiz: Quiz = strawberry.field(description="The quiz.")


@strawberry.type(description="What a learner is granted now.")
class QuizOverrideSuccess:
    override: QuizOverride = strawberry.field(description="What they are granted.")


Problems = ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem

CreateQuizResult = Annotated[
    QuizSuccess | Problems, strawberry.union("CreateQuizResult", description="Outcome of createQuiz.")
]
UpdateQuizResult = Annotated[
    QuizSuccess | Problems, strawberry.union("UpdateQuizResult", description="Outcome of updateQuiz.")
]
SetQuizSlotsResult = Annotated[
    QuizSuccess | Problems, strawberry.union("SetQuizSlotsResult", description="Outcome of setQuizSlots.")
]
PublishQuizResult = Annotated[
    QuizSuccess | Problems, strawberry.union("PublishQuizResult", description="Outcome of publishQuiz.")
]
DeleteQuizResult = Annotated[
    DeleteSuccess | Problems, strawberry.union("DeleteQuizResult", description="Outcome of deleteQuiz.")
]
SetQuizOverrideResult = Annotated[
    QuizOverrideSuccess | Problems,
    strawberry.union("SetQuizOverrideResult", description="Outcome of setQuizOverride."),
]
DeleteQuizOverrideResult = Annotated[
    DeleteSuccess | Problems,
    strawberry.union("DeleteQuizOverrideResult", description="Outcome of deleteQuizOverride."),
]


def fields_of(value: Any, mask: int) -> dict[str, Any]:
    """The sent fields of an input as the service takes them; a null for a field that cannot be cleared is left out."""
    sent = {name: getattr(item, "value", item) for name, item in given(value, FIELDS).items()}
    if value.lesson_id is not UNSET:
        sent["lesson_id"] = None if value.lesson_id is None else ids.decode(ids.LESSON, value.lesson_id, mask)
    return {name: item for name, item in sent.items() if item is not None or name in CLEARABLE}


def slots_of(slots: list[QuizSlotInput], mask: int) -> list[dict[str, Any]]:
    """Slots as the service takes them."""
    return [
        {
            "question_id": ids.decode(ids.QUESTION, slot.question_id, mask) if slot.question_id is not None else None,
            "tags": [tag.strip().casefold() for tag in slot.tags[:20]],
            "category": slot.category,
            "draws": slot.draws,
            "points": slot.points,
        }
        for slot in slots
    ]


@strawberry.type
class QuizAuthoringMutation:
    @strawberry.mutation(description="Make a quiz; it starts as a draft.")
    async def create_quiz(
        self, info: Info, input: Annotated[CreateQuizInput, strawberry.argument(description="What to do.")]
    ) -> CreateQuizResult:
        mask = info.context.mask
        row = await info.context.quizzes.create_quiz(
            ids.decode(ids.COURSE, input.course_id, mask),
            fields_of(input, mask),
            idempotency_key=input.idempotency_key,
        )
        return QuizSuccess(quiz=Quiz(row=row))

    @strawberry.mutation(description="Change a quiz; deadlines of open attempts move at once.")
    async def update_quiz(
        self, info: Info, input: Annotated[UpdateQuizInput, strawberry.argument(description="What to do.")]
    ) -> UpdateQuizResult:
        mask = info.context.mask
        row = await info.context.quizzes.update_quiz(
            ids.decode(ids.QUIZ, input.id, mask), fields_of(input, mask), expected_version=input.expected_version
        )
        return QuizSuccess(quiz=Quiz(row=row))

    @strawberry.mutation(description="Say what a quiz asks; attempts that were begun keep their questions.")
    async def set_quiz_slots(
        self, info: Info, input: Annotated[SetQuizSlotsInput, strawberry.argument(description="What to do.")]
    ) -> SetQuizSlotsResult:
        mask = info.context.mask
        row = await info.context.quizzes.set_slots(
            ids.decode(ids.QUIZ, input.id, mask), slots_of(input.slots, mask), expected_version=input.expected_version
        )
        return QuizSuccess(quiz=Quiz(row=row))

    @strawberry.mutation(description="Make a quiz visible to learners; refused while a pool is too small.")
    async def publish_quiz(
        self, info: Info, input: Annotated[QuizIdInput, strawberry.argument(description="Which.")]
    ) -> PublishQuizResult:
        quiz_id = ids.decode(ids.QUIZ, input.id, info.context.mask)
        row = await info.context.quizzes.publish_quiz(quiz_id, expected_version=input.expected_version)
        return QuizSuccess(quiz=Quiz(row=row))

    @strawberry.mutation(description="Delete a quiz; what learners did in it is kept.")
    async def delete_quiz(
        self, info: Info, input: Annotated[QuizIdInput, strawberry.argument(description="Which.")]
    ) -> DeleteQuizResult:
        quiz_id = ids.decode(ids.QUIZ, input.id, info.context.mask)
        await info.context.quizzes.delete_quiz(quiz_id, expected_version=input.expected_version)
        return DeleteSuccess(deleted_id=input.id)

    @strawberry.mutation(description="Grant a learner more time, more attempts or another window.")
    async def set_quiz_override(
        self, info: Info, input: Annotated[SetQuizOverrideInput, strawberry.argument(description="What to grant.")]
    ) -> SetQuizOverrideResult:
        mask = info.context.mask
        names = ("extra_minutes", "extra_attempts", "open_at", "close_at", "due_at", "reason")
        row = await info.context.overriding.set_override(
            ids.decode(ids.QUIZ, input.quiz_id, mask),
            ids.decode(ids.USER, input.user_id, mask),
            {name: getattr(input, name) for name in names},
        )
        return QuizOverrideSuccess(override=QuizOverride(row=row))

    @strawberry.mutation(description="Take back what a learner was granted.")
    async def delete_quiz_override(
        self, info: Info, input: Annotated[DeleteQuizOverrideInput, strawberry.argument(description="Which.")]
    ) -> DeleteQuizOverrideResult:
        mask = info.context.mask
        await info.context.overriding.delete_override(
            ids.decode(ids.QUIZ, input.quiz_id, mask), ids.decode(ids.USER, input.user_id, mask), reason=input.reason
        )
        return DeleteSuccess(deleted_id=input.user_id)
