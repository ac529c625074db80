"""Certificates, their templates and exceptions, and the keys that sign badges."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012_credentials"
down_revision = "0011_attempts"
branch_labels = None
depends_on = None
TABLE_CHECKS = (
    ("certificate_exceptions", "kind", "kind IN ('allow', 'invalidate')"),
    ("certificate_templates", "validity_months", "validity_months BETWEEN 1 AND 600"),
    ("certificate_templates", "min_score", "min_score BETWEEN 0 AND 100"),
    ("certificate_templates", "score_policy", "score_policy IN ('keep', 'flag', 'revoke')"),
    ("certificate_templates", "hours", "hours > 0"),
    ("certificates", "state", "state IN ('issued', 'revoked', 'superseded')"),
)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "certificate_templates",
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "signatories",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("validity_months", sa.Integer(), nullable=True),
        sa.Column("grace_days", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("min_score", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("score_policy", sa.Text(), server_default="keep", nullable=False),
        sa.Column("hours", sa.Numeric(precision=6, scale=1), nullable=True),
        sa.Column("primary_color", sa.Text(), server_default="#1f3a5f", nullable=False),
        sa.Column("accent_color", sa.Text(), server_default="#c8963e", nullable=False),
        sa.Column("logo_text", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_certificate_templates_course_id")),
        sa.ForeignKeyConstraint(["created_by"], ["members.user_id"], name=op.f("fk_certificate_templates_created_by")),
        sa.PrimaryKeyConstraint("course_id", "version", name=op.f("pk_certificate_templates")),
    )
    op.create_index(op.f("ix_certificate_templates_created_by"), "certificate_templates", ["created_by"], unique=False)
    op.create_table(
        "certificates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("enrollment_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="issued", nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_by", sa.Uuid(), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("grace_days", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.Text(), nullable=True),
        sa.Column("flagged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_by", sa.Uuid(), nullable=True),
        sa.Column("status_number", sa.BigInteger(), sa.Identity(always=True, start=0, minvalue=0), nullable=False),
        sa.Column("pdf_key", sa.Text(), nullable=True),
        sa.Column("pdf_sha256", sa.Text(), nullable=True),
        sa.Column("pdf_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pdf_retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_certificates_course_id")),
        sa.ForeignKeyConstraint(["enrollment_id"], ["enrollments.id"], name=op.f("fk_certificates_enrollment_id")),
        sa.ForeignKeyConstraint(["issued_by"], ["members.user_id"], name=op.f("fk_certificates_issued_by")),
        sa.ForeignKeyConstraint(["superseded_by"], ["certificates.id"], name=op.f("fk_certificates_superseded_by")),
        sa.ForeignKeyConstraint(["user_id"], ["members.user_id"], name=op.f("fk_certificates_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
        sa.UniqueConstraint("code", name="uq_certificates_code"),
        sa.UniqueConstraint("status_number", name="uq_certificates_status_number"),
    )
    op.create_index("ix_certificates_course", "certificates", ["course_id", "issued_at", "id"], unique=False)
    op.create_index(
        "ix_certificates_ended",
        "certificates",
        ["status_number"],
        unique=False,
        postgresql_where=sa.text("state <> 'issued'"),
    )
    op.create_index("ix_certificates_enrollment", "certificates", ["enrollment_id", "cycle"], unique=False)
    op.create_index(
        "ix_certificates_expiring",
        "certificates",
        ["valid_until", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'issued' AND valid_until IS NOT NULL"),
    )
    op.create_index(op.f("ix_certificates_issued_by"), "certificates", ["issued_by"], unique=False)
    op.create_index("ix_certificates_newest", "certificates", ["issued_at", "id"], unique=False)
    op.create_index(op.f("ix_certificates_superseded_by"), "certificates", ["superseded_by"], unique=False)
    op.create_index(
        "ix_certificates_undrawn",
        "certificates",
        ["issued_at", "id"],
        unique=False,
        postgresql_where=sa.text("pdf_sha256 IS NULL"),
    )
    op.create_index("ix_certificates_user", "certificates", ["user_id", "issued_at", "id"], unique=False)
    op.create_index(
        "uq_certificates_live",
        "certificates",
        ["enrollment_id", "cycle"],
        unique=True,
        postgresql_where=sa.text("state <> 'superseded'"),
    )
    op.create_table(
        "certificate_reminders",
        sa.Column("certificate_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["certificate_id"],
            ["certificates.id"],
            name=op.f("fk_certificate_reminders_certificate_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("certificate_id", "channel", "kind", name=op.f("pk_certificate_reminders")),
    )
    op.create_table(
        "certificate_exceptions",
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_certificate_exceptions_course_id")),
        sa.ForeignKeyConstraint(["created_by"], ["members.user_id"], name=op.f("fk_certificate_exceptions_created_by")),
        sa.ForeignKeyConstraint(["user_id"], ["members.user_id"], name=op.f("fk_certificate_exceptions_user_id")),
        sa.PrimaryKeyConstraint("course_id", "user_id", name=op.f("pk_certificate_exceptions")),
    )
    op.create_index(
        op.f("ix_certificate_exceptions_created_by"), "certificate_exceptions", ["created_by"], unique=False
    )
    op.create_index(op.f("ix_certificate_exceptions_user_id"), "certificate_exceptions", ["user_id"], unique=False)
    op.create_table(
        "issuer_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuer_keys")),
    )
    op.create_index(
        "uq_issuer_keys_current",
        "issuer_keys",
        [sa.literal_column("(retired_at IS NULL)")],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    for table, name, condition in TABLE_CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("issuer_keys")
    op.drop_table("certificate_exceptions")
    op.drop_table("certificate_reminders")
    op.drop_table("certificates")
    op.drop_table("certificate_templates")
