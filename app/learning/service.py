"""Learners' use cases: progress that may come late, twice and out of order, completion exactly once; opinions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.changes import Changes
from app.db.database import Operation
from app.db.errors import unique
from app.db.ids import new_id
from app.db.transaction import Tx
from app.errors import Conflict, Invalid, NotFound
from app.i18n import message
from app.identity.validators import Checks, text
from app.learning import places, rules
from app.learning import statements as sql
from app.learning.completing import complete_finished
from app.learning.locking import locks_of
from app.learning.reported import ReportedEvent
from app.learning.rows import (
    CourseProgressRow,
    EnrollmentRow,
    LearnerLessonRow,
    LessonFacts,
    RatingRow,
    ResumeRow,
    ReviewRow,
)
from app.learning.settling import Place, lessons_of, settle
from app.viewer import Action, Viewer

BATCH = 500
ROUNDS = 20  # how often what was refused as locked is looked at again in one batch


@dataclass(frozen=True, slots=True)
class Outcome:
    """P3: what became of one event: ACCEPTED, DUPLICATE, or REJECTED with a code and a sentence."""

    client_event_id: UUID
    status: str
    code: str | None = None
    message: str | None = None


NEEDED = {"submit": "SUBMISSION_REQUIRED", "min_score": "SCORE_REQUIRED", "min_time": "TIME_REQUIRED"}
REASONS = {
    "LESSON_NOT_FOUND": message("this lesson does not exist or is not available"),
    "NOT_ENROLLED": message("enrol in the course first"),
    "COVERAGE_REQUIRED": message("this lesson is completed by watching its videos"),
    "SUBMISSION_REQUIRED": message("this lesson is completed by handing something in"),
    "SCORE_REQUIRED": message("this lesson is completed by reaching its score"),
    "TIME_REQUIRED": message("this lesson is completed by spending enough time on it"),
    "LESSON_LOCKED": message("this lesson is not open yet; its lockReasons say why"),
    "IMPLAUSIBLE": message("these parts of the video cannot have been watched in that time"),
    "EVENT_ID_REUSED": message("this event's identifier was used for another lesson; make a new one for each event"),
    "HISTORY_FULL": message("too much was reported of this lesson; only its completion is still taken"),
    "EVENT_INVALID": message("this event cannot be read; check its values"),
}


class LearningService:
    """One operation's use cases in one tenant."""

    def __init__(
        self,
        db: Operation,
        viewer: Viewer,
        changes: Changes,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.db = db
        self.viewer = viewer
        self._changes = changes
        self._clock = clock

    def _rating(self) -> AbstractAsyncContextManager[Tx]:
        """A write transaction that changes a course's rating, which the catalogue shows."""
        return self._changes.write(self.db.tenant.id, self.db.write())

    # --- reading progress, always the viewer's own (P11)

    async def my_enrollment_by_course(self, ids: list[UUID]) -> list[EnrollmentRow]:
        """The viewer's enrolments in these courses, those that were left too."""
        if self.viewer.user_id is None:
            return []
        async with self.db.read() as tx:
            return await tx.all(sql.MY_ENROLLMENTS_BY_COURSE, ids=ids, user_id=self.viewer.user_id)

    async def my_progress_by_lesson(self, ids: list[UUID]) -> list[LearnerLessonRow]:
        """How the viewer stands in these lessons, as far as they were ever enrolled."""
        if self.viewer.user_id is None:
            return []
        async with self.db.read() as tx:
            return await tx.all(sql.MY_PROGRESS_BY_LESSON, ids=ids, user_id=self.viewer.user_id)

    async def my_progress_by_course(self, ids: list[UUID]) -> list[CourseProgressRow]:
        """How far the viewer is in these courses."""
        if self.viewer.user_id is None:
            return []
        async with self.db.read() as tx:
            return await tx.all(sql.COURSE_PROGRESS, ids=ids, user_id=self.viewer.user_id)

    async def my_resume_by_course(self, ids: list[UUID]) -> list[ResumeRow]:
        """Where the viewer goes on in these courses: the last lesson touched while it is open, else the first open."""
        if self.viewer.user_id is None:
            return []
        async with self.db.read() as tx:
            first = await tx.all(sql.FIRST_OPEN_LESSON, ids=ids, user_id=self.viewer.user_id)
            last = await tx.all(sql.LAST_TOUCHED_OPEN, ids=ids, user_id=self.viewer.user_id)
        return list({row.course_id: row for row in (*first, *last)}.values())

    # --- opinions

    async def rating_by_course(self, ids: list[UUID]) -> list[RatingRow]:
        """What learners think of these courses."""
        async with self.db.read() as tx:
            return await tx.all(sql.RATINGS, ids=ids)

    async def my_review_by_course(self, ids: list[UUID]) -> list[ReviewRow]:
        """What the viewer thinks of these courses."""
        if self.viewer.user_id is None:
            return []
        async with self.db.read() as tx:
            return await tx.all(sql.MY_REVIEWS, ids=ids, user_id=self.viewer.user_id)

    async def review_course(self, course_id: UUID, *, rating: int, comment: str = "") -> ReviewRow:
        """Rate a course one is or was enrolled in; doing it again replaces the former opinion.

        Raises: Unauthenticated, Forbidden, Invalid (rating outside 1..5, long comment), NotFound (no such enrolment).
        """
        user_id = self.viewer.require(Action.LEARN)
        check = Checks()
        if not 1 <= rating <= 5:
            check.note("input.rating", "RATING_INVALID", "must be between 1 and {maximum}", maximum=5)
        comment = check("input.comment", text, comment, maximum=2000)
        check.done()
        async with self._rating() as tx:
            await tx.one(sql.ENROLLED_ONCE, "enrollment", course_id=course_id, user_id=user_id)
            return await tx.one(sql.PUT_REVIEW, course_id=course_id, user_id=user_id, rating=rating, comment=comment)

    async def delete_review(self, course_id: UUID) -> UUID:
        """Take one's opinion back. Raises: NotFound (there is none)."""
        user_id = self.viewer.require(Action.LEARN)
        async with self._rating() as tx:
            return await tx.one(sql.DELETE_REVIEW, "review", course_id=course_id, user_id=user_id)

    # --- progress

    async def complete_lesson(self, lesson_id: UUID, *, client_event_id: UUID | None = None) -> UUID:
        """Mark a lesson as done; doing it again changes nothing. Returns its course.

        Raises: Unauthenticated, Forbidden, NotFound (lesson, also on a repetition after it or the enrolment is gone),
        Conflict (NOT_ENROLLED, LESSON_LOCKED, COVERAGE_REQUIRED and the like, EVENT_ID_REUSED).
        """
        event = ReportedEvent(
            client_event_id or new_id(), lesson_id, rules.EventKind.COMPLETED, self._clock(), Decimal(100)
        )
        [outcome], course_ids = await self.sync_progress([event])
        if outcome.status == "REJECTED":
            if outcome.code == "LESSON_NOT_FOUND":
                raise NotFound("lesson")
            raise Conflict(outcome.message or "", code=outcome.code)
        if not course_ids:
            raise NotFound("lesson")
        return course_ids[0]

    async def sync_progress(self, reported: Sequence[ReportedEvent]) -> tuple[list[Outcome], list[UUID]]:
        """Take a batch of events, each on its own merits; returns their outcomes in order, and the courses concerned.

        A constant number of statements, whatever the size: one for events that only save a place, and one transaction
        for all others. The learner's enrolments are locked first, so that two devices take turns and nobody is asked to
        try again (P12).

        Raises: Unauthenticated, Forbidden, Invalid (more than 500 events).
        """
        user_id = self.viewer.require(Action.LEARN)
        if len(reported) > BATCH:
            check = Checks()
            check.note("input.events", "TOO_MANY", "may have at most {maximum} entries", maximum=BATCH)
            raise Invalid(fields=check.problems)
        if not reported:
            return [], []
        saved, saved_in = await self._save_places(user_id, reported)
        rest = [event for event in reported if event.client_event_id not in saved]
        judged, judged_in = await self._judge(user_id, rest)
        others = iter(judged)
        return [saved.get(event.client_event_id) or next(others) for event in reported], sorted(saved_in | judged_in)

    async def _save_places(
        self, user_id: UUID, reported: Sequence[ReportedEvent]
    ) -> tuple[dict[UUID, Outcome], set[UUID]]:
        """Save where the learner is, in one statement and one message, when that is all there is to do.

        Returns the outcomes of those events for which it was, and their courses. An event that may complete a lesson,
        or whose identifier is another transaction's at this moment, is left for ``_judge``.
        """
        if not places.are_places(reported):
            return {}, set()
        params = places.params(user_id, reported, self._clock() + rules.FUTURE)
        rows = {row.client_event_id: row for row in await self.db.once(places.SAVE, **params)}
        outcomes: dict[UUID, Outcome] = {}
        for event in reported:
            row = rows[event.client_event_id]
            if row.was_added:
                outcomes[event.client_event_id] = Outcome(event.client_event_id, "ACCEPTED")
            elif row.course_id is not None and row.known_lesson_id == event.lesson_id:
                outcomes[event.client_event_id] = Outcome(event.client_event_id, "DUPLICATE")
        return outcomes, {row.course_id for key, row in rows.items() if key in outcomes and row.course_id is not None}

    async def _judge(self, user_id: UUID, reported: Sequence[ReportedEvent]) -> tuple[list[Outcome], set[UUID]]:
        """All or nothing, and once more when an identifier was used for another course's lesson in this moment."""
        try:
            return await self._judge_now(user_id, reported)
        except _IdTaken:
            return await self._judge_now(user_id, reported)

    async def _judge_now(self, user_id: UUID, reported: Sequence[ReportedEvent]) -> tuple[list[Outcome], set[UUID]]:
        if not reported:
            return [], set()
        async with self.db.write() as tx:
            batch = await self._gather(tx, user_id, reported)
            await self._look_at_locks(tx, batch)
            outcomes = [batch.judge(event) for event in reported]
            if batch.accepted:
                await self._apply(tx, batch, batch.accepted)
            await self._judge_again(tx, batch, reported, outcomes)
            return outcomes, {enrollment.course_id for enrollment in batch.touched()}

    async def _look_at_locks(self, tx: Tx, batch: _Batch) -> None:
        """P1: what of the batch's lessons is locked now; no statement where no lesson has a rule."""
        ruled = batch.ruled()
        if ruled:
            judged = await locks_of(tx, batch.user_id, ruled, self._clock())
            batch.locked = {
                lesson_id
                for locks in judged.values()
                for lesson_id, verdict in locks.lessons.items()
                if verdict.is_locked
            }

    async def _judge_again(
        self, tx: Tx, batch: _Batch, reported: Sequence[ReportedEvent], outcomes: list[Outcome]
    ) -> None:
        """A device that was away may tell at once of a lesson and of what it opens: each round opens something more."""
        for _ in range(ROUNDS):
            refused = [n for n, outcome in enumerate(outcomes) if outcome.code == "LESSON_LOCKED"]
            if not refused or not batch.accepted:
                return
            await self._look_at_locks(tx, batch)
            before = len(batch.accepted)
            for number in refused:
                outcomes[number] = batch.judge(reported[number])
            more = batch.accepted[before:]
            if not more:
                return
            await self._apply(tx, batch, more)

    async def _gather(self, tx: Tx, user_id: UUID, reported: Sequence[ReportedEvent]) -> _Batch:
        lesson_ids = list({event.lesson_id for event in reported})
        facts = {row.id: row for row in await tx.all(sql.LESSON_FACTS, ids=lesson_ids, user_id=user_id)}
        course_ids = list({row.course_id for row in facts.values()})
        live = await tx.all(sql.LIVE_FOR_UPDATE, user_id=user_id, ids=course_ids)
        lessons = await lessons_of(tx, list(facts.values()))
        known = await tx.all(sql.KNOWN_EVENTS, user_id=user_id, ids=[event.client_event_id for event in reported])
        sizes = await tx.all(sql.HISTORY, enrollment_ids=[row.id for row in live], ids=lesson_ids)
        return _Batch(
            user_id,
            self._clock(),
            facts,
            lessons,
            {row.course_id: row for row in live},
            {row.client_event_id: row.lesson_id for row in known},
            {row.lesson_id: row.size for row in sizes},
        )

    async def _apply(self, tx: Tx, batch: _Batch, accepted: Sequence[ReportedEvent]) -> None:
        with unique("pk_progress_events", _IdTaken("somebody else is changing this right now; try again", code="BUSY")):
            await tx.execute_many(sql.ADD_NEW_EVENT, [batch.stored(event) for event in accepted])
        await settle(tx, [batch.place(event) for event in accepted], batch.lessons)
        await tx.execute_many(sql.ACTIVITY, batch.activity())
        await complete_finished(tx, [enrollment.id for enrollment in batch.touched()])


class _IdTaken(Conflict):
    """Another transaction of the same learner was faster to use an event's identifier, in another course."""


class _Batch:
    """What is known while a batch of events is judged."""

    def __init__(
        self,
        user_id: UUID,
        now: datetime,
        facts: Mapping[UUID, LessonFacts],
        lessons: Mapping[UUID, rules.Lesson],
        live: Mapping[UUID, EnrollmentRow],
        known: dict[UUID, UUID],
        sizes: dict[UUID, int],
    ) -> None:
        self.user_id = user_id
        self.lessons = lessons
        self.accepted: list[ReportedEvent] = []
        self.locked: set[UUID] = set()
        self._now = now
        self._facts = facts
        self._live = live
        self._known = known
        self._sizes = sizes

    def judge(self, event: ReportedEvent) -> Outcome:
        """P3: decide on one event, and remember it when it counts.

        An identifier that was used for another lesson is no repetition: to call it one would lose what was done here.
        """
        known = self._known.get(event.client_event_id)
        if known == event.lesson_id:
            return Outcome(event.client_event_id, "DUPLICATE")
        code = self._refusal(event) if known is None else "EVENT_ID_REUSED"
        if code is not None:
            return Outcome(event.client_event_id, "REJECTED", code, REASONS[code])
        self._known[event.client_event_id] = event.lesson_id
        self._sizes[event.lesson_id] = self._size_with(event)
        self.accepted.append(event)
        return Outcome(event.client_event_id, "ACCEPTED")

    def _refusal(self, event: ReportedEvent) -> str | None:
        facts = self._facts.get(event.lesson_id)
        if facts is None:
            return "LESSON_NOT_FOUND"
        if facts.course_id not in self._live:
            return "NOT_ENROLLED" if facts.is_public else "LESSON_NOT_FOUND"
        if event.lesson_id in self.locked:
            return "LESSON_LOCKED"
        if not _is_sane(event):
            return "EVENT_INVALID"
        if event.kind == rules.EventKind.COMPLETED and (code := _not_by_saying(self.lessons[event.lesson_id])):
            return code
        if not rules.is_plausible(self._clamped(event)):
            return "IMPLAUSIBLE"
        more = rules.LAST_WORDS if event.kind == rules.EventKind.COMPLETED and not event.ranges else 0
        return "HISTORY_FULL" if self._size_with(event) > rules.MAX_HISTORY + more else None

    def _size_with(self, event: ReportedEvent) -> int:
        return self._sizes.get(event.lesson_id, 0) + 1 + len(event.ranges)

    def place(self, event: ReportedEvent) -> Place:
        """Where an accepted event happened."""
        enrollment = self.enrollment(event)
        return Place(enrollment.id, event.lesson_id, enrollment.course_id, self.user_id)

    def enrollment(self, event: ReportedEvent) -> EnrollmentRow:
        """The enrolment an accepted event belongs to."""
        return self._live[self._facts[event.lesson_id].course_id]

    def ruled(self) -> list[EnrollmentRow]:
        """The enrolments in whose lessons something may be locked."""
        courses = {facts.course_id for facts in self._facts.values() if facts.gated}
        return [row for course_id, row in self._live.items() if course_id in courses]

    def touched(self) -> list[EnrollmentRow]:
        """The enrolments of all events of the batch, accepted or known before."""
        courses = {facts.course_id for facts in self._facts.values()}
        return [row for course_id, row in self._live.items() if course_id in courses]

    def stored(self, event: ReportedEvent) -> dict[str, Any]:
        """The row of ``progress_events``; its times are clamped, so that what is read later is what counted."""
        clamped = self._clamped(event)
        payload = {
            "percent": None if clamped.percent is None else str(clamped.percent),
            "position": clamped.position,
            "block_id": clamped.block_id,
            "ranges": [list(pair) for pair in clamped.ranges],
            "span": None if clamped.span is None else list(clamped.span),
        }
        return {
            "user_id": self.user_id,
            "client_event_id": event.client_event_id,
            "enrollment_id": self.enrollment(event).id,
            "lesson_id": event.lesson_id,
            "kind": event.kind.value,
            "payload": Jsonb(payload),
            "occurred_at": clamped.occurred_at,
        }

    def activity(self) -> list[dict[str, Any]]:
        """For each enrolment, the lesson of its latest event."""
        latest: dict[UUID, tuple[datetime, int, UUID]] = {}
        for event in self.accepted:
            enrollment = self.enrollment(event)
            moment = rules.clamp(event.occurred_at, enrollment.enrolled_at, self._now)
            mark = (moment, event.client_event_id.int, event.lesson_id)
            latest[enrollment.id] = max(mark, latest.get(enrollment.id, mark))
        return [{"id": key, "at": mark[0], "lesson_id": mark[2]} for key, mark in latest.items()]

    def _clamped(self, event: ReportedEvent) -> rules.Event:
        enrolled_at = self.enrollment(event).enrolled_at
        at = rules.clamp(event.occurred_at, enrolled_at, self._now)
        span = None
        if event.span_started_at is not None:
            started = rules.clamp(event.span_started_at, enrolled_at, self._now)
            span = (min(started, at).timestamp(), at.timestamp())
        return rules.Event(
            event.client_event_id, event.kind, at, event.percent, event.position,
            str(event.block_id) if event.block_id else None, tuple(rules.union(event.ranges)), span,
        )  # fmt: skip


def _not_by_saying(lesson: rules.Lesson) -> str | None:
    """What a lesson needs that the learner cannot just say to have done."""
    return "COVERAGE_REQUIRED" if lesson.by_coverage else NEEDED.get(lesson.completion)


def _is_sane(event: ReportedEvent) -> bool:
    return rules.is_sane(event.percent, event.position, event.ranges) and (
        not event.ranges or event.block_id is not None
    )
