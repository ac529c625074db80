"""What the statements of this room return, and what handlers of jobs give and take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from app.db.transaction import Tx


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands."""

    id: UUID
    kind: str
    state: str
    is_dry_run: bool
    payload: dict[str, Any]
    total: int
    done: int
    skipped: int
    failed: int
    figures: dict[str, Any]
    created_by: UUID
    started_at: datetime | None
    finished_at: datetime | None
    created_at: datetime

    @property
    def settled(self) -> int:
        """How many items have an outcome."""
        return self.done + self.skipped + self.failed


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item of a job to be made: what people call it, and what the handler needs to know."""

    label: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """An item that is to be done."""

    number: int
    label: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item with its outcome."""

    job_id: UUID
    number: int
    label: str
    status: str
    code: str | None
    message: str | None
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an item: ``done``, ``skipped`` (there was nothing to do), or ``failed`` with a code and sentence.

    ``message`` is an English sentence of the locales, ``params`` fill its places.
    """

    number: int
    status: str = "done"
    code: str | None = None
    message: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None


class Handler(Protocol):
    """Does the items of one kind of job."""

    kind: str
    chunk: int

    async def run(self, tx: Tx, job: Job, items: Sequence[Item]) -> list[Settled]:
        """Do up to ``chunk`` items in this transaction and return the outcome of each.

        The outcomes are written in the same transaction, so neither a crash nor a second worker does an item twice.
        With ``job.is_dry_run`` find out the same and write nothing. An exception undoes the whole chunk, which is then
        tried item by item; an item that raises a Refusal has failed with its code and sentence.
        """

    async def finish(self, tx: Tx, job: Job) -> Mapping[str, int] | None:
        """Called once, in the transaction that ends the job; returns figures to show."""
