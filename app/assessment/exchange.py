"""Questions from and to other systems' formats: many at once, one bad one never losing the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

from app.assessment import bank_statements as sql
from app.assessment import bodies
from app.assessment.bank import DEFAULTS, QuestionBank, add_questions, own_course
from app.assessment.gift import GiftProblem, GiftQuestion, read_gift
from app.assessment.gift_export import Exported, Lost, write_gift
from app.db.transaction import Tx
from app.errors import FieldProblem, Invalid
from app.viewer import Action

CREATED, DUPLICATE, FAILED = "created", "duplicate", "failed"
MOST, MOST_EXPORTED = 2000, 5000


@dataclass(slots=True)
class Outcome:
    """What became of one question of a text: made, there already, or not read."""

    line: int
    title: str
    status: str
    question_id: UUID | None = None
    problems: tuple[FieldProblem, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a text; ``is_dry_run``: what would have."""

    is_dry_run: bool
    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, status: str) -> int:
        """How many questions ended so."""
        return sum(outcome.status == status for outcome in self.outcomes)


class QuestionExchange(QuestionBank):
    """One operation's imports and exports in one tenant."""

    async def import_gift(self, course_id: UUID, text: str, *, is_dry_run: bool = False) -> Imported:
        """Add the questions of a GIFT text to a course, in one transaction. The same text again adds nothing.

        Raises: NotFound, Forbidden, Invalid (TOO_MANY).
        """
        user_id = self.viewer.require(Action.EDIT_COURSES)
        # Reading many takes seconds, which nobody else has to wait for; and no more are read than are taken.
        read = await asyncio.to_thread(lambda: list(islice(read_gift(text), MOST + 1)))
        if len(read) > MOST:
            problem = FieldProblem("input.text", "may have at most {maximum} entries", "TOO_MANY", {"maximum": MOST})
            raise Invalid(fields=[problem])
        async with self.db.write() as tx:
            await own_course(tx, self.viewer, course_id)
            return await write_questions(tx, course_id, user_id, read, is_dry_run=is_dry_run)

    async def export_gift(self, course_id: UUID, filters: Mapping[str, Any]) -> tuple[str, list[Lost]]:
        """The questions of a course that the viewer sees, at most 5,000, in GIFT, and what the format cannot say."""
        scope, who = self._who()
        statement = sql.export(scope, frozenset(filters))
        async with self.db.read() as tx:
            rows = await tx.all(statement, course_id=course_id, limit=MOST_EXPORTED, **who, **filters)
        return write_gift(
            Exported(row.title, row.category, row.tags, row.points, bodies.load(row.body)) for row in rows
        )


async def write_questions(
    tx: Tx, course_id: UUID, by: UUID, read: Sequence[GiftQuestion | GiftProblem], *, is_dry_run: bool = False
) -> Imported:
    """Write what was read into a course that is locked; what is there already stays as it is."""
    keys = [item.key for item in read if isinstance(item, GiftQuestion)]
    known: dict[str, UUID | None] = {
        row.import_key: row.id for row in await tx.all(sql.IMPORTED, course_id=course_id, keys=keys)
    }
    found = Imported(is_dry_run)
    new: list[tuple[Outcome, GiftQuestion]] = []
    for item in read:
        if isinstance(item, GiftProblem):
            found.outcomes.append(Outcome(item.line, item.title, FAILED, problems=item.problems))
            continue
        outcome = Outcome(item.line, item.title, DUPLICATE, known.get(item.key), lost=item.lost)
        found.outcomes.append(outcome)
        if item.key not in known:
            outcome.status, known[item.key] = CREATED, None
            new.append((outcome, item))
    if not is_dry_run:
        made = [
            ({**DEFAULTS, "title": item.title, "category": item.category, "tags": list(item.tags)}, item.body, item.key)
            for _, item in new
        ]
        for question_id, (outcome, _) in zip(await add_questions(tx, course_id, by, made), new, strict=True):
            outcome.question_id = question_id
    return found
