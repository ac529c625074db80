"""K9: many certificates at once, as jobs: a page of learners fails or succeeds each on their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.assessment.course_scores import course_score
from app.credentials import statements as sql
from app.credentials.house import House
from app.credentials.issuing import Ineligible, issue, locked, objections, revoke, superseded, template_of
from app.credentials.rows import CertificateRow
from app.credentials.rules import State
from app.db.transaction import Tx
from app.errors import Refusal
from app.work.rows import Item, Job, Settled

ISSUE_MANY = "issue_certificates"
REVOKE_MANY = "revoke_certificates"


def as_payload(house: House) -> dict[str, str]:
    """What a job has to remember of the organisation: a worker's transaction knows only its schema."""
    return {
        "tenant_id": str(house.tenant_id), "slug": house.slug, "name": house.name, "base_url": house.base_url,
    }  # fmt: skip


def house_of(payload: Mapping[str, Any]) -> House:
    """The same, read back."""
    return House(UUID(payload["tenant_id"]), payload["slug"], payload["name"], payload["base_url"])


class IssueMany:
    """Issues what was earned; who has a certificate already is skipped."""

    kind = ISSUE_MANY
    chunk = 25

    async def run(self, tx: Tx, job: Job, items: Sequence[Item]) -> list[Settled]:
        """Enrolments are locked in the order of their ids."""
        house = house_of(job.payload)
        settled = []
        for item in sorted(items, key=lambda item: item.payload["enrollment_id"]):
            enrollment_id = UUID(item.payload["enrollment_id"])
            try:
                settled.append(await self._one(tx, job, house, item, enrollment_id))
            except Ineligible as refusal:  # nothing was written before it was raised
                settled.append(_failed(item, refusal))
        return settled

    async def _one(self, tx: Tx, job: Job, house: House, item: Item, enrollment_id: UUID) -> Settled:
        if job.is_dry_run:
            case = await locked(tx, enrollment_id)
            present = await tx.one_or_none(sql.LIVE, enrollment_id=enrollment_id, cycle=case.cycle)
            if present is not None and present.state == State.ISSUED:
                return _skipped(item, present)
            score = await course_score(tx, case.course_id, case.user_id)
            found = objections(case, await template_of(tx, case.course_id), score, is_revoked=present is not None)
            return _failed(item, Ineligible(found)) if found else Settled(item.number)
        row, is_new = await issue(tx, house, enrollment_id, by=job.created_by)
        return Settled(item.number, result={"certificate_id": str(row.id)}) if is_new else _skipped(item, row)

    async def finish(self, tx: Tx, job: Job) -> Mapping[str, int] | None:
        """How many there are now that were not there before."""
        return {"issued": 0 if job.is_dry_run else job.done}


class RevokeMany:
    """Takes certificates back, all for one reason; those that were revoked before are skipped."""

    kind = REVOKE_MANY
    chunk = 50

    async def run(self, tx: Tx, job: Job, items: Sequence[Item]) -> list[Settled]:
        """Certificates are locked in the order of their ids."""
        settled = []
        for item in sorted(items, key=lambda item: item.payload["certificate_id"]):
            row = await tx.one(sql.FOR_UPDATE, "certificate", id=UUID(item.payload["certificate_id"]))
            if row.state == State.REVOKED:
                settled.append(_skipped(item, row))
            elif row.state == State.SUPERSEDED:
                settled.append(_failed(item, superseded()))
            else:
                if not job.is_dry_run:
                    await revoke(tx, row, job.payload["reason"], by=job.created_by)
                settled.append(Settled(item.number))
        return settled

    async def finish(self, tx: Tx, job: Job) -> Mapping[str, int] | None:
        """How many were taken back."""
        return {"revoked": 0 if job.is_dry_run else job.done}


def _failed(item: Item, refusal: Refusal) -> Settled:
    return Settled(item.number, "failed", refusal.code, refusal.message, refusal.params)


def _skipped(item: Item, row: CertificateRow) -> Settled:
    return Settled(item.number, "skipped", result={"certificate_id": str(row.id)})
