"""Learners' opinions of courses, asked through GraphQL."""

from __future__ import annotations

import asyncio
from typing import Any

from app.viewer import Role
from tests.test_learning import enroll
from tests.world import Person, World

REVIEW = """mutation($input: ReviewCourseInput!) { reviewCourse(input: $input) { __typename
  ... on ReviewSuccess { review { rating comment course { averageRating reviewCount } } }
  ... on ValidationProblem { fields { path code } } ... on Problem { code } } }"""
DELETE = (
    """mutation($input: DeleteReviewInput!) { deleteReview(input: $input) { __typename ... on Problem { code } } }"""
)
RATED = "query($id: ID!) { course(id: $id) { averageRating reviewCount myReview { rating comment updatedAt } } }"


async def review(world: World, course: str, who: Person | Role, rating: int, **more: Any) -> dict[str, Any]:
    data = await world.ask(REVIEW, as_=who, input={"courseId": course, "rating": rating, **more})
    answer: dict[str, Any] = data["reviewCourse"]
    return answer


async def test_a_course_shows_the_mean_of_its_learners_ratings(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    empty = await acme.ask(RATED, as_=Role.STUDENT, id=course)
    assert empty["course"] == {"averageRating": None, "reviewCount": 0, "myReview": None}
    for rating in (5, 4):
        learner = await acme.person()
        await enroll(acme, course, learner)
        made = await review(acme, course, learner, rating, comment=" Muy bueno ")
    assert made["review"] == {
        "rating": 4, "comment": "Muy bueno", "course": {"averageRating": 4.5, "reviewCount": 2},
    }  # fmt: skip
    seen = (await acme.ask(RATED, as_=learner, id=course))["course"]["myReview"]
    assert (seen["rating"], seen["comment"]) == (4, "Muy bueno")


async def test_saying_it_again_replaces_the_opinion_also_from_two_tabs(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await enroll(acme, course)
    await asyncio.gather(*(review(acme, course, Role.STUDENT, 1 + n % 5) for n in range(10)))
    await review(acme, course, Role.STUDENT, 3)
    found = await acme.ask(RATED, as_=Role.STUDENT, id=course)
    assert (found["course"]["averageRating"], found["course"]["reviewCount"]) == (3.0, 1)
    gone = await acme.ask(DELETE, as_=Role.STUDENT, input={"courseId": course})
    assert gone["deleteReview"]["__typename"] == "DeleteReviewSuccess"
    again = await acme.ask(DELETE, as_=Role.STUDENT, input={"courseId": course})
    assert again["deleteReview"]["code"] == "NOT_FOUND"


async def test_only_who_is_enrolled_may_rate_and_only_from_one_to_five(acme: World, globex: World) -> None:
    course = acme.id("crs", await acme.course())
    assert (await review(acme, course, Role.STUDENT, 5))["code"] == "NOT_FOUND"
    await enroll(acme, course)
    for rating in (0, 6, -1):
        problem = await review(acme, course, Role.STUDENT, rating)
        assert problem["fields"] == [{"path": "input.rating", "code": "RATING_INVALID"}]
    long = await review(acme, course, Role.STUDENT, 5, comment="x" * 2001)
    assert long["fields"] == [{"path": "input.comment", "code": "TOO_LONG"}]
    assert (await review(globex, course, Role.STUDENT, 5))["code"] == "NOT_FOUND"
    assert (await acme.ask(RATED, as_=Role.STUDENT, id=course))["course"]["reviewCount"] == 0
