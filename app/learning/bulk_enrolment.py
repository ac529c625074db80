"""Enrolling a list: a CSV file becomes a job whose rows are done one by one, and may be given again."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.db import audit, idempotency
from app.db.database import Operation
from app.db.transaction import Tx
from app.i18n import message
from app.identity import validators
from app.identity.validators import Checks, InvalidValue, email, line
from app.learning import cohort_statements as cohort_sql
from app.learning import list_statements as sql
from app.learning.allow_list import let_in
from app.learning.managing import entered
from app.learning.seats import Seats, TrialSeats
from app.viewer import Action, Viewer
from app.work import service as work
from app.work.rows import Item, Job, NewItem, Settled

KIND = "bulk_enroll"
LARGEST = 64 * 1024  # bytes of UTF-8
COLUMNS = ("email", "role", "cohort")
ROLES = frozenset({"student", "instructor", "assistant"})
DONE = frozenset({"ACTIVE", "COMPLETED", "WAITLISTED", "ALLOWED"})
SKIPPED = frozenset({"ALREADY_ENROLLED", "ALREADY_ALLOWED"})
SENTENCES = {
    "ALLOWED": message("nobody has this address here yet; they come in when they first log in"),
    "WAITLISTED": message("the course is full; this person is on the waiting list"),
    "ALREADY_ENROLLED": message("this person is enrolled already, or waits for a place"),
    "ALREADY_ALLOWED": message("this address was let in before; nobody has come with it yet"),
    "COURSE_FULL": message("every place in this course is taken"),
    "COURSE_CONCLUDED": message("this course has ended; nobody can enrol any more"),
    "ENROLLMENT_SUSPENDED": message("this enrolment is suspended; ask the instructor"),
    "ROLE_INVALID": message("must be student, instructor or assistant"),
    "COHORT_UNKNOWN": message("the course has no cohort with this name"),
}


class BulkEnrollmentService:
    """One operation's use case in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def bulk_enroll(
        self, course_id: UUID, text: str, *, is_dry_run: bool = False, idempotency_key: str | None = None
    ) -> UUID:
        """Start enrolling the rows of a CSV text; returns the job.

        Raises: NotFound, Forbidden, Invalid (no such file), Conflict (IDEMPOTENCY_KEY_REUSED).
        """
        user_id = self.viewer.require(Action.MANAGE_ENROLLMENTS)
        check = Checks()
        key = check("input.idempotencyKey", line, idempotency_key, minimum=8, maximum=100) if idempotency_key else None
        rows = read(text, check)
        check.done()
        async with self.db.write() as tx:
            if key is not None:
                first = await idempotency.recall(tx, user_id, key, KIND, [str(course_id), rows, is_dry_run])
                if first is not None:
                    return first
            await entered(tx, self.viewer, course_id)
            items = [NewItem(row["email"], row) for row in rows]
            payload = {"course_id": str(course_id)}
            job_id = await work.create(tx, KIND, by=user_id, payload=payload, items=items, is_dry_run=is_dry_run)
            await audit.record(
                tx, user_id, "enrollment.bulk", kind="course", id=course_id,
                changes={"rows": len(rows), "job_id": str(job_id), "is_dry_run": is_dry_run},
            )  # fmt: skip
            if key is not None:
                await idempotency.settle(tx, user_id, key, job_id)
            return job_id


class BulkEnrolment:
    """Enrols the rows of one chunk."""

    kind = KIND
    chunk = 100

    async def run(self, tx: Tx, job: Job, items: Sequence[Item]) -> list[Settled]:
        """Each row on its own merits; nobody already in is touched."""
        course_id = UUID(job.payload["course_id"])
        seats = await (TrialSeats if job.is_dry_run else Seats).of_course(tx, course_id, job.created_by)
        if isinstance(seats, TrialSeats):
            seats.take_before(await tx.scalar(sql.SEATS_TRIED, id=job.id) or 0)
        emails = {item.number: _address(item.payload["email"]) for item in items}
        wanted = [address for address in emails.values() if address is not None]
        known = {row.email: row.user_id for row in await tx.all(sql.MEMBERS_BY_EMAIL, emails=wanted)}
        names = [item.payload["cohort"] for item in items if item.payload["cohort"]]
        cohorts = {row.name: row.id for row in await tx.all(cohort_sql.BY_NAME, course_id=course_id, names=names)}
        settled = []
        seen = set(await tx.all(sql.TRIED, id=job.id, emails=wanted) if job.is_dry_run else ())
        rows = {item.number: item for item in items}
        people = {number: (known.get(address or ""), address or "") for number, address in emails.items()}
        for item in [rows[number] for number in await seats.in_turn(people)]:
            address, role, cohort = emails[item.number], item.payload["role"] or "student", item.payload["cohort"]
            if address is None:
                found = Settled(item.number, "failed", "EMAIL_INVALID", NOT_AN_ADDRESS)
            elif role not in ROLES:
                found = outcome(item.number, "ROLE_INVALID")
            elif cohort and cohort not in cohorts:
                found = outcome(item.number, "COHORT_UNKNOWN")
            elif job.is_dry_run and address in seen:
                found = outcome(item.number, "ALREADY_ENROLLED")
            else:
                allowed = await let_in(
                    seats, address, known.get(address), job.created_by, cohort_id=cohorts.get(cohort), role=role
                )
                found = outcome(item.number, allowed.outcome)
                if found.status == "done":
                    seen.add(address)
            settled.append(found)
        return settled

    async def finish(self, tx: Tx, job: Job) -> Mapping[str, int] | None:
        """How many rows came to what."""
        return {row.name: row.count for row in await tx.all(sql.OUTCOMES, id=job.id)}


NOT_AN_ADDRESS = message("is not an e-mail address; write it like name@example.org")


def outcome(number: int, code: str) -> Settled:
    """What is said of a row."""
    status = "done" if code in DONE else "skipped" if code in SKIPPED else "failed"
    return Settled(number, status, code, SENTENCES.get(code), result={"outcome": code})


def read(text: str, check: Checks) -> list[dict[str, Any]]:
    """The rows of a CSV text with a header: commas or semicolons, with or without a byte order mark."""
    if len(text.encode(errors="surrogatepass")) > LARGEST:
        check.note("input.csv", "TOO_LONG", "may have at most {maximum} bytes; send it in parts", maximum=LARGEST)
        return []
    try:
        text = validators.text(text, maximum=LARGEST)
    except InvalidValue as problem:
        check.note("input.csv", problem.code, problem.message)
        return []
    lines = text.removeprefix("\ufeff").splitlines()
    header = lines[0] if lines else ""
    delimiter = ";" if header.count(";") > header.count(",") else ","
    try:
        found = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, strict=True))
    except csv.Error:
        check.note("input.csv", "CSV_INVALID", "cannot be read as CSV; check its quotation marks")
        return []
    names = [name.strip().lower() for name in found[0]] if found else []
    if "email" not in names:
        check.note("input.csv", "CSV_HEADER", "needs a first line with the names of its columns: email, role, cohort")
        return []
    rows = []
    for cells in found[1:]:
        row = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        if any(row.values()):
            rows.append(
                {name: row.get(name, "")[:320] for name in COLUMNS} | {"role": row.get("role", "").lower()[:20]}
            )
    if not rows:
        check.note("input.csv", "CSV_EMPTY", "has no rows")
    return rows


def _address(value: str) -> str | None:
    try:
        return email(value)
    except InvalidValue:
        return None
