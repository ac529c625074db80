"""Questions from and to other systems, asked through GraphQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import text

from app.assessment import exchange
from app.assessment.gift import GiftProblem
from app.assessment.importing import take_over
from app.catalog import statements as catalog
from app.db.ids import new_id
from app.db.statements import Statement
from app.viewer import Role
from tests.test_questions import EVERY_KIND, made, titles
from tests.world import Person, World

IMPORT = """mutation($input: ImportQuestionsInput!) { importQuestions(input: $input) { __typename
  ... on ImportQuestionsSuccess { isDryRun createdCount duplicateCount failedCount
    items { line title status questionId problems { path code message } lost } }
  ... on ValidationProblem { fields { path code } } ... on Problem { code } } }"""
EXPORT = """query($c: ID!, $filter: QuestionFilter) { exportQuestions(courseId: $c, format: GIFT, filter: $filter) {
  text losses { title what } } }"""
TEXT = """$CATEGORY: unidad 1

::Uno:: ¿1+1? {#2}

::Roto:: {=a ~b

// [tag:capital]
::Dos:: ¿Capital de Chile? {=Santiago ~Lima}

::Dos:: ¿Capital de Chile? {=Santiago ~Lima}
"""
_QUIZ = Statement(
    text(
        """INSERT INTO lesson_blocks (id, lesson_id, position, kind, title, content)
           SELECT :id, lessons.id, 2, 'quiz', 'Pregunta', :content FROM lessons WHERE course_id = :course_id LIMIT 1"""
    ),
    int,
)


async def bring(
    world: World, course: str, written: str, who: Role | Person = Role.INSTRUCTOR, **more: Any
) -> dict[str, Any]:
    given = {"courseId": course, "format": "GIFT", "text": written, **more}
    found: dict[str, Any] = (await world.ask(IMPORT, as_=who, input=given))["importQuestions"]
    return found


def counts(answer: dict[str, Any]) -> tuple[int, int, int]:
    """Created, there before, failed."""
    return answer["createdCount"], answer["duplicateCount"], answer["failedCount"]


async def test_an_import_brings_in_what_can_be_read_and_names_the_line_of_the_rest(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    tried = await bring(acme, course, TEXT, isDryRun=True)
    assert (tried["isDryRun"], counts(tried)) == (True, (2, 1, 1))
    assert await titles(acme, course) == []
    done = await bring(acme, course, TEXT)
    assert counts(done) == (2, 1, 1)
    assert [(item["line"], item["title"], item["status"]) for item in done["items"]] == [
        (3, "Uno", "CREATED"),
        (5, "Roto", "FAILED"),
        (8, "Dos", "CREATED"),
        (10, "Dos", "DUPLICATE"),
    ]
    assert done["items"][1]["problems"][0]["code"] == "GIFT_BRACES"
    found = await acme.ask(
        "query($id: ID!) { question(id: $id) { kind category tags } }",
        as_=Role.INSTRUCTOR,
        id=done["items"][2]["questionId"],
    )
    assert found["question"] == {"kind": "SINGLE", "category": "unidad 1", "tags": ["capital"]}


async def test_the_same_text_again_adds_nothing_also_at_the_same_time(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    answers = await asyncio.gather(*(bring(acme, course, TEXT) for _ in range(4)))
    assert sorted(map(counts, answers)) == [(0, 3, 1), (0, 3, 1), (0, 3, 1), (2, 1, 1)]
    assert sorted(await titles(acme, course)) == ["Dos", "Uno"]
    other = acme.id("crs", await acme.course("Otra"))
    assert counts(await bring(acme, other, TEXT)) == (2, 1, 1)


async def test_a_deleted_question_can_come_in_again_but_not_twice(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    first = (await bring(acme, course, "::A:: ¿? {T}"))["items"][0]["questionId"]
    delete = "mutation($id: ID!) { deleteQuestion(input: {id: $id}) { __typename } }"
    await acme.ask(delete, as_=Role.INSTRUCTOR, id=first)
    assert counts(await bring(acme, course, "::A:: ¿? {T}")) == (1, 0, 0)
    restore = "mutation($id: ID!) { restoreQuestion(input: {id: $id}) { ... on Problem { code } } }"
    answer = await acme.ask(restore, as_=Role.INSTRUCTOR, id=first)
    assert answer["restoreQuestion"]["code"] == "QUESTION_IMPORTED"


async def test_only_those_who_teach_a_course_bring_questions_in_or_out(acme: World, globex: World) -> None:
    course = acme.id("crs", await acme.course())
    await bring(acme, course, TEXT)
    stranger = await acme.person(Role.INSTRUCTOR)
    assert (await bring(acme, course, TEXT, stranger))["code"] == "FORBIDDEN"
    assert (await bring(globex, course, TEXT, Role.ADMIN))["code"] == "NOT_FOUND"
    for world, who in ((acme, stranger), (globex, Role.ADMIN)):
        assert (await world.ask(EXPORT, as_=who, c=course))["exportQuestions"] == {"text": "", "losses": []}


async def test_what_is_exported_comes_in_again_as_the_same_questions(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    for kind, body in EVERY_KIND.items():
        await made(acme, course, body, title=kind, category="a/b", tags=["x"])
    out = (await acme.ask(EXPORT, as_=Role.INSTRUCTOR, c=course))["exportQuestions"]
    assert [(item["title"], item["what"]) for item in out["losses"] if "exist" in item["what"]] == [
        (kind, "this kind of question does not exist in GIFT") for kind in ("ORDERING", "CLOZE", "FILE")
    ]
    other = acme.id("crs", await acme.course("Otra"))
    assert counts(await bring(acme, other, out["text"])) == (8, 0, 0)
    again = (await acme.ask(EXPORT, as_=Role.INSTRUCTOR, c=other))["exportQuestions"]
    assert again["text"] == out["text"]
    some = (await acme.ask(EXPORT, as_=Role.INSTRUCTOR, c=course, filter={"kinds": ["TRUE_FALSE"]}))["exportQuestions"]
    assert some == {
        "text": "$CATEGORY: $course$/top/a/b\n\n// [tag:x]\n::TRUE_FALSE::[html]? {TRUE#no}\n",
        "losses": [],
    }


async def test_too_many_questions_at_once_are_refused(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    answer = await bring(acme, course, "{\n\n" * 2001)
    assert answer["fields"] == [{"path": "input.text", "code": "TOO_MANY"}]


async def test_no_more_questions_are_read_than_may_come_in(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read, course = 0, acme.id("crs", await acme.course())

    def endless(_: str) -> Iterator[GiftProblem]:
        nonlocal read
        while True:
            read += 1
            yield GiftProblem(read, "", ())

    monkeypatch.setattr(exchange, "read_gift", endless)
    monkeypatch.setattr(exchange, "MOST", 3)
    answer = await bring(acme, course, "a {T}")
    assert (answer["fields"], read) == ([{"path": "input.text", "code": "TOO_MANY"}], 4)


async def test_a_hundred_questions_come_in_with_a_few_statements(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    with acme.counting() as statements:
        answer = await bring(acme, course, "".join(f"::Q{n}:: ¿{n}? {{#{n}}}\n\n" for n in range(100)))
    assert counts(answer) == (100, 0, 0)
    assert statements.touching("questions") + statements.touching("question_versions") <= 4


async def test_problems_of_an_imported_course_are_taken_over_once(acme: World) -> None:
    course_id = await acme.course()
    teacher = await acme.some(Role.INSTRUCTOR)
    problem = """<problem><numericalresponse answer="12"><label>How many?</label></numericalresponse></problem>"""
    async with acme.operation().write() as tx:
        for source in (problem, "<problem><customresponse/></problem>"):
            content = Jsonb({"question_kind": "x", "source": source})
            await tx.execute(_QUIZ, id=new_id(), course_id=course_id, content=content)
    for created, duplicates in ((1, 0), (0, 1)):
        async with acme.operation().write() as tx:
            await tx.one(catalog.COURSE_FOR_UPDATE, "course", id=course_id)
            found = await take_over(tx, course_id, teacher.user_id)
        assert (found.problems, found.kinds, found.lost) == (2, {"numeric": 1}, {"customresponse": 1})
        assert (len(found.new) - found.duplicates, found.duplicates) == (created, duplicates)
    query = "query($c: ID!) { questions(courseId: $c) { nodes { title category kind body { prompt } } } }"
    data = await acme.ask(query, as_=Role.INSTRUCTOR, c=acme.id("crs", course_id))
    assert data["questions"]["nodes"] == [
        {
            "title": "Pregunta",
            "category": "Module 1/Lesson 1",
            "kind": "NUMERIC",
            "body": {"prompt": "<p>How many?</p>"},
        }
    ]
