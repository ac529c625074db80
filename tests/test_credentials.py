"""Certificates, asked through GraphQL on real PostgreSQL: who gets one, what it states, what becomes of it."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from uuid import UUID

from app.db.outbox import publish
from app.viewer import Role
from tests.certified import (
    ELIGIBLE,
    EXCEPT,
    ISSUE,
    MINE,
    REINSTATE,
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
from tests.mailbox import text_of
from tests.world import Person, World

CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{28}")


async def count(world: World) -> int:
    return int((await world.as_owner("SELECT count(*) FROM certificates"))[0][0])


async def say_score(world: World, score: str, course_id: UUID) -> None:
    """Grade the course's only learner, who has one item of 100 points."""
    [[user_id]] = await world.as_owner(f"SELECT user_id FROM enrollments WHERE course_id = '{course_id}'")
    [[teacher]] = await world.as_owner(f"SELECT user_id FROM course_instructors WHERE course_id = '{course_id}'")
    item = f"md5('{course_id}')::uuid"
    await world.as_owner(
        f"""INSERT INTO grade_items (id, course_id, title, points) VALUES ({item}, '{course_id}', 'Control', 100)
            ON CONFLICT DO NOTHING;
            INSERT INTO grades (item_id, user_id, course_id, points, graded_by, graded_at)
            VALUES ({item}, '{user_id}', '{course_id}', {score}, '{teacher}', now())
            ON CONFLICT (item_id, user_id) DO UPDATE SET points = excluded.points"""
    )
    async with world.operation().write() as tx:
        await publish(tx, "grade_changed", {"course_id": str(course_id), "user_id": str(user_id)})
    await world.application.worker.relay_tenant(tenant_id=str(world.tenant.id))


async def test_completing_a_course_gives_a_certificate_a_document_and_one_mail(acme: World) -> None:
    learner = await acme.person(name="María José Ñandú", locale="es")
    course_id = await acme.course("Álgebra lineal")
    made = await certified(acme, course_id, learner)
    assert CODE.fullmatch(made["code"])
    assert made["standing"] == "VALID"
    assert made["facts"] == {
        "learnerName": "María José Ñandú", "courseTitle": "Álgebra lineal", "courseRevision": 1,
        "organisation": acme.tenant.name, "basis": "COMPLETION", "score": None, "hours": None,
        "completedAt": made["facts"]["completedAt"], "templateVersion": 0,
    }  # fmt: skip
    assert made["facts"]["completedAt"] <= made["issuedAt"]
    mails = [mail for mail in acme.mailbox.to(learner.email) if "certificado de" in str(mail["Subject"])]
    assert [str(mail["Subject"]) for mail in mails] == ["Tu certificado de Álgebra lineal"]
    assert made["verifyUrl"] in text_of(mails[0])
    mine = (await acme.ask(MINE, as_=learner))["myCertificates"]
    assert (mine["totalCount"], mine["nodes"][0]["id"]) == (1, made["id"])
    assert len(mine["nodes"][0]["pdfSha256"]) == 64
    assert await events(acme, "certificate_issued") == 1


async def test_k1_twenty_parallel_clicks_make_one_certificate_one_event_and_one_mail(acme: World) -> None:
    learner = await acme.person()
    course_id = await acme.course("Historia")
    await complete(acme, course_id, learner)
    clicks = (issue(acme, course_id, learner) for _ in range(20))
    relay = acme.application.worker.relay_tenant(tenant_id=str(acme.tenant.id))
    found, _ = await asyncio.gather(asyncio.gather(*clicks), relay)
    assert len({each["id"] for each in found}) == 1
    await acme.work()
    assert (await count(acme), await events(acme, "certificate_issued")) == (1, 1)
    subjects = [str(mail["Subject"]) for mail in acme.mailbox.to(learner.email)]
    assert subjects.count("Your certificate of Historia") == 1


async def test_k2_the_code_stays_the_same_when_revoked_and_reinstated(acme: World) -> None:
    made = await certified(acme, await acme.course())
    revoked = await acme.ask(REVOKE, as_=Role.INSTRUCTOR, input={"id": made["id"], "reason": "copied the project"})
    assert revoked["revokeCertificate"]["certificate"] == {
        "id": made["id"], "code": made["code"], "standing": "REVOKED", "revokedReason": "copied the project",
    }  # fmt: skip
    public = await verify(acme, made["code"])
    assert (public["standing"], public["revokedAt"] is not None) == ("REVOKED", True)
    back = await acme.ask(REINSTATE, as_=Role.INSTRUCTOR, input={"id": made["id"], "reason": "it was a mistake"})
    assert back["reinstateCertificate"]["certificate"]["code"] == made["code"]
    assert (await verify(acme, made["code"]))["standing"] == "VALID"
    acts = await acme.as_owner("SELECT action, reason FROM audit_log ORDER BY id")
    assert acts == [("certificate.revoke", "copied the project"), ("certificate.reinstate", "it was a mistake")]


async def test_k2_unknown_codes_and_those_of_another_tenant_look_alike(acme: World, globex: World) -> None:
    made = await certified(acme, await acme.course())
    answers = [
        (await globex.send(query, code=code)).json()["data"]
        for query in ["query($code: String!) { verifyCertificate(code: $code) { code standing } }"]
        for code in (made["code"], "0" * 28, "nonsense", "")
    ]
    assert answers == [{"verifyCertificate": None}] * 4
    [page, other] = [
        await globex.http.get(f"/verify/{code}", params={"tenant": globex.tenant.slug})
        for code in (made["code"], "0" * 28)
    ]
    assert (page.status_code, other.status_code) == (404, 404)
    assert page.content == other.content


async def test_k2_codes_are_read_as_people_type_them(acme: World) -> None:
    made = await certified(acme, await acme.course())
    typed = "-".join(made["code"][n : n + 4] for n in range(0, 28, 4)).lower().replace("0", "o").replace("1", "l")
    assert (await verify(acme, f" {typed} "))["code"] == made["code"]


async def test_k2_who_tries_codes_in_vain_has_to_wait(acme: World) -> None:
    query = "query($code: String!) { verifyCertificate(code: $code) { code } }"
    made = await certified(acme, await acme.course())
    codes = set()
    for _ in range(25):
        answer = await acme.post(query, code="0" * 28)
        codes |= {error["extensions"]["code"] for error in answer.get("errors", [])}
    assert codes == {"RATE_LIMITED"}
    blocked = await acme.post(query, code=made["code"])
    assert blocked["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    page = await acme.http.get(f"/verify/{made['code']}", params={"tenant": acme.tenant.slug})
    assert page.status_code == 429


async def test_k3_facts_are_frozen_and_a_reissue_supersedes_with_a_link(acme: World) -> None:
    learner = await acme.person(name="Ana Before")
    course_id = await acme.course("Before")
    made = await certified(acme, course_id, learner)
    await acme.as_owner(f"UPDATE members SET full_name = 'Ana After' WHERE user_id = '{learner.user_id}'")
    await acme.as_owner(f"UPDATE courses SET title = 'After', version = 9 WHERE id = '{course_id}'")
    same = await issue(acme, course_id, learner)
    assert (same["id"], same["facts"]["learnerName"], same["facts"]["courseTitle"]) == (
        made["id"],
        "Ana Before",
        "Before",
    )
    answer = await acme.ask(REISSUE, as_=Role.INSTRUCTOR, input={"id": made["id"], "reason": "change of name"})
    newer = answer["reissueCertificate"]["certificate"]
    assert (newer["standing"], newer["facts"]["learnerName"]) == ("VALID", "Ana After")
    assert newer["code"] != made["code"]
    query = "query($id: ID!) { certificate(id: $id) { standing facts { learnerName } successor { id } } }"
    old = (await acme.ask(query, as_=learner, id=made["id"]))["certificate"]
    assert old == {"standing": "SUPERSEDED", "facts": {"learnerName": "Ana Before"}, "successor": {"id": newer["id"]}}
    again = await acme.ask(REISSUE, as_=Role.INSTRUCTOR, input={"id": made["id"], "reason": "once more"})
    assert again["reissueCertificate"]["code"] == "SUPERSEDED"
    assert (await issue(acme, course_id, learner))["id"] == newer["id"]
    page = await acme.http.get(made["verifyUrl"].replace("http://learn.test", ""))
    assert newer["code"] in page.text


async def test_k4_a_fallen_score_is_kept_flagged_or_revoked_as_the_template_says(acme: World) -> None:
    standings = {}
    for policy in ("KEEP", "FLAG", "REVOKE"):
        learner, course_id = await acme.person(), await acme.course(policy)
        await template(acme, course_id, minScore="60", scorePolicy=policy)
        await enrol(acme, course_id, learner)
        await say_score(acme, "80", course_id)
        made = await certified(acme, course_id, learner)
        assert (made["facts"]["score"], made["facts"]["basis"]) == ("80", "SCORE")
        await say_score(acme, "59.99", course_id)
        query = "query($id: ID!) { certificate(id: $id) { standing flaggedAt revokedReason facts { score } } }"
        found = (await acme.ask(query, as_=learner, id=made["id"]))["certificate"]
        standings[policy] = (found["standing"], found["flaggedAt"] is not None, found["revokedReason"])
        assert found["facts"] == {"score": "80"}
    assert standings == {
        "KEEP": ("VALID", False, None),
        "FLAG": ("VALID", True, None),
        "REVOKE": ("REVOKED", False, "the score fell below the pass mark"),
    }


async def test_k4_a_flag_goes_when_the_score_is_back_and_exceptions_are_never_revoked_by_a_rule(acme: World) -> None:
    learner, flagging, revoking = await acme.person(), await acme.course("F"), await acme.course("R")
    await template(acme, flagging, minScore="60", scorePolicy="FLAG")
    await template(acme, revoking, minScore="60", scorePolicy="REVOKE")
    flagged, allowed = await certified(acme, flagging, learner), await certified(acme, revoking, learner)
    await acme.ask(
        EXCEPT,
        as_=Role.INSTRUCTOR,
        input={"courseId": acme.id("crs", revoking), "userId": learner.id, "kind": "ALLOW", "reason": "excused"},
    )
    query = "query($id: ID!) { certificate(id: $id) { standing flaggedAt } }"
    for score, is_flagged in (("10", True), ("70", False)):
        await say_score(acme, score, flagging)
        await say_score(acme, score, revoking)
        found = (await acme.ask(query, as_=learner, id=flagged["id"]))["certificate"]
        assert (found["flaggedAt"] is not None) is is_flagged
        assert (await acme.ask(query, as_=learner, id=allowed["id"]))["certificate"]["standing"] == "VALID"


async def test_k5_without_a_score_a_pass_mark_is_missed_by_nobody_and_the_basis_says_so(acme: World) -> None:
    course_id = await acme.course()
    await template(acme, course_id, minScore="60")
    made = await certified(acme, course_id)
    assert (made["facts"]["score"], made["facts"]["basis"]) == (None, "COMPLETION")


async def test_a_certificate_that_is_not_earned_is_refused_with_everything_that_is_missing(acme: World) -> None:
    course_id = await acme.course()
    input = {"courseId": acme.id("crs", course_id)}
    missing = await acme.ask(ISSUE, as_=Role.STUDENT, input=input)
    assert (missing["issueCertificate"]["__typename"], missing["issueCertificate"]["code"]) == (
        "NotFoundProblem",
        "NOT_FOUND",
    )
    await enrol(acme, course_id)
    await template(acme, course_id, minScore="60", isEnabled=False)
    await say_score(acme, "12.5", course_id)
    refused = (await acme.ask(ISSUE, as_=Role.STUDENT, input=input))["issueCertificate"]
    assert refused["__typename"] == "CertificateNotEarnedProblem"
    assert refused["code"] == "CERTIFICATES_OFF"
    assert refused["reasons"] == [
        {"code": "CERTIFICATES_OFF", "message": "this course gives no certificates"},
        {"code": "NOT_COMPLETED", "message": "the course is not completed; finish its required lessons first"},
        {"code": "SCORE_TOO_LOW", "message": "the score is 12.5 and the certificate needs 60"},
    ]
    eligibility = (await acme.ask(ELIGIBLE, as_=Role.STUDENT, id=input["courseId"]))["certificateEligibility"]
    assert eligibility == {"isEligible": False, "reasons": refused["reasons"]}
    assert await count(acme) == 0


async def test_the_invalidation_list_blocks_everything_and_takes_back_what_there_is(acme: World) -> None:
    learner, course_id = await acme.person(), await acme.course()
    made = await certified(acme, course_id, learner)
    asked = {"courseId": acme.id("crs", course_id), "userId": learner.id, "reason": "cheated in the exam"}
    answer = await acme.ask(EXCEPT, as_=Role.INSTRUCTOR, input={**asked, "kind": "INVALIDATE"})
    assert answer["setCertificateException"]["eligibility"] == {
        "isEligible": False, "reasons": [{"code": "INVALIDATED"}, {"code": "REVOKED"}],
    }  # fmt: skip
    assert (await verify(acme, made["code"]))["standing"] == "REVOKED"
    back = await acme.ask(REINSTATE, as_=Role.ADMIN, input={"id": made["id"], "reason": "please"})
    assert back["reinstateCertificate"]["code"] == "INVALIDATED"
    again = await acme.ask(ISSUE, as_=learner, input={"courseId": asked["courseId"]})
    assert again["issueCertificate"]["code"] == "INVALIDATED"


async def test_who_is_allowed_needs_neither_completion_nor_score(acme: World) -> None:
    learner, course_id = await acme.person(), await acme.course()
    await enrol(acme, course_id, learner)
    asked = {"courseId": acme.id("crs", course_id), "userId": learner.id, "kind": "ALLOW", "reason": "prior learning"}
    answer = await acme.ask(EXCEPT, as_=Role.INSTRUCTOR, input=asked)
    assert answer["setCertificateException"]["eligibility"] == {"isEligible": True, "reasons": []}
    made = await issue(acme, course_id, learner)
    assert (made["facts"]["basis"], made["facts"]["completedAt"]) == ("EXCEPTION", None)
    query = """mutation($input: RemoveCertificateExceptionInput!) { removeCertificateException(input: $input) {
        ... on CertificateExceptionSuccess { eligibility { reasons { code } } } ... on Problem { code } } }"""
    less = {"courseId": asked["courseId"], "userId": learner.id}
    removed = await acme.ask(query, as_=Role.INSTRUCTOR, input=less)
    assert removed["removeCertificateException"]["eligibility"] == {"reasons": [{"code": "NOT_COMPLETED"}]}
    assert (await acme.ask(query, as_=Role.INSTRUCTOR, input=less))["removeCertificateException"]["code"] == "NOT_FOUND"
    assert (await verify(acme, made["code"]))["standing"] == "VALID"


async def test_a_revoked_certificate_is_not_issued_anew(acme: World) -> None:
    course_id = await acme.course()
    made = await certified(acme, course_id)
    await acme.ask(REVOKE, as_=Role.INSTRUCTOR, input={"id": made["id"], "reason": "checked again"})
    refused = await acme.ask(ISSUE, as_=Role.STUDENT, input={"courseId": acme.id("crs", course_id)})
    assert refused["issueCertificate"]["code"] == "REVOKED"
    assert await count(acme) == 1


async def test_k6_completing_the_course_again_opens_a_new_cycle(acme: World) -> None:
    course_id = await acme.course()
    first = await certified(acme, course_id)
    await acme.as_owner("UPDATE enrollments SET cycle = 2, completed_at = NULL, status = 'active'")
    await acme.as_owner("DELETE FROM lesson_progress")
    refused = await acme.ask(ISSUE, as_=Role.STUDENT, input={"courseId": acme.id("crs", course_id)})
    assert refused["issueCertificate"]["code"] == "NOT_COMPLETED"
    second = await certified(acme, course_id)
    assert (first["cycle"], second["cycle"]) == (1, 2)
    assert second["code"] != first["code"]
    assert (await verify(acme, first["code"]))["standing"] == "VALID"


async def test_k6_a_certificate_of_a_former_cycle_can_be_reissued_with_what_was_done_then(acme: World) -> None:
    learner = await acme.person(name="Ana Before")
    course_id = await acme.course()
    first = await certified(acme, course_id, learner)
    await acme.as_owner("UPDATE enrollments SET cycle = 2, completed_at = NULL, status = 'active'")
    await acme.as_owner(f"UPDATE members SET full_name = 'Ana After' WHERE user_id = '{learner.user_id}'")
    answer = await acme.ask(REISSUE, as_=Role.INSTRUCTOR, input={"id": first["id"], "reason": "change of name"})
    newer = answer["reissueCertificate"]["certificate"]
    query = "query($id: ID!) { certificate(id: $id) { cycle facts { learnerName completedAt basis } } }"
    assert (await acme.ask(query, as_=learner, id=newer["id"]))["certificate"] == {
        "cycle": 1,
        "facts": {
            "learnerName": "Ana After", "completedAt": first["facts"]["completedAt"], "basis": "COMPLETION",
        },
    }  # fmt: skip


async def test_k6_a_term_ends_after_a_time_of_grace(acme: World) -> None:
    course_id = await acme.course()
    await template(acme, course_id, validityMonths=24, graceDays=30)
    made = await certified(acme, course_id)
    standings = []
    for passed in ("-1 day", "1 day", "31 days"):
        await acme.as_owner(f"UPDATE certificates SET valid_until = now() - interval '{passed}'")
        standings.append((await verify(acme, made["code"]))["standing"])
    assert standings == ["VALID", "GRACE", "EXPIRED"]


async def test_k6_reminders_come_a_week_and_a_day_before_and_once(acme: World) -> None:
    learner = await acme.person()
    course_id = await acme.course("Primeros auxilios")
    await template(acme, course_id, validityMonths=24)
    await certified(acme, course_id, learner)
    sent = []
    for left in ("8 days", "6 days", "6 days", "20 hours", "20 hours", "-1 hour"):
        await acme.as_owner(f"UPDATE certificates SET valid_until = now() + interval '{left}'")
        ticks = (acme.application.worker.tick_tenant(tenant_id=str(acme.tenant.id)) for _ in range(3))
        await asyncio.gather(*ticks)
        await acme.work()
        sent.append(await events(acme, "certificate_expiring"))
    assert sent == [0, 1, 1, 2, 2, 2]
    subjects = [str(mail["Subject"]) for mail in acme.mailbox.to(learner.email) if " ends " in str(mail["Subject"])]
    assert subjects == [
        "Your certificate of Primeros auxilios ends in 7 days",
        "Your certificate of Primeros auxilios ends tomorrow",
    ]


async def test_k9_deleting_a_course_deletes_no_certificate(acme: World) -> None:
    course_id = await acme.course("Gone")
    made = await certified(acme, course_id)
    query = "mutation($input: CourseIdInput!) { deleteCourse(input: $input) { __typename } }"
    await acme.ask(query, as_=Role.INSTRUCTOR, input={"id": acme.id("crs", course_id)})
    assert (await verify(acme, made["code"]))["facts"]["courseTitle"] == "Gone"
    found = await acme.ask(
        "query($id: ID!) { certificate(id: $id) { course { id } } }", as_=Role.STUDENT, id=made["id"]
    )
    assert found["certificate"] == {"course": None}


async def test_k9_revoking_needs_a_reason(acme: World) -> None:
    made = await certified(acme, await acme.course())
    refused = await acme.ask(REVOKE, as_=Role.INSTRUCTOR, input={"id": made["id"], "reason": " "})
    assert refused["revokeCertificate"]["fields"] == [{"path": "input.reason", "code": "TOO_SHORT"}]
    assert (await verify(acme, made["code"]))["standing"] == "VALID"


async def test_certificates_are_seen_by_their_learner_and_by_those_who_run_the_course(
    acme: World, globex: World
) -> None:
    made = await certified(acme, await acme.course())
    query = "query($id: ID!) { certificate(id: $id) { id } node(id: $id) { id } }"
    seen = {"certificate": {"id": made["id"]}, "node": {"id": made["id"]}}
    hidden = {"certificate": None, "node": None}
    other_teacher = await acme.person(Role.INSTRUCTOR)
    for who, expected in (
        (Role.STUDENT, seen), (Role.INSTRUCTOR, seen), (Role.ADMIN, seen), (Role.ANALYST, hidden),
        (await acme.person(), hidden), (other_teacher, hidden),
    ):  # fmt: skip
        assert await acme.ask(query, as_=who, id=made["id"]) == expected
    assert await globex.ask(query, as_=Role.ADMIN, id=made["id"]) == hidden
    listing = "{ certificates { totalCount nodes { id } } }"
    assert (await acme.ask(listing, as_=Role.INSTRUCTOR))["certificates"]["totalCount"] == 1
    assert (await acme.ask(listing, as_=other_teacher))["certificates"] == {"totalCount": 0, "nodes": []}
    assert (await globex.ask(listing, as_=Role.ADMIN))["certificates"]["totalCount"] == 0
    refused = await acme.ask(REVOKE, as_=other_teacher, input={"id": made["id"], "reason": "because"})
    assert refused["revokeCertificate"]["code"] == "NOT_FOUND"


async def test_only_those_who_run_a_course_decide_for_others(acme: World) -> None:
    learner, course_id = await acme.person(), await acme.course()
    await complete(acme, course_id, learner)
    asked = {"courseId": acme.id("crs", course_id), "userId": learner.id}
    for who in (Role.STUDENT, await acme.person(Role.INSTRUCTOR)):
        refused = await acme.ask(ISSUE, as_=who, input=asked)
        assert refused["issueCertificate"]["__typename"] == "ForbiddenProblem"
    made = await acme.ask(ISSUE, as_=Role.INSTRUCTOR, input=asked)
    assert made["issueCertificate"]["certificate"]["standing"] == "VALID"
    assert (await acme.as_owner("SELECT issued_by = user_id FROM certificates")) == [(False,)]


async def test_a_page_of_certificates_is_read_with_few_statements(acme: World) -> None:
    course_id = await acme.course()
    learners: list[Person] = [await acme.person() for _ in range(3)]
    for learner in learners:
        await complete(acme, course_id, learner)
        await issue(acme, course_id, learner)
    query: Any = "{ certificates(first: 3) { nodes { code course { title } user { fullName } successor { id } } } }"
    with acme.counting() as statements:
        data = await acme.ask(query, as_=Role.INSTRUCTOR)
    assert len({node["user"]["fullName"] for node in data["certificates"]["nodes"]}) == 3
    assert statements.touching("certificates") == 1
    assert statements.in_tenant() <= 4


async def test_the_certificates_of_many_courses_are_allowed_in_one_statement(acme: World) -> None:
    learner, statements = await acme.person(), []
    for title in ("A", "B", "C"):
        course_id = await acme.course(title)
        made = await certified(acme, course_id, learner)
        await acme.ask(REISSUE, as_=Role.INSTRUCTOR, input={"id": made["id"], "reason": "change of name"})
        with acme.counting() as counted:
            data = await acme.ask("{ certificates { nodes { code successor { code } } } }", as_=Role.INSTRUCTOR)
        statements.append(counted.in_tenant())
    assert sum(node["successor"] is not None for node in data["certificates"]["nodes"]) == 3
    assert len(set(statements)) == 1, statements
