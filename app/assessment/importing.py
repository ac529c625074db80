"""Questions of imported courses go into the bank: an Open edX course's problems become questions where they can.

The blocks stay in their lessons as they came; a question is recognised by its problem's text, so that doing it again
adds nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from app.assessment import bank_statements as sql
from app.assessment import bodies
from app.assessment.bank import DEFAULTS, add_questions, own_course
from app.assessment.body_rules import CATEGORY, TITLE
from app.assessment.olx_problems import convert
from app.catalog import statements as catalog
from app.catalog.importing import teacher_of
from app.catalog.olx import OlxCourse
from app.db.database import Database, Operation
from app.db.transaction import Tx
from app.tenancy.records import Tenant
from app.viewer import Role, Viewer

LESSONS_AT_A_TIME = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem where it stood: its title, the category its questions get, and its XML."""

    title: str
    category: str
    source: str


@dataclass(slots=True)
class TakenOver:
    """How many questions of which kind there are now, and what was lost by name; ``duplicates`` were there before."""

    problems: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    unkept: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    new: list[tuple[dict[str, object], bodies.Body, str | None]] = field(default_factory=list)


def problems_of(course: OlxCourse) -> Iterator[Problem]:
    """The problems of a course that was read and not yet written."""
    for module in course.modules:
        for lesson in module.lessons:
            for block in lesson.blocks:
                if block.kind == "quiz":
                    source = str(block.content["source"])
                    yield Problem(block.title, category_of(module.title, lesson.title), source)


def category_of(*titles: str) -> str:
    """Titles as a category's path; a slash inside one is not a step."""
    parts = (title.replace("/", "∕")[:100].strip() for title in titles)
    return "/".join(part for part in parts if part)[:CATEGORY]


def taken_over(problems: Iterable[Problem]) -> TakenOver:
    """What the problems become."""
    found = TakenOver()
    for problem in problems:
        found.problems += 1
        converted = convert(problem.source)
        found.lost.update(converted.lost)
        digest = sha256(problem.source.encode()).hexdigest()
        for number, question in enumerate(converted.questions, 1):
            fields = {**DEFAULTS, "title": problem.title[:TITLE], "category": problem.category}
            found.new.append((fields, question.body, f"olx:{digest}:{number}"))
            found.kinds[question.body.kind] += 1
            found.unkept.update(question.lost)
    return found


async def take_over(tx: Tx, course_id: UUID, by: UUID) -> TakenOver:
    """Put the questions in a course's blocks into its bank. The course is locked by whoever calls."""
    found = taken_over(await _problems(tx, course_id))
    keys = [str(key) for _, _, key in found.new]
    known = {row.import_key for row in await tx.all(sql.IMPORTED, course_id=course_id, keys=keys)}
    fresh = {str(item[2]): item for item in found.new if item[2] not in known}
    found.duplicates = len(found.new) - len(fresh)
    await add_questions(tx, course_id, by, list(fresh.values()))
    return found


async def _problems(tx: Tx, course_id: UUID) -> list[Problem]:
    modules = await tx.all(catalog.MODULES_BY_COURSE, ids=[course_id])
    lessons = await tx.all(catalog.LESSONS_BY_MODULE, ids=[module.id for module in modules])
    titles = {module.id: module.title for module in modules}
    found = []
    for start in range(0, len(lessons), LESSONS_AT_A_TIME):
        some = {lesson.id: lesson for lesson in lessons[start : start + LESSONS_AT_A_TIME]}
        for block in await tx.all(catalog.BLOCKS_BY_LESSON, ids=list(some)):
            if block.kind == "quiz" and block.content.get("source"):
                lesson = some[block.lesson_id]
                category = category_of(titles[lesson.module_id], lesson.title)
                found.append(Problem(block.title, category, block.content["source"]))
    return found


async def take_over_course(database: Database, tenant: Tenant, instructor_email: str, course_id: UUID) -> TakenOver:
    """The same in a transaction of its own, in the name of an instructor. Raises: NotFound."""
    db = Operation(database, tenant.handle)
    teacher = await teacher_of(db, instructor_email)
    async with db.write() as tx:
        await own_course(tx, Viewer(teacher, tenant.id, None, Role.ADMIN), course_id)
        return await take_over(tx, course_id, teacher)
