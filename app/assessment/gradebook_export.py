"""A gradebook as a file for spreadsheets: the same numbers as everywhere, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO

from app.assessment.gradebook_rows import Book, LearnerGrades
from app.i18n import Locale, message, translate

BOM = "\ufeff"
# A spreadsheet takes what begins so for a formula; it looks behind blanks, and takes full-width signs for the others.
FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
NAME, EMAIL, TOTAL = message("Name"), message("E-mail"), message("Total in percent")
GRADE, EXCUSED = message("Grade"), message("excused")


@dataclass(frozen=True, slots=True)
class Format:
    """How to write it. Where the separator is a semicolon, decimals have a comma, as spreadsheets in Chile expect."""

    locale: Locale = "es"
    has_semicolons: bool = False
    has_bom: bool = True


@dataclass(frozen=True, slots=True)
class File:
    """A file that can be saved as it is."""

    name: str
    text: str
    learners: int


def safe(text: str) -> str:
    """A text that stays a text in a spreadsheet: an apostrophe in front of what would be a formula."""
    return f"'{text}" if FORMULA.match(text) else text


async def written(book: Book, pages: AsyncIterator[Sequence[LearnerGrades]], how: Format) -> File:
    """A gradebook's lines by name: name, e-mail, points of each item in the items' order, total, grade."""
    out = StringIO()
    writer = csv.writer(out, delimiter=";" if how.has_semicolons else ",", lineterminator="\r\n")
    writer.writerow(_header(book, how))
    count = 0
    async for page in pages:
        for line in page:
            writer.writerow(_cells(line, how))
        count += len(page)
    return File(_name(book), (BOM if how.has_bom else "") + out.getvalue(), count)


def _header(book: Book, how: Format) -> list[str]:
    items = [safe(f"{item.title} ({_number(item.points, how)})") for item in book.items]
    words = [translate(word, how.locale) for word in (NAME, EMAIL, TOTAL, GRADE)]
    return [*words[:2], *items, *(words[2:] if book.row.scale is not None else words[2:3])]


def _cells(line: LearnerGrades, how: Format) -> list[str]:
    found = [safe(line.learner.full_name), safe(line.learner.email)]
    for item in line.book.items:
        given = line.given.get(item.id)
        if given is not None and given.is_excused:
            found.append(translate(EXCUSED, how.locale))
        else:
            found.append(_number(line.total.cells[item.id].points, how))
    found.append(_number(line.total.percent, how))
    if line.book.row.scale == "chilean":
        found.append(_number(None if line.grade is None else Decimal(line.grade), how, keeps_zeros=True))
    elif line.book.row.scale is not None:
        found.append(safe(line.grade or ""))
    return found


def _number(value: Decimal | None, how: Format, *, keeps_zeros: bool = False) -> str:
    if value is None:
        return ""
    text = format(value if keeps_zeros else value.normalize(), "f")
    return text.replace(".", ",") if how.has_semicolons else text


def _name(book: Book) -> str:
    """Letters and digits that any file system takes."""
    plain = unicodedata.normalize("NFKD", book.row.title).encode("ascii", "ignore").decode().lower()
    return f"{re.sub('[^a-z0-9]+', '-', plain).strip('-')[:60] or 'course'}-grades.csv"
