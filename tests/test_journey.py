"""The whole way of a certificate: a course is made, learned, examined and certified, and a regrade takes it back."""

from __future__ import annotations

import asyncio
from typing import Any

from app.viewer import Role
from tests.certified import MINE, TEMPLATE, events, verify
from tests.quizzing import START, SUBMIT
from tests.test_quiz_grading import REGRADE
from tests.world import Person, World

QUESTIONS: tuple[dict[str, Any], ...] = (
    {"single": {"prompt": "<p>¿Capital?</p>", "choices": [{"html": "Santiago", "isRight": True}, {"html": "Lima"}]}},
    {
        "multiple": {
            "prompt": "<p>¿Primos?</p>",
            "choices": [{"html": "2", "isRight": True}, {"html": "3", "isRight": True}, {"html": "4"}],
        }
    },
    {"trueFalse": {"prompt": "<p>¿Gira el Sol en torno a la Tierra?</p>", "isTrue": True}},  # the wrong key
    {"numeric": {"prompt": "<p>¿Pi?</p>", "accepted": [{"value": "3.14", "tolerance": "0.01"}]}},
    {"shortAnswer": {"prompt": "<p>¿Color del cielo?</p>", "accepted": [{"text": "azul"}]}},
)


async def make(world: World, mutation: str, kind: str, shown: str, who: Person, **given: Any) -> dict[str, Any]:
    """A mutation with an input, which must succeed; what it answers with."""
    query = f"""mutation($input: {kind}Input!) {{ {mutation}(input: $input) {{ __typename
      ... on Problem {{ code message }} ... on ValidationProblem {{ fields {{ path code }} }} {shown} }} }}"""
    answer: dict[str, Any] = (await world.ask(query, as_=who, input=given))[mutation]
    assert not answer["__typename"].endswith("Problem"), answer
    return answer


async def course_with_quiz(world: World, teacher: Person) -> dict[str, Any]:
    """A published course whose one lesson is completed by 70 % in a quiz of five kinds of question."""

    async def do(mutation: str, kind: str, shown: str, **given: Any) -> dict[str, Any]:
        return await make(world, mutation, kind, shown, teacher, **given)

    shown = "... on CourseSuccess { course { id } }"
    course = (await do("createCourse", "CreateCourse", shown, title="Cultura general"))["course"]["id"]
    shown = "... on ModuleSuccess { module { id } }"
    module = (await do("createModule", "CreateModule", shown, courseId=course, title="Uno"))["module"]["id"]
    lesson = await do(
        "createLesson", "CreateLesson", "... on LessonSuccess { lesson { id } }",
        moduleId=module, title="Examen", completion="MIN_SCORE", minScore="70",
    )  # fmt: skip
    questions = []
    for body in QUESTIONS:
        shown = "... on QuestionSuccess { question { id } }"
        questions.append((await do("createQuestion", "CreateQuestion", shown, courseId=course, body=body))["question"])
    quiz = await do(
        "createQuiz", "CreateQuiz", "... on QuizSuccess { quiz { id } }",
        courseId=course, lessonId=lesson["lesson"]["id"], title="Examen", passPercent="70",
    )  # fmt: skip
    slots = [{"questionId": question["id"], "points": "1"} for question in questions]
    await do("setQuizSlots", "SetQuizSlots", "", id=quiz["quiz"]["id"], slots=slots)
    await do("publishQuiz", "QuizId", "", id=quiz["quiz"]["id"])
    await do("updateEnrollmentSettings", "UpdateEnrollmentSettings", "", courseId=course, policy="INVITATION")
    await do("publishCourse", "CourseId", "", id=course)
    return {
        "course": course, "lesson": lesson["lesson"]["id"], "quiz": quiz["quiz"]["id"],
        "questions": [question["id"] for question in questions],
    }  # fmt: skip


def four_of_five(attempt: dict[str, Any]) -> list[dict[str, Any]]:
    """What the learner answers: all as the key says but for the last question."""
    contents: dict[str, dict[str, Any]] = {
        "true_false": {"value": True},
        "numeric": {"number": "3,14"},
        "short_answer": {"text": "verde"},
    }
    answers = []
    for asked in attempt["questions"]:
        kind = asked["question"]["kind"]
        keys = {choice["html"]: choice["id"] for choice in asked["question"].get("choices") or ()}
        if kind == "single":
            contents[kind] = {"choice": keys["Santiago"]}
        elif kind == "multiple":
            contents[kind] = {"choices": [keys["2"], keys["3"]]}
        answers.append({"slot": asked["slot"], "revision": asked["revision"] + 1, "content": contents[kind]})
    return answers


async def test_a_course_is_learned_examined_and_certified_and_a_regrade_takes_the_certificate_back(
    acme: World, globex: World
) -> None:
    teacher, learner = await acme.person(Role.INSTRUCTOR), await acme.person(name="Lía Learner")
    made = await course_with_quiz(acme, teacher)
    course, quiz = made["course"], made["quiz"]
    given = {"courseId": course, "minScore": "70", "scorePolicy": "REVOKE", "hours": "12"}
    answer = await acme.ask(TEMPLATE, as_=teacher, input=given)
    assert answer["updateCertificateTemplate"]["template"]["minScore"] == "70"

    # In by a code, and by nothing else.
    enroll = "mutation($i: EnrollInput!) { enroll(input: $i) { __typename } }"
    assert (await acme.ask(enroll, as_=learner, i={"courseId": course}))["enroll"]["__typename"] == "ConflictProblem"
    shown = "... on CreateInviteCodeSuccess { code }"
    code = (await make(acme, "createInviteCode", "CreateInviteCode", shown, teacher, courseId=course))["code"]
    shown = "... on EnrollmentSuccess { enrollment { status } }"
    enrolled = await make(acme, "enrollWithCode", "EnrollWithCode", shown, learner, code=code)
    assert enrolled["enrollment"] == {"status": "ACTIVE"}
    refused = await acme.ask(
        "mutation($i: CompleteLessonInput!) { completeLesson(input: $i) { ... on Problem { code } } }",
        as_=learner, i={"lessonId": made["lesson"]},
    )  # fmt: skip
    assert refused["completeLesson"] == {"code": "SCORE_REQUIRED"}

    # Examined, handed in from two tabs at once, and the course is completed once.
    attempt = (await acme.ask(START, as_=learner, input={"quizId": quiz}))["startAttempt"]["attempt"]
    assert '"isTrue"' not in str(attempt)
    handed_in = {"attemptId": attempt["id"], "answers": four_of_five(attempt)}
    tabs = await asyncio.gather(*(acme.ask(SUBMIT, as_=learner, input=handed_in) for _ in range(4)))
    done = [tab["submitAttempt"]["attempt"] for tab in tabs if tab["submitAttempt"]["__typename"] == "AttemptSuccess"]
    assert {(each["state"], each["score"], each["percent"]) for each in done} == {("GRADED", "4", "80")}
    await asyncio.gather(*(acme.application.worker.relay_tenant(tenant_id=str(acme.tenant.id)) for _ in range(3)))
    await acme.work()
    progress = await acme.ask(
        "query($id: ID!) { progress(courseId: $id) { percent completedAt } }", as_=learner, id=course
    )
    assert (progress["progress"]["percent"], progress["progress"]["completedAt"] is not None) == (100, True)
    assert [await events(acme, kind) for kind in ("course_completed", "certificate_issued")] == [1, 1]
    assert (await acme.as_owner("SELECT count(*) FROM quiz_attempts")) == [(1,)]

    # Certified, and anybody may ask whether it is true.
    [mine] = (await acme.ask(MINE, as_=learner))["myCertificates"]["nodes"]
    assert (mine["standing"], len(mine["pdfSha256"])) == ("VALID", 64)
    public = await verify(acme, mine["code"])
    assert public["standing"] == "VALID"
    assert public["pdfSha256"] == mine["pdfSha256"]
    assert public["facts"] == {
        "learnerName": "Lía Learner", "courseTitle": "Cultura general", "organisation": acme.tenant.name, "score": "80",
    }  # fmt: skip
    assert await verify(globex, mine["code"]) is None
    subjects = [str(mail["Subject"]) for mail in acme.mailbox.to(learner.email)]
    assert subjects.count("Your certificate of Cultura general") == 1

    # The key was wrong. A dry run changes nothing; NONE changes nothing; CURRENT_ONLY lowers where it may.
    wrong = made["questions"][2]
    body = {"trueFalse": {"prompt": "<p>¿Gira el Sol en torno a la Tierra?</p>", "isTrue": False}}
    await make(acme, "updateQuestion", "UpdateQuestion", "", teacher, id=wrong, body=body)
    standings = []
    for mode, more in (
        ("CURRENT_ONLY", {"mayLower": True, "isDryRun": True}), ("NONE", {"mayLower": True}), ("CURRENT_ONLY", {}),
        ("CURRENT_ONLY", {"mayLower": True}), ("CURRENT_ONLY", {"mayLower": True}),
    ):  # fmt: skip
        asked = {"quizId": quiz, "questions": [{"questionId": wrong, "mode": mode}], **more}
        assert (await acme.ask(REGRADE, as_=teacher, input=asked))["regradeQuiz"]["__typename"] == "JobSuccess"
        await acme.work()
        standings.append((await verify(acme, mine["code"]))["standing"])
    assert standings == ["VALID", "VALID", "VALID", "REVOKED", "REVOKED"]
    assert await events(acme, "certificate_revoked") == 1
    [mine] = (await acme.ask(MINE, as_=learner))["myCertificates"]["nodes"]
    assert (mine["standing"], (await verify(acme, mine["code"]))["facts"]["score"]) == ("REVOKED", "80")
    read = await acme.ask("query($id: ID!) { quiz(id: $id) { myScore { percent isPassed } } }", as_=learner, id=quiz)
    assert read["quiz"]["myScore"] == {"percent": "60", "isPassed": False}
    # What was completed stays so, and is not completed again.
    after = await acme.ask("query($id: ID!) { progress(courseId: $id) { completedAt } }", as_=learner, id=course)
    assert after["progress"]["completedAt"] == progress["progress"]["completedAt"]
    assert await events(acme, "course_completed") == 1
