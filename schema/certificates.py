"""Certificates as clients see them."""

from __future__ import annotations

from enum import Enum
from operator import attrgetter

import strawberry

from app.credentials import pdf
from app.credentials.codes import printed
from app.credentials.facts import Facts
from app.credentials.issuing import Objection
from app.credentials.rows import CertificateRow
from app.i18n import translate
from schema import ids
from schema.catalog import Course
from schema.context import Info
from schema.identity import User
from schema.node import Node
from schema.paging import Connection
from schema.scalars import DateTime, Decimal


@strawberry.enum(name="CertificateStanding", description="What a certificate amounts to now.")
class CertificateStanding(Enum):
    VALID = strawberry.enum_value("valid", description="It counts.")
    GRACE = strawberry.enum_value("grace", description="Its term is over, and it may still be renewed.")
    EXPIRED = strawberry.enum_value("expired", description="Its term is over.")
    REVOKED = strawberry.enum_value("revoked", description="It was taken back; it may be reinstated.")
    SUPERSEDED = strawberry.enum_value("superseded", description="Another one replaced it.")


@strawberry.enum(name="CertificateBasis", description="What a certificate rests on.")
class CertificateBasis(Enum):
    SCORE = strawberry.enum_value("score", description="The course was completed with a score.")
    COMPLETION = strawberry.enum_value("completion", description="The course was completed; there is no score.")
    EXCEPTION = strawberry.enum_value("exception", description="Those who run the course decided so.")


@strawberry.type(description="What a certificate states, as it was when it was issued; nothing changes it afterwards.")
class CertificateFacts:
    facts: strawberry.Private[Facts]

    @strawberry.field(description="The learner's name.")
    def learner_name(self) -> str:
        return self.facts.learner_name

    @strawberry.field(description="The course's title.")
    def course_title(self) -> str:
        return self.facts.course_title

    @strawberry.field(description="The version of the course.")
    def course_revision(self) -> int:
        return self.facts.course_revision

    @strawberry.field(description="The organisation's name.")
    def organisation(self) -> str:
        return self.facts.tenant_name

    @strawberry.field(description="What it rests on.")
    def basis(self) -> CertificateBasis:
        return CertificateBasis(self.facts.basis)

    @strawberry.field(description="Percent; null when the course has no score or the learner was excused from it.")
    def score(self) -> Decimal | None:
        return None if self.facts.score is None else Decimal(self.facts.score)

    @strawberry.field(description="How long the course takes, hours.")
    def hours(self) -> Decimal | None:
        return None if self.facts.hours is None else Decimal(self.facts.hours)

    @strawberry.field(description="When the course was completed; null for an exception.")
    def completed_at(self) -> DateTime | None:
        return DateTime(self.facts.completed_at) if self.facts.completed_at else None

    @strawberry.field(description="The version of the course's certificate template; 0 before anybody changed it.")
    def template_version(self) -> int:
        return self.facts.template_version

    @strawberry.field(description="Language of the document, es or en.")
    def language(self) -> str:
        return self.facts.locale


@strawberry.type(description="A certificate of a course.")
class Certificate(Node):
    row: strawberry.Private[CertificateRow]

    id_kind = ids.CERTIFICATE
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="Public code, 28 characters; the same for as long as the certificate exists.")
    def code(self) -> str:
        return self.row.code

    @strawberry.field(description="The code in groups of four, as it is printed; it is read with and without hyphens.")
    def printed_code(self) -> str:
        return printed(self.row.code)

    @strawberry.field(description="What it amounts to now.")
    def standing(self) -> CertificateStanding:
        return CertificateStanding(self.row.standing().value)

    @strawberry.field(description="What it states.")
    def facts(self) -> CertificateFacts:
        return CertificateFacts(facts=Facts.of(self.row.facts))

    @strawberry.field(description="The course; null while the person who asks may not see it.")
    async def course(self, info: Info) -> Course | None:
        row = await info.context.courses_by_id.load(self.row.course_id)
        return None if row is None else Course(row=row)

    @strawberry.field(description="The learner.")
    async def user(self, info: Info) -> User | None:
        row = await info.context.members_by_id.load(self.row.user_id)
        return None if row is None else User(row=row)

    @strawberry.field(description="Which time of taking the course it is of, from 1.")
    def cycle(self) -> int:
        return self.row.cycle

    @strawberry.field(description="Since when.")
    def issued_at(self) -> DateTime:
        return DateTime(self.row.issued_at)

    @strawberry.field(description="Until when; null for ever.")
    def valid_until(self) -> DateTime | None:
        return DateTime(self.row.valid_until) if self.row.valid_until else None

    @strawberry.field(description="When it was taken back.")
    def revoked_at(self) -> DateTime | None:
        return DateTime(self.row.revoked_at) if self.row.revoked_at else None

    @strawberry.field(description="Why it was taken back; not shown to the public.")
    def revoked_reason(self) -> str | None:
        return self.row.revoked_reason

    @strawberry.field(description="Since when the score has been below the pass mark, where the course wants to know.")
    def flagged_at(self) -> DateTime | None:
        return DateTime(self.row.flagged_at) if self.row.flagged_at else None

    @strawberry.field(description="The certificate that replaced this one.")
    async def successor(self, info: Info) -> Certificate | None:
        if self.row.superseded_by is None:
            return None
        row = await info.context.certificates_by_id.load(self.row.superseded_by)
        return None if row is None else Certificate(row=row)

    @strawberry.field(description="Public page that says whether it is genuine; the QR code holds this address.")
    def verify_url(self) -> str:
        return str(self.row.facts["verify_url"])

    @strawberry.field(description="Where the PDF can be downloaded for five minutes; null while it is being made.")
    async def pdf_url(self, info: Info) -> str | None:
        return await info.context.credentials.pdf_url(self.row)

    @strawberry.field(description="SHA-256 of the PDF, hexadecimal; null while it is being made.")
    def pdf_sha256(self) -> str | None:
        return self.row.pdf_sha256

    @strawberry.field(description="Where the Open Badge 3.0 is, signed as a JSON Web Token.")
    def badge_url(self, info: Info) -> str:
        return info.context.credentials.badge_url(self.row)

    @strawberry.field(description="The QR code of verifyUrl as SVG.")
    def qr(self) -> str:
        return pdf.qr(self.row.facts["verify_url"])


@strawberry.type(description="A page of certificates.")
class CertificateConnection(Connection[Certificate]):
    pass


@strawberry.type(description="What anybody may know of a certificate whose code they have.")
class CertificateVerification:
    row: strawberry.Private[CertificateRow]

    @strawberry.field(description="The code.")
    def code(self) -> str:
        return self.row.code

    @strawberry.field(description="What it amounts to now.")
    def standing(self) -> CertificateStanding:
        return CertificateStanding(self.row.standing().value)

    @strawberry.field(description="What it states.")
    def facts(self) -> CertificateFacts:
        return CertificateFacts(facts=Facts.of(self.row.facts))

    @strawberry.field(description="Since when.")
    def issued_at(self) -> DateTime:
        return DateTime(self.row.issued_at)

    @strawberry.field(description="Until when; null for ever.")
    def valid_until(self) -> DateTime | None:
        return DateTime(self.row.valid_until) if self.row.valid_until else None

    @strawberry.field(description="When it was taken back.")
    def revoked_at(self) -> DateTime | None:
        return DateTime(self.row.revoked_at) if self.row.revoked_at else None

    @strawberry.field(description="SHA-256 of the genuine PDF, hexadecimal; null while it is being made.")
    def pdf_sha256(self) -> str | None:
        return self.row.pdf_sha256

    @strawberry.field(description="Where the signed Open Badge is.")
    def badge_url(self, info: Info) -> str:
        return info.context.platform.desk.house(info.context.here).badge_url(self.row.code)


@strawberry.type(description="Something that stands against a certificate.")
class CertificateObjection:
    objection: strawberry.Private[Objection]

    @strawberry.field(description="Stable and in English; for programs.")
    def code(self) -> str:
        return self.objection.reason.value

    @strawberry.field(description="What is missing, in the reader's language.")
    def message(self, info: Info) -> str:
        return translate(self.objection.sentence, info.context.locale, **self.objection.params)


@strawberry.type(description="Whether a learner has earned a course's certificate.")
class CertificateEligibility:
    reasons: list[CertificateObjection] = strawberry.field(
        description="Everything that stands against it, the gravest first; empty when nothing does."
    )

    @strawberry.field(description="Whether nothing stands against it.")
    def is_eligible(self) -> bool:
        return not self.reasons
