"""SQL of gradebooks: settings, categories, items, who is graded, and what they were given."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Numeric,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from app.assessment.attempt_tables import quiz_scores, quiz_slots, quizzes
from app.assessment.gradebook_rows import BookRow, CategoryRow, GradeRow, ItemRow, KeptRow, LearnerRow
from app.assessment.gradebook_tables import grade_categories, grade_items, gradebooks, grades
from app.catalog.tables import course_instructors, courses
from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.identity.tables import members
from app.learning.tables import enrollments

_ID = bindparam("id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_COURSE = bindparam("course_id", type_=Uuid)
_VIEWER = bindparam("viewer_id", type_=Uuid)


def _params(table: Any, *names: str) -> dict[str, Any]:
    return {name: bindparam(name, type_=table.c[name].type, required=True) for name in names}


# --- the book

BOOK = Statement(
    select(
        courses.c.id.label("course_id"),
        courses.c.title,
        func.coalesce(gradebooks.c.ungraded_as_zero, false()).label("ungraded_as_zero"),
        gradebooks.c.scale,
        func.coalesce(gradebooks.c.exigency, literal(60, Numeric)).label("exigency"),
        gradebooks.c.bands,
        func.coalesce(gradebooks.c.version, literal(0)).label("version"),
    )
    .select_from(courses)
    .outerjoin(gradebooks, gradebooks.c.course_id == courses.c.id)
    .where(courses.c.id == _COURSE, courses.c.deleted_at.is_(None)),
    BookRow,
)
_settings = ("ungraded_as_zero", "scale", "exigency", "bands")
_book = upsert(gradebooks).values(_params(gradebooks, "course_id", *_settings))
PUT_BOOK = Statement(
    _book.on_conflict_do_update(
        index_elements=["course_id"],
        set_={
            **{name: _book.excluded[name] for name in _settings},
            "version": gradebooks.c.version + 1,
            "updated_at": func.now(),
        },
    ),
    int,
)
TOUCH_BOOK = Statement(
    upsert(gradebooks)
    .values(course_id=_COURSE)
    .on_conflict_do_update(
        index_elements=["course_id"], set_={"version": gradebooks.c.version + 1, "updated_at": func.now()}
    ),
    int,
)

_CATEGORY = tuple(grade_categories.c[name] for name in CategoryRow.__dataclass_fields__)
CATEGORIES = Statement(
    select(*_CATEGORY)
    .where(grade_categories.c.course_id == _COURSE)
    .order_by(grade_categories.c.position, grade_categories.c.id)
    .limit(100),
    CategoryRow,
)
_category = upsert(grade_categories).values(_params(grade_categories, *CategoryRow.__dataclass_fields__))
PUT_CATEGORY = Statement(
    _category.on_conflict_do_update(
        index_elements=["id"],
        set_={name: _category.excluded[name] for name in ("title", "weight", "drop_lowest", "position")},
    ),
    int,
)
LEAVE_CATEGORIES = Statement(
    update(grade_items)
    .where(grade_items.c.course_id == _COURSE, grade_items.c.category_id == any_(_IDS))
    .values(category_id=null(), version=grade_items.c.version + 1, updated_at=func.now()),
    int,
)
DELETE_CATEGORIES = Statement(
    grade_categories.delete().where(grade_categories.c.course_id == _COURSE, grade_categories.c.id == any_(_IDS)), int
)

# --- what is graded: the published quizzes, whether or not somebody said something about them, and the manual items

_slots = func.sum(quiz_slots.c.draws * quiz_slots.c.points, type_=Numeric)
_asked = select(_slots).where(quiz_slots.c.quiz_id == quizzes.c.id).scalar_subquery()
_IS_ITEM = and_(quizzes.c.published_at.is_not(None), quizzes.c.deleted_at.is_(None))
_MANUAL = and_(grade_items.c.quiz_id.is_(None), grade_items.c.deleted_at.is_(None))


def _items(quiz: ColumnElement[bool], manual: ColumnElement[bool]) -> Select[Any]:
    of_quizzes = (
        select(
            quizzes.c.id,
            quizzes.c.course_id,
            quizzes.c.id.label("quiz_id"),
            quizzes.c.title,
            func.coalesce(grade_items.c.points, _asked, literal(0, Numeric)).label("points"),
            grade_items.c.points.label("own_points"),
            grade_items.c.category_id,
            grade_items.c.weight,
            func.coalesce(grade_items.c.is_extra_credit, false()).label("is_extra_credit"),
            func.coalesce(grade_items.c.is_excluded, false()).label("is_excluded"),
            grade_items.c.position,
            func.coalesce(grade_items.c.version, literal(0)).label("version"),
            quizzes.c.visibility,
            quizzes.c.attempts_allowed,
            quizzes.c.created_at,
        )
        .select_from(quizzes)
        .outerjoin(grade_items, grade_items.c.id == quizzes.c.id)
        .where(quiz, _IS_ITEM)
    )
    by_hand = select(
        grade_items.c.id,
        grade_items.c.course_id,
        grade_items.c.quiz_id,
        grade_items.c.title,
        grade_items.c.points,
        grade_items.c.points.label("own_points"),
        grade_items.c.category_id,
        grade_items.c.weight,
        grade_items.c.is_extra_credit,
        grade_items.c.is_excluded,
        grade_items.c.position,
        grade_items.c.version,
        cast(null(), Text).label("visibility"),
        cast(null(), Integer).label("attempts_allowed"),
        grade_items.c.created_at,
    ).where(manual, _MANUAL)
    found = union_all(of_quizzes, by_hand).subquery("items")
    return (
        select(*(found.c[name] for name in ItemRow.__dataclass_fields__))
        .order_by(found.c.position.asc().nulls_last(), found.c.created_at, found.c.id)
        .limit(500)
    )


ITEMS = Statement(_items(quizzes.c.course_id == _COURSE, grade_items.c.course_id == _COURSE), ItemRow)
ITEMS_BY_ID = Statement(_items(quizzes.c.id == any_(_IDS), grade_items.c.id == any_(_IDS)), ItemRow)
# Who deletes or changes an item waits for those who grade it, and they for the change.
ITEMS_FOR_SHARE = Statement(
    select(grade_items.c.id)
    .where(grade_items.c.id == any_(_IDS), grade_items.c.deleted_at.is_(None))
    .order_by(grade_items.c.id)
    .limit(200)
    .with_for_update(read=True),
    UUID,
)
COUNT_MANUAL = Statement(
    select(func.count()).select_from(grade_items).where(grade_items.c.course_id == _COURSE, _MANUAL), int
)
FIELDS = ("title", "points", "category_id", "weight", "is_extra_credit", "is_excluded", "position")
_item = upsert(grade_items).values(_params(grade_items, "id", "course_id", "quiz_id", *FIELDS))
PUT_ITEM = Statement(
    _item.on_conflict_do_update(
        index_elements=["id"],
        set_={
            **{name: _item.excluded[name] for name in FIELDS},
            "version": grade_items.c.version + 1,
            "updated_at": func.now(),
        },
    ),
    int,
)
# A quiz that somebody is excused from needs a row to say so of; nothing has been said of the quiz by that.
ENSURE_QUIZ_ITEM = Statement(
    upsert(grade_items)
    .values(id=_ID, course_id=_COURSE, quiz_id=_ID, version=literal(0))
    .on_conflict_do_nothing(index_elements=["id"]),
    int,
)
DELETE_ITEM = Statement(
    update(grade_items).where(grade_items.c.id == _ID).values(deleted_at=func.now(), updated_at=func.now()), int
)

# --- who is graded

_TEACHES = (
    select(course_instructors.c.course_id)
    .where(
        course_instructors.c.course_id == enrollments.c.course_id,
        course_instructors.c.user_id == enrollments.c.user_id,
    )
    .exists()
)
# Those who learn or have completed the course; its teachers may try it as learners do, and are not graded.
GRADED = and_(
    enrollments.c.course_id == _COURSE,
    or_(enrollments.c.status == "active", enrollments.c.status == "completed"),
    enrollments.c.role == "student",
    ~_TEACHES,
)
_SORT_NAME = func.extensions.fold(members.c.full_name, type_=Text)
ORDER = Order("gradebook:name", (_SORT_NAME, members.c.user_id))


def _learners() -> Select[Any]:
    return (
        select(members.c.user_id, members.c.full_name, members.c.email, _SORT_NAME.label("sort_name"))
        .select_from(enrollments)
        .join(members, members.c.user_id == enrollments.c.user_id)
        .where(GRADED)
    )


def _searched(query: Select[Any], is_search: bool) -> Select[Any]:
    if not is_search:
        return query
    # Not in search_text: that has the e-mail addresses, which teachers do not see.
    wanted = func.extensions.fold(bindparam("search", type_=Text), type_=Text)
    return query.where(func.strpos(_SORT_NAME, wanted, type_=Integer) > 0)


@lru_cache(maxsize=8)
def learner_page(is_search: bool, after: bool, backward: bool) -> Statement[LearnerRow]:
    """A page of those who are graded in a course, by name."""
    return Statement(keyset(_searched(_learners(), is_search), ORDER, after=after, backward=backward), LearnerRow)


@lru_cache(maxsize=2)
def learner_count(is_search: bool) -> Statement[int]:
    """How many are graded in a course."""
    query = select(func.count()).select_from(enrollments).where(GRADED)
    if is_search:
        query = query.join(members, members.c.user_id == enrollments.c.user_id)
    return Statement(_searched(query, is_search), int)


LEARNERS_BY_ID = Statement(
    _learners().where(enrollments.c.user_id == any_(_IDS)).order_by(_SORT_NAME, members.c.user_id).limit(1000),
    LearnerRow,
)

# --- what they have

SCORES = Statement(
    select(*(quiz_scores.c[name] for name in KeptRow.__dataclass_fields__))
    .where(quiz_scores.c.course_id == _COURSE, quiz_scores.c.user_id == any_(_IDS))
    .order_by(quiz_scores.c.user_id, quiz_scores.c.quiz_id)
    .limit(100 * 500),
    KeptRow,
)
_GRADE = tuple(grades.c[name] for name in GradeRow.__dataclass_fields__)
GRADES = Statement(
    select(*_GRADE)
    .where(grades.c.course_id == _COURSE, grades.c.user_id == any_(_IDS))
    .order_by(grades.c.user_id, grades.c.item_id)
    .limit(100 * 500),
    GradeRow,
)
_given = ("item_id", "user_id", "course_id", "points", "is_excused", "comment")
_grade = upsert(grades).values({**_params(grades, *_given), "graded_by": _VIEWER, "graded_at": func.now()})
PUT_GRADE = Statement(
    _grade.on_conflict_do_update(
        index_elements=["item_id", "user_id"],
        set_={
            **{name: _grade.excluded[name] for name in ("points", "is_excused", "comment", "graded_by")},
            "graded_at": func.now(),
            "version": grades.c.version + 1,
        },
    ),
    int,
)
