"""SQL of quizzes, what they ask, and what single learners are granted."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from app.assessment.attempt_tables import (
    attempt_answers,
    quiz_attempts,
    quiz_overrides,
    quiz_scores,
    quiz_slots,
    quizzes,
)
from app.assessment.question_tables import questions
from app.assessment.quiz_rows import Asked, Extent, OverrideRow, PlaceRow, QuizRow, ScoreRow, SlotRow
from app.catalog.tables import course_instructors, courses
from app.db.statements import Statement
from app.learning.enrollment_tables import course_enrollment

_ID = bindparam("id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_QUIZ = bindparam("quiz_id", type_=Uuid)
_USER = bindparam("user_id", type_=Uuid)
_VIEWER = bindparam("viewer_id", type_=Uuid)
_ALIVE = quizzes.c.deleted_at.is_(None)

QUIZ_COLUMNS = tuple(quizzes.c[name] for name in QuizRow.__dataclass_fields__)
FIELDS = (
    "lesson_id", "title", "instructions", "open_at", "close_at", "due_at", "time_limit_seconds", "overdue_policy",
    "grace_period_seconds", "network_grace_seconds", "attempts_allowed", "kept_score", "visibility",
    "shuffle_questions", "shuffle_options", "allows_check", "pass_percent", "late_interval_seconds", "late_percent",
    "late_floor_percent", "freeze_days",
)  # fmt: skip
_GIVEN = {name: bindparam(name, type_=quizzes.c[name].type, required=True) for name in FIELDS}

# --- what somebody sees: published quizzes of published courses, and everything of the courses they teach

_TEACHES = (
    select(course_instructors.c.course_id)
    .where(course_instructors.c.course_id == courses.c.id, course_instructors.c.user_id == _VIEWER)
    .exists()
)


def _visible(query: Select[Any], scope: str) -> Select[Any]:
    query = query.join(courses, courses.c.id == quizzes.c.course_id).where(_ALIVE, courses.c.deleted_at.is_(None))
    shown = and_(quizzes.c.published_at.is_not(None), courses.c.published_at.is_not(None))
    match scope:
        case "all":
            return query
        case "own":
            return query.where(or_(shown, _TEACHES))
        case _:
            return query.where(shown)


def _seen(scope: str, condition: ColumnElement[bool]) -> Statement[QuizRow]:
    query = _visible(select(*QUIZ_COLUMNS), scope).where(condition)
    return Statement(query.order_by(quizzes.c.created_at, quizzes.c.id).limit(100 * 200), QuizRow)


@lru_cache(maxsize=8)
def quizzes_by_id(scope: str) -> Statement[QuizRow]:
    """Quizzes by id, as far as they are visible."""
    return _seen(scope, quizzes.c.id == any_(_IDS))


@lru_cache(maxsize=8)
def quizzes_by_course(scope: str) -> Statement[QuizRow]:
    """The quizzes of courses, as far as they are visible."""
    return _seen(scope, quizzes.c.course_id == any_(_IDS))


@lru_cache(maxsize=8)
def quizzes_by_lesson(scope: str) -> Statement[QuizRow]:
    """The quizzes of lessons, as far as they are visible."""
    return _seen(scope, quizzes.c.lesson_id == any_(_IDS))


# --- writing

QUIZ = Statement(select(*QUIZ_COLUMNS).where(quizzes.c.id == _ID, _ALIVE), QuizRow)
COURSE_OF_QUIZ = Statement(select(quizzes.c.course_id).where(quizzes.c.id == _ID, _ALIVE), UUID)
# Those who begin an attempt share it; who changes the quiz waits for them, and they for the change.
QUIZ_FOR_SHARE = Statement(
    select(*QUIZ_COLUMNS).where(quizzes.c.id == _ID, _ALIVE).with_for_update(read=True, of=quizzes), QuizRow
)
QUIZ_FOR_UPDATE = Statement(
    select(*QUIZ_COLUMNS).where(quizzes.c.id == _ID, _ALIVE).with_for_update(of=quizzes, key_share=True), QuizRow
)
COURSE_IS_OPEN = Statement(
    select(courses.c.id).where(
        courses.c.id == _ID, courses.c.published_at.is_not(None), courses.c.deleted_at.is_(None)
    ),
    UUID,
)
COURSE_ENDS_AT = Statement(
    select(course_enrollment.c.ends_at).where(
        course_enrollment.c.course_id == _ID, course_enrollment.c.ends_at.is_not(None)
    ),
    datetime,
)
TEACHES = Statement(
    select(course_instructors.c.course_id).where(
        course_instructors.c.course_id == _ID, course_instructors.c.user_id == _VIEWER
    ),
    UUID,
)
ADD = Statement(
    insert(quizzes).values(
        {"id": _ID, "course_id": bindparam("course_id", type_=Uuid), "created_by": _VIEWER, **_GIVEN}
    ),
    int,
)
UPDATE = Statement(
    update(quizzes)
    .where(quizzes.c.id == _ID)
    .values({**_GIVEN, "version": quizzes.c.version + 1, "updated_at": func.now()}),
    int,
)
TOUCH = Statement(
    update(quizzes).where(quizzes.c.id == _ID).values(version=quizzes.c.version + 1, updated_at=func.now()), int
)
PUBLISH = Statement(
    update(quizzes)
    .where(quizzes.c.id == _ID, quizzes.c.published_at.is_(None))
    .values(published_at=func.now(), version=quizzes.c.version + 1, updated_at=func.now()),
    int,
)
DELETE = Statement(update(quizzes).where(quizzes.c.id == _ID).values(deleted_at=func.now(), updated_at=func.now()), int)
COUNT_IN_COURSE = Statement(select(func.count()).select_from(quizzes).where(quizzes.c.course_id == _ID, _ALIVE), int)

CLOCK = Statement(select(func.now().label("now")), datetime)
# Not when the transaction began: asked once the learner's lock is there, it orders what happened to the score.
MOMENT = Statement(select(func.clock_timestamp().label("moment")), datetime)

# --- what it asks

_SLOT = tuple(quiz_slots.c[name] for name in SlotRow.__dataclass_fields__)
SLOTS = Statement(
    select(*_SLOT)
    .where(quiz_slots.c.quiz_id == any_(_IDS))
    .order_by(quiz_slots.c.quiz_id, quiz_slots.c.position, quiz_slots.c.id)
    .limit(100 * 200),
    SlotRow,
)
EXTENTS = Statement(
    select(
        quiz_slots.c.quiz_id,
        cast(func.sum(quiz_slots.c.draws), Integer).label("questions"),
        func.sum(quiz_slots.c.draws * quiz_slots.c.points).label("points"),
    )
    .where(quiz_slots.c.quiz_id == any_(_IDS))
    .group_by(quiz_slots.c.quiz_id),
    Extent,
)
CLEAR_SLOTS = Statement(quiz_slots.delete().where(quiz_slots.c.quiz_id == _ID), int)
ADD_SLOT = Statement(
    insert(quiz_slots).values(
        {
            name: bindparam(name, type_=quiz_slots.c[name].type, required=True)
            for name in ("id", "quiz_id", "position", "question_id", "tags", "category", "draws", "points")
        }
    ),
    int,
)
QUESTIONS_AMONG = Statement(
    select(questions.c.id).where(
        questions.c.id == any_(_IDS),
        questions.c.course_id == bindparam("course_id", type_=Uuid),
        questions.c.deleted_at.is_(None),
    ),
    UUID,
)
# From the learner's few attempts, not from the many that had the question.
_known = (
    select(attempt_answers.c.question_id)
    .join(quiz_attempts, quiz_attempts.c.id == attempt_answers.c.attempt_id)
    .where(quiz_attempts.c.quiz_id == _QUIZ, quiz_attempts.c.user_id == _USER)
    .distinct()
    .cte("seen")
)
# A deleted question stays where it was named; pools leave it out. More than 20,000 candidates are too many to choose.
ASKED = Statement(
    select(
        quiz_slots.c.id.label("slot_id"),
        questions.c.id.label("question_id"),
        questions.c.version,
        questions.c.kind,
        _known.c.question_id.is_not(None).label("was_seen"),
    )
    .select_from(quiz_slots)
    .join(quizzes, quizzes.c.id == quiz_slots.c.quiz_id)
    .join(
        questions,
        or_(
            questions.c.id == quiz_slots.c.question_id,
            and_(
                quiz_slots.c.question_id.is_(None),
                questions.c.course_id == quizzes.c.course_id,
                questions.c.deleted_at.is_(None),
                questions.c.status == literal_column("'ready'"),
                questions.c.tags.contains(quiz_slots.c.tags),
                or_(
                    quiz_slots.c.category.is_(None),
                    questions.c.category == quiz_slots.c.category,
                    func.starts_with(questions.c.category, quiz_slots.c.category + "/"),
                ),
            ),
        ),
    )
    .outerjoin(_known, _known.c.question_id == questions.c.id)
    .where(quiz_slots.c.quiz_id == _QUIZ)
    .order_by(quiz_slots.c.position, questions.c.id)
    .limit(20_000),
    Asked,
)

# --- what single learners are granted

_OVERRIDE = tuple(quiz_overrides.c[name] for name in OverrideRow.__dataclass_fields__)
OVERRIDES_BY_QUIZ = Statement(
    select(*_OVERRIDE)
    .where(quiz_overrides.c.quiz_id == any_(_IDS))
    .order_by(quiz_overrides.c.quiz_id, quiz_overrides.c.user_id)
    .limit(100 * 100),
    OverrideRow,
)
OVERRIDE = Statement(
    select(*_OVERRIDE).where(quiz_overrides.c.quiz_id == _QUIZ, quiz_overrides.c.user_id == _USER), OverrideRow
)
_put = upsert(quiz_overrides).values(
    quiz_id=_QUIZ,
    user_id=_USER,
    granted_by=_VIEWER,
    **{
        name: bindparam(name, type_=quiz_overrides.c[name].type, required=True)
        for name in ("extra_minutes", "extra_attempts", "open_at", "close_at", "due_at", "reason")
    },
)
PUT_OVERRIDE = Statement(
    _put.on_conflict_do_update(
        index_elements=["quiz_id", "user_id"],
        set_={
            **{
                name: _put.excluded[name]
                for name in (
                    "extra_minutes", "extra_attempts", "open_at", "close_at", "due_at", "reason", "granted_by"
                )
            },
            "updated_at": func.now(),
        },
    ).returning(*_OVERRIDE),
    OverrideRow,
)  # fmt: skip
OVERRIDES_OF = Statement(
    select(*_OVERRIDE).where(quiz_overrides.c.quiz_id == _QUIZ, quiz_overrides.c.user_id == any_(_IDS)), OverrideRow
)
DELETE_OVERRIDE = Statement(
    quiz_overrides.delete()
    .where(quiz_overrides.c.quiz_id == _QUIZ, quiz_overrides.c.user_id == _USER)
    .returning(quiz_overrides.c.user_id),
    UUID,
)

# --- where a learner stands

_mine = and_(quiz_attempts.c.quiz_id == quizzes.c.id, quiz_attempts.c.user_id == _USER)
PLACES = Statement(
    select(
        func.now().label("now"),
        func.coalesce(quiz_overrides.c.extra_minutes, literal(0)).label("extra_minutes"),
        func.coalesce(quiz_overrides.c.extra_attempts, literal(0)).label("extra_attempts"),
        func.coalesce(quiz_overrides.c.open_at, quizzes.c.open_at).label("open_at"),
        func.coalesce(quiz_overrides.c.close_at, quizzes.c.close_at).label("close_at"),
        func.coalesce(quiz_overrides.c.due_at, quizzes.c.due_at).label("due_at"),
        select(func.count()).where(_mine, ~quiz_attempts.c.is_preview).scalar_subquery().label("used"),
        select(func.coalesce(func.max(quiz_attempts.c.attempt_no), 0))
        .where(_mine)
        .scalar_subquery()
        .label("last_number"),
        select(quiz_attempts.c.id)
        .where(
            _mine,
            ~quiz_attempts.c.is_preview,
            quiz_attempts.c.state.in_([literal_column("'in_progress'"), literal_column("'overdue'")]),
        )
        .limit(1)
        .scalar_subquery()
        .label("open_attempt_id"),
        quizzes.c.id.label("quiz_id"),
    )
    .select_from(quizzes)
    .outerjoin(quiz_overrides, and_(quiz_overrides.c.quiz_id == quizzes.c.id, quiz_overrides.c.user_id == _USER))
    .where(quizzes.c.id == any_(_IDS)),
    PlaceRow,
)

_SCORE = tuple(quiz_scores.c[name] for name in ScoreRow.__dataclass_fields__)
MY_SCORES = Statement(
    select(*_SCORE).where(quiz_scores.c.quiz_id == any_(_IDS), quiz_scores.c.user_id == _USER), ScoreRow
)
SCORE = Statement(select(*_SCORE).where(quiz_scores.c.quiz_id == _QUIZ, quiz_scores.c.user_id == _USER), ScoreRow)
_score = upsert(quiz_scores).values(
    {
        name: bindparam(name, type_=quiz_scores.c[name].type, required=True)
        for name in ScoreRow.__dataclass_fields__
        if name != "updated_at"
    }
)
PUT_SCORE = Statement(
    _score.on_conflict_do_update(
        index_elements=["quiz_id", "user_id"],
        set_={
            **{
                name: _score.excluded[name]
                for name in ("score", "possible", "percent", "attempt_id", "attempts", "is_final", "is_passed")
            },
            "updated_at": func.now(),
        },
    ),
    int,
)

# Deleted ones too: what was begun is ended.
ANY_QUIZZES = Statement(select(*QUIZ_COLUMNS).where(quizzes.c.id == any_(_IDS)), QuizRow)
