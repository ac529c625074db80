"""A gradebook as a file for spreadsheets: the same numbers as everywhere, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from uuid import UUID

from app.assessment.gradebook_rows import Book, LearnerGrades
from app.i18n import Locale, message, translate

BOM = "\ufeff"
# A spreadsheet takes what begins so for a formula; it looks behind blanks, and takes full-width signs for the others.
FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
LEARNER, NAME, EMAIL = message("Learner"), message("Name"), message("E-mail")
TOTAL, GRADE, EXCUSED = message("Total in percent"), message("Grade"), message("excused")


@dataclass(frozen=True, slots=True)
class Format:
    """How to write it. Where the separator is a semicolon, decimals have a comma, as spreadsheets in Chile expect.

    ``identify`` gives a learner's identifier as clients know it; addresses are for who may read them.
    """

    identify: Callable[[UUID], str]
    has_emails: bool = False
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
    """A gradebook's lines: identifier, name, (e-mail,) points of each item in the items' order, total, grade."""
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
    first = (LEARNER, NAME, EMAIL) if how.has_emails else (LEARNER, NAME)
    last = (TOTAL,) if book.row.scale is None else (TOTAL, GRADE)
    return [*(translate(w, how.locale) for w in first), *items, *(translate(w, how.locale) for w in last)]


def _cells(line: LearnerGrades, how: Format) -> list[str]:
    found = [how.identify(line.learner.user_id), safe(line.learner.full_name)]
    if how.has_emails:
        found.append(safe(line.learner.email))
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
