"""Seats and waiting lists: never one too many, never out of turn (E2, E3, E4, E10)."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter

import pytest

from app.viewer import Role
from tests.enrolling import do, events, seats, settle, standings, students, tick
from tests.mailbox import text_of
from tests.world import Person, World

SEQUENCES = int(os.environ.get("SEAT_SEQUENCES", "3"))


async def enroll_all(world: World, course: str, people: list[Person]) -> list[str]:
    answers = await asyncio.gather(*(do(world, "enroll", person, courseId=course) for person in people))
    return [answer.get("status") or answer["code"] for answer in answers]


async def test_e2_two_hundred_parallel_enrolments_never_oversell_and_twenty_drops_move_the_list_up(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=10, offerHours=48)
    people = await students(acme, 200)
    found = await enroll_all(acme, course, people)
    assert Counter(found) == {"ACTIVE": 10, "WAITLISTED": 190}
    rows = await standings(acme, course_id)
    assert [row for row in rows if row[1] is not None] == [("waitlisted", place) for place in range(1, 191)]
    assert await seats(acme, course_id) == (10, 10, 10)
    inside = [person for person, status in zip(people, found, strict=True) if status == "ACTIVE"]
    waiting = [
        str(row[0])
        for row in await acme.as_owner(
            "SELECT user_id FROM enrollments WHERE status = 'waitlisted' ORDER BY waitlist_place"
        )
    ]
    outside = {str(person.user_id): person for person in people}
    leaving = [*inside, *(outside[user_id] for user_id in waiting[30:40])]
    left = await asyncio.gather(*(do(acme, "unenroll", person, courseId=course) for person in leaving))
    assert {answer["status"] for answer in left} == {"DROPPED"}
    assert await seats(acme, course_id) == (10, 10, 10)
    offered = await acme.as_owner("SELECT user_id FROM enrollments WHERE status = 'offered'")
    assert {str(row[0]) for row in offered} == set(waiting[:10])
    assert Counter(status for status, _ in await standings(acme, course_id)) == {
        "offered": 10, "waitlisted": 170, "dropped": 20,
    }  # fmt: skip
    assert await events(acme, "enrolled", "enrollment_waitlisted", "seat_offered", "unenrolled") == {
        "enrolled": 10, "enrollment_waitlisted": 190, "seat_offered": 10, "unenrolled": 20,
    }  # fmt: skip


async def test_e2_without_a_waiting_list_a_full_course_says_so(acme: World) -> None:
    course_id = await acme.course()
    await settle(acme, acme.id("crs", course_id), capacity=3)
    found = await enroll_all(acme, acme.id("crs", course_id), await students(acme, 12))
    assert Counter(found) == {"ACTIVE": 3, "COURSE_FULL": 9}
    assert await seats(acme, course_id) == (3, 3, 3)
    assert len(await standings(acme, course_id)) == 3


async def test_e2_the_first_settings_count_who_is_in_while_others_come_in(acme: World) -> None:
    for _ in range(3):
        course_id = await acme.course()
        course = acme.id("crs", course_id)
        people = await students(acme, 12)
        half = asyncio.gather(*(do(acme, "enroll", person, courseId=course) for person in people))
        await asyncio.gather(half, settle(acme, course, capacity=4, offerHours=1))
        taken, held, _ = await seats(acme, course_id)
        assert taken == held
        assert len(await standings(acme, course_id)) == 12


async def test_e10_two_tabs_of_a_waiting_learner_have_one_place(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=0, offerHours=24)
    [person] = await students(acme, 1)
    answers = await asyncio.gather(*(do(acme, "enroll", person, courseId=course) for _ in range(8)))
    assert {(answer["status"], answer["waitlistPosition"]) for answer in answers} == {("WAITLISTED", 1)}
    assert await standings(acme, course_id) == [("waitlisted", 1)]
    assert await events(acme, "enrollment_waitlisted") == {"enrollment_waitlisted": 1}


async def test_e3_a_smaller_capacity_evicts_nobody_and_a_greater_one_offers_each_new_seat_once(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=4, offerHours=24)
    people = await students(acme, 8)
    for person in people:
        await do(acme, "enroll", person, courseId=course)
    lowered = await settle(acme, course, capacity=2)
    assert lowered["settings"] == {"policy": "OPEN", "capacity": 2, "seatsTaken": 4, "seatsLeft": 0, "version": 2}
    for person in people[:2]:
        await do(acme, "unenroll", person, courseId=course)
    assert Counter(status for status, _ in await standings(acme, course_id)) == {
        "active": 2, "waitlisted": 4, "dropped": 2,
    }  # fmt: skip
    await do(acme, "unenroll", people[2], courseId=course)
    assert await seats(acme, course_id) == (2, 2, 2)
    raised = await settle(acme, course, capacity=4)
    assert raised["settings"]["seatsTaken"] == 4
    assert [status for status, place in await standings(acme, course_id) if place is not None] == ["waitlisted"]


async def test_e4_an_offer_is_taken_once_and_a_late_answer_is_told_so(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=1, offerHours=24)
    first, second, third = await students(acme, 3)
    for person in (first, second, third):
        await do(acme, "enroll", person, courseId=course)
    assert (await do(acme, "acceptOffer", second, courseId=course))["code"] == "NO_OFFER"
    await do(acme, "unenroll", first, courseId=course)
    await acme.as_owner("UPDATE enrollments SET offer_expires_at = now(), due_at = now() WHERE status = 'offered'")
    late = await do(acme, "acceptOffer", second, courseId=course)
    assert (late["__typename"], late["code"]) == ("ConflictProblem", "OFFER_EXPIRED")
    await tick(acme)
    late = await do(acme, "acceptOffer", second, courseId=course)
    assert late["code"] == "OFFER_EXPIRED"
    assert await events(acme, "offer_expired", "seat_offered") == {"offer_expired": 1, "seat_offered": 2}
    answers = await asyncio.gather(*(do(acme, "acceptOffer", third, courseId=course) for _ in range(6)))
    assert {answer["status"] for answer in answers} == {"ACTIVE"}
    assert await events(acme, "enrolled") == {"enrolled": 2}
    assert await seats(acme, course_id) == (1, 1, 1)
    waits = await acme.ask("{ myEnrollments { nodes { status waitlistPosition } } }", as_=second)
    assert waits["myEnrollments"]["nodes"] == [{"status": "WAITLISTED", "waitlistPosition": 1}]


async def test_e4_an_acceptance_that_races_with_the_clock_has_one_winner(acme: World) -> None:
    for _ in range(4):
        course_id = await acme.course()
        course = acme.id("crs", course_id)
        await settle(acme, course, capacity=1, offerHours=24)
        first, second, third = await students(acme, 3)
        for person in (first, second, third):
            await do(acme, "enroll", person, courseId=course)
        await do(acme, "unenroll", first, courseId=course)
        await acme.as_owner(
            """UPDATE enrollments SET offer_expires_at = now() + interval '30 ms', due_at = now() + interval '30 ms'
               WHERE status = 'offered'"""
        )
        await asyncio.sleep(0.025)
        answer, _, _ = await asyncio.gather(
            do(acme, "acceptOffer", second, courseId=course), tick(acme), asyncio.sleep(0.02)
        )
        await tick(acme)
        assert await seats(acme, course_id) == (1, 1, 1)
        states = Counter(status for status, _ in await standings(acme, course_id))
        if answer.get("status") == "ACTIVE":
            assert states == {"active": 1, "waitlisted": 1, "dropped": 1}
        else:
            assert (answer["code"], states) == ("OFFER_EXPIRED", {"offered": 1, "waitlisted": 1, "dropped": 1})


async def test_e4_who_misses_two_offers_leaves_the_list(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=0, offerHours=24)
    [person] = await students(acme, 1)
    await do(acme, "enroll", person, courseId=course)
    await settle(acme, course, capacity=1)
    for expected in ("offered", "dropped"):
        await acme.as_owner("UPDATE enrollments SET offer_expires_at = now(), due_at = now() WHERE status = 'offered'")
        await tick(acme)
        assert [status for status, _ in await standings(acme, course_id)] == [expected]
    assert await seats(acme, course_id) == (0, 0, 1)


async def test_e4_declining_passes_the_seat_on(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=0, offerHours=24)
    first, second = await students(acme, 2)
    for person in (first, second):
        await do(acme, "enroll", person, courseId=course)
    await settle(acme, course, capacity=1)
    assert (await do(acme, "declineOffer", first, courseId=course))["status"] == "DROPPED"
    assert (await do(acme, "declineOffer", first, courseId=course))["code"] == "NO_OFFER"
    assert (await do(acme, "enroll", second, courseId=course))["status"] == "ACTIVE"


async def test_e4_whoever_is_offered_a_seat_hears_of_it_in_their_language(acme: World) -> None:
    course = acme.id("crs", await acme.course("Música"))
    await settle(acme, course, capacity=0, offerHours=24)
    people = [await acme.person(Role.STUDENT, locale=locale) for locale in ("es", "en")]
    for person in people:
        await do(acme, "enroll", person, courseId=course)
    await settle(acme, course, capacity=2)
    await acme.work()
    spanish, english = [acme.mailbox.to(person.email) for person in people]
    assert sorted(str(mail["Subject"]) for mail in spanish) == [
        "Estás en la lista de espera: Música", "Hay un cupo para ti: Música",
    ]  # fmt: skip
    assert sorted(str(mail["Subject"]) for mail in english) == [
        "There is a place for you: Música", "You are on the waiting list: Música",
    ]  # fmt: skip
    assert "Música" in text_of(english[0])


async def test_e2_completing_the_course_frees_the_seat(acme: World) -> None:
    course_id = await acme.course(lessons=1)
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=1, offerHours=24)
    first, second = await students(acme, 2)
    for person in (first, second):
        await do(acme, "enroll", person, courseId=course)
    data = await acme.ask("query($id: ID!) { course(id: $id) { modules { lessons { id } } } }", as_=first, id=course)
    [lesson] = data["course"]["modules"][0]["lessons"]
    await acme.ask(
        "mutation($i: CompleteLessonInput!) { completeLesson(input: $i) { __typename } }",
        as_=first, i={"lessonId": lesson["id"]},
    )  # fmt: skip
    await acme.work()
    assert Counter(status for status, _ in await standings(acme, course_id)) == {"completed": 1, "offered": 1}
    assert await seats(acme, course_id) == (1, 1, 1)
    again = await do(acme, "unenroll", first, courseId=course)
    assert again["status"] == "DROPPED"
    assert (await do(acme, "enroll", first, courseId=course))["status"] == "COMPLETED"
    assert await seats(acme, course_id) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(SEQUENCES))
async def test_e2_e3_seats_are_those_of_the_rows_after_any_sequence(acme: World, seed: int) -> None:
    choose = random.Random(seed)
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    capacity = 3
    await settle(acme, course, capacity=capacity, offerHours=24)
    people = await students(acme, 9)
    allowed = capacity  # E3: more seats than the capacity only after it was lowered
    for _ in range(45):
        person = choose.choice(people)
        what = choose.choice(
            ["enroll", "enroll", "unenroll", "acceptOffer", "declineOffer", "suspend", "resume", "drop", "renew",
             "late", "expire", "capacity"]
        )  # fmt: skip
        row = await acme.as_owner(
            f"SELECT id FROM enrollments WHERE course_id = '{course_id}' AND user_id = '{person.user_id}'"
        )
        enrollment = acme.id("enr", row[0][0]) if row else acme.id("enr", course_id)
        match what:
            case "enroll" | "unenroll" | "acceptOffer" | "declineOffer":
                await do(acme, what, person, courseId=course)
            case "suspend" | "drop":
                await do(acme, f"{what}Enrollment", Role.INSTRUCTOR, id=enrollment, reason="x")
            case "resume" | "renew":
                await do(acme, f"{what}Enrollment", Role.INSTRUCTOR, id=enrollment)
            case "late":
                await acme.as_owner(
                    "UPDATE enrollments SET offer_expires_at = now(), due_at = now() WHERE status = 'offered'"
                )
                await tick(acme)
            case "expire":
                await acme.as_owner(
                    f"""UPDATE enrollments SET expires_at = now(), due_at = now()
                        WHERE user_id = '{person.user_id}' AND status IN ('active', 'suspended')"""
                )
                await tick(acme)
            case "capacity":
                capacity = choose.randint(0, 6)
                await settle(acme, course, capacity=capacity)
        taken, held, _ = await seats(acme, course_id)
        allowed = max(capacity, min(allowed, taken))
        assert (taken, held) == (held, held), what
        assert taken <= allowed, what
        waiting = [place for status, place in await standings(acme, course_id) if status == "waitlisted"]
        assert taken >= capacity or not waiting, what


async def test_learning_leaving_the_clock_and_new_settings_at_once_neither_fail_nor_miscount(acme: World) -> None:
    course_id = await acme.course(lessons=1)
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=6, offerHours=24, noticeDays=3, accessDays=30)
    people = await students(acme, 18)
    await enroll_all(acme, course, people)
    data = await acme.ask(
        "query($id: ID!) { course(id: $id) { modules { lessons { id } } } }", as_=people[0], id=course
    )
    lesson = data["course"]["modules"][0]["lessons"][0]["id"]

    async def learn(person: Person) -> str:
        query = """mutation($i: CompleteLessonInput!) { completeLesson(input: $i) { __typename
          ... on ConflictProblem { code } } }"""
        answer = (await acme.ask(query, as_=person, i={"lessonId": lesson}))["completeLesson"]
        return str(answer.get("code") or answer["__typename"])

    async def act(name: str, person: Person) -> str:
        answer = await do(acme, name, person, courseId=course)
        return str(answer.get("code") or answer["status"])

    async def say(days: int) -> str:
        return str((await settle(acme, course, noticeDays=days, capacity=days))["__typename"])

    async def look() -> str:
        await tick(acme)
        return "looked"

    found = await asyncio.gather(
        *(learn(person) for person in people[:12]),
        *(act("unenroll", person) for person in people[4:10]),
        *(act("acceptOffer", person) for person in people[6:]),
        *(say(days) for days in (5, 7, 6)),
        *(look() for _ in range(3)),
        *(act("enroll", person) for person in people[3:9]),
    )
    assert set(found) <= {
        "CompleteLessonSuccess", "NOT_ENROLLED", "DROPPED", "NO_OFFER", "ACTIVE", "WAITLISTED", "COMPLETED", "OFFERED",
        "EnrollmentSettingsSuccess", "looked",
    }  # fmt: skip
    await acme.work()
    await tick(acme)
    taken, held, capacity = await seats(acme, course_id)
    states = Counter(status for status, _ in await standings(acme, course_id))
    assert taken >= (capacity or 0) or not states["waitlisted"]
    assert taken == held == states["active"] + states["offered"]
    assert sum(states.values()) == 18
