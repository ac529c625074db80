"""Courses as clients see them."""

from __future__ import annotations

from enum import Enum
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from app.catalog.rows import CourseRow, InstructorRow, LessonRow, ModuleRow
from app.catalog.statements import ORDERS
from app.i18n import message, translate
from app.learning.locks import OPEN, Verdict
from app.viewer import Action
from schema import ids
from schema.blocks import BLOCKS, LessonBlock
from schema.context import Info
from schema.enums import word
from schema.execution import Tree, batch, selected
from schema.node import Node, shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.scalars import DateTime, Decimal

if TYPE_CHECKING:
    from schema.enrollment import Enrollment
    from schema.learning import CourseProgress, LessonProgress, ModuleProgress
    from schema.quizzes import Quiz
    from schema.release import CoursePolicies, ReleaseRules
    from schema.reviews import Review

OUTSIDE = frozenset({"dropped", "rejected"})
NOT_ENROLLED = message("enrol in the course first")


@strawberry.enum(name="CourseLevel", description="For whom a course is.")
class CourseLevel(Enum):
    BEGINNER = strawberry.enum_value("beginner", description="No previous knowledge.")
    INTERMEDIATE = strawberry.enum_value("intermediate", description="Some previous knowledge.")
    ADVANCED = strawberry.enum_value("advanced", description="Much previous knowledge.")
    ALL = strawberry.enum_value("all", description="Everybody.")


@strawberry.enum(name="CourseSort", description="The order of a list of courses.")
class CourseSort(Enum):
    NEWEST = strawberry.enum_value("NEWEST", description="Published (drafts: made) last first.")
    OLDEST = strawberry.enum_value("OLDEST", description="Published (drafts: made) first first.")
    TITLE = strawberry.enum_value("TITLE", description="By title, accents and case aside.")
    RELEVANCE = strawberry.enum_value("RELEVANCE", description="The best match first; needs a search.")


@strawberry.enum(name="CompletionRule", description="What completes a lesson.")
class CompletionRule(Enum):
    VIEW = strawberry.enum_value("view", description="Opening it.")
    MARK_DONE = strawberry.enum_value("mark_done", description="The learner marks it as done.")
    SUBMIT = strawberry.enum_value("submit", description="Handing in what it asks for; a grade alone is not enough.")
    MIN_SCORE = strawberry.enum_value("min_score", description="Reaching its score; falling below it undoes that.")
    MIN_TIME = strawberry.enum_value("min_time", description="Spending enough time on it.")
    VIDEO_COVERAGE = strawberry.enum_value("video_coverage", description="Watching enough of its videos.")


@strawberry.type(description="Why something cannot be opened.")
class LockReason:
    code: str = strawberry.field(description="Stable and in English; for programs.")
    message: str = strawberry.field(description="What to do, in the reader's language.")
    lesson_id: strawberry.ID | None = strawberry.field(default=None, description="The lesson it waits for, if it does.")
    module_id: strawberry.ID | None = strawberry.field(default=None, description="The module it waits for, if it does.")
    unlocks_at: DateTime | None = strawberry.field(default=None, description="When this reason ends by itself, if so.")


@strawberry.type(description="What the person who asks may do with a course.")
class CoursePermissions:
    edit: bool = strawberry.field(description="Change it and its lessons.")
    publish: bool = strawberry.field(description="Publish and unpublish it.")
    delete: bool = strawberry.field(description="Delete it.")
    enroll: bool = strawberry.field(description="Enrol in it.")


@strawberry.type(description="Somebody who teaches a course.")
class Instructor:
    row: strawberry.Private[InstructorRow]

    @batch(description="The member's identifier.")
    def id(instructors: list[Instructor], info: Info) -> list[strawberry.ID]:
        mask = info.context.mask
        return [ids.encode(ids.USER, instructor.row.user_id, mask) for instructor in instructors]

    @strawberry.field(description="Name.")
    def full_name(self) -> str:
        return self.row.full_name

    @strawberry.field(description="Picture.")
    def avatar_url(self) -> str | None:
        return self.row.avatar_url

    @strawberry.field(description="About themselves.")
    def bio(self) -> str | None:
        return self.row.bio


async def may_read(info: Info, course_id: UUID) -> bool:
    """Whether the person who asks learns or teaches in a course; who waits, is suspended or left does not."""
    enrollment = await info.context.my_enrollment_by_course.load(course_id)
    if enrollment is not None and enrollment.may_learn:
        return True
    return bool(await info.context.editable_by_course.load(course_id))


def not_enrolled(info: Info) -> LockReason:
    """Why somebody from outside may not read a course."""
    return LockReason(code="NOT_ENROLLED", message=translate(NOT_ENROLLED, info.context.locale))


def reasons_of(verdict: Verdict, info: Info) -> list[LockReason]:
    """What is missing, in the reader's language."""
    mask = info.context.mask
    return [
        LockReason(
            code=reason.code,
            message=translate(reason.message, info.context.locale, **reason.params),
            lesson_id=None if reason.lesson_id is None else ids.encode(ids.LESSON, reason.lesson_id, mask),
            module_id=None if reason.module_id is None else ids.encode(ids.MODULE, reason.module_id, mask),
            unlocks_at=None if reason.unlocks_at is None else DateTime(reason.unlocks_at),
        )
        for reason in verdict.reasons
    ]


async def rules_for_authors(info: Info, course_id: UUID, rule: dict[str, Any] | None) -> Any:
    """Rules as their authors see them; nobody else does."""
    if rule is None or not await info.context.editable_by_course.load(course_id):
        return None
    return import_module("schema.release").shown_rules(rule, info.context.mask)


@strawberry.type(description="A lesson.")
class Lesson(Node):
    row: strawberry.Private[LessonRow]

    id_kind = ids.LESSON
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="Title.")
    def title(self) -> str:
        return self.row.title

    @strawberry.field(description="A few sentences about it.")
    def summary(self) -> str:
        return self.row.summary

    @strawberry.field(description="Place in the module, from 1.")
    def position(self) -> int:
        return self.row.position

    @strawberry.field(description="Whether it counts for completing the course.")
    def is_required(self) -> bool:
        return self.row.is_required

    @strawberry.field(description="How much it counts, 1 to 1000.")
    def weight(self) -> int:
        return self.row.weight

    @strawberry.field(description="What completes it.")
    def completion(self) -> CompletionRule:
        return CompletionRule(self.row.completion)

    @strawberry.field(description="Share of its videos to watch, 0 to 1; for VIDEO_COVERAGE.")
    def video_threshold(self) -> Decimal:
        return Decimal(self.row.video_threshold)

    @strawberry.field(description="The score to reach, percent; for MIN_SCORE.")
    def min_score(self) -> Decimal:
        return Decimal(self.row.min_score)

    @strawberry.field(description="Seconds to spend on it; for MIN_TIME.")
    def min_seconds(self) -> int:
        return self.row.min_seconds

    @strawberry.field(description="Counts the changes of its blocks, from 1.")
    def content_version(self) -> int:
        return self.row.content_version

    @strawberry.field(description="Grows with every change; pass it as expectedVersion.")
    def version(self) -> int:
        return self.row.version

    @strawberry.field(description="The module it belongs to.")
    async def module(self, info: Info) -> Module | None:
        row = await info.context.modules_by_id.load(self.row.module_id)
        return None if row is None else Module(row=row)

    @strawberry.field(description="The course it belongs to.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.row.course_id)
        return None if row is None else Course(row=row)

    async def _may_read(self, info: Info) -> bool:
        return await may_read(info, self.row.course_id)

    async def _lock(self, info: Info) -> Verdict:
        if not self.row.gated or await info.context.editable_by_course.load(self.row.course_id):
            return OPEN
        locks = await info.context.my_locks_by_course.load(self.row.course_id)
        return OPEN if locks is None else locks.lessons.get(self.row.id, OPEN)

    @strawberry.field(description="Whether the person who asks may read its content.")
    async def viewer_can_read(self, info: Info) -> bool:
        return await self._may_read(info) and not (await self._lock(info)).is_locked

    @strawberry.field(description="Why its content cannot be read; empty when it can.")
    async def lock_reasons(self, info: Info) -> list[LockReason]:
        if not await self._may_read(info):
            return [not_enrolled(info)]
        return reasons_of(await self._lock(info), info)

    async def progress_reasons(self, info: Info, verdict: Verdict) -> list[LockReason]:
        """The same, of a lesson whose locks were judged already."""
        if not await self._may_read(info):
            return [not_enrolled(info)]
        if verdict.is_locked and await info.context.editable_by_course.load(self.row.course_id):
            return []
        return reasons_of(verdict, info)

    @strawberry.field(description="When it opens by itself to the person who asks; null when it is open or waits.")
    async def unlocks_at(self, info: Info) -> DateTime | None:
        at = (await self._lock(info)).unlocks_at
        return None if at is None else DateTime(at)

    @strawberry.field(description="When it opens, beside its module's rules; null for at once, and for non-authors.")
    async def release_rules(self, info: Info) -> Annotated[ReleaseRules, strawberry.lazy("schema.release")] | None:
        return await rules_for_authors(info, self.row.course_id, self.row.rules)  # type: ignore[no-any-return]

    @strawberry.field(description="Its content in order; empty for who may not read it (see lockReasons).")
    async def blocks(self, info: Info) -> list[LessonBlock]:
        if not await self._may_read(info) or (await self._lock(info)).is_locked:
            return []
        return [BLOCKS[row.kind](row=row) for row in await info.context.blocks_by_lesson.load(self.row.id)]

    @batch(in_turn=True, description="Its quizzes, the oldest first.")
    async def quizzes(
        lessons: list[Lesson], info: Info
    ) -> list[list[Annotated[Quiz, strawberry.lazy("schema.quizzes")]]]:
        lists = await info.context.quizzes_by_lesson.all([lesson.row.id for lesson in lessons])
        return [shown(import_module("schema.quizzes").Quiz, rows) for rows in lists]

    @batch(in_turn=True, description="What the person who asks has done in it.")
    async def my_progress(
        lessons: list[Lesson], info: Info
    ) -> list[Annotated[LessonProgress, strawberry.lazy("schema.learning")]]:
        return await import_module("schema.learning").lesson_progress(info, [lesson.row for lesson in lessons])  # type: ignore[no-any-return]


@strawberry.type(description="A part of a course: lessons that belong together.")
class Module(Node):
    row: strawberry.Private[ModuleRow]

    id_kind = ids.MODULE
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="Title.")
    def title(self) -> str:
        return self.row.title

    @strawberry.field(description="HTML that is safe to show; may be empty.")
    def description(self) -> str:
        return self.row.description

    @strawberry.field(description="Place in the course, from 1.")
    def position(self) -> int:
        return self.row.position

    @strawberry.field(description="Grows with every change; pass it as expectedVersion.")
    def version(self) -> int:
        return self.row.version

    @strawberry.field(description="The course it belongs to.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.row.course_id)
        return None if row is None else Course(row=row)

    @strawberry.field(description="How many of its required lessons make it done; null for all of them.")
    def requirement_count(self) -> int | None:
        return self.row.requirement_count

    async def _lock(self, info: Info) -> Verdict:
        if self.row.rules is None or await info.context.editable_by_course.load(self.row.course_id):
            return OPEN
        locks = await info.context.my_locks_by_course.load(self.row.course_id)
        return OPEN if locks is None else locks.modules.get(self.row.id, OPEN)

    @strawberry.field(description="Why it is not open to the person who asks; empty when it is.")
    async def lock_reasons(self, info: Info) -> list[LockReason]:
        if not await may_read(info, self.row.course_id):
            return [not_enrolled(info)]
        return reasons_of(await self._lock(info), info)

    @strawberry.field(description="When it opens by itself to the person who asks; null when it is open or waits.")
    async def unlocks_at(self, info: Info) -> DateTime | None:
        at = (await self._lock(info)).unlocks_at
        return None if at is None else DateTime(at)

    @strawberry.field(description="When it opens; null for at once, and for non-authors.")
    async def release_rules(self, info: Info) -> Annotated[ReleaseRules, strawberry.lazy("schema.release")] | None:
        return await rules_for_authors(info, self.row.course_id, self.row.rules)  # type: ignore[no-any-return]

    @strawberry.field(description="How far the person who asks is in it; null without an enrolment.")
    async def my_progress(self, info: Info) -> Annotated[ModuleProgress, strawberry.lazy("schema.learning")] | None:
        locks = await info.context.my_locks_by_course.load(self.row.course_id)
        if locks is None:
            return None
        return import_module("schema.learning").module_progress(locks.standings[self.row.id])  # type: ignore[no-any-return]

    @batch(in_turn=True, description="Its lessons in order.")
    async def lessons(modules: list[Module], info: Info) -> list[list[Lesson]]:
        context = info.context
        lessons = context.lesson_titles_by_module if asks_for_titles(selected(info)) else context.lessons_by_module
        lists = await lessons.all([module.row.id for module in modules])
        return [shown(Lesson, rows) for rows in lists]


@strawberry.type(description="A course.")
class Course(Node):
    row: strawberry.Private[CourseRow]

    id_kind = ids.COURSE
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="Title.")
    def title(self) -> str:
        return self.row.title

    @strawberry.field(description="HTML that is safe to show; may be empty.")
    def description(self) -> str:
        return self.row.description

    @strawberry.field(description="Category, in the organisation's words.")
    def category(self) -> str | None:
        return self.row.category

    @strawberry.field(description="For whom it is.")
    def level(self) -> CourseLevel:
        return CourseLevel(self.row.level)

    @strawberry.field(description="Language of its content, like es or es-CL.")
    def language(self) -> str:
        return self.row.language

    @strawberry.field(description="Cover picture.")
    def cover_url(self) -> str | None:
        return self.row.cover_url

    @strawberry.field(description="Tags, lower case.")
    def tags(self) -> list[str]:
        return self.row.tags

    @strawberry.field(description="Since when students see it; null for a draft.")
    def published_at(self) -> DateTime | None:
        return None if self.row.published_at is None else DateTime(self.row.published_at)

    @strawberry.field(description="When it was made.")
    def created_at(self) -> DateTime:
        return DateTime(self.row.created_at)

    @strawberry.field(description="When it was last changed.")
    def updated_at(self) -> DateTime:
        return DateTime(self.row.updated_at)

    @strawberry.field(description="Grows with every change; pass it as expectedVersion.")
    def version(self) -> int:
        return self.row.version

    @batch(in_turn=True, description="Who teaches it, the first named first.")
    async def instructors(courses: list[Course], info: Info) -> list[list[Instructor]]:
        lists = await info.context.instructors_by_course.all([course.row.id for course in courses])
        return [shown(Instructor, rows) for rows in lists]

    @batch(in_turn=True, description="Its modules in order.")
    async def modules(courses: list[Course], info: Info) -> list[list[Module]]:
        context = info.context
        modules = context.ruled_modules_by_course if RULED & selected(info).keys() else context.modules_by_course
        lists = await modules.all([course.row.id for course in courses])
        return [shown(Module, rows) for rows in lists]

    @batch(in_turn=True, description="Its quizzes, those of its lessons too, the oldest first.")
    async def quizzes(
        courses: list[Course], info: Info
    ) -> list[list[Annotated[Quiz, strawberry.lazy("schema.quizzes")]]]:
        lists = await info.context.quizzes_by_course.all([course.row.id for course in courses])
        return [shown(import_module("schema.quizzes").Quiz, rows) for rows in lists]

    @strawberry.field(description="What its authors decided about its learners; null for everybody else.")
    async def policies(self, info: Info) -> Annotated[CoursePolicies, strawberry.lazy("schema.release")] | None:
        if not await info.context.editable_by_course.load(self.row.id):
            return None
        row = await info.context.policy_by_course.load(self.row.id)
        return None if row is None else import_module("schema.release").CoursePolicies(row=row)

    @batch(in_turn=True, description="How many lessons it has.")
    async def lesson_count(courses: list[Course], info: Info) -> list[int]:
        return await info.context.lesson_count_by_course.all([course.row.id for course in courses])

    @batch(in_turn=True, description="How many learners it has.")
    async def learner_count(courses: list[Course], info: Info) -> list[int]:
        return await info.context.enrollment_count_by_course.all([course.row.id for course in courses])

    @batch(in_turn=True, description="The mean of its learners' ratings, 1 to 5; null without any.")
    async def average_rating(courses: list[Course], info: Info) -> list[float | None]:
        ratings = await info.context.rating_by_course.all([course.row.id for course in courses])
        return [None if rating is None else rating.average for rating in ratings]

    @batch(in_turn=True, description="How many learners rated it.")
    async def review_count(courses: list[Course], info: Info) -> list[int]:
        ratings = await info.context.rating_by_course.all([course.row.id for course in courses])
        return [0 if rating is None else rating.count for rating in ratings]

    @strawberry.field(description="What the person who asks may do with it.")
    async def viewer_can(self, info: Info) -> CoursePermissions:
        edit = bool(await info.context.editable_by_course.load(self.row.id))
        enrollment = await info.context.my_enrollment_by_course.load(self.row.id)
        free = enrollment is None or enrollment.status in OUTSIDE or enrollment.is_expired
        may_enroll = free and self.row.published_at is not None and info.context.viewer.may(Action.LEARN)
        return CoursePermissions(edit=edit, publish=edit, delete=edit, enroll=may_enroll)

    @strawberry.field(description="The enrolment of the person who asks, if there is one.")
    async def my_enrollment(self, info: Info) -> Annotated[Enrollment, strawberry.lazy("schema.enrollment")] | None:
        row = await info.context.my_enrollment_by_course.load(self.row.id)
        return None if row is None else import_module("schema.enrollment").Enrollment(row=row)

    @strawberry.field(description="What the person who asks thinks of it, if they said so.")
    async def my_review(self, info: Info) -> Annotated[Review, strawberry.lazy("schema.reviews")] | None:
        row = await info.context.my_review_by_course.load(self.row.id)
        return None if row is None else import_module("schema.reviews").Review(row=row)

    @strawberry.field(description="How far the person who asks is; null without an enrolment.")
    async def my_progress(self, info: Info) -> Annotated[CourseProgress, strawberry.lazy("schema.learning")] | None:
        row = await info.context.my_enrollment_by_course.load(self.row.id)
        return None if row is None else import_module("schema.learning").CourseProgress(row=row)


@strawberry.type(description="A page of courses.")
class CourseConnection(Connection[Course]):
    pass


@strawberry.input(description="Which courses to list; conditions are combined with and.")
class CourseFilter:
    search: str | None = strawberry.field(
        default=None, description='Words to look for; accents and small typos do not matter, "..." means exactly.'
    )
    category: str | None = strawberry.field(default=None, description="Only of this category.")
    level: CourseLevel | None = strawberry.field(default=None, description="Only of this level.")
    language: str | None = strawberry.field(default=None, description="Only in this language.")
    tags: list[str] | None = strawberry.field(default=None, description="Only with all of these tags.")
    instructor_id: strawberry.ID | None = strawberry.field(default=None, description="Only taught by this member.")
    published: bool | None = strawberry.field(default=None, description="Only published ones, or only drafts.")
    mine: bool | None = strawberry.field(default=None, description="Only those the person who asks teaches.")


def wanted(filter: CourseFilter | None, mask: int) -> dict[str, Any]:
    """A filter as the service takes it."""
    if filter is None:
        return {}
    found: dict[str, Any] = {
        "search": (filter.search or "").strip()[:200],
        "category": filter.category,
        "level": word(filter.level) if filter.level else None,
        "language": filter.language,
        "tags": [tag.strip().casefold() for tag in filter.tags[:20]] if filter.tags else None,
        "instructor_id": ids.decode(ids.USER, filter.instructor_id, mask) if filter.instructor_id else None,
        "published": filter.published or None,
        "draft": True if filter.published is False else None,
        "mine": filter.mine or None,
    }
    return {name: value for name, value in found.items() if value}


# What of a module is not read unless somebody looks at it.
RULED = frozenset({"requirementCount", "lockReasons", "unlocksAt", "releaseRules"})
TITLES = frozenset({"__typename", "id", "title", "position"})
CARDS = frozenset(
    {
        "__typename", "id", "title", "category", "level", "language", "coverUrl", "publishedAt", "createdAt", "version",
        "instructors", "modules", "lessonCount", "learnerCount", "averageRating", "reviewCount", "viewerCan",
        "myEnrollment", "myReview",
    }
)  # fmt: skip


def asks_for_titles(lesson: Tree) -> bool:
    """Whether what is selected of lessons is in ``LESSON_TITLES_BY_MODULE``."""
    progress = lesson.get("myProgress", {})
    return lesson.keys() - {"myProgress"} <= TITLES and "lesson" not in progress


def asks_for_cards(connection: Tree) -> bool:
    """Whether a page of courses may lack ``LONG_COLUMNS``."""
    return all(
        course.keys() <= CARDS for course in (connection.get("nodes", {}), connection.get("edges", {}).get("node", {}))
    )


_KEYS: dict[CourseSort, Any] = {
    CourseSort.NEWEST: lambda row: (row.listed_at, row.id),
    CourseSort.OLDEST: lambda row: (row.listed_at, row.id),
    CourseSort.TITLE: lambda row: (row.search_title, row.id),
    CourseSort.RELEVANCE: lambda row: (row.rank, row.id),
}


@strawberry.type
class CatalogQuery:
    @strawberry.field(
        description="The courses the person who asks may see: published ones, and drafts for their authors."
    )
    async def courses(
        self,
        info: Info,
        filter: Annotated[CourseFilter | None, strawberry.argument(description="Which ones.")] = None,
        sort: Annotated[
            CourseSort | None, strawberry.argument(description="In which order; NEWEST by default.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> CourseConnection:
        sort = sort or CourseSort.NEWEST
        order = ORDERS[word(sort)]
        catalog, filters = info.context.catalog, wanted(filter, info.context.mask)
        asked = page_request(order, first, after, last, before)
        page = await catalog.courses(asked, word(sort), filters, brief=asks_for_cards(selected(info)))
        made: CourseConnection = connection(
            CourseConnection,
            order.name,
            page,
            nodes=shown(Course, page.rows),
            key=_KEYS[sort],
            count=lambda: catalog.count_courses(filters),
        )
        return made

    @strawberry.field(description="A course; null when there is none to see.")
    async def course(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The course.")]
    ) -> Course | None:
        [row] = await info.context.courses_by_id.all([ids.decode(ids.COURSE, id, info.context.mask)])
        return None if row is None else Course(row=row)

    @strawberry.field(description="A module; null when there is none to see.")
    async def module(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The module.")]
    ) -> Module | None:
        [row] = await info.context.modules_by_id.all([ids.decode(ids.MODULE, id, info.context.mask)])
        return None if row is None else Module(row=row)

    @strawberry.field(description="A lesson; null when there is none to see.")
    async def lesson(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The lesson.")]
    ) -> Lesson | None:
        [row] = await info.context.lessons_by_id.all([ids.decode(ids.LESSON, id, info.context.mask)])
        return None if row is None else Lesson(row=row)
