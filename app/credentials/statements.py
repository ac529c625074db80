"""SQL of certificates."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Interval,
    LargeBinary,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from app.catalog.tables import course_instructors, courses
from app.credentials.rows import (
    CaseRow,
    CertificateRow,
    ExceptionRow,
    ExpiringRow,
    KeyRow,
    TemplateRow,
    UndrawnRow,
    WaitingRow,
)
from app.credentials.tables import (
    certificate_exceptions,
    certificate_reminders,
    certificate_templates,
    certificates,
    issuer_keys,
)
from app.db.paging import Order, keyset
from app.db.statements import Statement
from app.identity.tables import members
from app.learning.tables import enrollments

TIME = DateTime(timezone=True)
_ID = bindparam("id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_USER = bindparam("user_id", type_=Uuid)
_COURSE = bindparam("course_id", type_=Uuid)
_ENROLLMENT = bindparam("enrollment_id", type_=Uuid)
_LIMIT = bindparam("limit", type_=Integer)
# Written out: an index of part of a table is used only when the planner can read which part is asked for.
_ISSUED = literal_column("'issued'", Text)
_CERTIFICATE = tuple(certificates.c[name] for name in CertificateRow.__dataclass_fields__)
_TEMPLATE = tuple(certificate_templates.c[name] for name in TemplateRow.__dataclass_fields__)

# --- who has earned one

_case = (
    select(
        enrollments.c.id.label("enrollment_id"),
        enrollments.c.course_id,
        enrollments.c.user_id,
        enrollments.c.cycle,
        enrollments.c.status,
        enrollments.c.role,
        enrollments.c.completed_at,
        members.c.full_name.label("learner_name"),
        members.c.email.label("learner_email"),
        members.c.locale.label("learner_locale"),
        members.c.time_zone.label("learner_time_zone"),
        courses.c.title.label("course_title"),
        courses.c.description.label("course_description"),
        func.coalesce(courses.c.revision, 1).label("course_revision"),
        certificate_exceptions.c.kind.label("exception"),
        func.now().label("now"),
    )
    .join(courses, courses.c.id == enrollments.c.course_id)
    .join(members, members.c.user_id == enrollments.c.user_id)
    .outerjoin(
        certificate_exceptions,
        and_(
            certificate_exceptions.c.course_id == enrollments.c.course_id,
            certificate_exceptions.c.user_id == enrollments.c.user_id,
        ),
    )
)
# Whoever acts on an enrolment at the same time waits here. What depends on it is read afterwards, by a statement of its
# own: a row that was waited for is read again, what is joined to it is not.
LOCK = Statement(select(enrollments.c.id).where(enrollments.c.id == _ENROLLMENT).with_for_update(), UUID)
CASE_OF = Statement(_case.where(enrollments.c.id == _ENROLLMENT), CaseRow)
CASE = Statement(_case.where(enrollments.c.course_id == _COURSE, enrollments.c.user_id == _USER), CaseRow)
ENROLLMENT_OF = Statement(
    select(enrollments.c.id).where(enrollments.c.course_id == _COURSE, enrollments.c.user_id == _USER), UUID
)
EXISTING_COURSE = Statement(select(courses.c.id).where(courses.c.id == _COURSE), UUID)
# Which of these courses somebody teaches.
TAUGHT = Statement(
    select(course_instructors.c.course_id).where(
        course_instructors.c.course_id == any_(_IDS), course_instructors.c.user_id == _USER
    ),
    UUID,
)
EXISTING_MEMBER = Statement(select(members.c.user_id).where(members.c.user_id == _USER), UUID)

# --- templates

TEMPLATE = Statement(
    select(*_TEMPLATE)
    .where(certificate_templates.c.course_id == _COURSE)
    .order_by(certificate_templates.c.version.desc())
    .limit(1),
    TemplateRow,
)
TEMPLATE_VERSION = Statement(
    select(*_TEMPLATE).where(
        certificate_templates.c.course_id == _COURSE,
        certificate_templates.c.version == bindparam("version", type_=Integer),
    ),
    TemplateRow,
)
# Of two who change it at once, one finds the version taken.
ADD_TEMPLATE = Statement(
    upsert(certificate_templates)
    .values(
        **{
            name: bindparam(name, type_=certificate_templates.c[name].type, required=True)
            for name in (*TemplateRow.__dataclass_fields__, "created_by")
        }
    )
    .on_conflict_do_nothing()
    .returning(*_TEMPLATE),
    TemplateRow,
)

# --- certificates

BY_ID = Statement(select(*_CERTIFICATE).where(certificates.c.id == any_(_IDS)), CertificateRow)
BY_CODE = Statement(select(*_CERTIFICATE).where(certificates.c.code == bindparam("code", type_=Text)), CertificateRow)
FOR_UPDATE = Statement(select(*_CERTIFICATE).where(certificates.c.id == _ID).with_for_update(), CertificateRow)
LIVE = Statement(
    select(*_CERTIFICATE)
    .where(
        certificates.c.enrollment_id == _ENROLLMENT,
        certificates.c.cycle == bindparam("cycle", type_=Integer),
        certificates.c.state != "superseded",
    )
    .with_for_update(),
    CertificateRow,
)
REVOKED = Statement(
    select(certificates.c.id).where(
        certificates.c.enrollment_id == _ENROLLMENT,
        certificates.c.cycle == bindparam("cycle", type_=Integer),
        certificates.c.state == "revoked",
    ),
    UUID,
)
ISSUED_OF_LEARNER = Statement(
    select(*_CERTIFICATE)
    .where(
        certificates.c.user_id == _USER,
        certificates.c.course_id == _COURSE,
        certificates.c.state == "issued",
    )
    .order_by(certificates.c.id)
    .limit(100)
    .with_for_update(),
    CertificateRow,
)
_NEW = ("id", "enrollment_id", "course_id", "user_id", "cycle", "code", "issued_at")
ADD = Statement(
    upsert(certificates)
    .values(
        **{name: bindparam(name, type_=certificates.c[name].type) for name in _NEW},
        facts=bindparam("facts", type_=JSONB),
        issued_by=bindparam("issued_by", type_=Uuid, required=True),
        valid_until=bindparam("valid_until", type_=TIME, required=True),
        grace_days=bindparam("grace_days", type_=Integer),
    )
    .on_conflict_do_nothing()
    .returning(*_CERTIFICATE),
    CertificateRow,
)
REVOKE = Statement(
    update(certificates)
    .where(certificates.c.id == _ID, certificates.c.state == "issued")
    .values(
        state="revoked",
        revoked_at=func.now(),
        revoked_reason=bindparam("reason", type_=Text),
        updated_at=func.now(),
    )
    .returning(*_CERTIFICATE),
    CertificateRow,
)
REINSTATE = Statement(
    update(certificates)
    .where(certificates.c.id == _ID, certificates.c.state == "revoked")
    .values(state="issued", revoked_at=null(), revoked_reason=null(), updated_at=func.now())
    .returning(*_CERTIFICATE),
    CertificateRow,
)
SUPERSEDE = Statement(
    update(certificates)
    .where(certificates.c.id == _ID, certificates.c.state == "issued")
    .values(state="superseded", updated_at=func.now()),
    int,
)
LINK_SUCCESSOR = Statement(
    update(certificates)
    .where(certificates.c.id == _ID)
    .values(superseded_by=bindparam("successor", type_=Uuid), updated_at=func.now()),
    int,
)
FLAG = Statement(
    update(certificates)
    .where(certificates.c.id == _ID)
    .values(flagged_at=bindparam("at", type_=TIME, required=True), updated_at=func.now()),
    int,
)

ORDER = Order("certificates:newest", (certificates.c.issued_at, certificates.c.id), descending=True)
_FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": certificates.c.user_id == _USER,
    "course_id": certificates.c.course_id == _COURSE,
    "state": certificates.c.state == bindparam("state", type_=Text),
    "teacher_id": select(course_instructors.c.course_id)
    .where(
        course_instructors.c.course_id == certificates.c.course_id,
        course_instructors.c.user_id == bindparam("teacher_id", type_=Uuid),
    )
    .exists(),
}


def _filtered(query: Select[Any], used: frozenset[str]) -> Select[Any]:
    return query.where(*(_FILTERS[name] for name in sorted(used)))


@lru_cache(maxsize=64)
def certificate_page(used: frozenset[str], after: bool, backward: bool) -> Statement[CertificateRow]:
    """A page of certificates with these filters, the newest first."""
    return Statement(
        keyset(_filtered(select(*_CERTIFICATE), used), ORDER, after=after, backward=backward), CertificateRow
    )


@lru_cache(maxsize=32)
def certificate_count(used: frozenset[str]) -> Statement[int]:
    """How many certificates there are with these filters."""
    return Statement(_filtered(select(func.count()).select_from(certificates), used), int)


WAITING = Statement(
    select(enrollments.c.id.label("enrollment_id"), members.c.full_name.label("learner_name"))
    .join(members, members.c.user_id == enrollments.c.user_id)
    .where(
        enrollments.c.course_id == _COURSE,
        enrollments.c.status == "completed",
        ~select(certificates.c.id)
        .where(
            certificates.c.enrollment_id == enrollments.c.id,
            certificates.c.cycle == enrollments.c.cycle,
            certificates.c.state != "superseded",
        )
        .exists(),
    )
    .order_by(enrollments.c.enrolled_at, enrollments.c.id)
    .limit(_LIMIT),
    WaitingRow,
)

# --- exceptions and scores

PUT_EXCEPTION = Statement(
    upsert(certificate_exceptions)
    .values(
        course_id=_COURSE,
        user_id=_USER,
        kind=bindparam("kind", type_=Text),
        reason=bindparam("reason", type_=Text),
        created_by=bindparam("created_by", type_=Uuid),
    )
    .on_conflict_do_update(
        constraint="pk_certificate_exceptions",
        set_={
            "kind": bindparam("kind", type_=Text),
            "reason": bindparam("reason", type_=Text),
            "created_by": bindparam("created_by", type_=Uuid),
            "created_at": func.now(),
        },
    )
    .returning(*(certificate_exceptions.c[name] for name in ExceptionRow.__dataclass_fields__)),
    ExceptionRow,
)
DROP_EXCEPTION = Statement(
    delete(certificate_exceptions)
    .where(certificate_exceptions.c.course_id == _COURSE, certificate_exceptions.c.user_id == _USER)
    .returning(certificate_exceptions.c.kind),
    str,
)

# --- what is due

# A certificate that was earned anew needs no reminder. Asked row by row: a join would read all certificates.
_later = certificates.alias("later")
_EARNED_ANEW = (
    select(_later.c.id)
    .where(
        _later.c.enrollment_id == certificates.c.enrollment_id,
        _later.c.cycle > certificates.c.cycle,
        _later.c.state == _ISSUED,
    )
    .limit(1)
    .correlate(certificates)
    .scalar_subquery()
)
_REMINDED = (
    select(certificate_reminders.c.certificate_id)
    .where(
        certificate_reminders.c.certificate_id == certificates.c.id,
        certificate_reminders.c.channel == bindparam("channel", type_=Text),
        certificate_reminders.c.kind == bindparam("kind", type_=Text),
    )
    .correlate(certificates)
    .scalar_subquery()
)
EXPIRING = Statement(
    select(certificates.c.id, certificates.c.user_id, certificates.c.facts, certificates.c.valid_until)
    .where(
        certificates.c.state == _ISSUED,
        certificates.c.valid_until > func.now() + cast(bindparam("least", type_=Interval), Interval),
        certificates.c.valid_until <= func.now() + cast(bindparam("most", type_=Interval), Interval),
        _REMINDED.is_(None),
        _EARNED_ANEW.is_(None),
    )
    .order_by(certificates.c.valid_until, certificates.c.id)
    .limit(_LIMIT)
    .with_for_update(of=certificates, skip_locked=True),
    ExpiringRow,
)
ADD_REMINDER = Statement(
    upsert(certificate_reminders)
    .values(certificate_id=_ID, channel=bindparam("channel", type_=Text), kind=bindparam("kind", type_=Text))
    .on_conflict_do_nothing()
    .returning(certificate_reminders.c.certificate_id),
    UUID,
)
UNDRAWN = Statement(
    select(certificates.c.id, certificates.c.facts, certificates.c.pdf_attempts)
    .where(
        certificates.c.pdf_sha256.is_(None),
        func.coalesce(certificates.c.pdf_retry_at, func.to_timestamp(0)) <= func.now(),
    )
    .order_by(certificates.c.issued_at, certificates.c.id)
    .limit(_LIMIT),
    UndrawnRow,
)
DRAWN = Statement(
    update(certificates)
    .where(certificates.c.id == _ID, certificates.c.pdf_sha256.is_(None))
    .values(
        pdf_key=bindparam("key", type_=Text),
        pdf_sha256=bindparam("sha256", type_=Text),
        pdf_retry_at=null(),
        updated_at=func.now(),
    )
    .returning(certificates.c.id),
    UUID,
)
NOT_DRAWN = Statement(
    update(certificates)
    .where(certificates.c.id == _ID)
    .values(
        pdf_attempts=certificates.c.pdf_attempts + 1,
        pdf_retry_at=func.now() + cast(bindparam("wait", type_=Interval), Interval),
    )
    .returning(certificates.c.id),
    UUID,
)

# --- badges

_KEY = tuple(issuer_keys.c[name] for name in KeyRow.__dataclass_fields__)
KEYS = Statement(
    select(*_KEY).order_by(issuer_keys.c.retired_at.desc().nulls_first(), issuer_keys.c.id).limit(20), KeyRow
)
ADD_KEY = Statement(
    upsert(issuer_keys)
    .values(
        id=_ID,
        public_key=bindparam("public_key", type_=LargeBinary),
        private_key=bindparam("private_key", type_=LargeBinary),
    )
    .on_conflict_do_nothing(),
    int,
)
RETIRE_KEY = Statement(update(issuer_keys).where(issuer_keys.c.retired_at.is_(None)).values(retired_at=func.now()), int)
ENDED = Statement(
    select(certificates.c.status_number)
    .where(
        certificates.c.state != _ISSUED,
        certificates.c.status_number >= bindparam("first", type_=BigInteger),
        certificates.c.status_number < bindparam("end", type_=BigInteger),
    )
    .order_by(certificates.c.status_number)
    .limit(_LIMIT),
    int,
)
