"""SQL of attempts: what was asked, answered and graded."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Numeric,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from app.assessment.attempt_rows import (
    AnswerRow,
    AttemptRow,
    CurrentBody,
    Learner,
    Locked,
    MarkRow,
    Standing,
    Submitted,
    TimedAttempt,
)
from app.assessment.attempt_tables import attempt_answers, quiz_attempts, quiz_overrides, quizzes
from app.assessment.question_tables import question_versions, questions
from app.catalog.tables import course_instructors
from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.identity.tables import members
from app.learning.tables import MAY_LEARN, enrollments
from app.work.tables import job_items

_ID = bindparam("id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_QUIZ = bindparam("quiz_id", type_=Uuid)
_USER = bindparam("user_id", type_=Uuid)
_VERSION = quiz_attempts.c.version + 1


def _is(column: ColumnElement[str], *states: str) -> ColumnElement[bool]:
    """One of these states, written into the statement: a partial index is not found by a parameter."""
    return column.in_([literal_column(f"'{state}'") for state in states])


IS_OPEN = _is(quiz_attempts.c.state, "in_progress", "overdue")
IS_CLOSED = _is(quiz_attempts.c.state, "grading", "graded")
ATTEMPT = tuple(quiz_attempts.c[name] for name in AttemptRow.__dataclass_fields__)

# --- the house's order of locks: enrolments by id, then attempts

ENROLLMENTS_FOR_UPDATE = Statement(
    select(enrollments.c.id)
    .where(enrollments.c.course_id == bindparam("course_id", type_=Uuid), enrollments.c.user_id == any_(_IDS))
    .order_by(enrollments.c.id)
    .limit(1000)
    .with_for_update(),
    UUID,
)
_has_attempt = (
    select(quiz_attempts.c.id)
    .where(quiz_attempts.c.quiz_id == _QUIZ, quiz_attempts.c.user_id == enrollments.c.user_id)
    .exists()
)
ENROLLMENTS_OF_QUIZ_FOR_UPDATE = Statement(
    select(enrollments.c.id)
    .where(enrollments.c.course_id == bindparam("course_id", type_=Uuid), _has_attempt)
    .order_by(enrollments.c.id)
    .limit(20_000)
    .with_for_update(),
    UUID,
)
ENROLLED = Statement(
    select(enrollments.c.id).where(
        enrollments.c.course_id == bindparam("course_id", type_=Uuid), enrollments.c.user_id == _USER
    ),
    UUID,
)
MAY_LEARN_FOR_UPDATE = Statement(
    select(enrollments.c.id)
    .where(
        enrollments.c.course_id == bindparam("course_id", type_=Uuid),
        enrollments.c.user_id == _USER,
        MAY_LEARN,
    )
    .with_for_update(),
    UUID,
)
_LOCKED = tuple(quiz_attempts.c[name] for name in Locked.__dataclass_fields__)
TO_LOCK = Statement(select(*_LOCKED).where(quiz_attempts.c.id == _ID), Locked)
FOR_UPDATE = Statement(
    select(
        *ATTEMPT,
        quizzes.c.overdue_policy,
        quizzes.c.grace_period_seconds,
        quizzes.c.network_grace_seconds,
        quizzes.c.allows_check,
        quizzes.c.visibility,
        func.now().label("now"),
    )
    .join(quizzes, quizzes.c.id == quiz_attempts.c.quiz_id)
    .where(quiz_attempts.c.id == _ID)
    .with_for_update(of=quiz_attempts),
    TimedAttempt,
)
MANY_FOR_UPDATE = Statement(
    select(*ATTEMPT)
    .where(quiz_attempts.c.id == any_(_IDS))
    .order_by(quiz_attempts.c.id)
    .limit(1000)
    .with_for_update(of=quiz_attempts),
    AttemptRow,
)

# --- beginning

# Two tabs arrive at once: one inserts, the other waits here and then finds the open attempt.
ADD = Statement(
    upsert(quiz_attempts)
    .values(
        {
            "state": "in_progress",
            "started_at": func.now(),
            **{
                name: bindparam(name, type_=quiz_attempts.c[name].type, required=True)
                for name in (
                    "id", "quiz_id", "course_id", "user_id", "attempt_no", "locale", "is_preview", "deadline_at",
                    "due_for_sweep_at", "possible",
                )
            },
        }
    )
    .on_conflict_do_nothing()
    .returning(quiz_attempts.c.id),
    UUID,
)  # fmt: skip
ADD_ANSWER = Statement(
    insert(attempt_answers).values(
        {
            name: bindparam(name, type_=attempt_answers.c[name].type, required=True)
            for name in ("attempt_id", "slot", "question_id", "question_version", "points", "seed")
        }
    ),
    int,
)
OPEN_OF = Statement(
    select(*ATTEMPT).where(
        quiz_attempts.c.quiz_id == _QUIZ,
        quiz_attempts.c.user_id == _USER,
        quiz_attempts.c.is_preview == bindparam("is_preview", type_=Boolean),
        IS_OPEN,
    ),
    AttemptRow,
)

# --- answering

_BODY = question_versions.c.body
ANSWERS = Statement(
    select(*(attempt_answers.c[name] for name in AnswerRow.__dataclass_fields__ if name != "body"), _BODY)
    .join(
        question_versions,
        and_(
            question_versions.c.question_id == attempt_answers.c.question_id,
            question_versions.c.number == attempt_answers.c.question_version,
        ),
    )
    .where(attempt_answers.c.attempt_id == any_(_IDS))
    .order_by(attempt_answers.c.attempt_id, attempt_answers.c.slot)
    .limit(100 * 200),
    AnswerRow,
)
SAVE = Statement(
    update(attempt_answers)
    .where(
        attempt_answers.c.attempt_id == _ID,
        attempt_answers.c.slot == bindparam("number", type_=Integer),
        attempt_answers.c.revision < bindparam("revision", type_=Integer),
    )
    .values(
        answer=bindparam("answer", type_=JSONB, required=True),
        revision=bindparam("revision", type_=Integer),
        saved_at=func.now(),
    ),
    int,
)

# --- ending; the guard in WHERE makes each of these happen once, whoever comes

CLOSE = Statement(
    update(quiz_attempts)
    .where(quiz_attempts.c.id == _ID, IS_OPEN)
    .values(
        state=bindparam("state", type_=Text),
        finished_at=bindparam("finished_at", type_=DateTime(timezone=True), required=True),
        was_auto_submitted=bindparam("was_auto_submitted", type_=Boolean),
        is_flagged_late=bindparam("is_flagged_late", type_=Boolean),
        points=bindparam("points", type_=Numeric, required=True),
        penalty=bindparam("penalty", type_=Numeric),
        score=bindparam("score", type_=Numeric, required=True),
        graded_at=bindparam("graded_at", type_=DateTime(timezone=True), required=True),
        due_for_sweep_at=null(),
        version=_VERSION,
        updated_at=func.now(),
    )
    .returning(quiz_attempts.c.id),
    UUID,
)
ABANDON = Statement(
    update(quiz_attempts)
    .where(quiz_attempts.c.id == _ID, IS_OPEN)
    .values(state="abandoned", due_for_sweep_at=null(), version=_VERSION, updated_at=func.now())
    .returning(quiz_attempts.c.id),
    UUID,
)
MOVE = Statement(
    update(quiz_attempts)
    .where(quiz_attempts.c.id == _ID, IS_OPEN)
    .values(
        state=bindparam("state", type_=Text),
        deadline_at=bindparam("deadline_at", type_=DateTime(timezone=True), required=True),
        due_for_sweep_at=bindparam("due_for_sweep_at", type_=DateTime(timezone=True), required=True),
        version=_VERSION,
        updated_at=func.now(),
    ),
    int,
)
REOPEN = Statement(
    update(quiz_attempts)
    .where(quiz_attempts.c.id == _ID, quiz_attempts.c.state == literal_column("'abandoned'"))
    .values(
        state="in_progress",
        deadline_at=bindparam("deadline_at", type_=DateTime(timezone=True), required=True),
        due_for_sweep_at=bindparam("due_for_sweep_at", type_=DateTime(timezone=True), required=True),
        version=_VERSION,
        updated_at=func.now(),
    )
    .returning(quiz_attempts.c.id),
    UUID,
)
OPEN_OF_FOR_UPDATE = Statement(
    select(*ATTEMPT)
    .where(quiz_attempts.c.quiz_id == _QUIZ, quiz_attempts.c.user_id == _USER, IS_OPEN)
    .where(~quiz_attempts.c.is_preview)
    .with_for_update(of=quiz_attempts),
    AttemptRow,
)
OPEN_IN_QUIZ = Statement(
    select(*ATTEMPT)
    .where(
        quiz_attempts.c.quiz_id == _QUIZ,
        IS_OPEN,
        ~quiz_attempts.c.is_preview,
        quiz_attempts.c.id > bindparam("after", type_=Uuid),
    )
    .order_by(quiz_attempts.c.id)
    .limit(1000)
    .with_for_update(of=quiz_attempts),
    AttemptRow,
)
DUE = Statement(
    select(*_LOCKED)
    .where(quiz_attempts.c.due_for_sweep_at <= func.now())
    .order_by(quiz_attempts.c.due_for_sweep_at, quiz_attempts.c.id)
    .limit(bindparam("limit", type_=Integer)),
    Locked,
)
STILL_DUE = Statement(
    select(*ATTEMPT)
    .where(quiz_attempts.c.id == any_(_IDS), quiz_attempts.c.due_for_sweep_at <= func.now())
    .order_by(quiz_attempts.c.id)
    .limit(1000)
    .with_for_update(of=quiz_attempts, skip_locked=True),
    AttemptRow,
)

# --- grading

GRADE = Statement(
    update(attempt_answers)
    .where(attempt_answers.c.attempt_id == _ID, attempt_answers.c.slot == bindparam("number", type_=Integer))
    .values(
        auto_points=bindparam("auto_points", type_=Numeric, required=True),
        needs_manual=bindparam("needs_manual", type_=Boolean),
        fraction=bindparam("fraction", type_=Numeric, required=True),
        parts=bindparam("parts", type_=JSONB, required=True),
        graded_version=bindparam("graded_version", type_=Integer),
        version=attempt_answers.c.version + 1,
    ),
    int,
)
GRADE_BY_HAND = Statement(
    update(attempt_answers)
    .where(
        attempt_answers.c.attempt_id == _ID,
        attempt_answers.c.slot == bindparam("number", type_=Integer),
        attempt_answers.c.version == bindparam("expected", type_=Integer),
    )
    .values(
        manual_delta=bindparam("manual_delta", type_=Numeric, required=True),
        comment=bindparam("comment", type_=Text),
        graded_by=bindparam("viewer_id", type_=Uuid),
        graded_at=func.now(),
        version=attempt_answers.c.version + 1,
    )
    .returning(attempt_answers.c.version),
    int,
)
SETTLE = Statement(
    update(quiz_attempts)
    .where(quiz_attempts.c.id == _ID, IS_CLOSED)
    .values(
        state=bindparam("state", type_=Text),
        points=bindparam("points", type_=Numeric, required=True),
        penalty=bindparam("penalty", type_=Numeric),
        score=bindparam("score", type_=Numeric, required=True),
        graded_at=bindparam("graded_at", type_=DateTime(timezone=True), required=True),
        score_before_regrade=bindparam("score_before_regrade", type_=Numeric, required=True),
        version=_VERSION,
        updated_at=func.now(),
    ),
    int,
)
SUBMITTED = Statement(
    select(quiz_attempts.c.id, quiz_attempts.c.attempt_no, quiz_attempts.c.score, quiz_attempts.c.possible)
    .where(quiz_attempts.c.quiz_id == _QUIZ, quiz_attempts.c.user_id == _USER, ~quiz_attempts.c.is_preview)
    .where(IS_CLOSED)
    .order_by(quiz_attempts.c.attempt_no, quiz_attempts.c.id)
    .limit(10_000),
    Submitted,
)
LEARNERS = Statement(
    select(members.c.user_id, members.c.full_name)
    .where(
        select(quiz_attempts.c.id)
        .where(
            quiz_attempts.c.quiz_id == _QUIZ,
            quiz_attempts.c.user_id == members.c.user_id,
            IS_CLOSED,
            ~quiz_attempts.c.is_preview,
        )
        .exists()
    )
    .order_by(members.c.user_id)
    .limit(20_000),
    Learner,
)
CLOSED_OF_LEARNERS = Statement(
    select(*ATTEMPT)
    .where(
        quiz_attempts.c.quiz_id == _QUIZ,
        quiz_attempts.c.user_id == any_(_IDS),
        IS_CLOSED,
        ~quiz_attempts.c.is_preview,
        quiz_attempts.c.id > bindparam("after", type_=Uuid),
    )
    .order_by(quiz_attempts.c.id)
    .limit(1000)
    .with_for_update(of=quiz_attempts),
    AttemptRow,
)
CURRENT_BODIES = Statement(
    select(questions.c.id, questions.c.version, question_versions.c.body)
    .join(
        question_versions,
        and_(question_versions.c.question_id == questions.c.id, question_versions.c.number == questions.c.version),
    )
    .where(questions.c.id == any_(_IDS)),
    CurrentBody,
)

ITEM_RESULTS = Statement(
    select(job_items.c.result)
    .where(job_items.c.job_id == _ID, job_items.c.result.is_not(None))
    .order_by(job_items.c.number)
    .limit(20_000),
    dict,
)

# --- reading

BY_ID = Statement(select(*ATTEMPT).where(quiz_attempts.c.id == any_(_IDS)), AttemptRow)
MY_ATTEMPTS_BY_QUIZ = Statement(
    select(*ATTEMPT)
    .where(quiz_attempts.c.quiz_id == any_(_IDS), quiz_attempts.c.user_id == _USER)
    .order_by(quiz_attempts.c.quiz_id, quiz_attempts.c.attempt_no, quiz_attempts.c.id)
    .limit(100 * 100),
    AttemptRow,
)
SEE_RESULTS = Statement(
    update(quiz_attempts)
    .where(quiz_attempts.c.id == _ID, quiz_attempts.c.results_seen_at.is_(None))
    .values(results_seen_at=func.now(), updated_at=func.now())
    .returning(quiz_attempts.c.id),
    UUID,
)
_other = quiz_attempts.alias("other")
_of_learner = and_(
    _other.c.quiz_id == quiz_attempts.c.quiz_id,
    _other.c.user_id == quiz_attempts.c.user_id,
    ~_other.c.is_preview,
)
STANDINGS = Statement(
    select(
        quiz_attempts.c.id.label("attempt_id"),
        func.now().label("now"),
        func.coalesce(quiz_overrides.c.close_at, quizzes.c.close_at).label("close_at"),
        (quizzes.c.attempts_allowed + func.coalesce(quiz_overrides.c.extra_attempts, 0)).label("attempts_allowed"),
        select(func.count()).where(_of_learner).scalar_subquery().label("used"),
        select(_other.c.id)
        .where(_of_learner, _is(_other.c.state, "in_progress", "overdue"))
        .exists()
        .label("has_open_attempt"),
    )
    .join(quizzes, quizzes.c.id == quiz_attempts.c.quiz_id)
    .outerjoin(
        quiz_overrides,
        and_(quiz_overrides.c.quiz_id == quiz_attempts.c.quiz_id, quiz_overrides.c.user_id == quiz_attempts.c.user_id),
    )
    .where(quiz_attempts.c.id == any_(_IDS)),
    Standing,
)

ORDER = Order("attempts:newest", (quiz_attempts.c.started_at, quiz_attempts.c.id), descending=True)
QUEUE = Order("attempts:to-grade", (quiz_attempts.c.finished_at, quiz_attempts.c.id))
FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": quiz_attempts.c.user_id == _USER,
    "quiz_id": quiz_attempts.c.quiz_id == _QUIZ,
    "course_id": quiz_attempts.c.course_id == bindparam("course_id", type_=Uuid),
    "state": quiz_attempts.c.state == bindparam("state", type_=Text),
    "to_grade": and_(quiz_attempts.c.state == literal_column("'grading'"), ~quiz_attempts.c.is_preview),
    "teacher_id": select(course_instructors.c.course_id)
    .where(
        course_instructors.c.course_id == quiz_attempts.c.course_id,
        course_instructors.c.user_id == bindparam("teacher_id", type_=Uuid),
    )
    .exists(),
}
FLAGS = frozenset({"to_grade"})


@lru_cache(maxsize=64)
def attempt_page(used: frozenset[str], after: bool, backward: bool) -> Statement[AttemptRow]:
    """A page of attempts with these filters: the newest first, those to grade the oldest first."""
    query = select(*ATTEMPT).where(*(FILTERS[name] for name in sorted(used)))
    order = QUEUE if "to_grade" in used else ORDER
    return Statement(keyset(query, order, after=after, backward=backward), AttemptRow)


@lru_cache(maxsize=32)
def attempt_count(used: frozenset[str]) -> Statement[int]:
    """How many attempts there are with these filters."""
    query = select(func.count()).select_from(quiz_attempts).where(*(FILTERS[name] for name in sorted(used)))
    return Statement(query, int)


_earlier = quiz_attempts.alias("earlier")
_IS_FIRST = ~(
    select(_earlier.c.id)
    .where(
        _earlier.c.quiz_id == quiz_attempts.c.quiz_id,
        _earlier.c.user_id == quiz_attempts.c.user_id,
        _earlier.c.attempt_no < quiz_attempts.c.attempt_no,
        ~_earlier.c.is_preview,
        _is(_earlier.c.state, "grading", "graded"),
    )
    .exists()
)


@lru_cache(maxsize=2)
def marks(first_only: bool) -> Statement[MarkRow]:
    """What every answer of graded attempts was worth: of each learner's first one, or of all; the latest 2,000."""
    chosen = (
        select(quiz_attempts.c.id)
        .where(
            quiz_attempts.c.quiz_id == _QUIZ,
            quiz_attempts.c.state == literal_column("'graded'"),
            ~quiz_attempts.c.is_preview,
        )
        .order_by(quiz_attempts.c.started_at.desc(), quiz_attempts.c.id.desc())
        .limit(2000)
    )
    ids = (chosen.where(_IS_FIRST) if first_only else chosen).subquery("chosen")
    ruled = func.coalesce(attempt_answers.c.auto_points, 0)
    given = ruled + func.coalesce(attempt_answers.c.manual_delta, 0)
    worth = func.greatest(given, func.least(ruled, 0))
    query = (
        select(
            attempt_answers.c.attempt_id,
            attempt_answers.c.question_id,
            questions.c.title,
            attempt_answers.c.points,
            func.least(worth, attempt_answers.c.points).label("mark"),
        )
        .join(ids, ids.c.id == attempt_answers.c.attempt_id)
        .join(questions, questions.c.id == attempt_answers.c.question_id)
        .where(questions.c.kind != "text")
        .order_by(attempt_answers.c.attempt_id, attempt_answers.c.slot)
        .limit(2000 * 200)
    )
    return Statement(query, MarkRow)
