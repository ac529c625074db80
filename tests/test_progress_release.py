"""Prerequisites, release dates and locks, asked through GraphQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from app.viewer import Role
from tests.test_learning import COMPLETE, enroll, event, sync
from tests.world import Person, World

SET_LESSON = """mutation($i: SetLessonRulesInput!) { setLessonRules(input: $i) { __typename
  ... on LessonSuccess { lesson { version releaseRules { require count conditions { kind lessonId moduleId date days
    timeOfDay timeZone scorePercent group { require conditions { kind lessonId } } } } } }
  ... on ValidationProblem { fields { path code } } ... on Problem { code message } } }"""
SET_MODULE = """mutation($i: SetModuleRulesInput!) { setModuleRules(input: $i) { __typename
  ... on ModuleSuccess { module { requirementCount releaseRules { require } } } ... on Problem { code message } } }"""
PAGE = """query($id: ID!) { course(id: $id) { modules { id lockReasons { code moduleId lessonId } unlocksAt
  myProgress { state percent } lessons { id viewerCanRead unlocksAt blocks { __typename } releaseRules { require }
  lockReasons { code message lessonId moduleId unlocksAt } myProgress { state lockReasons { code } } } } } }"""
PLAIN = """query($id: ID!) { course(id: $id) { id title description modules { id title position lessons { id title
  position myProgress { completedAt positionSeconds } } } } }"""


async def page(world: World, course: str, who: Person | Role = Role.STUDENT) -> list[dict[str, Any]]:
    modules: list[dict[str, Any]] = (await world.ask(PAGE, as_=who, id=course))["course"]["modules"]
    return modules


async def states(world: World, course: str, who: Person | Role = Role.STUDENT) -> list[str]:
    return [row["myProgress"]["state"] for module in await page(world, course, who) for row in module["lessons"]]


async def rule_lesson(world: World, lesson: str, *conditions: Any, **more: Any) -> dict[str, Any]:
    given = {"id": lesson, "rules": {"conditions": list(conditions), **more}}
    answer: dict[str, Any] = (await world.ask(SET_LESSON, as_=Role.INSTRUCTOR, i=given))["setLessonRules"]
    return answer


async def rule_module(world: World, module: str, *conditions: Any, **more: Any) -> dict[str, Any]:
    given = {"id": module, "rules": {"conditions": list(conditions)} if conditions else None, **more}
    answer: dict[str, Any] = (await world.ask(SET_MODULE, as_=Role.INSTRUCTOR, i=given))["setModuleRules"]
    return answer


async def walked(world: World, *, modules: int = 1, lessons: int = 1) -> tuple[str, list[str], list[str]]:
    """A course with its modules and lessons, and the usual student enrolled."""
    course = world.id("crs", await world.course(modules=modules, lessons=lessons))
    await enroll(world, course)
    found = await page(world, course)
    return course, [module["id"] for module in found], [row["id"] for module in found for row in module["lessons"]]


async def test_p1_a_locked_lesson_says_what_is_missing_hides_its_content_and_takes_no_events(acme: World) -> None:
    course, _, [first, second] = await walked(acme, lessons=2)
    kept = await rule_lesson(acme, second, {"lessonDone": first})
    [condition] = kept["lesson"]["releaseRules"]["conditions"]
    assert (condition["kind"], condition["lessonId"]) == ("LESSON_DONE", first)
    [module] = await page(acme, course)
    locked = module["lessons"][1]
    assert locked["lockReasons"] == [
        {
            "code": "LESSON_REQUIRED", "message": "complete the lesson “Lesson 1” first", "lessonId": first,
            "moduleId": None, "unlocksAt": None,
        }
    ]  # fmt: skip
    assert (locked["viewerCanRead"], locked["blocks"], locked["releaseRules"]) == (False, [], None)
    assert locked["myProgress"] == {"state": "LOCKED", "lockReasons": [{"code": "LESSON_REQUIRED"}]}
    for kind in ("VIEWED", "POSITION", "COMPLETED"):
        answer = await sync(acme, [event(second, kind)])
        assert (answer["results"][0]["status"], answer["results"][0]["code"]) == ("REJECTED", "LESSON_LOCKED")
    refused = await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": second})
    assert refused["completeLesson"]["code"] == "LESSON_LOCKED"
    await sync(acme, [event(first)])
    [module] = await page(acme, course)
    opened = module["lessons"][1]
    assert (opened["viewerCanRead"], len(opened["blocks"]), opened["lockReasons"]) == (True, 1, [])
    assert (await sync(acme, [event(second)]))["results"][0]["status"] == "ACCEPTED"


async def test_instructors_and_administrators_see_what_is_locked(acme: World) -> None:
    course, _, [first, second] = await walked(acme, lessons=2)
    await rule_lesson(acme, second, {"lessonDone": first})
    for role in (Role.INSTRUCTOR, Role.ADMIN):
        [module] = await page(acme, course, role)
        assert (len(module["lessons"][1]["blocks"]), module["lessons"][1]["lockReasons"]) == (1, [])
        assert module["lessons"][1]["releaseRules"] == {"require": "ALL"}


async def test_reasons_are_told_in_the_readers_language(acme: World) -> None:
    course, _, [first, second] = await walked(acme, lessons=2)
    await rule_lesson(acme, second, {"lessonDone": first})
    answer = await acme.send(
        "query($id: ID!) { lesson(id: $id) { lockReasons { message } } }", as_=Role.STUDENT,
        headers={"Accept-Language": "es"}, id=second,
    )  # fmt: skip
    assert answer.json()["data"]["lesson"]["lockReasons"] == [{"message": "primero completa la lección «Lesson 1»"}]
    assert (await states(acme, course))[1] == "LOCKED"


async def test_a_module_opens_at_its_date_and_closes_no_door_behind_anybody(acme: World) -> None:
    course, [_, later], lessons = await walked(acme, modules=2, lessons=2)
    await sync(acme, [event(lessons[2], "VIEWED")])
    fresh = await acme.person(Role.STUDENT)
    await enroll(acme, course, fresh)
    at = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    await rule_module(acme, later, {"date": at})
    assert await states(acme, course) == ["UNLOCKED", "UNLOCKED", "STARTED", "UNLOCKED"]
    assert await states(acme, course, fresh) == ["UNLOCKED", "UNLOCKED", "LOCKED", "LOCKED"]
    module = (await page(acme, course, fresh))[1]
    assert (module["lockReasons"][0]["code"], module["unlocksAt"]) == ("NOT_YET", at)
    assert (module["lessons"][0]["unlocksAt"], module["myProgress"]) == (at, {"state": "LOCKED", "percent": 0})
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await rule_module(acme, later, {"date": past})
    assert await states(acme, course, fresh) == ["UNLOCKED"] * 4


async def test_p6_a_circle_is_refused_with_its_path_when_rules_are_saved_and_when_lessons_move(acme: World) -> None:
    course, [one, two], [a, b] = await walked(acme, modules=2, lessons=1)
    assert (await rule_lesson(acme, b, {"lessonDone": a}))["__typename"] == "LessonSuccess"
    refused = await rule_lesson(acme, a, {"group": {"require": "ANY", "conditions": [{"moduleDone": two}]}})
    assert (refused["__typename"], refused["code"]) == ("ConflictProblem", "RULES_CYCLE")
    assert refused["message"].startswith("these would wait for each other forever: ")
    assert {"Lesson 1", "Module 2"} <= set(refused["message"].split(": ")[1].split(" → "))
    assert (await rule_module(acme, one, {"lessonDone": a}))["code"] == "RULES_CYCLE"
    assert (await rule_module(acme, two, {"lessonDone": a}))["__typename"] == "ModuleSuccess"
    move = "mutation($i: ReorderLessonsInput!) { reorderLessons(input: $i) { ... on Problem { code } } }"
    moved = await acme.ask(move, as_=Role.INSTRUCTOR, i={"moduleId": two, "lessonIds": [b, a]})
    assert moved["reorderLessons"]["code"] == "RULES_CYCLE"
    assert await states(acme, course) == ["UNLOCKED", "LOCKED"]


async def test_p6_two_authors_cannot_close_a_circle_together(acme: World) -> None:
    for _ in range(3):
        _, _, [a, b] = await walked(acme, lessons=2)
        answers = await asyncio.gather(rule_lesson(acme, a, {"lessonDone": b}), rule_lesson(acme, b, {"lessonDone": a}))
        assert sorted(answer["__typename"] for answer in answers) == ["ConflictProblem", "LessonSuccess"]


async def test_p6_deleting_a_prerequisite_opens_what_waited_for_it(acme: World) -> None:
    course, _, [first, second] = await walked(acme, lessons=2)
    await rule_lesson(acme, second, {"lessonDone": first})
    delete = "mutation($i: LessonIdInput!) { deleteLesson(input: $i) { __typename } }"
    await acme.ask(delete, as_=Role.INSTRUCTOR, i={"id": first})
    assert await states(acme, course) == ["UNLOCKED"]


async def test_rules_name_things_of_their_own_course_only(acme: World, globex: World) -> None:
    _, _, [lesson] = await walked(acme)
    _, _, [other] = await walked(acme)
    foreign = globex.id("lsn", (await globex.course()))
    for stranger in (other, foreign, "nonsense"):
        refused = await rule_lesson(acme, lesson, {"lessonDone": stranger})
        assert refused["fields"] == [{"path": "input.rules.conditions.0.lessonDone", "code": "ID_INVALID"}]
    stale = await acme.ask(SET_LESSON, as_=Role.INSTRUCTOR, i={"id": lesson, "rules": None, "expectedVersion": 99})
    assert stale["setLessonRules"]["code"] == "VERSION_CONFLICT"
    somebody = await acme.person(Role.INSTRUCTOR)
    refused = await acme.ask(SET_LESSON, as_=somebody, i={"id": lesson, "rules": None})
    assert refused["setLessonRules"]["code"] == "FORBIDDEN"


async def test_every_kind_of_condition_is_kept_as_it_was_said(acme: World) -> None:
    _, [one, _], [a, b] = await walked(acme, modules=2, lessons=1)
    kept = await rule_lesson(
        acme, b, {"moduleDone": one}, {"minScore": {"lessonId": a, "percent": "75.5"}},
        {"date": "2026-12-01T10:00:00-03:00"}, {"daysAfter": {"days": 2, "lessonId": a, "timeOfDay": "08:00"}},
        {"group": {"require": "ANY", "conditions": [{"lessonDone": a}]}}, require="COUNT", count=3,
    )  # fmt: skip
    rules = kept["lesson"]["releaseRules"]
    assert (rules["require"], rules["count"]) == ("COUNT", 3)
    said = [{name: value for name, value in row.items() if value is not None} for row in rules["conditions"]]
    assert said == [
        {"kind": "MODULE_DONE", "moduleId": one},
        {"kind": "MIN_SCORE", "lessonId": a, "scorePercent": "75.5"},
        {"kind": "DATE", "date": "2026-12-01T13:00:00Z"},
        {"kind": "DAYS_AFTER", "lessonId": a, "days": 2, "timeOfDay": "08:00", "timeZone": "America/Santiago"},
        {"kind": "GROUP", "group": {"require": "ANY", "conditions": [{"kind": "LESSON_DONE", "lessonId": a}]}},
    ]


async def test_p3_a_device_that_was_away_tells_at_once_of_a_chain_that_opened_on_its_way(acme: World) -> None:
    course, _, lessons = await walked(acme, lessons=4)
    for before, after in pairwise(lessons):
        await rule_lesson(acme, after, {"lessonDone": before})
    answer = await sync(acme, [event(lesson) for lesson in reversed(lessons)])
    assert [item["status"] for item in answer["results"]] == ["ACCEPTED"] * 4
    assert answer["courses"][0]["percent"] == 100
    assert await states(acme, course) == ["COMPLETED"] * 4


async def test_module_state_follows_its_lessons_or_enough_of_them(acme: World) -> None:
    course, [one, two], lessons = await walked(acme, modules=2, lessons=3)
    answer = await rule_module(acme, one, requirementCount=2)
    assert answer["module"] == {"requirementCount": 2, "releaseRules": None}
    await rule_module(acme, two, {"moduleDone": one})
    seen = []
    for lesson in lessons[:2]:
        seen.append([module["myProgress"] for module in await page(acme, course)])
        await sync(acme, [event(lesson)])
    seen.append([module["myProgress"] for module in await page(acme, course)])
    assert seen == [
        [{"state": "UNLOCKED", "percent": 0}, {"state": "LOCKED", "percent": 0}],
        [{"state": "STARTED", "percent": 50}, {"state": "LOCKED", "percent": 0}],
        [{"state": "COMPLETED", "percent": 100}, {"state": "UNLOCKED", "percent": 0}],
    ]
    progress = "query($id: ID!) { progress(courseId: $id) { percent resume { lesson { id } } } }"
    data = await acme.ask(progress, as_=Role.STUDENT, id=course)
    assert data["progress"] == {"percent": 33, "resume": {"lesson": {"id": lessons[2]}}}


async def test_the_place_to_go_on_is_never_behind_a_lock(acme: World) -> None:
    course, _, lessons = await walked(acme, lessons=3)
    await rule_lesson(acme, lessons[0], {"lessonDone": lessons[2]})
    query = "query($id: ID!) { progress(courseId: $id) { resume { lesson { id } } } }"
    found = (await acme.ask(query, as_=Role.STUDENT, id=course))["progress"]["resume"]
    assert found == {"lesson": {"id": lessons[1]}}
    await rule_lesson(acme, lessons[1], {"date": "2040-01-01T00:00:00Z"})
    await rule_lesson(acme, lessons[2], {"date": "2040-01-01T00:00:00Z"})
    assert (await acme.ask(query, as_=Role.STUDENT, id=course))["progress"]["resume"] is None


async def test_a_copy_of_a_course_has_rules_about_its_own_lessons(acme: World) -> None:
    course, [one], [first, second] = await walked(acme, lessons=2)
    await rule_lesson(acme, second, {"lessonDone": first})
    await rule_module(acme, one, requirementCount=1)
    copy = "mutation($i: CopyCourseInput!) { copyCourse(input: $i) { ... on CourseSuccess { course { id } } } }"
    copied = (await acme.ask(copy, as_=Role.INSTRUCTOR, i={"id": course}))["copyCourse"]["course"]["id"]
    await acme.as_owner("UPDATE courses SET published_at = now()")
    await enroll(acme, copied)
    [module] = await page(acme, copied)
    assert module["lessons"][1]["lockReasons"][0]["lessonId"] == module["lessons"][0]["id"]
    asked = await acme.ask(
        "query($id: ID!) { module(id: $id) { requirementCount } }", as_=Role.STUDENT, id=module["id"]
    )
    assert asked["module"]["requirementCount"] == 1


async def test_the_course_page_takes_four_statements_and_locks_take_the_same_for_any_size(acme: World) -> None:
    small, _, [first, second] = await walked(acme, lessons=2)
    with acme.counting() as statements:
        await acme.ask(PLAIN, as_=Role.STUDENT, id=small)
    assert statements.in_tenant() <= 4
    query = """query($id: ID!) { course(id: $id) { modules { lessons { id myProgress { state } } } } }"""
    with acme.counting() as statements:
        await acme.ask(query, as_=Role.STUDENT, id=small)
    assert statements.in_tenant() == 4
    large, [*modules], lessons = await walked(acme, modules=3, lessons=6)
    await rule_lesson(acme, second, {"lessonDone": first})
    await rule_lesson(acme, lessons[4], {"lessonDone": lessons[1]})
    await rule_module(acme, modules[2], {"moduleDone": modules[0]})
    counts = []
    for course in (small, large):
        with acme.counting() as statements:
            await acme.ask(query, as_=Role.STUDENT, id=course)
        counts.append(statements.in_tenant())
    assert counts == [7, 7]
    with acme.counting() as statements:
        await acme.ask(PLAIN, as_=Role.STUDENT, id=large)
    assert statements.in_tenant() <= 4


async def test_a_place_in_a_ruled_lesson_is_still_one_statement_once_it_was_begun(acme: World) -> None:
    _, _, [first, second] = await walked(acme, lessons=2)
    await rule_lesson(acme, second, {"lessonDone": first})
    await sync(acme, [event(first), event(second, "VIEWED")])
    query = """mutation($input: SyncProgressInput!) { syncProgress(input: $input) {
      ... on SyncProgressSuccess { results { status } } } }"""
    with acme.counting() as statements:
        data = await acme.ask(query, as_=Role.STUDENT, input={"events": [event(second, "POSITION", positionSeconds=3)]})
    assert data["syncProgress"]["results"] == [{"status": "ACCEPTED"}]
    assert len(statements) == 1
