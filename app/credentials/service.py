"""Use cases of certificates: a learner's own, and what those who run a course may do about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.assessment.course_scores import course_score
from app.credentials import statements as sql
from app.credentials.bulk import ISSUE_MANY, REVOKE_MANY, as_payload
from app.credentials.house import House
from app.credentials.issuing import Objection, issue, objections, reinstate, reissue, revoke, template_of, told_to
from app.credentials.rows import CertificateRow, ExceptionRow, TemplateRow
from app.credentials.rules import Reason
from app.credentials.templates import checked
from app.db import audit
from app.db.database import Operation
from app.db.paging import Page, PageRequest, key_params, page_of
from app.db.transaction import Tx
from app.errors import Conflict, Forbidden, NotFound
from app.identity.validators import Checks, text
from app.outside.storage import Storage
from app.viewer import Action, Viewer
from app.work.rows import NewItem
from app.work.service import create

DOWNLOAD_SECONDS = 300
MOST = 5000  # certificates of one job


class CertificateService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer, house: House, storage: Storage) -> None:
        self.db = db
        self.viewer = viewer
        self._house = house
        self._storage = storage

    # --- reading

    async def certificates_by_id(self, ids: list[UUID]) -> list[CertificateRow]:
        """These certificates, as far as they are the viewer's own or of a course that the viewer runs."""
        own = self.viewer.require(Action.READ_SELF)
        async with self.db.read() as tx:
            rows = await tx.all(sql.BY_ID, ids=ids)
            mine = await self._run_of(tx, {row.course_id for row in rows if row.user_id != own})
        return [row for row in rows if row.user_id == own or row.course_id in mine]

    async def my_certificates(self, page: PageRequest) -> Page[CertificateRow]:
        """A page of the viewer's certificates, the newest first."""
        return await self._page(page, {"user_id": self.viewer.require(Action.READ_SELF)})

    async def count_my_certificates(self) -> int:
        """How many certificates the viewer has."""
        return await self._count({"user_id": self.viewer.require(Action.READ_SELF)})

    async def certificates(self, page: PageRequest, filters: Mapping[str, Any]) -> Page[CertificateRow]:
        """A page of everybody's certificates: any for an administrator, of one's own courses for an instructor."""
        return await self._page(page, self._everybodys(filters))

    async def count_certificates(self, filters: Mapping[str, Any]) -> int:
        """How many certificates there are with these filters."""
        return await self._count(self._everybodys(filters))

    def _everybodys(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        own = self.viewer.require(Action.MANAGE_CERTIFICATES)
        return dict(filters) if self.viewer.may(Action.EDIT_ANY_COURSE) else {**filters, "teacher_id": own}

    async def _page(self, page: PageRequest, wanted: dict[str, Any]) -> Page[CertificateRow]:
        statement = sql.certificate_page(frozenset(wanted), page.key is not None, page.backward)
        async with self.db.read() as tx:
            return page_of(page, await tx.all(statement, **key_params(page), **wanted))

    async def _count(self, wanted: dict[str, Any]) -> int:
        async with self.db.read() as tx:
            return await tx.scalar(sql.certificate_count(frozenset(wanted)), **wanted) or 0

    async def pdf_url(self, row: CertificateRow) -> str | None:
        """Where the document can be downloaded for five minutes; None while it is being made."""
        if row.pdf_key is None:
            return None
        name = f"{self._house.slug}-{row.code}.pdf"
        return await self._storage.url(
            row.pdf_key, filename=name, media_type="application/pdf", seconds=DOWNLOAD_SECONDS
        )

    def badge_url(self, row: CertificateRow) -> str:
        """Where the signed badge is."""
        return self._house.badge_url(row.code)

    async def eligibility(self, course_id: UUID, user_id: UUID | None) -> list[Objection] | None:
        """Everything that stands against the certificate of a learner (by default the viewer); None without course.

        Raises: Unauthenticated, Forbidden (somebody else's, of a course one does not run).
        """
        own = self.viewer.require(Action.READ_SELF)
        async with self.db.read() as tx:
            if await tx.scalar(sql.EXISTING_COURSE, course_id=course_id) is None:
                return None
            if user_id not in {None, own}:
                await self._require_run(tx, course_id)
            case = await tx.one_or_none(sql.CASE, course_id=course_id, user_id=user_id or own)
            if case is None:
                return [Objection(Reason.NOT_ENROLLED, {})]
            key = {"enrollment_id": case.enrollment_id, "cycle": case.cycle}
            is_revoked = await tx.scalar(sql.REVOKED, **key) is not None
            score = await course_score(tx, course_id, case.user_id)
            found = objections(case, await template_of(tx, course_id), score, is_revoked=is_revoked)
            return await told_to(tx, found, case, own)

    # --- one certificate

    async def issue_certificate(self, course_id: UUID, user_id: UUID | None) -> CertificateRow:
        """The certificate of a course: of the viewer, or of any learner for those who run the course (K1).

        Asking again, from any number of tabs, gives the one there is.

        Raises: Unauthenticated, Forbidden, NotFound (course), Ineligible.
        """
        own = self.viewer.require(Action.LEARN)
        async with self.db.write() as tx:
            if user_id not in {None, own}:
                await self._require_run(tx, course_id)
            if await tx.scalar(sql.EXISTING_COURSE, course_id=course_id) is None:
                raise NotFound("course")
            enrollment_id = await tx.scalar(sql.ENROLLMENT_OF, course_id=course_id, user_id=user_id or own)
            if enrollment_id is None:
                raise NotFound("enrollment")
            row, _ = await issue(tx, self._house, enrollment_id, by=own)
            return row

    async def revoke_certificate(self, certificate_id: UUID, reason: str) -> CertificateRow:
        """Take a certificate back (K9: with a reason); again changes nothing.

        Raises: Unauthenticated, Forbidden, NotFound, Invalid, Conflict (SUPERSEDED).
        """
        own = self.viewer.require(Action.MANAGE_CERTIFICATES)
        reason = _reason(reason)
        async with self.db.write() as tx:
            return await revoke(tx, await self._locked(tx, certificate_id), reason, by=own)

    async def reinstate_certificate(self, certificate_id: UUID, reason: str) -> CertificateRow:
        """Let a revoked certificate count again under its code (K2); again changes nothing.

        Raises: Unauthenticated, Forbidden, NotFound, Invalid, Conflict (SUPERSEDED), Ineligible (INVALIDATED).
        """
        own = self.viewer.require(Action.MANAGE_CERTIFICATES)
        reason = _reason(reason)
        async with self.db.write() as tx:
            return await reinstate(tx, await self._locked(tx, certificate_id), reason, by=own)

    async def reissue_certificate(self, certificate_id: UUID, reason: str) -> CertificateRow:
        """Replace a certificate by one with the facts of today (K3); the old one says so.

        Raises: Unauthenticated, Forbidden, NotFound, Invalid, Conflict (SUPERSEDED, NOT_ISSUED).
        """
        own = self.viewer.require(Action.MANAGE_CERTIFICATES)
        reason = _reason(reason)
        async with self.db.write() as tx:
            return await reissue(tx, self._house, await self._locked(tx, certificate_id), reason, by=own)

    async def _locked(self, tx: Tx, certificate_id: UUID) -> CertificateRow:
        """A certificate of a course that the viewer runs; its enrolment is locked before it, as everywhere."""
        [*found] = await tx.all(sql.BY_ID, ids=[certificate_id])
        if not found or not await self._runs(tx, found[0].course_id):
            raise NotFound("certificate")
        await tx.one(sql.LOCK, "enrollment", enrollment_id=found[0].enrollment_id)
        return await tx.one(sql.FOR_UPDATE, "certificate", id=certificate_id)

    # --- many certificates (K9)

    async def issue_many(self, course_id: UUID, *, is_dry_run: bool) -> UUID:
        """Start a job that issues what the course's learners have earned and do not have. Returns the job's id.

        Raises: Unauthenticated, Forbidden, NotFound (course), Conflict (NOTHING_TO_DO).
        """
        own = self.viewer.require(Action.MANAGE_CERTIFICATES)
        async with self.db.write() as tx:
            await self._require_run(tx, course_id)
            waiting = await tx.all(sql.WAITING, course_id=course_id, limit=MOST)
            if not waiting:
                raise Conflict("nobody is waiting for a certificate of this course", code="NOTHING_TO_DO")
            items = [NewItem(row.learner_name, {"enrollment_id": str(row.enrollment_id)}) for row in waiting]
            payload = as_payload(self._house)
            return await create(tx, ISSUE_MANY, by=own, payload=payload, items=items, is_dry_run=is_dry_run)

    async def revoke_many(self, ids: Sequence[UUID], reason: str, *, is_dry_run: bool) -> UUID:
        """Start a job that takes these certificates back. Returns the job's id.

        Raises: Unauthenticated, Forbidden, Invalid (no reason, none or too many), NotFound (one that is not there).
        """
        own = self.viewer.require(Action.MANAGE_CERTIFICATES)
        check = Checks()
        reason = check("input.reason", text, reason, minimum=3, maximum=500)
        if not 1 <= len(ids) <= MOST:
            check.note("input.ids", "OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=1, maximum=MOST)
        check.done()
        async with self.db.write() as tx:
            found = {row.id: row for row in await tx.all(sql.BY_ID, ids=list(ids))}
            courses = {row.course_id for row in found.values()}
            if len(found) != len(set(ids)) or await self._run_of(tx, courses) != courses:
                raise NotFound("certificate")
            items = [
                NewItem(found[key].facts["learner_name"], {"certificate_id": str(key)}) for key in dict.fromkeys(ids)
            ]
            return await create(tx, REVOKE_MANY, by=own, payload={"reason": reason}, items=items, is_dry_run=is_dry_run)

    # --- templates and exceptions

    async def template(self, course_id: UUID) -> TemplateRow | None:
        """How a course's certificates are; None without course. Raises: Unauthenticated, Forbidden."""
        self.viewer.require(Action.MANAGE_CERTIFICATES)
        async with self.db.read() as tx:
            if await tx.scalar(sql.EXISTING_COURSE, course_id=course_id) is None:
                return None
            await self._require_run(tx, course_id)
            return await template_of(tx, course_id)

    async def update_template(
        self, course_id: UUID, given: Mapping[str, Any], *, expected_version: int | None
    ) -> TemplateRow:
        """Say how a course's certificates are from now on: a new version, those that exist keep theirs.

        Raises: Unauthenticated, Forbidden, NotFound (course), Invalid, Conflict (VERSION_CONFLICT).
        """
        own = self.viewer.require(Action.MANAGE_CERTIFICATES)
        async with self.db.write() as tx:
            await self._require_run(tx, course_id)
            present = await template_of(tx, course_id)
            made = None
            if expected_version in {None, present.version}:
                made = await tx.one_or_none(sql.ADD_TEMPLATE, **checked(present, given), created_by=own)
            if made is None:
                raise Conflict(
                    "this was changed meanwhile; read it again and repeat your change", code="VERSION_CONFLICT"
                )
            return made

    async def set_exception(self, course_id: UUID, user_id: UUID, *, kind: str, reason: str) -> ExceptionRow:
        """Put a learner on the list of those who get a certificate anyway, or of those who get none whatever happens.

        The latter also loses the certificates there are. Raises: Unauthenticated, Forbidden, NotFound, Invalid.
        """
        own = self.viewer.require(Action.MANAGE_CERTIFICATES)
        reason = _reason(reason)
        async with self.db.write() as tx:
            await self._require_run(tx, course_id)
            if await tx.scalar(sql.EXISTING_MEMBER, user_id=user_id) is None:
                raise NotFound("user")
            enrollment_id = await tx.scalar(sql.ENROLLMENT_OF, course_id=course_id, user_id=user_id)
            if enrollment_id is not None:
                await tx.one(sql.LOCK, "enrollment", enrollment_id=enrollment_id)
            made = await tx.one(
                sql.PUT_EXCEPTION, course_id=course_id, user_id=user_id, kind=kind, reason=reason, created_by=own
            )
            action = f"certificate.exception.{kind}"
            await audit.record(tx, own, action, kind="user", id=user_id, reason=reason, changes=_of(course_id))
            if kind == "invalidate":
                for row in await tx.all(sql.ISSUED_OF_LEARNER, course_id=course_id, user_id=user_id):
                    await revoke(tx, row, reason, by=own)
            return made

    async def remove_exception(self, course_id: UUID, user_id: UUID) -> None:
        """Take a learner off both lists; certificates stay as they are.

        Raises: Unauthenticated, Forbidden, NotFound (course, exception).
        """
        own = self.viewer.require(Action.MANAGE_CERTIFICATES)
        async with self.db.write() as tx:
            await self._require_run(tx, course_id)
            kind = await tx.one(sql.DROP_EXCEPTION, "exception", course_id=course_id, user_id=user_id)
            changes = {**_of(course_id), "was": kind}
            await audit.record(tx, own, "certificate.exception.remove", kind="user", id=user_id, changes=changes)

    # --- who runs a course

    async def _runs(self, tx: Tx, course_id: UUID) -> bool:
        return bool(await self._run_of(tx, {course_id}))

    async def _run_of(self, tx: Tx, course_ids: set[UUID]) -> set[UUID]:
        """Those of these courses whose certificates the viewer decides about."""
        if not course_ids or not self.viewer.may(Action.MANAGE_CERTIFICATES):
            return set()
        if self.viewer.may(Action.EDIT_ANY_COURSE):
            return course_ids
        return set(await tx.all(sql.TAUGHT, ids=list(course_ids), user_id=self.viewer.user_id))

    async def _require_run(self, tx: Tx, course_id: UUID) -> None:
        self.viewer.require(Action.MANAGE_CERTIFICATES)
        if await tx.scalar(sql.EXISTING_COURSE, course_id=course_id) is None:
            raise NotFound("course")
        if not await self._runs(tx, course_id):
            raise Forbidden("only its own instructors can decide about a course's certificates")


def _of(course_id: UUID) -> dict[str, str]:
    return {"course_id": str(course_id)}


def _reason(given: str) -> str:
    check = Checks()
    reason = check("input.reason", text, given, minimum=3, maximum=500)
    check.done()
    return reason
