"""Windows, requests, suspensions, the end of access (E1, E7, E8, E9, E12)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.viewer import Role
from tests.enrolling import audited, do, events, seats, settle, students, tick
from tests.world import Person, World


def at(**away: float) -> str:
    return (datetime.now(UTC) + timedelta(**away)).isoformat()


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (lambda: {"opensAt": at(days=1)}, "ENROLLMENT_NOT_OPEN_YET"),
        (lambda: {"closesAt": at(days=-1)}, "ENROLLMENT_CLOSED"),
        (lambda: {"policy": "CLOSED"}, "ENROLLMENT_CLOSED"),
        (lambda: {"policy": "INVITATION"}, "INVITATION_ONLY"),
        (lambda: {"endsAt": at(days=-1)}, "COURSE_CONCLUDED"),
        (lambda: {"accessUntil": at(days=-1), "opensAt": at(days=1)}, "COURSE_CONCLUDED"),
        (lambda: {"capacity": 0}, "COURSE_FULL"),
    ],
)
async def test_e7_each_closed_door_says_why(acme: World, settings: Callable[[], dict[str, Any]], code: str) -> None:
    course = acme.id("crs", await acme.course())
    await settle(acme, course, **settings())
    answer = await do(acme, "enroll", Role.STUDENT, courseId=course)
    assert (answer["__typename"], answer["code"]) == ("ConflictProblem", code)
    mine = await acme.ask("{ myEnrollments { totalCount } }", as_=Role.STUDENT)
    assert mine["myEnrollments"]["totalCount"] == 0


async def test_e7_an_open_window_lets_in_and_who_is_in_stays_when_it_closes(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await settle(acme, course, opensAt=at(hours=-1), closesAt=at(hours=1), endsAt=at(days=3))
    assert (await do(acme, "enroll", Role.STUDENT, courseId=course))["status"] == "ACTIVE"
    await settle(acme, course, policy="CLOSED")
    assert (await do(acme, "enroll", Role.STUDENT, courseId=course))["status"] == "ACTIVE"
    bad = await settle(acme, course, closesAt=at(hours=-2), capacity=-1, noticeDays=0)
    assert [field["code"] for field in bad["fields"]] == ["OUT_OF_RANGE", "OUT_OF_RANGE"]
    bad = await settle(acme, course, closesAt=at(hours=-2))
    assert bad["fields"] == [{"path": "input.closesAt", "code": "TIME_ORDER"}]


async def test_settings_are_changed_by_their_staff_only_and_by_one_at_a_time(acme: World, globex: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    stranger = await acme.person(Role.INSTRUCTOR)
    assert (await settle(acme, course, stranger, capacity=1))["__typename"] == "ForbiddenProblem"
    draft = acme.id("crs", await acme.course(published=False))
    assert (await settle(acme, draft, stranger, capacity=1))["__typename"] == "NotFoundProblem"
    assert (await settle(acme, course, Role.STUDENT, capacity=1))["__typename"] == "ForbiddenProblem"
    assert (await settle(globex, course, Role.ADMIN, capacity=1))["__typename"] == "NotFoundProblem"
    query = "query($id: ID!) { enrollmentSettings(courseId: $id) { policy capacity seatsLeft seatsTaken version } }"
    nothing = {"policy": "OPEN", "capacity": None, "seatsLeft": None, "seatsTaken": None, "version": 0}
    assert (await acme.ask(query, as_=Role.STUDENT, id=course))["enrollmentSettings"] == nothing
    assert (await globex.ask(query, as_=Role.ADMIN, id=course))["enrollmentSettings"] is None
    answers = await asyncio.gather(
        *(settle(acme, course, capacity=size, expectedVersion=0) for size in (5, 6)), return_exceptions=False
    )
    assert sorted(answer["__typename"] for answer in answers) == ["ConflictProblem", "EnrollmentSettingsSuccess"]
    assert (await settle(acme, course, Role.ADMIN, capacity=None))["settings"]["capacity"] is None


async def test_requests_are_approved_rejected_or_put_on_the_waiting_list(acme: World) -> None:
    course_id = await acme.course("Química")
    course = acme.id("crs", course_id)
    await settle(acme, course, policy="APPROVAL", capacity=1)
    one, two, three = await students(acme, 3)
    asked = [await do(acme, "enroll", person, courseId=course) for person in (one, two, three)]
    assert {(answer["status"], answer["effectiveState"]) for answer in asked} == {("REQUESTED", "REQUESTED")}
    assert await seats(acme, course_id) == (0, 0, 1)
    assert (await do(acme, "approveEnrollment", one, id=asked[0]["id"]))["__typename"] == "ForbiddenProblem"
    stranger = await acme.person(Role.INSTRUCTOR)
    assert (await do(acme, "approveEnrollment", stranger, id=asked[0]["id"]))["__typename"] == "NotFoundProblem"
    answers = await asyncio.gather(
        *(do(acme, "approveEnrollment", Role.INSTRUCTOR, id=asked[0]["id"]) for _ in range(4))
    )
    assert sorted(answer.get("status") or answer["code"] for answer in answers) == ["ACTIVE", *["NOT_REQUESTED"] * 3]
    assert (await do(acme, "approveEnrollment", Role.INSTRUCTOR, id=asked[1]["id"]))["code"] == "COURSE_FULL"
    await settle(acme, course, offerHours=24)
    waits = await do(acme, "approveEnrollment", Role.INSTRUCTOR, id=asked[1]["id"])
    assert (waits["status"], waits["waitlistPosition"]) == ("WAITLISTED", 1)
    no = await do(acme, "rejectEnrollment", Role.INSTRUCTOR, id=asked[2]["id"], reason="Primero el curso básico")
    assert no["status"] == "REJECTED"
    assert await events(acme, "enrollment_requested", "enrollment_approved", "enrollment_rejected", "enrolled") == {
        "enrollment_requested": 3, "enrollment_approved": 1, "enrollment_rejected": 1, "enrolled": 0,
    }  # fmt: skip
    assert len(await audited(acme, "enrollment.approve")) == 2
    [(reason, _)] = await audited(acme, "enrollment.reject")
    assert reason == "Primero el curso básico"
    await acme.work()
    subjects = sorted(str(mail["Subject"]) for mail in acme.mailbox.to(three.email))
    assert subjects == ["About your request: Química", "Your request was received: Química"]
    again = await do(acme, "enroll", three, courseId=course)
    assert again["status"] == "REQUESTED"


async def test_who_is_suspended_learns_nothing_keeps_the_seat_and_reads_what_was_done(acme: World) -> None:
    course_id = await acme.course(lessons=2)
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=5)
    mine = await do(acme, "enroll", Role.STUDENT, courseId=course)
    lessons = await lessons_of(acme, course)
    assert await complete(acme, lessons[0]) == "CompleteLessonSuccess"
    assert (await do(acme, "suspendEnrollment", Role.INSTRUCTOR, id=mine["id"], reason=""))["fields"][0]["path"] == (
        "input.reason"
    )
    off = await do(acme, "suspendEnrollment", Role.INSTRUCTOR, id=mine["id"], reason="Deuda")
    assert (off["status"], off["effectiveState"]) == ("SUSPENDED", "SUSPENDED")
    assert await seats(acme, course_id) == (1, 1, 5)
    assert await complete(acme, lessons[1]) == "NOT_ENROLLED"
    assert await save_place(acme, lessons[1]) == ("REJECTED", "NOT_ENROLLED")
    assert await may_read(acme, course) == [False, False]
    assert (await do(acme, "enroll", Role.STUDENT, courseId=course))["code"] == "ENROLLMENT_SUSPENDED"
    data = await acme.ask("query($id: ID!) { progress(courseId: $id) { percent } }", as_=Role.STUDENT, id=course)
    assert data["progress"]["percent"] == 50
    assert (await do(acme, "suspendEnrollment", Role.INSTRUCTOR, id=mine["id"], reason="x"))["code"] == "NOT_ACTIVE"
    assert (await do(acme, "resumeEnrollment", Role.INSTRUCTOR, id=mine["id"]))["status"] == "ACTIVE"
    assert await complete(acme, lessons[1]) == "CompleteLessonSuccess"
    assert [row[0] for row in await audited(acme, "enrollment.suspend")] == ["Deuda"]


async def test_e8_access_ends_when_it_was_said_to_and_what_was_done_stays_readable(acme: World) -> None:
    course_id = await acme.course(lessons=2)
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=1, offerHours=24, accessDays=30, accessUntil=at(days=60))
    first, second = await students(acme, 2)
    mine = await do(acme, "enroll", first, courseId=course)
    ends = datetime.fromisoformat(mine["expiresAt"])
    assert timedelta(days=29.9) < ends - datetime.now(UTC) < timedelta(days=30.1)
    await settle(acme, course, accessDays=3)
    still = await acme.ask("{ myEnrollments { nodes { expiresAt } } }", as_=first)
    assert still["myEnrollments"]["nodes"][0]["expiresAt"] == mine["expiresAt"]
    assert (await do(acme, "enroll", second, courseId=course))["status"] == "WAITLISTED"
    lessons = await lessons_of(acme, course, first)
    assert await complete(acme, lessons[0], first) == "CompleteLessonSuccess"
    await acme.as_owner("UPDATE enrollments SET expires_at = now(), due_at = now() WHERE status = 'active'")
    assert await complete(acme, lessons[1], first) == "NOT_ENROLLED"
    assert await save_place(acme, lessons[1], first) == ("REJECTED", "NOT_ENROLLED")
    assert await may_read(acme, course, first) == [False, False]
    await tick(acme)
    await tick(acme)
    assert await events(acme, "enrollment_expired", "seat_offered") == {"enrollment_expired": 1, "seat_offered": 1}
    over = await acme.ask("{ myEnrollments { nodes { status effectiveState progress { percent } } } }", as_=first)
    assert over["myEnrollments"]["nodes"] == [
        {"status": "ACTIVE", "effectiveState": "EXPIRED", "progress": {"percent": 50}}
    ]
    assert (await do(acme, "renewEnrollment", Role.INSTRUCTOR, id=mine["id"]))["code"] == "COURSE_FULL"
    await settle(acme, course, capacity=2)
    past = await do(acme, "renewEnrollment", Role.INSTRUCTOR, id=mine["id"], until=at(days=-1))
    assert past["fields"] == [{"path": "input.until", "code": "TIME_PAST"}]
    renewed = await do(acme, "renewEnrollment", Role.INSTRUCTOR, id=mine["id"], until=at(days=9))
    assert renewed["effectiveState"] == "ACTIVE"
    assert await complete(acme, lessons[1], first) == "CompleteLessonSuccess"
    assert (await seats(acme, course_id))[:2] == (2, 2)


async def test_e8_enrolling_again_after_the_end_gives_access_anew_as_the_course_has_it(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, accessDays=10, capacity=1)
    mine = await do(acme, "enroll", Role.STUDENT, courseId=course)
    await acme.as_owner("UPDATE enrollments SET expires_at = now(), due_at = now()")
    can = "query($id: ID!) { course(id: $id) { viewerCan { enroll } } }"
    assert (await acme.ask(can, as_=Role.STUDENT, id=course))["course"]["viewerCan"]["enroll"] is True
    again = await do(acme, "enroll", Role.STUDENT, courseId=course)
    assert (again["id"], again["effectiveState"]) == (mine["id"], "ACTIVE")
    assert again["expiresAt"] > mine["expiresAt"]
    assert await seats(acme, course_id) == (1, 1, 1)


async def test_e8_a_learner_is_told_once_that_access_ends_soon(acme: World) -> None:
    course = acme.id("crs", await acme.course("Historia"))
    await settle(acme, course, accessDays=10, noticeDays=3)
    person = await acme.person(Role.STUDENT, locale="es")
    mine = await do(acme, "enroll", person, courseId=course)
    await tick(acme)
    assert await events(acme, "enrollment_expiring") == {"enrollment_expiring": 0}
    await settle(acme, course, noticeDays=11)
    for _ in range(3):
        await tick(acme)
    assert await events(acme, "enrollment_expiring") == {"enrollment_expiring": 1}
    await settle(acme, course, noticeDays=12)
    await tick(acme)
    assert await events(acme, "enrollment_expiring") == {"enrollment_expiring": 1}
    await do(acme, "renewEnrollment", Role.ADMIN, id=mine["id"], until=at(days=11))
    await tick(acme)
    assert await events(acme, "enrollment_expiring") == {"enrollment_expiring": 2}
    await acme.work()
    subjects = [str(mail["Subject"]) for mail in acme.mailbox.to(person.email)]
    assert subjects.count("Tu acceso termina pronto: Historia") == 2


async def test_e8_who_does_nothing_for_long_leaves_and_who_does_something_stays(acme: World) -> None:
    course_id = await acme.course(lessons=2)
    course = acme.id("crs", course_id)
    idle, busy = await students(acme, 2)
    for person in (idle, busy):
        await do(acme, "enroll", person, courseId=course)
    await acme.as_owner("UPDATE enrollments SET activated_at = now() - interval '20 days'")
    assert await complete(acme, (await lessons_of(acme, course, busy))[0], busy) == "CompleteLessonSuccess"
    await settle(acme, course, inactivityDays=14)
    await tick(acme)
    states = await acme.as_owner("SELECT user_id, status FROM enrollments")
    assert dict(states) == {idle.user_id: "dropped", busy.user_id: "active"}
    assert await events(acme, "unenrolled_for_inactivity") == {"unenrolled_for_inactivity": 1}
    [(due,)] = await acme.as_owner("SELECT due_at FROM enrollments WHERE status = 'active'")
    assert timedelta(days=13) < due - datetime.now(UTC) < timedelta(days=14)


async def test_e1_whoever_was_put_out_comes_back_to_their_progress(acme: World) -> None:
    course_id = await acme.course(lessons=2)
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=1)
    mine = await do(acme, "enroll", Role.STUDENT, courseId=course)
    await complete(acme, (await lessons_of(acme, course))[0])
    out = await do(acme, "dropEnrollment", Role.INSTRUCTOR, id=mine["id"], reason="No asistió")
    assert out["status"] == "DROPPED"
    assert await seats(acme, course_id) == (0, 0, 1)
    assert (await do(acme, "dropEnrollment", Role.INSTRUCTOR, id=mine["id"], reason="x"))["code"] == "NOT_ENROLLED"
    back = await do(acme, "enroll", Role.STUDENT, courseId=course)
    assert (back["id"], back["status"]) == (mine["id"], "ACTIVE")
    data = await acme.ask("query($id: ID!) { progress(courseId: $id) { percent } }", as_=Role.STUDENT, id=course)
    assert data["progress"]["percent"] == 50


async def test_e9_a_key_gives_the_same_place_in_the_waiting_list(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await settle(acme, course, capacity=0, offerHours=24)
    student = await acme.person(Role.STUDENT)
    answers = await asyncio.gather(
        *(do(acme, "enroll", student, courseId=course, idempotencyKey="una-llave-1") for _ in range(5))
    )
    assert {(answer["status"], answer["waitlistPosition"]) for answer in answers} == {("WAITLISTED", 1)}
    other = acme.id("crs", await acme.course())
    reused = await do(acme, "enroll", student, courseId=other, idempotencyKey="una-llave-1")
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_e12_unpublishing_keeps_every_state_and_opens_the_course_to_nobody(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=1, offerHours=24)
    first, second = await students(acme, 2)
    await do(acme, "enroll", first, courseId=course)
    await do(acme, "enroll", second, courseId=course)
    change = "mutation($i: CourseIdInput!) { %s(input: $i) { __typename } }"
    await acme.ask(change % "unpublishCourse", as_=Role.INSTRUCTOR, i={"id": course})
    state = "{ myEnrollments { nodes { status effectiveState } } }"
    assert (await acme.ask(state, as_=first))["myEnrollments"]["nodes"] == [
        {"status": "ACTIVE", "effectiveState": "INACTIVE"}
    ]
    assert (await acme.ask(state, as_=second))["myEnrollments"]["nodes"] == [
        {"status": "WAITLISTED", "effectiveState": "WAITLISTED"}
    ]
    assert (await do(acme, "enroll", await acme.person(), courseId=course))["__typename"] == "NotFoundProblem"
    await acme.ask(change % "publishCourse", as_=Role.INSTRUCTOR, i={"id": course})
    assert (await acme.ask(state, as_=first))["myEnrollments"]["nodes"][0]["effectiveState"] == "ACTIVE"


async def test_another_tenants_enrolments_are_not_found(acme: World, globex: World) -> None:
    course = acme.id("crs", await acme.course())
    mine = await do(acme, "enroll", Role.STUDENT, courseId=course)
    for name, input in (
        ("approveEnrollment", {"id": mine["id"]}),
        ("dropEnrollment", {"id": mine["id"], "reason": "x"}),
        ("renewEnrollment", {"id": mine["id"]}),
        ("acceptOffer", {"courseId": course}),
        ("enroll", {"courseId": course}),
        ("suspendEnrollment", {"id": acme.id("enr", uuid4()), "reason": "x"}),
    ):
        answer = await do(globex, name, Role.ADMIN, **input)
        assert answer["__typename"] == "NotFoundProblem", name


async def test_a_page_of_waiting_learners_shows_their_places_in_one_statement(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await settle(acme, course, capacity=0, offerHours=24)
    for person in await students(acme, 6):
        await do(acme, "enroll", person, courseId=course)
    with acme.counting() as statements:
        data = await acme.ask(
            """query($id: ID!) { enrollments(filter: {courseId: $id, status: WAITLISTED}) {
                 nodes { waitlistPosition assignment { status } } } }""",
            as_=Role.INSTRUCTOR, id=course,
        )  # fmt: skip
    assert sorted(node["waitlistPosition"] for node in data["enrollments"]["nodes"]) == [1, 2, 3, 4, 5, 6]
    assert statements.in_tenant() == 3


async def lessons_of(world: World, course: str, who: Person | Role = Role.STUDENT) -> list[str]:
    data = await world.ask("query($id: ID!) { course(id: $id) { modules { lessons { id } } } }", as_=who, id=course)
    return [lesson["id"] for module in data["course"]["modules"] for lesson in module["lessons"]]


async def may_read(world: World, course: str, who: Person | Role = Role.STUDENT) -> list[bool]:
    query = "query($id: ID!) { course(id: $id) { modules { lessons { viewerCanRead } } } }"
    data = await world.ask(query, as_=who, id=course)
    return [lesson["viewerCanRead"] for module in data["course"]["modules"] for lesson in module["lessons"]]


async def complete(world: World, lesson: str, who: Person | Role = Role.STUDENT) -> str:
    query = """mutation($i: CompleteLessonInput!) { completeLesson(input: $i) { __typename
      ... on ConflictProblem { code } } }"""
    answer = (await world.ask(query, as_=who, i={"lessonId": lesson}))["completeLesson"]
    return str(answer.get("code") or answer["__typename"])


async def save_place(world: World, lesson: str, who: Person | Role = Role.STUDENT) -> tuple[str, str | None]:
    query = """mutation($i: SyncProgressInput!) { syncProgress(input: $i) {
      ... on SyncProgressSuccess { results { status code } } } }"""
    event = {
        "clientEventId": str(uuid4()), "lessonId": lesson, "kind": "POSITION", "occurredAt": at(), "positionSeconds": 3,
    }  # fmt: skip
    [result] = (await world.ask(query, as_=who, i={"events": [event]}))["syncProgress"]["results"]
    return result["status"], result["code"]
