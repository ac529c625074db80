"""Certificates: what can be asked and done."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import strawberry
from strawberry.schema import ExceptionHandler
from strawberry.types.field import StrawberryField

from app.credentials.issuing import Ineligible
from app.credentials.statements import ORDER
from app.viewer import Action
from schema import ids
from schema.certificate_templates import (
    CertificateExceptionKind,
    CertificateTemplate,
    UpdateCertificateTemplateInput,
    given,
)
from schema.certificates import (
    Certificate,
    CertificateConnection,
    CertificateEligibility,
    CertificateObjection,
    CertificateVerification,
)
from schema.context import Info
from schema.enums import word
from schema.errors import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    Problem,
    UnavailableProblem,
    ValidationProblem,
    said,
)
from schema.node import shown
from schema.paging import After, Before, First, Last, connection, page_request
from schema.work import JobSuccess, started


@strawberry.type(description="There is no certificate yet: something is missing.")
class CertificateNotEarnedProblem(Problem):
    """Says all of it at once."""

    reasons: list[CertificateObjection] = strawberry.field(description="Everything that is missing, the gravest first.")


class OnIneligible(ExceptionHandler[Ineligible, CertificateNotEarnedProblem]):
    """Not earned."""

    def handle(self, exception: Ineligible, *, field: StrawberryField, info: Any) -> CertificateNotEarnedProblem:
        reasons = [CertificateObjection(objection=each) for each in exception.objections]
        return CertificateNotEarnedProblem(**said(exception, info), reasons=reasons)


HANDLERS = (OnIneligible(),)


@strawberry.enum(name="CertificateState", description="What is written down of a certificate; time is not considered.")
class CertificateState(Enum):
    ISSUED = strawberry.enum_value("issued", description="It was issued; it may have expired.")
    REVOKED = strawberry.enum_value("revoked", description="It was taken back.")
    SUPERSEDED = strawberry.enum_value("superseded", description="Another one replaced it.")


@strawberry.input(description="Which certificates to list.")
class CertificateFilter:
    course_id: strawberry.ID | None = strawberry.field(default=None, description="Only of this course.")
    user_id: strawberry.ID | None = strawberry.field(default=None, description="Only of this learner.")
    state: CertificateState | None = strawberry.field(default=None, description="Only in this state.")


@strawberry.input(description="A course whose certificate is asked for.")
class IssueCertificateInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="The learner; the person who asks by default."
    )


@strawberry.input(description="A certificate, and why something is done with it.")
class CertificateReasonInput:
    id: strawberry.ID = strawberry.field(description="The certificate.")
    reason: str = strawberry.field(description="3 to 500 characters; goes into the audit log.")


@strawberry.input(description="A course whose waiting learners are to get their certificates.")
class IssueCertificatesInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    is_dry_run: bool = strawberry.field(default=False, description="Only find out what would happen.")


@strawberry.input(description="Certificates to take back.")
class RevokeCertificatesInput:
    ids: list[strawberry.ID] = strawberry.field(description="The certificates, at most 5,000.")
    reason: str = strawberry.field(description="3 to 500 characters; goes into the audit log.")
    is_dry_run: bool = strawberry.field(default=False, description="Only find out what would happen.")


@strawberry.input(description="An exception to make for a learner.")
class SetCertificateExceptionInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    user_id: strawberry.ID = strawberry.field(description="The learner.")
    kind: CertificateExceptionKind = strawberry.field(description="Which.")
    reason: str = strawberry.field(description="3 to 500 characters; goes into the audit log.")


@strawberry.input(description="An exception to take back.")
class RemoveCertificateExceptionInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    user_id: strawberry.ID = strawberry.field(description="The learner.")


@strawberry.type(description="A certificate after the change.")
class CertificateSuccess:
    certificate: Certificate = strawberry.field(description="The certificate.")


@strawberry.type(description="A course's certificate template after the change.")
class CertificateTemplateSuccess:
    template: CertificateTemplate = strawberry.field(description="The template.")


@strawberry.type(description="Whether the learner gets a certificate now.")
class CertificateExceptionSuccess:
    eligibility: CertificateEligibility | None = strawberry.field(
        description="How the learner stands after the change."
    )


IssueCertificateResult = Annotated[
    CertificateSuccess
    | CertificateNotEarnedProblem
    | NotFoundProblem
    | ForbiddenProblem
    | ConflictProblem
    | ValidationProblem
    | UnavailableProblem,
    strawberry.union("IssueCertificateResult", description="Outcome of issueCertificate."),
]
RevokeCertificateResult = Annotated[
    CertificateSuccess | ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem,
    strawberry.union("RevokeCertificateResult", description="Outcome of revokeCertificate."),
]
ReinstateCertificateResult = Annotated[
    CertificateSuccess
    | CertificateNotEarnedProblem
    | ValidationProblem
    | NotFoundProblem
    | ForbiddenProblem
    | ConflictProblem
    | UnavailableProblem,
    strawberry.union("ReinstateCertificateResult", description="Outcome of reinstateCertificate."),
]
ReissueCertificateResult = Annotated[
    CertificateSuccess | ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem,
    strawberry.union("ReissueCertificateResult", description="Outcome of reissueCertificate."),
]
IssueCertificatesResult = Annotated[
    JobSuccess | NotFoundProblem | ForbiddenProblem | ConflictProblem | ValidationProblem | UnavailableProblem,
    strawberry.union("IssueCertificatesResult", description="Outcome of issueCertificates."),
]
RevokeCertificatesResult = Annotated[
    JobSuccess | ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem,
    strawberry.union("RevokeCertificatesResult", description="Outcome of revokeCertificates."),
]
UpdateCertificateTemplateResult = Annotated[
    CertificateTemplateSuccess
    | ValidationProblem
    | NotFoundProblem
    | ForbiddenProblem
    | ConflictProblem
    | UnavailableProblem,
    strawberry.union("UpdateCertificateTemplateResult", description="Outcome of updateCertificateTemplate."),
]
SetCertificateExceptionResult = Annotated[
    CertificateExceptionSuccess
    | ValidationProblem
    | NotFoundProblem
    | ForbiddenProblem
    | ConflictProblem
    | UnavailableProblem,
    strawberry.union("SetCertificateExceptionResult", description="Outcome of setCertificateException."),
]
RemoveCertificateExceptionResult = Annotated[
    CertificateExceptionSuccess
    | ValidationProblem
    | NotFoundProblem
    | ForbiddenProblem
    | ConflictProblem
    | UnavailableProblem,
    strawberry.union("RemoveCertificateExceptionResult", description="Outcome of removeCertificateException."),
]


def filters_of(filter: CertificateFilter | None, mask: int) -> dict[str, Any]:
    """A filter as the service takes it."""
    found: dict[str, Any] = {}
    if filter is not None and filter.course_id is not None:
        found["course_id"] = ids.decode(ids.COURSE, filter.course_id, mask)
    if filter is not None and filter.user_id is not None:
        found["user_id"] = ids.decode(ids.USER, filter.user_id, mask)
    if filter is not None and filter.state is not None:
        found["state"] = word(filter.state)
    return found


def certificate_page(page: Any, count: Any) -> CertificateConnection:
    """A connection of certificates."""
    made: CertificateConnection = connection(
        CertificateConnection,
        ORDER.name,
        page,
        nodes=shown(Certificate, page.rows),
        key=lambda row: (row.issued_at, row.id),
        count=count,
    )
    return made


async def eligibility_of(info: Info, course_id: Any, user_id: Any) -> CertificateEligibility | None:
    """How a learner stands; None when there is no such course."""
    found = await info.context.credentials.eligibility(course_id, user_id)
    if found is None:
        return None
    return CertificateEligibility(reasons=[CertificateObjection(objection=each) for each in found])


@strawberry.type
class CertificateQuery:
    @strawberry.field(description="One's own certificate, or one of a course that one runs; null when there is none.")
    async def certificate(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The certificate.")]
    ) -> Certificate | None:
        info.context.viewer.require(Action.READ_SELF)
        row = await info.context.certificates_by_id.load(ids.decode(ids.CERTIFICATE, id, info.context.mask))
        return None if row is None else Certificate(row=row)

    @strawberry.field(description="The certificates of the person who asks, the newest first.")
    async def my_certificates(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> CertificateConnection:
        credentials = info.context.credentials
        page = await credentials.my_certificates(page_request(ORDER, first, after, last, before))
        return certificate_page(page, credentials.count_my_certificates)

    @strawberry.field(
        description="Everybody's certificates: for administrators, and for instructors in their own courses."
    )
    async def certificates(
        self,
        info: Info,
        filter: Annotated[CertificateFilter | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> CertificateConnection:
        credentials, wanted = info.context.credentials, filters_of(filter, info.context.mask)
        page = await credentials.certificates(page_request(ORDER, first, after, last, before), wanted)
        return certificate_page(page, lambda: credentials.count_certificates(wanted))

    @strawberry.field(
        description="Whether a certificate is genuine, for everybody; null for every code that is not one of this "
        "organisation's. Who asks in vain too often has to wait."
    )
    async def verify_certificate(
        self,
        info: Info,
        code: Annotated[str, strawberry.argument(description="The code, in any case, with or without hyphens.")],
    ) -> CertificateVerification | None:
        context = info.context
        row = await context.platform.desk.find(context.here, code, context.client.ip)
        return None if row is None else CertificateVerification(row=row)

    @strawberry.field(
        description="Whether a learner has earned a course's certificate, and what is missing; null without course."
    )
    async def certificate_eligibility(
        self,
        info: Info,
        course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")],
        user_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The learner, for those who run the course; oneself by default."),
        ] = None,
    ) -> CertificateEligibility | None:
        mask = info.context.mask
        learner = None if user_id is None else ids.decode(ids.USER, user_id, mask)
        return await eligibility_of(info, ids.decode(ids.COURSE, course_id, mask), learner)

    @strawberry.field(description="How a course's certificates are, for those who run it; null without course.")
    async def certificate_template(
        self, info: Info, course_id: Annotated[strawberry.ID, strawberry.argument(description="The course.")]
    ) -> CertificateTemplate | None:
        row = await info.context.credentials.template(ids.decode(ids.COURSE, course_id, info.context.mask))
        return None if row is None else CertificateTemplate(row=row)


@strawberry.type
class CertificateMutation:
    @strawberry.mutation(
        description="Get the certificate of a completed course: one's own, or a learner's for those who run the "
        "course. Asking again gives the same one."
    )
    async def issue_certificate(
        self, info: Info, input: Annotated[IssueCertificateInput, strawberry.argument(description="Of what.")]
    ) -> IssueCertificateResult:
        mask = info.context.mask
        learner = None if input.user_id is None else ids.decode(ids.USER, input.user_id, mask)
        course_id = ids.decode(ids.COURSE, input.course_id, mask)
        row = await info.context.credentials.issue_certificate(course_id, learner)
        return CertificateSuccess(certificate=Certificate(row=row))

    @strawberry.mutation(description="Take a certificate back; verification says so at once.")
    async def revoke_certificate(
        self, info: Info, input: Annotated[CertificateReasonInput, strawberry.argument(description="Which, and why.")]
    ) -> RevokeCertificateResult:
        key = ids.decode(ids.CERTIFICATE, input.id, info.context.mask)
        row = await info.context.credentials.revoke_certificate(key, input.reason)
        return CertificateSuccess(certificate=Certificate(row=row))

    @strawberry.mutation(description="Let a revoked certificate count again, with the code that it had.")
    async def reinstate_certificate(
        self, info: Info, input: Annotated[CertificateReasonInput, strawberry.argument(description="Which, and why.")]
    ) -> ReinstateCertificateResult:
        key = ids.decode(ids.CERTIFICATE, input.id, info.context.mask)
        row = await info.context.credentials.reinstate_certificate(key, input.reason)
        return CertificateSuccess(certificate=Certificate(row=row))

    @strawberry.mutation(
        description="Replace a certificate by one that states what is true today, after a change of name for instance."
    )
    async def reissue_certificate(
        self, info: Info, input: Annotated[CertificateReasonInput, strawberry.argument(description="Which, and why.")]
    ) -> ReissueCertificateResult:
        key = ids.decode(ids.CERTIFICATE, input.id, info.context.mask)
        row = await info.context.credentials.reissue_certificate(key, input.reason)
        return CertificateSuccess(certificate=Certificate(row=row))

    @strawberry.mutation(description="Issue, as a job, the certificates that a course's learners wait for.")
    async def issue_certificates(
        self, info: Info, input: Annotated[IssueCertificatesInput, strawberry.argument(description="Of what.")]
    ) -> IssueCertificatesResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        return await started(info, await info.context.credentials.issue_many(course_id, is_dry_run=input.is_dry_run))

    @strawberry.mutation(description="Take many certificates back, as a job.")
    async def revoke_certificates(
        self, info: Info, input: Annotated[RevokeCertificatesInput, strawberry.argument(description="Which, and why.")]
    ) -> RevokeCertificatesResult:
        keys = ids.decode_all(ids.CERTIFICATE, input.ids, info.context.mask, "input.ids")
        job_id = await info.context.credentials.revoke_many(keys, input.reason, is_dry_run=input.is_dry_run)
        return await started(info, job_id)

    @strawberry.mutation(description="Say how a course's certificates are from now on; issued ones stay as they are.")
    async def update_certificate_template(
        self,
        info: Info,
        input: Annotated[UpdateCertificateTemplateInput, strawberry.argument(description="What to change.")],
    ) -> UpdateCertificateTemplateResult:
        course_id = ids.decode(ids.COURSE, input.course_id, info.context.mask)
        row = await info.context.credentials.update_template(
            course_id, given(input), expected_version=input.expected_version
        )
        return CertificateTemplateSuccess(template=CertificateTemplate(row=row))

    @strawberry.mutation(
        description="Give a learner a certificate without completion or score, or none whatever happens; the latter "
        "takes back what there is."
    )
    async def set_certificate_exception(
        self, info: Info, input: Annotated[SetCertificateExceptionInput, strawberry.argument(description="For whom.")]
    ) -> SetCertificateExceptionResult:
        mask = info.context.mask
        course_id, user_id = ids.decode(ids.COURSE, input.course_id, mask), ids.decode(ids.USER, input.user_id, mask)
        await info.context.credentials.set_exception(course_id, user_id, kind=word(input.kind), reason=input.reason)
        return CertificateExceptionSuccess(eligibility=await eligibility_of(info, course_id, user_id))

    @strawberry.mutation(description="Take an exception back; certificates stay as they are.")
    async def remove_certificate_exception(
        self,
        info: Info,
        input: Annotated[RemoveCertificateExceptionInput, strawberry.argument(description="For whom.")],
    ) -> RemoveCertificateExceptionResult:
        mask = info.context.mask
        course_id, user_id = ids.decode(ids.COURSE, input.course_id, mask), ids.decode(ids.USER, input.user_id, mask)
        await info.context.credentials.remove_exception(course_id, user_id)
        return CertificateExceptionSuccess(eligibility=await eligibility_of(info, course_id, user_id))
