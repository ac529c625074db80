"""What teachers do with gradebooks: mutations."""

from __future__ import annotations

from decimal import Decimal as PythonDecimal
from typing import Annotated, Any
from uuid import UUID

import strawberry

from app.assessment.gradebook_grading import GradeConflict
from app.assessment.gradebook_input import GivenGrade
from app.assessment.gradebook_rows import GradeRow
from app.errors import NotFound
from schema import ids
from schema.authoring import DeleteSuccess
from schema.context import Info
from schema.errors import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    Problem,
    UnavailableProblem,
    ValidationProblem,
    said,
)
from schema.gradebook import Gradebook, GradeItem, GradeScale, Line
from schema.identity import given
from schema.scalars import DateTime, Decimal

UNSET = strawberry.UNSET
ITEM_FIELDS = ("title", "points", "weight", "is_extra_credit", "is_excluded", "position")
NULLABLE = frozenset({"points", "weight", "position", "category_id", "scale", "bands"})


@strawberry.input(description="A word for everything from so many percent on.")
class GradeBandInput:
    label: str = strawberry.field(description="The word, at most 20 characters.")
    least_percent: Decimal = strawberry.field(description="It begins there; one of them begins at 0.")


@strawberry.input(description="Changes of how grades are told and counted; fields left out stay.")
class UpdateGradebookInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    ungraded_as_zero: bool | None = strawberry.field(
        default=UNSET, description="Whether what is not graded counts as zero."
    )
    scale: GradeScale | None = strawberry.field(default=UNSET, description="Null: percent alone.")
    exigency: Decimal | None = strawberry.field(default=UNSET, description="For CHILEAN: 1 to 99; 60 by default.")
    bands: list[GradeBandInput] | None = strawberry.field(
        default=UNSET, description="For LETTERS: at most 20; null: A to F from 90, 80, 70, 60 and 0."
    )
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A category.")
class GradeCategoryInput:
    title: str = strawberry.field(description="At most 200 characters.")
    weight: Decimal = strawberry.field(description="0 to 1000; what counts is how it compares with the others.")
    id: strawberry.ID | None = strawberry.field(default=None, description="The category it was; null for a new one.")
    drop_lowest: int = strawberry.field(default=0, description="0 to 50 of the worst marks do not count.")


@strawberry.input(description="All categories of a course, in order.")
class SetGradeCategoriesInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    categories: list[GradeCategoryInput] = strawberry.field(
        description="At most 30; those that are left out go and leave their items without a category."
    )
    expected_version: int | None = strawberry.field(
        default=None, description="The gradebook's; refuse if somebody changed it since."
    )


@strawberry.input(description="Something new that teachers give points for.")
class CreateGradeItemInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    title: str = strawberry.field(description="At most 200 characters.")
    points: Decimal = strawberry.field(description="0 to 10000.")
    category_id: strawberry.ID | None = strawberry.field(default=None, description="Its category.")
    weight: Decimal | None = strawberry.field(default=None, description="0 to 1000; null: as much as its points.")
    is_extra_credit: bool = strawberry.field(default=False, description="Adds to what is reached only.")
    is_excluded: bool = strawberry.field(default=False, description="Is shown without counting.")
    position: int | None = strawberry.field(default=None, description="Its place among the items, from 1.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="8 to 100 characters; repeating the request with it makes nothing twice."
    )


@strawberry.input(description="Changes of an item, a quiz's place in the gradebook too; fields left out stay.")
class UpdateGradeItemInput:
    id: strawberry.ID = strawberry.field(description="The item.")
    title: str | None = strawberry.field(default=UNSET, description="Of a manual item; a quiz has its own.")
    points: Decimal | None = strawberry.field(
        default=UNSET, description="0 to 10000; null: a quiz's questions' points."
    )
    category_id: strawberry.ID | None = strawberry.field(default=UNSET, description="Its category.")
    weight: Decimal | None = strawberry.field(default=UNSET, description="0 to 1000; null: as much as its points.")
    is_extra_credit: bool | None = strawberry.field(default=UNSET, description="Adds to what is reached only.")
    is_excluded: bool | None = strawberry.field(default=UNSET, description="Is shown without counting.")
    position: int | None = strawberry.field(default=UNSET, description="Its place among the items, from 1.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A manual item.")
class DeleteGradeItemInput:
    id: strawberry.ID = strawberry.field(description="The item.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="What to give a learner for an item.")
class GradeInput:
    item_id: strawberry.ID = strawberry.field(description="A manual item of the course.")
    user_id: strawberry.ID = strawberry.field(description="A learner of the course.")
    expected_version: int = strawberry.field(description="The cell's version; refused if somebody graded since.")
    points: Decimal | None = strawberry.field(
        default=None, description="0 to the item's points, with at most two decimals; null: nothing yet."
    )
    is_excused: bool = strawberry.field(default=False, description="Whether it does not count for the learner.")
    comment: str | None = strawberry.field(default=None, description="HTML for the learner; null leaves it as it is.")


@strawberry.input(description="Grades to give.")
class GradeManuallyInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    grades: list[GradeInput] = strawberry.field(description="1 to 100; if one is refused, none is given.")


@strawberry.input(description="Whom to excuse from what.")
class ExcuseGradeInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    item_id: strawberry.ID = strawberry.field(description="The item, a quiz too.")
    user_id: strawberry.ID = strawberry.field(description="The learner.")
    expected_version: int = strawberry.field(description="The cell's version; refused if somebody graded since.")
    reason: str = strawberry.field(description="Why; goes into the audit log.")
    is_excused: bool = strawberry.field(default=True, description="False: it counts again.")


@strawberry.type(description="A gradebook after the change.")
class GradebookSuccess:
    gradebook: Gradebook = strawberry.field(description="The gradebook.")


@strawberry.type(description="An item after the change.")
class GradeItemSuccess:
    item: GradeItem = strawberry.field(description="The item.")


@strawberry.type(description="The grades are given.")
class GradesSuccess:
    learners: list[Line] = strawberry.field(description="The lines of the learners whose grades these are, by name.")


@strawberry.type(description="A grade that somebody else gave meanwhile.")
class GradeNow:
    row: strawberry.Private[GradeRow]

    @strawberry.field(description="The item.")
    def item_id(self, info: Info) -> strawberry.ID:
        return ids.encode(ids.GRADE_ITEM, self.row.item_id, info.context.mask)

    @strawberry.field(description="The learner.")
    def user_id(self, info: Info) -> strawberry.ID:
        return ids.encode(ids.USER, self.row.user_id, info.context.mask)

    @strawberry.field(description="Who gave it.")
    def graded_by(self, info: Info) -> strawberry.ID:
        return ids.encode(ids.USER, self.row.graded_by, info.context.mask)

    @strawberry.field(description="When.")
    def graded_at(self) -> DateTime:
        return DateTime(self.row.graded_at)

    @strawberry.field(description="The points; null for none.")
    def points(self) -> Decimal | None:
        return None if self.row.points is None else Decimal(self.row.points)

    @strawberry.field(description="Whether the learner is excused.")
    def is_excused(self) -> bool:
        return self.row.is_excused

    @strawberry.field(description="Its version now; to write over it, pass this one as expectedVersion.")
    def version(self) -> int:
        return self.row.version


@strawberry.type(description="Somebody has graded some of the cells since they were read; nothing was changed.")
class GradeConflictProblem(Problem):
    """Show both, then decide."""

    cells: list[GradeNow] = strawberry.field(description="What they have now.")


Problems = ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem

UpdateGradebookResult = Annotated[
    GradebookSuccess | Problems, strawberry.union("UpdateGradebookResult", description="Outcome of updateGradebook.")
]
SetGradeCategoriesResult = Annotated[
    GradebookSuccess | Problems,
    strawberry.union("SetGradeCategoriesResult", description="Outcome of setGradeCategories."),
]
CreateGradeItemResult = Annotated[
    GradeItemSuccess | Problems, strawberry.union("CreateGradeItemResult", description="Outcome of createGradeItem.")
]
UpdateGradeItemResult = Annotated[
    GradeItemSuccess | Problems, strawberry.union("UpdateGradeItemResult", description="Outcome of updateGradeItem.")
]
DeleteGradeItemResult = Annotated[
    DeleteSuccess | Problems, strawberry.union("DeleteGradeItemResult", description="Outcome of deleteGradeItem.")
]
GradeManuallyResult = Annotated[
    GradesSuccess | GradeConflictProblem | Problems,
    strawberry.union("GradeManuallyResult", description="Outcome of gradeManually."),
]
ExcuseGradeResult = Annotated[
    GradesSuccess | GradeConflictProblem | Problems,
    strawberry.union("ExcuseGradeResult", description="Outcome of excuseGrade."),
]


def sent(value: Any, names: tuple[str, ...], mask: int) -> dict[str, Any]:
    """The sent fields of an input as the service takes them; a null for a field that cannot be cleared is left out."""
    found = {name: getattr(item, "value", item) for name, item in given(value, names).items()}
    if getattr(value, "category_id", UNSET) is not UNSET:
        category = value.category_id
        found["category_id"] = None if category is None else ids.decode(ids.GRADE_CATEGORY, category, mask)
    return {name: item for name, item in found.items() if item is not None or name in NULLABLE}


def grade_of(grade: GradeInput | ExcuseGradeInput, mask: int) -> GivenGrade:
    """A grade as the service takes it."""
    return GivenGrade(
        ids.decode(ids.GRADE_ITEM, grade.item_id, mask),
        ids.decode(ids.USER, grade.user_id, mask),
        grade.expected_version,
        grade.points if isinstance(grade, GradeInput) else None,
        grade.is_excused,
        grade.comment if isinstance(grade, GradeInput) else None,
    )


async def lines(info: Info, course_id: UUID, user_ids: list[UUID]) -> GradesSuccess:
    """The lines of learners as they are after a change."""
    gradebooks = info.context.gradebooks
    book = await gradebooks.gradebook(course_id)
    if book is None:
        raise NotFound("course")
    return GradesSuccess(learners=[Line(row=row) for row in await gradebooks.grades_of(book, user_ids)])


def collision(conflict: GradeConflict, info: Info) -> GradeConflictProblem:
    """A conflict as clients see it."""
    return GradeConflictProblem(**said(conflict, info), cells=[GradeNow(row=row) for row in conflict.cells])


@strawberry.type
class GradebookMutation:
    @strawberry.mutation(description="Say how a course's grades are told, and whether what is not graded is zero.")
    async def update_gradebook(
        self, info: Info, input: Annotated[UpdateGradebookInput, strawberry.argument(description="What to do.")]
    ) -> UpdateGradebookResult:
        mask = info.context.mask
        fields = sent(input, ("ungraded_as_zero", "scale", "exigency", "bands"), mask)
        if fields.get("bands") is not None:
            fields["bands"] = [(band.label, PythonDecimal(band.least_percent)) for band in fields["bands"]]
        book = await info.context.gradebooks.update_gradebook(
            ids.decode(ids.COURSE, input.course_id, mask), fields, expected_version=input.expected_version
        )
        return GradebookSuccess(gradebook=Gradebook(book=book))

    @strawberry.mutation(description="Say which categories a course's items have, and how much they weigh.")
    async def set_grade_categories(
        self, info: Info, input: Annotated[SetGradeCategoriesInput, strawberry.argument(description="What to do.")]
    ) -> SetGradeCategoriesResult:
        mask = info.context.mask
        categories = [
            {
                "id": None if item.id is None else ids.decode(ids.GRADE_CATEGORY, item.id, mask),
                "title": item.title,
                "weight": item.weight,
                "drop_lowest": item.drop_lowest,
            }
            for item in input.categories
        ]
        book = await info.context.gradebooks.set_categories(
            ids.decode(ids.COURSE, input.course_id, mask), categories, expected_version=input.expected_version
        )
        return GradebookSuccess(gradebook=Gradebook(book=book))

    @strawberry.mutation(description="Have something graded by hand.")
    async def create_grade_item(
        self, info: Info, input: Annotated[CreateGradeItemInput, strawberry.argument(description="What to do.")]
    ) -> CreateGradeItemResult:
        mask = info.context.mask
        fields = {"category_id": None, "weight": None, "position": None, **sent(input, ITEM_FIELDS, mask)}
        row = await info.context.gradebooks.create_item(
            ids.decode(ids.COURSE, input.course_id, mask), fields, idempotency_key=input.idempotency_key
        )
        return GradeItemSuccess(item=GradeItem(row=row))

    @strawberry.mutation(description="Change an item: its category, weight, points, whether it counts.")
    async def update_grade_item(
        self, info: Info, input: Annotated[UpdateGradeItemInput, strawberry.argument(description="What to do.")]
    ) -> UpdateGradeItemResult:
        mask = info.context.mask
        row = await info.context.gradebooks.update_item(
            ids.decode(ids.GRADE_ITEM, input.id, mask),
            sent(input, ITEM_FIELDS, mask),
            expected_version=input.expected_version,
        )
        return GradeItemSuccess(item=GradeItem(row=row))

    @strawberry.mutation(description="Take away a manual item; it counts no more.")
    async def delete_grade_item(
        self, info: Info, input: Annotated[DeleteGradeItemInput, strawberry.argument(description="Which.")]
    ) -> DeleteGradeItemResult:
        item_id = ids.decode(ids.GRADE_ITEM, input.id, info.context.mask)
        await info.context.gradebooks.delete_item(item_id, expected_version=input.expected_version)
        return DeleteSuccess(deleted_id=input.id)

    @strawberry.mutation(description="Give learners points for manual items: all of these or none.")
    async def grade_manually(
        self, info: Info, input: Annotated[GradeManuallyInput, strawberry.argument(description="What to give.")]
    ) -> GradeManuallyResult:
        mask = info.context.mask
        course_id = ids.decode(ids.COURSE, input.course_id, mask)
        try:
            changed = await info.context.giving_grades.grade(course_id, [grade_of(each, mask) for each in input.grades])
        except GradeConflict as conflict:
            return collision(conflict, info)
        return await lines(info, course_id, changed)

    @strawberry.mutation(description="Have an item not count for a learner, or count again.")
    async def excuse_grade(
        self, info: Info, input: Annotated[ExcuseGradeInput, strawberry.argument(description="Whom, from what.")]
    ) -> ExcuseGradeResult:
        mask = info.context.mask
        course_id = ids.decode(ids.COURSE, input.course_id, mask)
        try:
            changed = await info.context.giving_grades.excuse(
                course_id, grade_of(input, mask), is_excused=input.is_excused, reason=input.reason
            )
        except GradeConflict as conflict:
            return collision(conflict, info)
        return await lines(info, course_id, changed)
