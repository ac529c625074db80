"""Revisions (P7) and changes of content (P8): what an author does never corrupts what a learner has."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.viewer import Role
from tests.test_learning import enroll, event, lessons_of, outbox, sync
from tests.world import Person, World

PUBLISH = """mutation($i: CourseIdInput!) { publishCourse(input: $i) { __typename
  ... on CourseSuccess { course { version policies { revision revisionPolicy contentChange } } } } }"""
POLICIES = """mutation($i: SetCoursePoliciesInput!) { setCoursePolicies(input: $i) { __typename
  ... on CourseSuccess { course { policies { revision revisionPolicy contentChange } } } ... on Problem { code } } }"""
CHANGE = "mutation($i: %s!) { %s(input: $i) { __typename%s } }"
LESSON = " ... on LessonSuccess { lesson { id contentVersion } }"
STANDING = """query($id: ID!) { progress(courseId: $id) { percent completedAt hasNewContent completedLessons
  totalLessons lessons { state hasNewContent } } }"""
PREVIEW = "query($id: ID!) { publishPreview(courseId: $id) { learners changed completed reopened } }"
HOUSE = "mutation($i: SetLearningPolicyInput!) { setLearningPolicy(input: $i) { __typename } }"


async def publish(world: World, course: str) -> dict[str, Any]:
    data = await world.ask(PUBLISH, as_=Role.INSTRUCTOR, i={"id": course})
    found: dict[str, Any] = data["publishCourse"]["course"]
    return found


async def change(world: World, name: str, **given: Any) -> dict[str, Any]:
    kind = {"deleteLesson": "LessonIdInput"}.get(name, f"{name[0].upper()}{name[1:]}Input")
    shown = "" if name == "deleteLesson" else LESSON
    data = await world.ask(CHANGE % (kind, name, shown), as_=Role.INSTRUCTOR, i=given)
    found: dict[str, Any] = data[name]
    return found


async def standing(world: World, course: str, who: Role | Person = Role.STUDENT) -> dict[str, Any]:
    found: dict[str, Any] = (await world.ask(STANDING, as_=who, id=course))["progress"]
    return found


async def percent(world: World, course: str, who: Role | Person = Role.STUDENT) -> int:
    return int((await standing(world, course, who))["percent"])


async def published(world: World, *, lessons: int = 2) -> tuple[str, list[str]]:
    course = world.id("crs", await world.course(lessons=lessons))
    await publish(world, course)
    return course, await lessons_of(world, course)


async def module_of(world: World, course: str) -> str:
    data = await world.ask("query($id: ID!) { course(id: $id) { modules { id } } }", as_=Role.ADMIN, id=course)
    return str(data["course"]["modules"][0]["id"])


async def test_p7_what_is_edited_counts_when_it_is_published_and_not_before(acme: World) -> None:
    course, [first, second] = await published(acme)
    await enroll(acme, course)
    await sync(acme, [event(first)])
    assert await percent(acme, course) == 50
    module = await module_of(acme, course)
    await change(acme, "createLesson", moduleId=module, title="Nueva", weight=2)
    await change(acme, "updateLesson", id=first, weight=5)
    await change(acme, "updateLesson", id=second, isRequired=False)
    assert await percent(acme, course) == 50
    again = await publish(acme, course)
    assert again["policies"] == {"revision": 2, "revisionPolicy": "LATEST", "contentChange": None}
    assert await percent(acme, course) == 71
    assert (await publish(acme, course)) == again


async def test_p7_deleting_takes_a_lesson_from_both_sides_at_once_in_every_revision(acme: World) -> None:
    course, [first, second] = await published(acme)
    await enroll(acme, course)
    await sync(acme, [event(first)])
    await change(acme, "deleteLesson", id=first)
    found = await standing(acme, course)
    assert (found["percent"], found["completedLessons"], found["totalLessons"]) == (0, 0, 1)
    await sync(acme, [event(second)])
    assert await percent(acme, course) == 100


async def test_p7_never_100_with_a_required_lesson_open_and_never_more_whatever_is_edited(acme: World) -> None:
    course, lessons = await published(acme, lessons=4)
    await enroll(acme, course)
    module = await module_of(acme, course)
    seen = []
    for number, lesson in enumerate(lessons):
        await sync(acme, [event(lesson)])
        seen.append(await percent(acme, course))
        await change(acme, "updateLesson", id=lesson, weight=1000, isRequired=number % 2 == 0)
        await change(acme, "createLesson", moduleId=module, title=f"Más {number}")
        seen.append(await percent(acme, course))
    assert seen == [25, 25, 50, 50, 75, 75, 100, 100]
    assert (await standing(acme, course))["completedAt"] is not None


async def test_p7_pinned_learners_stay_with_the_revision_of_their_enrolment(acme: World) -> None:
    course, [first, _] = await published(acme)
    early, late, newest = [await acme.person(Role.STUDENT) for _ in range(3)]
    await enroll(acme, course, early)
    pinned = {"id": course, "revisionPolicy": "PINNED"}
    answer = await acme.ask(POLICIES, as_=Role.INSTRUCTOR, i=pinned)
    assert answer["setCoursePolicies"]["course"]["policies"]["revisionPolicy"] == "PINNED"
    module = await module_of(acme, course)
    for number, who in enumerate((late, newest)):
        await change(acme, "createLesson", moduleId=module, title=f"Nueva {number}", weight=2)
        await publish(acme, course)
        await enroll(acme, course, who)
    for who in (early, late, newest):
        await sync(acme, [event(first)], who)
    assert [await percent(acme, course, who) for who in (early, late, newest)] == [50, 25, 16]
    assert await percent(acme, course, newest) == 16
    await acme.ask(POLICIES, as_=Role.INSTRUCTOR, i={**pinned, "revisionPolicy": "LATEST"})
    assert [await percent(acme, course, who) for who in (early, late, newest)] == [16, 16, 16]
    await acme.ask(POLICIES, as_=Role.INSTRUCTOR, i=pinned)
    assert [await percent(acme, course, who) for who in (early, late, newest)] == [16, 16, 16]


async def test_p7_what_a_lesson_asks_for_is_what_the_learners_revision_asks_for(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    [first, _] = await lessons_of(acme, course)
    await change(acme, "updateLesson", id=first, completion="VIEW")
    await publish(acme, course)
    early, late = await acme.person(Role.STUDENT), await acme.person(Role.STUDENT)
    await enroll(acme, course, early)
    await acme.ask(POLICIES, as_=Role.INSTRUCTOR, i={"id": course, "revisionPolicy": "PINNED"})
    await change(acme, "updateLesson", id=first, completion="MARK_DONE")
    await publish(acme, course)
    await enroll(acme, course, late)
    for who in (early, late):
        await sync(acme, [event(first, "POSITION", positionSeconds=1)], who)
    assert [await percent(acme, course, who) for who in (early, late)] == [50, 0]


async def test_p9_a_new_revision_completes_who_has_done_everything_of_it_once(acme: World) -> None:
    course, [first, second] = await published(acme)
    done, slow = await acme.person(Role.STUDENT), await acme.person(Role.STUDENT)
    for who in (done, slow):
        await enroll(acme, course, who)
    await sync(acme, [event(first)], done)
    await change(acme, "updateLesson", id=second, isRequired=False)
    await acme.work()
    assert await outbox(acme, "course_completed") == 0
    preview = await acme.ask(PREVIEW, as_=Role.INSTRUCTOR, id=course)
    assert preview["publishPreview"] == {"learners": 2, "changed": 1, "completed": 1, "reopened": 0}
    await publish(acme, course)
    await acme.work()
    await acme.work()
    assert await outbox(acme, "course_completed") == 1
    assert (await standing(acme, course, done))["completedAt"] is not None
    assert (await standing(acme, course, slow))["completedAt"] is None


async def test_p9_publishing_while_learners_finish_completes_each_once(acme: World) -> None:
    for number in range(1, 4):
        course, [first, second, third] = await published(acme, lessons=3)
        students = [await acme.person(Role.STUDENT) for _ in range(3)]
        for who in students:
            await enroll(acme, course, who)
            await sync(acme, [event(first)], who)
        await change(acme, "updateLesson", id=third, isRequired=False)
        await asyncio.gather(publish(acme, course), *(sync(acme, [event(second)], who) for who in students))
        await acme.work()
        assert [await percent(acme, course, who) for who in students] == [100] * 3
        assert await outbox(acme, "course_completed") == 3 * number


async def test_p8_new_lessons_after_completion_leave_it_completed_and_tell_of_news(acme: World) -> None:
    course, lessons = await published(acme)
    await enroll(acme, course)
    await sync(acme, [event(lesson) for lesson in lessons])
    module = await module_of(acme, course)
    await change(acme, "createLesson", moduleId=module, title="Nueva")
    assert (await standing(acme, course))["hasNewContent"] is False
    preview = await acme.ask(PREVIEW, as_=Role.INSTRUCTOR, id=course)
    assert preview["publishPreview"] == {"learners": 1, "changed": 1, "completed": 0, "reopened": 1}
    await publish(acme, course)
    found = await standing(acme, course)
    assert (found["percent"], found["completedAt"] is None, found["hasNewContent"]) == (66, False, True)
    [*_, added] = await lessons_of(acme, course)
    await sync(acme, [event(added)])
    found = await standing(acme, course)
    assert (found["percent"], found["hasNewContent"]) == (100, False)
    assert await outbox(acme, "course_completed") == 1


async def rewrite(world: World, lesson: str, html: str) -> dict[str, Any]:
    block = {"content": {"richText": {"html": html}}}
    found: dict[str, Any] = (await change(world, "updateLesson", id=lesson, blocks=[block]))["lesson"]
    return found


@pytest.mark.parametrize(
    ("house", "own", "state"),
    [
        (None, None, "COMPLETED"), ("REOPEN", None, "STARTED"), ("REOPEN", "KEEP", "COMPLETED"),
        ("KEEP", "REOPEN", "STARTED"),
    ],
)  # fmt: skip
async def test_p8_a_change_of_content_keeps_or_reopens_as_the_organisation_or_the_course_says(
    acme: World, house: str | None, own: str | None, state: str
) -> None:
    course, [first, second] = await published(acme)
    if house:
        await acme.ask(HOUSE, as_=Role.ADMIN, i={"contentChange": house})
    if own:
        given = {"id": course, "revisionPolicy": "LATEST", "contentChange": own}
        await acme.ask(POLICIES, as_=Role.INSTRUCTOR, i=given)
    await enroll(acme, course)
    before = [event(first), event(second)]
    await sync(acme, before)
    assert (await rewrite(acme, first, "<p>Otra cosa</p>"))["contentVersion"] == 2
    await acme.work()
    await acme.work()
    await sync(acme, before)
    found = await standing(acme, course)
    is_kept = state == "COMPLETED"
    assert found["lessons"] == [
        {"state": state, "hasNewContent": is_kept}, {"state": "COMPLETED", "hasNewContent": False},
    ]  # fmt: skip
    assert (found["percent"], found["completedAt"] is None) == (100 if is_kept else 50, False)
    await sync(acme, [event(first, "VIEWED"), event(first)])
    found = await standing(acme, course)
    assert (found["lessons"][0], found["percent"]) == ({"state": "COMPLETED", "hasNewContent": False}, 100)
    assert await outbox(acme, "course_completed") == 1


async def test_p8_only_another_content_is_a_change(acme: World) -> None:
    _, [first, _] = await published(acme)
    assert (await rewrite(acme, first, "<p>Uno</p>"))["contentVersion"] == 2
    assert (await rewrite(acme, first, "<p>Uno</p>"))["contentVersion"] == 2
    assert (await change(acme, "updateLesson", id=first, title="Otro"))["lesson"]["contentVersion"] == 2
    assert await outbox(acme, "lesson_content_changed") == 1


async def test_p8_an_old_completion_that_comes_late_does_not_complete_what_was_reopened(acme: World) -> None:
    course, [first, _] = await published(acme)
    await acme.ask(HOUSE, as_=Role.ADMIN, i={"contentChange": "REOPEN"})
    await enroll(acme, course)
    await acme.as_owner("UPDATE enrollments SET enrolled_at = now() - interval '1 day'")
    await sync(acme, [event(first)])
    await rewrite(acme, first, "<p>Otra cosa</p>")
    await acme.work()
    late = event(first, occurredAt=(datetime.now(UTC) - timedelta(hours=3)).isoformat())
    assert (await sync(acme, [late]))["results"][0]["status"] == "ACCEPTED"
    assert (await standing(acme, course))["lessons"][0]["state"] == "STARTED"


async def test_previews_and_policies_are_for_a_courses_authors_and_of_one_tenant(acme: World, globex: World) -> None:
    course, _ = await published(acme)
    there = globex.id("crs", await globex.course())
    stranger = await acme.person(Role.INSTRUCTOR)
    for id_ in (course, there, "nonsense"):
        assert (await acme.ask(PREVIEW, as_=stranger, id=id_))["publishPreview"] is None
    query = "query($id: ID!) { course(id: $id) { policies { revision } } }"
    assert (await acme.ask(query, as_=Role.STUDENT, id=course))["course"] == {"policies": None}
    refused = await acme.ask(POLICIES, as_=stranger, i={"id": course, "revisionPolicy": "PINNED"})
    assert refused["setCoursePolicies"]["code"] == "FORBIDDEN"
    mine = await acme.ask("{ learningPolicy { contentChange } }", as_=Role.INSTRUCTOR)
    assert mine["learningPolicy"] == {"contentChange": "KEEP"}


async def test_progress_in_courses_is_one_statement_with_revisions_too(acme: World) -> None:
    courses = [(await published(acme))[0] for _ in range(3)]
    for course in courses:
        await enroll(acme, course)
    query = "{ myEnrollments { nodes { progress { percent } } } }"
    with acme.counting() as statements:
        data = await acme.ask(query, as_=Role.STUDENT)
    assert [row["progress"]["percent"] for row in data["myEnrollments"]["nodes"]] == [0, 0, 0]
    assert statements.touching("revision_lessons") == 1
    assert statements.in_tenant() == 2
