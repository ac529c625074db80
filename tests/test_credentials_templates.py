"""How a course's certificates are: versions, limits, and who may say so."""

from __future__ import annotations

import asyncio

from app.viewer import Role
from tests.certified import TEMPLATE, certified, template
from tests.world import World

READ = "query($id: ID!) { certificateTemplate(courseId: $id) { version title minScore signatories { name role } } }"


async def test_a_template_has_versions_and_issued_certificates_keep_theirs(acme: World) -> None:
    course_id = await acme.course()
    made = await certified(acme, course_id)
    first = await template(
        acme, course_id, title="Diploma", hours="40.5", minScore="60", scorePolicy="FLAG", primaryColor="#0A0B0C",
        signatories=[{"name": "Dra. Rojas", "role": "Directora"}], validityMonths=24, graceDays=30,
    )  # fmt: skip
    assert first["template"] == {
        "version": 1, "title": "Diploma", "signatories": [{"name": "Dra. Rojas", "role": "Directora"}],
        "validityMonths": 24, "graceDays": 30, "minScore": "60", "scorePolicy": "FLAG", "hours": "40.5",
        "primaryColor": "#0a0b0c", "accentColor": "#c8963e", "logoText": "", "body": "", "isEnabled": True,
    }  # fmt: skip
    second = await template(acme, course_id, minScore=None, title=None)
    assert (second["template"]["version"], second["template"]["minScore"]) == (2, None)
    assert (second["template"]["title"], second["template"]["hours"]) == ("Diploma", "40.5")
    query = "query($id: ID!) { certificate(id: $id) { facts { templateVersion hours } } }"
    kept = (await acme.ask(query, as_=Role.STUDENT, id=made["id"]))["certificate"]
    assert kept == {"facts": {"templateVersion": 0, "hours": None}}
    other = await acme.person()
    newer = await certified(acme, course_id, other)
    assert (newer["facts"]["templateVersion"], newer["facts"]["hours"]) == (2, "40.5")


async def test_every_value_that_cannot_be_accepted_is_named_at_once(acme: World) -> None:
    course_id = await acme.course()
    refused = await template(
        acme, course_id, title="x" * 81, body="x" * 301, validityMonths=0, graceDays=-1, minScore="100.5", hours="0",
        primaryColor="red", accentColor="#12345", logoText="x" * 61, signatories=[{"name": "x"}] * 4,
    )  # fmt: skip
    assert sorted((field["path"], field["code"]) for field in refused["fields"]) == [
        ("input.accentColor", "COLOR_INVALID"), ("input.body", "TOO_LONG"), ("input.graceDays", "OUT_OF_RANGE"),
        ("input.hours", "OUT_OF_RANGE"), ("input.logoText", "TOO_LONG"), ("input.minScore", "OUT_OF_RANGE"),
        ("input.primaryColor", "COLOR_INVALID"), ("input.signatories", "TOO_MANY"), ("input.title", "TOO_LONG"),
        ("input.validityMonths", "OUT_OF_RANGE"),
    ]  # fmt: skip
    found = await acme.ask(READ, as_=Role.INSTRUCTOR, id=acme.id("crs", course_id))
    assert found["certificateTemplate"]["version"] == 0


async def test_of_two_who_change_a_template_at_once_one_is_told(acme: World) -> None:
    course_id = await acme.course()
    answers = await asyncio.gather(*(template(acme, course_id, title=f"T{n}", expectedVersion=0) for n in range(5)))
    kinds = sorted(answer["__typename"] for answer in answers)
    assert kinds == ["CertificateTemplateSuccess"] + ["ConflictProblem"] * 4
    assert {answer["code"] for answer in answers if "code" in answer} == {"VERSION_CONFLICT"}


async def test_a_template_belongs_to_those_who_run_the_course(acme: World, globex: World) -> None:
    course = acme.id("crs", await acme.course())
    other = await acme.person(Role.INSTRUCTOR)
    refused = await acme.ask(TEMPLATE, as_=other, input={"courseId": course, "title": "Mine"})
    assert refused["updateCertificateTemplate"]["code"] == "FORBIDDEN"
    assert (await acme.post(READ, as_=other, id=course))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await globex.ask(READ, as_=Role.ADMIN, id=course))["certificateTemplate"] is None
    missing = await globex.ask(TEMPLATE, as_=Role.ADMIN, input={"courseId": course, "title": "Mine"})
    assert missing["updateCertificateTemplate"]["code"] == "NOT_FOUND"
    assert (await acme.ask(READ, as_=Role.ADMIN, id=course))["certificateTemplate"]["version"] == 0
