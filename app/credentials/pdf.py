"""The certificate as a document: the same facts give the same bytes, in any process, on any day (K7)."""

from __future__ import annotations

import io
import threading
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import segno
import typst
from babel.dates import format_date
from babel.numbers import format_decimal

from app.credentials.codes import printed
from app.credentials.facts import Facts
from app.i18n import message, translate

MEDIA_TYPE = "application/pdf"
SOURCE = Path(__file__).with_name("certificate.typ")
# One compiler for the process: it keeps fonts and what it has laid out, and takes one document at a time.
_TURN = threading.Lock()

CERTIFICATE = message("Certificate of completion")
AWARDED = message("This certifies that")
COMPLETED = message("has successfully completed the course")
VERIFY = message("Scan to verify")
INTEGRITY = message("Issued by {tenant}. Its authenticity and present state can be checked at {host}.")
DETAILS = {
    "date": message("Completed on"),
    "score": message("Score"),
    "hours": message("Hours"),
    "valid": message("Valid until"),
}


@lru_cache(maxsize=1)
def _compiler() -> typst.Compiler:
    fonts = typst.Fonts(include_system_fonts=False)
    return typst.Compiler(SOURCE, root=SOURCE.parent, font_paths=fonts, ignore_system_fonts=True)


def draw(facts: Facts) -> bytes:
    """The PDF (A4 landscape, PDF/A-2b, fonts embedded). Takes some 10 ms of CPU; the first one some 2 s."""
    return _compiled(facts, format="pdf", timestamp=facts.issued_at.replace(microsecond=0), pdf_standards=["a-2b"])


def picture(facts: Facts, *, ppi: float = 110) -> bytes:
    """The same page as a PNG."""
    return _compiled(facts, format="png", ppi=ppi)


def digest(document: bytes) -> str:
    """The SHA-256 that verification shows, in hexadecimal."""
    return sha256(document).hexdigest()


def qr(url: str) -> str:
    """The QR code of an address as SVG text, and nothing else in it."""
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(out, kind="svg", border=2, xmldecl=False, svgns=True, dark="#1a1a1a")
    return out.getvalue().decode()


def _compiled(facts: Facts, **options: Any) -> bytes:
    inputs = {"facts": orjson.dumps(shown(facts)).decode()}
    with _TURN:
        made = _compiler().compile(sys_inputs=inputs, **options)
    if not isinstance(made, bytes):
        raise TypeError("a certificate has one page")
    return made


def shown(facts: Facts) -> dict[str, Any]:
    """What the page says, in the certificate's language."""
    locale = facts.locale

    def say(text: str, **params: object) -> str:
        return translate(text, locale, **params)

    def day(moment: datetime) -> str:
        return format_date(moment.astimezone(ZoneInfo(facts.time_zone)).date(), format="long", locale=locale)

    details = [(say(DETAILS["date"]), day(facts.completed_at))] if facts.completed_at else []
    if facts.score is not None:
        details.append((say(DETAILS["score"]), f"{format_decimal(facts.score.normalize(), locale=locale)} %"))
    if facts.hours is not None:
        details.append((say(DETAILS["hours"]), format_decimal(facts.hours.normalize(), locale=locale)))
    if facts.valid_until is not None:
        details.append((say(DETAILS["valid"]), day(facts.valid_until)))
    title = facts.title or say(CERTIFICATE)
    return {
        "locale": locale,
        "primary": facts.primary_color,
        "accent": facts.accent_color,
        "logo": facts.logo_text or facts.tenant_name,
        "initial": facts.tenant_name[:1].upper(),
        "tenant": facts.tenant_name,
        "title": title,
        "learner": facts.learner_name,
        "course": facts.course_title,
        "body": facts.body,
        "details": details,
        "signatories": [{"name": each.name, "role": each.role} for each in facts.signatories],
        "code": facts.code,
        "printed_code": printed(facts.code),
        "verify_url": facts.verify_url,
        "qr": qr(facts.verify_url),
        "words": {
            "document": f"{title}: {facts.learner_name}",
            "awarded": say(AWARDED),
            "completed": say(COMPLETED),
            "verify": say(VERIFY),
            "integrity": say(INTEGRITY, tenant=facts.tenant_name, host=facts.verify_url.partition("/verify/")[0]),
        },
    }
