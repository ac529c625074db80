"""Addresses that are let into a course before anybody has an account with them (E6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.db import audit
from app.db.database import Operation
from app.db.paging import NOTHING, Page, PageRequest, key_params, page_of
from app.db.transaction import Tx
from app.errors import Conflict, NotFound
from app.identity.validators import Checks, email
from app.learning import cohort_statements as cohort_sql
from app.learning import list_statements as sql
from app.learning.enrollment_rows import AllowanceRow
from app.learning.managing import entered, shows
from app.learning.placing import Way, place
from app.learning.seats import Seats
from app.viewer import Action, Viewer
from app.work.timers import wake_at

MOST = 200


@dataclass(frozen=True, slots=True)
class Allowed:
    """What became of an address: ENROLLED, WAITLISTED..., ALLOWED (waits for its owner), ALREADY_ALLOWED, or a code."""

    email: str
    outcome: str


class AllowListService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def allow(self, course_id: UUID, emails: Sequence[str]) -> list[Allowed]:
        """Let these addresses in: members at once, the others when they first prove to have the address.

        Raises: NotFound, Forbidden, Invalid.
        """
        user_id = self.viewer.require(Action.MANAGE_ENROLLMENTS)
        check = Checks()
        if not 1 <= len(emails) <= MOST:
            check.note("input.emails", "OUT_OF_RANGE", "must be between 1 and {maximum}", maximum=MOST)
        clean = [check(f"input.emails.{n}", email, value) for n, value in enumerate(emails[:MOST])]
        check.done()
        addresses = list(dict.fromkeys(clean))
        async with self.db.write() as tx:
            seats = await Seats.locked(tx, await entered(tx, self.viewer, course_id))
            known = {row.email: row.user_id for row in await tx.all(sql.MEMBERS_BY_EMAIL, emails=addresses)}
            found = {
                address: await let_in(seats, address, known.get(address), user_id)
                for address in await seats.in_turn({each: (known.get(each), each) for each in addresses})
            }
            await audit.record(
                tx, user_id, "enrollment.allow", kind="course", id=course_id, changes={"addresses": len(found)}
            )
        return [found[address] for address in addresses]

    async def disallow(self, allowance_id: UUID) -> UUID:
        """Take an address back that nobody has claimed. Raises: NotFound, Conflict (ALREADY_CLAIMED)."""
        user_id = self.viewer.require(Action.MANAGE_ENROLLMENTS)
        async with self.db.write() as tx:
            row = await tx.one(sql.ALLOWANCE, "address", id=allowance_id)
            await entered(tx, self.viewer, row.course_id, thing="address")
            if await tx.scalar(sql.DISALLOW, id=allowance_id) is None:
                raise Conflict("somebody has come in with this address already", code="ALREADY_CLAIMED")
            await audit.record(tx, user_id, "enrollment.disallow", kind="course", id=row.course_id)
        return allowance_id

    async def allowances(self, course_id: UUID, page: PageRequest) -> Page[AllowanceRow]:
        """A page of a course's addresses, the newest first. Raises: Unauthenticated, Forbidden."""
        async with self.db.read() as tx:
            if not await shows(tx, self.viewer, course_id):
                return NOTHING
            statement = sql.allowance_page(page.key is not None, page.backward)
            return page_of(page, await tx.all(statement, course_id=course_id, **key_params(page)))

    async def count_allowances(self, course_id: UUID) -> int:
        """How many addresses a course lets in."""
        async with self.db.read() as tx:
            if not await shows(tx, self.viewer, course_id):
                return 0
            return await tx.scalar(sql.COUNT, course_id=course_id) or 0


async def let_in(
    seats: Seats, address: str, user_id: UUID | None, by: UUID, *, cohort_id: UUID | None = None, role: str = "student"
) -> Allowed:
    """Enrol a member, or remember the address of somebody who is none yet (who will be a student)."""
    if user_id is None:
        made = await seats.allow(address, cohort_id, by)
        return Allowed(address, "ALLOWED" if made else "ALREADY_ALLOWED")
    try:
        placed = await place(seats, user_id, Way.STAFF, role=role)
    except Conflict as refusal:
        if refusal.code == "BUSY":
            raise
        return Allowed(address, refusal.code)
    if cohort_id is not None:
        await seats.join_cohort(placed.id, cohort_id)
    return Allowed(address, placed.status.value.upper() if placed.is_new else "ALREADY_ENROLLED")


async def claim(tx: Tx, user_id: UUID) -> None:
    """A member has proved to have their address: what was allowed to it is theirs, and the clock brings them in."""
    address = await tx.scalar(sql.EMAIL_OF_MEMBER, user_id=user_id)
    if address is not None and await tx.all(sql.CLAIM, email=address, user_id=user_id):
        await wake_at(tx, await tx.one(cohort_sql.NOW))


async def claim_unheard(tx: Tx, course_id: UUID) -> None:
    """Addresses were let in: some owners may have proved to have theirs before that could be seen by ``claim``."""
    for user_id in await tx.all(sql.UNHEARD, course_id=course_id):
        await claim(tx, user_id)


async def place_claimed(tx: Tx) -> bool:
    """Enrol whoever claimed an address first; returns whether there may be more."""
    found = await tx.one_or_none(sql.FIRST_CLAIMED)
    if found is None:
        return False
    try:
        seats = await Seats.of_course(tx, found.course_id, found.claimed_by)
        placed = await place(seats, found.claimed_by, Way.STAFF)
    except (Conflict, NotFound) as refusal:
        if refusal.code == "BUSY":
            raise
        await tx.all(sql.SETTLE, id=found.id, outcome=refusal.code)
        return True
    if found.cohort_id is not None:
        await seats.join_cohort(placed.id, found.cohort_id)
    await tx.all(sql.SETTLE, id=found.id, outcome=placed.status.value.upper())
    return True
