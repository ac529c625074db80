"""A course's seats and its waiting list, locked: who changes them goes through here (E2, E3, E4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from app.db.ids import new_id
from app.db.outbox import publish
from app.db.transaction import Tx
from app.errors import Conflict, NotFound
from app.learning import cohort_statements as cohort_sql
from app.learning import list_statements as list_sql
from app.learning import seat_statements as sql
from app.learning import standing
from app.learning.completing import complete_finished
from app.learning.enrollment_rows import EntryRow, SettingsRow
from app.learning.rows import EnrollmentRow
from app.learning.standing import By, Move, State, state_of
from app.work.timers import wake_at

ALLOWED = "enrollment_allowed"  # addresses that belong to no member yet were let into a course
Key = TypeVar("Key", str, int)
OFFER_HOURS = 48  # for those who still wait after a waiting list was closed
BATCH = 100


class Seats:
    """A course whose seats nobody else changes until the transaction ends.

    Only a course with settings has a row to lock; in others seats are not counted, and an enrolment's own row is
    enough. Lock order: this row, then enrolments.
    """

    def __init__(self, tx: Tx, entry: EntryRow, settings: SettingsRow | None) -> None:
        self.tx = tx
        self.entry = entry
        self.settings = settings
        self.now = entry.now
        self._has_allowed = False

    @classmethod
    async def of_course(cls, tx: Tx, course_id: UUID, user_id: UUID) -> Seats:
        """Lock a course's seats for this person. Raises NotFound (no such course, or it was deleted)."""
        entry = await tx.one(sql.ENTRY, "course", id=course_id, user_id=user_id)
        if entry.is_deleted:
            raise NotFound("course")
        return await cls.locked(tx, entry)

    @classmethod
    async def locked(cls, tx: Tx, entry: EntryRow) -> Seats:
        """Lock the seats of a course that was entered."""
        settings = await tx.one_or_none(sql.SETTINGS_FOR_UPDATE, course_id=entry.id)
        return cls(tx, entry, settings)

    async def mine(self, user_id: UUID) -> EnrollmentRow | None:
        """Somebody's enrolment in the course, locked."""
        return await self.tx.one_or_none(sql.MINE_FOR_UPDATE, course_id=self.entry.id, user_id=user_id)

    async def in_turn(self, people: Mapping[Key, tuple[UUID | None, str]]) -> list[Key]:
        """The keys of people (members or not, and their addresses) in an order in which no two lists block each other.

        Where seats are counted lists take turns, and it is the order in which the people were given.
        """
        user_ids = [user_id for user_id, _ in people.values() if user_id is not None]
        await self.tx.all(sql.MANY_FOR_UPDATE, course_id=self.entry.id, user_ids=user_ids)
        if self.settings is not None:
            return list(people)
        return sorted(people, key=lambda key: (str(people[key][0] or ""), people[key][1]))

    async def add(self, user_id: UUID, state: State) -> UUID | None:
        """A first enrolment; None when the person has got one in this moment. Raises Conflict (COURSE_FULL)."""
        if state.holds_seat:
            await self._take()
        values = stored(state)
        return await self.tx.scalar(sql.ADD, id=new_id(), course_id=self.entry.id, user_id=user_id, **values)

    async def put(self, row: EnrollmentRow, state: State) -> None:
        """Write a new state of an enrolment, and its seat. Raises Conflict (COURSE_FULL)."""
        if state.holds_seat and not row.holds_seat:
            await self._take()
        elif row.holds_seat and not state.holds_seat:
            await self._give()
        await self.tx.execute(sql.PUT, id=row.id, **stored(state))

    async def allow(self, address: str, cohort_id: UUID | None, by: UUID) -> bool:
        """Let an address into the course that belongs to no member yet; False when it was let in before."""
        values = {"course_id": self.entry.id, "email": address, "cohort_id": cohort_id, "user_id": by}
        made = await self.tx.scalar(list_sql.ALLOW, id=new_id(), **values)
        if made is not None and not self._has_allowed:
            self._has_allowed = True
            await publish(self.tx, ALLOWED, {"course_id": str(self.entry.id)})
        return made is not None

    async def join_cohort(self, enrollment_id: UUID, cohort_id: UUID) -> None:
        """Put an enrolment into a cohort of the course, out of any other."""
        await self.tx.execute(cohort_sql.JOIN, id=enrollment_id, cohort_id=cohort_id)

    async def complete(self, enrollment_id: UUID) -> None:
        """Complete an enrolment whose lessons are all done already."""
        await complete_finished(self.tx, [enrollment_id])

    def has_room(self) -> bool:
        """Whether one more may come."""
        return self.settings is None or self.settings.capacity is None or self._taken() < self.settings.capacity

    async def next_place(self) -> int:
        """The next place of the waiting list, which nobody else gets."""
        return await self.tx.one(sql.NEXT_PLACE, "course", course_id=self.entry.id)

    async def promote(self) -> None:
        """Offer the free seats to those who have waited longest: at most one for each seat.

        Nobody is offered anything while there are more learners than seats (E3), or in a course that has ended (E7).
        """
        while self.settings is not None and self.has_room() and not standing.is_concluded(self.settings, self.now):
            free = BATCH if self.settings.capacity is None else self.settings.capacity - self._taken()
            rows = await self.tx.all(sql.FIRST_WAITING, course_id=self.entry.id, limit=min(free, BATCH))
            until = self.now + timedelta(hours=self.settings.offer_hours or OFFER_HOURS)
            for row in rows:
                before = state_of(row)
                standing.check(Move.OFFER, before, self.now, by=By.CLOCK)
                await self.put(row, standing.offered(before, until))
                await self.tell("seat_offered", row.id, row.user_id, until=until.isoformat())
            if rows:
                await wake_at(self.tx, until)
            if len(rows) < BATCH:
                return

    async def tell(self, kind: str, enrollment_id: UUID, user_id: UUID, **more: Any) -> None:
        """Publish an event about an enrolment in the course (P10)."""
        payload = {
            "enrollment_id": str(enrollment_id),
            "course_id": str(self.entry.id),
            "course_title": self.entry.title,
            "user_id": str(user_id),
            **more,
        }
        await publish(self.tx, kind, payload)

    def _taken(self) -> int:
        return 0 if self.settings is None else self.settings.seats_taken

    async def _take(self) -> None:
        if self.settings is not None:
            taken = await self.tx.scalar(sql.TAKE, course_id=self.entry.id)
            if taken is None:
                raise full()
            self.settings = replace(self.settings, seats_taken=taken)

    async def _give(self) -> None:
        if self.settings is not None:
            taken = await self.tx.one(sql.GIVE, "course", course_id=self.entry.id)
            self.settings = replace(self.settings, seats_taken=taken)


def full() -> Conflict:
    """Every seat is taken and there is no waiting list."""
    return Conflict("every place in this course is taken", code="COURSE_FULL")


def stored(state: State) -> dict[str, Any]:
    """A state as the statements take it."""
    return {field.name: getattr(state, field.name) for field in fields(state)}


class TrialSeats(Seats):
    """The same without writing anything: what would happen, one person after another."""

    async def add(self, user_id: UUID, state: State) -> UUID | None:
        """As if there were one enrolment more."""
        if state.holds_seat:
            await self._take()
        return new_id()

    async def put(self, row: EnrollmentRow, state: State) -> None:
        """As if the enrolment stood so."""
        if state.holds_seat and not row.holds_seat:
            await self._take()

    async def allow(self, address: str, cohort_id: UUID | None, by: UUID) -> bool:
        """Whether the address is new to the course."""
        return await self.tx.scalar(list_sql.IS_ALLOWED, course_id=self.entry.id, email=address) is None

    async def join_cohort(self, enrollment_id: UUID, cohort_id: UUID) -> None:
        """Nothing."""

    async def complete(self, enrollment_id: UUID) -> None:
        """Nothing."""

    async def next_place(self) -> int:
        """Some place."""
        return 1

    async def tell(self, kind: str, enrollment_id: UUID, user_id: UUID, **more: Any) -> None:
        """Nothing."""

    async def promote(self) -> None:
        """Nothing."""

    def take_before(self, count: int) -> None:
        """Count seats that were taken in this trial before."""
        if self.settings is not None:
            self.settings = replace(self.settings, seats_taken=self.settings.seats_taken + count)

    async def _take(self) -> None:
        if not self.has_room():
            raise full()
        self.take_before(1)
