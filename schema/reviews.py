"""Learners' opinions of courses as clients see them."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.learning.rows import ReviewRow
from schema import ids
from schema.catalog import Course
from schema.context import Info
from schema.errors import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from schema.scalars import DateTime


@strawberry.type(description="What a learner thinks of a course.")
class Review:
    row: strawberry.Private[ReviewRow]

    @strawberry.field(description="1 to 5.")
    def rating(self) -> int:
        return self.row.rating

    @strawberry.field(description="In their words; may be empty.")
    def comment(self) -> str:
        return self.row.comment

    @strawberry.field(description="When they last said so.")
    def updated_at(self) -> DateTime:
        return DateTime(self.row.updated_at)

    @strawberry.field(description="The course; null while it is not published.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.row.course_id)
        return None if row is None else Course(row=row)


@strawberry.input(description="An opinion of a course.")
class ReviewCourseInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    rating: int = strawberry.field(description="1 to 5.")
    comment: str = strawberry.field(default="", description="At most 2000 characters.")


@strawberry.input(description="An opinion to take back.")
class DeleteReviewInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")


@strawberry.type(description="The opinion is written down.")
class ReviewSuccess:
    review: Review = strawberry.field(description="The opinion.")


@strawberry.type(description="The opinion is taken back.")
class DeleteReviewSuccess:
    course_id: strawberry.ID = strawberry.field(description="The course.")


ReviewCourseResult = Annotated[
    ReviewSuccess | ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem,
    strawberry.union("ReviewCourseResult", description="Outcome of reviewCourse."),
]
DeleteReviewResult = Annotated[
    DeleteReviewSuccess | NotFoundProblem | ForbiddenProblem | ConflictProblem | ValidationProblem | UnavailableProblem,
    strawberry.union("DeleteReviewResult", description="Outcome of deleteReview."),
]


@strawberry.type
class ReviewMutation:
    @strawberry.mutation(description="Rate a course one is or was enrolled in; again replaces the former opinion.")
    async def review_course(
        self, info: Info, input: Annotated[ReviewCourseInput, strawberry.argument(description="What to say.")]
    ) -> ReviewCourseResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        row = await info.context.learning.review_course(course_id, rating=input.rating, comment=input.comment)
        return ReviewSuccess(review=Review(row=row))

    @strawberry.mutation(description="Take one's opinion of a course back.")
    async def delete_review(
        self, info: Info, input: Annotated[DeleteReviewInput, strawberry.argument(description="Which.")]
    ) -> DeleteReviewResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        await info.context.learning.delete_review(course_id)
        return DeleteReviewSuccess(course_id=input.course_id)
