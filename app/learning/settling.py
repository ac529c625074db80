"""Writing what a learner's events in a lesson come to: always from all of them, so that their order cannot matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.transaction import Tx
from app.learning import rules
from app.learning import statements as sql
from app.learning.rows import LessonFacts, LessonProgressRow, StoredEvent


@dataclass(frozen=True, slots=True)
class Place:
    """A lesson in somebody's enrolment."""

    enrollment_id: UUID
    lesson_id: UUID
    course_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a learner in a lesson; only what happened after ``counts_from`` counts."""

    progress: rules.Progress
    counts_from: datetime | None = None


Change = Callable[[Standing], Standing]


async def lessons_of(tx: Tx, facts: Sequence[LessonFacts]) -> dict[UUID, rules.Lesson]:
    """The lessons as the rules see them."""
    videos: dict[UUID, dict[str, int]] = defaultdict(dict)
    for video in await tx.all(sql.VIDEOS, ids=[row.id for row in facts]):
        videos[video.lesson_id][str(video.block_id)] = video.duration_seconds
    return {
        row.id: rules.Lesson(
            row.completion, row.video_threshold, videos.get(row.id, {}), row.min_score, row.min_seconds
        )
        for row in facts
    }


async def settle(
    tx: Tx,
    places: Sequence[Place],
    lessons: Mapping[UUID, rules.Lesson],
    change: Change | None = None,
) -> None:
    """Write the state of these lessons anew; ``change`` is done to what is known before the events are looked at.

    The caller has locked the enrolments. A constant number of statements, whatever the number of places.
    """
    ids = {
        "enrollment_ids": list({place.enrollment_id for place in places}),
        "ids": list({place.lesson_id for place in places}),
    }
    events: dict[tuple[UUID, UUID], list[StoredEvent]] = defaultdict(list)
    for stored in await tx.all(sql.STORED_EVENTS, **ids):
        events[stored.enrollment_id, stored.lesson_id].append(stored)
    before = {(row.enrollment_id, row.lesson_id): standing_of(row) for row in await tx.all(sql.PROGRESS, **ids)}
    rows = []
    for place in dict.fromkeys(places):
        key = (place.enrollment_id, place.lesson_id)
        known = before.get(key, Standing(rules.Progress()))
        known = known if change is None else change(known)
        counted = [event_of(row) for row in events[key] if counts(row, known.counts_from)]
        state = rules.progress_of(counted, lessons[place.lesson_id], known.progress)
        rows.append(
            {
                "enrollment_id": place.enrollment_id, "lesson_id": place.lesson_id, "user_id": place.user_id,
                "course_id": place.course_id, "percent": state.percent, "position_seconds": state.position,
                "position_at": state.position_at, "position_event_id": state.position_event,
                "history": sum(1 + len(row.payload["ranges"]) for row in events[key]),
                "watched": Jsonb(dict(state.watched)), "started_at": state.started_at,
                "completed_at": state.completed_at, "basis": state.basis, "score": state.score,
                "seen_at": state.seen_at, "excused_at": state.excused_at, "counts_from": known.counts_from,
            }
        )  # fmt: skip
    await tx.execute_many(sql.PUT_PROGRESS, rows)


def counts(event: StoredEvent, since: datetime | None) -> bool:
    """Whether an event happened, and was heard of, after the lesson was last begun anew."""
    return since is None or min(event.occurred_at, event.created_at) > since


def event_of(row: StoredEvent) -> rules.Event:
    """A stored event as the rules see it."""
    payload = row.payload
    return rules.Event(
        client_event_id=row.client_event_id,
        kind=rules.EventKind(row.kind),
        occurred_at=row.occurred_at,
        percent=None if payload["percent"] is None else Decimal(payload["percent"]),
        position=payload["position"],
        block_id=payload["block_id"],
        ranges=tuple((start, end) for start, end in payload["ranges"]),
        span=None if payload["span"] is None else (payload["span"][0], payload["span"][1]),
        has_attempt=payload.get("has_attempt", False),
    )


def standing_of(row: LessonProgressRow) -> Standing:
    """A stored state as the rules see it."""
    basis = rules.Basis(row.basis) if row.basis else rules.Basis.WORK if row.completed_at else None
    progress = rules.Progress(
        percent=row.percent,
        position=float(row.position_seconds),
        position_at=row.position_at,
        position_event=row.position_event_id,
        watched={block: [(start, end) for start, end in ranges] for block, ranges in row.watched.items()},
        started_at=row.started_at,
        completed_at=row.completed_at,
        basis=basis,
        score=row.score,
        seen_at=row.seen_at,
        excused_at=row.excused_at,
    )
    return Standing(progress, row.counts_from)
