"""What a course may contain: pure functions that clean content or say what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import nh3

from app.catalog.nesting import nesting_work
from app.identity.validators import Checks, InvalidValue, line, text, url

Key = TypeVar("Key")

TITLE, DESCRIPTION, RICH_TEXT, QUIZ = 200, 20_000, 250_000, 60_000
NESTING = 500_000  # open elements, summed over all tags; whole pages of real courses have 30,000
MODULES, LESSONS, BLOCKS, TAGS, INSTRUCTORS = 200, 200, 200, 20, 10
LEVELS = ("beginner", "intermediate", "advanced", "all")
COMPLETIONS = ("view", "mark_done", "submit", "min_score", "min_time", "video_coverage")
EMBED_HOSTS = frozenset(
    {"www.youtube.com", "www.youtube-nocookie.com", "youtube.com", "player.vimeo.com", "vimeo.com", "docs.google.com"}
)
_LANGUAGE = re.compile(r"^[a-z]{2,3}(-[A-Z]{2})?$")
_TAGS = (nh3.ALLOWED_TAGS | {"figure", "figcaption", "mark", "section"}) - {"form", "input", "button", "style"}
_ATTRIBUTES = {**nh3.ALLOWED_ATTRIBUTES, "*": {"class", "id", "lang", "dir", "title"}}


def rich_text(value: str, *, maximum: int = RICH_TEXT) -> str:
    """HTML that is safe to show: no script, style, form or frame, no event handler, only safe addresses."""
    if len(value) > maximum * 4:
        raise InvalidValue("TOO_LONG", "may have at most {maximum} characters", maximum=maximum)
    html = value.replace("\x00", "")
    if nesting_work(html) > NESTING:
        raise InvalidValue("HTML_TOO_DEEP", "has too many elements inside each other; write it flatter")
    clean = nh3.clean(
        html,
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer nofollow",
        generic_attribute_prefixes={"data-olx-"},
    )
    if len(clean) > maximum:
        raise InvalidValue("TOO_LONG", "may have at most {maximum} characters", maximum=maximum)
    return clean


def embed_url(value: str) -> str:
    """An https address at a host that may be shown in a frame."""
    clean = url(value)
    if urlsplit(clean).hostname not in EMBED_HOSTS:
        raise InvalidValue(
            "EMBED_HOST_NOT_ALLOWED", "cannot be embedded; allowed are: {hosts}", hosts=", ".join(sorted(EMBED_HOSTS))
        )
    return clean


def language(value: str) -> str:
    """A language tag like ``es`` or ``es-CL``."""
    if not _LANGUAGE.match(value):
        raise InvalidValue("LANGUAGE_INVALID", "is not a language; write it like es or es-CL")
    return value


def one_of(value: str, *, choices: Sequence[str]) -> str:
    """One of the choices."""
    if value not in choices:
        raise InvalidValue("CHOICE_INVALID", "must be one of: {choices}", choices=", ".join(choices))
    return value


def between(value: int, *, minimum: int, maximum: int) -> int:
    """A whole number in a range."""
    if not minimum <= value <= maximum:
        raise InvalidValue("OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=minimum, maximum=maximum)
    return value


def threshold(value: str | Decimal) -> Decimal:
    """A share from 0.001 to 1; three decimals of it are kept, so that none rounds to nothing."""
    try:
        share = Decimal(value)
    except InvalidOperation as error:
        raise InvalidValue("NUMBER_INVALID", "is not a number; write it like 0.95") from error
    if not share.is_finite() or not Decimal("0.001") <= share <= 1:
        raise InvalidValue("OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum="0.001", maximum=1)
    return share.quantize(Decimal("0.001"), ROUND_DOWN)


def score(value: str | Decimal) -> Decimal:
    """A percentage from 0 to 100; two decimals of it are kept."""
    try:
        percent = Decimal(value)
    except InvalidOperation as error:
        raise InvalidValue("NUMBER_INVALID", "is not a number; write it like 0.95") from error
    if not percent.is_finite() or not 0 <= percent <= 100:
        raise InvalidValue("OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=0, maximum=100)
    return percent.quantize(Decimal("0.01"), ROUND_DOWN)


def tags(values: Sequence[str]) -> list[str]:
    """Up to 20 different tags of 1 to 40 characters, lower case, in the order in which they were given."""
    clean = list(dict.fromkeys(line(value, minimum=1, maximum=40).casefold() for value in values))
    if len(clean) > TAGS:
        raise InvalidValue("TOO_MANY", "may have at most {maximum} entries", maximum=TAGS)
    return clean


def course_fields(check: Checks, given: Mapping[str, Any], prefix: str = "input") -> dict[str, Any]:
    """The given fields of a course, cleaned; problems are noted in ``check``."""
    clean: dict[str, Any] = {}
    for name, value in given.items():
        path = f"{prefix}.{_camel(name)}"
        match name:
            case "title":
                clean[name] = check(path, line, value or "", minimum=1, maximum=TITLE)
            case "description":
                clean[name] = check(path, rich_text, value or "", maximum=DESCRIPTION)
            case "category":
                clean[name] = check(path, line, value, maximum=100) or None if value else None
            case "level":
                clean[name] = check(path, one_of, value, choices=LEVELS)
            case "language":
                clean[name] = check(path, language, value)
            case "cover_url":
                clean[name] = check(path, url, value) if value else None
            case "tags":
                clean[name] = check(path, tags, value)
    return clean


def lesson_fields(check: Checks, given: Mapping[str, Any], prefix: str = "input") -> dict[str, Any]:
    """The given fields of a lesson (its blocks aside), cleaned; problems are noted in ``check``."""
    clean: dict[str, Any] = {}
    for name, value in given.items():
        path = f"{prefix}.{_camel(name)}"
        match name:
            case "title":
                clean[name] = check(path, line, value or "", minimum=1, maximum=TITLE)
            case "summary":
                clean[name] = check(path, text, value or "", maximum=2000)
            case "is_required":
                clean[name] = bool(value)
            case "weight":
                clean[name] = check(path, between, value, minimum=1, maximum=1000)
            case "completion":
                clean[name] = check(path, one_of, value, choices=COMPLETIONS)
            case "video_threshold":
                clean[name] = check(path, threshold, value)
            case "min_score":
                clean[name] = check(path, score, value)
            case "min_seconds":
                clean[name] = check(path, between, value, minimum=1, maximum=86_400)
    return clean


def block_content(check: Checks, kind: str, given: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What a block of this kind keeps of the given fields, cleaned; problems are noted in ``check``."""
    clean: dict[str, Any] = {}
    match kind:
        case "rich_text":
            clean["html"] = check(f"{path}.html", rich_text, given.get("html") or "")
        case "video":
            clean["url"] = check(f"{path}.url", url, given.get("url") or "")
            seconds = given.get("duration_seconds")
            if seconds is not None:
                seconds = check(f"{path}.durationSeconds", between, seconds, minimum=1, maximum=86_400)
            clean["duration_seconds"] = seconds
            captions = given.get("captions_url")
            clean["captions_url"] = check(f"{path}.captionsUrl", url, captions) if captions else None
        case "file":
            clean["url"] = check(f"{path}.url", url, given.get("url") or "")
            clean["filename"] = check(f"{path}.filename", line, given.get("filename") or "", minimum=1, maximum=255)
            clean["media_type"] = check(f"{path}.mediaType", line, given.get("media_type") or "", maximum=100) or None
            size = given.get("size_bytes")
            if size is not None:
                size = check(f"{path}.sizeBytes", between, size, minimum=0, maximum=2**31 - 1)
            clean["size_bytes"] = size
        case "embed":
            clean["url"] = check(f"{path}.url", embed_url, given.get("url") or "")
            clean["height"] = check(f"{path}.height", between, given.get("height", 480), minimum=50, maximum=4000)
        case "quiz":
            clean["question_kind"] = check(f"{path}.questionKind", line, given.get("question_kind") or "", maximum=200)
            clean["source"] = check(f"{path}.source", text, given.get("source") or "", maximum=QUIZ)
    return clean


def check_order(check: Checks, path: str, wanted: Sequence[UUID], present: Sequence[UUID]) -> None:
    """A new order names every present item once and nothing else; problems are noted in ``check``."""
    known, seen = set(present), set[UUID]()
    for index, item in enumerate(wanted):
        if item not in known:
            check.note(f"{path}.{index}", "ORDER_UNKNOWN", "does not belong here; read the list again")
        elif item in seen:
            check.note(f"{path}.{index}", "ORDER_DUPLICATE", "is in the list twice")
        seen.add(item)
    missing = len(known - seen)
    if missing:
        check.note(path, "ORDER_INCOMPLETE", "must name every item; {missing} are missing", missing=missing)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)
