"""Lists of people: CSV files as jobs, addresses let in before their owners come (E6)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from app.db.outbox import publish
from app.identity.directory import MEMBER_CONFIRMED
from app.learning.allow_list import let_in
from app.learning.bulk_enrolment import BulkEnrolment
from app.learning.seats import Seats
from app.viewer import Role
from tests.enrolling import audited, do, events, seats, settle, standings, students
from tests.mailbox import token_in
from tests.world import Person, World

BULK = """mutation($i: BulkEnrollInput!) { bulkEnroll(input: $i) { __typename
  ... on JobSuccess { job { id totalCount } }
  ... on ValidationProblem { fields { path code } } ... on Problem { code } } }"""
JOB = """query($id: ID!) { job(id: $id) { state isDryRun doneCount skippedCount failedCount figures { name value }
  items(first: 100) { nodes { label status code message } } } }"""
ALLOW = """mutation($i: AllowEnrollmentInput!) { allowEnrollment(input: $i) { __typename
  ... on AllowEnrollmentSuccess { results { email outcome } } ... on ValidationProblem { fields { path } }
  ... on Problem { code } } }"""
ALLOWED = "query($id: ID!) { enrollmentAllowances(courseId: $id) { totalCount nodes { id email claimedAt } } }"
REGISTER = """mutation($i: RegisterInput!) { register(input: $i) { __typename } }"""
VERIFY = """mutation($i: VerifyEmailInput!) { verifyEmail(input: $i) { __typename } }"""


async def bulk(world: World, course: str, csv: str, who: Person | Role = Role.INSTRUCTOR, **more: Any) -> Any:
    return (await world.ask(BULK, as_=who, i={"courseId": course, "csv": csv, **more}))["bulkEnroll"]


async def finished(world: World, started: Any, who: Person | Role = Role.INSTRUCTOR) -> Any:
    await world.work()
    return (await world.ask(JOB, as_=who, id=started["job"]["id"]))["job"]


async def test_a_csv_file_enrols_row_by_row_and_again_skips_who_is_in(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, policy="CLOSED", capacity=2, offerHours=24)
    await cohort(acme, course, "Otoño")
    one, two, three, helper = await students(acme, 4)
    csv = (
        "\ufeffEmail;Role;Cohort\r\n"
        f"{one.email.upper()};;Otoño\r\n{two.email};student;\r\n{three.email};;Invierno\r\n"
        f'"{three.email}";;\r\n{helper.email};assistant;Otoño\r\nnadie;;\r\n{one.email};;\r\n'
        "futura@example.org;;\r\nfutura@example.org;;\r\nx@example.org;boss;\r\n\r\n"
    )
    dry = await finished(acme, await bulk(acme, course, csv, isDryRun=True))
    assert await acme.as_owner("SELECT count(*) FROM enrollments") == [(0,)]
    assert await acme.as_owner("SELECT count(*) FROM enrollment_allowances") == [(0,)]
    started = await bulk(acme, course, csv)
    assert started["job"]["totalCount"] == 10
    job = await finished(acme, started)
    expected = [
        ("DONE", "ACTIVE"), ("DONE", "ACTIVE"), ("FAILED", "COHORT_UNKNOWN"), ("DONE", "WAITLISTED"),
        ("DONE", "ACTIVE"), ("FAILED", "EMAIL_INVALID"), ("SKIPPED", "ALREADY_ENROLLED"), ("DONE", "ALLOWED"),
        ("SKIPPED", "ALREADY_ALLOWED"), ("FAILED", "ROLE_INVALID"),
    ]  # fmt: skip
    assert [(item["status"], item["code"]) for item in job["items"]["nodes"]] == expected
    assert Counter(item["status"] for item in dry["items"]["nodes"]) == Counter(status for status, _ in expected)
    assert (dry["state"], dry["isDryRun"]) == ("DONE", True)
    assert job["items"]["nodes"][3]["message"] == "the course is full; this person is on the waiting list"
    assert {figure["name"]: figure["value"] for figure in job["figures"]}["active"] == 3
    assert await seats(acme, course_id) == (2, 2, 2)
    assert await acme.as_owner("SELECT count(*) FROM cohort_members") == [(1,)]
    again = await finished(acme, await bulk(acme, course, csv))
    assert (again["doneCount"], again["skippedCount"], again["failedCount"]) == (0, 7, 3)
    assert await seats(acme, course_id) == (2, 2, 2)
    assert await events(acme, "enrolled") == {"enrolled": 3}
    assert len(await audited(acme, "enrollment.bulk")) == 3


async def test_a_dry_run_of_several_chunks_counts_the_seats_as_the_real_run_does(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BulkEnrolment, "chunk", 10)
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=13)
    people = await students(acme, 20)
    csv = "email\n" + "\n".join(person.email for person in people) + f"\n{people[0].email.upper()}"
    for is_dry_run in (True, False):
        job = await finished(acme, await bulk(acme, course, csv, isDryRun=is_dry_run))
        assert {figure["name"]: figure["value"] for figure in job["figures"]} == {
            "active": 13, "course_full": 7, "already_enrolled": 1,
        }  # fmt: skip
    assert await seats(acme, course_id) == (13, 13, 13)


async def test_a_file_that_is_none_is_refused_whole(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    found = []
    for csv in ("", "email", "name\nx", 'email\n"x', "email\n" + "x" * 65_536):
        answer = await bulk(acme, course, csv)
        found.append(answer["fields"][0]["code"])
    assert found == ["CSV_HEADER", "CSV_EMPTY", "CSV_HEADER", "CSV_INVALID", "TOO_LONG"]
    assert await acme.as_owner("SELECT count(*) FROM jobs") == [(0,)]


async def test_two_clicks_with_one_key_start_one_job(acme: World, globex: World) -> None:
    course = acme.id("crs", await acme.course())
    person = await acme.person()
    await acme.some(Role.INSTRUCTOR)
    answers = await asyncio.gather(
        *(bulk(acme, course, f"email\n{person.email}", idempotencyKey="lista-2026") for _ in range(4))
    )
    assert len({answer["job"]["id"] for answer in answers}) == 1
    reused = await bulk(acme, course, "email\nx@example.org", idempotencyKey="lista-2026")
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"
    stranger = await acme.person(Role.INSTRUCTOR)
    assert (await bulk(acme, course, "email\nx@y.org", stranger))["__typename"] == "ForbiddenProblem"
    assert (await bulk(globex, course, "email\nx@y.org", Role.ADMIN))["__typename"] == "NotFoundProblem"


async def test_e6_an_address_is_let_in_once_when_its_owner_proves_to_have_it(acme: World, globex: World) -> None:
    one_id, two_id = [await acme.course(title) for title in ("Uno", "Dos")]
    one, two = acme.id("crs", one_id), acme.id("crs", two_id)
    await settle(acme, one, policy="CLOSED", capacity=5)
    member = await acme.person()
    address = f"futura@{acme.tenant.slug}.test"
    for course in (one, two):
        data = await acme.ask(
            ALLOW, as_=Role.INSTRUCTOR, i={"courseId": course, "emails": [address.upper(), member.email, address]}
        )
        assert data["allowEnrollment"]["results"] == [
            {"email": address, "outcome": "ALLOWED"}, {"email": member.email, "outcome": "ACTIVE"},
        ]  # fmt: skip
    again = await acme.ask(ALLOW, as_=Role.ADMIN, i={"courseId": one, "emails": [address, member.email]})
    outcomes = [result["outcome"] for result in again["allowEnrollment"]["results"]]
    assert outcomes == ["ALREADY_ALLOWED", "ALREADY_ENROLLED"]
    await acme.ask(
        REGISTER, i={"email": address, "password": "una frase larga y rara 77", "fullName": "Persona Futura"}
    )
    await acme.work()
    assert await acme.as_owner("SELECT count(*) FROM enrollments") == [(2,)]
    [mail] = [mail for mail in acme.mailbox.to(address) if "token=" in str(mail.get_body(("plain",)))]
    token = token_in(mail)
    await asyncio.gather(*(acme.ask(VERIFY, i={"token": token}) for _ in range(3)))
    await acme.work()
    enrolled = await acme.as_owner(
        f"""SELECT e.course_id, e.status FROM enrollments e JOIN members m USING (user_id)
            WHERE m.email = '{address}' ORDER BY e.course_id"""
    )
    assert enrolled == sorted([(one_id, "active"), (two_id, "active")])
    assert await events(acme, "enrolled") == {"enrolled": 4}
    listed = await acme.ask(ALLOWED, as_=Role.INSTRUCTOR, id=one)
    [row] = listed["enrollmentAllowances"]["nodes"]
    assert (row["email"], row["claimedAt"] is None) == (address, False)
    take = """mutation($i: DisallowEnrollmentInput!) { disallowEnrollment(input: $i) { __typename
      ... on Problem { code } } }"""
    late = await acme.ask(take, as_=Role.INSTRUCTOR, i={"id": row["id"]})
    assert late["disallowEnrollment"]["code"] == "ALREADY_CLAIMED"
    other = await globex.ask(take, as_=Role.ADMIN, i={"id": row["id"]})
    assert other["disallowEnrollment"]["__typename"] == "NotFoundProblem"


async def test_e6_an_address_whose_owner_proves_to_have_it_while_it_is_let_in_is_not_forgotten(acme: World) -> None:
    course_id = await acme.course()
    person, teacher = await acme.person(), await acme.some(Role.INSTRUCTOR)
    members = f"UPDATE members SET email_verified_at = %s WHERE user_id = '{person.user_id}'"
    await acme.as_owner(members % "NULL")
    database, tenant = acme.platform.database, acme.tenant.handle
    async with database.tenant(tenant) as tx:
        seats_ = await Seats.of_course(tx, course_id, teacher.user_id)
        assert (await let_in(seats_, person.email, None, teacher.user_id)).outcome == "ALLOWED"
        await acme.as_owner(members % "now()")
        async with database.tenant(tenant) as other:
            await publish(other, MEMBER_CONFIRMED, {"user_id": str(person.user_id)})
        await acme.application.worker.sweep(0)
    assert await acme.as_owner("SELECT claimed_at FROM enrollment_allowances") == [(None,)]
    for _ in range(2):
        await acme.application.worker.sweep(0)
    assert await standings(acme, course_id) == [("active", None)]
    assert await events(acme, "enrolled") == {"enrolled": 1}


async def test_e6_an_address_can_be_taken_back_before_it_is_claimed(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await acme.ask(ALLOW, as_=Role.INSTRUCTOR, i={"courseId": course, "emails": ["alguien@example.org"]})
    stranger = await acme.person(Role.INSTRUCTOR)
    assert (await acme.ask(ALLOWED, as_=stranger, id=course))["enrollmentAllowances"]["totalCount"] == 0
    [row] = (await acme.ask(ALLOWED, as_=Role.INSTRUCTOR, id=course))["enrollmentAllowances"]["nodes"]
    take = "mutation($i: DisallowEnrollmentInput!) { disallowEnrollment(input: $i) { __typename } }"
    for expected in ("DisallowEnrollmentSuccess", "NotFoundProblem"):
        data = await acme.ask(take, as_=Role.INSTRUCTOR, i={"id": row["id"]})
        assert data["disallowEnrollment"]["__typename"] == expected
    bad = await acme.ask(ALLOW, as_=Role.INSTRUCTOR, i={"courseId": course, "emails": ["x", "y@example.org"]})
    assert bad["allowEnrollment"]["fields"] == [{"path": "input.emails.0"}]
    assert (await acme.ask(ALLOWED, as_=Role.INSTRUCTOR, id=course))["enrollmentAllowances"]["totalCount"] == 0


async def cohort(world: World, course: str, name: str) -> str:
    query = (
        """mutation($i: CreateCohortInput!) { createCohort(input: $i) { ... on CohortSuccess { cohort { id } } } }"""
    )
    data = await world.ask(query, as_=Role.INSTRUCTOR, i={"courseId": course, "name": name})
    return str(data["createCohort"]["cohort"]["id"])


async def test_e6_who_claims_an_address_in_a_full_course_is_not_let_in_twice(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await settle(acme, course, capacity=0, offerHours=24)
    data = await acme.ask(ALLOW, as_=Role.INSTRUCTOR, i={"courseId": course, "emails": [(await acme.person()).email]})
    assert data["allowEnrollment"]["results"][0]["outcome"] == "WAITLISTED"
    await settle(acme, course, offerHours=None)
    data = await acme.ask(ALLOW, as_=Role.INSTRUCTOR, i={"courseId": course, "emails": [(await acme.person()).email]})
    assert data["allowEnrollment"]["results"][0]["outcome"] == "COURSE_FULL"
    assert (await do(acme, "enroll", Role.STUDENT, courseId=course))["code"] == "COURSE_FULL"
