"""Which operations are the same for everybody: decided from an explicit list, never from what is not on another."""

from __future__ import annotations

import time
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type, is_leaf_type

import schema
from app.outside.cache import MemoryCache
from app.viewer import Role
from schema.public import LONGEST, PUBLIC, PUBLIC_INPUTS, public_operation
from schema.responses import DOCUMENTS, ResponseCache
from tests.world import World

BUILT = schema.build()
CORE = BUILT._schema
LIST = "query($f: CourseFilter) { courses(filter: $f) { nodes { id } } }"


@pytest.mark.parametrize(
    "query",
    [
        "{ courses { nodes { id title lessonCount averageRating reviewCount instructors { fullName } } } }",
        "query($id: ID!) { course(id: $id) { __typename modules { lessons { title module { id } } } } }",
        "query($n: Int!) { courses(first: $n, sort: TITLE) { totalCount pageInfo { endCursor } edges { cursor } } }",
        '{ courses(filter: {search: "x", published: true}) { nodes { ...c } } } fragment c on Course { title ...d }'
        " fragment d on Course { ... on Course { tags } ... { level } }",
        '{ a: module(id: "x") { title } b: lesson(id: "y") { title @include(if: true) course { title } } }',
        LIST,
    ],
)
def test_public_operations(query: str) -> None:
    assert public_operation(CORE, query, None) is not None


@pytest.mark.parametrize(
    "query",
    [
        "{ courses { nodes { viewerCan { edit } } } }",
        "{ courses { nodes { myEnrollment { id } } } }",
        "{ courses { nodes { myProgress { percent } } } }",
        "{ courses { nodes { myReview { rating } } } }",
        "{ courses { nodes { learnerCount } } }",
        '{ lesson(id: "x") { viewerCanRead } }',
        '{ lesson(id: "x") { lockReasons { message } } }',
        '{ lesson(id: "x") { myProgress { percent } } }',
        '{ lesson(id: "x") { blocks { title } } }',
        '{ node(id: "x") { id } }',
        '{ nodes(ids: ["x"]) { id } }',
        "{ me { id } }",
        "{ courses { nodes { id } } me { id } }",
        "{ myEnrollments { nodes { id } } }",
        "{ __typename __schema { types { name } } }",
        '{ __type(name: "Course") { name } }',
        "{ courses(filter: {mine: true}) { nodes { id } } }",
        "query($m: Boolean) { courses(filter: {mine: $m}) { nodes { id } } }",
        "query($f: CourseFilter = {mine: true}) { courses(filter: $f) { nodes { id } } }",
        "{ courses { nodes { ...c } } } fragment c on Course { ...d } fragment d on Course { myReview { rating } }",
        "{ courses { nodes { ... on Node { id } } } }",
        "{ courses { nodes { id nothing } } }",
        "{ courses(everything: true) { nodes { id } } }",
        "{ courses { nodes { ...missing } } }",
        'mutation { publishCourse(input: {id: "x"}) { __typename } }',
        "query A { courses { totalCount } } query B { courses { totalCount } }",
        "not graphql",
        "{ courses { totalCount } } #" + "x" * LONGEST,
    ],
)
def test_operations_that_are_not_kept(query: str) -> None:
    assert public_operation(CORE, query, None) is None


def test_the_operation_that_is_named_counts() -> None:
    both = "query A { courses { totalCount } } query B { me { id } }"
    assert public_operation(CORE, both, "A") is not None
    assert public_operation(CORE, both, "B") is None
    assert public_operation(CORE, both, "C") is None


def digest(query: str, name: str | None = None, **variables: Any) -> str | None:
    operation = public_operation(CORE, query, name)
    assert operation is not None
    return operation.digest(variables)


def test_a_variable_that_asks_who_is_asking_is_seen() -> None:
    assert digest(LIST, f={"mine": True}) is None
    assert digest(LIST, f={"published": True, "mine": None}) is None
    assert digest(LIST, f=[{"published": True}]) is None
    assert digest(LIST, f={"published": True}) is not None
    assert digest(LIST, f=None) is not None


def test_what_makes_another_answer_makes_another_name() -> None:
    query = "query A($n: Int, $s: CourseSort) { courses(first: $n, sort: $s) { totalCount } }"
    different = [
        digest(query),
        digest(query, n=None),
        digest(query, n=1),
        digest(query, n=True),
        digest(query, n="1"),
        digest(query, s="TITLE"),
        digest(query, s="TITLE", n=1),
        digest(query, "A"),
        digest(query + " "),
    ]
    assert len(set(different)) == len(different)
    assert digest(query, n=1, s="TITLE") == digest(query, s="TITLE", n=1, unknown="x")


def test_reading_is_linear_in_the_document() -> None:
    fragments = " ".join(f"fragment f{n} on Course {{ ...f{n + 1} ...f{n + 1} }}" for n in range(60))
    circle = "{ courses { nodes { ...a } } } fragment a on Course { ...b } fragment b on Course { ...a }"
    began = time.monotonic()
    public_operation(CORE, "{ courses { nodes { ...f0 } } } fragment f60 on Course { title } " + fragments, None)
    public_operation(CORE, circle, None)
    assert time.monotonic() - began < 0.2


def test_everything_on_the_list_is_in_the_schema_with_exactly_these_arguments() -> None:
    for name, fields in PUBLIC.items():
        kind = CORE.get_type(name)
        assert isinstance(kind, GraphQLObjectType)
        for field, arguments in fields.items():
            assert arguments == kind.fields[field].args.keys(), f"{name}.{field}"
            inner = get_named_type(kind.fields[field].type)
            assert is_leaf_type(inner) or inner.name in PUBLIC
    for name, inputs in PUBLIC_INPUTS.items():
        declared = CORE.get_type(name)
        assert isinstance(declared, GraphQLInputObjectType)
        assert inputs < declared.fields.keys()


def everything(name: str, above: tuple[str, ...] = ()) -> str:
    """A selection of every public field below a type, each type once on a path."""
    kind = CORE.get_type(name)
    assert isinstance(kind, GraphQLObjectType)
    parts = []
    for field in PUBLIC[name]:
        inner = get_named_type(kind.fields[field].type)
        if is_leaf_type(inner):
            parts.append(field)
        elif inner.name not in above and inner.name != "Query":
            parts.append(f"{field} {everything(inner.name, (*above, name))}")
    return f"{{ __typename {' '.join(parts)} }}"


async def test_the_whole_list_shows_everybody_the_same(acme: World) -> None:
    """Learners at different points, one who teaches no more but is still named, and an analyst get equal bytes."""
    teacher = await acme.some(Role.INSTRUCTOR)
    course = await acme.course("Física", modules=2, lessons=2)
    await acme.course("Draft", published=False)
    busy, idle, former = [await acme.person() for _ in range(3)]
    course_id = acme.id("crs", course)
    await acme.ask(
        "mutation($i: EnrollInput!) { enroll(input: $i) { __typename } }", as_=busy, i={"courseId": course_id}
    )
    review = "mutation($i: ReviewCourseInput!) { reviewCourse(input: $i) { __typename } }"
    await acme.ask(review, as_=busy, i={"courseId": course_id, "rating": 5})
    await acme.as_owner(f"INSERT INTO course_instructors VALUES ('{course}', '{former.user_id}', 2)")
    await acme.as_owner(f"UPDATE members SET bio = 'teaches' WHERE user_id = '{teacher.user_id}'")

    query = f"query($id: ID!) {{ courses {everything('CourseConnection')} course(id: $id) {everything('Course')} }}"
    assert public_operation(CORE, query, None) is not None
    analyst = await acme.some(Role.ANALYST)
    answers = {(await acme.send(query, as_=person, id=course_id)).content for person in (busy, idle, former, analyst)}
    assert len(answers) == 1
    assert b"errors" not in answers.pop()


async def test_documents_are_read_once_and_few_are_remembered(acme: World) -> None:
    responses = ResponseCache(MemoryCache(1000, 60), acme.platform.changes, BUILT, prefix="test")
    for n in range(DOCUMENTS + 10):
        responses._operation(f"{{ me {{ id }} }} #{n}", None)
    assert len(responses._operations) == DOCUMENTS
    query = "{ courses { totalCount } }"
    assert responses._operation(query, None) is responses._operation(query, None)
    responses._operation(query + "#" + "x" * LONGEST, None)
    assert len(responses._operations) == DOCUMENTS
