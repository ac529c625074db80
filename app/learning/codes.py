"""Invite codes: who has one comes into its course, as often as it allows (E5)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.db import audit
from app.db.database import Operation
from app.db.ids import new_id
from app.db.paging import NOTHING, Page, PageRequest, key_params, page_of
from app.db.transaction import Tx
from app.errors import Conflict, NotFound
from app.identity import throttle
from app.identity.secrets import digest
from app.identity.validators import Checks, email, line
from app.learning import code_statements as sql
from app.learning import enrollment_statements as enrollment_sql
from app.learning.enrollment_rows import CodeRow
from app.learning.managing import entered, runs, shows
from app.learning.placing import Way, place
from app.learning.rows import EnrollmentRow
from app.learning.seats import Seats
from app.viewer import Action, Viewer

# Without what is mistaken for something else when it is read out: 60 random bits.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
LENGTH, HINT, GROUP = 12, 4, 4
MOST_USES, MOST_NAMES = 100_000, 200


@dataclass(frozen=True, slots=True)
class NewCode:
    """What a code is to allow."""

    note: str = ""
    expires_at: datetime | None = None
    max_uses: int | None = None
    emails: Sequence[str] = ()
    domains: Sequence[str] = ()


class CodeRefused(Conflict):
    """A code that lets this person in no more, or never did. Counted as an attempt to guess."""


class InviteCodeService:
    """One operation's use cases in one tenant."""

    def __init__(
        self,
        db: Operation,
        viewer: Viewer,
        tenant_id: UUID,
        ip: str | None,
        attempts: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``attempts``: how many wrong codes of one person are let pass before they have to wait."""
        self.db = db
        self.viewer = viewer
        self._keys = throttle.Keys(
            f"i:{tenant_id}:{viewer.user_id}", throttle.client_key("i", tenant_id, ip) if ip else None
        )
        self._attempts = attempts
        self._clock = clock

    async def create_code(self, course_id: UUID, new: NewCode) -> tuple[CodeRow, str]:
        """Make a code; it is told now and never again. Raises: NotFound, Forbidden, Invalid."""
        user_id = self.viewer.require(Action.MANAGE_ENROLLMENTS)
        values = self._clean(new)
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        async with self.db.write() as tx:
            await entered(tx, self.viewer, course_id)
            row = await tx.one(
                sql.ADD, id=new_id(), course_id=course_id, user_id=user_id, code_hash=digest(code),
                hint=code[-HINT:], **values,
            )  # fmt: skip
            await audit.record(tx, user_id, "invite_code.create", kind="invite_code", id=row.id)
        return row, "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))

    async def revoke_code(self, code_id: UUID) -> CodeRow:
        """End a code; who came in with it stays. Raises: NotFound."""
        user_id = self.viewer.require(Action.MANAGE_ENROLLMENTS)
        async with self.db.write() as tx:
            code = await tx.one(sql.CODE, "invite code", id=code_id)
            await entered(tx, self.viewer, code.course_id, thing="invite code")
            await audit.record(tx, user_id, "invite_code.revoke", kind="invite_code", id=code_id)
            return await tx.one(sql.REVOKE, "invite code", id=code_id)

    async def codes(self, course_id: UUID, page: PageRequest) -> Page[CodeRow]:
        """A page of a course's codes, the newest first. Raises: Forbidden."""
        async with self.db.read() as tx:
            if not await shows(tx, self.viewer, course_id):
                return NOTHING
            statement = sql.code_page(page.key is not None, page.backward)
            return page_of(page, await tx.all(statement, course_id=course_id, **key_params(page)))

    async def count_codes(self, course_id: UUID) -> int:
        """How many codes a course has."""
        async with self.db.read() as tx:
            if not await shows(tx, self.viewer, course_id):
                return 0
            return await tx.scalar(sql.COUNT, course_id=course_id) or 0

    async def code(self, code_id: UUID) -> CodeRow | None:
        """A code, for the staff of its course; None when missing or hidden."""
        async with self.db.read() as tx:
            row = await tx.one_or_none(sql.CODE, id=code_id)
            return row if row is not None and await runs(tx, self.viewer, row.course_id) else None

    async def enroll_with_code(self, code: str) -> EnrollmentRow:
        """Come into the course of a code. Using it again, or being in already, consumes nothing.

        Every attempt is in the audit log; who guesses has to wait longer and longer, by person and by address.

        Raises: Unauthenticated, Forbidden, TooMany, NotFound (its course is not published), Conflict (CODE_UNKNOWN,
        CODE_EXPIRED, CODE_FULL, CODE_REVOKED, CODE_NOT_FOR_YOU, and what ``placing.place`` raises).
        """
        user_id = self.viewer.require(Action.LEARN)
        async with self.db.control() as control:
            await throttle.attempt(control, self._keys, self._clock(), self._attempts)
        found: CodeRow | None = None
        try:
            async with self.db.write() as tx:
                found = await tx.one_or_none(sql.BY_HASH, code_hash=digest(normal(code)))
                enrollment_id = await self._use(tx, found, user_id)
                await self._audit(tx, found, user_id, "ACCEPTED")
                row = await tx.one(enrollment_sql.ENROLLMENT, "enrollment", id=enrollment_id)
        except (Conflict, NotFound) as refusal:
            async with self.db.write() as tx:
                await self._audit(tx, found, user_id, refusal.code)
            if isinstance(refusal, CodeRefused):
                async with self.db.control() as control:
                    await throttle.failed(control, self._keys, self._clock(), self._attempts)
            raise
        async with self.db.control() as control:
            await throttle.succeeded(control, self._keys)
        return row

    async def _use(self, tx: Tx, code: CodeRow | None, user_id: UUID) -> UUID:
        if code is None:
            raise CodeRefused("this code is not known here; check how it is written", code="CODE_UNKNOWN")
        seats = await Seats.of_course(tx, code.course_id, user_id)
        if not seats.entry.is_open:
            raise NotFound("course")
        was_used = await tx.scalar(sql.WAS_USED, id=code.id, user_id=user_id) is not None
        mine = await seats.mine(user_id)
        if mine is None or mine.status not in {"active", "completed"} or mine.is_expired:
            await self._check(tx, code, user_id, seats.now)
        placed = await place(seats, user_id, Way.CODE)
        if placed.is_new and not was_used:
            if await tx.scalar(sql.USE, id=code.id) is None:
                raise CodeRefused("this code was used as often as it may be", code="CODE_FULL")
            await tx.execute(sql.ADD_USE, id=code.id, user_id=user_id)
        return placed.id

    async def _check(self, tx: Tx, code: CodeRow, user_id: UUID, now: datetime) -> None:
        if code.revoked_at is not None:
            raise CodeRefused("this code was withdrawn; ask for another", code="CODE_REVOKED")
        if code.expires_at is not None and code.expires_at <= now:
            raise CodeRefused("this code has expired; ask for another", code="CODE_EXPIRED")
        if code.emails or code.domains:
            address = (await tx.one(sql.EMAIL_OF, "user", user_id=user_id)).lower()
            if address not in code.emails and address.rpartition("@")[2] not in code.domains:
                raise CodeRefused("this code is for other addresses than yours", code="CODE_NOT_FOR_YOU")

    async def _audit(self, tx: Tx, code: CodeRow | None, user_id: UUID, outcome: str) -> None:
        await audit.record(
            tx, user_id, "invite_code.use", kind="invite_code", id=None if code is None else code.id,
            changes={"outcome": outcome},
        )  # fmt: skip

    def _clean(self, new: NewCode) -> dict[str, Any]:
        check = Checks()
        note = check("input.note", line, new.note, maximum=200)
        if new.max_uses is not None and not 1 <= new.max_uses <= MOST_USES:
            check.note("input.maxUses", "OUT_OF_RANGE", "must be between 1 and {maximum}", maximum=MOST_USES)
        if new.expires_at is not None and new.expires_at <= self._clock():
            check.note("input.expiresAt", "TIME_PAST", "must be in the future")
        for name, values in (("emails", new.emails), ("domains", new.domains)):
            if len(values) > MOST_NAMES:
                check.note(f"input.{name}", "TOO_MANY", "may have at most {maximum} entries", maximum=MOST_NAMES)
        emails = [check(f"input.emails.{n}", email, value) for n, value in enumerate(new.emails[:MOST_NAMES])]
        domains = [check(f"input.domains.{n}", domain, value) for n, value in enumerate(new.domains[:MOST_NAMES])]
        check.done()
        return {
            "note": note, "expires_at": new.expires_at, "max_uses": new.max_uses, "emails": emails, "domains": domains,
        }  # fmt: skip


def normal(code: str) -> str:
    """A code as it is kept, however it was typed."""
    return "".join(char for char in code[:100].upper() if char.isalnum())


def domain(value: str) -> str:
    """The part of an address after the @."""
    return email(f"somebody@{value.strip().removeprefix('@')}").rpartition("@")[2]
