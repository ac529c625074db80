"""The catalog's SQL."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Float,
    Integer,
    Numeric,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, REGCONFIG, TSQUERY

from app.catalog.rows import BlockRow, CountRow, CourseRow, InstructorRow, LessonRow, ModuleRow, Placed
from app.catalog.tables import course_instructors, courses, lesson_blocks, lessons, modules
from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.identity.tables import members

TIME = DateTime(timezone=True)
_ID = bindparam("id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_VIEWER = bindparam("viewer_id", type_=Uuid)
_COURSE = bindparam("course_id", type_=Uuid)

_SEARCH = bindparam("search", type_=Text)
# Subqueries, so that what is searched for is understood once and not for every row.
_QUERY = select(
    func.websearch_to_tsquery(cast(literal("extensions.es_un", Text), REGCONFIG), _SEARCH, type_=TSQUERY)
).scalar_subquery()
_FOLDED = select(func.extensions.fold(_SEARCH, type_=Text)).scalar_subquery()
_SIMILARITY = func.extensions.word_similarity(_FOLDED, courses.c.search_title, type_=Float)
# Words count more than a likeness of the title; rounded so that a cursor holds the exact value.
_RANK = cast(func.round(cast(func.ts_rank(courses.c.search, _QUERY) * 2 + _SIMILARITY, Numeric), 6), Float)
LISTED_AT = func.coalesce(courses.c.published_at, courses.c.created_at, type_=TIME)

_PLAIN = tuple(courses.c[name] for name in CourseRow.__dataclass_fields__ if name not in {"listed_at", "rank"})


def course_columns(rank: ColumnElement[float] | None = None) -> tuple[ColumnElement[Any], ...]:
    """The columns of a CourseRow."""
    return (
        *_PLAIN,
        LISTED_AT.label("listed_at"),
        (literal(0.0, Float) if rank is None else rank).label("rank"),
    )


# What a page of courses leaves out when nobody looks at it: descriptions are as long as people write.
LONG_COLUMNS = frozenset({"description", "tags", "updated_at"})


_ALIVE = courses.c.deleted_at.is_(None)
_TEACHES = (
    select(course_instructors.c.course_id)
    .where(course_instructors.c.course_id == courses.c.id, course_instructors.c.user_id == _VIEWER)
    .exists()
)


def visible(scope: str) -> ColumnElement[bool]:
    """Which courses somebody sees: ``all``, ``own`` (published ones and those they teach) or ``published``."""
    match scope:
        case "all":
            return _ALIVE
        case "own":
            return and_(_ALIVE, or_(courses.c.published_at.is_not(None), _TEACHES))
        case _:
            return and_(_ALIVE, courses.c.published_at.is_not(None))


ORDERS = {
    "NEWEST": Order("courses:newest", (LISTED_AT, courses.c.id), descending=True),
    "OLDEST": Order("courses:oldest", (LISTED_AT, courses.c.id)),
    "TITLE": Order("courses:title", (courses.c.search_title, courses.c.id)),
    "RELEVANCE": Order("courses:relevance", (_RANK, courses.c.id), descending=True),
}
# What students see has been published; that order is an index of its own.
PUBLISHED_ORDERS = {
    **ORDERS,
    "NEWEST": Order("courses:newest", (courses.c.published_at, courses.c.id), descending=True),
    "OLDEST": Order("courses:oldest", (courses.c.published_at, courses.c.id)),
}

FILTERS: dict[str, ColumnElement[bool]] = {
    "search": or_(
        courses.c.search.bool_op("@@")(_QUERY),
        # as like as app.db.prepare.TENANT_SETTINGS says: a typo
        courses.c.search_title.bool_op("OPERATOR(extensions.%>)")(_FOLDED),
    ),
    # For a search with operators ("..." or -word): what is excluded is excluded, however like it is.
    "exact": courses.c.search.bool_op("@@")(_QUERY),
    "category": courses.c.category == bindparam("category", type_=Text),
    "level": courses.c.level == bindparam("level", type_=Text),
    "language": courses.c.language == bindparam("language", type_=Text),
    "tags": courses.c.tags.contains(bindparam("tags", type_=ARRAY(Text))),
    "published": courses.c.published_at.is_not(None),
    "draft": courses.c.published_at.is_(None),
    "mine": _TEACHES,
    "instructor_id": select(course_instructors.c.course_id)
    .where(
        course_instructors.c.course_id == courses.c.id,
        course_instructors.c.user_id == bindparam("instructor_id", type_=Uuid),
    )
    .exists(),
}


def _filtered(query: Select[Any], scope: str, used: frozenset[str]) -> Select[Any]:
    return query.where(visible(scope), *(FILTERS[name] for name in sorted(used)))


@lru_cache(maxsize=1024)
def course_page(
    scope: str, used: frozenset[str], order: str, after: bool, backward: bool, brief: bool
) -> Statement[CourseRow]:
    """A page of the catalogue with these filters in this order; ``brief``: without ``LONG_COLUMNS``."""
    rank = _RANK if used & {"search", "exact"} else None
    orders = PUBLISHED_ORDERS if scope == "published" else ORDERS
    columns = [column for column in course_columns(rank) if not brief or column.key not in LONG_COLUMNS]
    query = _filtered(select(*columns), scope, used)
    return Statement(keyset(query, orders[order], after=after, backward=backward), CourseRow, partial=brief)


@lru_cache(maxsize=128)
def course_count(scope: str, used: frozenset[str]) -> Statement[int]:
    """How many courses there are with these filters."""
    return Statement(_filtered(select(func.count()).select_from(courses), scope, used), int)


@lru_cache(maxsize=8)
def courses_by_id(scope: str) -> Statement[CourseRow]:
    """Courses by id, as far as they are visible."""
    return Statement(select(*course_columns()).where(courses.c.id == any_(_IDS), visible(scope)), CourseRow)


_MODULE = tuple(modules.c[name] for name in ModuleRow.__dataclass_fields__)
_LESSON = tuple(lessons.c[name] for name in LessonRow.__dataclass_fields__)
_MODULE_ALIVE = modules.c.deleted_at.is_(None)
_LESSON_ALIVE = lessons.c.deleted_at.is_(None)


@lru_cache(maxsize=8)
def modules_by_id(scope: str) -> Statement[ModuleRow]:
    """Modules by id, as far as their course is visible."""
    query = select(*_MODULE).join(courses, courses.c.id == modules.c.course_id)
    return Statement(query.where(modules.c.id == any_(_IDS), _MODULE_ALIVE, visible(scope)), ModuleRow)


@lru_cache(maxsize=8)
def lessons_by_id(scope: str) -> Statement[LessonRow]:
    """Lessons by id, as far as their course is visible."""
    query = (
        select(*_LESSON)
        .join(modules, modules.c.id == lessons.c.module_id)
        .join(courses, courses.c.id == lessons.c.course_id)
    )
    return Statement(query.where(lessons.c.id == any_(_IDS), _LESSON_ALIVE, _MODULE_ALIVE, visible(scope)), LessonRow)


# Without what only authors and locks ask for.
MODULES_BY_COURSE = Statement(
    select(*(column for column in _MODULE if column.key not in {"rules", "requirement_count"}))
    .where(modules.c.course_id == any_(_IDS), _MODULE_ALIVE)
    .order_by(modules.c.course_id, modules.c.position, modules.c.id)
    .limit(100 * 200),
    ModuleRow,
    partial=True,
)
RULED_MODULES_BY_COURSE = Statement(
    select(*_MODULE)
    .where(modules.c.course_id == any_(_IDS), _MODULE_ALIVE)
    .order_by(modules.c.course_id, modules.c.position, modules.c.id)
    .limit(100 * 200),
    ModuleRow,
)
# The part of a lesson that lists show: most pages ask for nothing else, and read hundreds of them.
LESSON_TITLES_BY_MODULE = Statement(
    select(*(lessons.c[name] for name in ("id", "course_id", "module_id", "title", "position")))
    .where(lessons.c.module_id == any_(_IDS), _LESSON_ALIVE)
    .order_by(lessons.c.module_id, lessons.c.position, lessons.c.id)
    .limit(100 * 200 * 10),
    LessonRow,
    partial=True,
)
LESSONS_BY_MODULE = Statement(
    select(*_LESSON)
    .where(lessons.c.module_id == any_(_IDS), _LESSON_ALIVE)
    .order_by(lessons.c.module_id, lessons.c.position, lessons.c.id)
    .limit(100 * 200 * 10),
    LessonRow,
)
BLOCKS_BY_LESSON = Statement(
    select(
        lesson_blocks.c.id,
        lesson_blocks.c.lesson_id,
        lesson_blocks.c.position,
        lesson_blocks.c.kind,
        lesson_blocks.c.title,
        lesson_blocks.c.content,
    )
    .where(lesson_blocks.c.lesson_id == any_(_IDS))
    .order_by(lesson_blocks.c.lesson_id, lesson_blocks.c.position, lesson_blocks.c.id)
    .limit(100 * 200),
    BlockRow,
)
INSTRUCTORS_BY_COURSE = Statement(
    select(course_instructors.c.course_id, members.c.user_id, members.c.full_name, members.c.avatar_url, members.c.bio)
    .join(members, members.c.user_id == course_instructors.c.user_id)
    .where(course_instructors.c.course_id == any_(_IDS))
    .order_by(course_instructors.c.course_id, course_instructors.c.position, members.c.user_id)
    .limit(100 * 10),
    InstructorRow,
)
LESSON_COUNTS = Statement(
    select(modules.c.course_id.label("key"), func.count().label("count"))
    .select_from(modules)
    .join(lessons, lessons.c.module_id == modules.c.id)
    .where(modules.c.course_id == any_(_IDS), _LESSON_ALIVE, _MODULE_ALIVE)
    .group_by(modules.c.course_id),
    CountRow,
)
TEACHES = Statement(
    select(course_instructors.c.course_id).where(
        course_instructors.c.course_id == any_(_IDS), course_instructors.c.user_id == _VIEWER
    ),
    UUID,
)

# --- writes: the course's row is what concurrent editors of its structure queue on. NO KEY UPDATE: an enrolment's
# foreign key must not wait for an author, or every long edit would refuse those who enrol meanwhile.

COURSE_FOR_UPDATE = Statement(
    select(*course_columns()).where(courses.c.id == _ID, _ALIVE).with_for_update(of=courses, key_share=True), CourseRow
)
COURSE_OF_MODULE = Statement(select(modules.c.course_id).where(modules.c.id == _ID, _MODULE_ALIVE), UUID)
COURSE_OF_LESSON = Statement(
    select(lessons.c.course_id)
    .join(modules, modules.c.id == lessons.c.module_id)
    .where(lessons.c.id == _ID, _LESSON_ALIVE, _MODULE_ALIVE),
    UUID,
)
MODULE = Statement(select(*_MODULE).where(modules.c.id == _ID, _MODULE_ALIVE), ModuleRow)
LESSON = Statement(select(*_LESSON).where(lessons.c.id == _ID, _LESSON_ALIVE), LessonRow)
COURSE_FIELDS = ("title", "description", "category", "level", "language", "cover_url", "tags")
LESSON_FIELDS = (
    "title", "summary", "is_required", "weight", "completion", "video_threshold", "min_score", "min_seconds",
)  # fmt: skip

ADD_COURSE = Statement(
    insert(courses).values(
        {
            name: bindparam(name, type_=courses.c[name].type, required=True)
            for name in ("id", *COURSE_FIELDS, "copied_from")
        }
        | {"created_by": _VIEWER}
    ),
    int,
)
UPDATE_COURSE = Statement(
    update(courses)
    .where(courses.c.id == _ID)
    .values(
        {name: bindparam(name, type_=courses.c[name].type, required=True) for name in COURSE_FIELDS}
        | {"version": courses.c.version + 1, "updated_at": func.now()}
    ),
    int,
)
TOUCH_COURSE = Statement(
    update(courses).where(courses.c.id == _ID).values(version=courses.c.version + 1, updated_at=func.now()), int
)
PUBLISH = Statement(
    update(courses)
    .where(courses.c.id == _ID, courses.c.published_at.is_(None))
    .values(published_at=func.now(), version=courses.c.version + 1, updated_at=func.now()),
    int,
)
UNPUBLISH = Statement(
    update(courses)
    .where(courses.c.id == _ID, courses.c.published_at.is_not(None))
    .values(published_at=null(), version=courses.c.version + 1, updated_at=func.now()),
    int,
)
DELETE_COURSE = Statement(
    update(courses)
    .where(courses.c.id == _ID)
    .values(deleted_at=func.now(), version=courses.c.version + 1, updated_at=func.now()),
    int,
)
HAS_LESSONS = Statement(
    select(
        select(lessons.c.id)
        .join(modules, modules.c.id == lessons.c.module_id)
        .where(lessons.c.course_id == _ID, _LESSON_ALIVE, _MODULE_ALIVE)
        .exists()
    ),
    bool,
)
CLEAR_INSTRUCTORS = Statement(course_instructors.delete().where(course_instructors.c.course_id == _COURSE), int)
ADD_INSTRUCTOR = Statement(
    insert(course_instructors).values(
        course_id=_COURSE, user_id=bindparam("user_id", type_=Uuid), position=bindparam("position", type_=Integer)
    ),
    int,
)
TEACHERS_AMONG = Statement(
    select(members.c.user_id).where(
        members.c.user_id == any_(_IDS),
        members.c.status == "active",
        or_(members.c.role == "instructor", members.c.role == "admin"),
    ),
    UUID,
)
TEACHER_BY_EMAIL = Statement(
    select(members.c.user_id).where(
        members.c.email == bindparam("email", type_=Text),
        members.c.status == "active",
        or_(members.c.role == "instructor", members.c.role == "admin"),
    ),
    UUID,
)

MODULE_PLACES = Statement(
    select(modules.c.id, modules.c.course_id.label("parent_id"), modules.c.position)
    .where(modules.c.course_id == _ID, _MODULE_ALIVE)
    .order_by(modules.c.position, modules.c.id)
    .limit(1000),
    Placed,
)
LESSON_PLACES = Statement(
    select(lessons.c.id, lessons.c.module_id.label("parent_id"), lessons.c.position)
    .join(modules, modules.c.id == lessons.c.module_id)
    .where(lessons.c.course_id == _ID, _LESSON_ALIVE, _MODULE_ALIVE)
    .order_by(modules.c.position, lessons.c.position, lessons.c.id)
    .limit(40_000),
    Placed,
)
ADD_MODULE = Statement(
    insert(modules).values(
        {
            name: bindparam(name, type_=modules.c[name].type)
            for name in ("id", "course_id", "title", "description", "position")
        }
    ),
    int,
)
UPDATE_MODULE = Statement(
    update(modules)
    .where(modules.c.id == _ID)
    .values(
        title=bindparam("title", type_=Text),
        description=bindparam("description", type_=Text),
        version=modules.c.version + 1,
        updated_at=func.now(),
    ),
    int,
)
DELETE_MODULE = Statement(
    update(modules).where(modules.c.id == _ID).values(deleted_at=func.now(), updated_at=func.now()), int
)
PLACE_MODULE = Statement(
    update(modules)
    .where(modules.c.id == _ID)
    .values(position=bindparam("position", type_=Integer), updated_at=func.now()),
    int,
)
ADD_LESSON = Statement(
    insert(lessons).values(
        {
            name: bindparam(name, type_=lessons.c[name].type)
            for name in ("id", "course_id", "module_id", "position", *LESSON_FIELDS)
        }
    ),
    int,
)
UPDATE_LESSON = Statement(
    update(lessons)
    .where(lessons.c.id == _ID)
    .values(
        {name: bindparam(name, type_=lessons.c[name].type) for name in LESSON_FIELDS}
        | {"version": lessons.c.version + 1, "updated_at": func.now()}
    ),
    int,
)
DELETE_LESSON = Statement(
    update(lessons).where(lessons.c.id == _ID).values(deleted_at=func.now(), updated_at=func.now()), int
)
PLACE_LESSON = Statement(
    update(lessons)
    .where(lessons.c.id == _ID)
    .values(
        module_id=bindparam("module_id", type_=Uuid),
        position=bindparam("position", type_=Integer),
        updated_at=func.now(),
    ),
    int,
)
COPY_MODULE_RULES = Statement(
    update(modules)
    .where(modules.c.id == _ID)
    .values(
        rules=bindparam("rules", type_=JSONB),
        requirement_count=bindparam("requirement_count", type_=Integer, required=True),
    ),
    int,
)
COPY_LESSON_RULES = Statement(
    update(lessons).where(lessons.c.id == _ID).values(rules=bindparam("rules", type_=JSONB)), int
)
CLEAR_BLOCKS = Statement(lesson_blocks.delete().where(lesson_blocks.c.lesson_id == _ID), int)
ADD_BLOCK = Statement(
    insert(lesson_blocks).values(
        {
            name: bindparam(name, type_=lesson_blocks.c[name].type)
            for name in ("id", "lesson_id", "position", "kind", "title", "content")
        }
    ),
    int,
)
