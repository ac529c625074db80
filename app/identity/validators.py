"""What a value must look like: pure functions that return it normalised or say what is wrong with it."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, TypeVar, get_args
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import email_validator
import phonenumbers
from stdnum.cl import rut as chilean_rut
from stdnum.exceptions import ValidationError as NumberError
from zxcvbn import zxcvbn

from app.errors import FieldProblem, Invalid
from app.i18n import Locale

Value = TypeVar("Value")

PASSWORD_MIN, PASSWORD_MAX = 12, 128
# zxcvbn raises above 72 characters and tries every reading of l33t symbols: 72 characters with all of them take 3.5 s,
# 32 take 0.4 s, and 72 with a dozen of them 0.1 s. A longer password is judged by its beginning.
JUDGED, JUDGED_IF_SYMBOLS, MANY_SYMBOLS = 72, 32, 12
SYMBOLS = frozenset("4@8({[<369&#!1|0$5+7%2")
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])")
RESERVED_SLUGS = frozenset(
    {
        *("www", "api", "app", "apps", "admin", "root", "mail", "smtp", "imap", "pop", "ftp", "mx", "ns1", "ns2"),
        *("static", "assets", "cdn", "media", "files", "images", "docs", "blog", "help", "support", "status"),
        *("auth", "login", "logout", "register", "signup", "account", "accounts", "oauth", "sso", "verify"),
        *("graphql", "graphiql", "health", "ready", "metrics", "webhooks"),
        *("internal", "system", "control", "public", "localhost", "staging", "stegmaier"),
    }
)
LOCALES = get_args(Locale)
# Strangers choose the name that a mail to somebody else's address greets: it must not carry an advertisement's link.
LINK = re.compile(r"://|\bwww\.|\w\.\w{2,}/", re.IGNORECASE)
# Directional overrides make a text read differently from what it says.
OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


_one_at_a_time = Lock()


class InvalidValue(ValueError):
    """A value that cannot be accepted: a stable code, and a sentence that says what to do."""

    def __init__(self, code: str, message: str, **params: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.params = params


class Checks:
    """Validates several fields and refuses all the bad ones together."""

    def __init__(self) -> None:
        self.problems: list[FieldProblem] = []

    def __call__(self, path: str, validate: Callable[..., Value], value: Any, **options: Any) -> Value:
        """The normalised value, or (noted as a problem) the value as it came."""
        try:
            return validate(value, **options)
        except InvalidValue as error:
            self.problems.append(FieldProblem(path, error.message, error.code, error.params))
            return value  # type: ignore[no-any-return]

    async def slowly(self, path: str, validate: Callable[..., Value], value: Any, **options: Any) -> Value:
        """The same for a validation that takes long enough to hold up others: in a thread."""
        return await asyncio.to_thread(lambda: self(path, validate, value, **options))

    def note(self, path: str, code: str, message: str, **params: object) -> None:
        """Add a problem found in another way."""
        self.problems.append(FieldProblem(path, message, code, params))

    def done(self) -> None:
        """Raises Invalid with every problem there was."""
        if self.problems:
            raise Invalid(fields=self.problems)


def text(value: str, *, maximum: int, minimum: int = 0) -> str:
    """Text of limited length (characters), trimmed, NFC, without control characters but line breaks and tabs."""
    # Long input is cut before it is looked at: what is left is still too long.
    cleaned = unicodedata.normalize("NFC", value.strip()[: 4 * maximum + 4])
    if _unkept(cleaned, allowed="\n\r\t"):
        raise InvalidValue("TEXT_INVALID", "contains characters that cannot be kept; remove control characters")
    if minimum > 0 and not any(char.isprintable() and not char.isspace() for char in cleaned):
        raise InvalidValue("TOO_SHORT", "must not be empty")
    if len(cleaned) < minimum:
        raise InvalidValue("TOO_SHORT", "needs at least {minimum} characters", minimum=minimum)
    if len(cleaned) > maximum:
        raise InvalidValue("TOO_LONG", "may have at most {maximum} characters", maximum=maximum)
    return cleaned


def _unkept(value: str, *, allowed: str = "") -> bool:
    """Whether there are control characters, halves of surrogate pairs (no database keeps them) or overrides."""
    return any(
        (unicodedata.category(char) in {"Cc", "Cs"} and char not in allowed) or char in OVERRIDES for char in value
    )


def line(value: str, *, maximum: int, minimum: int = 0) -> str:
    """Text on one line: inner white space becomes single spaces."""
    return text(" ".join(value.split()), maximum=maximum, minimum=minimum)


def full_name(value: str) -> str:
    """A person's name, 1 to 120 characters, without links in it."""
    name = line(value, minimum=1, maximum=120)
    if LINK.search(name):
        raise InvalidValue("NAME_INVALID", "must be a person's name, without addresses of web sites")
    return name


def email(value: str) -> str:
    """An e-mail address, lower case, at most 254 characters. Whether it exists is found out by writing to it.

    The local part is ASCII, which every mail server accepts; an international domain is kept in its ASCII spelling,
    so that its two spellings are one address.
    """
    wrong = InvalidValue("EMAIL_INVALID", "is not an e-mail address; write it like name@example.org")
    if len(value) > 320:
        raise wrong
    try:
        found = email_validator.validate_email(
            value.strip(), check_deliverability=False, allow_smtputf8=False, strict=True, test_environment=True
        )
    except (email_validator.EmailNotValidError, UnicodeError) as error:
        raise wrong from error
    address = found.ascii_email
    if address is None or len(address) > 254:
        raise wrong
    return address.lower()


def password(value: str, *, user_inputs: Sequence[str] = ()) -> str:
    """A password that is long and not guessable: 12 to 128 characters, NFKC, zxcvbn score 3 or more (NIST 800-63B)."""
    normal = unicodedata.normalize("NFKC", value[: 4 * PASSWORD_MAX])
    if _unkept(normal):
        raise InvalidValue("TEXT_INVALID", "contains characters that cannot be kept; remove control characters")
    if len(normal) < PASSWORD_MIN:
        raise InvalidValue("PASSWORD_TOO_SHORT", "needs at least {minimum} characters", minimum=PASSWORD_MIN)
    if len(normal) > PASSWORD_MAX:
        raise InvalidValue("PASSWORD_TOO_LONG", "may have at most {maximum} characters", maximum=PASSWORD_MAX)
    beginning = normal[:JUDGED]
    if len(SYMBOLS.intersection(beginning)) > MANY_SYMBOLS:
        beginning = normal[:JUDGED_IF_SYMBOLS]
    with _one_at_a_time:  # the library keeps the user's words in a global
        score = zxcvbn(beginning, user_inputs=_own_words(user_inputs))["score"]
    if score < 3:
        raise InvalidValue("PASSWORD_WEAK", "is easy to guess; use several unrelated words or a longer phrase")
    return normal


def _own_words(user_inputs: Sequence[str]) -> list[str]:
    """A person's data as they come back in passwords: whole, in words, and the words joined in the usual ways."""
    found = []
    for given in (unicodedata.normalize("NFKC", value[:254]) for value in user_inputs):
        for whole in (given, given.partition("@")[0]):
            words = [word for word in re.split(r"[\s@._-]+", whole) if word]
            found += [
                whole,
                *(word for word in words if len(word) > 2),
                *(joint.join(words) for joint in ("", " ", *"._-")),
            ]
    return list(dict.fromkeys(found))


def rut(value: str) -> str:
    """A Chilean RUT in any spelling, as ``12345678-5`` (modulus 11 check digit), without leading zeros."""
    try:
        # Zeros in front do not change the check digit, but would make a second spelling of the same number.
        compact: str = chilean_rut.validate(chilean_rut.compact(value[:40]).lstrip("0"))
    except NumberError as error:
        raise InvalidValue("RUT_INVALID", "is not a valid RUT; check the number and its last digit") from error
    return f"{compact[:-1]}-{compact[-1]}"


def phone(value: str) -> str:
    """A telephone number in E.164; without a country code it is Chilean."""
    try:
        number = phonenumbers.parse(value if len(value) <= 40 else "", "CL")
    except phonenumbers.NumberParseException as error:
        raise InvalidValue("PHONE_INVALID", "is not a telephone number; write it like +56 9 8765 4321") from error
    if not phonenumbers.is_valid_number(number):
        raise InvalidValue("PHONE_INVALID", "is not a telephone number; write it like +56 9 8765 4321")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def locale(value: str) -> str:
    """A language the platform speaks."""
    if value not in LOCALES:
        raise InvalidValue("LOCALE_INVALID", "must be one of: {choices}", choices=", ".join(LOCALES))
    return value


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def time_zone(value: str) -> str:
    """A name of the IANA time zone database."""
    if value not in _time_zones():
        raise InvalidValue("TIME_ZONE_INVALID", "is not a time zone; use a name like America/Santiago")
    return value


def url(value: str) -> str:
    """An https address of at most 2,048 characters, without credentials in it."""
    wrong = InvalidValue("URL_INVALID", "must be an address that starts with https://")
    cleaned = value.strip()
    # Browsers read a backslash as a slash, so that the host they go to would not be the one seen here.
    if len(cleaned) > 2048 or "\\" in cleaned or _unkept(cleaned) or any(char.isspace() for char in cleaned):
        raise wrong
    try:
        parts = urlsplit(cleaned)
        usable = parts.scheme == "https" and parts.hostname and parts.username is None and parts.port != 0
    except ValueError as error:
        raise wrong from error
    if not usable:
        raise wrong
    return cleaned


def slug(value: str) -> str:
    """A tenant's name in addresses: 3 to 63 lower-case letters, digits and inner hyphens, not a reserved word."""
    # A label with two hyphens in third place means something else to the domain name system (RFC 5891, 4.2.3.1).
    if not SLUG.fullmatch(value) or value[2:4] == "--":
        raise InvalidValue("SLUG_INVALID", "use 3 to 63 lower-case letters, digits and hyphens, like my-school")
    if value in RESERVED_SLUGS:
        raise InvalidValue("SLUG_RESERVED", "is a reserved word; choose another")
    return value
