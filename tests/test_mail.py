"""Mails: written in two languages and two parts, and sent over real SMTP, whatever the server answers."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jinja2 import TemplateNotFound, UndefinedError

from app.i18n import Locale
from app.outside.mail import (
    TEMPLATES,
    Mail,
    Mailer,
    MailRefused,
    MailTemporarilyUndeliverable,
    OutboxMailer,
    SmtpMailer,
    render,
)
from tests.mailbox import text_of, token_in

NAMES = sorted(path.stem for path in (TEMPLATES / "es").glob("*.txt") if path.stem != "common")
LOCALES: tuple[Locale, ...] = get_args(Locale)
SENDER = "Plataforma Ñandú <no-reply@learn.test>"
URL = "https://learn.test/verify-email?tenant=acme&token=abc_DEF-123"
CONTEXT: dict[str, object] = {
    "tenant_name": "Colegio Ñandú",
    "full_name": "José Núñez",
    "url": URL,
    "course_title": "Álgebra: ¿qué es?",
    "until": "2026-12-01T08:30:00+00:00",
    "reason": "Primero el nivel básico.",
    "quiz_title": "Álgebra: ¿qué es?",
    "before": "50",
    "after": "75",
    "days": 7,
}


def letter(template: str = "verify_email", locale: str = "es", to: str = "jose@acme.test", **changes: object) -> Mail:
    """A mail with everything a template may need."""
    return render(template, locale, to=to, **{**CONTEXT, **changes})


def smtp(port: int, **changes: Any) -> SmtpMailer:
    """A mailer towards this machine."""
    return SmtpMailer(**{"host": "127.0.0.1", "port": port, "tls": "none", "sender": SENDER, "timeout": 5.0, **changes})


class _Page(HTMLParser):
    """What a reader of the HTML part sees, where its links lead, and which elements it has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.links: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value]

    def handle_data(self, data: str) -> None:
        self.words += data


# --- writing


def test_every_mail_exists_in_both_languages() -> None:
    assert NAMES == [
        "already_registered",
        "certificate_expiring",
        "certificate_issued",
        "course_completed",
        "enrolled",
        "enrollment_approved",
        "enrollment_expired",
        "enrollment_expiring",
        "enrollment_invited",
        "enrollment_rejected",
        "enrollment_requested",
        "enrollment_waitlisted",
        "invitation",
        "join_tenant",
        "offer_expired",
        "password_changed",
        "regraded",
        "reset_password",
        "seat_offered",
        "verify_email",
        "welcome",
    ]
    assert sorted(path.stem for path in (TEMPLATES / "en").glob("*.txt")) == sorted([*NAMES, "common"])


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", NAMES)
def test_both_parts_say_the_same_and_lead_to_the_same_place(template: str, locale: Locale) -> None:
    mail = letter(template, locale)
    page = _Page(mail.html)
    assert mail.locale == locale
    assert set(page.links) == {URL}
    assert mail.text.count(URL) == 1
    assert mail.text.startswith("Colegio Ñandú\n")
    for line in filter(None, mail.text.splitlines()):
        assert line.removesuffix(":") in page.words or line in {URL, "-- "}
    assert f'lang="{locale}"' in mail.html


@pytest.mark.parametrize("template", NAMES)
def test_the_languages_differ_in_every_sentence(template: str) -> None:
    spanish, english = letter(template, "es"), letter(template, "en")
    assert spanish.subject != english.subject
    common = set(spanish.text.splitlines()) & set(english.text.splitlines())
    assert common == {"", "Colegio Ñandú", URL, "-- "}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", NAMES)
def test_a_mail_loads_nothing_from_elsewhere(template: str, locale: Locale) -> None:
    html = letter(template, locale).html
    assert set(re.findall(r"https?://[^\s\"'<)]+", html)) == {"http://www.w3.org/1999/xhtml", URL.replace("&", "&amp;")}


def test_markup_in_values_is_shown_and_not_obeyed() -> None:
    mail = letter(
        "enrolled",
        full_name="<script>alert(1)</script>",
        tenant_name='A"><img src=x> & B',
        course_title="</mj-text><mj-raw><b>x</b></mj-raw>{{ 7*7 }}",
    )
    page = _Page(mail.html)
    assert not page.elements & {"script", "img", "b"}
    assert "Hola, <script>alert(1)</script>:" in page.words
    assert 'A"><img src=x> & B' in page.words
    assert "</mj-text><mj-raw><b>x</b></mj-raw>{{ 7*7 }}" in page.words
    assert "Hola, <script>alert(1)</script>:" in mail.text


def test_a_quote_in_the_link_stays_inside_the_link() -> None:
    page = _Page(letter(url='https://learn.test/?a="onclick="x').html)
    assert set(page.links) == {'https://learn.test/?a="onclick="x'}


def test_line_breaks_in_a_name_do_not_make_paragraphs() -> None:
    assert "\n\nGratis" not in letter("invitation", tenant_name="Acme", full_name="Ana").text
    with pytest.raises(MailRefused):
        letter("invitation", tenant_name="Acme\n\nGratis")


@pytest.mark.parametrize("bad", ["\x00", "\x0b", "\x1b", "\ud800", "\uffff"])
def test_a_character_that_no_page_can_hold_becomes_a_space(bad: str) -> None:
    mail = letter(full_name=f"José{bad}Núñez")
    assert "Hola, José Núñez:" in mail.text
    assert "Hola, José Núñez:" in _Page(mail.html).words


def test_a_forgotten_value_is_an_error_and_not_a_hole() -> None:
    with pytest.raises(UndefinedError, match="course_title"):
        render("enrolled", "es", to="a@b.test", tenant_name="Acme", full_name="Ana", url=URL)


@pytest.mark.parametrize("template", ["unknown", "../../../etc/passwd"])
def test_an_unknown_mail_is_an_error(template: str) -> None:
    with pytest.raises(TemplateNotFound):
        letter(template)


def test_a_language_that_is_not_spoken_falls_back_to_spanish() -> None:
    assert letter(locale="fr").locale == "es"
    assert letter(locale="en-GB").locale == "en"


@pytest.mark.parametrize("bad", ["\r\nBcc: eva@evil.test", "\nx", "\rx", "\x00", "\x0b", "\x85", "\u2028", "\ud800"])
def test_no_header_can_be_smuggled_in(bad: str) -> None:
    with pytest.raises(MailRefused):
        letter(to=f"ana@acme.test{bad}")
    with pytest.raises(MailRefused):
        letter("enrolled", course_title=f"Álgebra{bad} x")
    with pytest.raises(MailRefused):
        Mail("ana@acme.test", "Hola", "<p>", "x", "es", headers={"X-Kind": f"a{bad}"})
    with pytest.raises(MailRefused):
        Mail("ana@acme.test", "Hola", "<p>", "x", "es", headers={f"X-Kind{bad}": "a"})


# --- sending


class Box:
    """Keeps what a mail server receives; ``answer`` is what the server says to the content."""

    def __init__(self) -> None:
        self.answer = "250 OK"
        self.raw: list[bytes] = []
        self.port = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.raw.append(envelope.content)
        return self.answer

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails, oldest first."""
        return [message_from_bytes(content, policy=policy.default) for content in self.raw]


class AnyPort(Controller):
    """aiosmtpd checks that it listens by connecting to the port it was given; here the system chose it."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def serving(handler: object, **options: Any) -> Iterator[int]:
    """A mail server with a handler; gives its port."""
    controller = AnyPort(handler, hostname="127.0.0.1", port=0, **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@pytest.fixture
def box() -> Iterator[Box]:
    """A mail server that takes everything."""
    made = Box()
    with serving(made) as made.port:
        yield made


async def test_a_mail_arrives_in_both_parts_with_its_accents(box: Box) -> None:
    await smtp(box.port).send(letter())
    (received,) = box.mails
    assert received.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in received.iter_parts()] == ["text/plain", "text/html"]
    assert received["Subject"] == "Confirma tu correo en Colegio Ñandú"
    assert received["From"] == SENDER
    assert received["To"] == "jose@acme.test"
    assert received["Content-Language"] == "es"
    assert received["Auto-Submitted"] == "auto-generated"
    assert str(received["Message-ID"]).endswith("@learn.test>")
    assert received["Date"].datetime.tzinfo is not None
    assert "Hola, José Núñez:" in text_of(received)
    assert token_in(received) == "abc_DEF-123"
    html = received.get_body(("html",))
    assert html is not None
    assert "Hola, José Núñez:" in html.get_content()


async def test_a_mail_travels_in_short_seven_bit_lines(box: Box) -> None:
    await smtp(box.port).send(letter())
    raw = box.raw[0]
    assert raw.isascii()
    assert max(len(line) for line in raw.splitlines()) <= 998


async def test_headers_of_a_mail_are_sent_with_it(box: Box) -> None:
    await smtp(box.port).send(Mail("a@b.test", "Hola", "<p>x</p>", "x", "es", headers={"X-Kind": "welcome"}))
    assert box.mails[0]["X-Kind"] == "welcome"


@pytest.mark.parametrize("answer", ["450 busy", "421 closing", "452 full"])
async def test_a_temporary_refusal_is_to_be_tried_again(box: Box, answer: str) -> None:
    box.answer = answer
    with pytest.raises(MailTemporarilyUndeliverable, match=answer[:3]):
        await smtp(box.port).send(letter())
    box.answer = "250 OK"
    await smtp(box.port).send(letter())
    assert len(box.mails) == 1


@pytest.mark.parametrize("answer", ["550 no such person", "552 too big", "554 spam"])
async def test_a_permanent_refusal_is_final(box: Box, answer: str) -> None:
    box.answer = answer
    with pytest.raises(MailRefused, match=answer):
        await smtp(box.port).send(letter())


class _Picky:
    """A server that answers to the sender, to the recipient, or hangs up."""

    def __init__(self, *, mail: str = "250 OK", rcpt: str = "250 OK") -> None:
        self.mail = mail
        self.rcpt = rcpt

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if self.mail.startswith("250"):
            envelope.mail_from = address
        return self.mail

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (_Picky(rcpt="550 unknown"), MailRefused),
        (_Picky(rcpt="450 greylisted"), MailTemporarilyUndeliverable),
        (_Picky(mail="553 not from you"), MailRefused),
        (_Picky(mail="451 later"), MailTemporarilyUndeliverable),
        (_Picky(mail="530 log in first"), MailTemporarilyUndeliverable),
    ],
)
async def test_refusals_before_the_content_are_told_apart(handler: _Picky, expected: type[Exception]) -> None:
    with serving(handler) as port, pytest.raises(expected):
        await smtp(port).send(letter())


@pytest.mark.parametrize("to", ["", "no address", "../ana@acme.test", "a@b.test, c@d.test", "Ana <ana@acme.test>"])
async def test_an_impossible_address_is_refused_without_sending(box: Box, to: str) -> None:
    with pytest.raises(MailRefused):
        await smtp(box.port).send(Mail(to, "Hola", "<p>x</p>", "x", "es"))
    assert box.mails == []


async def test_a_server_that_is_away_is_to_be_tried_again() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(MailTemporarilyUndeliverable):
            await smtp(reserved.getsockname()[1]).send(letter())


async def test_a_host_without_an_address_is_to_be_tried_again() -> None:
    with pytest.raises(MailTemporarilyUndeliverable):
        await smtp(25, host="mail.invalid").send(letter())


async def test_a_silent_server_is_given_up_after_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MailTemporarilyUndeliverable):
        await smtp(silent.getsockname()[1], timeout=0.2).send(letter())


@pytest.mark.parametrize("sender", ["", "nobody", "Nobody <>", "a b@c d"])
def test_an_impossible_sender_is_noticed_before_the_first_mail(sender: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a sender"):
        smtp(25, sender=sender)
    with pytest.raises(ValueError, match="is not a sender"):
        OutboxMailer(tmp_path, sender=sender)


# --- encryption and log-in


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that signed itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def server_side(certificate: Path) -> ssl.SSLContext:
    """What the server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_starttls_is_used_and_the_certificate_verified(certificate: Path) -> None:
    box = Box()
    with serving(box, tls_context=server_side(certificate), require_starttls=True) as port:
        trusting = ssl.create_default_context(cafile=str(certificate))
        await smtp(port, tls="starttls", tls_context=trusting).send(letter())
        assert len(box.mails) == 1
        with pytest.raises(MailTemporarilyUndeliverable, match=r"(?i)certificate"):
            await smtp(port, tls="starttls").send(letter())
    assert len(box.mails) == 1


async def test_a_mail_is_not_sent_in_the_clear_when_starttls_is_not_offered(box: Box) -> None:
    with pytest.raises(MailTemporarilyUndeliverable, match="STARTTLS"):
        await smtp(box.port, tls="starttls").send(letter())
    assert box.mails == []


async def test_a_server_that_demands_encryption_is_not_given_up(certificate: Path) -> None:
    box = Box()
    with serving(box, tls_context=server_side(certificate), require_starttls=True) as port:
        with pytest.raises(MailTemporarilyUndeliverable, match="530"):
            await smtp(port).send(letter())
        assert box.mails == []


async def test_a_mail_can_be_sent_encrypted_from_the_first_byte(certificate: Path) -> None:
    box = Box()
    with serving(box, ssl_context=server_side(certificate)) as port:
        trusting = ssl.create_default_context(cafile=str(certificate))
        await smtp(port, tls="tls", tls_context=trusting).send(letter())
    assert len(box.mails) == 1


async def test_a_wrong_password_is_the_operators_to_repair_and_not_the_mails_fault() -> None:
    box = Box()

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"platform", b"right"), handled=False)

    with serving(box, authenticator=check, auth_require_tls=False) as port:
        with pytest.raises(MailTemporarilyUndeliverable, match="535"):
            await smtp(port, username="platform", password="wrong").send(letter())
        await smtp(port, username="platform", password="right").send(letter())
    assert len(box.mails) == 1


# --- the outbox folder


async def test_development_finds_mails_in_a_folder_and_the_link_in_the_log(tmp_path: Path) -> None:
    mailer: Mailer = OutboxMailer(tmp_path / "outbox", sender=SENDER)
    with structlog.testing.capture_logs() as lines:
        await mailer.send(letter(to="Jose.N+1@Acme.test"))
        await mailer.send(letter("welcome", "en", to="a/b/ana@acme.test"))
    eml, preview, later, _ = sorted((tmp_path / "outbox").iterdir())
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z-jose-n-1-acme-test\.eml", eml.name)
    assert preview.name == eml.with_suffix(".html").name
    assert later.name.endswith("-a-b-ana-acme-test.eml")
    kept = message_from_bytes(eml.read_bytes(), policy=policy.default)
    assert kept["Subject"] == "Confirma tu correo en Colegio Ñandú"
    assert preview.read_text(encoding="utf-8") == letter().html
    assert lines[0] == {
        "event": "a mail was put into the outbox",
        "log_level": "info",
        "subject": "Confirma tu correo en Colegio Ñandú",
        "recipient": "Jose.N+1@Acme.test",
        "path": str(eml),
        "link": URL,
    }


async def test_a_mail_without_a_link_is_logged_without_one(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        await OutboxMailer(tmp_path, sender=SENDER).send(Mail("a@b.test", "Hola", "<p>x</p>", "x", "es"))
    assert lines[0]["link"] is None
