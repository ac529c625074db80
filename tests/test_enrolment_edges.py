"""Odd values, rare moments and courses that are gone: nobody gets a seat twice, and nothing answers INTERNAL."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.viewer import Role
from tests.enrolling import do, seats, settle, standings, students, tick
from tests.test_enrolment_access import at
from tests.test_enrolment_codes import create, use
from tests.test_enrolment_lists import ALLOW, bulk, finished
from tests.test_learning import COMPLETE, PROGRESS, enroll, event, lessons_of, sync
from tests.test_progress_release import rule_lesson
from tests.test_progress_requirements import RESET
from tests.world import Person, World


async def deleted(world: World, course_id: UUID) -> None:
    await world.as_owner(f"UPDATE courses SET deleted_at = now() WHERE id = '{course_id}'")


async def access_ended(world: World) -> None:
    """Everybody's access has ended; the clock has not noticed yet."""
    await world.as_owner("UPDATE enrollments SET expires_at = now() - interval '1 second' WHERE holds_seat")


async def test_e12_nobody_is_brought_into_a_course_that_was_deleted(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    [person] = await students(acme, 1)
    await deleted(acme, course_id)
    user = acme.id("usr", person.user_id)
    for who in (Role.INSTRUCTOR, Role.ADMIN):
        assert (await do(acme, "inviteToCourse", who, courseId=course, userId=user)).get("code") == "NOT_FOUND"
        asked = {"courseId": course, "userId": user, "role": "ASSISTANT"}
        assert (await do(acme, "assignCourseRole", who, **asked)).get("code") == "NOT_FOUND"
        assert (await create(acme, course, who)).get("code") == "NOT_FOUND"
        assert (await bulk(acme, course, f"email\n{person.email}", who)).get("code") == "NOT_FOUND"
        allowed = await acme.ask(ALLOW, as_=who, i={"courseId": course, "emails": [person.email]})
        assert allowed["allowEnrollment"].get("code") == "NOT_FOUND"
    assert await acme.as_owner("SELECT count(*) FROM enrollments") == [(0,)]


async def test_e12_a_list_that_was_started_before_its_course_was_deleted_enrols_nobody(acme: World) -> None:
    course_id = await acme.course()
    [person] = await students(acme, 1)
    started = await bulk(acme, acme.id("crs", course_id), f"email\n{person.email}")
    await deleted(acme, course_id)
    job = await finished(acme, started)
    assert (job["doneCount"], job["failedCount"]) == (0, 1)
    assert await standings(acme, course_id) == []


async def test_e7_a_course_that_has_ended_takes_no_late_answer_and_no_late_approval(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, policy="APPROVAL", capacity=2, offerHours=24)
    invited, asks = await students(acme, 2)
    await do(acme, "inviteToCourse", Role.INSTRUCTOR, courseId=course, userId=acme.id("usr", invited.user_id))
    request = await do(acme, "enroll", asks, courseId=course)
    for ended in ({"endsAt": at(days=-1)}, {"endsAt": None, "accessUntil": "1000-01-01T00:00:00Z", "noticeDays": 9}):
        await settle(acme, course, **ended)
        assert (await do(acme, "acceptInvitation", invited, courseId=course)).get("code") == "COURSE_CONCLUDED"
        assert (await do(acme, "enroll", invited, courseId=course)).get("code") == "COURSE_CONCLUDED"
        late = await do(acme, "approveEnrollment", Role.INSTRUCTOR, id=request["id"])
        assert late.get("code") == "COURSE_CONCLUDED"
    assert (await do(acme, "declineInvitation", invited, courseId=course))["status"] == "REJECTED"
    assert await seats(acme, course_id) == (0, 0, 2)


async def test_e2_who_is_to_begin_a_completed_course_anew_needs_a_seat(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=1, inactivityDays=5)
    one, two = await students(acme, 2)
    first = await do(acme, "enroll", one, courseId=course)
    [lesson] = await lessons_of(acme, course)
    await acme.ask(COMPLETE, as_=one, input={"lessonId": lesson})
    await tick(acme)
    second = await do(acme, "enroll", two, courseId=course)
    given = {"enrollmentId": first["id"], "reason": "Otra vez"}
    assert (await acme.ask(RESET, as_=Role.INSTRUCTOR, i=given))["resetProgress"].get("code") == "COURSE_FULL"
    await do(acme, "dropEnrollment", Role.INSTRUCTOR, id=second["id"], reason="x")
    done = await acme.ask(RESET, as_=Role.INSTRUCTOR, i=given)
    assert done["resetProgress"]["enrollment"] == {"status": "ACTIVE", "cycle": 2, "completedAt": None}
    assert await seats(acme, course_id) == (1, 1, 1)
    assert (await do(acme, "enroll", two, courseId=course))["code"] == "COURSE_FULL"
    [(is_watched,)] = await acme.as_owner("SELECT due_at IS NOT NULL FROM enrollments WHERE status = 'active'")
    assert is_watched


@pytest.mark.parametrize("what", ["a role", "a request"])
async def test_e3_a_seat_that_is_given_back_by_becoming_something_else_is_offered_at_once(
    acme: World, what: str
) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=1, offerHours=24)
    one, two = await students(acme, 2)
    await do(acme, "enroll", one, courseId=course)
    await do(acme, "enroll", two, courseId=course)
    await access_ended(acme)
    if what == "a role":
        given = {"courseId": course, "userId": acme.id("usr", one.user_id), "role": "ASSISTANT"}
        assert (await do(acme, "assignCourseRole", Role.INSTRUCTOR, **given))["role"] == "ASSISTANT"
    else:
        await settle(acme, course, policy="APPROVAL")
        assert (await do(acme, "enroll", one, courseId=course))["status"] == "REQUESTED"
    assert sorted(status for status, _ in await standings(acme, course_id))[-1] in {"offered", "requested"}
    assert ("offered", None) in await standings(acme, course_id)
    assert await seats(acme, course_id) == (1, 1, 1)


async def test_e11_nobody_observes_who_is_not_in_the_course_or_has_left_it(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await settle(acme, course, policy="APPROVAL")
    learner, watcher = await students(acme, 2)
    asked = await do(acme, "enroll", learner, courseId=course)
    given = {
        "courseId": course, "userId": acme.id("usr", watcher.user_id), "role": "OBSERVER",
        "observedId": acme.id("usr", learner.user_id),
    }  # fmt: skip
    assert (await do(acme, "assignCourseRole", Role.INSTRUCTOR, **given)).get("code") == "NOT_FOUND"
    await do(acme, "approveEnrollment", Role.INSTRUCTOR, id=asked["id"])
    assert (await do(acme, "assignCourseRole", Role.INSTRUCTOR, **given))["role"] == "OBSERVER"
    query = "{ myEnrollments { nodes { observedProgress { percent } } } }"
    seen = (await acme.ask(query, as_=watcher))["myEnrollments"]["nodes"]
    assert seen == [{"observedProgress": {"percent": 0}}]
    await do(acme, "unenroll", learner, courseId=course)
    seen = (await acme.ask(query, as_=watcher))["myEnrollments"]["nodes"]
    assert seen == [{"observedProgress": None}]


async def test_nobody_ends_their_own_suspension_by_leaving_and_coming_back(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    [one] = await students(acme, 1)
    mine = await do(acme, "enroll", one, courseId=course)
    await do(acme, "suspendEnrollment", Role.INSTRUCTOR, id=mine["id"], reason="x")
    for move in ("unenroll", "enroll"):
        assert (await do(acme, move, one, courseId=course)).get("code") == "ENROLLMENT_SUSPENDED"
    put_out = await do(acme, "dropEnrollment", Role.INSTRUCTOR, id=mine["id"], reason="x")
    assert put_out["status"] == "DROPPED"


@pytest.mark.parametrize("size", [1, 3])
async def test_p3_an_identifier_used_for_two_lessons_at_once_loses_nothing_that_was_called_accepted(
    acme: World, size: int
) -> None:
    for _ in range(4):
        courses = [acme.id("crs", await acme.course(lessons=size)) for _ in range(2)]
        for course in courses:
            await enroll(acme, course)
        keys = [str(uuid4()) for _ in range(size)]
        batches = [
            [
                event(lesson) | {"clientEventId": key}
                for lesson, key in zip(await lessons_of(acme, course), keys, strict=True)
            ]
            for course in courses
        ]
        answers = await asyncio.gather(*(sync(acme, batch) for batch in batches))
        told = sorted((item["status"], item["code"]) for answer in answers for item in answer["results"])
        assert told == [("ACCEPTED", None)] * size + [("REJECTED", "EVENT_ID_REUSED")] * size
        done = [await acme.ask(PROGRESS, as_=Role.STUDENT, id=course) for course in courses]
        assert sum(found["progress"]["completedLessons"] for found in done) == size


async def code_of(world: World, query: str, who: Person | Role, **variables: Any) -> Any:
    answer = await world.post(query, as_=who, **variables)
    return [error["extensions"]["code"] for error in answer.get("errors", [])]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0999-12-31T23:59:59Z"])
async def test_times_that_no_calendar_has_in_utc_are_refused(acme: World, moment: str) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    settings = "mutation($i: UpdateEnrollmentSettingsInput!) { updateEnrollmentSettings(input: $i) { __typename } }"
    codes = await code_of(acme, settings, Role.INSTRUCTOR, i={"courseId": course, "accessUntil": moment})
    assert codes
    assert "INTERNAL" not in codes
    [lesson] = await lessons_of(acme, course)
    rules = "mutation($i: SetLessonRulesInput!) { setLessonRules(input: $i) { __typename } }"
    given = {"id": lesson, "rules": {"conditions": [{"date": moment}]}}
    codes = await code_of(acme, rules, Role.INSTRUCTOR, i=given)
    assert codes
    assert "INTERNAL" not in codes


@pytest.mark.parametrize("moment", ["1000-01-01T00:00:00Z", "8999-12-31T23:59:59Z"])
async def test_the_ends_of_the_calendar_can_be_written_and_read(acme: World, moment: str) -> None:
    course = acme.id("crs", await acme.course())
    await settle(acme, course, accessUntil=moment, accessDays=3660, noticeDays=365, inactivityDays=3660)
    await do(acme, "enroll", Role.STUDENT, courseId=course)
    query = "query($id: ID!) { enrollmentSettings(courseId: $id) { accessUntil } }"
    assert (await acme.ask(query, as_=Role.STUDENT, id=course))["enrollmentSettings"] == {"accessUntil": moment}
    [lesson] = await lessons_of(acme, course)
    assert "lesson" in await rule_lesson(acme, lesson, {"date": moment})
    await tick(acme)


@pytest.mark.parametrize("bad", ["\0", "\x1b", "x" * 400])
async def test_a_csv_file_with_characters_that_cannot_be_kept_is_refused_or_fails_in_its_row(
    acme: World, bad: str
) -> None:
    course = acme.id("crs", await acme.course())
    for text in (f"email,cohort\na@example.org,{bad}", f"email\n{bad}@example.org", f"email,role\na@example.org,{bad}"):
        answer = await acme.post(
            "mutation($i: BulkEnrollInput!) { bulkEnroll(input: $i) { __typename ... on JobSuccess { job { id } } } }",
            as_=Role.INSTRUCTOR, i={"courseId": course, "csv": text},
        )  # fmt: skip
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert "INTERNAL" not in codes, text
        if not codes and answer["data"]["bulkEnroll"]["__typename"] == "JobSuccess":
            job = await finished(acme, answer["data"]["bulkEnroll"])
            assert (job["state"], job["doneCount"]) == ("DONE", 0)


async def test_two_lists_with_the_same_people_in_another_order_do_not_get_in_each_others_way(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    people = await students(acme, 12)
    emails = [person.email for person in people]
    query = ALLOW
    for _ in range(2):
        answers = await asyncio.gather(
            *(
                acme.ask(query, as_=Role.INSTRUCTOR, i={"courseId": course, "emails": emails[:: (-1) ** n]})
                for n in range(6)
            )
        )
        assert {answer["allowEnrollment"]["__typename"] for answer in answers} == {"AllowEnrollmentSuccess"}
        first = answers[1]["allowEnrollment"]["results"]
        assert [row["email"] for row in first] == emails[::-1]
    assert len(await standings(acme, course_id)) == 12


async def test_a_code_is_no_way_into_a_deleted_course(acme: World) -> None:
    course_id = await acme.course()
    made = await create(acme, acme.id("crs", course_id))
    await deleted(acme, course_id)
    assert await use(acme, made["code"]) == "NOT_FOUND"
