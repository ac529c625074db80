"""Learners who complete courses, for the tests of certificates."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.viewer import Role
from tests.world import Person, World

ISSUE = """mutation($input: IssueCertificateInput!) { issueCertificate(input: $input) { __typename
  ... on CertificateSuccess { certificate { id code standing verifyUrl pdfUrl pdfSha256 badgeUrl cycle issuedAt
    facts { learnerName courseTitle courseRevision organisation basis score hours completedAt templateVersion } } }
  ... on CertificateNotEarnedProblem { reasons { code message } }
  ... on Problem { code message } } }"""
REVOKE = """mutation($input: CertificateReasonInput!) { revokeCertificate(input: $input) { __typename
  ... on CertificateSuccess { certificate { id code standing revokedReason } }
  ... on ValidationProblem { fields { path code } } ... on Problem { code message } } }"""
REINSTATE = REVOKE.replace("revokeCertificate", "reinstateCertificate")
REISSUE = """mutation($input: CertificateReasonInput!) { reissueCertificate(input: $input) { __typename
  ... on CertificateSuccess { certificate { id code standing validUntil facts { learnerName } } }
  ... on Problem { code message } } }"""
VERIFY = """query($code: String!) { verifyCertificate(code: $code) { code standing pdfSha256 validUntil revokedAt
  facts { learnerName courseTitle organisation score } } }"""
MINE = "{ myCertificates { totalCount nodes { id code standing cycle pdfUrl pdfSha256 facts { learnerName } } } }"
TEMPLATE = """mutation($input: UpdateCertificateTemplateInput!) { updateCertificateTemplate(input: $input) { __typename
  ... on CertificateTemplateSuccess { template { version title signatories { name role } validityMonths graceDays
    minScore scorePolicy hours primaryColor logoText isEnabled body accentColor } }
  ... on ValidationProblem { fields { path code } } ... on Problem { code } } }"""
EXCEPT = """mutation($input: SetCertificateExceptionInput!) { setCertificateException(input: $input) { __typename
  ... on CertificateExceptionSuccess { eligibility { isEligible reasons { code } } } ... on Problem { code } } }"""
ELIGIBLE = """query($id: ID!, $user: ID) { certificateEligibility(courseId: $id, userId: $user) {
  isEligible reasons { code message } } }"""


async def enrol(world: World, course_id: UUID, who: Person | Role = Role.STUDENT) -> None:
    """Enrol somebody."""
    query = "mutation($input: EnrollInput!) { enroll(input: $input) { __typename } }"
    answer = await world.ask(query, as_=who, input={"courseId": world.id("crs", course_id)})
    assert answer["enroll"]["__typename"] == "EnrollmentSuccess"


async def complete(world: World, course_id: UUID, who: Person | Role = Role.STUDENT) -> None:
    """Enrol somebody and complete every lesson, through GraphQL; what follows is not yet done."""
    await enrol(world, course_id, who)
    course = await world.ask(
        "query($id: ID!) { course(id: $id) { modules { lessons { id } } } }", as_=who, id=world.id("crs", course_id)
    )
    for module in course["course"]["modules"]:
        for lesson in module["lessons"]:
            query = "mutation($input: CompleteLessonInput!) { completeLesson(input: $input) { __typename } }"
            await world.ask(query, as_=who, input={"lessonId": lesson["id"]})


async def certified(world: World, course_id: UUID, who: Person | Role = Role.STUDENT) -> dict[str, Any]:
    """Complete a course and let the worker do what follows; the certificate."""
    await complete(world, course_id, who)
    await world.work()
    return await issue(world, course_id, who)


async def issue(world: World, course_id: UUID, who: Person | Role = Role.STUDENT) -> dict[str, Any]:
    """The certificate that issueCertificate answers with."""
    answer = await world.ask(ISSUE, as_=who, input={"courseId": world.id("crs", course_id)})
    assert answer["issueCertificate"]["__typename"] == "CertificateSuccess", answer
    found: dict[str, Any] = answer["issueCertificate"]["certificate"]
    return found


async def verify(world: World, code: str) -> Any:
    """What anybody may know."""
    return (await world.ask(VERIFY, code=code))["verifyCertificate"]


async def events(world: World, kind: str) -> int:
    """How many events of a kind there were."""
    rows = await world.as_owner(f"SELECT count(*) FROM outbox WHERE kind = '{kind}'")
    return int(rows[0][0])


async def template(world: World, course_id: UUID, **values: Any) -> Any:
    """Change a course's template as its instructor."""
    given = {"courseId": world.id("crs", course_id), **values}
    return (await world.ask(TEMPLATE, as_=Role.INSTRUCTOR, input=given))["updateCertificateTemplate"]
