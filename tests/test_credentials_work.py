"""Certificates and the worker: killed anywhere it loses and repeats nothing; many at once are jobs (K9)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.credentials import pdf
from app.main import Application
from app.viewer import Role
from tests.certified import (
    EXCEPT,
    ISSUE,
    MINE,
    REISSUE,
    REVOKE,
    certified,
    complete,
    enrol,
    events,
    issue,
    template,
    verify,
)
from tests.world import Person, World

JOB = """query($id: ID!) { job(id: $id) { kind state isDryRun doneCount skippedCount failedCount
    figures { name value } items(first: 100) { nodes { label status code message } } } }"""
ISSUE_MANY = """mutation($input: IssueCertificatesInput!) { issueCertificates(input: $input) { __typename
  ... on JobSuccess { job { id totalCount } } ... on Problem { code } } }"""
REVOKE_MANY = """mutation($input: RevokeCertificatesInput!) { revokeCertificates(input: $input) { __typename
  ... on JobSuccess { job { id totalCount } } ... on ValidationProblem { fields { path code } }
  ... on Problem { code } } }"""

# Where a worker is killed: after what it has just done, before it can go on.
PLACES = {
    "issued": "import app.credentials.reacting as module; name = 'issue'",
    "told": "module, name = Worker, '_mail_event'",
    "drawn": "from app.credentials import pdf as module; name = 'digest'",
    "put": "from app.outside.storage import LocalStorage as module; name = 'put'",
    "recorded": "from app.credentials.drawing import Drawing as module; name = '_draw'",
}
# Imports once, then forks a worker for every line "place|tenant" that it reads, and says who was killed in the middle.
SCRIPT = """
    import asyncio, inspect, os, signal, sys, time
    from pathlib import Path
    from app.platform import Platform
    from app.worker import Worker
    from tests.conftest import settings_for

    def wait_in(module, name):
        before = getattr(module, name)

        def stop():
            print("in the middle", os.getpid(), flush=True)
            time.sleep(60)

        async def slow(*args, **named):
            result = await before(*args, **named)
            stop()
            return result

        def slow_at_once(*args, **named):
            result = before(*args, **named)
            stop()
            return result

        setattr(module, name, slow if inspect.iscoroutinefunction(before) else slow_at_once)

    async def main(tenant):
        platform = Platform(settings_for(data_dir=Path({folder!r})), {dsn!r})
        worker = Worker(platform)
        await platform.open()
        await worker.open()
        await worker.relay_tenant(tenant_id=tenant)

    for line in sys.stdin:
        place, tenant = line.strip().split("|")
        child = os.fork()
        if not child:
            exec(place)
            wait_in(module, name)
            asyncio.run(main(tenant))
            os._exit(0)
        print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
Nursery = asyncio.subprocess.Process


@pytest.fixture(scope="module")
async def nursery(application: Application) -> AsyncIterator[Nursery]:
    """A process that makes workers to be killed."""
    platform = application.platform
    script = SCRIPT.format(folder=str(platform.settings.data_dir), dsn=platform.config.owner_dsn)
    pipe = asyncio.subprocess.PIPE
    made = await asyncio.create_subprocess_exec(sys.executable, "-c", textwrap.dedent(script), stdin=pipe, stdout=pipe)
    yield made
    made.kill()
    await made.wait()


async def killed(world: World, nursery: Nursery, place: str) -> None:
    """A worker of its own relays the tenant's events and is killed at that place."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(f"{PLACES[place]}|{world.tenant.id}\n".encode())
    said = (await asyncio.wait_for(nursery.stdout.readline(), 30)).decode().split()
    assert said[:3] == ["in", "the", "middle"]
    os.kill(int(said[3]), signal.SIGKILL)
    assert await asyncio.wait_for(nursery.stdout.readline(), 30) == b"ended -9\n"


@pytest.mark.parametrize("place", PLACES)
async def test_k1_a_worker_that_is_killed_while_issuing_leaves_one_certificate_one_mail_and_its_document(
    acme: World, nursery: Nursery, place: str
) -> None:
    learner = await acme.person()
    await complete(acme, await acme.course("Historia"), learner)
    if place == "told":  # the mails of before are not what this is about
        await acme.as_owner("UPDATE outbox SET relayed_at = now() WHERE kind = 'enrolled'")
    await killed(acme, nursery, place)
    await acme.application.worker.sweep(0)
    await acme.work()
    [node] = (await acme.ask(MINE, as_=learner))["myCertificates"]["nodes"]
    assert await events(acme, "certificate_issued") == 1
    subjects = [str(mail["Subject"]) for mail in acme.mailbox.to(learner.email)]
    assert subjects.count("Your certificate of Historia") == 1
    answer = await acme.http.get(node["pdfUrl"].removeprefix("http://learn.test"))
    assert pdf.digest(answer.content) == node["pdfSha256"]
    kept = [*(Path(acme.platform.settings.data_dir) / "files" / str(acme.tenant.id) / "certificates").iterdir()]
    assert [file.name for file in kept] == [f"{node['pdfSha256']}.pdf"]


async def job_of(world: World, answer: dict[str, Any], who: Role = Role.INSTRUCTOR) -> dict[str, Any]:
    """A job after the worker has done it."""
    await world.work()
    job: dict[str, Any] = (await world.ask(JOB, as_=who, id=answer["job"]["id"]))["job"]
    return job


async def finished(world: World, names: list[str]) -> tuple[Any, list[Person]]:
    """A course that these people completed while it gave no certificates."""
    course_id = await world.course("Primeros auxilios")
    await template(world, course_id, isEnabled=False)
    people = [await world.person(name=name) for name in names]
    for person in people:
        await complete(world, course_id, person)
    await world.work()
    await template(world, course_id, isEnabled=True)
    return course_id, people


async def test_k9_all_that_was_earned_is_issued_as_one_job_that_says_what_became_of_each(acme: World) -> None:
    course_id, people = await finished(acme, ["Ana", "Benja", "Cami", "Dani"])
    await issue(acme, course_id, people[0])
    await enrol(acme, course_id, await acme.person(name="Not done"))
    await acme.as_owner(
        f"""INSERT INTO certificate_exceptions (course_id, user_id, kind, reason)
            VALUES ('{course_id}', '{people[3].user_id}', 'invalidate', 'cheated')"""
    )
    input = {"courseId": acme.id("crs", course_id)}
    dry = await acme.ask(ISSUE_MANY, as_=Role.INSTRUCTOR, input={**input, "isDryRun": True})
    rehearsed = await job_of(acme, dry["issueCertificates"])
    assert (rehearsed["isDryRun"], rehearsed["figures"]) == (True, [{"name": "issued", "value": 0}])
    assert await acme.as_owner("SELECT count(*) FROM certificates") == [(1,)]
    done = await job_of(acme, (await acme.ask(ISSUE_MANY, as_=Role.INSTRUCTOR, input=input))["issueCertificates"])
    expected = [
        {"label": "Benja", "status": "DONE", "code": None, "message": None},
        {"label": "Cami", "status": "DONE", "code": None, "message": None},
        {
            "label": "Dani", "status": "FAILED", "code": "INVALIDATED",
            "message": "this learner is on the course's list of those who get no certificate",
        },
    ]  # fmt: skip
    assert rehearsed["items"]["nodes"] == done["items"]["nodes"] == expected
    assert done["figures"] == [{"name": "issued", "value": 2}]
    for person in people[1:3]:
        [node] = (await acme.ask(MINE, as_=person))["myCertificates"]["nodes"]
        assert len(node["pdfSha256"]) == 64
        assert any("certificate of" in str(mail["Subject"]) for mail in acme.mailbox.to(person.email))


async def test_k9_nothing_to_issue_is_said_and_other_peoples_courses_are_not_touched(acme: World) -> None:
    course_id = await acme.course()
    input = {"courseId": acme.id("crs", course_id)}
    answer = (await acme.ask(ISSUE_MANY, as_=Role.INSTRUCTOR, input=input))["issueCertificates"]
    assert answer == {"__typename": "ConflictProblem", "code": "NOTHING_TO_DO"}
    other = (await acme.ask(ISSUE_MANY, as_=await acme.person(Role.INSTRUCTOR), input=input))["issueCertificates"]
    assert other["code"] == "FORBIDDEN"


async def test_k9_many_are_revoked_as_one_job_with_one_reason(acme: World) -> None:
    course_id, people = await finished(acme, ["Ana", "Benja", "Cami"])
    made = [await issue(acme, course_id, person) for person in people]
    await acme.ask(REVOKE, as_=Role.INSTRUCTOR, input={"id": made[0]["id"], "reason": "earlier"})
    await acme.ask(REISSUE, as_=Role.INSTRUCTOR, input={"id": made[1]["id"], "reason": "new name"})
    input = {"ids": [each["id"] for each in made], "reason": "the exam leaked"}
    done = await job_of(acme, (await acme.ask(REVOKE_MANY, as_=Role.INSTRUCTOR, input=input))["revokeCertificates"])
    assert [(item["label"], item["status"], item["code"]) for item in done["items"]["nodes"]] == [
        ("Ana", "SKIPPED", None), ("Benja", "FAILED", "SUPERSEDED"), ("Cami", "DONE", None),
    ]  # fmt: skip
    assert done["figures"] == [{"name": "revoked", "value": 1}]
    acts = await acme.as_owner("SELECT reason FROM audit_log WHERE action = 'certificate.revoke' ORDER BY id")
    assert acts == [("earlier",), ("the exam leaked",)]
    assert (await verify(acme, made[2]["code"]))["standing"] == "REVOKED"


async def test_k9_revoking_many_needs_a_reason_and_certificates_of_ones_own_courses(acme: World) -> None:
    made = await certified(acme, await acme.course())
    bad = (await acme.ask(REVOKE_MANY, as_=Role.INSTRUCTOR, input={"ids": [], "reason": ""}))["revokeCertificates"]
    assert bad["fields"] == [
        {"path": "input.reason", "code": "TOO_SHORT"}, {"path": "input.ids", "code": "OUT_OF_RANGE"},
    ]  # fmt: skip
    input = {"ids": [made["id"]], "reason": "because"}
    other = await acme.person(Role.INSTRUCTOR)
    assert (await acme.ask(REVOKE_MANY, as_=other, input=input))["revokeCertificates"]["code"] == "NOT_FOUND"
    assert (await verify(acme, made["code"]))["standing"] == "VALID"


async def test_two_who_reissue_at_once_make_one_successor(acme: World) -> None:
    made = await certified(acme, await acme.course())
    asked = {"id": made["id"], "reason": "new name"}
    answers = await asyncio.gather(*(acme.ask(REISSUE, as_=Role.INSTRUCTOR, input=asked) for _ in range(6)))
    kinds = sorted(answer["reissueCertificate"]["__typename"] for answer in answers)
    assert kinds == ["CertificateSuccess"] + ["ConflictProblem"] * 5
    assert await acme.as_owner("SELECT state, count(*) FROM certificates GROUP BY 1 ORDER BY 1") == [
        ("issued", 1), ("superseded", 1),
    ]  # fmt: skip


async def test_an_invalidation_and_clicks_at_the_same_time_never_leave_a_certificate_that_counts(acme: World) -> None:
    learner, course_id = await acme.person(), await acme.course()
    await complete(acme, course_id, learner)
    asked = {
        "courseId": acme.id("crs", course_id), "userId": learner.id, "kind": "INVALIDATE", "reason": "cheated",
    }  # fmt: skip
    clicks = [acme.ask(ISSUE, as_=learner, input={"courseId": asked["courseId"]}) for _ in range(8)]
    half = len(clicks) // 2
    await asyncio.gather(*clicks[:half], acme.ask(EXCEPT, as_=Role.INSTRUCTOR, input=asked), *clicks[half:])
    await acme.work()
    assert await acme.as_owner("SELECT count(*) FROM certificates WHERE state = 'issued'") == [(0,)]


async def test_revoking_reissuing_and_issuing_at_once_never_waits_in_a_circle(acme: World) -> None:
    course_id = await acme.course()
    made = await certified(acme, course_id)
    asked = {"id": made["id"], "reason": "all at once"}
    answers = await asyncio.gather(
        *(acme.ask(query, as_=Role.INSTRUCTOR, input=asked) for query in (REVOKE, REISSUE) * 4),
        *(acme.post("{ myCertificates { totalCount } }", as_=Role.STUDENT) for _ in range(4)),
    )
    codes = {
        found.get("code")
        for answer in answers
        for found in answer.values()
        if isinstance(found, dict) and found.get("__typename") != "CertificateSuccess"
    }
    assert codes <= {"SUPERSEDED", "NOT_ISSUED", None}
    assert (await acme.as_owner("SELECT count(*) FROM certificates WHERE state <> 'superseded'")) == [(1,)]
