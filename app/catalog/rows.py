"""Rows of the catalog, as its statements return them.

Nobody changes a row; they are not frozen because a frozen one takes three times as long to fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(slots=True, eq=False)
class CourseRow:
    """A course; ``rank`` is its relevance in a search, 0 elsewhere."""

    id: UUID
    title: str
    description: str
    category: str | None
    level: str
    language: str
    cover_url: str | None
    tags: list[str]
    published_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime
    search_title: str
    listed_at: datetime
    rank: float


@dataclass(slots=True, eq=False)
class InstructorRow:
    """A member who teaches a course."""

    course_id: UUID
    user_id: UUID
    full_name: str
    avatar_url: str | None
    bio: str | None


@dataclass(slots=True, eq=False)
class ModuleRow:
    """A module without its lessons; ``rules`` as in ``app/catalog/release.py``."""

    id: UUID
    course_id: UUID
    title: str
    description: str
    position: int
    version: int
    rules: dict[str, Any] | None
    requirement_count: int | None


@dataclass(slots=True, eq=False)
class LessonRow:
    """A lesson without its blocks."""

    id: UUID
    course_id: UUID
    module_id: UUID
    title: str
    summary: str
    position: int
    is_required: bool
    weight: int
    completion: str
    video_threshold: Decimal
    version: int
    min_score: Decimal
    min_seconds: int
    content_version: int
    rules: dict[str, Any] | None
    gated: bool


@dataclass(slots=True, eq=False)
class BlockRow:
    """A content block; ``content`` holds what its kind has (``app/catalog/tables.py``)."""

    id: UUID
    lesson_id: UUID
    position: int
    kind: str
    title: str
    content: dict[str, Any]


@dataclass(slots=True, eq=False)
class CountRow:
    """A number that belongs to something."""

    key: UUID
    count: int


@dataclass(slots=True, eq=False)
class Placed:
    """Where a module or lesson is."""

    id: UUID
    parent_id: UUID
    position: int
