"""The question bank as authors see it: learners meet questions in attempts only, without their keys."""

from __future__ import annotations

from enum import Enum
from operator import attrgetter
from typing import Annotated, Any

import strawberry

from app.assessment import bodies
from app.assessment.bank_rows import QuestionRow
from app.assessment.bank_statements import ORDERS
from app.assessment.exchange import Imported, Outcome
from app.i18n import translate
from schema import ids
from schema.authoring import DeleteSuccess
from schema.catalog import Course
from schema.context import Info
from schema.enums import word
from schema.errors import (
    ConflictProblem,
    ForbiddenProblem,
    InvalidField,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
    say,
)
from schema.execution import batch
from schema.identity import given
from schema.node import Node, shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.question_bodies import QuestionBody, body_of
from schema.question_inputs import QuestionBodyInput, described
from schema.scalars import DateTime, Decimal

UNSET = strawberry.UNSET


@strawberry.enum(name="QuestionKind", description="What a question asks for.")
class QuestionKind(Enum):
    SINGLE = strawberry.enum_value("single", description="One of several choices.")
    MULTIPLE = strawberry.enum_value("multiple", description="Any number of choices.")
    TRUE_FALSE = strawberry.enum_value("true_false", description="Whether a statement is true.")
    SHORT_ANSWER = strawberry.enum_value("short_answer", description="A few words.")
    NUMERIC = strawberry.enum_value("numeric", description="A number.")
    MATCHING = strawberry.enum_value("matching", description="A target for each thing.")
    ORDERING = strawberry.enum_value("ordering", description="Things to put in order.")
    CLOZE = strawberry.enum_value("cloze", description="A text with gaps.")
    ESSAY = strawberry.enum_value("essay", description="A text that a person grades.")
    FILE = strawberry.enum_value("file", description="Files that a person grades.")
    TEXT = strawberry.enum_value("text", description="Nothing: text between questions.")


@strawberry.enum(name="QuestionStatus", description="Whether quizzes may draw a question.")
class QuestionStatus(Enum):
    DRAFT = strawberry.enum_value("draft", description="Not yet.")
    READY = strawberry.enum_value("ready", description="Yes.")
    RETIRED = strawberry.enum_value("retired", description="No longer; quizzes that have it keep it.")


@strawberry.enum(name="QuestionSort", description="In which order questions are listed.")
class QuestionSort(Enum):
    NEWEST = strawberry.enum_value("NEWEST", description="The newest first.")
    OLDEST = strawberry.enum_value("OLDEST", description="The oldest first.")
    TITLE = strawberry.enum_value("TITLE", description="By title.")


@strawberry.enum(name="QuestionFormat", description="A format in which questions travel.")
class QuestionFormat(Enum):
    GIFT = strawberry.enum_value("gift", description="Plain text, as Moodle and most others read and write it.")


@strawberry.enum(name="QuestionImportStatus", description="What became of one question of a text.")
class QuestionImportStatus(Enum):
    CREATED = strawberry.enum_value("created", description="It was added, or would be.")
    DUPLICATE = strawberry.enum_value("duplicate", description="It was imported before; nothing was changed.")
    FAILED = strawberry.enum_value("failed", description="It could not be read.")


@strawberry.type(description="A question of a course.")
class Question(Node):
    row: strawberry.Private[QuestionRow]

    id_kind = ids.QUESTION
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="What it asks for.")
    def kind(self) -> QuestionKind:
        return QuestionKind(self.row.kind)

    @strawberry.field(description="What authors call it; may be empty. Learners do not see it.")
    def title(self) -> str:
        return self.row.title

    @strawberry.field(description="A path like units/area; may be empty.")
    def category(self) -> str:
        return self.row.category

    @strawberry.field(description="Tags, lower case.")
    def tags(self) -> list[str]:
        return self.row.tags

    @strawberry.field(description="Whether quizzes may draw it.")
    def status(self) -> QuestionStatus:
        return QuestionStatus(self.row.status)

    @strawberry.field(description="What it is worth where a quiz says nothing else.")
    def points(self) -> Decimal:
        return Decimal(self.row.points)

    @strawberry.field(description="Grows with every change; pass it as expectedVersion. Attempts keep theirs.")
    def version(self) -> int:
        return self.row.version

    @strawberry.field(description="When it was made.")
    def created_at(self) -> DateTime:
        return DateTime(self.row.created_at)

    @strawberry.field(description="When it was last changed.")
    def updated_at(self) -> DateTime:
        return DateTime(self.row.updated_at)

    @strawberry.field(description="When it was deleted; null while it is there.")
    def deleted_at(self) -> DateTime | None:
        return None if self.row.deleted_at is None else DateTime(self.row.deleted_at)

    @strawberry.field(description="The course it belongs to.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.row.course_id)
        return None if row is None else Course(row=row)

    @batch(in_turn=True, description="What it asks, with keys and feedback.")
    async def body(questions: list[Question], info: Info) -> list[QuestionBody]:
        versions = await info.context.versions_by_question.all([question.row.id for question in questions])
        return [body_of(bodies.load(version.body)) for version in versions if version is not None]


@strawberry.type(description="A page of questions.")
class QuestionConnection(Connection[Question]):
    pass


@strawberry.type(description="A tag or a category and how many questions have it.")
class QuestionLabel:
    name: str = strawberry.field(description="The tag, or the category's path; the empty one stands for none.")
    count: int = strawberry.field(description="How many questions of the course have it.")


@strawberry.type(description="The labels that a course's questions have.")
class QuestionLabels:
    tags: list[QuestionLabel] = strawberry.field(description="Tags, by name.")
    categories: list[QuestionLabel] = strawberry.field(description="Categories, by path.")


@strawberry.type(description="What a quiz could draw questions from.")
class QuestionPool:
    available_count: int = strawberry.field(description="How many questions there are: ready, and asking something.")


@strawberry.input(description="Which questions to list; conditions are combined with and.")
class QuestionFilter:
    search: str | None = strawberry.field(default=None, description="Words of title, text, choices or tags.")
    kinds: list[QuestionKind] | None = strawberry.field(default=None, description="Only of one of these kinds.")
    tags: list[str] | None = strawberry.field(default=None, description="Only with all of these tags.")
    category: str | None = strawberry.field(default=None, description="Only in this category or below it.")
    status: QuestionStatus | None = strawberry.field(default=None, description="Only with this status.")


@strawberry.input(description="A new question.")
class CreateQuestionInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    body: QuestionBodyInput = strawberry.field(description="What it asks.")
    title: str | None = strawberry.field(default=UNSET, description="At most 200 characters.")
    category: str | None = strawberry.field(default=UNSET, description="A path like units/area.")
    tags: list[str] | None = strawberry.field(default=UNSET, description="At most 20.")
    status: QuestionStatus | None = strawberry.field(default=UNSET, description="READY by default.")
    points: Decimal | None = strawberry.field(default=UNSET, description="0 to 1000; 1 by default.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="8 to 100 characters; repeating the request with it makes nothing twice."
    )


@strawberry.input(description="Changes of a question; fields left out stay.")
class UpdateQuestionInput:
    id: strawberry.ID = strawberry.field(description="The question.")
    body: QuestionBodyInput | None = strawberry.field(
        default=None, description="What it asks, whole, of the same kind. Parts with their ids stay the same parts."
    )
    title: str | None = strawberry.field(default=UNSET, description="At most 200 characters.")
    category: str | None = strawberry.field(default=UNSET, description="A path like units/area.")
    tags: list[str] | None = strawberry.field(default=UNSET, description="At most 20.")
    status: QuestionStatus | None = strawberry.field(default=UNSET, description="Whether quizzes may draw it.")
    points: Decimal | None = strawberry.field(default=UNSET, description="0 to 1000.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A question.")
class QuestionIdInput:
    id: strawberry.ID = strawberry.field(description="The question.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A deleted question.")
class RestoreQuestionInput:
    id: strawberry.ID = strawberry.field(description="The question.")


@strawberry.input(description="Questions in another system's format.")
class ImportQuestionsInput:
    course_id: strawberry.ID = strawberry.field(description="The course that gets them.")
    format: QuestionFormat = strawberry.field(description="How the text is written.")
    text: str = strawberry.field(description="The questions, at most 2,000.")
    is_dry_run: bool = strawberry.field(default=False, description="Only find out what would happen.")


@strawberry.type(description="A question after the change.")
class QuestionSuccess:
    question: Question = strawberry.field(description="The question.")


@strawberry.type(description="What became of one question of a text.")
class QuestionImportItem:
    line: int = strawberry.field(description="The line of the text where it begins, from 1.")
    title: str = strawberry.field(description="Its title; may be empty.")
    status: QuestionImportStatus = strawberry.field(description="What became of it.")
    question_id: strawberry.ID | None = strawberry.field(description="The question of the bank, if there is one.")
    problems: list[InvalidField] = strawberry.field(description="Why it could not be read.")
    lost: list[str] = strawberry.field(description="What of it has no counterpart, in the reader's language.")


@strawberry.type(description="What became of a text with questions.")
class ImportQuestionsSuccess:
    is_dry_run: bool = strawberry.field(description="Whether nothing was written.")
    created_count: int = strawberry.field(description="How many were added, or would be.")
    duplicate_count: int = strawberry.field(description="How many were imported before.")
    failed_count: int = strawberry.field(description="How many could not be read.")
    items: list[QuestionImportItem] = strawberry.field(description="Each question of the text in order.")


@strawberry.type(description="Something of a question that the format cannot say.")
class QuestionExportLoss:
    title: str = strawberry.field(description="The question's title.")
    what: str = strawberry.field(description="What is lost, in the reader's language.")


@strawberry.type(description="Questions in another system's format.")
class QuestionExport:
    text: str = strawberry.field(description="The questions.")
    losses: list[QuestionExportLoss] = strawberry.field(description="What the format cannot say.")


Problems = ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem
CreateQuestionResult = Annotated[
    QuestionSuccess | Problems, strawberry.union("CreateQuestionResult", description="Outcome of createQuestion.")
]
UpdateQuestionResult = Annotated[
    QuestionSuccess | Problems, strawberry.union("UpdateQuestionResult", description="Outcome of updateQuestion.")
]
DeleteQuestionResult = Annotated[
    DeleteSuccess | Problems, strawberry.union("DeleteQuestionResult", description="Outcome of deleteQuestion.")
]
RestoreQuestionResult = Annotated[
    QuestionSuccess | Problems, strawberry.union("RestoreQuestionResult", description="Outcome of restoreQuestion.")
]
ImportQuestionsResult = Annotated[
    ImportQuestionsSuccess | Problems,
    strawberry.union("ImportQuestionsResult", description="Outcome of importQuestions."),
]

FIELDS = ("title", "category", "tags", "status", "points")
_KEYS: dict[QuestionSort, Any] = {
    QuestionSort.NEWEST: lambda row: (row.created_at, row.id),
    QuestionSort.OLDEST: lambda row: (row.created_at, row.id),
    QuestionSort.TITLE: lambda row: (row.search_title, row.id),
}
OfCourse = Annotated[strawberry.ID, strawberry.argument(description="The course.")]
Which = Annotated[QuestionFilter | None, strawberry.argument(description="Which ones.")]


def filters_of(filter: QuestionFilter | None) -> dict[str, Any]:
    """A filter as the service takes it."""
    if filter is None:
        return {}
    found: dict[str, Any] = {
        "search": (filter.search or "").strip()[:200],
        "kinds": [word(kind) for kind in filter.kinds] if filter.kinds else None,
        "tags": [tag.strip().casefold() for tag in filter.tags[:20]] if filter.tags else None,
        "category": (filter.category or "").strip("/ ")[:300],
        "status": word(filter.status) if filter.status else None,
    }
    return {name: value for name, value in found.items() if value}


def fields_of(value: Any) -> dict[str, Any]:
    """The sent fields of an input, enums as their values; null empties what may be empty and else stays out."""
    sent = {name: getattr(item, "value", item) for name, item in given(value, FIELDS).items()}
    return {name: item for name, item in sent.items() if item is not None or name in {"title", "category", "tags"}}


def item_of(outcome: Outcome, info: Info) -> QuestionImportItem:
    """The outcome of an import as clients see it."""
    locale, key = info.context.locale, outcome.question_id
    return QuestionImportItem(
        line=outcome.line,
        title=outcome.title,
        status=QuestionImportStatus(outcome.status),
        question_id=None if key is None else ids.encode(ids.QUESTION, key, info.context.mask),
        problems=[
            InvalidField(path=problem.path, message=say(problem.message, locale, problem.params), code=problem.code)
            for problem in outcome.problems
        ],
        lost=[translate(what, locale) for what in outcome.lost],
    )


@strawberry.type
class QuestionQuery:
    @strawberry.field(description="A course's questions, for those who teach it; none of a course not to be seen.")
    async def questions(
        self,
        info: Info,
        course_id: OfCourse,
        filter: Which = None,
        sort: Annotated[
            QuestionSort | None, strawberry.argument(description="In which order; NEWEST by default.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> QuestionConnection:
        sort = sort or QuestionSort.NEWEST
        order, bank, wanted = ORDERS[word(sort)], info.context.questions, filters_of(filter)
        key = ids.decode(ids.COURSE, course_id, info.context.mask)
        page = await bank.questions(key, page_request(order, first, after, last, before), word(sort), wanted)
        made: QuestionConnection = connection(
            QuestionConnection,
            order.name,
            page,
            nodes=shown(Question, page.rows),
            key=_KEYS[sort],
            count=lambda: bank.count_questions(key, wanted),
        )
        return made

    @strawberry.field(description="A question, for those who teach its course; null when there is none to see.")
    async def question(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The question.")]
    ) -> Question | None:
        info.context.questions.require()
        [row] = await info.context.questions_by_id.all([ids.decode(ids.QUESTION, id, info.context.mask)])
        return None if row is None else Question(row=row)

    @strawberry.field(description="The tags and categories of a course's questions.")
    async def question_labels(self, info: Info, course_id: OfCourse) -> QuestionLabels:
        key, bank = ids.decode(ids.COURSE, course_id, info.context.mask), info.context.questions
        tags, categories = await bank.tags(key), await bank.categories(key)
        return QuestionLabels(
            tags=[QuestionLabel(name=row.name, count=row.count) for row in tags],
            categories=[QuestionLabel(name=row.name, count=row.count) for row in categories],
        )

    @strawberry.field(description="What a quiz of a course could draw with these conditions.")
    async def question_pool(
        self,
        info: Info,
        course_id: OfCourse,
        tags: Annotated[list[str] | None, strawberry.argument(description="With all of these tags.")] = None,
        category: Annotated[str | None, strawberry.argument(description="In this category or below it.")] = None,
    ) -> QuestionPool:
        key = ids.decode(ids.COURSE, course_id, info.context.mask)
        count = await info.context.questions.count_pool(key, tags=(tags or [])[:20], category=(category or "")[:300])
        return QuestionPool(available_count=count)

    @strawberry.field(description="A course's questions in another system's format, at most 5,000.")
    async def export_questions(
        self,
        info: Info,
        course_id: OfCourse,
        format: Annotated[QuestionFormat, strawberry.argument(description="How to write them.")],
        filter: Which = None,
    ) -> QuestionExport:
        key = ids.decode(ids.COURSE, course_id, info.context.mask)
        text, lost = await info.context.questions.export_gift(key, filters_of(filter))
        locale = info.context.locale
        losses = [QuestionExportLoss(title=item.title, what=translate(item.what, locale)) for item in lost]
        return QuestionExport(text=text, losses=losses)


@strawberry.type
class QuestionMutation:
    @strawberry.mutation(description="Add a question to a course.")
    async def create_question(
        self, info: Info, input: Annotated[CreateQuestionInput, strawberry.argument(description="What to do.")]
    ) -> CreateQuestionResult:
        row = await info.context.questions.create_question(
            ids.decode(ids.COURSE, input.course_id, info.context.mask),
            fields_of(input),
            described(input.body),
            idempotency_key=input.idempotency_key,
        )
        return QuestionSuccess(question=Question(row=row))

    @strawberry.mutation(description="Change a question; attempts that were begun keep what they were asked.")
    async def update_question(
        self, info: Info, input: Annotated[UpdateQuestionInput, strawberry.argument(description="What to do.")]
    ) -> UpdateQuestionResult:
        row = await info.context.questions.update_question(
            ids.decode(ids.QUESTION, input.id, info.context.mask),
            fields_of(input),
            None if input.body is None else described(input.body),
            expected_version=input.expected_version,
        )
        return QuestionSuccess(question=Question(row=row))

    @strawberry.mutation(description="Take a question out of the bank; it can be restored.")
    async def delete_question(
        self, info: Info, input: Annotated[QuestionIdInput, strawberry.argument(description="What to do.")]
    ) -> DeleteQuestionResult:
        key = ids.decode(ids.QUESTION, input.id, info.context.mask)
        await info.context.questions.delete_question(key, expected_version=input.expected_version)
        return DeleteSuccess(deleted_id=input.id)

    @strawberry.mutation(description="Bring a deleted question back.")
    async def restore_question(
        self, info: Info, input: Annotated[RestoreQuestionInput, strawberry.argument(description="What to do.")]
    ) -> RestoreQuestionResult:
        key = ids.decode(ids.QUESTION, input.id, info.context.mask)
        return QuestionSuccess(question=Question(row=await info.context.questions.restore_question(key)))

    @strawberry.mutation(description="Add questions from another system; the same text again adds nothing.")
    async def import_questions(
        self, info: Info, input: Annotated[ImportQuestionsInput, strawberry.argument(description="What to do.")]
    ) -> ImportQuestionsResult:
        key = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        found: Imported = await info.context.questions.import_gift(key, input.text, is_dry_run=input.is_dry_run)
        return ImportQuestionsSuccess(
            is_dry_run=found.is_dry_run,
            created_count=found.count("created"),
            duplicate_count=found.count("duplicate"),
            failed_count=found.count("failed"),
            items=[item_of(outcome, info) for outcome in found.outcomes],
        )
