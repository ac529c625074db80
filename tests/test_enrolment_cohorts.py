"""Cohorts, their deadlines, and how their members stand (E13)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.viewer import Role
from tests.enrolling import audited, do, students
from tests.world import Person, World

KINDS = {
    "createCohort": "CreateCohortInput", "updateCohort": "UpdateCohortInput", "deleteCohort": "CohortIdInput",
    "addToCohort": "CohortMembersInput", "removeFromCohort": "CohortMembersInput",
    "waiveAssignment": "WaiveAssignmentInput", "expectAssignment": "ExpectAgainInput",
}  # fmt: skip
ASSIGNMENT = "assignment { cohortName status compliance dueAt waiveReason }"


async def act(world: World, name: str, who: Person | Role = Role.INSTRUCTOR, /, **given: Any) -> dict[str, Any]:
    success = (
        f"... on EnrollmentSuccess {{ enrollment {{ {ASSIGNMENT} }} }}"
        if name.endswith("Assignment")
        else ""
        if name == "deleteCohort"
        else "... on CohortSuccess { cohort { id name dueAt dueDays version } }"
    )
    query = f"""mutation($i: {KINDS[name]}!) {{ {name}(input: $i) {{ __typename {success}
      ... on ValidationProblem {{ fields {{ path code }} }} ... on Problem {{ code }} }} }}"""
    answer: dict[str, Any] = (await world.ask(query, as_=who, i=given))[name]
    return answer


async def mine(world: World, who: Person) -> Any:
    data = await world.ask(f"{{ myEnrollments {{ nodes {{ {ASSIGNMENT} }} }} }}", as_=who)
    return data["myEnrollments"]["nodes"][0]["assignment"]


@pytest.mark.parametrize(
    ("enrolled_days_ago", "progress", "status", "compliance"),
    [
        (0, None, "NOT_STARTED", "PENDING"),
        (0, "seen", "IN_PROGRESS", "PENDING"),
        (24, "seen", "AT_RISK", "PENDING"),
        (24, None, "AT_RISK", "PENDING"),
        (31, "seen", "OVERDUE", "IN_GRACE_PERIOD"),
        (36, None, "OVERDUE", "NON_COMPLIANT"),
        (36, "done", "COMPLETED", "COMPLIANT"),
        (36, "waived", "WAIVED", "COMPLIANT"),
    ],
)
async def test_e13_a_standing_is_what_time_and_progress_make_of_the_deadline(
    acme: World, enrolled_days_ago: int, progress: str | None, status: str, compliance: str
) -> None:
    course = acme.id("crs", await acme.course())
    [person] = await students(acme, 1)
    enrollment = await do(acme, "enroll", person, courseId=course)
    made = await act(acme, "createCohort", courseId=course, name="A", dueDays=30, graceDays=5, riskDays=7)
    added = await act(acme, "addToCohort", id=made["cohort"]["id"], enrollmentIds=[enrollment["id"]])
    assert added["__typename"] == "CohortSuccess"
    await acme.as_owner(f"UPDATE enrollments SET activated_at = now() - interval '{enrolled_days_ago} days'")
    match progress:
        case "seen":
            await acme.as_owner("UPDATE enrollments SET last_activity_at = now()")
        case "done":
            await acme.as_owner("UPDATE enrollments SET status = 'completed', completed_at = now()")
        case "waived":
            await act(acme, "waiveAssignment", enrollmentId=enrollment["id"], reason="Licencia")
    found = await mine(acme, person)
    assert (found["cohortName"], found["status"], found["compliance"]) == ("A", status, compliance)
    due = datetime.fromisoformat(found["dueAt"]) - datetime.now(UTC)
    assert abs(due - timedelta(days=30 - enrolled_days_ago)) < timedelta(minutes=1)


async def test_e13_a_waiver_has_a_reason_in_the_audit_log_and_can_be_taken_back(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    [person] = await students(acme, 1)
    enrollment = await do(acme, "enroll", person, courseId=course)
    assert (await act(acme, "waiveAssignment", enrollmentId=enrollment["id"], reason="x"))["code"] == "NOT_FOUND"
    made = await act(acme, "createCohort", courseId=course, name="A", dueAt="2026-01-01T00:00:00Z")
    await act(acme, "addToCohort", id=made["cohort"]["id"], enrollmentIds=[enrollment["id"]])
    assert (await mine(acme, person))["compliance"] == "NON_COMPLIANT"
    assert (await act(acme, "waiveAssignment", enrollmentId=enrollment["id"], reason=" "))["fields"][0]["path"] == (
        "input.reason"
    )
    waived = await act(acme, "waiveAssignment", enrollmentId=enrollment["id"], reason="Licencia médica")
    assert waived["enrollment"]["assignment"]["waiveReason"] == "Licencia médica"
    assert [row[0] for row in await audited(acme, "assignment.waive")] == ["Licencia médica"]
    back = await act(acme, "expectAssignment", enrollmentId=enrollment["id"])
    assert back["enrollment"]["assignment"]["status"] == "OVERDUE"
    for who in (person, await acme.person(Role.INSTRUCTOR)):
        refused = await act(acme, "waiveAssignment", who, enrollmentId=enrollment["id"], reason="x")
        assert refused["__typename"] in {"ForbiddenProblem", "NotFoundProblem"}


async def test_e13_a_cohorts_page_counts_and_lists_who_stands_how(acme: World, globex: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    people = await students(acme, 5)
    enrollments = [(await do(acme, "enroll", person, courseId=course))["id"] for person in people]
    made = await act(acme, "createCohort", courseId=course, name="Otoño", dueAt="2026-01-01T00:00:00Z")
    cohort = made["cohort"]["id"]
    await act(acme, "addToCohort", id=cohort, enrollmentIds=enrollments)
    await act(acme, "waiveAssignment", enrollmentId=enrollments[0], reason="x")
    await acme.as_owner(
        f"UPDATE enrollments SET status = 'completed', completed_at = now() WHERE user_id = '{people[1].user_id}'"
    )
    await do(acme, "unenroll", people[2], courseId=course)
    query = """query($id: ID!) { cohorts(courseId: $id) { totalCount nodes { name statusCounts { status count }
      members { totalCount nodes { assignment { status } } }
      overdue: members(status: OVERDUE) { totalCount nodes { user { id } } } } } }"""
    with acme.counting() as statements:
        data = await acme.ask(query, as_=Role.INSTRUCTOR, id=course)
    [page] = data["cohorts"]["nodes"]
    assert {row["status"]: row["count"] for row in page["statusCounts"]} == {
        "WAIVED": 1, "COMPLETED": 1, "OVERDUE": 2,
    }  # fmt: skip
    assert page["members"]["totalCount"] == 4
    assert {node["user"]["id"] for node in page["overdue"]["nodes"]} == {people[3].id, people[4].id}
    assert statements.in_tenant() <= 13
    stranger = await acme.person(Role.INSTRUCTOR)
    for world, who in ((acme, stranger), (globex, Role.ADMIN)):
        assert (await world.ask(query, as_=who, id=course))["cohorts"]["totalCount"] == 0
        node = await world.ask("query($id: ID!) { node(id: $id) { id } }", as_=who, id=cohort)
        assert node["node"] is None
        assert (await act(world, "deleteCohort", who, id=cohort))["__typename"] == "NotFoundProblem"
    student = await acme.post(query, as_=people[0], id=course)
    assert student["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_cohort_has_one_deadline_one_name_and_the_courses_own_students(acme: World) -> None:
    course, other = [acme.id("crs", await acme.course(title)) for title in ("Uno", "Dos")]
    both = await act(acme, "createCohort", courseId=course, name=" ", dueAt="2027-01-01T00:00:00Z", dueDays=0)
    assert [field["code"] for field in both["fields"]] == ["TOO_SHORT", "OUT_OF_RANGE", "TWO_DEADLINES"]
    answers = await asyncio.gather(*(act(acme, "createCohort", courseId=course, name="A") for _ in range(4)))
    assert sorted(answer.get("code", "") for answer in answers) == ["", *["NAME_TAKEN"] * 3]
    [made] = [answer["cohort"] for answer in answers if "cohort" in answer]
    second = (await act(acme, "createCohort", courseId=course, name="B"))["cohort"]
    assert (await act(acme, "updateCohort", id=second["id"], name="A"))["code"] == "NAME_TAKEN"
    changed = await act(acme, "updateCohort", id=second["id"], dueDays=9, expectedVersion=1)
    assert (changed["cohort"]["dueDays"], changed["cohort"]["version"]) == (9, 2)
    assert (await act(acme, "updateCohort", id=second["id"], expectedVersion=1))["code"] == "VERSION_CONFLICT"
    elsewhere = await do(acme, "enroll", Role.STUDENT, courseId=other)
    refused = await act(acme, "addToCohort", id=made["id"], enrollmentIds=[elsewhere["id"]])
    assert refused["__typename"] == "NotFoundProblem"
    here = await do(acme, "enroll", Role.STUDENT, courseId=course)
    for cohort in (made, second):
        await act(acme, "addToCohort", id=cohort["id"], enrollmentIds=[here["id"]])
    assert await acme.as_owner("SELECT c.name FROM cohort_members JOIN cohorts c ON c.id = cohort_id") == [("B",)]
    await act(acme, "removeFromCohort", id=second["id"], enrollmentIds=[here["id"]])
    assert await acme.as_owner("SELECT count(*) FROM cohort_members") == [(0,)]
    assert (await act(acme, "deleteCohort", id=second["id"]))["__typename"] == "DeleteCohortSuccess"
