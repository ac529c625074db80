"""Scores and certificates: what a score decides when it changes, and to whom it is told."""

from __future__ import annotations

from app.viewer import Role
from tests.certified import (
    ELIGIBLE,
    ISSUE,
    MINE,
    REISSUE,
    TEMPLATE,
    certified,
    complete,
    enrol,
    events,
    template,
    verify,
)
from tests.quizzing import School
from tests.test_credentials import count, say_score
from tests.world import World


async def test_k4_a_score_that_falls_after_the_learner_left_is_judged_too(acme: World) -> None:
    standings = {}
    for status in ("completed", "dropped", "suspended"):
        learner, course_id = await acme.person(), await acme.course(status)
        await template(acme, course_id, minScore="60", scorePolicy="REVOKE")
        await enrol(acme, course_id, learner)
        await say_score(acme, "80", course_id)
        made = await certified(acme, course_id, learner)
        await acme.as_owner(f"UPDATE enrollments SET status = '{status}' WHERE course_id = '{course_id}'")
        await say_score(acme, "10", course_id)
        standings[status] = (await verify(acme, made["code"]))["standing"]
    assert set(standings.values()) == {"REVOKED"}, standings


async def test_k4_a_flag_stays_with_the_certificate_that_replaces_a_flagged_one(acme: World) -> None:
    learner, course_id = await acme.person(), await acme.course()
    await template(acme, course_id, minScore="60", scorePolicy="FLAG")
    await enrol(acme, course_id, learner)
    await say_score(acme, "80", course_id)
    made = await certified(acme, course_id, learner)
    await say_score(acme, "10", course_id)
    query = "query($id: ID!) { certificate(id: $id) { flaggedAt } }"
    before = (await acme.ask(query, as_=Role.INSTRUCTOR, id=made["id"]))["certificate"]
    answer = await acme.ask(REISSUE, as_=Role.INSTRUCTOR, input={"id": made["id"], "reason": "change of name"})
    newer = answer["reissueCertificate"]["certificate"]["id"]
    assert before["flaggedAt"] is not None
    assert (await acme.ask(query, as_=Role.INSTRUCTOR, id=newer))["certificate"] == before


async def test_k1_a_score_that_becomes_enough_after_the_completion_gives_the_certificate(acme: World) -> None:
    learner, course_id = await acme.person(), await acme.course()
    await template(acme, course_id, minScore="60")
    await enrol(acme, course_id, learner)
    await say_score(acme, "59", course_id)
    await complete(acme, course_id, learner)
    await acme.work()
    assert await count(acme) == 0
    await say_score(acme, "60", course_id)
    await say_score(acme, "61", course_id)
    [node] = (await acme.ask(MINE, as_=learner))["myCertificates"]["nodes"]
    assert (await verify(acme, node["code"]))["facts"]["score"] == "60"
    assert await events(acme, "certificate_issued") == 1


async def test_q8_what_a_certificate_lacks_does_not_tell_a_score_that_is_not_shown_yet(acme: World) -> None:
    school = await School.of(acme)
    learner = await school.learner()
    quiz = await school.quiz(visibility="NEVER")
    await school.world.ask(TEMPLATE, as_=school.teacher, input={"courseId": school.course, "minScore": "90"})
    await school.attempted(quiz, learner, 1, 2)
    told = {}
    for who, more in ((learner, {}), (school.teacher, {"user": learner.id})):
        found = await school.world.ask(ELIGIBLE, as_=who, id=school.course, **more)
        told[who] = [reason["message"] for reason in found["certificateEligibility"]["reasons"][1:]]
    assert told[learner] == ["the score is lower than the certificate needs"]
    assert told[school.teacher] == ["the score is 50 and the certificate needs 90"]
    refused = await school.world.ask(ISSUE, as_=learner, input={"courseId": school.course})
    assert "50" not in str(refused)
