"""Gradebooks as clients see them."""

from __future__ import annotations

from enum import Enum
from typing import Annotated
from uuid import UUID

import strawberry

from app.assessment.gradebook_export import Format, written
from app.assessment.gradebook_rows import Book, CategoryRow, ItemRow, LearnerGrades
from app.assessment.gradebook_rules import Cell
from app.assessment.gradebook_statements import ORDER
from app.viewer import Action
from schema import ids
from schema.catalog import Course
from schema.context import Info
from schema.execution import batch
from schema.identity import User
from schema.node import shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.quizzes import Quiz
from schema.scalars import DateTime, Decimal


@strawberry.enum(name="GradeScale", description="How totals in percent are told.")
class GradeScale(Enum):
    CHILEAN = strawberry.enum_value("chilean", description="1.0 to 7.0, with 4.0 at the exigency.")
    LETTERS = strawberry.enum_value("letters", description="Words for ranges of percent.")


@strawberry.type(description="A word for everything from so many percent on.")
class GradeBand:
    label: str = strawberry.field(description="The word.")
    least_percent: Decimal = strawberry.field(description="It begins there.")


@strawberry.type(description="Items that are averaged together.")
class GradeCategory:
    row: strawberry.Private[CategoryRow]

    @strawberry.field(description="Opaque identifier.")
    def id(self, info: Info) -> strawberry.ID:
        return ids.encode(ids.GRADE_CATEGORY, self.row.id, info.context.mask)

    @strawberry.field(description="Title.")
    def title(self) -> str:
        return self.row.title

    @strawberry.field(description="How much it weighs beside the other categories; they need not add up to 100.")
    def weight(self) -> Decimal:
        return Decimal(self.row.weight)

    @strawberry.field(description="So many of a learner's worst marks in it do not count; one always does.")
    def drop_lowest(self) -> int:
        return self.row.drop_lowest


@strawberry.type(description="Something that is graded: a published quiz, or what teachers give points for.")
class GradeItem:
    row: strawberry.Private[ItemRow]

    @strawberry.field(description="Opaque identifier.")
    def id(self, info: Info) -> strawberry.ID:
        return ids.encode(ids.GRADE_ITEM, self.row.id, info.context.mask)

    @strawberry.field(description="Title.")
    def title(self) -> str:
        return self.row.title

    @batch(in_turn=True, description="The quiz; null for a manual item.")
    async def quiz(items: list[GradeItem], info: Info) -> list[Quiz | None]:
        rows = await info.context.any_quizzes_by_id.all([item.row.id for item in items if item.row.quiz_id])
        found = {row.id: Quiz(row=row) for row in rows if row is not None}
        return [found.get(item.row.id) for item in items]

    @strawberry.field(description="The points it is worth; for a quiz those of its questions unless others were set.")
    def points(self) -> Decimal:
        return Decimal(self.row.points)

    @strawberry.field(description="Its category; null where there is none.")
    def category_id(self, info: Info) -> strawberry.ID | None:
        found = self.row.category_id
        return None if found is None else ids.encode(ids.GRADE_CATEGORY, found, info.context.mask)

    @strawberry.field(description="How much it weighs in its category; null: as much as its points.")
    def weight(self) -> Decimal | None:
        return None if self.row.weight is None else Decimal(self.row.weight)

    @strawberry.field(description="Whether it adds to what is reached and not to what is possible.")
    def is_extra_credit(self) -> bool:
        return self.row.is_extra_credit

    @strawberry.field(description="Whether it is shown without counting.")
    def is_excluded(self) -> bool:
        return self.row.is_excluded

    @strawberry.field(description="Its place among the items; null: after those that have one, the oldest first.")
    def position(self) -> int | None:
        return self.row.position

    @strawberry.field(description="Grows with every change; pass it as expectedVersion.")
    def version(self) -> int:
        return self.row.version


@strawberry.type(description="What a learner has for an item.")
class GradeCell:
    cell: strawberry.Private[Cell]
    item: strawberry.Private[ItemRow]
    line: strawberry.Private[LearnerGrades]

    @strawberry.field(description="The item.")
    def item_id(self, info: Info) -> strawberry.ID:
        return ids.encode(ids.GRADE_ITEM, self.item.id, info.context.mask)

    @strawberry.field(description="Points reached, of the item's points; null while nothing is graded or shown.")
    def points(self) -> Decimal | None:
        return None if self.cell.points is None else Decimal(self.cell.points)

    @strawberry.field(description="The same in percent, 0 to 100.")
    def percent(self) -> Decimal | None:
        return None if self.cell.percent is None else Decimal(self.cell.percent)

    @strawberry.field(description="Whether it is part of the total.")
    def counts(self) -> bool:
        return self.cell.counts

    @strawberry.field(description="Whether it is left out because it is among the worst.")
    def is_dropped(self) -> bool:
        return self.cell.is_dropped

    @strawberry.field(description="Whether the learner is excused from it.")
    def is_excused(self) -> bool:
        given = self.line.given.get(self.item.id)
        return given is not None and given.is_excused

    @strawberry.field(description="Whether there is a result that the learner may not see yet.")
    def is_hidden(self) -> bool:
        return self.item.id in self.line.hidden

    @strawberry.field(description="Whether something in it waits for a grader.")
    def waits_for_grader(self) -> bool:
        kept = self.line.kept.get(self.item.id)
        return kept is not None and not kept.is_final and self.item.id not in self.line.hidden

    @strawberry.field(description="HTML for the learner; may be empty.")
    def comment(self) -> str:
        given = self.line.given.get(self.item.id)
        return "" if given is None else given.comment

    @strawberry.field(description="When it was graded or excused by hand.")
    def graded_at(self) -> DateTime | None:
        given = self.line.given.get(self.item.id)
        return None if given is None else DateTime(given.graded_at)

    @strawberry.field(description="Grows with every grade given by hand, from 0; pass it as expectedVersion.")
    def version(self) -> int:
        given = self.line.given.get(self.item.id)
        return 0 if given is None else given.version


@strawberry.type(description="What a learner's marks in a category come to.")
class CategoryMean:
    category_id: strawberry.ID = strawberry.field(description="The category.")
    percent: Decimal | None = strawberry.field(description="Their weighted mean; null while nothing counts.")


@strawberry.type(description="What a learner's marks come to.")
class GradeTotal:
    line: strawberry.Private[LearnerGrades]

    @strawberry.field(description="In percent, to two places, half up; null while nothing counts.")
    def percent(self) -> Decimal | None:
        found = self.line.total.percent
        return None if found is None else Decimal(found)

    @strawberry.field(description='As the course\'s scale tells it, like "5.5"; null without a scale.')
    def grade(self) -> str | None:
        return self.line.grade

    @strawberry.field(description="Sum of the points that count.")
    def points(self) -> Decimal:
        return Decimal(self.line.total.reached)

    @strawberry.field(description="Sum of the points that were possible in what counts, without extra credit.")
    def possible(self) -> Decimal:
        return Decimal(self.line.total.possible)

    @strawberry.field(description="Whether results are left out because the learner may not see them yet.")
    def leaves_out_hidden(self) -> bool:
        return bool(self.line.hidden)


@strawberry.type(name="LearnerGrades", description="A learner's line of a gradebook.")
class Line:
    row: strawberry.Private[LearnerGrades]

    @batch(in_turn=True, description="The learner.")
    async def user(lines: list[Line], info: Info) -> list[User | None]:
        rows = await info.context.members_by_id.all([line.row.learner.user_id for line in lines])
        return [None if row is None else User(row=row) for row in rows]

    @strawberry.field(description="One for each item, in the items' order.")
    def cells(self) -> list[GradeCell]:
        line, cells = self.row, self.row.total.cells
        return [GradeCell(cell=cells[item.id], item=item, line=line) for item in line.book.items]

    @strawberry.field(description="One for each category, in order.")
    def categories(self, info: Info) -> list[CategoryMean]:
        found = []
        for category in self.row.book.categories:
            mean = self.row.total.means[category.id]
            key = ids.encode(ids.GRADE_CATEGORY, category.id, info.context.mask)
            found.append(CategoryMean(category_id=key, percent=None if mean is None else Decimal(mean)))
        return found

    @strawberry.field(description="What it comes to.")
    def total(self) -> GradeTotal:
        return GradeTotal(line=self.row)


@strawberry.type(description="A page of a gradebook.")
class LearnerGradesConnection(Connection[Line]):
    pass


@strawberry.type(description="What is graded in a course, and how a total is made of it.")
class GradebookPlan:
    book: strawberry.Private[Book]

    @strawberry.field(description="The course.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.book.row.course_id)
        return None if row is None else Course(row=row)

    @strawberry.field(description="What is graded, in order.")
    def items(self) -> list[GradeItem]:
        return shown(GradeItem, self.book.items)

    @strawberry.field(description="In order; without any, a total is the sum of points.")
    def categories(self) -> list[GradeCategory]:
        return shown(GradeCategory, self.book.categories)

    @strawberry.field(description="Whether what is not graded counts as zero; otherwise it does not count until then.")
    def ungraded_as_zero(self) -> bool:
        return self.book.row.ungraded_as_zero

    @strawberry.field(description="How totals are told beside percent; null: not at all.")
    def scale(self) -> GradeScale | None:
        return None if self.book.row.scale is None else GradeScale(self.book.row.scale)

    @strawberry.field(description="For CHILEAN: the percentage that is a 4.0.")
    def exigency(self) -> Decimal:
        return Decimal(self.book.row.exigency)

    @strawberry.field(description="For LETTERS: the words, the best first.")
    def bands(self) -> list[GradeBand]:
        return [GradeBand(label=band.label, least_percent=Decimal(band.least)) for band in self.book.row.letters]

    @strawberry.field(description="Of settings and categories; grows with every change; pass it as expectedVersion.")
    def version(self) -> int:
        return self.book.row.version


@strawberry.type(description="A course's gradebook, for those who teach it.")
class Gradebook(GradebookPlan):
    @strawberry.field(description="Those who are graded, by name: who learns or has completed the course.")
    async def learners(
        self,
        info: Info,
        search: Annotated[str | None, strawberry.argument(description="Part of a name.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> LearnerGradesConnection:
        gradebooks, book = info.context.gradebooks, self.book
        page = await gradebooks.learners(book, page_request(ORDER, first, after, last, before), search)
        made: LearnerGradesConnection = connection(
            LearnerGradesConnection,
            ORDER.name,
            page,
            nodes=shown(Line, page.rows),
            key=lambda row: (row.learner.sort_name, row.learner.user_id),
            count=lambda: gradebooks.count_learners(book, search),
        )
        return made


@strawberry.type(description="One's own grades in a course.")
class MyGrades(GradebookPlan):
    line: strawberry.Private[LearnerGrades]

    @strawberry.field(description="What one has; results that may not be seen yet are not in the total.")
    def grades(self) -> Line:
        return Line(row=self.line)


@strawberry.enum(name="ExportFormat", description="What kind of file.")
class ExportFormat(Enum):
    CSV = strawberry.enum_value("csv", description="Separated values, for spreadsheets.")


@strawberry.enum(name="CsvSeparator", description="What separates the columns of a CSV file.")
class CsvSeparator(Enum):
    COMMA = strawberry.enum_value("comma", description="A comma; decimals have a point.")
    SEMICOLON = strawberry.enum_value(
        "semicolon", description="A semicolon; decimals have a comma, as spreadsheets in Chile expect."
    )


@strawberry.type(description="A file that can be saved as it is.")
class GradebookFile:
    file_name: str = strawberry.field(description="A name for it.")
    text: str = strawberry.field(description="All of it, UTF-8; lines end in CR LF.")
    learners: int = strawberry.field(description="How many lines it has beside the first.")


@strawberry.type
class GradebookQuery:
    @strawberry.field(description="The gradebook of a course that the person who asks teaches; null for any other.")
    async def gradebook(
        self, info: Info, course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")]
    ) -> Gradebook | None:
        book = await info.context.gradebooks.gradebook(_course(course_id, info))
        return None if book is None else Gradebook(book=book)

    @strawberry.field(description="One's own grades in a course; null for who is not graded there.")
    async def my_grades(
        self, info: Info, course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")]
    ) -> MyGrades | None:
        line = await info.context.gradebooks.my_grades(_course(course_id, info))
        return None if line is None else MyGrades(book=line.book, line=line)

    @strawberry.field(description="A gradebook as a file, of one moment; at most 5000 learners. Null without a course.")
    async def export_gradebook(
        self,
        info: Info,
        course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")],
        format: Annotated[ExportFormat | None, strawberry.argument(description="What kind of file; CSV.")] = None,
        separator: Annotated[CsvSeparator | None, strawberry.argument(description="COMMA by default.")] = None,
        byte_order_mark: Annotated[
            bool, strawberry.argument(description="Whether to begin with a byte order mark, which Excel needs.")
        ] = True,
    ) -> GradebookFile | None:
        mask = info.context.mask
        found = await info.context.gradebooks.everybody(_course(course_id, info))
        if found is None:
            return None
        how = Format(
            lambda user_id: ids.encode(ids.USER, user_id, mask),
            has_emails=info.context.viewer.may(Action.READ_USERS),
            locale=info.context.locale,
            has_semicolons=separator == CsvSeparator.SEMICOLON,
            has_bom=byte_order_mark,
        )
        file = await written(*found, how)
        return GradebookFile(file_name=file.name, text=file.text, learners=file.learners)


def _course(course_id: strawberry.ID, info: Info) -> UUID:
    return ids.decode(ids.COURSE, course_id, info.context.mask)
