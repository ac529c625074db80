"""What a certificate states, frozen when it is issued (K3): renaming or regrading changes nothing of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.i18n import Locale

_TIMES = ("issued_at", "completed_at", "valid_until")
_NUMBERS = ("score", "hours")


@dataclass(frozen=True, slots=True)
class Signatory:
    """Who signs, and as what."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the document, the badge and the public page say; also what decides their look.

    ``recipient`` is a salted SHA-256 of the learner's address, as Open Badges has it; ``score`` in percent, None
    without one; ``basis`` is ``score``, ``completion`` or ``exception`` (K5).
    """

    code: str
    verify_url: str
    tenant_name: str
    locale: Locale
    time_zone: str
    learner_name: str
    recipient: str
    course_title: str
    course_description: str
    course_revision: int
    basis: str
    score: Decimal | None
    hours: Decimal | None
    completed_at: datetime | None
    issued_at: datetime
    valid_until: datetime | None
    template_version: int
    title: str
    body: str
    signatories: tuple[Signatory, ...]
    primary_color: str
    accent_color: str
    logo_text: str

    def as_json(self) -> dict[str, Any]:
        """As it is stored: times in RFC 3339, numbers as strings."""
        made = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _TIMES:
            made[name] = made[name].isoformat() if made[name] else None
        for name in _NUMBERS:
            made[name] = None if made[name] is None else str(made[name])
        made["signatories"] = [{"name": each.name, "role": each.role} for each in self.signatories]
        return made

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Facts:
        """The facts of a stored certificate."""
        made = dict(stored)
        for name in _TIMES:
            made[name] = datetime.fromisoformat(made[name]) if made[name] else None
        for name in _NUMBERS:
            made[name] = None if made[name] is None else Decimal(made[name])
        made["signatories"] = tuple(Signatory(**each) for each in made["signatories"])
        return cls(**made)
