"""What completes a lesson (P5): reports of submissions and scores, time, excuses, and beginning anew (P1)."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.learning.requirements import hold_enrollment, report_score, report_submission
from app.viewer import Role
from schema import ids
from tests.test_learning import COMPLETE, PROGRESS, UNENROLL, enroll, event, lessons_of, outbox, sync
from tests.world import Person, World

UPDATE = "mutation($i: UpdateLessonInput!) { updateLesson(input: $i) { __typename ... on Problem { code } } }"
EXCUSE = """mutation($i: ExcuseLessonInput!) { %s(input: $i) { __typename
  ... on EnrollmentSuccess { enrollment { status } } ... on ValidationProblem { fields { path code } }
  ... on Problem { code } } }"""
RESET = """mutation($i: ResetProgressInput!) { resetProgress(input: $i) { __typename
  ... on EnrollmentSuccess { enrollment { status cycle completedAt } } ... on Problem { code } } }"""
MINE = """query($id: ID!) { course(id: $id) { myProgress { percent completedAt timeSpentSeconds }
  modules { lessons { myProgress { state percent scorePercent isExcused timeSpentSeconds } } } } }"""


def key(world: World, text: str) -> UUID:
    """The UUID behind a client's identifier."""
    found = ids.split(text, world.tenant.id_mask)
    assert found is not None
    return found[1]


async def course_of(world: World, completion: str, *, lessons: int = 1, **more: Any) -> tuple[str, list[str]]:
    """A course whose first lesson is completed that way, with the usual student in it since a month ago."""
    course = world.id("crs", await world.course(lessons=lessons))
    found = await lessons_of(world, course, Role.INSTRUCTOR)
    await world.ask(UPDATE, as_=Role.INSTRUCTOR, i={"id": found[0], "completion": completion, **more})
    await enroll(world, course)
    await world.as_owner("UPDATE enrollments SET enrolled_at = now() - interval '30 days'")
    return course, found


async def mine(world: World, course: str, who: Role | Person = Role.STUDENT) -> list[dict[str, Any]]:
    data = await world.ask(MINE, as_=who, id=course)
    return [lesson["myProgress"] for module in data["course"]["modules"] for lesson in module["lessons"]]


async def submitted(world: World, lesson: str, at: datetime, who: Person | None = None) -> None:
    student = who or await world.some(Role.STUDENT)
    async with world.operation().write() as tx:
        await report_submission(tx, user_id=student.user_id, lesson_id=key(world, lesson), at=at)


async def scored(
    world: World, lesson: str, score: int | None, at: datetime, *, attempt: bool = True, who: Person | None = None
) -> None:
    student = who or await world.some(Role.STUDENT)
    async with world.operation().write() as tx:
        await report_score(
            tx, user_id=student.user_id, lesson_id=key(world, lesson), has_attempt=attempt, at=at,
            score_percent=None if score is None else Decimal(score),
        )  # fmt: skip


async def test_p5_a_lesson_to_submit_is_done_by_a_submission_and_not_by_a_grade_alone(acme: World) -> None:
    course, [lesson] = await course_of(acme, "SUBMIT")
    now = datetime.now(UTC)
    refused = await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": lesson})
    assert refused["completeLesson"]["code"] == "SUBMISSION_REQUIRED"
    await scored(acme, lesson, 100, now, attempt=False)
    assert [(row["state"], row["scorePercent"]) for row in await mine(acme, course)] == [("UNLOCKED", "100")]
    await submitted(acme, lesson, now)
    assert (await mine(acme, course))[0]["state"] == "COMPLETED"
    assert await outbox(acme, "course_completed") == 1


async def test_p5_viewing_is_met_by_who_handed_something_in(acme: World) -> None:
    course, [lesson] = await course_of(acme, "VIEW")
    await scored(acme, lesson, 10, datetime.now(UTC), attempt=False)
    assert (await mine(acme, course))[0]["state"] == "UNLOCKED"
    await scored(acme, lesson, 10, datetime.now(UTC))
    assert (await mine(acme, course))[0]["state"] == "COMPLETED"


async def test_p5_a_score_is_judged_anew_when_it_falls_and_the_completed_course_stays(acme: World) -> None:
    course, [lesson, other] = await course_of(acme, "MIN_SCORE", lessons=2, minScore="70")
    now = datetime.now(UTC)
    refused = await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": lesson})
    assert refused["completeLesson"]["code"] == "SCORE_REQUIRED"
    percents = []
    for score, minutes in ((69, 1), (70, 2), (69, 3), (95, 4)):
        await scored(acme, lesson, score, now + timedelta(minutes=minutes))
        [first, _] = await mine(acme, course)
        percents.append((first["state"], first["percent"], first["scorePercent"]))
    assert percents == [
        ("STARTED", 0, "69"), ("COMPLETED", 100, "70"), ("STARTED", 0, "69"), ("COMPLETED", 100, "95"),
    ]  # fmt: skip
    await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": other})
    await scored(acme, lesson, 20, now + timedelta(minutes=5))
    data = (await acme.ask(MINE, as_=Role.STUDENT, id=course))["course"]["myProgress"]
    assert (data["percent"], data["completedAt"] is None) == (50, False)
    await scored(acme, lesson, 80, now + timedelta(minutes=6))
    assert await outbox(acme, "course_completed") == 1


async def test_p1_asking_for_a_higher_score_later_takes_nothing_from_who_had_enough(acme: World) -> None:
    course, [lesson] = await course_of(acme, "MIN_SCORE", minScore="70")
    now = datetime.now(UTC)
    await scored(acme, lesson, 75, now)
    await acme.ask(UPDATE, as_=Role.INSTRUCTOR, i={"id": lesson, "minScore": "90"})
    await sync(acme, [event(lesson, "VIEWED")])
    assert (await mine(acme, course))[0]["state"] == "COMPLETED"
    await scored(acme, lesson, 74, now + timedelta(minutes=1))
    assert (await mine(acme, course))[0]["state"] == "STARTED"


async def test_p2_reports_in_any_order_and_repeated_come_to_the_same(acme: World) -> None:
    course, [lesson] = await course_of(acme, "MIN_SCORE", minScore="60")
    now = datetime.now(UTC)
    reports = [(50, 1), (80, 2), (None, 3), (90, 4)]
    found = set()
    for order in itertools.permutations(reports):
        person = await acme.person(Role.STUDENT)
        await enroll(acme, course, person)
        await acme.as_owner("UPDATE enrollments SET enrolled_at = timestamptz '2026-01-01'")
        for score, minutes in (*order, order[0], order[1]):
            await scored(acme, lesson, score, now + timedelta(minutes=minutes), who=person)
        rows = await acme.as_owner(
            f"""SELECT percent, score, basis, completed_at, history FROM lesson_progress
                WHERE user_id = '{person.user_id}'"""
        )
        found.add(rows[0])
    assert found == {(100, 90, "score", now + timedelta(minutes=4), 4)}


async def test_p9_two_devices_finish_the_last_two_lessons_at_the_same_moment_and_complete_once(acme: World) -> None:
    for number in range(1, 6):
        course, [first, second] = await course_of(acme, "SUBMIT", lessons=2)
        now = datetime.now(UTC)
        await asyncio.gather(
            submitted(acme, first, now), scored(acme, first, 90, now), submitted(acme, first, now),
            sync(acme, [event(second)]), sync(acme, [event(second)]),
        )  # fmt: skip
        assert [row["state"] for row in await mine(acme, course)] == ["COMPLETED", "COMPLETED"]
        assert await outbox(acme, "course_completed") == number


async def test_p10_a_completion_that_is_undone_with_its_transaction_tells_nobody(acme: World) -> None:
    course, [lesson] = await course_of(acme, "SUBMIT")
    student = await acme.some(Role.STUDENT)

    async def undone() -> None:
        async with acme.operation().write() as tx:
            await report_submission(tx, user_id=student.user_id, lesson_id=key(acme, lesson), at=datetime.now(UTC))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await undone()
    assert await outbox(acme, "course_completed") == 0
    assert (await mine(acme, course))[0]["state"] == "UNLOCKED"


async def test_p12_a_quiz_room_may_hold_the_enrolment_and_reports_wait_their_turn(acme: World) -> None:
    course, [lesson] = await course_of(acme, "SUBMIT")
    student = await acme.some(Role.STUDENT)
    async with acme.operation().write() as tx:
        held = await hold_enrollment(tx, user_id=student.user_id, lesson_id=key(acme, lesson))
        assert held is not None
        waiting = asyncio.create_task(submitted(acme, lesson, datetime.now(UTC)))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting
    assert (await mine(acme, course))[0]["state"] == "COMPLETED"


async def test_p11_who_is_not_learning_gets_no_progress_by_a_report(acme: World, globex: World) -> None:
    course, [lesson] = await course_of(acme, "SUBMIT")
    await acme.ask(UNENROLL, as_=Role.STUDENT, input={"courseId": course})
    await submitted(acme, lesson, datetime.now(UTC))
    await submitted(globex, lesson, datetime.now(UTC))
    assert await acme.as_owner("SELECT count(*) FROM lesson_progress") == [(0,)]


async def test_p5_time_on_task_completes_a_lesson_and_absences_do_not_count(acme: World) -> None:
    course, [lesson, other] = await course_of(acme, "MIN_TIME", lessons=2, minSeconds=600)
    began = datetime.now(UTC) - timedelta(hours=2)

    def beat(minutes: float, where: str = lesson) -> dict[str, Any]:
        return event(where, "POSITION", occurredAt=(began + timedelta(minutes=minutes)).isoformat(), positionSeconds=1)

    refused = await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": lesson})
    assert refused["completeLesson"]["code"] == "TIME_REQUIRED"
    await sync(acme, [beat(0), beat(4), beat(30), beat(34.5)])
    [first, _] = await mine(acme, course)
    assert (first["state"], first["percent"], first["timeSpentSeconds"]) == ("STARTED", 85, 510)
    await sync(acme, [beat(36), beat(32, other), beat(4), beat(2)])
    [first, second] = await mine(acme, course)
    assert (first["state"], first["timeSpentSeconds"], second["timeSpentSeconds"]) == ("COMPLETED", 600, 0)
    whole = (await acme.ask(MINE, as_=Role.STUDENT, id=course))["course"]["myProgress"]
    assert whole["timeSpentSeconds"] == 600


async def test_p5_excused_counts_as_done_until_it_is_taken_back_and_both_are_written_down(acme: World) -> None:
    course, [lesson, other] = await course_of(acme, "SUBMIT", lessons=2)
    student = await acme.some(Role.STUDENT)
    given = {"lessonId": lesson, "userId": student.id, "reason": "Convalidada"}
    for _ in range(2):
        await acme.ask(EXCUSE % "excuseLesson", as_=Role.INSTRUCTOR, i=given)
    assert [(row["state"], row["isExcused"]) for row in await mine(acme, course)] == [
        ("COMPLETED", True), ("UNLOCKED", False),
    ]  # fmt: skip
    await acme.ask(EXCUSE % "unexcuseLesson", as_=Role.INSTRUCTOR, i=given)
    assert [(row["state"], row["percent"]) for row in await mine(acme, course)] == [("UNLOCKED", 0), ("UNLOCKED", 0)]
    await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": other})
    done = await acme.ask(EXCUSE % "excuseLesson", as_=Role.ADMIN, i=given)
    assert done["excuseLesson"]["enrollment"] == {"status": "COMPLETED"}
    assert await outbox(acme, "course_completed") == 1
    rows = await acme.as_owner("SELECT action, reason, changes ->> 'lesson_id' FROM audit_log ORDER BY id")
    assert rows == [
        (action, "Convalidada", str(key(acme, lesson)))
        for action in ("lesson.excuse", "lesson.excuse", "lesson.unexcuse", "lesson.excuse")
    ]


async def test_p5_work_that_was_done_while_excused_stays_when_the_excuse_goes(acme: World) -> None:
    course, [lesson] = await course_of(acme, "SUBMIT")
    student = await acme.some(Role.STUDENT)
    given = {"lessonId": lesson, "userId": student.id, "reason": "x"}
    await acme.ask(EXCUSE % "excuseLesson", as_=Role.INSTRUCTOR, i=given)
    await submitted(acme, lesson, datetime.now(UTC))
    await acme.ask(EXCUSE % "unexcuseLesson", as_=Role.INSTRUCTOR, i=given)
    assert [(row["state"], row["isExcused"]) for row in await mine(acme, course)] == [("COMPLETED", False)]


@pytest.mark.parametrize("who", [Role.STUDENT, "another instructor"])
async def test_p11_only_a_courses_own_instructors_excuse_and_reset(acme: World, who: Any) -> None:
    course, [lesson] = await course_of(acme, "SUBMIT")
    asks = await acme.person(Role.INSTRUCTOR) if who == "another instructor" else who
    code = "NOT_FOUND" if who == "another instructor" else "FORBIDDEN"
    enrollment = (await enroll(acme, course))["enrollment"]["id"]
    student = await acme.some(Role.STUDENT)
    given = {"lessonId": lesson, "userId": student.id, "reason": "x"}
    refused = await acme.ask(EXCUSE % "excuseLesson", as_=asks, i=given)
    assert refused["excuseLesson"]["code"] == code
    refused = await acme.ask(RESET, as_=asks, i={"enrollmentId": enrollment, "reason": "x"})
    assert refused["resetProgress"]["code"] == code
    empty = await acme.ask(EXCUSE % "excuseLesson", as_=Role.INSTRUCTOR, i={**given, "reason": " "})
    assert empty["excuseLesson"]["fields"] == [{"path": "input.reason", "code": "TOO_SHORT"}]
    assert await acme.as_owner("SELECT count(*) FROM audit_log") == [(0,)]


async def test_p1_a_reset_begins_anew_and_what_comes_late_from_before_does_not_count(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    enrollment = (await enroll(acme, course))["enrollment"]["id"]
    await acme.as_owner("UPDATE enrollments SET enrolled_at = now() - interval '1 day'")
    lessons = await lessons_of(acme, course)
    done = [event(lesson) for lesson in lessons]
    late = [
        event(lesson, kind, occurredAt=(datetime.now(UTC) - timedelta(hours=1)).isoformat(), positionSeconds=7)
        for lesson in lessons
        for kind in ("COMPLETED", "POSITION")
    ]
    await sync(acme, done[:1])
    await submitted(acme, lessons[0], datetime.now(UTC))
    await sync(acme, done[1:])
    late.append(event(lessons[1], "VIEWED", occurredAt=(datetime.now(UTC) - timedelta(hours=2)).isoformat()))
    reset = await acme.ask(RESET, as_=Role.INSTRUCTOR, i={"enrollmentId": enrollment, "reason": "Otra vez"})
    assert reset["resetProgress"]["enrollment"] == {"status": "ACTIVE", "cycle": 2, "completedAt": None}
    await sync(acme, done)
    for each in late:
        assert (await sync(acme, [each]))["results"][0]["status"] == "ACCEPTED"
    data = await acme.ask(PROGRESS, as_=Role.STUDENT, id=course)
    states = [(row["state"], row["percent"], row["positionSeconds"]) for row in data["progress"]["lessons"]]
    assert (data["progress"]["percent"], states) == (0, [("UNLOCKED", 0, "0")] * 2)
    await sync(acme, [event(lesson) for lesson in lessons])
    assert (await acme.ask(PROGRESS, as_=Role.STUDENT, id=course))["progress"]["percent"] == 100
    assert await outbox(acme, "course_completed") == 2


async def test_p1_what_was_never_begun_before_a_reset_is_not_begun_by_what_comes_late_either(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    enrollment = (await enroll(acme, course))["enrollment"]["id"]
    await acme.as_owner("UPDATE enrollments SET enrolled_at = now() - interval '1 day'")
    [first, second] = await lessons_of(acme, course)
    await sync(acme, [event(first)])
    await acme.ask(RESET, as_=Role.INSTRUCTOR, i={"enrollmentId": enrollment, "reason": "x"})
    late = event(second, occurredAt=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    await sync(acme, [late])
    assert [row["state"] for row in await mine(acme, course)] == ["UNLOCKED", "UNLOCKED"]


async def test_p1_the_reset_of_a_lesson_leaves_the_others_and_the_completed_course(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    enrollment = (await enroll(acme, course))["enrollment"]["id"]
    lessons = await lessons_of(acme, course)
    await sync(acme, [event(lesson) for lesson in lessons])
    given = {"enrollmentId": enrollment, "lessonId": lessons[0], "reason": "x"}
    reset = await acme.ask(RESET, as_=Role.INSTRUCTOR, i=given)
    assert (reset["resetProgress"]["enrollment"]["status"], reset["resetProgress"]["enrollment"]["cycle"]) == (
        "COMPLETED", 1,
    )  # fmt: skip
    assert [row["state"] for row in await mine(acme, course)] == ["UNLOCKED", "COMPLETED"]
    other = acme.id("crs", await acme.course())
    [stranger] = await lessons_of(acme, other)
    refused = await acme.ask(RESET, as_=Role.INSTRUCTOR, i={**given, "lessonId": stranger})
    assert refused["resetProgress"]["code"] == "NOT_FOUND"
