"""Attempts as clients see them, and what learners do with them."""

from __future__ import annotations

from enum import Enum
from operator import attrgetter
from typing import Annotated, Any

import strawberry

from app.assessment.attempt_rows import AttemptRow
from app.assessment.attempt_statements import ORDER, QUEUE
from app.assessment.attempts import Saved
from app.assessment.kept import percent_of
from app.assessment.results import released
from app.i18n import translate
from schema import ids
from schema.asking import AnswerContentInput, AnswerInput, AnswerPart, AttemptQuestion, answers_of, parts_of, raw_of
from schema.context import Info
from schema.enums import word
from schema.errors import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from schema.execution import batch
from schema.identity import User
from schema.node import Node, shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.quizzes import Quiz
from schema.scalars import DateTime, Decimal


@strawberry.enum(name="AttemptState", description="Where an attempt is.")
class AttemptState(Enum):
    IN_PROGRESS = strawberry.enum_value("in_progress", description="Is being answered.")
    OVERDUE = strawberry.enum_value("overdue", description="Its time is up; it may still be submitted for a while.")
    GRADING = strawberry.enum_value("grading", description="Submitted; a person has to grade some of it.")
    GRADED = strawberry.enum_value("graded", description="Submitted and graded.")
    ABANDONED = strawberry.enum_value("abandoned", description="Ended without being submitted.")


@strawberry.type(description="One attempt of a learner at a quiz.")
class Attempt(Node):
    row: strawberry.Private[AttemptRow]
    reveals: strawberry.Private[bool] = False

    id_kind = ids.ATTEMPT
    id_number = attrgetter("row.id.int")

    @batch(in_turn=True, description="The quiz.")
    async def quiz(attempts: list[Attempt], info: Info) -> list[Quiz | None]:
        rows = await info.context.any_quizzes_by_id.all([attempt.row.quiz_id for attempt in attempts])
        return [None if row is None else Quiz(row=row) for row in rows]

    @strawberry.field(description="The learner.")
    async def user(self, info: Info) -> User | None:
        row = await info.context.members_by_id.load(self.row.user_id)
        return None if row is None else User(row=row)

    @strawberry.field(description="Counts the learner's attempts at the quiz, from 1.")
    def number(self) -> int:
        return self.row.attempt_no

    @strawberry.field(description="Whether it is an instructor's own, which counts nowhere.")
    def is_preview(self) -> bool:
        return self.row.is_preview

    @strawberry.field(description="Where it is.")
    def state(self) -> AttemptState:
        return AttemptState(self.row.state)

    @strawberry.field(description="When it began.")
    def started_at(self) -> DateTime:
        return DateTime(self.row.started_at)

    @strawberry.field(description="When it ends, by the server's clock; null without a limit. It may be moved.")
    def deadline_at(self) -> DateTime | None:
        return DateTime(self.row.deadline_at) if self.row.deadline_at else None

    @batch(in_turn=True, description="The time at the server; deadlines are by it.")
    async def server_time(attempts: list[Attempt], info: Info) -> list[DateTime | None]:
        rows = await info.context.standing_by_attempt.all([attempt.row.id for attempt in attempts])
        return [None if row is None else DateTime(row.now) for row in rows]

    @strawberry.field(description="When it was finished.")
    def finished_at(self) -> DateTime | None:
        return DateTime(self.row.finished_at) if self.row.finished_at else None

    @strawberry.field(description="Whether what was saved was submitted because the time was up.")
    def was_auto_submitted(self) -> bool:
        return self.row.was_auto_submitted

    @strawberry.field(description="Whether it was finished more than five minutes after its deadline.")
    def is_flagged_late(self) -> bool:
        return self.row.is_flagged_late

    @strawberry.field(description="Points that are possible.")
    def possible(self) -> Decimal:
        return Decimal(self.row.possible)

    @batch(description="Whether results may be seen by the person who asks.")
    async def results_visible(attempts: list[Attempt], info: Info) -> list[bool]:
        return await are_visible(attempts, info)

    @batch(description="Points less the penalty; null until it is graded and may be seen.")
    async def score(attempts: list[Attempt], info: Info) -> list[Decimal | None]:
        return [Decimal(row.score) if row else None for row in await _graded(attempts, info)]

    @batch(description="The score in percent; null until it is graded and may be seen.")
    async def percent(attempts: list[Attempt], info: Info) -> list[Decimal | None]:
        rows = await _graded(attempts, info)
        return [Decimal(percent_of(row.score, row.possible)) if row else None for row in rows]

    @batch(description="Points that being late cost; null until it is graded and may be seen.")
    async def penalty(attempts: list[Attempt], info: Info) -> list[Decimal | None]:
        return [Decimal(row.penalty) if row else None for row in await _graded(attempts, info)]

    @batch(description="The score before the first regrade that changed it, when it may be seen.")
    async def score_before_regrade(attempts: list[Attempt], info: Info) -> list[Decimal | None]:
        rows = await _graded(attempts, info)
        return [
            Decimal(row.score_before_regrade) if row and row.score_before_regrade is not None else None for row in rows
        ]

    @strawberry.field(description="Grows with every change.")
    def version(self) -> int:
        return self.row.version

    @batch(description="What was asked, in this attempt's order, and what was answered.")
    async def questions(attempts: list[Attempt], info: Info) -> list[list[AttemptQuestion]]:
        seen = await are_visible(attempts, info)
        lists = await info.context.answers_by_attempt.all([attempt.row.id for attempt in attempts])
        return [
            [AttemptQuestion(row=row, is_released=is_released) for row in rows]
            for is_released, rows in zip(seen, lists, strict=True)
        ]


async def are_visible(attempts: list[Attempt], info: Info) -> list[bool]:
    """Whether the person who asks may see the results of each attempt (Q8): graders do, learners by the quiz's rule.

    Asks several loaders one after the other, so that no field that calls it may be ``in_turn``: it would wait for a
    loader that a later one of its siblings has begun, and that one for its turn.
    """
    context = info.context
    teaches = await context.editable_by_course.all([attempt.row.course_id for attempt in attempts])
    own = [
        attempt.row.id
        for attempt, may in zip(attempts, teaches, strict=True)
        if not may and _is_submitted(attempt.row) and not attempt.reveals
    ]
    if not own:
        return [
            _is_submitted(attempt.row) and (bool(may) or attempt.reveals)
            for attempt, may in zip(attempts, teaches, strict=True)
        ]
    quizzes = await context.any_quizzes_by_id.all([attempt.row.quiz_id for attempt in attempts])
    standings = dict(zip(own, await context.standing_by_attempt.all(own), strict=True))
    found = []
    for attempt, may, quiz in zip(attempts, teaches, quizzes, strict=True):
        standing = standings.get(attempt.row.id)
        by_rule = quiz is not None and standing is not None and released(quiz.visibility, standing)
        found.append(_is_submitted(attempt.row) and (bool(may) or attempt.reveals or by_rule))
    return found


def _is_submitted(row: AttemptRow) -> bool:
    return row.state in {"grading", "graded"}


async def _graded(attempts: list[Attempt], info: Info) -> list[Any]:
    """The rows of the attempts that have a score which may be seen, None for the others."""
    seen = await are_visible(attempts, info)
    return [
        attempt.row if is_seen and attempt.row.score is not None else None
        for attempt, is_seen in zip(attempts, seen, strict=True)
    ]


@strawberry.type(description="A page of attempts.")
class AttemptConnection(Connection[Attempt]):
    pass


@strawberry.input(description="Which attempts to list.")
class AttemptFilter:
    quiz_id: strawberry.ID | None = strawberry.field(default=None, description="Only of this quiz.")
    course_id: strawberry.ID | None = strawberry.field(default=None, description="Only of this course.")
    user_id: strawberry.ID | None = strawberry.field(default=None, description="Only of this learner.")
    state: AttemptState | None = strawberry.field(default=None, description="Only in this state.")
    to_grade: bool = strawberry.field(
        default=False, description="Only those that wait for a grader, the longest waiting first."
    )


@strawberry.enum(name="SaveStatus", description="What became of an answer.")
class SaveStatus(Enum):
    SAVED = strawberry.enum_value("SAVED", description="It counts until another one is saved.")
    IGNORED = strawberry.enum_value("IGNORED", description="The same or a later revision is there already.")
    REJECTED = strawberry.enum_value("REJECTED", description="It cannot be an answer; see code and message.")


@strawberry.type(description="What became of an answer that was sent.")
class SaveOutcome:
    saved: strawberry.Private[Saved]

    @strawberry.field(description="The question's place in the attempt.")
    def slot(self) -> int:
        return self.saved.slot

    @strawberry.field(description="What became of it.")
    def status(self) -> SaveStatus:
        return SaveStatus(self.saved.status)

    @strawberry.field(description="Why it was rejected; for programs.")
    def code(self) -> str | None:
        return self.saved.code

    @strawberry.field(description="The same as a sentence in the reader's language.")
    def message(self, info: Info) -> str | None:
        text = self.saved.message
        return None if text is None else translate(text, info.context.locale, **(self.saved.params or {}))


@strawberry.input(description="A quiz to attempt.")
class StartAttemptInput:
    quiz_id: strawberry.ID = strawberry.field(description="The quiz.")
    is_preview: bool = strawberry.field(default=False, description="For who teaches the course: counts nowhere.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="8 to 100 characters; repeating the request with it begins nothing twice."
    )


@strawberry.input(description="Answers to keep while the attempt goes on.")
class SaveAnswersInput:
    attempt_id: strawberry.ID = strawberry.field(description="The attempt.")
    answers: list[AnswerInput] = strawberry.field(description="Each question at most once.")


@strawberry.input(description="An attempt to submit.")
class SubmitAttemptInput:
    attempt_id: strawberry.ID = strawberry.field(description="The attempt.")
    answers: list[AnswerInput] = strawberry.field(
        default_factory=list, description="What was not saved yet; each question at most once."
    )


@strawberry.input(description="An answer to try.")
class CheckAnswerInput:
    attempt_id: strawberry.ID = strawberry.field(description="The attempt.")
    slot: int = strawberry.field(description="The question's place in the attempt.")
    content: AnswerContentInput = strawberry.field(description="The answer.")


@strawberry.input(description="An attempt whose results to look at.")
class SeeResultsInput:
    attempt_id: strawberry.ID = strawberry.field(description="The attempt.")


@strawberry.type(description="An attempt after the change.")
class AttemptSuccess:
    attempt: Attempt = strawberry.field(description="The attempt.")


@strawberry.type(description="What became of the answers.")
class SaveAnswersSuccess:
    attempt: Attempt = strawberry.field(description="The attempt.")
    outcomes: list[SaveOutcome] = strawberry.field(description="One for each answer, in order.")


@strawberry.type(description="What an answer would be worth.")
class CheckAnswerSuccess:
    fraction: Decimal | None = strawberry.field(description="The share of the points; null where a person grades.")
    parts: list[AnswerPart] = strawberry.field(description="How its parts did.")


Problems = ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem

StartAttemptResult = Annotated[
    AttemptSuccess | Problems, strawberry.union("StartAttemptResult", description="Outcome of startAttempt.")
]
SaveAnswersResult = Annotated[
    SaveAnswersSuccess | Problems, strawberry.union("SaveAnswersResult", description="Outcome of saveAnswers.")
]
SubmitAttemptResult = Annotated[
    AttemptSuccess | Problems, strawberry.union("SubmitAttemptResult", description="Outcome of submitAttempt.")
]
CheckAnswerResult = Annotated[
    CheckAnswerSuccess | Problems, strawberry.union("CheckAnswerResult", description="Outcome of checkAnswer.")
]
SeeResultsResult = Annotated[
    AttemptSuccess | Problems, strawberry.union("SeeResultsResult", description="Outcome of seeResults.")
]


def filters_of(filter: AttemptFilter | None, mask: int) -> dict[str, Any]:
    """A filter as the service takes it."""
    found: dict[str, Any] = {}
    if filter is None:
        return found
    for name, kind in (("quiz_id", ids.QUIZ), ("course_id", ids.COURSE), ("user_id", ids.USER)):
        text = getattr(filter, name)
        if text is not None:
            found[name] = ids.decode(kind, text, mask)
    if filter.state is not None:
        found["state"] = word(filter.state)
    if filter.to_grade:
        found["to_grade"] = True
    return found


def attempt_page(page: Any, count: Any, *, to_grade: bool = False) -> AttemptConnection:
    """A connection of attempts."""
    made: AttemptConnection = connection(
        AttemptConnection,
        (QUEUE if to_grade else ORDER).name,
        page,
        nodes=shown(Attempt, page.rows),
        key=lambda row: (row.finished_at if to_grade else row.started_at, row.id),
        count=count,
    )
    return made


@strawberry.type
class AttemptQuery:
    @strawberry.field(description="One's own attempt, or a learner's for who teaches the course; null when missing.")
    async def attempt(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The attempt.")]
    ) -> Attempt | None:
        row = await info.context.results.attempt(ids.decode(ids.ATTEMPT, id, info.context.mask))
        return None if row is None else Attempt(row=row)

    @strawberry.field(description="The attempts of the person who asks, the newest first.")
    async def my_attempts(
        self,
        info: Info,
        quiz_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only of this quiz.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> AttemptConnection:
        results = info.context.results
        wanted = {} if quiz_id is None else {"quiz_id": ids.decode(ids.QUIZ, quiz_id, info.context.mask)}
        page = await results.my_attempts(page_request(ORDER, first, after, last, before), wanted)
        return attempt_page(page, lambda: results.count_my_attempts(wanted))

    @strawberry.field(
        description="Learners' attempts: for administrators, and for instructors in their own courses; newest first."
    )
    async def attempts(
        self,
        info: Info,
        filter: Annotated[AttemptFilter | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> AttemptConnection:
        results, wanted = info.context.results, filters_of(filter, info.context.mask)
        order = QUEUE if "to_grade" in wanted else ORDER
        page = await results.attempts(page_request(order, first, after, last, before), wanted)
        return attempt_page(page, lambda: results.count_attempts(wanted), to_grade="to_grade" in wanted)


@strawberry.type
class AttemptMutation:
    @strawberry.mutation(description="Begin an attempt, or come back to the one that is open.")
    async def start_attempt(
        self, info: Info, input: Annotated[StartAttemptInput, strawberry.argument(description="What to begin.")]
    ) -> StartAttemptResult:
        row = await info.context.attempting.start_attempt(
            ids.decode(ids.QUIZ, input.quiz_id, info.context.mask),
            is_preview=input.is_preview,
            idempotency_key=input.idempotency_key,
        )
        return AttemptSuccess(attempt=Attempt(row=row))

    @strawberry.mutation(description="Keep answers while the attempt goes on; each is taken on its own merits.")
    async def save_answers(
        self, info: Info, input: Annotated[SaveAnswersInput, strawberry.argument(description="What to keep.")]
    ) -> SaveAnswersResult:
        attempt_id = ids.decode(ids.ATTEMPT, input.attempt_id, info.context.mask)
        row, outcomes = await info.context.attempting.save_answers(attempt_id, answers_of(input.answers))
        return SaveAnswersSuccess(
            attempt=Attempt(row=row), outcomes=[SaveOutcome(saved=outcome) for outcome in outcomes]
        )

    @strawberry.mutation(description="End an attempt and have it graded; again gives the same result.")
    async def submit_attempt(
        self, info: Info, input: Annotated[SubmitAttemptInput, strawberry.argument(description="What to submit.")]
    ) -> SubmitAttemptResult:
        attempt_id = ids.decode(ids.ATTEMPT, input.attempt_id, info.context.mask)
        row = await info.context.attempting.submit_attempt(attempt_id, answers_of(input.answers))
        return AttemptSuccess(attempt=Attempt(row=row))

    @strawberry.mutation(description="Ask what an answer would be worth, where the quiz allows it; nothing is kept.")
    async def check_answer(
        self, info: Info, input: Annotated[CheckAnswerInput, strawberry.argument(description="What to try.")]
    ) -> CheckAnswerResult:
        attempt_id = ids.decode(ids.ATTEMPT, input.attempt_id, info.context.mask)
        found = await info.context.attempting.check_answer(attempt_id, input.slot, raw_of(input.content))
        fraction = None if found.fraction is None else Decimal(found.fraction)
        return CheckAnswerSuccess(fraction=fraction, parts=parts_of(found.parts))

    @strawberry.mutation(description="Look at results; where they are shown once, this is that once.")
    async def see_results(
        self, info: Info, input: Annotated[SeeResultsInput, strawberry.argument(description="Which.")]
    ) -> SeeResultsResult:
        row = await info.context.results.see_results(ids.decode(ids.ATTEMPT, input.attempt_id, info.context.mask))
        return AttemptSuccess(attempt=Attempt(row=row, reveals=True))
