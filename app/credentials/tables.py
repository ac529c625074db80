"""Certificates, what they look like in each course, who is an exception, and the keys that sign badges."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.db.metadata import TENANT
from app.db.tables import created_at, updated_at

# A version is never changed: a certificate says which one it was made from.
certificate_templates = Table(
    "certificate_templates",
    TENANT,
    Column("course_id", Uuid, ForeignKey("courses.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("is_enabled", Boolean, nullable=False, server_default=text("true")),
    Column("title", Text, nullable=False, server_default=""),
    Column("body", Text, nullable=False, server_default=""),
    # [{"name", "role"}, ...]
    Column("signatories", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("validity_months", Integer, CheckConstraint("validity_months BETWEEN 1 AND 600", name="validity_months")),
    Column("grace_days", Integer, nullable=False, server_default=text("0")),
    Column("min_score", Numeric(5, 2), CheckConstraint("min_score BETWEEN 0 AND 100", name="min_score")),
    Column(
        "score_policy",
        Text,
        CheckConstraint("score_policy IN ('keep', 'flag', 'revoke')", name="score_policy"),
        nullable=False,
        server_default="keep",
    ),
    Column("hours", Numeric(6, 1), CheckConstraint("hours > 0", name="hours")),
    Column("primary_color", Text, nullable=False, server_default="#1f3a5f"),
    Column("accent_color", Text, nullable=False, server_default="#c8963e"),
    Column("logo_text", Text, nullable=False, server_default=""),
    Column("created_by", Uuid, ForeignKey("members.user_id"), index=True),
    created_at(),
)

certificates = Table(
    "certificates",
    TENANT,
    Column("id", Uuid, primary_key=True),
    # No cascades: a certificate outlives the course and the enrolment.
    Column("enrollment_id", Uuid, ForeignKey("enrollments.id"), nullable=False),
    Column("course_id", Uuid, ForeignKey("courses.id"), nullable=False),
    Column("user_id", Uuid, ForeignKey("members.user_id"), nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("code", Text, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('issued', 'revoked', 'superseded')", name="state"),
        nullable=False,
        server_default="issued",
    ),
    # K3: everything that is printed, as it was at issue; see app/credentials/facts.py.
    Column("facts", JSONB, nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("issued_by", Uuid, ForeignKey("members.user_id"), index=True),
    Column("valid_until", DateTime(timezone=True)),
    Column("grace_days", Integer, nullable=False, server_default=text("0")),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_reason", Text),
    # K4: since when the score has been below the pass mark, where the policy is to say so.
    Column("flagged_at", DateTime(timezone=True)),
    Column("superseded_by", Uuid, ForeignKey("certificates.id"), index=True),
    # The certificate's bit in the status lists of badges.
    Column("status_number", BigInteger, Identity(always=True, start=0, minvalue=0), nullable=False),
    # The document, once the worker has made it.
    Column("pdf_key", Text),
    Column("pdf_sha256", Text),
    Column("pdf_attempts", Integer, nullable=False, server_default=text("0")),
    Column("pdf_retry_at", DateTime(timezone=True)),
    created_at(),
    updated_at(),
    UniqueConstraint("code", name="uq_certificates_code"),
    UniqueConstraint("status_number", name="uq_certificates_status_number"),
    # K1: one that counts, or that was revoked and may be reinstated, per enrolment and cycle.
    Index(
        "uq_certificates_live",
        "enrollment_id",
        "cycle",
        unique=True,
        postgresql_where=text("state <> 'superseded'"),
    ),
    Index("ix_certificates_enrollment", "enrollment_id", "cycle"),
    Index("ix_certificates_newest", "issued_at", "id"),
    Index("ix_certificates_course", "course_id", "issued_at", "id"),
    Index("ix_certificates_user", "user_id", "issued_at", "id"),
    Index("ix_certificates_undrawn", "issued_at", "id", postgresql_where=text("pdf_sha256 IS NULL")),
    Index("ix_certificates_ended", "status_number", postgresql_where=text("state <> 'issued'")),
    Index(
        "ix_certificates_expiring",
        "valid_until",
        "id",
        postgresql_where=text("state = 'issued' AND valid_until IS NOT NULL"),
    ),
)

# K6: what was sent of one certificate, by which channel; a row here is why it is not sent again.
certificate_reminders = Table(
    "certificate_reminders",
    TENANT,
    Column("certificate_id", Uuid, ForeignKey("certificates.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    created_at(),
)

# Who gets a certificate without having passed (allow), and who gets none whatever happens (invalidate).
certificate_exceptions = Table(
    "certificate_exceptions",
    TENANT,
    Column("course_id", Uuid, ForeignKey("courses.id"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("members.user_id"), primary_key=True, index=True),
    Column("kind", Text, CheckConstraint("kind IN ('allow', 'invalidate')", name="kind"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_by", Uuid, ForeignKey("members.user_id"), index=True),
    created_at(),
)

# Ed25519 keys that sign the organisation's badges; the private half is encrypted with CREDENTIALS_SECRET.
issuer_keys = Table(
    "issuer_keys",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("private_key", LargeBinary, nullable=False),
    # A key that signs no more still verifies what it has signed.
    Column("retired_at", DateTime(timezone=True)),
    created_at(),
    Index(
        "uq_issuer_keys_current", text("(retired_at IS NULL)"), unique=True, postgresql_where=text("retired_at IS NULL")
    ),
)
