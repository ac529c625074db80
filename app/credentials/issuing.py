"""Issuing, revoking, renewing: what every way to a certificate has in common, each in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from html import unescape
from uuid import UUID

import nh3
from psycopg.types.json import Jsonb

from app.assessment.course_scores import course_score, is_partly_hidden
from app.credentials import rules
from app.credentials import statements as sql
from app.credentials.codes import new_code
from app.credentials.facts import Facts, Signatory
from app.credentials.house import House
from app.credentials.rows import CaseRow, CertificateRow, TemplateRow
from app.db import audit
from app.db.ids import new_id
from app.db.outbox import publish
from app.db.transaction import Tx
from app.errors import Conflict, Refusal
from app.i18n import negotiate

ISSUED = "certificate_issued"
REVOKED = "certificate_revoked"
EXPIRING = "certificate_expiring"
BELOW = "the score fell below the pass mark"


@dataclass(frozen=True, slots=True)
class Objection:
    """Something that stands against a certificate; ``params`` fill the places of its sentence."""

    reason: rules.Reason
    params: dict[str, object]

    @property
    def sentence(self) -> str:
        """For the learner, in English."""
        if self.reason is rules.Reason.SCORE_TOO_LOW and not self.params:
            return rules.TOO_LOW_UNSAID
        return rules.SENTENCES[self.reason]


class Ineligible(Refusal):
    """There is no certificate yet; ``objections`` says everything that is missing, the gravest first."""

    http_status = 409

    def __init__(self, objections: Sequence[Objection]) -> None:
        first = objections[0]
        super().__init__(first.sentence, code=first.reason.value, **first.params)
        self.objections = tuple(objections)


def objections(
    row: CaseRow, template: TemplateRow, score: Decimal | None, *, is_revoked: bool = False
) -> list[Objection]:
    """Everything that stands against a certificate of this enrolment; ``score`` is the course's, in percent."""
    params: dict[str, object] = {}
    if score is not None and template.min_score is not None:
        params = {"score": f"{score.normalize():f}", "minimum": f"{template.min_score.normalize():f}"}
    found = rules.reasons(_case(row, template, score, is_revoked=is_revoked))
    return [Objection(reason, params if reason is rules.Reason.SCORE_TOO_LOW else {}) for reason in found]


def _case(row: CaseRow, template: TemplateRow, score: Decimal | None, *, is_revoked: bool = False) -> rules.Case:
    return rules.Case(
        is_enrolled=row.status in {"active", "completed"} and row.role == "student",
        is_completed=row.completed_at is not None,
        is_enabled=template.is_enabled,
        is_allowed=row.exception == "allow",
        is_invalidated=row.exception == "invalidate",
        is_revoked=is_revoked,
        score=score,
        min_score=template.min_score,
    )


async def told_to(tx: Tx, found: Sequence[Objection], row: CaseRow, reader_id: UUID | None) -> list[Objection]:
    """What may be said to somebody: to learners not the score of a quiz whose results are still to come (Q8)."""
    if reader_id != row.user_id or not any(each.reason is rules.Reason.SCORE_TOO_LOW for each in found):
        return list(found)
    if not await is_partly_hidden(tx, row.course_id, row.user_id):
        return list(found)
    return [replace(each, params={}) if each.reason is rules.Reason.SCORE_TOO_LOW else each for each in found]


async def locked(tx: Tx, enrollment_id: UUID) -> CaseRow:
    """The case of an enrolment that nobody else acts on until this transaction ends. Raises: NotFound."""
    await tx.one(sql.LOCK, "enrollment", enrollment_id=enrollment_id)
    return await tx.one(sql.CASE_OF, "enrollment", enrollment_id=enrollment_id)


async def template_of(tx: Tx, course_id: UUID) -> TemplateRow:
    """How the course's certificates are now."""
    return await tx.one_or_none(sql.TEMPLATE, course_id=course_id) or TemplateRow(course_id, 0)


async def issue(tx: Tx, house: House, enrollment_id: UUID, *, by: UUID | None) -> tuple[CertificateRow, bool]:
    """The certificate of an enrolment's present cycle, and whether it is new: whoever was first has made it (K1).

    ``by`` None: it follows from the completion. A new one is told of once, in this transaction.

    Raises: NotFound (enrollment), Ineligible.
    """
    case = await locked(tx, enrollment_id)
    present = await tx.one_or_none(sql.LIVE, enrollment_id=enrollment_id, cycle=case.cycle)
    if present is not None and present.state == rules.State.ISSUED:
        return present, False
    template = await template_of(tx, case.course_id)
    score = await course_score(tx, case.course_id, case.user_id)
    found = objections(case, template, score, is_revoked=present is not None)
    if found:
        raise Ineligible(await told_to(tx, found, case, by))
    valid_until = rules.months_later(case.now, template.validity_months) if template.validity_months else None
    facts = _facts(house, case, template, score, valid_until)
    return await _add(tx, case, facts, cycle=case.cycle, grace_days=template.grace_days, by=by), True


async def _add(tx: Tx, case: CaseRow, facts: Facts, *, cycle: int, grace_days: int, by: UUID | None) -> CertificateRow:
    made = await tx.one_or_none(
        sql.ADD,
        id=new_id(),
        enrollment_id=case.enrollment_id,
        course_id=case.course_id,
        user_id=case.user_id,
        cycle=cycle,
        code=facts.code,
        issued_at=case.now,
        facts=Jsonb(facts.as_json()),
        issued_by=by,
        valid_until=facts.valid_until,
        grace_days=grace_days,
    )
    if made is None:
        raise Conflict("somebody else is changing this right now; try again", code="BUSY")
    await publish(tx, ISSUED, _told(made))
    return made


def _facts(
    house: House, case: CaseRow, template: TemplateRow, score: Decimal | None, valid_until: datetime | None
) -> Facts:
    code = new_code()
    return Facts(
        code=code,
        verify_url=house.verify_url(code),
        tenant_name=house.name,
        locale=negotiate(None, case.learner_locale),
        time_zone=case.learner_time_zone,
        learner_name=case.learner_name,
        recipient=sha256(f"{case.learner_email.lower()}{code}".encode()).hexdigest(),
        course_title=case.course_title,
        course_description=_plain(case.course_description),
        course_revision=case.course_revision,
        basis=rules.basis(_case(case, template, score)),
        score=score,
        hours=template.hours,
        completed_at=case.completed_at,
        issued_at=case.now,
        valid_until=valid_until,
        template_version=template.version,
        title=template.title,
        body=template.body,
        signatories=tuple(Signatory(**each) for each in template.signatories),
        primary_color=template.primary_color,
        accent_color=template.accent_color,
        logo_text=template.logo_text,
    )


def _plain(markup: str) -> str:
    """The beginning of a description, without its markup."""
    return " ".join(unescape(nh3.clean(markup, tags=set())).split())[:500]


def _told(row: CertificateRow) -> dict[str, str]:
    """What events say of a certificate; mails are written from it."""
    return {
        "certificate_id": str(row.id),
        "enrollment_id": str(row.enrollment_id),
        "course_id": str(row.course_id),
        "user_id": str(row.user_id),
        "course_title": row.facts["course_title"],
        "url": row.facts["verify_url"],
    }


async def revoke(tx: Tx, row: CertificateRow, reason: str, *, by: UUID | None) -> CertificateRow:
    """Take a certificate back; one that is revoked already stays as it is. The caller has locked it.

    Raises: Conflict (SUPERSEDED).
    """
    if row.state == rules.State.REVOKED:
        return row
    revoked = await tx.one_or_none(sql.REVOKE, id=row.id, reason=reason)
    if revoked is None:
        raise superseded()
    await audit.record(tx, by, "certificate.revoke", kind="certificate", id=row.id, reason=reason)
    await publish(tx, REVOKED, _told(revoked))
    return revoked


async def reinstate(tx: Tx, row: CertificateRow, reason: str, *, by: UUID) -> CertificateRow:
    """Let a revoked certificate count again, under the same code (K2). The caller has locked it.

    Raises: Conflict (SUPERSEDED), Ineligible (the learner is on the list of invalidations).
    """
    if row.state == rules.State.ISSUED:
        return row
    case = await tx.one(sql.CASE, "enrollment", course_id=row.course_id, user_id=row.user_id)
    if case.exception == "invalidate":
        raise Ineligible([Objection(rules.Reason.INVALIDATED, {})])
    issued = await tx.one_or_none(sql.REINSTATE, id=row.id)
    if issued is None:
        raise superseded()
    await audit.record(tx, by, "certificate.reinstate", kind="certificate", id=row.id, reason=reason)
    return issued


async def reissue(tx: Tx, house: House, row: CertificateRow, reason: str, *, by: UUID) -> CertificateRow:
    """Replace a certificate by one with the facts of today, a new name for instance (K3); it ends when the first did.

    The caller has locked it. Raises: Conflict (SUPERSEDED, NOT_ISSUED).
    """
    if row.state != rules.State.ISSUED:
        raise superseded() if row.state == rules.State.SUPERSEDED else not_issued()
    case = await locked(tx, row.enrollment_id)
    score = await course_score(tx, case.course_id, case.user_id)
    facts = _facts(house, case, await template_of(tx, row.course_id), score, row.valid_until)
    if case.cycle != row.cycle:  # the learner is taking the course again: what was done then still counts
        then = Facts.of(row.facts)
        facts = replace(facts, basis=then.basis, score=then.score, completed_at=then.completed_at)
    await tx.execute(sql.SUPERSEDE, id=row.id)
    made = await _add(tx, case, facts, cycle=row.cycle, grace_days=row.grace_days, by=by)
    await tx.execute(sql.LINK_SUCCESSOR, id=row.id, successor=made.id)
    if row.flagged_at is not None:
        await tx.execute(sql.FLAG, id=made.id, at=row.flagged_at)
        made = replace(made, flagged_at=row.flagged_at)
    changes = {"successor": str(made.id)}
    await audit.record(tx, by, "certificate.reissue", kind="certificate", id=row.id, reason=reason, changes=changes)
    return made


async def score_changed(tx: Tx, house: House, enrollment_id: UUID) -> None:
    """K4: the course's score may be another; do what the certificate's own template says of a fall.

    Who completed the course before the score was enough gets the certificate when it is.

    Raises: NotFound (enrollment), Ineligible.
    """
    case = await locked(tx, enrollment_id)
    row = await tx.one_or_none(sql.LIVE, enrollment_id=enrollment_id, cycle=case.cycle)
    if row is None and case.completed_at is not None:
        await issue(tx, house, enrollment_id, by=None)
    if row is None or row.state != rules.State.ISSUED:
        return
    version = row.facts["template_version"]
    template = await tx.one_or_none(sql.TEMPLATE_VERSION, course_id=row.course_id, version=version)
    score = await course_score(tx, case.course_id, case.user_id)
    if template is None or score is None:
        return
    verdict = rules.on_new_score(
        rules.ScorePolicy(template.score_policy),
        score,
        template.min_score,
        is_allowed=case.exception == "allow",
        is_flagged=row.flagged_at is not None,
    )
    match verdict:
        case rules.Verdict.REVOKE:
            await revoke(tx, row, BELOW, by=None)
        case rules.Verdict.FLAG | rules.Verdict.UNFLAG:
            await tx.execute(sql.FLAG, id=row.id, at=case.now if verdict is rules.Verdict.FLAG else None)
            action = f"certificate.{verdict.value}"
            await audit.record(tx, None, action, kind="certificate", id=row.id, changes={"score": str(score)})
        case rules.Verdict.NOTHING:
            pass


def superseded() -> Conflict:
    """The refusal of an act on a certificate that was replaced."""
    return Conflict("this certificate was replaced by another; use that one", code="SUPERSEDED")


def not_issued() -> Conflict:
    """The refusal of replacing a certificate that does not count."""
    return Conflict("only a certificate that counts can be replaced", code="NOT_ISSUED")
