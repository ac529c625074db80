"""Gradebooks: put together from quizzes and manual items, read by teachers and learners, graded, exported."""

from __future__ import annotations

import asyncio
import csv
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest

from app.viewer import Role
from tests.quizzing import PROBLEM, School
from tests.world import Person, World

LINE = """user { id fullName } cells { itemId points percent counts isDropped isExcused isHidden comment version }
  categories { categoryId percent } total { percent grade points possible leavesOutHidden }"""
PLAN = """version ungradedAsZero scale exigency bands { label leastPercent }
  categories { id title weight dropLowest }
  items { id title points weight categoryId isExtraCredit isExcluded position version quiz { id } }"""
BOOK = f"""query($id: ID!, $first: Int, $after: String, $search: String) {{ gradebook(courseId: $id) {{ {PLAN}
  learners(first: $first, after: $after, search: $search) {{ totalCount nodes {{ {LINE} }}
    pageInfo {{ hasNextPage endCursor }} }} }} }}"""
MINE = f"query($id: ID!) {{ myGrades(courseId: $id) {{ {PLAN} grades {{ {LINE} }} }} }}"
EXPORT = """query($id: ID!, $separator: CsvSeparator, $mark: Boolean! = false) {
  exportGradebook(courseId: $id, separator: $separator, byteOrderMark: $mark) { fileName text learners } }"""
SHOWN = {
    "GradebookSuccess": f"gradebook {{ {PLAN} }}",
    "GradeItemSuccess": "item { id title points weight categoryId isExtraCredit isExcluded version }",
    "DeleteSuccess": "deletedId",
    "GradesSuccess": f"learners {{ {LINE} }}",
}
CELLS = "... on GradeConflictProblem { cells { itemId userId gradedBy points isExcused version } }"
MUTATIONS = {
    "updateGradebook": "GradebookSuccess",
    "setGradeCategories": "GradebookSuccess",
    "createGradeItem": "GradeItemSuccess",
    "updateGradeItem": "GradeItemSuccess",
    "deleteGradeItem": "DeleteSuccess",
    "gradeManually": "GradesSuccess",
    "excuseGrade": "GradesSuccess",
}


class Desk:
    """A teacher at a course's gradebook."""

    def __init__(self, school: School) -> None:
        self.school = school
        self.world = school.world

    async def do(self, name: str, *, as_: Person | None = None, **given: Any) -> dict[str, Any]:
        """A mutation; its answer."""
        success = MUTATIONS[name]
        extra = CELLS if success == "GradesSuccess" else ""
        kind = name[0].upper() + name[1:]
        query = f"""mutation($input: {kind}Input!) {{ {name}(input: $input) {{ __typename
            ... on {success} {{ {SHOWN[success]} }} {PROBLEM} {extra} }} }}"""
        answer = await self.world.ask(query, as_=as_ or self.school.teacher, input=given)
        made: dict[str, Any] = answer[name]
        return made

    async def book(self, *, as_: Any = None, **given: Any) -> dict[str, Any]:
        """The gradebook."""
        answer = await self.world.ask(BOOK, as_=as_ or self.school.teacher, id=self.school.course, **given)
        found: dict[str, Any] = answer["gradebook"]
        return found

    async def mine(self, who: Person) -> dict[str, Any]:
        """A learner's own grades."""
        found: dict[str, Any] = (await self.world.ask(MINE, as_=who, id=self.school.course))["myGrades"]
        return found

    async def item(self, points: str = "10", **given: Any) -> str:
        """A new manual item."""
        made = await self.do(
            "createGradeItem", **{"courseId": self.school.course, "title": "Control", "points": points, **given}
        )
        assert made["__typename"] == "GradeItemSuccess", made
        found: str = made["item"]["id"]
        return found

    async def give(self, item: str, who: Person, points: str | None, version: int = 0, **more: Any) -> dict[str, Any]:
        """One grade."""
        grade = {"itemId": item, "userId": who.id, "points": points, "expectedVersion": version, **more}
        return await self.do("gradeManually", courseId=self.school.course, grades=[grade])

    async def excuse(self, item: str, who: Person, version: int = 0, **more: Any) -> dict[str, Any]:
        """Excuse somebody."""
        given = {"itemId": item, "userId": who.id, "expectedVersion": version, "reason": "Enfermo", **more}
        return await self.do("excuseGrade", courseId=self.school.course, **given)

    async def export(self, *, as_: Any = None, **given: Any) -> str:
        """The text of the file."""
        answer = await self.world.ask(EXPORT, as_=as_ or self.school.teacher, id=self.school.course, **given)
        text: str = answer["exportGradebook"]["text"]
        return text


@pytest.fixture
async def acme(emptied: World) -> World:
    return emptied


@pytest.fixture
async def desk(acme: World) -> Desk:
    return Desk(await School.of(acme))


async def in_bulk(desk: Desk, learners: int) -> None:
    """Learners with a score in a quiz and a grade in an item, written straight into the tables."""
    teacher = desk.school.teacher.user_id
    for statement in (
        f"""INSERT INTO members (user_id, email, full_name, role, status, locale)
            SELECT gen_random_uuid(), 'bulk' || n || '@x.test', 'Bulk ' || lpad(n::text, 5, '0'), 'student', 'active',
                   'es' FROM generate_series(1, {learners}) n""",
        f"""INSERT INTO enrollments (id, course_id, user_id, status, enrolled_at)
            SELECT gen_random_uuid(), '{desk.school.course_id}', user_id,
                   CASE WHEN full_name < 'Bulk 00100' THEN 'active' ELSE 'completed' END, now()
            FROM members WHERE full_name LIKE 'Bulk %'""",
        """INSERT INTO quiz_scores (quiz_id, user_id, course_id, score, possible, percent, attempts, is_final)
           SELECT q.id, e.user_id, e.course_id, 1.25, 2, 62.5, 1, true
           FROM quizzes q JOIN enrollments e ON e.course_id = q.course_id""",
        f"""INSERT INTO grades (item_id, user_id, course_id, points, graded_by, graded_at)
            SELECT i.id, e.user_id, i.course_id, 7.5, '{teacher}', now()
            FROM grade_items i JOIN enrollments e ON e.course_id = i.course_id
            WHERE i.quiz_id IS NULL AND substr(e.user_id::text, 1, 1) < '8'""",
    ):
        await desk.world.as_owner(statement)


# --- what is in it


async def test_every_published_quiz_is_an_item_and_drafts_and_deleted_ones_are_none(desk: Desk) -> None:
    quiz = await desk.school.quiz()
    await desk.school.change("createQuiz", courseId=desk.school.course, title="Borrador")
    gone = await desk.school.quiz()
    assert [item["quiz"]["id"] for item in (await desk.book())["items"]] == [quiz, gone]
    await desk.school.change("deleteQuiz", id=gone)
    [item] = (await desk.book())["items"]
    assert item == {
        "id": item["id"], "title": "Prueba", "points": "2", "weight": None, "categoryId": None,
        "isExtraCredit": False, "isExcluded": False, "position": None, "version": 0, "quiz": {"id": quiz},
    }  # fmt: skip


async def test_the_total_is_the_sum_of_points_of_quizzes_and_manual_items(desk: Desk) -> None:
    quiz = await desk.school.quiz()
    item = await desk.item("8")
    ana = await desk.school.learner("Ana")
    await desk.school.attempted(quiz, ana, 1, 2)
    given = await desk.give(item, ana, "6.5", comment="<p>Bien</p><script>x</script>")
    [line] = given["learners"]
    assert line["total"] == {
        "percent": "75", "grade": None, "points": "7.5", "possible": "10", "leavesOutHidden": False,
    }  # fmt: skip
    assert [(cell["points"], cell["percent"], cell["version"]) for cell in line["cells"]] == [
        ("1", "50", 0), ("6.5", "81.25", 1),
    ]  # fmt: skip
    assert line["cells"][1]["comment"] == "<p>Bien</p>"
    assert (await desk.book())["learners"]["nodes"] == [line]
    assert (await desk.mine(ana))["grades"] == line


async def test_categories_weigh_drop_and_are_told_in_the_chilean_scale(desk: Desk) -> None:
    ana = await desk.school.learner("Ana")
    set_ = await desk.do(
        "setGradeCategories",
        courseId=desk.school.course,
        categories=[
            {"title": "Controles", "weight": "30", "dropLowest": 1},
            {"title": "Examen", "weight": "70"},
        ],
        expectedVersion=0,
    )
    tests, exam = (category["id"] for category in set_["gradebook"]["categories"])
    items = [await desk.item(categoryId=category) for category in (tests, tests, exam)]
    apart = await desk.item(title="Sin categoría")
    await desk.do("updateGradebook", courseId=desk.school.course, scale="CHILEAN", expectedVersion=1)
    for item, points in zip([*items, apart], ("2", "8", "5", "0"), strict=True):
        await desk.give(item, ana, points)
    [line] = (await desk.book())["learners"]["nodes"]
    assert [cell["isDropped"] for cell in line["cells"]] == [True, False, False, False]
    assert [cell["counts"] for cell in line["cells"]] == [False, True, True, False]
    assert line["categories"] == [{"categoryId": tests, "percent": "80"}, {"categoryId": exam, "percent": "50"}]
    assert (line["total"]["percent"], line["total"]["grade"]) == ("59", "4.0")  # 0.3 * 80 + 0.7 * 50; 3.95 rounded


async def test_a_category_that_goes_leaves_its_items_without_one(desk: Desk) -> None:
    course = desk.school.course
    first = {"title": "Uno", "weight": "1"}
    made = await desk.do("setGradeCategories", courseId=course, categories=[first, {"title": "Dos", "weight": "2"}])
    one, two = (category["id"] for category in made["gradebook"]["categories"])
    await desk.item(categoryId=one)
    kept = [{"id": two, "title": "Segunda", "weight": "3"}]
    after = (await desk.do("setGradeCategories", courseId=course, categories=kept))["gradebook"]
    assert after["categories"] == [{"id": two, "title": "Segunda", "weight": "3", "dropLowest": 0}]
    assert [(item["categoryId"], item["version"]) for item in after["items"]] == [(None, 2)]
    refused = await desk.do("setGradeCategories", courseId=course, categories=[{**first, "id": one}])
    assert refused["fields"] == [{"path": "input.categories.0.id", "code": "ID_INVALID"}]
    stale = await desk.do("setGradeCategories", courseId=course, categories=[], expectedVersion=1)
    assert stale["code"] == "VERSION_CONFLICT"
    assert [category["id"] for category in (await desk.book())["categories"]] == [two]


async def test_ungraded_counts_once_graded_or_as_zero_when_asked(desk: Desk) -> None:
    items = [await desk.item(), await desk.item()]
    ana = await desk.school.learner("Ana")
    await desk.give(items[0], ana, "8")
    assert (await desk.mine(ana))["grades"]["total"]["percent"] == "80"
    await desk.do("updateGradebook", courseId=desk.school.course, ungradedAsZero=True)
    assert (await desk.mine(ana))["grades"]["total"]["percent"] == "40"


async def test_a_quiz_may_have_other_points_be_extra_credit_or_be_excluded(desk: Desk) -> None:
    quiz = await desk.school.quiz()
    ana = await desk.school.learner("Ana")
    await desk.school.attempted(quiz, ana, 1, 2)
    await desk.give(await desk.item("10"), ana, "10")
    item = (await desk.book())["items"][0]["id"]
    changed = await desk.do("updateGradeItem", id=item, points="30", expectedVersion=0)
    assert (changed["item"]["points"], changed["item"]["version"]) == ("30", 1)
    assert (await desk.mine(ana))["grades"]["total"]["percent"] == "62.5"  # (15 + 10) / 40
    await desk.do("updateGradeItem", id=item, points=None, isExtraCredit=True)
    assert (await desk.mine(ana))["grades"]["total"]["percent"] == "110"  # (1 + 10) / 10
    await desk.do("updateGradeItem", id=item, isExcluded=True, position=9)
    line = (await desk.mine(ana))["grades"]
    assert (line["total"]["percent"], line["cells"][0]["points"], line["cells"][0]["counts"]) == ("100", "1", False)
    titled = await desk.do("updateGradeItem", id=item, title="Otro")
    assert titled["fields"] == [{"path": "input.title", "code": "QUIZ_TITLE"}]
    kept = await desk.do("deleteGradeItem", id=item)
    assert kept["code"] == "QUIZ_ITEM"


async def test_a_manual_item_is_made_once_per_key_changed_and_deleted(desk: Desk) -> None:
    key = {"idempotencyKey": "control-uno-2026"}
    made = await asyncio.gather(*(desk.item(**key) for _ in range(5)))
    assert len({*made}) == 1
    item = made[0]
    assert (await desk.do("updateGradeItem", id=item, title="Ensayo", weight="2.5"))["item"]["weight"] == "2.5"
    stale = await desk.do("deleteGradeItem", id=item, expectedVersion=1)
    assert stale["code"] == "VERSION_CONFLICT"
    assert (await desk.do("deleteGradeItem", id=item, expectedVersion=2))["deletedId"] == item
    assert (await desk.book())["items"] == []
    assert (await desk.do("deleteGradeItem", id=item))["__typename"] == "NotFoundProblem"
    ana = await desk.school.learner()
    assert (await desk.give(item, ana, "1"))["fields"] == [{"path": "input.grades.0.itemId", "code": "ID_INVALID"}]


async def test_settings_and_input_that_cannot_be_are_named(desk: Desk) -> None:
    course = desk.school.course
    bands = [{"label": "", "leastPercent": "50"}, {"label": "B", "leastPercent": "50"}]
    refused = await desk.do("updateGradebook", courseId=course, exigency="100", bands=bands)
    assert {(field["path"], field["code"]) for field in refused["fields"]} == {
        ("input.exigency", "OUT_OF_RANGE"), ("input.bands.0.label", "TOO_SHORT"),
        ("input.bands.1.leastPercent", "ORDER_DUPLICATE"), ("input.bands", "BANDS_OPEN"),
    }  # fmt: skip
    none = await desk.do("setGradeCategories", courseId=course, categories=[{"title": "A", "weight": "0"}])
    assert none["fields"] == [{"path": "input.categories", "code": "WEIGHTS_MISSING"}]
    item = await desk.do("createGradeItem", courseId=course, title=" ", points="1.005", categoryId=course)
    assert {field["code"] for field in item["fields"]} == {"TOO_SHORT", "TOO_EXACT"}
    elsewhere = await desk.do("createGradeItem", courseId=course, title="X", points="1", categoryId=course)
    assert elsewhere["fields"] == [{"path": "input.categoryId", "code": "ID_INVALID"}]
    own = [{"label": "Por lograr", "leastPercent": "0"}, {"label": "Logrado", "leastPercent": "60"}]
    made = await desk.do("updateGradebook", courseId=course, scale="LETTERS", bands=own)
    assert [band["label"] for band in made["gradebook"]["bands"]] == ["Logrado", "Por lograr"]
    ana = await desk.school.learner()
    await desk.give(await desk.item(), ana, "6")
    assert (await desk.mine(ana))["grades"]["total"]["grade"] == "Logrado"


# --- giving grades


async def test_of_graders_at_once_one_wins_and_the_others_see_what_was_given(desk: Desk) -> None:
    item, ana = await desk.item(), await desk.school.learner("Ana")
    answers = await asyncio.gather(*(desk.give(item, ana, points) for points in ("3", "9", "3", "9")))
    told = [answer for answer in answers if answer["__typename"] == "GradeConflictProblem"]
    [won] = [answer for answer in answers if answer["__typename"] == "GradesSuccess"]
    assert len(told) == 3
    given = won["learners"][0]["cells"][0]["points"]
    for answer in told:
        assert answer["code"] == "VERSION_CONFLICT"
        assert answer["cells"] == [
            {
                "itemId": item, "userId": ana.id, "gradedBy": desk.school.teacher.id, "points": given,
                "isExcused": False, "version": 1,
            }
        ]  # fmt: skip
    audited = "SELECT count(*) FROM audit_log WHERE action = 'grade.give'"
    assert await desk.world.as_owner(audited) == [(1,)]
    assert len(await desk.school.events("grade_changed")) == 1
    assert (await desk.give(item, ana, "5", 1))["learners"][0]["cells"][0]["points"] == "5"


async def test_many_grades_are_given_together_or_not_at_all(desk: Desk) -> None:
    item = await desk.item()
    ana, ben = await desk.school.learner("Ana"), await desk.school.learner("Ben")
    await desk.give(item, ana, "4")
    both = [{"itemId": item, "userId": who.id, "points": "9", "expectedVersion": 0} for who in (ana, ben)]
    refused = await desk.do("gradeManually", courseId=desk.school.course, grades=both)
    assert refused["__typename"] == "GradeConflictProblem"
    lines = (await desk.book())["learners"]["nodes"]
    assert [line["cells"][0]["points"] for line in lines] == ["4", None]
    both[0]["expectedVersion"] = 1
    given = await desk.do("gradeManually", courseId=desk.school.course, grades=both)
    assert [(line["user"]["fullName"], line["cells"][0]["points"]) for line in given["learners"]] == [
        ("Ana", "9"), ("Ben", "9"),
    ]  # fmt: skip


async def test_graders_of_overlapping_learners_in_any_order_do_not_block_each_other(desk: Desk) -> None:
    items = [await desk.item() for _ in range(4)]
    people = [await desk.school.learner(f"P{n}") for n in range(4)]

    async def column(item: str, order: list[Person]) -> str:
        grades = [{"itemId": item, "userId": who.id, "points": "5", "expectedVersion": 0} for who in order]
        answer = await desk.do("gradeManually", courseId=desk.school.course, grades=grades)
        return str(answer["__typename"])

    orders = [people, people[::-1], people[2:] + people[:2], people[1::2] + people[::2]]
    answers = await asyncio.gather(*(column(item, order) for item, order in zip(items, orders, strict=True)))
    assert answers == ["GradesSuccess"] * 4
    assert [line["total"]["percent"] for line in (await desk.book())["learners"]["nodes"]] == ["50"] * 4


async def test_grades_that_cannot_be_given_are_named_and_nothing_is_kept(desk: Desk) -> None:
    quiz = await desk.school.quiz()
    item, ana, stranger = await desk.item("10"), await desk.school.learner(), await desk.world.person()
    of_quiz = (await desk.book())["items"][0]["id"]
    cells = [(item, ana, "10.5"), (item, stranger, "1"), (of_quiz, ana, "1"), (quiz, ana, "1")]
    grades = [{"itemId": i, "userId": who.id, "points": p, "expectedVersion": 0} for i, who, p in cells]
    refused = await desk.do("gradeManually", courseId=desk.school.course, grades=grades)
    assert {(field["path"], field["code"]) for field in refused["fields"]} == {
        ("input.grades.0.points", "OUT_OF_RANGE"), ("input.grades.1.userId", "ID_INVALID"),
        ("input.grades.2.itemId", "QUIZ_ITEM"), ("input.grades.3.itemId", "ID_INVALID"),
    }  # fmt: skip
    assert await desk.world.as_owner("SELECT count(*) FROM grades") == [(0,)]


async def test_excusing_takes_a_quiz_out_of_one_learners_total_and_keeps_the_score(desk: Desk) -> None:
    quiz = await desk.school.quiz()
    item = await desk.item("10")
    ana, ben = await desk.school.learner("Ana"), await desk.school.learner("Ben")
    for who in (ana, ben):
        await desk.school.attempted(quiz, who, 0, 2)
        await desk.give(item, who, "9")
    before = (await desk.book())["learners"]["nodes"]
    of_quiz = (await desk.book())["items"][0]
    excused = await desk.excuse(of_quiz["id"], ana)
    assert excused["learners"][0]["total"]["percent"] == "90"
    assert (excused["learners"][0]["cells"][0]["points"], excused["learners"][0]["cells"][0]["isExcused"]) == (
        "0", True,
    )  # fmt: skip
    after = await desk.book()
    assert after["learners"]["nodes"][1] == before[1]
    assert after["items"][0] == of_quiz  # nothing was said of the quiz itself
    assert (await desk.excuse(of_quiz["id"], ana))["__typename"] == "GradeConflictProblem"
    back = await desk.excuse(of_quiz["id"], ana, 1, isExcused=False)
    assert back["learners"][0]["total"] == before[0]["total"]
    rows = await desk.world.as_owner("SELECT reason, changes FROM audit_log WHERE action = 'grade.excuse' ORDER BY id")
    assert [reason for reason, _ in rows] == ["Enfermo", "Enfermo"]
    assert rows[1][1]["before"] == {"points": None, "is_excused": True}


# --- who sees what


async def test_learners_and_those_who_completed_appear_by_name_and_nobody_else(desk: Desk) -> None:
    for name in ("Élodie", "ana", "Zoe", "Diego"):
        await desk.school.learner(name)
    gone = await desk.school.learner("Gone")
    done = await desk.school.learner("Beatriz")
    await desk.world.as_owner(f"UPDATE enrollments SET status = 'dropped' WHERE user_id = '{gone.user_id}'")
    await desk.world.as_owner(f"UPDATE enrollments SET status = 'completed' WHERE user_id = '{done.user_id}'")
    teacher = desk.school.teacher.user_id
    await desk.world.as_owner(
        f"""INSERT INTO enrollments (id, course_id, user_id, status, enrolled_at)
            VALUES (gen_random_uuid(), '{desk.school.course_id}', '{teacher}', 'active', now())"""
    )
    names, after = [], None
    for _ in range(3):
        page = (await desk.book(first=2, after=after))["learners"]
        names += [line["user"]["fullName"] for line in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert names == ["ana", "Beatriz", "Diego", "Élodie", "Zoe"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (5, False)
    found = (await desk.book(search="ELO"))["learners"]
    assert ([line["user"]["fullName"] for line in found["nodes"]], found["totalCount"]) == (["Élodie"], 1)
    assert (await desk.book(search="acme"))["learners"]["nodes"] == []  # of an address: teachers do not see those
    assert await desk.mine(gone) is None
    assert await desk.mine(desk.school.teacher) is None


async def test_a_score_that_may_not_be_seen_yet_is_not_in_a_learners_total(desk: Desk) -> None:
    hidden = await desk.school.quiz(visibility="NEVER")
    ana = await desk.school.learner("Ana")
    await desk.do("updateGradebook", courseId=desk.school.course, ungradedAsZero=True)
    await desk.give(await desk.item("2"), ana, "1")
    before = (await desk.mine(ana))["grades"]
    assert (before["total"]["percent"], before["total"]["leavesOutHidden"]) == ("25", False)
    await desk.school.attempted(hidden, ana, 2, 2)
    mine = (await desk.mine(ana))["grades"]
    assert mine["total"] == {
        "percent": "50", "grade": None, "points": "1", "possible": "2", "leavesOutHidden": True,
    }  # fmt: skip
    assert (mine["cells"][0]["points"], mine["cells"][0]["percent"], mine["cells"][0]["isHidden"]) == (None, None, True)
    [line] = (await desk.book())["learners"]["nodes"]
    assert (line["total"]["percent"], line["total"]["leavesOutHidden"]) == ("75", False)
    await desk.school.change("updateQuiz", id=hidden, visibility="AFTER_SUBMIT")
    assert (await desk.mine(ana))["grades"]["total"]["percent"] == "75"
    await desk.school.start(hidden, ana)
    assert (await desk.mine(ana))["grades"]["total"]["leavesOutHidden"]


async def test_a_gradebook_is_for_the_courses_teachers_and_administrators(desk: Desk) -> None:
    item, ana = await desk.item(), await desk.school.learner("Ana")
    other = await desk.world.person(Role.INSTRUCTOR)
    assert await desk.book(as_=other) is None
    assert (await desk.book(as_=Role.ADMIN))["items"][0]["id"] == item
    grade = {"itemId": item, "userId": ana.id, "points": "1", "expectedVersion": 0}
    for name, given in (
        ("gradeManually", {"courseId": desk.school.course, "grades": [grade]}),
        ("updateGradeItem", {"id": item, "weight": "1"}),
        ("deleteGradeItem", {"id": item}),
        (
            "excuseGrade",
            {
                "courseId": desk.school.course, "itemId": item, "userId": ana.id, "expectedVersion": 0,
                "reason": "porque",
            },
        ),
    ):  # fmt: skip
        assert (await desk.do(name, as_=other, **given))["__typename"] == "NotFoundProblem"
        assert (await desk.do(name, as_=ana, **given))["__typename"] == "ForbiddenProblem"
    settings = {"courseId": desk.school.course, "ungradedAsZero": True}
    assert (await desk.do("updateGradebook", as_=other, **settings))["__typename"] == "ForbiddenProblem"
    exported = await desk.world.ask(EXPORT, as_=other, id=desk.school.course)
    assert exported["exportGradebook"] is None
    assert await desk.world.as_owner("SELECT count(*) FROM grades") == [(0,)]


async def test_another_tenants_gradebook_is_not_found(desk: Desk, globex: World) -> None:
    item, ana = await desk.item(), await desk.school.learner("Ana")
    await desk.give(item, ana, "7")
    for who in (Role.ADMIN, Role.INSTRUCTOR):
        assert (await globex.ask(BOOK, as_=who, id=desk.school.course))["gradebook"] is None
        assert (await globex.ask(EXPORT, as_=who, id=desk.school.course))["exportGradebook"] is None
    assert (await globex.ask(MINE, as_=Role.STUDENT, id=desk.school.course))["myGrades"] is None
    there = Desk(await School.of(globex))
    ben = await there.school.learner("Ben")
    refused = await there.give(item, ben, "1")
    assert refused["fields"] == [{"path": "input.grades.0.itemId", "code": "ID_INVALID"}]
    own = await there.give(await there.item(), ana, "1")
    assert own["fields"] == [{"path": "input.grades.0.userId", "code": "ID_INVALID"}]
    changed = await there.do("updateGradeItem", id=item, weight="1")
    assert changed["__typename"] == "NotFoundProblem"
    assert (await desk.book())["learners"]["nodes"][0]["cells"][0]["points"] == "7"


# --- how much it costs


@pytest.mark.parametrize("learners", [3, 300])
async def test_a_page_is_read_in_a_constant_number_of_statements(desk: Desk, learners: int) -> None:
    await desk.school.quiz()
    await desk.school.quiz()
    await desk.item()
    await in_bulk(desk, learners)
    with desk.world.counting() as statements:
        book = await desk.book(first=100)
    # Is it taught, the settings, categories, items; learners, scores, grades, names, quizzes, how many.
    assert statements.in_tenant() == 10
    assert len(book["learners"]["nodes"]) == min(learners, 100)
    walked, after = 0, None
    with desk.world.counting() as statements:
        while True:
            page = (await desk.book(first=100, after=after))["learners"]
            walked, after = walked + len(page["nodes"]), page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
    assert walked == learners
    assert statements.in_tenant() == 10 * -(-learners // 100)


async def test_ones_own_grades_are_read_in_a_constant_number_of_statements(desk: Desk) -> None:
    quizzes = [await desk.school.quiz() for _ in range(3)]
    ana = await desk.school.learner("Ana")
    for quiz in quizzes:
        await desk.school.attempted(quiz, ana, 1, 2)
    with desk.world.counting() as statements:
        mine = await desk.mine(ana)
    assert mine["grades"]["total"]["percent"] == "50"
    # Is one graded, the settings, categories, items, standing; scores, grades, name, quizzes.
    assert statements.in_tenant() == 9


# --- files


def rows_of(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(StringIO(text, newline=""), delimiter=delimiter))


async def test_the_file_has_the_numbers_of_the_api(desk: Desk) -> None:
    await desk.school.quiz()
    await desk.item("8", title="Ensayo")
    await desk.do("updateGradebook", courseId=desk.school.course, scale="CHILEAN")
    await in_bulk(desk, 120)
    lines: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await desk.book(first=100, after=after))["learners"]
        lines, after = lines + page["nodes"], page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    with desk.world.counting() as statements:
        header, *rows = rows_of(await desk.export())
    assert statements.in_tenant() == 4 + 1 + 2 * 2  # the book, who is graded, and two for each hundred
    assert header == ["Learner", "Name", "Prueba (2)", "Ensayo (8)", "Total in percent", "Grade"]
    assert rows == [
        [
            line["user"]["id"], line["user"]["fullName"], *(cell["points"] or "" for cell in line["cells"]),
            line["total"]["percent"], line["total"]["grade"],
        ]
        for line in lines
    ]  # fmt: skip
    api = sum(Decimal(line["total"]["points"]) for line in lines)
    assert sum(Decimal(cell or 0) for row in rows for cell in row[2:4]) == api > 0
    chilean = rows_of(await desk.export(separator="SEMICOLON", mark=True), ";")
    assert chilean[0][0] == "\ufeffLearner"
    assert [[cell.replace(",", ".") for cell in row[2:]] for row in chilean[1:]] == [row[2:] for row in rows]
    assert chilean[1][2] == "1,25"


async def test_nothing_in_the_file_is_a_formula(desk: Desk) -> None:
    for name in ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1", 'Ana "la ; primera", B'):
        await desk.school.learner(name)
    item = await desk.item(title='=cmd|" /C calc"!A0')
    await desk.world.as_owner("UPDATE members SET full_name = E'\\t=1' WHERE full_name = '+1'")
    await desk.world.as_owner("UPDATE members SET full_name = E'\\r=1' WHERE full_name = '-1'")
    header, *rows = rows_of(await desk.export())
    assert header[2] == '\'=cmd|" /C calc"!A0 (10)'
    names = {row[1] for row in rows}
    assert names == {
        "'=HYPERLINK(1)", "'\t=1", "'\r=1", "'@SUM(A1)", "' =1", "'\uff1d1", 'Ana "la ; primera", B',
    }  # fmt: skip
    ana = await desk.school.learner("Zoe")
    await desk.excuse(item, ana)
    assert rows_of(await desk.export(separator="SEMICOLON"), ";")[-1][2:] == ["excused", ""]


async def test_addresses_are_in_the_file_of_who_may_read_them_only(desk: Desk) -> None:
    ana = await desk.school.learner("Ana")
    assert ana.email not in await desk.export()
    header, row = rows_of(await desk.export(as_=Role.ADMIN))
    assert (header[:3], row[:3]) == (["Learner", "Name", "E-mail"], [ana.id, "Ana", ana.email])


async def test_a_gradebook_that_is_too_large_for_a_file_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.school.learner("Ana")
    monkeypatch.setattr("app.assessment.gradebook.EXPORTED", 0)
    answer = await desk.world.post(EXPORT, as_=desk.school.teacher, id=desk.school.course)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["TOO_MANY_LEARNERS"]
