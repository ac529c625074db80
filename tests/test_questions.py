"""The question bank, asked through GraphQL: authors keep questions, learners never see a key."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from app.assessment import bank, bodies
from app.viewer import Role
from schema.enums import word
from schema.question_bodies import BODY_TYPES
from schema.questions import QuestionKind
from tests.world import Person, World

BODY = """body { __typename prompt feedback hints
  ... on SingleChoiceBody { choices { id html weight feedback } isShuffled marking { penalty floor } }
  ... on MultipleChoiceBody { choices { id html weight } scoring }
  ... on TrueFalseBody { isTrue feedbackTrue feedbackFalse }
  ... on ShortAnswerBody { accepted { text weight } isCaseSensitive ignoresAccents }
  ... on NumericBody { accepted { value tolerance weight } units }
  ... on MatchingBody { pairs { id html target } targets { id html } }
  ... on OrderingBody { items { id html } orderScoring: scoring }
  ... on ClozeBody { gaps { id weight content { __typename
      ... on SingleChoiceBody { choices { html weight } } ... on NumericBody { accepted { value } } } } }
  ... on EssayBody { guidance minWords maxWords } ... on FileQuestionBody { maxFiles extensions } }"""
FIELDS = f"id kind title category tags status points version {BODY}"
RESULT = f"""__typename ... on QuestionSuccess {{ question {{ {FIELDS} }} }}
  ... on ValidationProblem {{ fields {{ path code }} }} ... on Problem {{ code message }}"""
CREATE = f"mutation($input: CreateQuestionInput!) {{ createQuestion(input: $input) {{ {RESULT} }} }}"
UPDATE = f"mutation($input: UpdateQuestionInput!) {{ updateQuestion(input: $input) {{ {RESULT} }} }}"
RESTORE = f"mutation($input: RestoreQuestionInput!) {{ restoreQuestion(input: $input) {{ {RESULT} }} }}"
DELETE = """mutation($input: QuestionIdInput!) { deleteQuestion(input: $input) { __typename
  ... on DeleteSuccess { deletedId } ... on Problem { code } } }"""
LIST = """query($course: ID!, $filter: QuestionFilter, $sort: QuestionSort, $first: Int, $after: String) {
  questions(courseId: $course, filter: $filter, sort: $sort, first: $first, after: $after) {
    totalCount nodes { title } pageInfo { hasNextPage endCursor } } }"""
ONE = f"query($id: ID!) {{ question(id: $id) {{ {FIELDS} }} node(id: $id) {{ __typename }} }}"

SINGLE: dict[str, Any] = {
    "single": {"prompt": "<p>¿Capital?</p>", "choices": [{"html": "Santiago", "isRight": True}, {"html": "Lima"}]}
}
EVERY_KIND: dict[str, dict[str, Any]] = {
    "SINGLE": SINGLE,
    "MULTIPLE": {
        "multiple": {"prompt": "?", "choices": [{"html": "a", "weight": "0.5"}, {"html": "b"}], "scoring": "WEIGHTS"}
    },
    "TRUE_FALSE": {"trueFalse": {"prompt": "?", "isTrue": True, "feedbackFalse": "no"}},
    "SHORT_ANSWER": {"shortAnswer": {"prompt": "?", "accepted": [{"text": "sí"}], "ignoresAccents": True}},
    "NUMERIC": {"numeric": {"prompt": "?", "accepted": [{"value": "3.14", "tolerance": "0.01"}], "units": ["cm"]}},
    "MATCHING": {
        "matching": {
            "prompt": "?",
            "targets": [{"id": "1", "html": "Lima"}, {"id": "2", "html": "Quito"}],
            "pairs": [{"html": "Perú", "target": "1"}, {"html": "Ecuador", "target": "2"}],
        }
    },
    "ORDERING": {"ordering": {"prompt": "?", "items": [{"html": "1"}, {"html": "2"}], "scoring": "ADJACENT"}},
    "CLOZE": {
        "cloze": {
            "prompt": "[[a]] y [[b]]",
            "gaps": [
                {"id": "a", "content": {"single": {"choices": [{"html": "x", "isRight": True}, {"html": "y"}]}}},
                {"id": "b", "weight": 2, "content": {"numeric": {"accepted": [{"value": "1.5"}]}}},
            ],
        }
    },
    "ESSAY": {"essay": {"prompt": "?", "guidance": "<b>kind</b>", "minWords": 5, "maxWords": 50}},
    "FILE": {"file": {"prompt": "?", "maxFiles": 2, "extensions": [".PDF"]}},
    "TEXT": {"text": {"prompt": "Read this."}},
}


async def create(world: World, course: str, body: dict[str, Any], who: Role | Person, **more: Any) -> dict[str, Any]:
    given = {"courseId": course, "body": body, **more}
    found: dict[str, Any] = (await world.ask(CREATE, as_=who, input=given))["createQuestion"]
    return found


async def made(world: World, course: str, body: dict[str, Any] = SINGLE, **more: Any) -> dict[str, Any]:
    """A question that the world's instructor makes."""
    found: dict[str, Any] = (await create(world, course, body, Role.INSTRUCTOR, **more))["question"]
    return found


async def update(world: World, who: Role | Person = Role.INSTRUCTOR, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await world.ask(UPDATE, as_=who, input=given))["updateQuestion"]
    return found


async def titles(world: World, course: str, who: Role | Person = Role.INSTRUCTOR, **asked: Any) -> list[str]:
    data = await world.ask(LIST, as_=who, course=course, **asked)
    assert data["questions"]["totalCount"] >= len(data["questions"]["nodes"])
    return [node["title"] for node in data["questions"]["nodes"]]


@pytest.mark.parametrize("kind", EVERY_KIND)
async def test_a_question_of_every_kind_is_kept_and_read_again(acme: World, kind: str) -> None:
    course = acme.id("crs", await acme.course())
    question = await made(
        acme, course, EVERY_KIND[kind], title=" Uno ", category=" unidad 1 // área ", tags=["Fácil", "fácil"],
        points="2.5",
    )  # fmt: skip
    assert (question["kind"], question["version"], question["status"]) == (kind, 1, "READY")
    assert (question["title"], question["category"], question["tags"]) == ("Uno", "unidad 1/área", ["fácil"])
    assert question["points"] == ("0" if kind == "TEXT" else "2.5")
    assert await acme.ask(ONE, as_=Role.INSTRUCTOR, id=question["id"]) == {
        "question": question,
        "node": {"__typename": "Question"},
    }


async def test_what_authors_write_is_cleaned_and_identifiers_tell_nothing(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    question = await made(acme, course, {"single": {**SINGLE["single"], "prompt": "<script>x</script><b>Hi</b>"}})
    assert question["body"]["prompt"] == "<b>Hi</b>"
    matching = (await made(acme, course, EVERY_KIND["MATCHING"]))["body"]
    assert not {item["id"] for item in matching["targets"]} & {"1", "2"}
    assert [pair["target"] for pair in matching["pairs"]] == [item["id"] for item in matching["targets"]]
    file = (await made(acme, course, EVERY_KIND["FILE"]))["body"]
    assert file["extensions"] == ["pdf"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"single": {"prompt": " ", "choices": []}}, {"prompt": "TOO_SHORT", "choices": "COUNT"}),
        (
            {"single": {"prompt": "?", "choices": [{"html": "a"}, {"html": "b", "weight": "0.5"}]}},
            {"choices": "NO_RIGHT_ANSWER"},
        ),
        (
            {"single": {"prompt": "?", "choices": [{"html": "a", "weight": "2"}, {"html": "<br>"}]}},
            {"choices.0.weight": "OUT_OF_RANGE", "choices.1.html": "TOO_SHORT", "choices": "NO_RIGHT_ANSWER"},
        ),
        (
            {"numeric": {"prompt": "?", "accepted": [{"value": "1e999", "tolerance": "-1"}]}},
            {"accepted.0.value": "NUMBER_TOO_LONG", "accepted.0.tolerance": "OUT_OF_RANGE"},
        ),
        (
            {
                "matching": {
                    "prompt": "?",
                    "targets": [{"html": "a"}, {"html": "b"}],
                    "pairs": [{"html": "c", "target": "x"}, {"html": "d", "target": "x"}],
                }
            },
            {"pairs.0.target": "TARGET_UNKNOWN", "pairs.1.target": "TARGET_UNKNOWN"},
        ),
        (
            {
                "cloze": {
                    "prompt": "[[a]] [[z]]",
                    "gaps": [
                        {"id": "b", "content": {"shortAnswer": {"accepted": [{"text": " "}]}}},
                        {"id": "a b", "content": {"numeric": {"accepted": []}}},
                    ],
                }
            },
            {
                "gaps.0.id": "GAP_PLACE",
                "gaps.0.content.shortAnswer.accepted.0.text": "TOO_SHORT",
                "gaps.1.content.numeric.accepted": "COUNT",
                "gaps.1.id": "GAP_PLACE",
                "prompt": "GAP_UNKNOWN",
            },
        ),
        ({"essay": {"prompt": "?", "minWords": 9, "maxWords": 3}}, {"minWords": "OUT_OF_RANGE"}),
        ({"file": {"prompt": "?", "extensions": ["../x"]}}, {"extensions.0": "EXTENSION_INVALID"}),
        (
            {"trueFalse": {"prompt": "?", "isTrue": True, "marking": {"penalty": "2", "floor": "1"}}},
            {"marking.penalty": "OUT_OF_RANGE", "marking.floor": "OUT_OF_RANGE"},
        ),
    ],
)
async def test_a_question_with_mistakes_is_refused_with_the_place_of_each(
    acme: World, body: dict[str, Any], expected: dict[str, str]
) -> None:
    course = acme.id("crs", await acme.course())
    [kind] = body
    answer = await create(acme, course, body, Role.INSTRUCTOR)
    assert answer["__typename"] == "ValidationProblem"
    found = {field["path"].removeprefix(f"input.body.{kind}."): field["code"] for field in answer["fields"]}
    assert found == expected
    assert await titles(acme, course) == []


async def test_every_change_is_a_version_and_the_earlier_ones_stay(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    question = await made(acme, course)
    [right, wrong] = question["body"]["choices"]
    body = {
        "single": {
            "prompt": "<p>¿Capital de Chile?</p>",
            "choices": [wrong | {"weight": "0"}, right | {"html": "Stgo"}],
        }
    }
    changed = (await update(acme, id=question["id"], body=body, points="3", expectedVersion=1))["question"]
    assert (changed["version"], changed["points"]) == (2, "3")
    assert [choice["id"] for choice in changed["body"]["choices"]] == [wrong["id"], right["id"]]
    retitled = (await update(acme, id=question["id"], title="Chile"))["question"]
    assert (retitled["version"], retitled["body"]) == (3, changed["body"])
    rows = await acme.as_owner("SELECT number, body->>'prompt', points FROM question_versions ORDER BY number")
    assert [(number, prompt, int(points)) for number, prompt, points in rows] == [
        (1, "<p>¿Capital?</p>", 1),
        (2, "<p>¿Capital de Chile?</p>", 3),
        (3, "<p>¿Capital de Chile?</p>", 3),
    ]


async def test_two_authors_at_once_do_not_overwrite_each_other(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    question = await made(acme, course)
    answers = await asyncio.gather(
        *(update(acme, id=question["id"], title=f"T{n}", expectedVersion=1) for n in range(6))
    )
    kinds = [answer["__typename"] for answer in answers]
    assert kinds.count("QuestionSuccess") == 1
    assert {answer["code"] for answer in answers if "code" in answer} == {"VERSION_CONFLICT"}
    without = await asyncio.gather(*(update(acme, id=question["id"], title=f"U{n}") for n in range(6)))
    assert sorted(answer["question"]["version"] for answer in without) == [3, 4, 5, 6, 7, 8]


async def test_a_question_does_not_become_another_kind(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    question = await made(acme, course)
    answer = await update(acme, id=question["id"], body={"text": {"prompt": "x"}})
    assert answer["fields"] == [{"path": "input.body", "code": "KIND_FIXED"}]
    assert (await acme.ask(ONE, as_=Role.INSTRUCTOR, id=question["id"]))["question"] == question


async def test_creating_twice_with_the_same_key_makes_one_question(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    both = await asyncio.gather(
        *(create(acme, course, SINGLE, Role.INSTRUCTOR, title="Once", idempotencyKey="click-0001") for _ in range(2))
    )
    assert both[0]["question"]["id"] == both[1]["question"]["id"]
    assert await titles(acme, course) == ["Once"]
    other = await create(acme, course, SINGLE, Role.INSTRUCTOR, title="Other", idempotencyKey="click-0001")
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_deleting_takes_a_question_out_and_restoring_brings_it_back(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    question = await made(acme, course, title="Gone")
    stale = await acme.ask(DELETE, as_=Role.INSTRUCTOR, input={"id": question["id"], "expectedVersion": 7})
    assert stale["deleteQuestion"]["code"] == "VERSION_CONFLICT"
    for _ in range(2):
        gone = await acme.ask(DELETE, as_=Role.INSTRUCTOR, input={"id": question["id"]})
        assert gone["deleteQuestion"] == {"__typename": "DeleteSuccess", "deletedId": question["id"]}
    assert await titles(acme, course) == []
    assert (await update(acme, id=question["id"], title="x"))["code"] == "QUESTION_DELETED"
    back = await acme.ask(RESTORE, as_=Role.INSTRUCTOR, input={"id": question["id"]})
    assert back["restoreQuestion"]["question"] == question
    assert await titles(acme, course) == ["Gone"]


async def bank_of_five(world: World, course: str) -> None:
    rows: list[tuple[str, str, list[str], dict[str, Any], str]] = [
        ("Fracciones", "unidad 1", ["fácil"], EVERY_KIND["NUMERIC"], "READY"),
        ("Decimales", "unidad 1/decimales", ["fácil", "coma"], SINGLE, "READY"),
        ("Potencias", "unidad 10", ["difícil"], SINGLE, "READY"),
        ("Borrador", "unidad 1", ["fácil"], SINGLE, "DRAFT"),
        ("Lectura", "unidad 1", ["fácil"], EVERY_KIND["TEXT"], "READY"),
    ]
    for title, category, tags, body, status in rows:
        await made(world, course, body, title=title, category=category, tags=tags, status=status)


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({}, ["Lectura", "Borrador", "Potencias", "Decimales", "Fracciones"]),
        ({"kinds": ["NUMERIC", "TEXT"]}, ["Lectura", "Fracciones"]),
        ({"tags": ["FÁCIL", "coma"]}, ["Decimales"]),
        ({"category": "unidad 1"}, ["Lectura", "Borrador", "Decimales", "Fracciones"]),
        ({"category": "/unidad 1/decimales/"}, ["Decimales"]),
        ({"status": "DRAFT"}, ["Borrador"]),
        ({"search": "potensias"}, ["Potencias"]),
        ({"search": "santiago", "tags": ["coma"]}, ["Decimales"]),
        ({"search": "read"}, ["Lectura"]),
        ({"search": "nowhere"}, []),
    ],
)
async def test_questions_are_found_by_what_they_are(acme: World, filter: dict[str, Any], expected: list[str]) -> None:
    course = acme.id("crs", await acme.course())
    await bank_of_five(acme, course)
    data = await acme.ask(LIST, as_=Role.INSTRUCTOR, course=course, filter=filter)
    assert [node["title"] for node in data["questions"]["nodes"]] == expected
    assert data["questions"]["totalCount"] == len(expected)


async def test_questions_come_in_pages_in_each_order(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await bank_of_five(acme, course)
    for sort, expected in (
        ("TITLE", ["Borrador", "Decimales", "Fracciones", "Lectura", "Potencias"]),
        ("OLDEST", ["Fracciones", "Decimales", "Potencias", "Borrador", "Lectura"]),
    ):
        seen, after = [], None
        while True:
            page = (await acme.ask(LIST, as_=Role.INSTRUCTOR, course=course, sort=sort, first=2, after=after))[
                "questions"
            ]
            seen += [node["title"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert seen == expected


async def test_a_page_of_questions_with_their_bodies_is_two_statements(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    for body in (SINGLE, EVERY_KIND["CLOZE"], EVERY_KIND["MATCHING"]):
        for _ in range(4):
            await made(acme, course, body)
    query = f"query($c: ID!) {{ questions(courseId: $c, first: 50) {{ nodes {{ {FIELDS} }} }} }}"
    counts = []
    for _ in range(2):
        with acme.counting() as statements:
            data = await acme.ask(query, as_=Role.INSTRUCTOR, c=course)
        counts.append((len(data["questions"]["nodes"]), statements.touching("questions")))
    assert counts == [(12, 2), (12, 2)]


async def test_labels_and_pools_count_what_a_quiz_could_draw(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await bank_of_five(acme, course)
    query = """query($c: ID!, $tags: [String!], $category: String) {
      questionLabels(courseId: $c) { tags { name count } categories { name count } }
      questionPool(courseId: $c, tags: $tags, category: $category) { availableCount } }"""
    data = await acme.ask(query, as_=Role.INSTRUCTOR, c=course, tags=["fácil"], category="unidad 1")
    assert data == {
        "questionLabels": {
            "tags": [{"name": "coma", "count": 1}, {"name": "difícil", "count": 1}, {"name": "fácil", "count": 4}],
            "categories": [
                {"name": "unidad 1", "count": 3},
                {"name": "unidad 1/decimales", "count": 1},
                {"name": "unidad 10", "count": 1},
            ],
        },
        "questionPool": {"availableCount": 2},
    }


async def test_q14_a_pool_draws_ready_questions_that_ask_something_in_their_present_version(acme: World) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await bank_of_five(acme, course)
    question = await made(acme, course, title="Nueva", tags=["fácil"])
    await update(acme, id=question["id"], points="2")
    async with acme.operation().write() as tx:
        drawn = await bank.pool(tx, course_id, tags=["fácil"])
        assert await bank.pool_count(tx, course_id, tags=["fácil"]) == 3
        assert await bank.pool_count(tx, course_id) == 4
        assert await bank.pool(tx, UUID(int=1)) == []
    assert sorted(row.version for row in drawn) == [1, 1, 2]
    assert [row.id for row in drawn] == sorted(row.id for row in drawn)


async def test_only_those_who_teach_a_course_see_and_change_its_questions(acme: World) -> None:
    published, draft = await acme.course(), await acme.course(published=False)
    stranger = await acme.person(Role.INSTRUCTOR)
    for course_id, code in ((published, "FORBIDDEN"), (draft, "NOT_FOUND")):
        course = acme.id("crs", course_id)
        question = await made(acme, course, title="Secret")
        assert (await create(acme, course, SINGLE, stranger))["code"] == code
        assert (await update(acme, stranger, id=question["id"], title="x"))["code"] == "NOT_FOUND"
        for who in (stranger, Role.STUDENT, Role.ANALYST):
            answer = await acme.post(ONE, as_=who, id=question["id"])
            assert (answer.get("data") or {}).get("question") is None
            assert (answer.get("data") or {"node": None})["node"] is None
        assert await titles(acme, course, stranger) == []
        assert await titles(acme, course, Role.ADMIN) == ["Secret"]
        changed = await update(acme, Role.ADMIN, id=question["id"], title="Seen")
        assert changed["question"]["title"] == "Seen"


async def test_a_question_of_another_tenant_is_not_there(acme: World, globex: World) -> None:
    course = acme.id("crs", await acme.course())
    question = await made(acme, course)
    for foreign in (question["id"], globex.id("qst", UUID(int=5))):
        assert (await globex.ask(ONE, as_=Role.ADMIN, id=foreign))["question"] is None
        assert (await update(globex, Role.ADMIN, id=foreign, title="x"))["code"] == "NOT_FOUND"
    assert (await create(globex, course, SINGLE, Role.ADMIN))["code"] == "NOT_FOUND"
    assert await titles(globex, course, Role.ADMIN) == []


async def test_questions_of_a_deleted_course_are_gone(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    question = await made(acme, course)
    await acme.ask(
        "mutation($id: ID!) { deleteCourse(input: {id: $id}) { __typename } }", as_=Role.INSTRUCTOR, id=course
    )
    assert (await acme.ask(ONE, as_=Role.ADMIN, id=question["id"]))["question"] is None
    assert (await update(acme, id=question["id"], title="x"))["code"] == "NOT_FOUND"
    assert await titles(acme, course) == []


def test_every_kind_of_question_has_a_type_and_an_input() -> None:
    kinds = {word(kind): kind.name for kind in QuestionKind}
    assert set(BODY_TYPES) == set(bodies.KINDS) == set(kinds)
    assert set(kinds.values()) == set(EVERY_KIND)
