"""Mails: written from templates in the reader's language, sent over SMTP or, in development, kept in a folder."""

from __future__ import annotations

import asyncio
import re
import ssl
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import aiosmtplib
import mrml
import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from app.i18n import Locale, negotiate

log = structlog.get_logger(__name__)

TEMPLATES = Path(__file__).with_name("templates")
TlsMode = Literal["none", "starttls", "tls"]

# Refusals that are about this platform's account at the mail server and not about the mail: an operator repairs them.
ACCOUNT_CODES = frozenset({530, 534, 535, 538})

# What XML, and so MJML, cannot hold at all.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class MailTemporarilyUndeliverable(Exception):
    """The mail server is away, busy or wrongly configured: the same mail may leave later."""


class MailRefused(Exception):
    """This mail will never leave: its address, its subject or its content is not acceptable."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person. ``headers`` are added to the usual ones.

    Raises MailRefused: a line break or control character in the recipient, the subject or a header.
    """

    to: str
    subject: str
    html: str
    text: str
    locale: Locale
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_one_line(to=self.to, subject=self.subject)
        for name, value in self.headers.items():
            _require_one_line(header=name + value)


def _require_one_line(**values: str) -> None:
    """Raises MailRefused where a value could end its header and begin another one."""
    for name, value in values.items():
        if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in value):
            raise MailRefused(f"the mail's {name} holds a line break or control character")


class Mailer(Protocol):
    """A way for mails to leave."""

    async def send(self, mail: Mail) -> None:
        """Hand over one mail. Raises MailTemporarilyUndeliverable (try again) or MailRefused (give up)."""
        ...


def address_of(sender: str) -> Address:
    """``Name <address>`` in its parts. Raises ValueError: a mistake in the settings must not look like a bad mail."""
    name, address = parseaddr(sender)
    try:
        return Address(display_name=name, addr_spec=address)
    except (ValueError, MessageError, IndexError) as error:
        raise ValueError(f"{sender!r} is not a sender; write it like Name <name@example.org>") from error


def as_message(mail: Mail, sender: Address) -> EmailMessage:
    """The mail as it travels: multipart/alternative, plain text first. Raises MailRefused: an impossible recipient."""
    message = EmailMessage(policy=policy.SMTP)
    # Quoted-printable keeps lines short and seven bit, so that every relay passes the mail on unchanged.
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    try:
        message["To"] = Address(addr_spec=mail.to)
    except (ValueError, MessageError, IndexError) as error:
        raise MailRefused(f"the mail cannot be addressed: {error}") from error
    message["From"] = sender
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.domain)
    message["Content-Language"] = mail.locale
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    for name, value in mail.headers.items():
        message[name] = value
    return message


class SmtpMailer:
    """Sends through a mail server. ``timeout`` (seconds) is for the whole conversation.

    With ``starttls`` and ``tls`` nothing is ever sent unencrypted or to a server whose certificate does not verify.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        username: str | None = None,
        password: str | None = None,
        tls: TlsMode = "starttls",
        sender: str,
        timeout: float = 15.0,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._username = username
        self._password = password
        self._tls = tls
        self._sender = address_of(sender)
        self._timeout = timeout
        self._tls_context = tls_context if tls_context or tls == "none" else ssl.create_default_context()

    async def send(self, mail: Mail) -> None:
        """Hand over one mail. Raises MailTemporarilyUndeliverable (try again) or MailRefused (give up)."""
        message = as_message(mail, self._sender)
        try:
            async with asyncio.timeout(self._timeout):
                await aiosmtplib.send(
                    message,
                    recipients=[mail.to],
                    hostname=self._host,
                    port=self._port,
                    username=self._username,
                    password=self._password,
                    use_tls=self._tls == "tls",
                    start_tls=self._tls == "starttls",
                    tls_context=self._tls_context,
                    timeout=self._timeout,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _judged(error.recipients[0].code, error.recipients[0].message) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _judged(error.code, error.message) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            # Also a server that offers no STARTTLS: better late than readable on the way.
            raise MailTemporarilyUndeliverable(f"{type(error).__name__}: {error}") from error


def _judged(code: int, answer: str) -> MailRefused | MailTemporarilyUndeliverable:
    final = code >= 500 and code not in ACCOUNT_CODES
    return (MailRefused if final else MailTemporarilyUndeliverable)(f"{code} {answer}")


class OutboxMailer:
    """For development: each mail becomes an ``.eml`` and an ``.html`` file, named by time and recipient."""

    def __init__(self, folder: Path, *, sender: str) -> None:
        self._folder = folder
        self._sender = address_of(sender)

    async def send(self, mail: Mail) -> None:
        """Write the files and log where they are and the mail's first link. Raises MailRefused."""
        path = await asyncio.to_thread(self._write, mail)
        link = re.search(r"https?://\S+", mail.text)
        log.info(
            "a mail was put into the outbox",
            subject=mail.subject,
            recipient=mail.to,
            path=str(path),
            link=link.group() if link else None,
        )

    def _write(self, mail: Mail) -> Path:
        message = as_message(mail, self._sender)
        self._folder.mkdir(parents=True, exist_ok=True)
        recipient = re.sub(r"[^a-z0-9]+", "-", mail.to.lower()).strip("-")[:60]
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{recipient}.eml"
        path.write_bytes(message.as_bytes())
        path.with_suffix(".html").write_text(mail.html, encoding="utf-8")
        return path


# --- writing


@lru_cache(maxsize=1)
def _plain() -> Environment:
    """Sentences and the text part: nothing is escaped, because nothing is markup."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701 - plain text only; the layout in MJML escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _markup() -> Environment:
    """The HTML part's layout: everything put into it is escaped."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, locale: str, *, to: str, **context: object) -> Mail:
    """Write a mail. Both parts come from the same sentences: ``templates/<locale>/<template>.txt``.

    Every template needs ``tenant_name``, ``full_name`` and ``url``; those about a course also ``course_title``.
    Raises: jinja2.UndefinedError (something is missing), jinja2.TemplateNotFound, MailRefused (line break in the
    subject or the recipient).
    """
    language = negotiate(None, locale)
    words = {
        **_sentences(_plain().get_template(f"{language}/common.txt"), context),
        **_sentences(_plain().get_template(f"{language}/{template}.txt"), context),
    }
    _require_one_line(to=to, subject=words["subject"])
    values = {name: UNPRINTABLE.sub(" ", str(value)) for name, value in {**context, **words}.items()}
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", values.pop("body"))]
    page: dict[str, object] = {**values, "paragraphs": paragraphs, "locale": language}
    return Mail(
        to=to,
        subject=words["subject"],
        html=mrml.to_html(_markup().get_template("layout.mjml").render(page)).content,
        text=_plain().get_template("layout.txt").render(page).strip() + "\n",
        locale=language,
    )


def _sentences(template: Template, context: Mapping[str, object]) -> dict[str, str]:
    """Each block of a template, filled in."""
    scope = template.new_context(dict(context))
    return {name: "".join(block(scope)).strip() for name, block in template.blocks.items()}
