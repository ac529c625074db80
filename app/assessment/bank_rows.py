"""Rows of the question bank, as its statements return them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(slots=True, eq=False)
class QuestionRow:
    """A question without its body, which is the version of that number."""

    id: UUID
    course_id: UUID
    kind: str
    title: str
    category: str
    tags: list[str]
    status: str
    points: Decimal
    version: int
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime
    search_title: str


@dataclass(slots=True, eq=False)
class VersionRow:
    """What a question was at one time; never changed."""

    question_id: UUID
    number: int
    body: dict[str, Any]
    points: Decimal
    created_at: datetime


@dataclass(slots=True, eq=False)
class ExportRow:
    """A question with its body, to be written in another format."""

    title: str
    category: str
    tags: list[str]
    points: Decimal
    body: dict[str, Any]


@dataclass(slots=True, eq=False)
class LabelRow:
    """A tag or a category, and how many questions have it."""

    name: str
    count: int


@dataclass(slots=True, eq=False)
class PooledRow:
    """A question that a pool may draw, in its present version."""

    id: UUID
    version: int


@dataclass(slots=True, eq=False)
class ImportedRow:
    """A question that an import made earlier."""

    import_key: str
    id: UUID
