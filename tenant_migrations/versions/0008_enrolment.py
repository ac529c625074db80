"""Enrolment in full: seats, waiting lists, codes, addresses let in beforehand, cohorts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_enrolment"
down_revision = "0007_work"
branch_labels = None
depends_on = None

BEFORE = "status IN ('active', 'completed', 'dropped')"
NOW = (
    "status IN ('requested', 'invited', 'active', 'completed', 'waitlisted', 'offered', 'suspended', 'dropped', "
    "'rejected')"
)
ROLES = "role IN ('student', 'instructor', 'assistant', 'observer')"
INDEXES = {
    "ix_enrollments_learners": (["course_id"], "role = 'student' AND (status = 'active' OR status = 'completed')"),
    "ix_enrollments_due": (["due_at", "id"], "due_at IS NOT NULL"),
    "ix_enrollments_waiting": (["course_id", "waitlist_place"], "waitlist_place IS NOT NULL"),
    "ix_enrollments_done": (["course_id", "id"], "holds_seat AND status = 'completed'"),
    "ix_enrollments_observed": (["observed_id"], "observed_id IS NOT NULL"),
}
CHECKS = {
    "observed": "(role = 'observer') = (observed_id IS NOT NULL) AND observed_id <> user_id",
    "waitlist_place": "(status = 'waitlisted') = (waitlist_place IS NOT NULL)",
    "offer_expires_at": "(status = 'offered') = (offer_expires_at IS NOT NULL)",
}
TIMES = ("activated_at", "expires_at", "noticed_for", "offer_expires_at", "due_at")
TABLES = (
    "cohort_members", "enrollment_allowances", "cohorts", "invite_code_uses", "invite_codes", "course_enrollment",
)  # fmt: skip
TABLE_CHECKS = (
    ("cohorts", "due_days", "due_days BETWEEN 1 AND 3660"),
    ("course_enrollment", "policy", "policy IN ('open', 'approval', 'invitation', 'closed')"),
    ("course_enrollment", "capacity", "capacity >= 0"),
    ("course_enrollment", "seats_taken", "seats_taken >= 0"),
    ("course_enrollment", "offer_hours", "offer_hours BETWEEN 1 AND 720"),
    ("course_enrollment", "access_days", "access_days BETWEEN 1 AND 3660"),
    ("course_enrollment", "inactivity_days", "inactivity_days BETWEEN 1 AND 3660"),
    ("course_enrollment", "notice_days", "notice_days BETWEEN 1 AND 365"),
    ("invite_codes", "used_count", "max_uses IS NULL OR used_count <= max_uses"),
)


def upgrade() -> None:
    """Enrolments get more states; everybody who is learning now has a seat."""
    op.drop_constraint(op.f("ck_enrollments_status"), "enrollments", type_="check")
    op.create_check_constraint(op.f("ck_enrollments_status"), "enrollments", NOW)
    op.add_column("enrollments", sa.Column("role", sa.Text(), server_default="student", nullable=False))
    op.create_check_constraint(op.f("ck_enrollments_role"), "enrollments", ROLES)
    op.add_column("enrollments", sa.Column("observed_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_enrollments_observed_id"), "enrollments", "members", ["observed_id"], ["user_id"])
    op.add_column("enrollments", sa.Column("holds_seat", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    for name in TIMES:
        op.add_column("enrollments", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("enrollments", sa.Column("missed_offers", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("enrollments", sa.Column("waitlist_place", sa.Integer(), nullable=True))
    op.execute("UPDATE enrollments SET activated_at = enrolled_at, holds_seat = (status = 'active')")
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_enrollments_{name}"), "enrollments", condition)
    for name, (columns, condition) in INDEXES.items():
        op.create_index(name, "enrollments", columns, postgresql_where=sa.text(condition))
    op.create_index("ix_members_email", "members", ["email"])
    op.create_table(
        "course_enrollment",
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("policy", sa.Text(), server_default="open", nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("seats_taken", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_place", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("offer_hours", sa.Integer(), nullable=True),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("access_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("access_days", sa.Integer(), nullable=True),
        sa.Column("inactivity_days", sa.Integer(), nullable=True),
        sa.Column("notice_days", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_course_enrollment_course_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("course_id", name=op.f("pk_course_enrollment")),
    )
    op.create_table(
        "invite_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("used_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("emails", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("domains", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_invite_codes_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["created_by"], ["members.user_id"], name=op.f("fk_invite_codes_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invite_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_invite_codes_code_hash")),
    )
    op.create_index("ix_invite_codes_course", "invite_codes", ["course_id", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_invite_codes_created_by"), "invite_codes", ["created_by"], unique=False)
    op.create_table(
        "invite_code_uses",
        sa.Column("code_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["code_id"], ["invite_codes.id"], name=op.f("fk_invite_code_uses_code_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["members.user_id"], name=op.f("fk_invite_code_uses_user_id")),
        sa.PrimaryKeyConstraint("code_id", "user_id", name=op.f("pk_invite_code_uses")),
    )
    op.create_index(op.f("ix_invite_code_uses_user_id"), "invite_code_uses", ["user_id"], unique=False)
    op.create_table(
        "cohorts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_days", sa.Integer(), nullable=True),
        sa.Column("grace_days", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("risk_days", sa.Integer(), server_default=sa.text("7"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("due_at IS NULL OR due_days IS NULL", name=op.f("ck_cohorts_one_deadline")),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_cohorts_course_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohorts")),
    )
    op.create_index("ix_cohorts_course", "cohorts", ["course_id", "created_at", "id"], unique=False)
    op.create_index("uq_cohorts_course_name", "cohorts", ["course_id", "name"], unique=True)
    op.create_table(
        "enrollment_allowances",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.Uuid(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("cohort_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["claimed_by"], ["members.user_id"], name=op.f("fk_enrollment_allowances_claimed_by")),
        sa.ForeignKeyConstraint(
            ["cohort_id"], ["cohorts.id"], name=op.f("fk_enrollment_allowances_cohort_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_enrollment_allowances_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["created_by"], ["members.user_id"], name=op.f("fk_enrollment_allowances_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrollment_allowances")),
    )
    op.create_index(
        "ix_enrollment_allowances_claimed",
        "enrollment_allowances",
        ["claimed_at", "id"],
        unique=False,
        postgresql_where=sa.text("claimed_at IS NOT NULL AND outcome IS NULL"),
    )
    op.create_index(op.f("ix_enrollment_allowances_claimed_by"), "enrollment_allowances", ["claimed_by"], unique=False)
    op.create_index(op.f("ix_enrollment_allowances_cohort_id"), "enrollment_allowances", ["cohort_id"], unique=False)
    op.create_index(
        "ix_enrollment_allowances_course", "enrollment_allowances", ["course_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_enrollment_allowances_created_by"), "enrollment_allowances", ["created_by"], unique=False)
    op.create_index(
        "ix_enrollment_allowances_open",
        "enrollment_allowances",
        ["email"],
        unique=False,
        postgresql_where=sa.text("claimed_at IS NULL"),
    )
    op.create_index(
        "uq_enrollment_allowances_course_email", "enrollment_allowances", ["course_id", "email"], unique=True
    )
    op.create_table(
        "cohort_members",
        sa.Column("enrollment_id", sa.Uuid(), nullable=False),
        sa.Column("cohort_id", sa.Uuid(), nullable=False),
        sa.Column("waived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waived_by", sa.Uuid(), nullable=True),
        sa.Column("waive_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["cohort_id"], ["cohorts.id"], name=op.f("fk_cohort_members_cohort_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name=op.f("fk_cohort_members_enrollment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["waived_by"], ["members.user_id"], name=op.f("fk_cohort_members_waived_by")),
        sa.PrimaryKeyConstraint("enrollment_id", name=op.f("pk_cohort_members")),
    )
    op.create_index("ix_cohort_members_cohort", "cohort_members", ["cohort_id", "enrollment_id"], unique=False)
    op.create_index(op.f("ix_cohort_members_waived_by"), "cohort_members", ["waived_by"], unique=False)
    for table, name, condition in TABLE_CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def downgrade() -> None:
    """Drop them; whoever is neither learning nor done counts as having left."""
    for table in TABLES:
        op.drop_table(table)
    op.drop_index("ix_members_email", table_name="members")
    for name in reversed(INDEXES):
        op.drop_index(name, table_name="enrollments")
    for name in reversed(CHECKS):
        op.drop_constraint(op.f(f"ck_enrollments_{name}"), "enrollments", type_="check")
    op.drop_column("enrollments", "waitlist_place")
    op.drop_column("enrollments", "missed_offers")
    for name in reversed(TIMES):
        op.drop_column("enrollments", name)
    op.drop_column("enrollments", "holds_seat")
    op.drop_column("enrollments", "observed_id")
    op.drop_column("enrollments", "role")
    op.drop_constraint(op.f("ck_enrollments_status"), "enrollments", type_="check")
    op.execute("UPDATE enrollments SET status = 'dropped' WHERE status NOT IN ('active', 'completed')")
    op.create_check_constraint(op.f("ck_enrollments_status"), "enrollments", BEFORE)
