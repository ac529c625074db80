"""Invitations, codes and roles in a course (E5, E11)."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from app.viewer import Role
from tests.enrolling import audited, do, events, seats, settle, students
from tests.world import Person, World

CREATE = """mutation($i: CreateInviteCodeInput!) { createInviteCode(input: $i) { __typename
  ... on CreateInviteCodeSuccess { code inviteCode { id hint usedCount maxUses emails domains } }
  ... on ValidationProblem { fields { path code } } ... on Problem { code } } }"""
CODES = """query($id: ID!) { inviteCodes(courseId: $id) { totalCount
  nodes { hint usedCount revokedAt note course { title } } } }"""
REVOKE = """mutation($i: RevokeInviteCodeInput!) { revokeInviteCode(input: $i) { __typename
  ... on InviteCodeSuccess { inviteCode { revokedAt } } } }"""


async def create(world: World, course: str, who: Person | Role = Role.INSTRUCTOR, **given: Any) -> dict[str, Any]:
    data = await world.ask(CREATE, as_=who, i={"courseId": course, **given})
    answer: dict[str, Any] = data["createInviteCode"]
    return answer


async def use(world: World, code: str, who: Person | Role = Role.STUDENT) -> str:
    answer = await do(world, "enrollWithCode", who, code=code)
    return str(answer.get("status") or answer["code"])


async def outcomes(world: World) -> list[str]:
    return [changes["outcome"] for _, changes in await audited(world, "invite_code.use")]


async def test_e5_a_code_is_told_once_and_lets_in_however_it_is_typed(acme: World) -> None:
    course = acme.id("crs", await acme.course("Teatro"))
    await settle(acme, course, policy="INVITATION")
    made = await create(acme, course, note="Octavo B")
    code = made["code"]
    assert made["inviteCode"]["hint"] == code[-4:]
    [(kept,)] = await acme.as_owner("SELECT code_hash FROM invite_codes")
    assert code.replace("-", "") not in kept
    assert len(kept) == 64
    assert await use(acme, f"  {code.lower().replace('-', ' ')}") == "ACTIVE"
    listed = await acme.ask(CODES, as_=Role.INSTRUCTOR, id=course)
    assert listed["inviteCodes"] == {
        "totalCount": 1,
        "nodes": [{
            "hint": code[-4:], "usedCount": 1, "revokedAt": None, "note": "Octavo B", "course": {"title": "Teatro"},
        }],
    }  # fmt: skip
    stranger = await acme.person(Role.INSTRUCTOR)
    assert (await acme.ask(CODES, as_=stranger, id=course))["inviteCodes"] == {"totalCount": 0, "nodes": []}
    node = "query($id: ID!) { node(id: $id) { id } }"
    assert (await acme.ask(node, as_=stranger, id=made["inviteCode"]["id"]))["node"] is None
    assert (await acme.ask(node, as_=Role.ADMIN, id=made["inviteCode"]["id"]))["node"] == {
        "id": made["inviteCode"]["id"]
    }


async def test_e5_using_a_code_again_consumes_nothing_and_forty_at_once_share_its_uses(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    code = (await create(acme, course, maxUses=5))["code"]
    people = await students(acme, 20)
    found = await asyncio.gather(*(use(acme, code, person) for person in people for _ in range(2)))
    assert Counter(found)["CODE_FULL"] == 30
    assert Counter(found)["ACTIVE"] == 10
    assert await acme.as_owner("SELECT used_count FROM invite_codes") == [(5,)]
    assert await acme.as_owner("SELECT count(*) FROM enrollments") == [(5,)]
    assert await events(acme, "enrolled") == {"enrolled": 5}
    inside = [row[0] for row in await acme.as_owner("SELECT user_id FROM enrollments")]
    member = next(person for person in people if person.user_id in inside)
    assert await use(acme, code, member) == "ACTIVE"
    await do(acme, "unenroll", member, courseId=course)
    assert await use(acme, code, member) == "ACTIVE"
    assert await acme.as_owner("SELECT used_count FROM invite_codes") == [(5,)]


async def test_e5_every_way_to_be_refused_has_its_code_and_is_audited(acme: World, globex: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    expired, revoked, full, private, school = [(await create(acme, course, **given)) for given in (
        {"expiresAt": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, {}, {"maxUses": 1},
        {"emails": ["Alguien@otro.example.org"]}, {"domains": [f"@{acme.tenant.slug}.test"]},
    )]  # fmt: skip
    await acme.as_owner("UPDATE invite_codes SET expires_at = now() WHERE expires_at IS NOT NULL")
    done = await acme.ask(REVOKE, as_=Role.INSTRUCTOR, i={"id": revoked["inviteCode"]["id"]})
    assert done["revokeInviteCode"]["inviteCode"]["revokedAt"] is not None
    assert await use(acme, full["code"], await acme.person()) == "ACTIVE"
    assert private["inviteCode"]["emails"] == ["alguien@otro.example.org"]
    found = []
    for made in (expired, revoked, full, private):
        found.append(await use(acme, made["code"], await acme.person()))
    assert found == ["CODE_EXPIRED", "CODE_REVOKED", "CODE_FULL", "CODE_NOT_FOR_YOU"]
    assert await use(acme, "AAAA-BBBB-CCCC", await acme.person()) == "CODE_UNKNOWN"
    assert await use(globex, school["code"], await globex.person()) == "CODE_UNKNOWN"
    assert await use(acme, school["code"], await acme.person()) == "ACTIVE"
    assert await outcomes(acme) == ["ACCEPTED", *found, "CODE_UNKNOWN", "ACCEPTED"]
    assert await acme.as_owner("SELECT count(*) FROM enrollments") == [(2,)]
    other = await globex.ask(REVOKE, as_=Role.ADMIN, i={"id": school["inviteCode"]["id"]})
    assert other["revokeInviteCode"]["__typename"] == "NotFoundProblem"


async def test_e5_a_code_obeys_seats_and_dates_and_a_refusal_consumes_nothing(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    code = (await create(acme, course, maxUses=3))["code"]
    await settle(acme, course, capacity=1)
    assert await use(acme, code, await acme.person()) == "ACTIVE"
    assert await use(acme, code, await acme.person()) == "COURSE_FULL"
    await settle(acme, course, closesAt=(datetime.now(UTC) - timedelta(days=1)).isoformat(), capacity=9)
    assert await use(acme, code, await acme.person()) == "ENROLLMENT_CLOSED"
    assert await acme.as_owner("SELECT used_count FROM invite_codes") == [(1,)]
    assert await outcomes(acme) == ["ACCEPTED", "COURSE_FULL", "ENROLLMENT_CLOSED"]


async def test_e5_guessing_has_to_wait_and_a_right_code_is_not_even_looked_at(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    code = (await create(acme, course))["code"]
    person = await acme.person()
    found = [await use(acme, f"AAAA-AAAA-AAA{n}", person) for n in range(9)]
    assert found[:5] == ["CODE_UNKNOWN"] * 5
    assert found[-1] == "RATE_LIMITED"
    assert await use(acme, code, person) == "RATE_LIMITED"
    assert await use(acme, code, await acme.person()) == "ACTIVE"
    [(failures,)] = await acme.as_owner(
        f"SELECT failures FROM control.login_failures WHERE key = 'i:{acme.tenant.id}:127.0.0.1'"
    )
    assert failures == found.count("CODE_UNKNOWN")


async def test_e5_what_a_code_allows_is_checked(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    bad = await create(
        acme, course, maxUses=0, expiresAt="2020-01-01T00:00:00Z", emails=["nobody"], domains=["not a domain"]
    )
    assert [field["path"] for field in bad["fields"]] == [
        "input.maxUses", "input.expiresAt", "input.emails.0", "input.domains.0",
    ]  # fmt: skip
    stranger = await acme.person(Role.INSTRUCTOR)
    assert (await create(acme, course, stranger))["__typename"] == "ForbiddenProblem"


async def test_an_invitation_keeps_a_seat_until_it_is_answered(acme: World) -> None:
    course_id = await acme.course("Coro")
    course = acme.id("crs", course_id)
    await settle(acme, course, policy="INVITATION", capacity=2)
    yes, no, late = await students(acme, 3)
    for person in (yes, no):
        invited = await do(acme, "inviteToCourse", Role.INSTRUCTOR, courseId=course, userId=person.id)
        assert invited["status"] == "INVITED"
    full = await do(acme, "inviteToCourse", Role.INSTRUCTOR, courseId=course, userId=late.id)
    assert full["code"] == "COURSE_FULL"
    again = await do(acme, "inviteToCourse", Role.INSTRUCTOR, courseId=course, userId=yes.id)
    assert again["code"] == "ALREADY_ENROLLED"
    assert await seats(acme, course_id) == (2, 2, 2)
    assert (await do(acme, "acceptInvitation", late, courseId=course))["__typename"] == "NotFoundProblem"
    answers = await asyncio.gather(*(do(acme, "acceptInvitation", yes, courseId=course) for _ in range(4)))
    assert {answer["status"] for answer in answers} == {"ACTIVE"}
    assert (await do(acme, "declineInvitation", no, courseId=course))["status"] == "REJECTED"
    assert (await do(acme, "declineInvitation", no, courseId=course))["code"] == "NOT_INVITED"
    assert await seats(acme, course_id) == (1, 1, 2)
    assert await events(acme, "enrolled", "enrollment_invited", "invitation_declined") == {
        "enrolled": 1, "enrollment_invited": 2, "invitation_declined": 1,
    }  # fmt: skip
    await acme.work()
    assert [str(mail["Subject"]) for mail in acme.mailbox.to(no.email)] == ["You are invited: Coro"]


async def test_e11_teaching_assisting_and_observing_take_no_seats(acme: World) -> None:
    course_id = await acme.course(lessons=2)
    course = acme.id("crs", course_id)
    await settle(acme, course, capacity=1)
    learner, helper, parent, other = await students(acme, 4)
    await do(acme, "enroll", learner, courseId=course)
    assert (await do(acme, "enroll", Role.INSTRUCTOR, courseId=course))["role"] == "INSTRUCTOR"

    async def assign(person: Person, role: str, observed: Person | None = None) -> dict[str, Any]:
        more = {} if observed is None else {"observedId": observed.id}
        return await do(acme, "assignCourseRole", Role.INSTRUCTOR, courseId=course, userId=person.id, role=role, **more)

    assert (await assign(helper, "ASSISTANT"))["role"] == "ASSISTANT"
    assert (await assign(parent, "OBSERVER"))["fields"][0]["code"] == "OBSERVED_INVALID"
    assert (await assign(parent, "OBSERVER", parent))["fields"][0]["code"] == "OBSERVES_SELF"
    assert (await assign(parent, "STUDENT"))["fields"][0]["code"] == "ROLE_INVALID"
    assert (await assign(parent, "OBSERVER", other))["__typename"] == "NotFoundProblem"
    assert (await assign(learner, "ASSISTANT"))["code"] == "ALREADY_ENROLLED"
    assert (await assign(parent, "OBSERVER", learner))["role"] == "OBSERVER"
    assert await seats(acme, course_id) == (1, 1, 1)
    count = "query($id: ID!) { course(id: $id) { learnerCount } }"
    assert (await acme.ask(count, as_=Role.ADMIN, id=course))["course"]["learnerCount"] == 1


async def test_e11_an_observer_reads_the_progress_of_their_learner_and_makes_none(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    learner, parent = await students(acme, 2)
    await do(acme, "enroll", learner, courseId=course)
    await do(
        acme, "assignCourseRole", Role.ADMIN, courseId=course, userId=parent.id, role="OBSERVER",
        observedId=learner.id,
    )  # fmt: skip
    data = await acme.ask("query($id: ID!) { course(id: $id) { modules { lessons { id } } } }", as_=learner, id=course)
    lesson = data["course"]["modules"][0]["lessons"][0]["id"]
    complete = """mutation($i: CompleteLessonInput!) { completeLesson(input: $i) { __typename
      ... on Problem { code } } }"""
    refused = await acme.ask(complete, as_=parent, i={"lessonId": lesson})
    assert refused["completeLesson"]["code"] == "NOT_ENROLLED"
    await acme.ask(complete, as_=learner, i={"lessonId": lesson})
    mine = """{ myEnrollments { nodes { role observed { id }
      observedProgress { percent completedLessons totalLessons completedAt } } } }"""
    seen = {"percent": 50, "completedLessons": 1, "totalLessons": 2, "completedAt": None}
    assert (await acme.ask(mine, as_=parent))["myEnrollments"]["nodes"] == [
        {"role": "OBSERVER", "observed": {"id": learner.id}, "observedProgress": seen}
    ]
    assert (await acme.ask(mine, as_=learner))["myEnrollments"]["nodes"] == [
        {"role": "STUDENT", "observed": None, "observedProgress": None}
    ]
