"""What the tests of enrolment ask, and what they look at."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from app.viewer import Role
from tests.world import Person, World

FIELDS = "id status effectiveState role expiresAt offerExpiresAt waitlistPosition user { id }"


async def do(world: World, name: str, who: Person | Role, **input: Any) -> dict[str, Any]:
    """A mutation that answers with an enrolment; the enrolment, or the problem."""
    query = f"""mutation($input: {INPUTS[name]}!) {{ {name}(input: $input) {{ __typename
      ... on EnrollmentSuccess {{ enrollment {{ {FIELDS} }} }} ... on Problem {{ code message }}
      ... on ValidationProblem {{ fields {{ path code }} }} }} }}"""
    answer: dict[str, Any] = (await world.ask(query, as_=who, input=input))[name]
    found: dict[str, Any] = answer.get("enrollment") or answer
    return found


INPUTS = {
    "enroll": "EnrollInput",
    "unenroll": "UnenrollInput",
    "acceptOffer": "AnswerInput",
    "declineOffer": "AnswerInput",
    "acceptInvitation": "AnswerInput",
    "declineInvitation": "AnswerInput",
    "approveEnrollment": "EnrollmentIdInput",
    "rejectEnrollment": "RejectEnrollmentInput",
    "suspendEnrollment": "EnrollmentReasonInput",
    "resumeEnrollment": "EnrollmentIdInput",
    "dropEnrollment": "EnrollmentReasonInput",
    "renewEnrollment": "RenewEnrollmentInput",
    "inviteToCourse": "InviteToCourseInput",
    "assignCourseRole": "AssignCourseRoleInput",
    "enrollWithCode": "EnrollWithCodeInput",
}

SETTINGS = """mutation($input: UpdateEnrollmentSettingsInput!) { updateEnrollmentSettings(input: $input) { __typename
  ... on EnrollmentSettingsSuccess { settings { policy capacity seatsTaken seatsLeft version } }
  ... on ValidationProblem { fields { path code } } ... on Problem { code } } }"""


async def settle(world: World, course: str, who: Person | Role = Role.INSTRUCTOR, **fields: Any) -> dict[str, Any]:
    """Say how people enrol in a course."""
    data = await world.ask(SETTINGS, as_=who, input={"courseId": course, **fields})
    answer: dict[str, Any] = data["updateEnrollmentSettings"]
    return answer


async def students(world: World, count: int) -> list[Person]:
    """New students."""
    return list(await asyncio.gather(*(world.person(Role.STUDENT) for _ in range(count))))


async def standings(world: World, course_id: UUID) -> list[tuple[str, int | None]]:
    """Status and place of every enrolment in a course, in the order of the waiting list."""
    return [
        (str(row[0]), row[1])
        for row in await world.as_owner(
            f"""SELECT status, waitlist_place FROM enrollments WHERE course_id = '{course_id}'
                ORDER BY waitlist_place, id"""
        )
    ]


async def seats(world: World, course_id: UUID) -> tuple[int, int, int | None]:
    """Seats as counted, as held by rows, and the capacity."""
    [row] = await world.as_owner(
        f"""SELECT s.seats_taken, (SELECT count(*) FROM enrollments e WHERE e.course_id = s.course_id AND e.holds_seat),
                   s.capacity FROM course_enrollment s WHERE s.course_id = '{course_id}'"""
    )
    return int(row[0]), int(row[1]), row[2]


async def events(world: World, *kinds: str) -> dict[str, int]:
    """How many events there were of these kinds."""
    rows = await world.as_owner("SELECT kind, count(*) FROM outbox GROUP BY kind")
    found = {str(kind): int(count) for kind, count in rows}
    return {kind: found.get(kind, 0) for kind in kinds}


async def tick(world: World) -> None:
    """What the clock does in the tenant, until nothing is due."""
    await world.application.worker._tick_all(world.tenant)


async def audited(world: World, action: str) -> list[tuple[Any, ...]]:
    """Reasons and details in the audit log of an action, in order."""
    return await world.as_owner(f"SELECT reason, changes FROM audit_log WHERE action = '{action}' ORDER BY id")
