"""How a course's certificates are, and who is an exception, as clients see it."""

from __future__ import annotations

from enum import Enum

import strawberry

from app.credentials.facts import Signatory
from app.credentials.rows import TemplateRow
from schema.enums import word
from schema.scalars import Decimal

UNSET = strawberry.UNSET


@strawberry.enum(
    name="ScorePolicy", description="What happens to a certificate when its score falls below the pass mark afterwards."
)
class ScorePolicy(Enum):
    KEEP = strawberry.enum_value("keep", description="Nothing.")
    FLAG = strawberry.enum_value("flag", description="It counts, and those who run the course see a flag.")
    REVOKE = strawberry.enum_value("revoke", description="It is revoked, except of learners on the list of exceptions.")


@strawberry.enum(name="CertificateExceptionKind", description="An exception from what a certificate needs.")
class CertificateExceptionKind(Enum):
    ALLOW = strawberry.enum_value("allow", description="A certificate without completion or score.")
    INVALIDATE = strawberry.enum_value("invalidate", description="No certificate, whatever happens.")


@strawberry.type(description="Who signs a certificate.")
class CertificateSignatory:
    name: str = strawberry.field(description="Name.")
    role: str = strawberry.field(description="As what.")


@strawberry.type(description="How a course's certificates look and what they need. Issued ones keep their version.")
class CertificateTemplate:
    row: strawberry.Private[TemplateRow]

    @strawberry.field(description="Grows with each change; 0 before the first.")
    def version(self) -> int:
        return self.row.version

    @strawberry.field(description="Whether the course gives certificates at all.")
    def is_enabled(self) -> bool:
        return self.row.is_enabled

    @strawberry.field(description="Heading; empty for the usual one in the learner's language.")
    def title(self) -> str:
        return self.row.title

    @strawberry.field(description="More about the course; may be empty.")
    def body(self) -> str:
        return self.row.body

    @strawberry.field(description="Who signs, at most three.")
    def signatories(self) -> list[CertificateSignatory]:
        return [CertificateSignatory(**each) for each in self.row.signatories]

    @strawberry.field(description="Months for which a certificate counts; null for ever.")
    def validity_months(self) -> int | None:
        return self.row.validity_months

    @strawberry.field(description="Days after its end in which it may still be renewed.")
    def grace_days(self) -> int:
        return self.row.grace_days

    @strawberry.field(description="Pass mark, percent; null for none.")
    def min_score(self) -> Decimal | None:
        return None if self.row.min_score is None else Decimal(self.row.min_score)

    @strawberry.field(description="What happens when the score falls below it afterwards.")
    def score_policy(self) -> ScorePolicy:
        return ScorePolicy(self.row.score_policy)

    @strawberry.field(description="How long the course takes, hours; null when not said.")
    def hours(self) -> Decimal | None:
        return None if self.row.hours is None else Decimal(self.row.hours)

    @strawberry.field(description="Colour of texts and the band, like #1f3a5f.")
    def primary_color(self) -> str:
        return self.row.primary_color

    @strawberry.field(description="Colour of frames and the seal, like #c8963e.")
    def accent_color(self) -> str:
        return self.row.accent_color

    @strawberry.field(description="Name above the heading; empty for the organisation's.")
    def logo_text(self) -> str:
        return self.row.logo_text


@strawberry.input(description="Who signs a certificate.")
class CertificateSignatoryInput:
    name: str = strawberry.field(description="1 to 60 characters.")
    role: str = strawberry.field(default="", description="At most 60 characters.")


@strawberry.input(description="Changes of how a course's certificates are; what is not sent stays as it is.")
class UpdateCertificateTemplateInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")
    is_enabled: bool | None = strawberry.field(default=UNSET, description="Whether the course gives certificates.")
    title: str | None = strawberry.field(default=UNSET, description="At most 80 characters; empty for the usual one.")
    body: str | None = strawberry.field(default=UNSET, description="At most 300 characters.")
    signatories: list[CertificateSignatoryInput] | None = strawberry.field(default=UNSET, description="At most three.")
    validity_months: int | None = strawberry.field(default=UNSET, description="1 to 600; null for ever.")
    grace_days: int | None = strawberry.field(default=UNSET, description="0 to 365.")
    min_score: Decimal | None = strawberry.field(default=UNSET, description="0 to 100; null for none.")
    score_policy: ScorePolicy | None = strawberry.field(default=UNSET, description="When the score falls below it.")
    hours: Decimal | None = strawberry.field(default=UNSET, description="1 to 10,000; null when not said.")
    primary_color: str | None = strawberry.field(default=UNSET, description="Like #1f3a5f.")
    accent_color: str | None = strawberry.field(default=UNSET, description="Like #c8963e.")
    logo_text: str | None = strawberry.field(default=UNSET, description="At most 60 characters.")


_FIELDS = (
    *("is_enabled", "title", "body", "signatories", "validity_months", "grace_days", "min_score"),
    *("score_policy", "hours", "primary_color", "accent_color", "logo_text"),
)


def given(input: UpdateCertificateTemplateInput) -> dict[str, object]:
    """The changes that were sent, as the service takes them."""
    sent = {name: getattr(input, name) for name in _FIELDS if getattr(input, name) is not UNSET}
    if sent.get("signatories") is not None:
        sent["signatories"] = [Signatory(each.name, each.role) for each in sent["signatories"]]
    if sent.get("score_policy") is not None:
        sent["score_policy"] = word(sent["score_policy"])
    return sent
