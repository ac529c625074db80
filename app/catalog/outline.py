"""A whole course as a value: what an import or a copy writes in one go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class BlockOutline:
    """A content block; ``content`` by kind as in ``app/catalog/tables.py``."""

    kind: str
    content: dict[str, Any]
    title: str = ""


@dataclass(frozen=True, slots=True)
class LessonOutline:
    """A lesson with its blocks in order."""

    title: str
    blocks: tuple[BlockOutline, ...] = ()
    summary: str = ""
    is_required: bool = True
    weight: int = 1
    completion: str = "mark_done"


@dataclass(frozen=True, slots=True)
class ModuleOutline:
    """A module with its lessons in order."""

    title: str
    lessons: tuple[LessonOutline, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class CourseOutline:
    """A course with its modules in order."""

    title: str
    modules: tuple[ModuleOutline, ...] = ()
    description: str = ""
    category: str | None = None
    level: str = "all"
    language: str = "es"
    cover_url: str | None = None
    tags: tuple[str, ...] = field(default=())
