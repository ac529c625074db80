"""Quizzes and their authors: what they may set, who sees what, and that nothing leaks to another tenant."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.viewer import Role
from tests.quizzing import QUIZ_READ, START, School, choose
from tests.world import World


@pytest.fixture
async def acme(emptied: World) -> World:
    return emptied


@pytest.fixture
async def school(acme: World) -> School:
    return await School.of(acme)


async def read(school: School, quiz: str, as_: Any) -> Any:
    return (await school.world.ask(QUIZ_READ, as_=as_, id=quiz))["quiz"]


async def test_a_quiz_is_made_filled_and_published(school: School) -> None:
    made = await school.change("createQuiz", courseId=school.course, title="  Fuerzas ", timeLimitSeconds=600)
    quiz = made["quiz"]
    assert (quiz["title"], quiz["publishedAt"], quiz["questionCount"], quiz["version"]) == ("Fuerzas", None, 0, 1)
    assert (quiz["overduePolicy"], quiz["keptScore"], quiz["visibility"]) == ("AUTOSUBMIT", "HIGHEST", "AFTER_SUBMIT")
    empty = await school.change("publishQuiz", id=quiz["id"])
    assert (empty["__typename"], empty["code"]) == ("ConflictProblem", "QUIZ_EMPTY")
    [question] = await school.questions(1)
    named = school.world.id("qst", question)
    for _ in range(3):
        await school.question(category="luz/sombras")
    slots = [{"questionId": named, "points": "2.5"}, {"category": "luz", "draws": 3, "points": "1"}]
    filled = (await school.change("setQuizSlots", id=quiz["id"], slots=slots))["quiz"]
    assert (filled["questionCount"], filled["possible"], filled["version"]) == (4, "5.5", 2)
    assert filled["slots"] == [
        {"position": 1, "questionId": named, "tags": [], "category": None, "draws": 1, "points": "2.5"},
        {"position": 2, "questionId": None, "tags": [], "category": "luz", "draws": 3, "points": "1"},
    ]
    published = (await school.change("publishQuiz", id=quiz["id"]))["quiz"]
    again = (await school.change("publishQuiz", id=quiz["id"]))["quiz"]
    assert published["publishedAt"] == again["publishedAt"] is not None


async def test_of_two_authors_who_read_the_same_version_one_is_told(school: School) -> None:
    quiz = await school.quiz()
    version = (await read(school, quiz, school.teacher))["version"]
    answers = await asyncio.gather(
        *(
            school.change("updateQuiz", id=quiz, title=f"Título {n}", expectedVersion=version, attemptsAllowed=n)
            for n in range(1, 5)
        )
    )
    assert sorted(answer["__typename"] for answer in answers) == ["ConflictProblem"] * 3 + ["QuizSuccess"]
    assert {answer["code"] for answer in answers if "code" in answer} == {"VERSION_CONFLICT"}


async def test_what_cannot_be_is_refused_with_every_bad_field(school: School) -> None:
    now = datetime.now(UTC)
    refused = await school.change(
        "createQuiz",
        courseId=school.course,
        title=" ",
        timeLimitSeconds=0,
        passPercent="101",
        openAt=now.isoformat(),
        closeAt=(now - timedelta(hours=1)).isoformat(),
        overduePolicy="GRACE",
    )
    assert {field["path"]: field["code"] for field in refused["fields"]} == {
        "input.title": "TOO_SHORT",
        "input.timeLimitSeconds": "OUT_OF_RANGE",
        "input.passPercent": "OUT_OF_RANGE",
        "input.closeAt": "TIMES_REVERSED",
        "input.gracePeriodSeconds": "GRACE_MISSING",
    }
    quiz = await school.quiz()
    [question] = await school.questions(1)
    named = {"questionId": school.world.id("qst", question), "points": "1"}
    both = {**named, "tags": ["x"]}
    refused = await school.change("setQuizSlots", id=quiz, slots=[named, named, both, {"points": "-1"}])
    assert [(field["path"], field["code"]) for field in refused["fields"]] == [
        ("input.slots.1.questionId", "ORDER_DUPLICATE"),
        ("input.slots.2", "SLOT_AMBIGUOUS"),
        ("input.slots.2.questionId", "ORDER_DUPLICATE"),
        ("input.slots.3.points", "OUT_OF_RANGE"),
    ]
    assert await school.world.as_owner("SELECT count(*) FROM quizzes") == [(1,)]
    assert (await read(school, quiz, school.teacher))["questionCount"] == 2


async def test_only_its_own_teachers_and_administrators_change_a_quiz(school: School) -> None:
    quiz = await school.quiz()
    stranger = await school.world.person(Role.INSTRUCTOR)
    for name in ("updateQuiz", "publishQuiz", "deleteQuiz"):
        assert (await school.change(name, as_=stranger, id=quiz))["__typename"] == "ForbiddenProblem"
        assert (await school.change(name, as_=Role.STUDENT, id=quiz))["__typename"] == "ForbiddenProblem"
    made = await school.change("createQuiz", as_=stranger, courseId=school.course, title="Ajena")
    assert made["__typename"] == "ForbiddenProblem"
    assert (await school.change("updateQuiz", as_=Role.ADMIN, id=quiz, title="Nueva"))["quiz"]["title"] == "Nueva"


async def test_learners_see_published_quizzes_without_their_questions(school: School) -> None:
    quiz = await school.quiz()
    draft = (await school.change("createQuiz", courseId=school.course, title="Borrador"))["quiz"]["id"]
    ana = await school.learner()
    seen = await read(school, quiz, ana)
    assert (seen["slots"], seen["questionCount"]) == (None, 2)
    assert seen["myPlace"] == {"attemptsUsed": 0, "attemptsLeft": None, "openAttemptId": None, "extraMinutes": 0}
    assert await read(school, draft, ana) is None
    listed = "query($id: ID!) { course(id: $id) { quizzes { id title } } }"
    as_learner = await school.world.ask(listed, as_=ana, id=school.course)
    assert [found["id"] for found in as_learner["course"]["quizzes"]] == [quiz]
    as_teacher = await school.world.ask(listed, as_=school.teacher, id=school.course)
    assert [found["id"] for found in as_teacher["course"]["quizzes"]] == [quiz, draft]
    await school.change("deleteQuiz", id=quiz)
    assert await read(school, quiz, ana) is None


async def test_the_place_of_a_learner_says_what_is_left(school: School) -> None:
    quiz = await school.quiz(attemptsAllowed=2)
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    place = (await read(school, quiz, ana))["myPlace"]
    assert place == {"attemptsUsed": 1, "attemptsLeft": 1, "openAttemptId": attempt["id"], "extraMinutes": 0}


async def test_a_deleted_quiz_ends_its_attempts_and_keeps_their_scores(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600)
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    await school.save(attempt, ana, choose(1, "a"))
    await school.change("deleteQuiz", id=quiz)
    await school.age(attempt, timedelta(minutes=12))
    await school.sweep()
    assert (await school.read(attempt, school.teacher))["score"] == "1"


async def test_a_quiz_of_a_lesson_that_is_locked_cannot_be_begun(school: School) -> None:
    lesson = school.world.id("lsn", school.lesson_id)
    quiz = await school.quiz(lessonId=lesson)
    ana = await school.learner()
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    rules = """mutation($input: SetLessonRulesInput!) { setLessonRules(input: $input) { __typename
        ... on ValidationProblem { fields { path code } } } }"""
    given = {"id": lesson, "rules": {"require": "ALL", "conditions": [{"date": tomorrow}]}}
    assert (await school.do(rules, school.teacher, **given))["__typename"] == "LessonSuccess"
    assert (await school.do(START, ana, quizId=quiz))["code"] == "LESSON_LOCKED"


async def test_nothing_of_another_tenant_is_found(school: School, globex: World) -> None:
    quiz = await school.quiz()
    other = await School.of(globex)
    assert await read(other, quiz, Role.ADMIN) is None
    assert (await globex.ask("query($id: ID!) { node(id: $id) { id } }", as_=Role.ADMIN, id=quiz))["node"] is None
    for name in ("updateQuiz", "publishQuiz", "deleteQuiz"):
        assert (await other.change(name, as_=Role.ADMIN, id=quiz))["__typename"] == "NotFoundProblem"
    theirs = await other.quiz()
    foreign = {"questionId": school.world.id("qst", (await school.questions(1))[0]), "points": "1"}
    refused = await other.change("setQuizSlots", id=theirs, slots=[foreign])
    assert refused["fields"] == [{"path": "input.slots.0.questionId", "code": "ID_INVALID"}]


async def test_quizzes_of_many_lessons_and_courses_are_one_statement(school: School) -> None:
    for _ in range(3):
        await school.quiz(lessonId=school.world.id("lsn", school.lesson_id))
    ana = await school.learner()
    await school.attempted(await school.quiz(), ana, 1, 2)
    asked = """{ courses(first: 10) { nodes {
        quizzes { questionCount possible myScore { score } myPlace { attemptsLeft } myAttempts { number score } }
        modules { lessons { quizzes { title } } } } } }"""
    with school.world.counting() as statements:
        found = await school.world.ask(asked, as_=ana)
    quizzes = found["courses"]["nodes"][0]["quizzes"]
    assert [quiz["questionCount"] for quiz in quizzes] == [2, 2, 2, 2]
    assert [quiz["myScore"] for quiz in quizzes] == [None, None, None, {"score": "1"}]
    assert statements.touching("quiz_slots") == 1
    assert statements.in_tenant() <= 11
