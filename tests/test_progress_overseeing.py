"""What instructors see of their learners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from app.viewer import Role
from tests.test_learning import UNENROLL, enroll, event, lessons_of, sync
from tests.test_progress_requirements import EXCUSE, scored
from tests.world import Person, World

PAGE = """query($id: ID!, $user: ID, $first: Int, $after: String) {
  learnerProgress(courseId: $id, userId: $user, first: $first, after: $after) { totalCount
    pageInfo { endCursor hasNextPage }
    nodes { enrollment { status user { fullName } } percent completedLessons totalLessons revision timeSpentSeconds
      lessons { lesson { title } state weight percent scorePercent isExcused } } } }"""


async def page(world: World, course: str, who: Role | Person = Role.INSTRUCTOR, **more: Any) -> Any:
    return (await world.ask(PAGE, as_=who, id=course, **more))["learnerProgress"]


async def test_a_page_of_learners_takes_the_same_number_of_statements_whatever_its_size(acme: World) -> None:
    course = acme.id("crs", await acme.course(modules=2, lessons=3))
    counts = []
    for more in (1, 5):
        for _ in range(more):
            await enroll(acme, course, await acme.person(Role.STUDENT))
        with acme.counting() as statements:
            found = await page(acme, course)
        counts.append(statements.in_tenant())
        assert all(len(row["lessons"]) == 6 for row in found["nodes"])
    assert counts[0] == counts[1] <= 9


async def test_instructors_see_how_far_each_learner_is_and_in_which_lessons(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=3))
    ada, bo = [await acme.person(Role.STUDENT, name=name) for name in ("Ada", "Bo")]
    for who in (ada, bo):
        await enroll(acme, course, who)
    await acme.as_owner("UPDATE enrollments SET enrolled_at = enrolled_at - interval '1 day'")
    [first, second, _] = await lessons_of(acme, course)
    await sync(acme, [event(first)], ada)
    await acme.ask(
        EXCUSE % "excuseLesson", as_=Role.INSTRUCTOR, i={"lessonId": second, "userId": ada.id, "reason": "x"}
    )
    await scored(acme, second, 40, datetime.now(UTC), who=bo)
    began = datetime.now(UTC) - timedelta(hours=1)
    for minutes in (0, 2):
        at = (began + timedelta(minutes=minutes)).isoformat()
        await sync(acme, [event(first, "POSITION", occurredAt=at, positionSeconds=1)], bo)
    found = await page(acme, course)
    assert found["totalCount"] == 2
    assert [(row["enrollment"]["user"]["fullName"], row["percent"], row["completedLessons"], row["timeSpentSeconds"])
            for row in found["nodes"]] == [("Bo", 0, 0, 120), ("Ada", 66, 2, 0)]  # fmt: skip
    assert found["nodes"][1]["lessons"][1] == {
        "lesson": {"title": "Lesson 2"}, "state": "COMPLETED", "weight": 1, "percent": 100, "scorePercent": None,
        "isExcused": True,
    }  # fmt: skip
    assert found["nodes"][0]["lessons"][1]["scorePercent"] == "40"
    one = await page(acme, course, user=ada.id)
    assert [row["percent"] for row in one["nodes"]] == [66]


async def test_pages_follow_each_other_and_leave_out_who_left(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    people = [await acme.person(Role.STUDENT, name=f"P{n}") for n in range(4)]
    for who in people:
        await enroll(acme, course, who)
    await acme.ask(UNENROLL, as_=people[0], input={"courseId": course})
    first = await page(acme, course, first=2)
    second = await page(acme, course, first=2, after=first["pageInfo"]["endCursor"])
    names = [row["enrollment"]["user"]["fullName"] for each in (first, second) for row in each["nodes"]]
    assert (names, first["totalCount"], second["pageInfo"]["hasNextPage"]) == (["P3", "P2", "P1"], 3, False)


async def test_learners_are_shown_to_their_own_instructors_of_their_own_tenant(acme: World, globex: World) -> None:
    course = acme.id("crs", await acme.course())
    await enroll(acme, course)
    assert await page(acme, course, await acme.person(Role.INSTRUCTOR)) is None
    assert await page(acme, globex.id("crs", await globex.course())) is None
    assert await page(acme, course, Role.ADMIN) is not None
    assert len((await page(acme, course))["nodes"]) == 1
