"""Courses, their structure and their content, asked through GraphQL on real PostgreSQL."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from app.catalog.statements import COURSE_FOR_UPDATE
from app.db.statements import Statement
from app.db.wire import Wire
from app.viewer import Role
from tests.world import Person, World

FIELDS = "__typename ... on ValidationProblem { fields { path code } } ... on Problem { code message }"
COURSE = "id title description category level language tags version publishedAt instructors { id fullName }"
CREATE = (
    f"mutation($i: CreateCourseInput!) {{ createCourse(input: $i) {{ ... on CourseSuccess {{ course {{ {COURSE} }} }}"
    f" {FIELDS} }} }}"
)
UPDATE = (
    f"mutation($i: UpdateCourseInput!) {{ updateCourse(input: $i) {{ ... on CourseSuccess {{ course {{ {COURSE} }} }}"
    f" {FIELDS} }} }}"
)
PAGE = """query($f: CourseFilter, $s: CourseSort, $first: Int, $after: String, $last: Int, $before: String) {
  courses(filter: $f, sort: $s, first: $first, after: $after, last: $last, before: $before) {
    totalCount nodes { title } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


def act(name: str, kind: str, answer: str = "") -> str:
    return f"mutation($i: {kind}!) {{ {name}(input: $i) {{ {answer} {FIELDS} }} }}"


async def titles(world: World, who: Role | Person = Role.STUDENT, **page: Any) -> list[str]:
    data = await world.ask(PAGE, as_=who, **page)
    return [node["title"] for node in data["courses"]["nodes"]]


async def structure(world: World, course: str) -> list[tuple[str, list[str]]]:
    data = await world.ask(
        "query($id: ID!) { course(id: $id) { modules { title position lessons { title position } } } }",
        as_=Role.ADMIN, id=course,
    )  # fmt: skip
    modules = data["course"]["modules"]
    assert [module["position"] for module in modules] == list(range(1, len(modules) + 1))
    for module in modules:
        assert [lesson["position"] for lesson in module["lessons"]] == list(range(1, len(module["lessons"]) + 1))
    return [(module["title"], [lesson["title"] for lesson in module["lessons"]]) for module in modules]


async def test_an_instructor_makes_a_draft_that_only_its_authors_see(acme: World) -> None:
    made = await acme.ask(
        CREATE, as_=Role.INSTRUCTOR,
        i={"title": "  Física   I ", "description": "<p>Hola<script>x()</script></p>", "tags": ["Ciencia", "ciencia"]},
    )  # fmt: skip
    course = made["createCourse"]["course"]
    assert (course["title"], course["description"], course["tags"]) == ("Física I", "<p>Hola</p>", ["ciencia"])
    assert (course["level"], course["language"], course["publishedAt"], course["version"]) == ("ALL", "es", None, 1)
    query = "query($id: ID!) { course(id: $id) { title } }"
    assert (await acme.ask(query, as_=Role.STUDENT, id=course["id"]))["course"] is None
    assert (await acme.ask(query, as_=await acme.person(Role.INSTRUCTOR), id=course["id"]))["course"] is None
    for who in (Role.INSTRUCTOR, Role.ADMIN):
        assert (await acme.ask(query, as_=who, id=course["id"]))["course"] == {"title": "Física I"}


async def test_every_bad_field_is_named_at_once_and_nothing_is_written(acme: World) -> None:
    bad = {"title": " ", "language": "klingon!", "coverUrl": "http://x", "tags": ["t" * 41]}
    answer = await acme.ask(CREATE, as_=Role.INSTRUCTOR, i=bad)
    assert [(field["path"], field["code"]) for field in answer["createCourse"]["fields"]] == [
        ("input.title", "TOO_SHORT"),
        ("input.language", "LANGUAGE_INVALID"),
        ("input.coverUrl", "URL_INVALID"),
        ("input.tags", "TOO_LONG"),
    ]
    long = await acme.ask(CREATE, as_=Role.INSTRUCTOR, i={"title": "x" * 201, "description": "y" * 20_001})
    assert [field["code"] for field in long["createCourse"]["fields"]] == ["TOO_LONG", "TOO_LONG"]
    assert await titles(acme, Role.ADMIN) == []


async def test_messages_follow_the_readers_language(acme: World) -> None:
    response = await acme.send(
        CREATE, as_=Role.INSTRUCTOR, headers={"Accept-Language": "es-CL"}, i={"title": "x", "language": "??"}
    )
    [field] = response.json()["data"]["createCourse"]["fields"]
    assert field == {"path": "input.language", "code": "LANGUAGE_INVALID"}
    assert response.json()["data"]["createCourse"]["message"] == "hay campos que corregir"


async def test_a_repeated_request_with_a_key_makes_one_course_even_at_once(acme: World) -> None:
    given = {"title": "Una vez", "idempotencyKey": "course-key-1"}
    await acme.some(Role.INSTRUCTOR)
    answers = await asyncio.gather(*(acme.ask(CREATE, as_=Role.INSTRUCTOR, i=given) for _ in range(5)))
    assert len({answer["createCourse"]["course"]["id"] for answer in answers}) == 1
    other = await acme.ask(CREATE, as_=Role.INSTRUCTOR, i={**given, "title": "Otra"})
    assert other["createCourse"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await titles(acme, Role.ADMIN) == ["Una vez"]


async def test_repeated_copies_modules_and_lessons_with_a_key_are_made_once(acme: World) -> None:
    course = acme.id("crs", await acme.course(published=False))
    query = "query($id: ID!) { course(id: $id) { modules { id } } }"
    [module] = (await acme.ask(query, as_=Role.ADMIN, id=course))["course"]["modules"]
    block = {"content": {"richText": {"html": "x"}}}
    for name, kind, answer, given, other in (
        ("copyCourse", "CopyCourseInput", "... on CourseSuccess { course { id } }", {"id": course}, {"title": "Z"}),
        (
            "createModule", "CreateModuleInput", "... on ModuleSuccess { module { id } }",
            {"courseId": course, "title": "M"}, {"title": "Z"},
        ),
        (
            "createLesson", "CreateLessonInput", "... on LessonSuccess { lesson { id } }",
            {"moduleId": module["id"], "title": "L", "blocks": [block]}, {"blocks": []},
        ),
    ):  # fmt: skip
        query, given = act(name, kind, answer), {**given, "idempotencyKey": f"key-of-{name}"}
        answers = await asyncio.gather(*(acme.ask(query, as_=Role.INSTRUCTOR, i=given) for _ in range(3)))
        assert len({str(answer[name]) for answer in answers}) == 1
        assert answers[0][name]["__typename"].endswith("Success")
        reused = await acme.ask(query, as_=Role.INSTRUCTOR, i={**given, **other})
        assert reused[name]["code"] == "IDEMPOTENCY_KEY_REUSED"
        short = await acme.ask(query, as_=Role.INSTRUCTOR, i={**given, "idempotencyKey": "short"})
        assert short[name]["fields"] == [{"path": "input.idempotencyKey", "code": "TOO_SHORT"}]
    assert await structure(acme, course) == [("Module 1", ["Lesson 1", "L"]), ("M", [])]
    assert len(await titles(acme, Role.ADMIN)) == 2


@pytest.mark.parametrize(
    ("name", "kind", "which"),
    [
        ("publishCourse", "CourseIdInput", "course"),
        ("unpublishCourse", "CourseIdInput", "course"),
        ("deleteCourse", "CourseIdInput", "course"),
        ("deleteModule", "ModuleIdInput", "module"),
        ("deleteLesson", "LessonIdInput", "lesson"),
    ],
)
async def test_what_somebody_changed_since_is_not_published_hidden_or_deleted(
    acme: World, name: str, kind: str, which: str
) -> None:
    course = acme.id("crs", await acme.course(published=name != "publishCourse"))
    query = "query($id: ID!) { course(id: $id) { id publishedAt modules { id lessons { id } } } }"
    before = (await acme.ask(query, as_=Role.ADMIN, id=course))["course"]
    module = before["modules"][0]
    ids = {"course": course, "module": module["id"], "lesson": module["lessons"][0]["id"]}
    stale = await acme.ask(act(name, kind), as_=Role.INSTRUCTOR, i={"id": ids[which], "expectedVersion": 9})
    assert stale[name]["code"] == "VERSION_CONFLICT"
    assert (await acme.ask(query, as_=Role.ADMIN, id=course))["course"] == before
    done = await acme.ask(act(name, kind), as_=Role.INSTRUCTOR, i={"id": ids[which], "expectedVersion": 1})
    assert done[name]["__typename"].endswith("Success")


async def test_of_two_editors_with_the_same_version_one_wins(acme: World) -> None:
    course = acme.id("crs", await acme.course("Antes"))
    answers = await asyncio.gather(
        *(
            acme.ask(UPDATE, as_=Role.INSTRUCTOR, i={"id": course, "title": f"Después {n}", "expectedVersion": 1})
            for n in range(4)
        )
    )
    kinds = sorted(answer["updateCourse"]["__typename"] for answer in answers)
    assert kinds == ["ConflictProblem"] * 3 + ["CourseSuccess"]
    assert {a["updateCourse"].get("code") for a in answers} == {None, "VERSION_CONFLICT"}


async def test_only_its_own_instructors_and_administrators_change_a_course(acme: World) -> None:
    course = acme.id("crs", await acme.course("Mía"))
    draft = acme.id("crs", await acme.course("Borrador", published=False))
    stranger = await acme.person(Role.INSTRUCTOR)
    refused = await acme.ask(UPDATE, as_=stranger, i={"id": course, "title": "Suya"})
    assert refused["updateCourse"]["__typename"] == "ForbiddenProblem"
    hidden = await acme.ask(UPDATE, as_=stranger, i={"id": draft, "title": "Suya"})
    assert hidden["updateCourse"]["__typename"] == "NotFoundProblem"
    allowed = await acme.ask(UPDATE, as_=Role.ADMIN, i={"id": course, "category": "Arte", "level": "ADVANCED"})
    assert allowed["updateCourse"]["course"]["category"] == "Arte"
    cleared = await acme.ask(UPDATE, as_=Role.ADMIN, i={"id": course, "category": None})
    assert cleared["updateCourse"]["course"]["category"] is None
    assert cleared["updateCourse"]["course"]["title"] == "Mía"


async def test_instructors_are_members_who_teach(acme: World, globex: World) -> None:
    course = acme.id("crs", await acme.course())
    student, teacher = await acme.person(Role.STUDENT), await acme.person(Role.INSTRUCTOR)
    bad = await acme.ask(UPDATE, as_=Role.ADMIN, i={"id": course, "instructorIds": [teacher.id, student.id]})
    assert bad["updateCourse"]["fields"] == [{"path": "input.instructorIds.1", "code": "NOT_AN_INSTRUCTOR"}]
    foreign = (await globex.person(Role.INSTRUCTOR)).id
    worse = await acme.ask(UPDATE, as_=Role.ADMIN, i={"id": course, "instructorIds": [foreign, "usr_x"]})
    codes = [(field["path"], field["code"]) for field in worse["updateCourse"]["fields"]]
    assert codes == [("input.instructorIds.1", "ID_INVALID")]
    good = await acme.ask(UPDATE, as_=Role.ADMIN, i={"id": course, "instructorIds": [teacher.id]})
    assert [person["id"] for person in good["updateCourse"]["course"]["instructors"]] == [teacher.id]
    away = await acme.ask(
        UPDATE, as_=teacher, i={"id": course, "instructorIds": [(await acme.some(Role.INSTRUCTOR)).id]}
    )
    assert away["updateCourse"]["__typename"] == "ForbiddenProblem"


async def test_a_course_without_lessons_cannot_be_published(acme: World) -> None:
    empty = acme.id("crs", await acme.course(modules=0, published=False))
    publish = act("publishCourse", "CourseIdInput", "... on CourseSuccess { course { publishedAt } }")
    refused = await acme.ask(publish, as_=Role.INSTRUCTOR, i={"id": empty})
    assert refused["publishCourse"]["code"] == "COURSE_EMPTY"
    full = acme.id("crs", await acme.course(published=False))
    done = await acme.ask(publish, as_=Role.INSTRUCTOR, i={"id": full})
    stamp = done["publishCourse"]["course"]["publishedAt"]
    assert stamp is not None
    again = await acme.ask(publish, as_=Role.INSTRUCTOR, i={"id": full})
    assert again["publishCourse"]["course"]["publishedAt"] == stamp


async def test_a_deleted_course_is_gone_for_everybody(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    stale = await acme.ask(
        act("deleteCourse", "CourseIdInput"), as_=Role.INSTRUCTOR, i={"id": course, "expectedVersion": 9}
    )
    assert stale["deleteCourse"]["code"] == "VERSION_CONFLICT"
    await acme.ask(act("deleteCourse", "CourseIdInput"), as_=Role.INSTRUCTOR, i={"id": course})
    assert await titles(acme, Role.ADMIN) == []
    again = await acme.ask(act("deleteCourse", "CourseIdInput"), as_=Role.ADMIN, i={"id": course})
    assert again["deleteCourse"]["code"] == "NOT_FOUND"


async def test_a_copy_has_everything_but_learners_and_is_a_draft(acme: World) -> None:
    course = acme.id("crs", await acme.course("Original", modules=2, lessons=2))
    copied = await acme.ask(
        act("copyCourse", "CopyCourseInput", "... on CourseSuccess { course { id title publishedAt learnerCount } }"),
        as_=Role.INSTRUCTOR, i={"id": course, "title": "Copia"},
    )  # fmt: skip
    copy = copied["copyCourse"]["course"]
    assert (copy["title"], copy["publishedAt"], copy["learnerCount"]) == ("Copia", None, 0)
    assert copy["id"] != course
    assert await structure(acme, copy["id"]) == await structure(acme, course)
    blocks = (
        "query($id: ID!) { course(id: $id) { modules { lessons { id blocks { ... on RichTextBlock { id html } } } } } }"
    )
    first, second = [await acme.ask(blocks, as_=Role.ADMIN, id=each) for each in (course, copy["id"])]
    assert str(first) != str(second)
    html = [b["html"] for m in second["course"]["modules"] for le in m["lessons"] for b in le["blocks"]]
    assert html == ["<p>Original</p>"] * 4


async def test_modules_and_lessons_are_added_changed_reordered_and_deleted(acme: World) -> None:
    course = acme.id("crs", await acme.course(modules=0, published=False))
    modules, lessons = [], []
    for title in ("A", "B", "C"):
        made = await acme.ask(
            act("createModule", "CreateModuleInput", "... on ModuleSuccess { module { id version } }"),
            as_=Role.INSTRUCTOR, i={"courseId": course, "title": title},
        )  # fmt: skip
        modules.append(made["createModule"]["module"]["id"])
    for title in ("1", "2", "3"):
        made = await acme.ask(
            act("createLesson", "CreateLessonInput", "... on LessonSuccess { lesson { id weight isRequired } }"),
            as_=Role.INSTRUCTOR, i={"moduleId": modules[0], "title": title},
        )  # fmt: skip
        lessons.append(made["createLesson"]["lesson"]["id"])
    reorder = act("reorderModules", "ReorderModulesInput", "... on CourseSuccess { course { version } }")
    await acme.ask(
        reorder, as_=Role.INSTRUCTOR, i={"courseId": course, "moduleIds": [modules[2], modules[0], modules[1]]}
    )
    assert await structure(acme, course) == [("C", []), ("A", ["1", "2", "3"]), ("B", [])]
    move = act("reorderLessons", "ReorderLessonsInput", "... on ModuleSuccess { module { id } }")
    await acme.ask(move, as_=Role.INSTRUCTOR, i={"moduleId": modules[1], "lessonIds": [lessons[2], lessons[0]]})
    assert await structure(acme, course) == [("C", []), ("A", ["2"]), ("B", ["3", "1"])]
    await acme.ask(act("deleteModule", "ModuleIdInput"), as_=Role.INSTRUCTOR, i={"id": modules[2]})
    await acme.ask(act("deleteLesson", "LessonIdInput"), as_=Role.INSTRUCTOR, i={"id": lessons[2]})
    assert await structure(acme, course) == [("A", ["2"]), ("B", ["1"])]
    renamed = await acme.ask(
        act("updateModule", "UpdateModuleInput", "... on ModuleSuccess { module { title description version } }"),
        as_=Role.INSTRUCTOR, i={"id": modules[0], "title": "Alfa", "expectedVersion": 1},
    )  # fmt: skip
    assert renamed["updateModule"]["module"] == {"title": "Alfa", "description": "", "version": 2}
    stale = await acme.ask(
        act("updateModule", "UpdateModuleInput"),
        as_=Role.INSTRUCTOR,
        i={"id": modules[0], "title": "Z", "expectedVersion": 1},
    )
    assert stale["updateModule"]["code"] == "VERSION_CONFLICT"


async def test_a_nonsensical_order_is_refused_with_its_places_and_changes_nothing(acme: World) -> None:
    course = acme.id("crs", await acme.course(modules=3, lessons=1))
    other = acme.id("crs", await acme.course("Otro"))
    query = "query($id: ID!) { course(id: $id) { modules { id lessons { id } } } }"
    mine = [m["id"] for m in (await acme.ask(query, as_=Role.ADMIN, id=course))["course"]["modules"]]
    theirs = (await acme.ask(query, as_=Role.ADMIN, id=other))["course"]["modules"][0]
    before = await structure(acme, course)
    reorder = act("reorderModules", "ReorderModulesInput")
    for order, problems in (
        (
            [mine[0], mine[0], mine[1]],
            [("input.moduleIds.1", "ORDER_DUPLICATE"), ("input.moduleIds", "ORDER_INCOMPLETE")],
        ),
        ([*mine, theirs["id"]], [("input.moduleIds.3", "ORDER_UNKNOWN")]),
        ([*mine[:2], course], [("input.moduleIds.2", "ORDER_UNKNOWN"), ("input.moduleIds", "ORDER_INCOMPLETE")]),
        ([], [("input.moduleIds", "ORDER_INCOMPLETE")]),
    ):
        answer = await acme.ask(reorder, as_=Role.INSTRUCTOR, i={"courseId": course, "moduleIds": order})
        assert [(f["path"], f["code"]) for f in answer["reorderModules"]["fields"]] == problems
    moved = await acme.ask(
        act("reorderLessons", "ReorderLessonsInput"), as_=Role.INSTRUCTOR,
        i={"moduleId": mine[0], "lessonIds": [theirs["lessons"][0]["id"]]},
    )  # fmt: skip
    assert moved["reorderLessons"]["__typename"] == "ValidationProblem"
    assert await structure(acme, course) == before


async def test_of_two_tabs_that_reorder_at_once_one_is_told_to_read_again(acme: World) -> None:
    course = acme.id("crs", await acme.course(modules=3, lessons=1))
    query = "query($id: ID!) { course(id: $id) { modules { id } } }"
    ids = [m["id"] for m in (await acme.ask(query, as_=Role.ADMIN, id=course))["course"]["modules"]]
    reorder = act("reorderModules", "ReorderModulesInput")
    answers = await asyncio.gather(
        *(
            acme.ask(reorder, as_=Role.INSTRUCTOR, i={"courseId": course, "moduleIds": order, "expectedVersion": 1})
            for order in (ids[::-1], ids[1:] + ids[:1])
        )
    )
    assert sorted(a["reorderModules"]["__typename"] for a in answers) == ["ConflictProblem", "CourseSuccess"]
    assert len(await structure(acme, course)) == 3


async def test_a_lesson_holds_every_kind_of_block_and_keeps_the_ids_it_is_given(acme: World) -> None:
    course = acme.id("crs", await acme.course(published=False))
    query = "query($id: ID!) { course(id: $id) { modules { lessons { id version } } } }"
    lesson = (await acme.ask(query, as_=Role.ADMIN, id=course))["course"]["modules"][0]["lessons"][0]
    blocks = """... on LessonSuccess { lesson { version blocks { __typename ... on LessonBlockBase { id title position }
      ... on RichTextBlock { html } ... on VideoBlock { url durationSeconds captionsUrl }
      ... on FileBlock { url filename mediaType sizeBytes } ... on EmbedBlock { url height }
      ... on QuizBlock { questionKind } } } }"""
    update = act("updateLesson", "UpdateLessonInput", blocks)
    given: list[dict[str, Any]] = [
        {"title": "T", "content": {"richText": {"html": '<p onclick="x()">a</p><a href="javascript:x">b</a>'}}},
        {"content": {"video": {"url": "https://v.example.org/1", "durationSeconds": 60}}},
        {"content": {"file": {"url": "https://f.example.org/a.pdf", "filename": "a.pdf", "sizeBytes": 9}}},
        {"content": {"embed": {"url": "https://www.youtube.com/embed/x"}}},
        {"content": {"quiz": {"questionKind": "choice"}}},
    ]
    made = (await acme.ask(update, as_=Role.INSTRUCTOR, i={"id": lesson["id"], "blocks": given}))["updateLesson"][
        "lesson"
    ]
    kinds = [block["__typename"] for block in made["blocks"]]
    assert kinds == ["RichTextBlock", "VideoBlock", "FileBlock", "EmbedBlock", "QuizBlock"]
    assert "onclick" not in made["blocks"][0]["html"]
    assert "javascript" not in made["blocks"][0]["html"]
    kept = [{**given[1], "id": made["blocks"][1]["id"]}]
    again = (await acme.ask(update, as_=Role.INSTRUCTOR, i={"id": lesson["id"], "blocks": kept}))["updateLesson"][
        "lesson"
    ]
    assert [block["id"] for block in again["blocks"]] == [made["blocks"][1]["id"]]
    bad = [{"content": {"embed": {"url": "https://evil.example.org/x"}}}, {"content": {"video": {"url": "ftp://x"}}}]
    refused = await acme.ask(update, as_=Role.INSTRUCTOR, i={"id": lesson["id"], "blocks": bad})
    assert [f["code"] for f in refused["updateLesson"]["fields"]] == ["EMBED_HOST_NOT_ALLOWED", "URL_INVALID"]
    foreign = [{**given[1], "id": acme.id("blk", (await acme.course("Z")))}]
    unknown = await acme.ask(update, as_=Role.INSTRUCTOR, i={"id": lesson["id"], "blocks": foreign})
    assert unknown["updateLesson"]["fields"] == [{"path": "input.blocks.0.id", "code": "ID_INVALID"}]
    after = await acme.ask(
        "query($id: ID!) { lesson(id: $id) { blocks { __typename } } }", as_=Role.ADMIN, id=lesson["id"]
    )
    assert after["lesson"]["blocks"] == [{"__typename": "VideoBlock"}]
    none = await acme.post(update, as_=Role.INSTRUCTOR, i={"id": lesson["id"], "blocks": [{"content": {}}]})
    assert none["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_new_lesson_has_new_blocks_and_takes_none_from_another(acme: World) -> None:
    course = acme.id("crs", await acme.course(published=False))
    query = """query($id: ID!) { course(id: $id) { modules { id
      lessons { title blocks { ... on RichTextBlock { id } } } } } }"""
    [module] = (await acme.ask(query, as_=Role.ADMIN, id=course))["course"]["modules"]
    block = {"content": {"richText": {"html": "x"}}}
    for given in (module["lessons"][0]["blocks"][0]["id"], "nonsense", module["id"]):
        answer = await acme.ask(
            act("createLesson", "CreateLessonInput"), as_=Role.INSTRUCTOR,
            i={"moduleId": module["id"], "title": "Nueva", "blocks": [block, {**block, "id": given}]},
        )  # fmt: skip
        assert answer["createLesson"]["fields"] == [{"path": "input.blocks.1.id", "code": "ID_INVALID"}]
    assert (await acme.ask(query, as_=Role.ADMIN, id=course))["course"]["modules"] == [module]


async def test_what_was_deleted_while_one_waited_for_it_is_not_there(acme: World) -> None:
    course = await acme.course(published=False)
    query = "query($id: ID!) { course(id: $id) { modules { id lessons { id } } } }"
    data = await acme.ask(query, as_=Role.ADMIN, id=acme.id("crs", course))
    module, lesson = data["course"]["modules"][0]["id"], data["course"]["modules"][0]["lessons"][0]["id"]
    waiting = [
        (act("createLesson", "CreateLessonInput"), {"moduleId": module, "title": "Tarde"}),
        (act("updateModule", "UpdateModuleInput"), {"id": module, "title": "Tarde"}),
        (act("updateLesson", "UpdateLessonInput"), {"id": lesson, "title": "Tarde"}),
        (act("deleteLesson", "LessonIdInput"), {"id": lesson}),
        (act("deleteModule", "ModuleIdInput"), {"id": module}),
        (act("reorderLessons", "ReorderLessonsInput"), {"moduleId": module, "lessonIds": [lesson]}),
    ]
    async with acme.platform.database.tenant(acme.tenant.handle) as tx:
        await tx.one(COURSE_FOR_UPDATE, "course", id=course)
        asked = [asyncio.create_task(acme.ask(query, as_=Role.ADMIN, i=given)) for query, given in waiting]
        await asyncio.sleep(0.5)
        await tx.execute(Statement(text("UPDATE modules SET deleted_at = now()"), int))
    answers = [next(iter((await task).values())) for task in asked]
    assert [answer.get("code") for answer in answers] == ["NOT_FOUND"] * len(waiting)


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg><script>alert(1)</script></svg>",
        '<a href="javas\tcript:alert(1)">x</a>',
        "<math><mtext></mtext><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
        '<iframe src="https://evil.example.org"></iframe>',
        '<form action="https://evil.example.org"><input name=p></form>',
        '<p style="background:url(javascript:alert(1))">x</p>',
    ],
)
async def test_what_could_run_never_comes_out_again(acme: World, html: str) -> None:
    made = await acme.ask(CREATE, as_=Role.INSTRUCTOR, i={"title": "X", "description": html})
    shown = made["createCourse"]["course"]["description"].lower()
    for danger in ("<script", "onerror=alert", "javascript:", "<iframe", "<form", "<input", "style="):
        assert danger not in shown.replace("&lt;", "«")


async def test_search_forgives_accents_and_typos_and_ranks(acme: World) -> None:
    await acme.course("Programación en Python")
    await acme.course("Cocina chilena")
    await acme.course("Python avanzado para programadores")
    assert set(await titles(acme, f={"search": "programacion"})) >= {"Programación en Python"}
    for typo in ("pythn", "pyton"):
        assert set(await titles(acme, f={"search": typo})) == {
            "Programación en Python",
            "Python avanzado para programadores",
        }
    assert await titles(acme, f={"search": '"python avanzado"'}) == ["Python avanzado para programadores"]
    assert await titles(acme, f={"search": "cocina -python"}) == ["Cocina chilena"]
    assert await titles(acme, f={"search": "cocina"}, s="RELEVANCE") == ["Cocina chilena"]
    assert await titles(acme, f={"search": "'; DROP TABLE courses; --"}) == []
    refused = await acme.post(PAGE, as_=Role.STUDENT, s="RELEVANCE")
    assert refused["errors"][0]["extensions"]["fields"][0]["code"] == "SORT_NEEDS_SEARCH"


async def test_filters_are_combined(acme: World) -> None:
    teacher = await acme.person(Role.INSTRUCTOR)
    await acme.course("Uno", instructor=teacher)
    course = acme.id("crs", await acme.course("Dos"))
    await acme.course("Borrador", published=False)
    await acme.ask(
        UPDATE, as_=Role.ADMIN, i={"id": course, "category": "Arte", "tags": ["x", "y"], "level": "BEGINNER"}
    )
    assert await titles(acme, f={"category": "Arte", "tags": ["Y"], "level": "BEGINNER", "language": "es"}) == ["Dos"]
    assert await titles(acme, f={"instructorId": teacher.id}) == ["Uno"]
    assert await titles(acme, teacher, f={"mine": True}) == ["Uno"]
    assert await titles(acme, Role.ADMIN, f={"published": False}) == ["Borrador"]
    assert len(await titles(acme, Role.ADMIN, f={"published": True})) == 2
    assert sorted(await titles(acme, Role.INSTRUCTOR)) == ["Borrador", "Dos", "Uno"]


@pytest.mark.parametrize("sort", ["NEWEST", "OLDEST", "TITLE"])
@pytest.mark.parametrize("who", [Role.STUDENT, Role.ADMIN])
async def test_pages_stay_stable_when_courses_are_added_between_them(acme: World, sort: str, who: Role) -> None:
    names = [f"Curso {n:02}" for n in range(7)]
    for name in names:
        await acme.course(name)
    whole = await titles(acme, who, s=sort, first=100)
    seen: list[str] = []
    after = None
    while True:
        data = (await acme.ask(PAGE, as_=who, s=sort, first=3, after=after))["courses"]
        seen += [node["title"] for node in data["nodes"]]
        after = data["pageInfo"]["endCursor"]
        await acme.course(f"Nuevo {len(seen)}")
        if not data["pageInfo"]["hasNextPage"] or len(seen) > 20:
            break
    assert [name for name in seen if name in names] == whole
    assert len(set(seen)) == len(seen)
    back = (await acme.ask(PAGE, as_=who, s=sort, last=2, before=after))["courses"]
    assert [node["title"] for node in back["nodes"]] == seen[-3:-1]
    assert back["pageInfo"]["hasNextPage"] is True


async def test_bad_pages_are_refused_with_their_places(acme: World) -> None:
    for page, code in (
        ({"first": 0}, "PAGE_SIZE_INVALID"),
        ({"first": 101}, "PAGE_SIZE_INVALID"),
        ({"first": 5, "last": 5}, "PAGE_DIRECTION"),
        ({"after": "nonsense"}, "CURSOR_INVALID"),
        ({"after": "WyJ1c2VycyJd"}, "CURSOR_INVALID"),
    ):
        answer = await acme.post(PAGE, as_=Role.STUDENT, **page)
        assert answer["errors"][0]["extensions"]["fields"][0]["code"] == code


def cursor(*values: object) -> str:
    return urlsafe_b64encode(orjson.dumps(values)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "forged",
    [
        cursor("courses:newest"),
        cursor("courses:newest", 1, 2),
        cursor("courses:newest", None, None),
        cursor("courses:newest", {"u": 5}, {"u": "0" * 32}),
        cursor("courses:newest", {"d": "NaN"}, {"u": "0" * 32}),
        cursor("courses:newest", {"t": "2026-01-01T00:00:00Z"}, {"u": "0" * 32}, 1),
        cursor("courses:newest", {"t": "2026-01-01T00:00:00Z"}, {"t": "2026-01-01T00:00:00Z"}),
        cursor("courses:title", "a", {"u": "0" * 32}),
        cursor({"t": 1}),
        cursor("courses:newest", {}, []),
        "%%%",
        "é\x00",
    ],
)
async def test_a_forged_cursor_is_refused_and_nothing_breaks(acme: World, forged: str) -> None:
    answer = await acme.post(PAGE, as_=Role.STUDENT, after=forged)
    assert answer["errors"][0]["extensions"]["fields"][0]["code"] == "CURSOR_INVALID"


async def test_statement_counts_are_the_same_for_2_and_200_courses(acme: World) -> None:
    catalogue = """{ courses(first: 20) { nodes { id title instructors { fullName } lessonCount learnerCount } } }"""
    nested = "{ courses(first: 20) { nodes { title modules { title lessons { title } } } } }"
    page = """query($id: ID!) { course(id: $id) { title instructors { fullName } viewerCan { enroll }
      modules { title lessons { title viewerCanRead myProgress { state percent } } } myProgress { percent } } }"""
    course = acme.id("crs", await acme.course("Base", modules=2, lessons=2))
    await acme.course("Segundo")
    await acme.some(Role.STUDENT)
    found: list[list[int]] = []
    for modules, lessons in ((1, 1), (5, 8)):
        if found:
            await acme.many_courses(198, modules=modules, lessons=lessons)
        counts = []
        for query in (catalogue, nested, page):
            variables = {"id": course} if "$id" in query else {}
            with acme.counting() as statements:
                await acme.ask(query, as_=Role.STUDENT, **variables)
            counts.append(statements.in_tenant())
        found.append(counts)
    assert found[0] == found[1]
    assert found[0] == [4, 3, 6]


async def test_a_module_and_a_lesson_can_be_read_by_their_ids(acme: World) -> None:
    course = acme.id("crs", await acme.course("Curso"))
    tree = await acme.ask(
        "query($id: ID!) { course(id: $id) { modules { id lessons { id } } } }", as_=Role.STUDENT, id=course
    )
    module = tree["course"]["modules"][0]
    query = """query($m: ID!, $l: ID!) { module(id: $m) { title course { title } }
      lesson(id: $l) { title module { title } course { title } lockReasons { code message } }
      nodes(ids: [$m, $l, "crs_0", "?"]) { __typename id } }"""
    data = await acme.ask(query, as_=Role.STUDENT, m=module["id"], l=module["lessons"][0]["id"])
    assert data["module"] == {"title": "Module 1", "course": {"title": "Curso"}}
    assert data["lesson"]["lockReasons"] == [{"code": "NOT_ENROLLED", "message": "enrol in the course first"}]
    assert [node and node["__typename"] for node in data["nodes"]] == ["Module", "Lesson", None, None]


async def test_sibling_lists_are_asked_for_in_one_message(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await acme.course()
    query = "{ courses { nodes { instructors { fullName } lessonCount averageRating } } }"
    await acme.ask(query, as_=Role.STUDENT)
    messages: list[int] = []
    end = Wire._end_message

    def counted(wire: Wire) -> None:
        messages.append(len(wire._under_way))
        end(wire)

    await asyncio.sleep(0.02)  # the former transaction's end is sent without anybody waiting for it
    monkeypatch.setattr(Wire, "_end_message", counted)
    with acme.counting() as statements:
        await acme.ask(query, as_=Role.STUDENT)
    await asyncio.sleep(0.02)
    assert statements.in_tenant() == 4
    assert messages == [3, 3, 1]  # begin, fence and the page; its three siblings; the end
