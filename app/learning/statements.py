"""SQL of progress and opinions, and what is common to it and that of enrolments."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DateTime,
    Double,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from app.catalog.tables import courses, lesson_blocks, lessons, modules
from app.db.statements import Statement
from app.learning.revisions import COUNTED, FROZEN, IN_REVISION, in_revision
from app.learning.rows import (
    CourseFacts,
    CourseProgressRow,
    EnrollmentRow,
    FinishedRow,
    HistoryRow,
    KnownEvent,
    LearnerLessonRow,
    LessonFacts,
    LessonProgressRow,
    RatingRow,
    ResumeRow,
    ReviewRow,
    StoredEvent,
    VideoFacts,
)
from app.learning.tables import MAY_LEARN, course_reviews, enrollments, lesson_progress, progress_events

TIME = DateTime(timezone=True)
_ID = bindparam("id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_USER = bindparam("user_id", type_=Uuid)
_COURSE = bindparam("course_id", type_=Uuid)

OPEN = and_(courses.c.published_at.is_not(None), courses.c.deleted_at.is_(None))
_ENROLLMENT = (
    *(enrollments.c[name] for name in EnrollmentRow.__dataclass_fields__ if name in enrollments.c),
    func.coalesce(enrollments.c.expires_at <= func.now(), false()).label("is_expired"),
    MAY_LEARN.label("may_learn"),
    OPEN.label("is_open"),
)
_ALIVE = and_(lessons.c.deleted_at.is_(None), modules.c.deleted_at.is_(None))


def enrollment_select() -> Select[tuple[object, ...]]:
    return select(*_ENROLLMENT).join(courses, courses.c.id == enrollments.c.course_id)


NOW = Statement(select(func.now()), datetime)  # the transaction's start, by the database's clock
TITLES = Statement(select(courses.c.id, courses.c.title).where(courses.c.id == any_(_IDS)), CourseFacts)
# P7: a required lesson there is, and none that is not done. P9: of two that complete the same enrolment at once, one
# finds completed_at null. Lock the enrolments first, so that this sees what those who had them before have done.
_REQUIRED = (
    select(lessons.c.id)
    .join(modules, modules.c.id == lessons.c.module_id)
    .join(courses, courses.c.id == lessons.c.course_id)
    .outerjoin(FROZEN, IN_REVISION)
    .where(lessons.c.course_id == enrollments.c.course_id, COUNTED > 0, _ALIVE)
    .correlate(enrollments)
)
_IS_DONE = (
    select(lesson_progress.c.lesson_id)
    .where(
        lesson_progress.c.enrollment_id == enrollments.c.id,
        lesson_progress.c.lesson_id == lessons.c.id,
        lesson_progress.c.completed_at.is_not(None),
    )
    .correlate(enrollments, lessons)
    .exists()
)
FINISH = Statement(
    update(enrollments)
    .where(
        enrollments.c.id == any_(_IDS),
        enrollments.c.completed_at.is_(None),
        # Not for an index: PostgreSQL would look for all that are active, to be spared from asking for lessons.
        func.coalesce(enrollments.c.status, "") == "active",
        _REQUIRED.exists(),
        ~_REQUIRED.where(~_IS_DONE).exists(),
    )
    .values(status="completed", completed_at=func.now(), updated_at=func.now())
    .returning(enrollments.c.id, enrollments.c.course_id, enrollments.c.user_id),
    FinishedRow,
)
ACTIVE_FOR_UPDATE = Statement(
    select(enrollments.c.id)
    .where(
        enrollments.c.course_id == _COURSE,
        enrollments.c.status == "active",
        enrollments.c.id > bindparam("after", type_=Uuid),
    )
    .order_by(enrollments.c.id)
    .limit(1000)
    .with_for_update(),
    UUID,
)
ACTIVITY = Statement(
    update(enrollments)
    .where(
        enrollments.c.id == _ID,
        or_(enrollments.c.last_activity_at.is_(None), enrollments.c.last_activity_at <= bindparam("at", type_=TIME)),
    )
    .values(last_lesson_id=bindparam("lesson_id", type_=Uuid), last_activity_at=bindparam("at", type_=TIME)),
    int,
)

LESSON_FACTS = Statement(
    select(
        lessons.c.id,
        lessons.c.course_id,
        *(in_revision(name) for name in ("completion", "video_threshold", "min_score", "min_seconds")),
        lessons.c.gated,
        OPEN.label("is_public"),
    )
    .join(modules, modules.c.id == lessons.c.module_id)
    .join(courses, courses.c.id == lessons.c.course_id)
    .outerjoin(enrollments, and_(enrollments.c.course_id == courses.c.id, enrollments.c.user_id == _USER))
    .outerjoin(FROZEN, IN_REVISION)
    .where(lessons.c.id == any_(_IDS), _ALIVE),
    LessonFacts,
)
# Locked in the order of their ids, so that two devices of one learner never wait for each other in a circle.
LIVE_FOR_UPDATE = Statement(
    enrollment_select()
    .where(
        enrollments.c.user_id == _USER,
        enrollments.c.course_id == any_(_IDS),
        MAY_LEARN,
    )
    .order_by(enrollments.c.id)
    .with_for_update(of=enrollments),
    EnrollmentRow,
)
_SECONDS = cast(lesson_blocks.c.content["duration_seconds"].astext, Integer)
VIDEOS = Statement(
    select(lesson_blocks.c.lesson_id, lesson_blocks.c.id.label("block_id"), _SECONDS.label("duration_seconds"))
    .where(lesson_blocks.c.lesson_id == any_(_IDS), lesson_blocks.c.kind == "video", _SECONDS > 0)
    .order_by(lesson_blocks.c.lesson_id, lesson_blocks.c.id),
    VideoFacts,
)
KNOWN_EVENTS = Statement(
    select(progress_events.c.client_event_id, progress_events.c.lesson_id).where(
        progress_events.c.user_id == _USER, progress_events.c.client_event_id == any_(_IDS)
    ),
    KnownEvent,
)
HISTORY = Statement(
    select(
        progress_events.c.lesson_id,
        (func.count() + func.sum(func.jsonb_array_length(progress_events.c.payload["ranges"]))).label("size"),
    )
    .where(
        progress_events.c.enrollment_id == any_(bindparam("enrollment_ids", type_=ARRAY(Uuid))),
        progress_events.c.lesson_id == any_(_IDS),
    )
    .group_by(progress_events.c.lesson_id),
    HistoryRow,
)
_add_event = upsert(progress_events).values(
    {
        column.name: bindparam(column.name, type_=column.type)
        for column in progress_events.c
        if column.name != "created_at"
    }
)
ADD_EVENT = Statement(_add_event.on_conflict_do_nothing(), int)
# For who has looked for the identifiers before, and must hear when one was used in this moment in another course.
ADD_NEW_EVENT = Statement(_add_event, int)
STORED_EVENTS = Statement(
    select(*(progress_events.c[name] for name in StoredEvent.__dataclass_fields__)).where(
        progress_events.c.enrollment_id == any_(bindparam("enrollment_ids", type_=ARRAY(Uuid))),
        progress_events.c.lesson_id == any_(_IDS),
    ),
    StoredEvent,
)
_PROGRESS = tuple(lesson_progress.c[name] for name in LessonProgressRow.__dataclass_fields__)
PROGRESS = Statement(
    select(*_PROGRESS).where(
        lesson_progress.c.enrollment_id == any_(bindparam("enrollment_ids", type_=ARRAY(Uuid))),
        lesson_progress.c.lesson_id == any_(_IDS),
    ),
    LessonProgressRow,
)
_STATE = {
    name: bindparam(name, type_=lesson_progress.c[name].type, required=True)
    for name in (
        "percent",
        "position_seconds",
        "position_at",
        "position_event_id",
        "watched",
        "started_at",
        "completed_at",
        "history",
        "basis",
        "score",
        "seen_at",
        "excused_at",
        "counts_from",
    )
}
PUT_PROGRESS = Statement(
    upsert(lesson_progress)
    .values(
        enrollment_id=bindparam("enrollment_id", type_=Uuid),
        lesson_id=bindparam("lesson_id", type_=Uuid),
        course_id=_COURSE,
        user_id=_USER,
        **_STATE,
    )
    .on_conflict_do_update(index_elements=["enrollment_id", "lesson_id"], set_={**_STATE, "updated_at": func.now()}),
    int,
)
# A lesson's course, its module's and its progress's are the same. Asked of the modules, which lead to their lessons by
# an index (from the lessons, PostgreSQL would rather read every module there is), and of the progress as well.
_MINE = and_(
    lesson_progress.c.lesson_id == lessons.c.id,
    lesson_progress.c.user_id == _USER,
    lesson_progress.c.course_id == any_(_IDS),
)
_DONE = and_(COUNTED > 0, lesson_progress.c.completed_at.is_not(None))
COURSE_PROGRESS = Statement(
    select(
        modules.c.course_id,
        func.coalesce(func.sum(COUNTED), 0).label("total_weight"),
        func.coalesce(func.sum(COUNTED).filter(_DONE), 0).label("done_weight"),
        func.count().filter(COUNTED > 0).label("total_lessons"),
        func.count().filter(_DONE).label("completed_lessons"),
    )
    .select_from(modules)
    .join(courses, courses.c.id == modules.c.course_id)
    .join(lessons, lessons.c.module_id == modules.c.id)
    .outerjoin(enrollments, and_(enrollments.c.course_id == modules.c.course_id, enrollments.c.user_id == _USER))
    .outerjoin(FROZEN, IN_REVISION)
    .outerjoin(lesson_progress, _MINE)
    .where(modules.c.course_id == any_(_IDS), _ALIVE)
    .group_by(modules.c.course_id),
    CourseProgressRow,
)
MY_ENROLLMENTS_BY_COURSE = Statement(
    enrollment_select().where(enrollments.c.course_id == any_(_IDS), enrollments.c.user_id == _USER), EnrollmentRow
)
# Enrolment and progress together: what a lesson's state depends on, in one statement for a page of lessons.
MY_PROGRESS_BY_LESSON = Statement(
    select(
        lessons.c.id.label("lesson_id"),
        case((MAY_LEARN, enrollments.c.status)).label("status"),
        lesson_progress.c.percent,
        lesson_progress.c.position_seconds,
        lesson_progress.c.started_at,
        lesson_progress.c.completed_at,
    )
    .join(enrollments, and_(enrollments.c.course_id == lessons.c.course_id, enrollments.c.user_id == _USER))
    .outerjoin(
        lesson_progress,
        and_(lesson_progress.c.enrollment_id == enrollments.c.id, lesson_progress.c.lesson_id == lessons.c.id),
    )
    .where(lessons.c.id == any_(_IDS)),
    LearnerLessonRow,
)
RATINGS = Statement(
    select(
        course_reviews.c.course_id,
        cast(func.avg(course_reviews.c.rating), Double).label("average"),
        func.count().label("count"),
    )
    .where(course_reviews.c.course_id == any_(_IDS))
    .group_by(course_reviews.c.course_id),
    RatingRow,
)
_REVIEW = tuple(course_reviews.c[name] for name in ReviewRow.__dataclass_fields__)
MY_REVIEWS = Statement(
    select(*_REVIEW).where(course_reviews.c.course_id == any_(_IDS), course_reviews.c.user_id == _USER), ReviewRow
)
# Only who is or was enrolled may say something; saying it again replaces it.
_OPINION = {"rating": bindparam("rating", type_=Integer), "comment": bindparam("comment", type_=Text)}
PUT_REVIEW = Statement(
    upsert(course_reviews)
    .values(course_id=_COURSE, user_id=_USER, **_OPINION)
    .on_conflict_do_update(index_elements=["course_id", "user_id"], set_={**_OPINION, "updated_at": func.now()})
    .returning(*_REVIEW),
    ReviewRow,
)
DELETE_REVIEW = Statement(
    delete(course_reviews)
    .where(course_reviews.c.course_id == _COURSE, course_reviews.c.user_id == _USER)
    .returning(course_reviews.c.course_id),
    UUID,
)
ENROLLED_ONCE = Statement(
    select(enrollments.c.id)
    .join(courses, courses.c.id == enrollments.c.course_id)
    .where(enrollments.c.course_id == _COURSE, enrollments.c.user_id == _USER, courses.c.deleted_at.is_(None)),
    UUID,
)
# The first lesson, in course order, that is not done; the last touched one is preferred by the service.
FIRST_OPEN_LESSON = Statement(
    select(modules.c.course_id, lessons.c.id.label("lesson_id"))
    .ext(distinct_on(modules.c.course_id))
    .select_from(modules)
    .join(lessons, lessons.c.module_id == modules.c.id)
    .outerjoin(lesson_progress, _MINE)
    .where(modules.c.course_id == any_(_IDS), _ALIVE, lesson_progress.c.completed_at.is_(None))
    .order_by(modules.c.course_id, modules.c.position, modules.c.id, lessons.c.position, lessons.c.id),
    ResumeRow,
)
LAST_TOUCHED_OPEN = Statement(
    select(enrollments.c.course_id, enrollments.c.last_lesson_id.label("lesson_id"))
    .join(lessons, lessons.c.id == enrollments.c.last_lesson_id)
    .join(modules, modules.c.id == lessons.c.module_id)
    .outerjoin(
        lesson_progress,
        and_(lesson_progress.c.lesson_id == lessons.c.id, lesson_progress.c.enrollment_id == enrollments.c.id),
    )
    .where(
        enrollments.c.user_id == _USER,
        enrollments.c.course_id == any_(_IDS),
        _ALIVE,
        lesson_progress.c.completed_at.is_(None),
    ),
    ResumeRow,
)
