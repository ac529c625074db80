"""Reads an Open edX course (OLX): a folder of XML and HTML becomes a value, and a list of what has no counterpart.

Chapters are modules, sequentials lessons, and the components of the verticals blocks. Nothing is written; a folder
with a problem is refused whole, with every problem found in it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from app.i18n import message
from app.identity.validators import InvalidValue, url

MAX_FILE = 5_000_000  # bytes
MAX_COURSE = 200_000_000
DAY = 86_400  # seconds
MAX_ABOUT = 12_000  # characters: with what cleaning adds to links it stays a description (``rules.DESCRIPTION``)
NAME = re.compile(r"^[\w.@+:-]{1,255}$")
STATIC = re.compile(r"[\"'(](?:\./)?/static/([^\"')\s?#]+)")
UNSAFE = re.compile(r"<\s*(script|style|iframe|form|object|embed)\b", re.IGNORECASE)
EMBEDDABLE = re.compile(r"<iframe[^>]+src=\"(https://(?:www\.youtube(?:-nocookie)?\.com|player\.vimeo\.com)/[^\"]+)\"")
RESPONSE = re.compile(r"^\w+response$")

NOT_SUPPORTED = message("has no counterpart here and was left out")
REDUCED = message("was reduced to what can be read: text and links")
QUESTION_LATER = message("was kept as a question to be taken over by the quizzes")
RANDOM_LOST = message("picked questions at random; all of them were kept, in order")
UNSAFE_LOST = message("contains active content that is not kept when it is shown")
ASSET_MISSING = message("is referred to but is not in the folder")
ASSET_LINK = message("is a file of the course; its link was kept, the file was not uploaded")
CAPTIONS_LOST = message("are files of the course; they were not uploaded")
POLICY_LOST = message("is decided by the organisation here and was not taken over")

FILE_MISSING = message("the file is missing; {referrer} refers to it")
XML_INVALID = message("the file is not well-formed XML: {problem}")
PATH_ESCAPES = message("the name {name} leads out of the course's folder")
TOO_LARGE = message("the file is larger than {maximum} bytes")
NOT_A_COURSE = message("the folder has no course.xml that names a course")
REPEATED = message("the course refers to it more than once or in a circle; each reference needs a file of its own")
TOO_DEEP = message("elements or files are nested too deeply")
ABOUT_CUT = message("was too long for a description; only its beginning was kept")


class OlxProblem(Exception):
    """One thing that is wrong with a folder. ``path`` is relative to it."""

    def __init__(self, code: str, path: str, text: str, **params: object) -> None:
        super().__init__(text.format_map(params))
        self.code = code
        self.path = path


class OlxRefused(Exception):
    """The folder cannot be read as a course; ``problems`` names everything to mend."""

    def __init__(self, problems: tuple[OlxProblem, ...]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Loss:
    """Something of the course that did not come over as it was. ``severity`` is low, medium or high."""

    source: str
    element: str
    reason: str
    severity: str


@dataclass(frozen=True, slots=True)
class OlxBlock:
    """A component; ``content`` by kind as in ``app/catalog/tables.py``."""

    source: str
    kind: str
    title: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OlxLesson:
    """A sequential."""

    source: str
    title: str
    blocks: tuple[OlxBlock, ...]


@dataclass(frozen=True, slots=True)
class OlxModule:
    """A chapter."""

    source: str
    title: str
    lessons: tuple[OlxLesson, ...]


@dataclass(frozen=True, slots=True)
class OlxCourse:
    """A course; ``components`` counts what was found, by element."""

    key: str
    title: str
    language: str
    description_html: str
    modules: tuple[OlxModule, ...]
    losses: tuple[Loss, ...]
    components: Mapping[str, int]


def read_olx(folder: Path) -> OlxCourse:
    """Read the course in a folder (the one with ``course.xml``). Raises OlxRefused."""
    try:
        return _Reader(folder).course()
    except RecursionError:
        raise OlxRefused((OlxProblem("OLX_TOO_DEEP", "course.xml", TOO_DEEP),)) from None


class _Reader:
    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        self._problems: list[OlxProblem] = []
        self._losses: list[Loss] = []
        self._components: Counter[str] = Counter()
        self._seen: set[Path] = set()
        self._bytes = 0
        self._assets: set[str] = set()

    def course(self) -> OlxCourse:
        top = self._xml("course.xml", "course.xml") if _is_file(self._root / "course.xml") else None
        if top is None or top.tag != "course":
            self._note("OLX_NOT_A_COURSE", "course.xml", NOT_A_COURSE)
            raise OlxRefused(tuple(self._problems))
        key = f"{top.get('org', '')}/{top.get('course', '')}".strip("/")
        course = self._resolve(top, "course.xml")
        modules = tuple(self._chapter(child) for child in self._children(course, "chapter", "course"))
        self._policies(course)
        self._missing_assets()
        description = self._about("overview") or self._about("short_description")
        if self._problems:
            raise OlxRefused(tuple(self._problems))
        return OlxCourse(
            key=key,
            title=course.get("display_name") or key or "Open edX",
            language=_language(course.get("language")),
            description_html=description,
            modules=modules,
            losses=tuple(self._losses),
            components=dict(self._components),
        )

    # --- the tree

    def _chapter(self, node: Element) -> OlxModule:
        lessons = tuple(self._sequential(child) for child in self._children(node, "sequential", "chapter"))
        return OlxModule(_source(node), _title(node, "Module"), lessons)

    def _sequential(self, node: Element) -> OlxLesson:
        blocks = [
            block for vertical in self._children(node, "vertical", "sequential") for block in self._vertical(vertical)
        ]
        for name in ("due", "graded", "hide_after_due", "prereq", "format"):
            if node.get(name) not in {None, "", "false", "null"}:
                self._lose(_source(node), name, POLICY_LOST, "low")
        return OlxLesson(_source(node), _title(node, "Lesson"), tuple(blocks))

    def _vertical(self, node: Element) -> Iterator[OlxBlock]:
        unit = _title(node, "")
        for child in node:
            self._components[child.tag] += 1
            for block in self._component(self._resolve(child, _source(node))):
                title = block.title if not unit or block.title == unit else f"{unit} · {block.title}".rstrip(" ·")
                unit = ""  # the unit's title heads its first block
                yield OlxBlock(block.source, block.kind, title[:200], block.content)

    def _children(self, node: Element, wanted: str, parent: str) -> Iterator[Element]:
        for child in node:
            if child.tag == wanted:
                yield self._resolve(child, _source(node))
            elif child.tag not in {"wiki", "textbook"}:
                self._components[child.tag] += 1
                self._lose(_source(child), f"{child.tag} in {parent}", NOT_SUPPORTED, "medium")
            else:
                self._lose(_source(child), child.tag, NOT_SUPPORTED, "low")

    def _resolve(self, node: Element, referrer: str) -> Element:
        """The element itself: a pointer (``<html url_name="x"/>``) is followed to its file ``html/x.xml``."""
        name = node.get("url_name")
        if name is None or len(node) or (node.text or "").strip():
            return node
        path = self._inside(node.tag, name, ".xml")
        if path is None or not _is_file(path):
            if set(node.keys()) <= {"url_name", "org", "course"} and path is not None:
                self._note("OLX_FILE_MISSING", f"{node.tag}/{name}.xml", FILE_MISSING, referrer=referrer)
            return node
        if path in self._seen:
            self._note("OLX_REPEATED", f"{node.tag}/{name}.xml", REPEATED)
            return node
        found = self._xml(f"{node.tag}/{name}.xml", referrer)
        if found is None:
            return node
        found.set("url_name", name)
        return found

    # --- components

    def _component(self, node: Element) -> Iterator[OlxBlock]:
        readers: dict[str, Callable[[Element], Iterator[OlxBlock]]] = {
            "html": self._html,
            "video": self._video,
            "problem": self._problem,
            "library_content": self._library,
            "lti": self._lti,
            "lti_consumer": self._lti,
            "annotatable": self._text_of,
            "poll": self._choices,
            "survey": self._choices,
            "openassessment": self._text_of,
        }
        reader = readers.get(node.tag)
        if reader is None:
            self._lose(_source(node), node.tag, NOT_SUPPORTED, "medium")
            return
        yield from reader(node)

    def _html(self, node: Element) -> Iterator[OlxBlock]:
        filename = node.get("filename")
        if filename:
            text = self._read(self._inside("html", filename, ".html"), f"html/{filename}.html", _source(node))
        else:
            text = _inner(node)
        yield from self._text(node, text or "")

    def _text(self, node: Element, text: str) -> Iterator[OlxBlock]:
        source = _source(node)
        for tag in sorted({found.lower() for found in UNSAFE.findall(text)}):
            self._lose(source, f"<{tag}>", UNSAFE_LOST, "low" if tag == "style" else "medium")
        self._assets.update(STATIC.findall(text))
        yield OlxBlock(source, "rich_text", _title(node, ""), {"html": text})
        for index, found in enumerate(EMBEDDABLE.findall(text)):
            address = _address(found.replace("&amp;", "&"))
            if address is not None:
                yield OlxBlock(f"{source}#{index}", "embed", "", {"url": address, "height": 480})

    def _video(self, node: Element) -> Iterator[OlxBlock]:
        source = _source(node)
        address = self._video_url(node)
        if address is None:
            self._lose(source, "video", NOT_SUPPORTED, "high")
            return
        if node.get("transcripts") not in {None, "", "{}"} or node.find("transcript") is not None:
            self._lose(source, "transcripts", CAPTIONS_LOST, "medium")
        duration = _clock(node.get("end_time")) - _clock(node.get("start_time"))
        asset = node.find("video_asset")
        if duration <= 0 and asset is not None:
            duration = _seconds(asset.get("duration"))
        known = duration if 0 < duration <= DAY else None
        content = {"url": address, "duration_seconds": known, "captions_url": None}
        yield OlxBlock(source, "video", _title(node, ""), content)

    def _video_url(self, node: Element) -> str | None:
        youtube = node.get("youtube_id_1_0") or (node.get("youtube") or "").rpartition(":")[2]
        if youtube and re.fullmatch(r"[\w-]{5,20}", youtube):
            return f"https://www.youtube.com/watch?v={youtube}"
        sources = [*_list(node.get("html5_sources")), *(source.get("src") for source in node.iter("source"))]
        return next((address for found in sources if (address := _address(str(found))) is not None), None)

    def _problem(self, node: Element) -> Iterator[OlxBlock]:
        kinds = sorted({child.tag for child in node.iter() if RESPONSE.match(child.tag)}) or ["problem"]
        self._lose(_source(node), "problem", QUESTION_LATER, "low")
        source = tostring(node, encoding="unicode")
        self._assets.update(STATIC.findall(source))
        yield OlxBlock(
            _source(node), "quiz", _title(node, ""), {"question_kind": ", ".join(kinds)[:200], "source": source}
        )

    def _library(self, node: Element) -> Iterator[OlxBlock]:
        self._lose(_source(node), "library_content", RANDOM_LOST, "medium")
        for child in node:
            yield from self._component(self._resolve(child, _source(node)))

    def _lti(self, node: Element) -> Iterator[OlxBlock]:
        self._lose(_source(node), node.tag, REDUCED, "high")
        address = _address(node.get("launch_url") or "")
        if address is not None:
            title = escape(_title(node, address))
            html = f'<p><a href="{escape(address)}">{title}</a></p>'
            yield OlxBlock(_source(node), "rich_text", _title(node, ""), {"html": html})

    def _text_of(self, node: Element) -> Iterator[OlxBlock]:
        self._lose(_source(node), node.tag, REDUCED, "high")
        if node.tag == "openassessment":
            parts = [part.strip() for prompt in node.iter("prompt") for part in prompt.itertext() if part.strip()]
            html = "".join(f"<p>{escape(part)}</p>" for part in parts)
        else:
            html = _inner(node)
        yield from self._text(node, html)

    def _choices(self, node: Element) -> Iterator[OlxBlock]:
        self._lose(_source(node), node.tag, REDUCED, "medium")
        question = node.get("question") or node.get("block_name") or ""
        labels = [_label(item) for item in (*_list(node.get("answers")), *_list(node.get("questions")))]
        items = "".join(f"<li>{escape(label)}</li>" for label in labels)
        html = f"<p>{escape(question)}</p><ul>{items}</ul>"
        yield OlxBlock(_source(node), "rich_text", _title(node, ""), {"html": html})

    # --- what surrounds the tree

    def _policies(self, course: Element) -> None:
        name = course.get("url_name") or "course"
        for kind in ("grading_policy", "policy"):
            path = self._inside(f"policies/{name}", kind, ".json")
            if path is not None and _is_file(path):
                self._lose(f"policies/{name}/{kind}.json", kind, POLICY_LOST, "medium")
        for attribute in ("start", "end", "enrollment_start", "enrollment_end", "user_partitions", "lti_passports"):
            if course.get(attribute):
                self._lose(_source(course), attribute, POLICY_LOST, "low")

    def _about(self, name: str) -> str:
        path = self._inside("about", name, ".html")
        if path is None or not _is_file(path):
            return ""
        text = self._read(path, f"about/{name}.html", "course.xml") or ""
        if len(text) > MAX_ABOUT:
            self._lose(f"about/{name}.html", name, ABOUT_CUT, "medium")
        return text[:MAX_ABOUT]

    def _missing_assets(self) -> None:
        for name in sorted(self._assets):
            there = _is_file(self._root / "static" / name)
            self._lose(f"static/{name}", "static file", ASSET_LINK if there else ASSET_MISSING, "medium")

    # --- files

    def _inside(self, folder: str, name: str, suffix: str) -> Path | None:
        """The path of a file of the course, or None (noted) when its name leads out of the folder."""
        path = _resolved(self._root / folder / f"{name}{suffix}")
        if not all(NAME.match(part) for part in name.split("/")) or ".." in name or self._root not in path.parents:
            self._note("OLX_PATH_ESCAPES", folder, PATH_ESCAPES, name=name[:100])
            return None
        return path

    def _read(self, path: Path | None, shown: str, referrer: str) -> str | None:
        found = self._bytes_of(path, shown, referrer)
        return None if found is None else found.decode("utf-8-sig", errors="replace")

    def _bytes_of(self, path: Path | None, shown: str, referrer: str) -> bytes | None:
        if path is None:
            return None
        if not _is_file(path):
            self._note("OLX_FILE_MISSING", shown, FILE_MISSING, referrer=referrer)
            return None
        size = path.stat().st_size
        self._bytes += size
        if size > MAX_FILE or self._bytes > MAX_COURSE:
            self._note("OLX_TOO_LARGE", shown, TOO_LARGE, maximum=MAX_FILE)
            return None
        return path.read_bytes()

    def _xml(self, shown: str, referrer: str) -> Element | None:
        path = _resolved(self._root / shown)
        if self._root not in path.parents:
            self._note("OLX_PATH_ESCAPES", shown, PATH_ESCAPES, name=shown)
            return None
        content = self._bytes_of(path, shown, referrer)  # bytes: an XML file says itself how it is encoded
        if content is None:
            return None
        self._seen.add(path)
        try:
            found: Element = fromstring(content, forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
            self._note("OLX_XML_INVALID", shown, XML_INVALID, problem=str(error)[:200])
            return None
        return found

    def _note(self, code: str, path: str, text: str, **params: object) -> None:
        self._problems.append(OlxProblem(code, path, text, **params))

    def _lose(self, source: str, element: str, reason: str, severity: str) -> None:
        self._losses.append(Loss(source, element, reason, severity))


def _source(node: Element) -> str:
    return f"{node.tag}/{node.get('url_name') or node.get('display_name') or '-'}"


def _title(node: Element, default: str) -> str:
    return " ".join((node.get("display_name") or "").split())[:200] or default


def _inner(node: Element) -> str:
    return escape(node.text or "") + "".join(tostring(child, encoding="unicode") for child in node)


def _label(item: Any) -> str:
    """The words of a poll's answer: ``["id", {"label": "words"}]`` or ``["id", "words"]``."""
    shown = item[1] if isinstance(item, list) and len(item) > 1 else item
    return str(shown.get("label", "")) if isinstance(shown, dict) else str(shown)


def _is_file(path: Path) -> bool:
    """Whether there is such a file; no, when its name cannot be one."""
    try:
        return path.is_file()
    except OSError:
        return False


def _resolved(path: Path) -> Path:
    """Where a path leads to; the root of everything, outside every course, when it leads in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return Path("/")


def _address(text: str) -> str | None:
    """A usable https address, or None."""
    try:
        return url(text)
    except InvalidValue:
        return None


def _list(text: str | None) -> list[Any]:
    """The items of a list in JSON; none of anything else."""
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _seconds(text: str | None) -> int:
    """Whole seconds of a decimal number; 0 for anything else."""
    try:
        return int(float(text or 0))
    except (ValueError, OverflowError):
        return 0


def _clock(text: str | None) -> int:
    """Seconds of ``hh:mm:ss``; 0 for anything else."""
    parts = (text or "").split(":")
    if len(parts) != 3 or not all(re.fullmatch("[0-9]{1,4}", part) for part in parts):
        return 0
    hours, minutes, seconds = map(int, parts)
    return hours * 3600 + minutes * 60 + seconds


def _language(text: str | None) -> str:
    found = re.match(r"^[a-z]{2,3}", (text or "en").lower())
    return found.group(0) if found else "en"
