"""Saving where a learner is: the most frequent write there is, as one statement.

It does for events that can complete nothing what the service does for all others (P2, P3, P12): remember each by its
identifier, keep the position of the latest, the greatest percentage and the earliest start. What is written is only
ever merged with what is there, so the order in which two such statements run does not matter, and the enrolment is
locked before anything else, as by everybody who writes a learner's progress.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    DateTime,
    Float,
    Numeric,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from app.catalog.tables import lessons, modules
from app.db.statements import Statement
from app.learning import rules
from app.learning.reported import ReportedEvent
from app.learning.rows import SavedPlace
from app.learning.tables import MAY_LEARN, enrollments, lesson_progress, progress_events

_TIME = DateTime(timezone=True)
_USER = bindparam("user_id", type_=Uuid)
_NOBODY = UUID(int=0)

_given = (
    func.jsonb_to_recordset(bindparam("events", type_=JSONB))
    .table_valued(
        column("event_id", Uuid),
        column("lesson_id", Uuid),
        column("occurred_at", _TIME),
        column("percent", Numeric),
        column("position", Float),
        name="given",
    )
    .render_derived(with_types=True)
)
# Each event looks its few rows up by key: a join would be planned for the hundred events that PostgreSQL guesses.
_lesson = (
    select(lessons.c.course_id, lessons.c.completion)
    .join(modules, modules.c.id == lessons.c.module_id)
    .where(lessons.c.id == _given.c.lesson_id, lessons.c.deleted_at.is_(None), modules.c.deleted_at.is_(None))
    .limit(1)
    .lateral("lesson")
)
_before = (
    select(lesson_progress.c.completed_at, lesson_progress.c.history)
    .where(lesson_progress.c.enrollment_id == enrollments.c.id, lesson_progress.c.lesson_id == _given.c.lesson_id)
    .limit(1)
    .lateral("before")
)
# Where an event may be saved this way: nothing it says can complete the lesson, and there is room for it.
_place = (
    select(
        _given.c.event_id,
        _given.c.lesson_id,
        _given.c.percent,
        _given.c.position,
        func.greatest(
            enrollments.c.enrolled_at, func.least(_given.c.occurred_at, bindparam("latest", type_=_TIME)), type_=_TIME
        ).label("at"),
        enrollments.c.id.label("enrollment_id"),
        enrollments.c.course_id,
    )
    .select_from(_given)
    .join(_lesson, true())
    .join(enrollments, and_(enrollments.c.course_id == _lesson.c.course_id, enrollments.c.user_id == _USER))
    .outerjoin(_before, true())
    .where(
        MAY_LEARN,
        or_(_lesson.c.completion == "mark_done", _before.c.completed_at.is_not(None)),
        func.coalesce(_before.c.history, 0) < rules.MAX_HISTORY,
    )
    .order_by(enrollments.c.id)
    .with_for_update(of=enrollments)
    .cte("place")
)
_added = (
    upsert(progress_events)
    .from_select(
        ["user_id", "client_event_id", "enrollment_id", "lesson_id", "kind", "payload", "occurred_at"],
        select(
            _USER,
            _place.c.event_id,
            _place.c.enrollment_id,
            _place.c.lesson_id,
            literal(rules.EventKind.POSITION.value, Text),
            func.jsonb_build_object(
                literal("percent", Text), cast(_place.c.percent, Text),
                literal("position", Text), _place.c.position,
                literal("block_id", Text), null(),
                literal("ranges", Text), literal_column("'[]'::jsonb", JSONB),
                literal("span", Text), null(),
            ),
            _place.c.at,
        ),
    )
    .on_conflict_do_nothing()
    .returning(progress_events.c.client_event_id)
    .cte("added")
)  # fmt: skip
_new = select(_place).join(_added, _added.c.client_event_id == _place.c.event_id).cte("fresh")
_insert = upsert(lesson_progress).from_select(
    [
        "enrollment_id", "lesson_id", "course_id", "user_id", "percent", "position_seconds", "position_at",
        "position_event_id", "started_at", "history",
    ],
    select(
        _new.c.enrollment_id,
        _new.c.lesson_id,
        _new.c.course_id,
        _USER,
        func.least(func.coalesce(_new.c.percent, 0), 99),
        func.coalesce(_new.c.position, 0),
        case((_new.c.position.is_not(None), _new.c.at)),
        case((_new.c.position.is_not(None), _new.c.event_id)),
        _new.c.at,
        literal(1),
    ),
)  # fmt: skip
_sent = _insert.excluded
_event_before = func.coalesce(lesson_progress.c.position_event_id, literal(_NOBODY, Uuid))
_is_later = and_(
    _sent.position_at.is_not(None),
    or_(
        lesson_progress.c.position_at.is_(None),
        tuple_(_sent.position_at, _sent.position_event_id)
        > tuple_(
            lesson_progress.c.position_at, func.coalesce(lesson_progress.c.position_event_id, literal(_NOBODY, Uuid))
        ),
    ),
)
_merged = (
    _insert.on_conflict_do_update(
        index_elements=["enrollment_id", "lesson_id"],
        set_={
            "percent": func.greatest(lesson_progress.c.percent, _sent.percent),
            **{
                name: case((_is_later, _sent[name]), else_=lesson_progress.c[name])
                for name in ("position_seconds", "position_at", "position_event_id")
            },
            "started_at": func.least(lesson_progress.c.started_at, _sent.started_at),
            "history": lesson_progress.c.history + 1,
            "updated_at": func.now(),
        },
    )
    .returning(lesson_progress.c.lesson_id)
    .cte("merged")
)
_last = (
    select(_new.c.enrollment_id, _new.c.lesson_id, _new.c.at)
    .ext(distinct_on(_new.c.enrollment_id))
    .order_by(_new.c.enrollment_id, _new.c.at.desc(), _new.c.event_id.desc())
    .cte("last")
)
_touched = (
    update(enrollments)
    .where(
        enrollments.c.id == _last.c.enrollment_id,
        or_(enrollments.c.last_activity_at.is_(None), enrollments.c.last_activity_at <= _last.c.at),
    )
    .values(last_lesson_id=_last.c.lesson_id, last_activity_at=_last.c.at)
    .returning(enrollments.c.id)
    .cte("touched")
)
_known = progress_events.alias("known")
SAVE = Statement(
    select(
        _given.c.event_id.label("client_event_id"),
        _added.c.client_event_id.is_not(None).label("was_added"),
        select(_known.c.lesson_id)
        .where(_known.c.user_id == _USER, _known.c.client_event_id == _given.c.event_id)
        .scalar_subquery()
        .label("known_lesson_id"),
        _place.c.course_id,
    )
    .select_from(_given)
    .outerjoin(_place, _place.c.event_id == _given.c.event_id)
    .outerjoin(_added, _added.c.client_event_id == _given.c.event_id)
    .add_cte(_merged, _touched),
    SavedPlace,
)


def are_places(reported: Sequence[ReportedEvent]) -> bool:
    """Whether these events say nothing but where the learner is, each in a lesson of its own."""
    return (
        all(
            event.kind == rules.EventKind.POSITION
            and not event.ranges
            and event.block_id is None
            and event.span_started_at is None
            and rules.is_sane(event.percent, event.position, ())
            for event in reported
        )
        and len({event.client_event_id for event in reported}) == len(reported)
        and len({event.lesson_id for event in reported}) == len(reported)
    )


def params(user_id: UUID, reported: Sequence[ReportedEvent], latest: datetime) -> dict[str, Any]:
    """The parameters of ``SAVE``; nothing counts as later than ``latest``."""
    events = [
        {
            "event_id": event.client_event_id,
            "lesson_id": event.lesson_id,
            "occurred_at": event.occurred_at,
            "percent": None if event.percent is None else str(event.percent),
            "position": event.position,
        }
        for event in reported
    ]
    return {"user_id": user_id, "latest": latest, "events": orjson.dumps(events).decode()}
