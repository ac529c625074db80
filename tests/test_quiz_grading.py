"""Grading: what learners see and when, graders, kept scores, late work, regrades, frozen grades (Q8-Q12, Q18)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.assessment import bodies
from app.assessment.regrade import RegradeHandler
from app.work.running import Runner
from tests.enrolling import settle
from tests.mailbox import text_of
from tests.quizzing import GRADE, PROBLEM, SEE, START, School, choose, single, write
from tests.world import Person, World

REGRADE = f"""mutation($input: RegradeQuizInput!) {{ regradeQuiz(input: $input) {{ __typename
  ... on JobSuccess {{ job {{ id isDryRun totalCount }} }} {PROBLEM} }} }}"""
JOB = """query($id: ID!) { job(id: $id) { state doneCount skippedCount failedCount figures { name value }
  items(first: 100) { nodes { label status code message } } } }"""
SCORE = "query($id: ID!) { quiz(id: $id) { myScore { score possible percent isPassed isFinal attempts } } }"


@pytest.fixture
async def school(acme: World) -> School:
    return await School.of(acme)


async def score(school: School, quiz: str, who: Person) -> Any:
    return (await school.world.ask(SCORE, as_=who, id=quiz))["quiz"]["myScore"]


async def kept(school: School) -> list[str]:
    return [str(row[0]) for row in await school.world.as_owner("SELECT score::float FROM quiz_scores ORDER BY user_id")]


def hidden(attempt: dict[str, Any]) -> bool:
    shown = [attempt["score"], attempt["percent"], attempt["penalty"], *(q["result"] for q in attempt["questions"])]
    return not attempt["resultsVisible"] and shown == [None] * len(shown)


async def test_q8_results_after_the_last_attempt_cannot_be_seen_by_beginning_it(school: School) -> None:
    quiz = await school.quiz(visibility="AFTER_LAST_ATTEMPT", attemptsAllowed=2)
    ana = await school.learner()
    first = await school.attempted(quiz, ana, 1, 2)
    assert hidden(first)
    second = await school.start(quiz, ana)
    assert hidden(await school.read(first, ana))
    assert await score(school, quiz, ana) is None
    last = (await school.submit(second, ana, choose(1, "b")))["attempt"]
    assert (last["resultsVisible"], last["score"]) == (True, "0")
    assert (await school.read(first, ana))["score"] == "1"
    assert (await score(school, quiz, ana))["score"] == "1"


async def test_q8_results_after_submitting_are_hidden_again_while_another_attempt_is_open(school: School) -> None:
    quiz = await school.quiz()
    ana = await school.learner()
    first = await school.attempted(quiz, ana, 1, 2)
    assert first["resultsVisible"]
    again = await school.start(quiz, ana)
    assert hidden(await school.read(first, ana))
    await school.submit(again, ana)
    assert (await school.read(first, ana))["resultsVisible"]


async def test_q8_results_after_closing_and_never(school: School) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    quiz = await school.quiz(visibility="AFTER_CLOSE", closeAt=soon.isoformat())
    never = await school.quiz(visibility="NEVER", attemptsAllowed=1)
    ana = await school.learner()
    one, other = await school.attempted(quiz, ana, 2, 2), await school.attempted(never, ana, 2, 2)
    assert hidden(one)
    assert hidden(other)
    await school.change("updateQuiz", id=quiz, closeAt=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    assert (await school.read(one, ana))["score"] == "2"
    assert hidden(await school.read(other, ana))
    assert await score(school, never, ana) is None
    assert (await school.read(other, school.teacher))["score"] == "2"


async def test_q8_results_that_are_shown_once_are_shown_to_one_of_two_tabs(school: School) -> None:
    quiz = await school.quiz(visibility="ONE_TIME")
    ana = await school.learner()
    open_one = await school.start(quiz, ana)
    assert (await school.do(SEE, ana, attemptId=open_one["id"]))["code"] == "RESULTS_HIDDEN"
    attempt = (await school.submit(open_one, ana, choose(1, "a")))["attempt"]
    assert hidden(attempt)
    again = await school.start(quiz, ana)
    assert (await school.do(SEE, ana, attemptId=attempt["id"]))["code"] == "RESULTS_HIDDEN"
    await school.submit(again, ana)
    answers = await asyncio.gather(*(school.do(SEE, ana, attemptId=attempt["id"]) for _ in range(6)))
    seen = [answer for answer in answers if answer["__typename"] == "AttemptSuccess"]
    assert [answer["attempt"]["score"] for answer in seen] == ["1"]
    assert {answer["code"] for answer in answers if answer not in seen} == {"RESULTS_SEEN"}
    assert hidden(await school.read(attempt, ana))
    assert (await score(school, quiz, ana))["score"] == "1"


async def test_q8_no_answer_to_a_learner_holds_a_key_or_feedback(school: School) -> None:
    quiz = await school.quiz(visibility="NEVER")
    ana = await school.learner()
    attempt = await school.attempted(quiz, ana, 0, 2)
    everything = str([attempt, await school.read(attempt, ana)])
    assert "Sí." not in everything
    assert "Era la primera" not in everything
    assert "isRight" not in everything


@pytest.mark.parametrize(("policy", "expected"), [("HIGHEST", "2"), ("LATEST", "0"), ("FIRST", "1"), ("AVERAGE", "1")])
async def test_q9_the_kept_score_follows_its_policy(school: School, policy: str, expected: str) -> None:
    quiz = await school.quiz(keptScore=policy)
    ana = await school.learner()
    for right in (1, 2, 0):
        await school.attempted(quiz, ana, right, 2)
    found = await score(school, quiz, ana)
    assert (found["score"], found["attempts"], found["isFinal"]) == (expected, 3, True)


async def test_q9_changing_the_policy_changes_everybodys_score_at_once(school: School) -> None:
    quiz = await school.quiz(keptScore="HIGHEST")
    ana = await school.learner()
    for right in (2, 1):
        await school.attempted(quiz, ana, right, 2)
    await school.change("updateQuiz", id=quiz, keptScore="LATEST", passPercent="60")
    found = await score(school, quiz, ana)
    assert (found["score"], found["isPassed"]) == ("1", False)
    assert [event["cause"] for event in await school.events("score_changed")] == ["attempt", "settings"]


async def test_q9_an_open_attempt_does_not_lower_the_score(school: School) -> None:
    quiz = await school.quiz(keptScore="LATEST", visibility="ONE_TIME")
    ana = await school.learner()
    await school.attempted(quiz, ana, 2, 2)
    await school.start(quiz, ana)
    assert (await score(school, quiz, ana))["score"] == "2"


async def test_q9_the_lesson_is_completed_by_submitting_and_by_the_score(school: School) -> None:
    await school.world.as_owner("UPDATE lessons SET completion = 'min_score', min_score = 60")
    quiz = await school.quiz(lessonId=school.world.id("lsn", school.lesson_id))
    ana = await school.learner()
    progress = "query($id: ID!) { lesson(id: $id) { quizzes { id } myProgress { state } } }"
    lesson = school.world.id("lsn", school.lesson_id)
    await school.attempted(quiz, ana, 1, 2)
    before = (await school.world.ask(progress, as_=ana, id=lesson))["lesson"]
    assert (before["quizzes"], before["myProgress"]["state"]) == ([{"id": quiz}], "STARTED")
    await school.attempted(quiz, ana, 2, 2)
    after = (await school.world.ask(progress, as_=ana, id=lesson))["lesson"]
    assert after["myProgress"]["state"] == "COMPLETED"
    assert len(await school.events("course_completed")) == 1


async def test_q9_a_lesson_that_gets_a_quiz_later_learns_of_the_scores_there_are(school: School) -> None:
    await school.world.as_owner("UPDATE lessons SET completion = 'min_score', min_score = 60")
    quiz = await school.quiz()
    ana, ben = await school.learner(), await school.learner()
    await school.attempted(quiz, ana, 2, 2)
    await school.attempted(quiz, ben, 1, 2)
    lesson = school.world.id("lsn", school.lesson_id)
    moved = await school.change("updateQuiz", id=quiz, lessonId=lesson)
    assert moved["__typename"] == "QuizSuccess"
    states = []
    for who in (ana, ben):
        progress = "query($id: ID!) { lesson(id: $id) { myProgress { state } } }"
        states.append((await school.world.ask(progress, as_=who, id=lesson))["lesson"]["myProgress"]["state"])
    assert states == ["COMPLETED", "STARTED"]
    assert len(await school.events("course_completed")) == 1


async def essay(school: School, **settings: Any) -> tuple[str, Person, dict[str, Any]]:
    """A quiz of a choice and an essay of ten points, a learner, and their submitted attempt."""
    asked = [await school.question(), await school.question(bodies.Essay(prompt="<p>Explica.</p>"))]
    points = ("1", "10")
    slots = [{"questionId": school.world.id("qst", q), "points": p} for q, p in zip(asked, points, strict=True)]
    quiz = await school.quiz(slots=slots, **settings)
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    return quiz, ana, (await school.submit(attempt, ana, choose(1, "a"), write(2, "Porque sí.")))["attempt"]


async def grade(school: School, attempt: dict[str, Any], slot: int, points: str, **more: Any) -> dict[str, Any]:
    given = {"attemptId": attempt["id"], "slot": slot, "points": points, "expectedVersion": 2, **more}
    return await school.do(GRADE, school.teacher, **given)


async def test_q10_an_attempt_waits_until_everything_is_graded_by_hand(school: School) -> None:
    quiz, ana, attempt = await essay(school, passPercent="50")
    assert (attempt["state"], attempt["score"]) == ("GRADING", None)
    queue = "{ attempts(filter: {toGrade: true}) { totalCount nodes { id user { fullName } } } }"
    waiting = (await school.world.ask(queue, as_=school.teacher))["attempts"]
    assert (waiting["totalCount"], waiting["nodes"][0]["id"]) == (1, attempt["id"])
    assert await score(school, quiz, ana) == {
        "score": None, "possible": "11", "percent": None, "isPassed": None, "isFinal": False, "attempts": 1,
    }  # fmt: skip
    done = await grade(school, attempt, 2, "7.5", comment="<p>Bien.</p>")
    assert (done["attempt"]["state"], done["attempt"]["score"]) == ("GRADED", "8.5")
    seen = await school.read(attempt, ana)
    assert (seen["score"], seen["questions"][1]["result"]["comment"]) == ("8.5", "<p>Bien.</p>")
    found = await score(school, quiz, ana)
    assert (found["percent"], found["isPassed"], found["isFinal"]) == ("77.27", True, True)
    assert (await school.world.ask(queue, as_=school.teacher))["attempts"]["totalCount"] == 0


async def test_q10_of_two_graders_at_once_one_is_told(school: School) -> None:
    _, ana, attempt = await essay(school)
    answers = await asyncio.gather(*(grade(school, attempt, 2, points) for points in ("3", "9", "3", "9")))
    told = [answer for answer in answers if answer["__typename"] == "ConflictProblem"]
    assert len(told) == 3
    assert {answer["code"] for answer in told} == {"VERSION_CONFLICT"}
    [won] = [answer["attempt"] for answer in answers if answer not in told]
    assert (await school.read(attempt, ana))["score"] == won["score"]
    assert await school.world.as_owner("SELECT count(*) FROM audit_log WHERE action = 'attempt.grade'") == [(1,)]
    again = await grade(school, attempt, 2, "5", expectedVersion=3)
    assert again["attempt"]["score"] == "6"


async def test_q10_what_a_grader_added_outlives_a_regrade(school: School) -> None:
    [question] = await school.questions(1)
    quiz = await school.quiz(slots=[{"questionId": school.world.id("qst", question), "points": "4"}])
    ana = await school.learner()
    attempt = await school.attempted(quiz, ana, 0, 1)
    raised = await grade(school, attempt, 1, "1.5")
    assert raised["attempt"]["score"] == "1.5"
    await school.version(question, 2, bodies.Single(choices=(
        bodies.Choice("a", "a", bodies.ONE), bodies.Choice("b", "b", Decimal("0.5")),
    )))  # fmt: skip
    await regrade(school, quiz, {question: "CURRENT_ONLY"})
    assert (await school.read(attempt, ana))["score"] == "3.5"


async def test_q10_what_a_grader_took_never_makes_an_answer_worth_less_than_nothing(school: School) -> None:
    quiz, question, [_, ben] = await wrong_key(school)
    [[attempt_id]] = await school.world.as_owner(f"SELECT id FROM quiz_attempts WHERE user_id = '{ben.user_id}'")
    attempt = {"id": school.world.id("att", attempt_id)}
    assert (await grade(school, attempt, 1, "0"))["attempt"]["score"] == "1"
    await regrade(school, quiz, {question: "CURRENT_ONLY"}, mayLower=True)
    regraded = await school.read(attempt, school.teacher)
    assert (regraded["questions"][0]["result"]["points"], regraded["score"]) == ("0", "1")


async def test_q10_grading_is_never_held_up_by_rules_about_attempts(school: School) -> None:
    quiz, _, attempt = await essay(
        school, attemptsAllowed=1, closeAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat()
    )
    await school.change("updateQuiz", id=quiz, closeAt=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    await school.change("deleteQuiz", id=quiz)
    assert (await grade(school, attempt, 2, "10"))["attempt"]["score"] == "11"


async def test_q10_points_outside_an_open_attempt_and_strangers_are_refused(school: School) -> None:
    quiz, ana, attempt = await essay(school)
    for points in ("-1", "10.1"):
        assert (await grade(school, attempt, 2, points))["fields"] == [{"path": "input.points", "code": "OUT_OF_RANGE"}]
    assert (await grade(school, attempt, 3, "1"))["__typename"] == "NotFoundProblem"
    again = await school.start(quiz, ana)
    assert (await grade(school, again, 1, "1", expectedVersion=1))["code"] == "ATTEMPT_OPEN"
    given = {"attemptId": attempt["id"], "slot": 2, "points": "10", "expectedVersion": 2}
    assert (await school.do(GRADE, ana, **given))["__typename"] == "ForbiddenProblem"
    stranger = await school.world.person(school.teacher.role)
    assert (await school.do(GRADE, stranger, **given))["__typename"] == "NotFoundProblem"
    assert (await school.read(attempt, school.teacher))["score"] is None


async def regrade(school: School, quiz: str, modes: dict[Any, str], **more: Any) -> dict[str, Any]:
    """Run a regrade to its end; the job as the teacher sees it."""
    questions = [{"questionId": school.world.id("qst", key), "mode": mode} for key, mode in modes.items()]
    answer = await school.do(REGRADE, school.teacher, quizId=quiz, questions=questions, **more)
    assert answer["__typename"] == "JobSuccess", answer
    runner = Runner(school.world.platform.database, [RegradeHandler()])
    await runner.run(school.world.tenant.handle, school.raw(answer["job"]["id"]))
    job: dict[str, Any] = (await school.world.ask(JOB, as_=school.teacher, id=answer["job"]["id"]))["job"]
    assert job["state"] == "DONE"
    return job


def figures(job: dict[str, Any]) -> dict[str, int]:
    return {item["name"]: item["value"] for item in job["figures"]}


async def wrong_key(school: School, **settings: Any) -> tuple[str, Any, list[Person]]:
    """A quiz of two questions, of which the first had the wrong key: ``b`` is right now. Ana chose b, Ben a."""
    question, other = await school.questions(2)
    quiz = await school.quiz([question, other], passPercent="60", **settings)
    ana, ben = await school.learner("Ana"), await school.learner("Ben")
    for person, first in ((ana, "b"), (ben, "a")):
        attempt = await school.start(quiz, person)
        await school.submit(attempt, person, choose(1, first), choose(2, "a"))
    await school.version(question, 2, single(right="b", wrong=("a", "c")))
    return quiz, question, [ana, ben]


@pytest.mark.parametrize(
    ("mode", "may_lower", "expected"),
    [
        ("FULL_CREDIT", False, ["2", "2"]),
        ("CURRENT_AND_PREVIOUS", True, ["2", "2"]),
        ("CURRENT_ONLY", False, ["2", "2"]),
        ("CURRENT_ONLY", True, ["2", "1"]),
        ("NONE", True, ["1", "2"]),
    ],
)
async def test_q11_regrading_by_each_mode_twice_is_the_same_as_once(
    school: School, mode: str, may_lower: bool, expected: list[str]
) -> None:
    quiz, question, people = await wrong_key(school)
    first = await regrade(school, quiz, {question: mode}, mayLower=may_lower)
    assert [(await score(school, quiz, person))["score"] for person in people] == expected
    told = await school.events("regraded")
    changed = figures(first)["changed"]
    assert (changed, first["doneCount"], first["skippedCount"], len(told)) == (changed, changed, 2 - changed, changed)
    second = await regrade(school, quiz, {question: mode}, mayLower=may_lower)
    assert (figures(second)["changed"], second["skippedCount"]) == (0, 2)
    assert await school.events("regraded") == told
    assert [(await score(school, quiz, person))["score"] for person in people] == expected


async def test_q11_a_dry_run_says_who_would_pass_and_fail_and_writes_nothing(school: School) -> None:
    quiz, question, people = await wrong_key(school)
    before = await school.world.as_owner("SELECT * FROM attempt_answers ORDER BY 1, 2")
    job = await regrade(school, quiz, {question: "CURRENT_ONLY"}, mayLower=True, isDryRun=True)
    assert figures(job) == {"changed": 2, "raised": 1, "lowered": 1, "newly_passed": 1, "newly_failed": 1}
    said = {node["label"]: node["message"] for node in job["items"]["nodes"]}
    assert said == {
        "Ana": "the score changes from 50.00 to 100.00 %",
        "Ben": "the score changes from 100.00 to 50.00 %",
    }
    assert await school.world.as_owner("SELECT * FROM attempt_answers ORDER BY 1, 2") == before
    assert [(await score(school, quiz, person))["score"] for person in people] == ["1", "2"]
    done = await regrade(school, quiz, {question: "CURRENT_ONLY"}, mayLower=True)
    assert figures(done) == figures(job)


async def test_q11_the_score_before_the_first_regrade_is_kept_for_good(school: School) -> None:
    quiz, question, [ana, _] = await wrong_key(school)
    await regrade(school, quiz, {question: "CURRENT_ONLY"})
    await school.version(question, 3, single(right="c", wrong=("a", "b")))
    await regrade(school, quiz, {question: "CURRENT_ONLY"}, mayLower=True)
    [attempt] = (await school.world.ask("{ myAttempts { nodes { id } } }", as_=ana))["myAttempts"]["nodes"]
    seen = await school.read(attempt, ana)
    assert (seen["score"], seen["scoreBeforeRegrade"]) == ("1", "1")


async def test_q11_a_notice_goes_out_only_where_the_kept_score_changed(school: School) -> None:
    quiz, question, [ana, _] = await wrong_key(school, keptScore="LATEST")
    await school.world.work()
    again = await school.start(quiz, ana)
    await school.submit(again, ana, choose(1, "c"), choose(2, "c"))
    job = await regrade(school, quiz, {question: "CURRENT_ONLY"})
    assert (figures(job)["changed"], await school.events("regraded")) == (0, [])
    before = len(school.world.mailbox.to(ana.email))
    await regrade(school, quiz, {question: "FULL_CREDIT"})
    [event] = await school.events("regraded")
    assert (event["before"], event["after"], event["quiz_title"]) == ("0", "50", "Prueba")
    await school.world.work()
    assert len(school.world.mailbox.to(ana.email)) == before + 1


@pytest.mark.parametrize("visibility", ["NEVER", "AFTER_LAST_ATTEMPT"])
async def test_q8_a_notice_of_a_regrade_tells_no_score_that_is_hidden(school: School, visibility: str) -> None:
    quiz, question, [ana, _] = await wrong_key(school, visibility=visibility, attemptsAllowed=2)
    await school.world.work()
    await regrade(school, quiz, {question: "CURRENT_AND_PREVIOUS"})
    [event] = await school.events("regraded")
    assert (event["before"], event["after"], event["is_passed"]) == (None, None, None)
    await school.world.work()
    [mail] = school.world.mailbox.to(ana.email)
    assert "%" not in text_of(mail)


async def test_q11_regrades_and_submissions_at_once_lose_nothing(school: School) -> None:
    quiz, question, people = await wrong_key(school)
    open_ones = [(await school.start(quiz, person), person) for person in people]
    await asyncio.gather(
        regrade(school, quiz, {question: "FULL_CREDIT"}),
        *(school.submit(attempt, person, choose(1, "c"), choose(2, "a")) for attempt, person in open_ones),
        regrade(school, quiz, {question: "FULL_CREDIT"}),
    )
    await regrade(school, quiz, {question: "FULL_CREDIT"})
    rows = await school.world.as_owner("SELECT score::int FROM quiz_attempts ORDER BY id")
    assert rows == [(2,), (2,), (2,), (2,)]
    assert await kept(school) == ["2.0", "2.0"]


async def test_q11_a_min_score_lesson_is_judged_again(school: School) -> None:
    await school.world.as_owner("UPDATE lessons SET completion = 'min_score', min_score = 60")
    quiz, question, [ana, ben] = await wrong_key(school, lessonId=school.world.id("lsn", school.lesson_id))
    await regrade(school, quiz, {question: "CURRENT_ONLY"}, mayLower=True)
    progress = "query($id: ID!) { lesson(id: $id) { myProgress { state } } }"
    lesson = school.world.id("lsn", school.lesson_id)
    states = [
        (await school.world.ask(progress, as_=who, id=lesson))["lesson"]["myProgress"]["state"] for who in (ana, ben)
    ]
    assert states == ["COMPLETED", "STARTED"]


async def test_q12_a_late_submission_loses_points_and_a_later_due_date_gives_them_back(
    school: School,
) -> None:
    due = datetime.now(UTC) - timedelta(hours=25)
    quiz = await school.quiz(
        [await school.question() for _ in range(10)],
        dueAt=due.isoformat(), lateIntervalSeconds=86_400, latePercent="10",
    )  # fmt: skip
    ana, ben = await school.learner(), await school.learner()
    late = await school.attempted(quiz, ana, 8, 10)
    assert (late["score"], late["penalty"], late["percent"]) == ("6", "2", "60")
    await override(school, quiz, ben, dueAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    excused = await school.attempted(quiz, ben, 8, 10)
    assert (excused["score"], excused["penalty"]) == ("8", "0")
    await school.change("updateQuiz", id=quiz, lateFloorPercent="70")
    assert (await school.read(late, ana))["score"] == "7"
    await override(school, quiz, ana, dueAt=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    forgiven = await school.read(late, ana)
    assert (forgiven["score"], forgiven["penalty"]) == ("7", "1")
    await school.change("updateQuiz", id=quiz, latePercent="5", keptScore="LATEST")
    assert (await school.read(late, ana))["score"] == "7.5"
    assert (await score(school, quiz, ana))["score"] == "7.5"


async def test_q12_however_many_attempts_there_are_all_are_counted_anew(school: School) -> None:
    quiz = await school.quiz()
    ana = await school.learner()
    await school.attempted(quiz, ana, 2, 2)
    await school.world.as_owner(
        f"""INSERT INTO quiz_attempts (id, quiz_id, course_id, user_id, attempt_no, locale, state, started_at,
                                       finished_at, points, possible, score)
            SELECT gen_random_uuid(), quiz_id, course_id, user_id, n, 'es', 'graded', now(), now(), 2, 2, 2
            FROM quiz_attempts, generate_series(2, 1100) n WHERE user_id = '{ana.user_id}'"""
    )
    late = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await school.change("updateQuiz", id=quiz, dueAt=late, lateIntervalSeconds=86_400, latePercent="50")
    assert await school.world.as_owner("SELECT score::int, count(*) FROM quiz_attempts GROUP BY 1") == [(1, 1100)]


async def override(school: School, quiz: str, who: Person, **given: Any) -> dict[str, Any]:
    asked = f"""mutation($input: SetQuizOverrideInput!) {{ setQuizOverride(input: $input) {{ __typename
        ... on QuizOverrideSuccess {{ override {{ extraMinutes extraAttempts reason user {{ fullName }} }} }}
        {PROBLEM} }} }}"""
    return await school.do(asked, school.teacher, quizId=quiz, userId=who.id, reason="agreed with the tutor", **given)


async def test_q17_extra_time_moves_the_running_attempt_and_is_audited(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600)
    ana, ben = await school.learner("Ana"), await school.learner("Ben")
    one, other = await school.start(quiz, ana), await school.start(quiz, ben)
    granted = await override(school, quiz, ana, extraMinutes=20)
    assert granted["override"] == {
        "extraMinutes": 20, "extraAttempts": 0, "reason": "agreed with the tutor", "user": None,
    } | {"user": granted["override"]["user"]}  # fmt: skip
    moved, same = await school.read(one, ana), await school.read(other, ben)

    def minutes(attempt: dict[str, Any]) -> float:
        times = [datetime.fromisoformat(attempt[name]) for name in ("startedAt", "deadlineAt")]
        return (times[1] - times[0]) / timedelta(minutes=1)

    assert (minutes(moved), minutes(same)) == (30, 10)
    await school.age(one, timedelta(minutes=15))
    await school.age(other, timedelta(minutes=15))
    await school.sweep()
    assert [(await school.read(one, ana))["state"], (await school.read(other, ben))["state"]] == [
        "IN_PROGRESS",
        "GRADED",
    ]
    rows = await school.world.as_owner("SELECT action, reason, changes -> 'after' ->> 'extra_minutes' FROM audit_log")
    assert rows == [("quiz.override", "agreed with the tutor", "20")]
    take_back = "mutation($input: DeleteQuizOverrideInput!) { deleteQuizOverride(input: $input) { __typename } }"
    await school.do(take_back, school.teacher, quizId=quiz, userId=ana.id, reason="by mistake")
    assert minutes(await school.read(one, ana)) == 10


async def test_q17_extra_attempts_and_another_window_are_one_learners_alone(school: School) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    quiz = await school.quiz(attemptsAllowed=1)
    ana, ben = await school.learner(), await school.learner()
    for person in (ana, ben):
        await school.attempted(quiz, person, 1, 2)
    await school.change("updateQuiz", id=quiz, closeAt=yesterday)
    await override(school, quiz, ana, extraAttempts=1, closeAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert (await school.attempted(quiz, ana, 2, 2))["number"] == 2
    assert (await school.do(START, ana, quizId=quiz))["code"] == "NO_ATTEMPTS_LEFT"
    assert (await school.do(START, ben, quizId=quiz))["code"] == "QUIZ_CLOSED"


async def test_q17_more_than_a_week_or_a_thousand_attempts_is_refused(school: School, globex: World) -> None:
    quiz = await school.quiz()
    ana = await school.learner()
    refused = await override(school, quiz, ana, extraMinutes=10_081, extraAttempts=1001)
    assert refused["fields"] == [
        {"path": "input.extraMinutes", "code": "OUT_OF_RANGE"},
        {"path": "input.extraAttempts", "code": "OUT_OF_RANGE"},
    ]
    assert (await override(school, quiz, ana, extraMinutes=10_080, extraAttempts=1000))[
        "__typename"
    ] == "QuizOverrideSuccess"
    stranger = await globex.person()
    assert (await override(school, quiz, stranger, extraMinutes=1))["__typename"] == "NotFoundProblem"


async def test_q18_final_grades_change_only_by_force_and_on_record(school: School) -> None:
    quiz, _, attempt = await essay(school, freezeDays=30, closeAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    long_ago = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    await school.change("updateQuiz", id=quiz, closeAt=long_ago)
    assert (await grade(school, attempt, 2, "5"))["code"] == "GRADES_FROZEN"
    questions = [{"questionId": q, "mode": "FULL_CREDIT"} for q in await asked_of(school, quiz)]
    refused = await school.do(REGRADE, school.teacher, quizId=quiz, questions=questions)
    assert refused["code"] == "GRADES_FROZEN"
    dry = await school.do(REGRADE, school.teacher, quizId=quiz, questions=questions, isDryRun=True)
    assert dry["__typename"] == "JobSuccess"
    forced = await grade(school, attempt, 2, "5", forceReason="an appeal was upheld")
    assert forced["attempt"]["score"] == "6"
    assert await school.world.as_owner("SELECT reason FROM audit_log WHERE action = 'attempt.grade'") == [
        ("an appeal was upheld",)
    ]


async def ends(school: School, days_ago: int) -> None:
    when = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    settled = await settle(school.world, school.course, school.teacher, endsAt=when)
    assert settled["__typename"] == "EnrollmentSettingsSuccess", settled


async def test_q18_the_freeze_counts_from_the_end_of_the_course_where_it_has_one(school: School) -> None:
    quiz, _, attempt = await essay(school, freezeDays=30)
    assert (await grade(school, attempt, 2, "1"))["attempt"]["score"] == "2"
    await ends(school, 29)
    assert (await grade(school, attempt, 2, "2", expectedVersion=3))["attempt"]["score"] == "3"
    await ends(school, 31)
    assert (await grade(school, attempt, 2, "3", expectedVersion=4))["code"] == "GRADES_FROZEN"
    # The quiz's own closing does not matter then.
    await school.change("updateQuiz", id=quiz, closeAt=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    assert (await grade(school, attempt, 2, "3", expectedVersion=4))["code"] == "GRADES_FROZEN"


async def test_q18_settings_do_not_count_final_grades_anew(school: School) -> None:
    quiz = await school.quiz()
    await school.attempted(quiz, await school.learner(), 1, 2)
    long_ago = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    await school.change("updateQuiz", id=quiz, closeAt=long_ago, freezeDays=30)
    late = {"dueAt": long_ago, "lateIntervalSeconds": 86_400, "latePercent": "10"}
    for given in (late, {"keptScore": "LATEST"}, {"passPercent": "80"}, {**late, "freezeDays": None}):
        assert (await school.change("updateQuiz", id=quiz, **given))["code"] == "GRADES_FROZEN"
    assert await kept(school) == ["1.0"]
    assert (await school.change("updateQuiz", id=quiz, title="Otra"))["__typename"] == "QuizSuccess"
    assert await school.world.as_owner("SELECT count(*) FROM audit_log WHERE action = 'quiz.unfreeze'") == [(0,)]
    assert (await school.change("updateQuiz", id=quiz, freezeDays=None))["__typename"] == "QuizSuccess"
    assert await school.world.as_owner("SELECT count(*) FROM audit_log WHERE action = 'quiz.unfreeze'") == [(1,)]
    assert (await school.change("updateQuiz", id=quiz, **late))["__typename"] == "QuizSuccess"
    assert await kept(school) == ["0.0"]


async def asked_of(school: School, quiz: str) -> list[str]:
    found = await school.world.ask(
        "query($id: ID!) { quiz(id: $id) { slots { questionId } } }", as_=school.teacher, id=quiz
    )
    return [slot["questionId"] for slot in found["quiz"]["slots"]]


async def test_q15_statistics_are_of_first_attempts_unless_all_are_wanted(school: School) -> None:
    quiz = await school.quiz(await school.questions(4))
    for right in (4, 3, 1):
        ana = await school.learner()
        await school.attempted(quiz, ana, right, 4)
        await school.attempted(quiz, ana, 4, 4)
    preview = await school.start(quiz, school.teacher, isPreview=True)
    await school.submit(preview, school.teacher)
    asked = """query($id: ID!) { quiz(id: $id) { first: analysis { attempts mean median internalConsistency csv
        items { attempts facility discriminationIndex } } all: analysis(attempts: ALL) { attempts mean } } }"""
    with school.world.counting() as statements:
        found = (await school.world.ask(asked, as_=school.teacher, id=quiz))["quiz"]
    assert (found["first"]["attempts"], found["first"]["median"]) == (3, 3)
    assert found["first"]["mean"] == pytest.approx(8 / 3)
    assert [item["facility"] for item in found["first"]["items"]] == pytest.approx([1, 2 / 3, 2 / 3, 1 / 3])
    assert (found["all"]["attempts"], found["all"]["mean"]) == (6, pytest.approx(20 / 6))
    assert found["first"]["csv"].startswith("question,attempts,facility,")
    assert statements.in_tenant() <= 9
    student = await school.world.ask("query($id: ID!) { quiz(id: $id) { analysis { attempts } } }", as_=ana, id=quiz)
    assert student["quiz"]["analysis"] is None


async def test_q15_a_drawn_question_is_judged_by_the_attempts_that_had_it(school: School) -> None:
    for _ in range(3):
        await school.question(tags=("pool",))
    quiz = await school.quiz(slots=[{"tags": ["pool"], "draws": 2, "points": "1"}])
    for right in (2, 0, 1, 2):
        await school.attempted(quiz, await school.learner(), right, 2)
    asked = "query($id: ID!) { quiz(id: $id) { analysis { attempts mean items { attempts effectiveWeight } } } }"
    found = (await school.world.ask(asked, as_=school.teacher, id=quiz))["quiz"]["analysis"]
    assert (found["attempts"], found["mean"]) == (4, 1.25)
    assert sum(item["attempts"] for item in found["items"]) == 8
    nothing = await school.quiz()
    empty = (await school.world.ask(asked, as_=school.teacher, id=nothing))["quiz"]["analysis"]
    assert empty == {"attempts": 0, "mean": None, "items": []}
