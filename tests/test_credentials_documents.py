"""The document: the same bytes for the same facts, a QR code that leads to the public page, kept where it should be."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp

from app.credentials import pdf
from app.credentials.facts import Facts, Signatory
from app.i18n import Locale
from app.outside.storage import Storage, StorageUnavailable
from app.viewer import Role
from tests.certified import MINE, certified, complete, verify
from tests.world import World

ROOT = Path(__file__).resolve().parents[1]
FACTS = Facts(
    code="7Q2M9KX4TB8WDR5N3HVC6JYPZ0AE",
    verify_url="https://learn.example.org/verify/7Q2M9KX4TB8WDR5N3HVC6JYPZ0AE?tenant=acme",
    tenant_name="Instituto Acme",
    locale="es",
    time_zone="America/Santiago",
    learner_name="María José Ñandú Pérez",
    recipient="0" * 64,
    course_title="Fundamentos de álgebra lineal para ciencia de datos",
    course_description="",
    course_revision=3,
    basis="score",
    score=Decimal("92.50"),
    hours=Decimal("40.0"),
    completed_at=datetime(2026, 11, 24, 2, 30, tzinfo=UTC),
    issued_at=datetime(2026, 11, 24, 15, 0, 5, 123456, tzinfo=UTC),
    valid_until=datetime(2028, 11, 24, 15, 0, 5, tzinfo=UTC),
    template_version=2,
    title="",
    body="Programa de formación continua, modalidad en línea, con evaluación final supervisada.",
    signatories=(Signatory("Dra. Elena Rojas", "Directora académica"), Signatory("Tomás Valenzuela", "Instructor")),
    primary_color="#1f3a5f",
    accent_color="#c8963e",
    logo_text="",
)
PICTURE = ROOT / "docs" / "images" / "certificate.png"
DRAW = """
import sys
from tests.test_credentials_documents import FACTS
from app.credentials import pdf
sys.stdout.write(pdf.digest(pdf.draw(FACTS)))
"""


def text_of(document: bytes) -> str:
    """The text of a document of one page."""
    opened = pypdfium2.PdfDocument(document)
    try:
        assert len(opened) == 1
        return str(opened[0].get_textpage().get_text_bounded())
    finally:
        opened.close()


def codes_in(document: bytes) -> list[str]:
    """What another program reads in the page's QR codes."""
    opened = pypdfium2.PdfDocument(document)
    try:
        picture = opened[0].render(scale=3).to_pil().convert("L")
    finally:
        opened.close()
    return [found.text for found in zxingcpp.read_barcodes(picture)]


def test_k7_the_same_facts_give_the_same_bytes_in_any_process() -> None:
    here = pdf.digest(pdf.draw(FACTS))
    elsewhere = {"TZ": "Asia/Tokyo", "LANG": "de_DE.UTF-8", "PYTHONHASHSEED": "1"}
    there = subprocess.run([sys.executable, "-c", DRAW], cwd=ROOT, env=elsewhere, capture_output=True, check=True)
    assert there.stdout.decode() == here
    assert pdf.digest(pdf.draw(replace(FACTS, learner_name="María José Ñandú"))) != here
    assert pdf.digest(pdf.draw(FACTS)) == here


def test_k7_the_qr_code_is_read_by_another_program_and_holds_the_public_page_only() -> None:
    assert codes_in(pdf.draw(FACTS)) == [FACTS.verify_url]


def test_the_document_says_everything_in_its_language() -> None:
    words = text_of(pdf.draw(FACTS))
    for expected in (
        "Certificado de finalización", "María José Ñandú Pérez", "Fundamentos de álgebra lineal para ciencia de datos",
        "23 de noviembre de 2026", "92,5 %", "40", "24 de noviembre de 2028", "Dra. Elena Rojas", "INSTITUTO ACME",
        "7Q2M-9KX4-TB8W-DR5N-3HVC-6JYP-Z0AE",
    ):  # fmt: skip
        assert expected in words
    english = text_of(pdf.draw(replace(FACTS, locale="en", title="Diploma", score=None)))
    assert "Diploma" in english
    assert "November 23, 2026" in english
    assert "Score" not in english


def test_what_people_write_is_never_markup() -> None:
    name = '#panic("x") $1^2$ \\ <b> *fat* #sys.inputs "quoted" [#] @ref'
    words = text_of(pdf.draw(replace(FACTS, learner_name=name, course_title=name, body=name, title=name[:80])))
    assert '#panic("x") $1^2$' in words


@pytest.mark.parametrize("locale", ["es", "en"])
def test_the_longest_texts_still_fit_one_page_and_keep_their_code(locale: Locale) -> None:
    facts = replace(
        FACTS, locale=locale, learner_name="Wolfeschlegelsteinhausenbergerdorff " * 4, title="Ñ" * 80,
        course_title="Una introducción extraordinariamente detallada " * 4, body="Palabras y más palabras. " * 12,
        signatories=(Signatory("N" * 60, "R" * 60),) * 3, logo_text="Logo " * 12,
    )  # fmt: skip
    assert codes_in(pdf.draw(facts)) == [facts.verify_url]
    assert text_of(pdf.draw(facts))


def ink(facts: Facts) -> int:
    """How much of the page is dark."""
    opened = pypdfium2.PdfDocument(pdf.draw(facts))
    try:
        return sum(1 for level in opened[0].render(scale=2).to_pil().convert("L").tobytes() if level < 160)
    finally:
        opened.close()


def test_nothing_is_cut_off_above_and_below_the_letters() -> None:
    plain, with_tildes, with_tails = (
        ink(replace(FACTS, learner_name=text, course_title=text)) for text in ("NNNNNNNN", "ÑÑÑÑÑÑÑÑ", "ŅŅŅŅŅŅŅŅ")
    )
    assert with_tildes > plain + 200
    assert with_tails > plain + 100


def test_the_picture_in_the_guide_is_what_is_drawn() -> None:
    assert PICTURE.read_bytes() == pdf.picture(FACTS, ppi=96)
    assert PICTURE.stat().st_size < 200_000


async def test_k7_verification_shows_the_sha256_of_the_document_that_is_downloaded(acme: World) -> None:
    made = await certified(acme, await acme.course("Química"))
    mine = (await acme.ask(MINE, as_=Role.STUDENT))["myCertificates"]["nodes"][0]
    path = mine["pdfUrl"].removeprefix("http://learn.test")
    answer = await acme.http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"].startswith(
        f'attachment; filename="{acme.tenant.slug}-{made["code"]}.pdf"'
    )
    assert answer.content.startswith(b"%PDF-1.7")
    assert pdf.digest(answer.content) == (await verify(acme, made["code"]))["pdfSha256"]
    assert codes_in(answer.content) == [made["verifyUrl"]]
    for broken in (
        path.replace("name=", "name=x"),
        path[:-1] + ("0" if path[-1] != "0" else "1"),
        path.partition("?")[0],
    ):
        assert (await acme.http.get(broken)).status_code == 404


class Away:
    """A file store that does not answer."""

    async def put(self, key: str, body: bytes, *, media_type: str) -> None:
        raise StorageUnavailable("away")


async def test_a_store_that_is_away_delays_the_document_and_nothing_else(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = acme.platform.drawing
    store: Storage = drawing._storage
    monkeypatch.setattr(drawing, "_storage", Away())
    course_id = await acme.course()
    await complete(acme, course_id)
    await acme.work()
    mine = (await acme.ask(MINE, as_=Role.STUDENT))["myCertificates"]["nodes"][0]
    assert (mine["standing"], mine["pdfUrl"], mine["pdfSha256"]) == ("VALID", None, None)
    monkeypatch.setattr(drawing, "_storage", store)
    await acme.application.worker.relay_tenant(tenant_id=str(acme.tenant.id))
    mine = (await acme.ask(MINE, as_=Role.STUDENT))["myCertificates"]["nodes"][0]
    assert len(mine["pdfSha256"]) == 64


async def test_a_document_that_cannot_be_drawn_waits_and_keeps_no_other_from_being_drawn(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = pdf.draw

    def draw(facts: Facts) -> bytes:
        if facts.course_title == "Bad":
            raise RuntimeError("nobody foresaw this")
        return drawn(facts)

    monkeypatch.setattr(pdf, "draw", draw)
    for title in ("Bad", "Good"):
        await complete(acme, await acme.course(title))
    await acme.work()
    rows = await acme.as_owner(
        """SELECT facts->>'course_title', pdf_sha256 IS NOT NULL, pdf_attempts, pdf_retry_at > now() FROM certificates
           ORDER BY 1"""
    )
    assert rows == [("Bad", False, 1, True), ("Good", True, 0, None)]
    monkeypatch.undo()
    await acme.as_owner("UPDATE certificates SET pdf_retry_at = now() - interval '1 second' WHERE pdf_sha256 IS NULL")
    await acme.application.worker.relay_tenant(tenant_id=str(acme.tenant.id))
    assert (await acme.as_owner("SELECT count(pdf_sha256) FROM certificates")) == [(2,)]
