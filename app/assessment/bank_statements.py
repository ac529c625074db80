"""SQL of the question bank."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
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
from sqlalchemy.dialects.postgresql import REGCONFIG, TSQUERY

from app.assessment.bank_rows import ExportRow, ImportedRow, LabelRow, PooledRow, QuestionRow, VersionRow
from app.assessment.bodies import TextOnly
from app.assessment.question_tables import question_versions, questions
from app.catalog.tables import course_instructors, courses
from app.db.paging import Order, keyset
from app.db.statements import Statement

_ID = bindparam("id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_COURSE = bindparam("course_id", type_=Uuid)
_CATEGORY = bindparam("category", type_=Text)
_TAGS = bindparam("tags", type_=ARRAY(Text))
_SEARCH = bindparam("search", type_=Text)
# Subqueries, so that what is searched for is understood once and not for every row.
_QUERY = select(
    func.websearch_to_tsquery(cast(literal("extensions.es_un", Text), REGCONFIG), _SEARCH, type_=TSQUERY)
).scalar_subquery()
_FOLDED = select(func.extensions.fold(_SEARCH, type_=Text)).scalar_subquery()

_QUESTION = tuple(questions.c[name] for name in QuestionRow.__dataclass_fields__)
_ALIVE = questions.c.deleted_at.is_(None)
_POOLED = and_(_ALIVE, questions.c.status == "ready", questions.c.kind != TextOnly.kind)


def visible(scope: str) -> ColumnElement[bool]:
    """Whose questions somebody sees: ``all`` courses' or those of their ``own``."""
    alive = select(courses.c.id).where(courses.c.id == questions.c.course_id, courses.c.deleted_at.is_(None)).exists()
    if scope == "all":
        return alive
    taught = (
        select(course_instructors.c.course_id)
        .where(
            course_instructors.c.course_id == questions.c.course_id,
            course_instructors.c.user_id == bindparam("viewer_id", type_=Uuid),
        )
        .exists()
    )
    return and_(alive, taught)


ORDERS = {
    "NEWEST": Order("questions:newest", (questions.c.created_at, questions.c.id), descending=True),
    "OLDEST": Order("questions:oldest", (questions.c.created_at, questions.c.id)),
    "TITLE": Order("questions:title", (questions.c.search_title, questions.c.id)),
}
FILTERS: dict[str, ColumnElement[bool]] = {
    "kinds": questions.c.kind == any_(bindparam("kinds", type_=ARRAY(Text))),
    "tags": questions.c.tags.contains(_TAGS),
    # A category with everything below it.
    "category": or_(questions.c.category == _CATEGORY, func.starts_with(questions.c.category, _CATEGORY + "/")),
    "status": questions.c.status == bindparam("status", type_=Text),
    "search": or_(
        questions.c.search.bool_op("@@")(_QUERY),
        questions.c.search_title.bool_op("OPERATOR(extensions.%>)")(_FOLDED),
    ),
}


def _filtered(query: Select[Any], scope: str, used: frozenset[str]) -> Select[Any]:
    conditions = (FILTERS[name] for name in sorted(used))
    return query.where(questions.c.course_id == _COURSE, _ALIVE, visible(scope), *conditions)


@lru_cache(maxsize=512)
def question_page(scope: str, used: frozenset[str], order: str, after: bool, backward: bool) -> Statement[QuestionRow]:
    """A page of a course's questions with these filters in this order."""
    query = _filtered(select(*_QUESTION), scope, used)
    return Statement(keyset(query, ORDERS[order], after=after, backward=backward), QuestionRow)


@lru_cache(maxsize=128)
def question_count(scope: str, used: frozenset[str]) -> Statement[int]:
    """How many questions of a course there are with these filters."""
    return Statement(_filtered(select(func.count()).select_from(questions), scope, used), int)


@lru_cache(maxsize=8)
def questions_by_id(scope: str) -> Statement[QuestionRow]:
    """Questions by id, as far as they are visible; deleted ones too, so that they can be restored."""
    return Statement(select(*_QUESTION).where(questions.c.id == any_(_IDS), visible(scope)), QuestionRow)


_PRESENT = and_(question_versions.c.question_id == questions.c.id, question_versions.c.number == questions.c.version)
_VERSION = tuple(question_versions.c[name] for name in VersionRow.__dataclass_fields__)


@lru_cache(maxsize=128)
def export(scope: str, used: frozenset[str]) -> Statement[ExportRow]:
    """A course's questions with their bodies, category by category."""
    columns = (questions.c.title, questions.c.category, questions.c.tags, questions.c.points)
    query = select(*columns, question_versions.c.body).join(question_versions, _PRESENT)
    ordered = _filtered(query, scope, used).order_by(questions.c.category, questions.c.created_at, questions.c.id)
    return Statement(ordered.limit(bindparam("limit", type_=Integer)), ExportRow)


PRESENT_VERSIONS = Statement(
    select(*_VERSION).join(questions, _PRESENT).where(questions.c.id == any_(_IDS)), VersionRow
)
VERSION = Statement(
    select(*_VERSION).where(
        question_versions.c.question_id == _ID, question_versions.c.number == bindparam("number", type_=Integer)
    ),
    VersionRow,
)


@lru_cache(maxsize=8)
def tags(scope: str) -> Statement[LabelRow]:
    """The tags of a course's questions, by name."""
    tag = func.unnest(questions.c.tags, type_=Text).label("name")
    inner = _filtered(select(tag), scope, frozenset()).subquery()
    query = select(inner.c.name, func.count().label("count")).group_by(inner.c.name)
    return Statement(query.order_by(inner.c.name).limit(1000), LabelRow)


@lru_cache(maxsize=8)
def categories(scope: str) -> Statement[LabelRow]:
    """The categories of a course's questions, by path."""
    query = _filtered(select(questions.c.category.label("name"), func.count().label("count")), scope, frozenset())
    return Statement(query.group_by(questions.c.category).order_by(questions.c.category).limit(1000), LabelRow)


def _pool(query: Select[Any], used: frozenset[str]) -> Select[Any]:
    return query.where(questions.c.course_id == _COURSE, _POOLED, *(FILTERS[name] for name in sorted(used)))


@lru_cache(maxsize=8)
def pool(used: frozenset[str]) -> Statement[PooledRow]:
    """The questions that a quiz may draw with these filters (``tags``, ``category``), in an order that stays."""
    query = _pool(select(questions.c.id, questions.c.version), used)
    return Statement(query.order_by(questions.c.id).limit(10_000), PooledRow)


@lru_cache(maxsize=8)
def pool_count(used: frozenset[str]) -> Statement[int]:
    """How many questions a quiz may draw with these filters."""
    return Statement(_pool(select(func.count()).select_from(questions), used), int)


# --- writes

QUESTION_FIELDS = ("kind", "title", "category", "tags", "status", "points", "words")
COURSE_OF_QUESTION = Statement(select(questions.c.course_id).where(questions.c.id == _ID), UUID)
QUESTION_FOR_UPDATE = Statement(select(*_QUESTION).where(questions.c.id == _ID).with_for_update(), QuestionRow)
QUESTIONS = Statement(select(*_QUESTION).where(questions.c.id == any_(_IDS)), QuestionRow)
ADD_QUESTION = Statement(
    insert(questions).values(
        {
            name: bindparam(name, type_=questions.c[name].type, required=True)
            for name in ("id", "course_id", *QUESTION_FIELDS, "import_key", "created_by")
        }
    ),
    int,
)
ADD_VERSION = Statement(
    insert(question_versions).values(
        {
            name: bindparam(name, type_=question_versions.c[name].type, required=True)
            for name in ("question_id", "number", "body", "points", "created_by")
        }
    ),
    int,
)
UPDATE_QUESTION = Statement(
    update(questions)
    .where(questions.c.id == _ID)
    .values(
        {name: bindparam(name, type_=questions.c[name].type, required=True) for name in QUESTION_FIELDS}
        | {"version": questions.c.version + 1, "updated_at": func.now()}
    ),
    int,
)
DELETE_QUESTION = Statement(
    update(questions).where(questions.c.id == _ID, _ALIVE).values(deleted_at=func.now(), updated_at=func.now()),
    int,
)
RESTORE_QUESTION = Statement(
    update(questions).where(questions.c.id == _ID).values(deleted_at=null(), updated_at=func.now()),
    int,
)
IMPORTED = Statement(
    select(questions.c.import_key, questions.c.id)
    .where(
        questions.c.course_id == _COURSE,
        questions.c.import_key == any_(bindparam("keys", type_=ARRAY(Text))),
        _ALIVE,
    )
    .order_by(questions.c.id),
    ImportedRow,
)
SAME_IMPORT = Statement(
    select(questions.c.id).where(
        questions.c.course_id == _COURSE,
        questions.c.import_key == select(questions.c.import_key).where(questions.c.id == _ID).scalar_subquery(),
        _ALIVE,
    ),
    UUID,
)
