"""What a value must look like: pure functions that return it normalised or say what is wrong with it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import email_validator
import phonenumbers
from stdnum.cl import rut as chilean_rut
from stdnum.exceptions import ValidationError as NumberError
from zxcvbn import zxcvbn

from app.errors import FieldProblem, Invalid

Value = TypeVar("Value")

PASSWORD_MIN, PASSWORD_MAX = 12, 128
ZXCVBN_MAX = 72  # the library refuses longer input; a longer password is judged by its beginning
SLUG = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$")
RESERVED_SLUGS = frozenset({"www", "api", "app", "admin", "mail", "smtp", "static", "assets", "cdn", "status", "docs"})
LOCALES = ("es", "en")


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

    def note(self, path: str, code: str, message: str, **params: object) -> None:
        """Add a problem found in another way."""
        self.problems.append(FieldProblem(path, message, code, params))

    def done(self) -> None:
        """Raises Invalid with every problem there was."""
        if self.problems:
            raise Invalid(fields=self.problems)


def text(value: str, *, maximum: int, minimum: int = 0) -> str:
    """Text of limited length (characters), trimmed, NFC, without control characters but line breaks and tabs."""
    cleaned = unicodedata.normalize("NFC", value).strip()
    if any(unicodedata.category(char) == "Cc" and char not in "\n\r\t" for char in cleaned):
        raise InvalidValue("TEXT_INVALID", "contains characters that cannot be kept; remove control characters")
    if len(cleaned) < minimum:
        raise InvalidValue("TOO_SHORT", "needs at least {minimum} characters", minimum=minimum)
    if len(cleaned) > maximum:
        raise InvalidValue("TOO_LONG", "may have at most {maximum} characters", maximum=maximum)
    return cleaned


def line(value: str, *, maximum: int, minimum: int = 0) -> str:
    """Text on one line: inner white space becomes single spaces."""
    return text(" ".join(value.split()), maximum=maximum, minimum=minimum)


def full_name(value: str) -> str:
    """A person's name, 1 to 120 characters."""
    return line(value, minimum=1, maximum=120)


def email(value: str) -> str:
    """An e-mail address, lower case, at most 254 characters. Whether it exists is found out by writing to it."""
    if len(value) > 320:
        raise InvalidValue("EMAIL_INVALID", "is not an e-mail address; write it like name@example.org")
    try:
        found = email_validator.validate_email(value.strip(), check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError as error:
        raise InvalidValue("EMAIL_INVALID", "is not an e-mail address; write it like name@example.org") from error
    if len(found.normalized) > 254:
        raise InvalidValue("EMAIL_INVALID", "is not an e-mail address; write it like name@example.org")
    return found.normalized.lower()


def password(value: str, *, user_inputs: Sequence[str] = ()) -> str:
    """A password that is long and not guessable: 12 to 128 characters, NFKC, zxcvbn score 3 or more (NIST 800-63B)."""
    normal = unicodedata.normalize("NFKC", value)
    if len(normal) < PASSWORD_MIN:
        raise InvalidValue("PASSWORD_TOO_SHORT", "needs at least {minimum} characters", minimum=PASSWORD_MIN)
    if len(normal) > PASSWORD_MAX:
        raise InvalidValue("PASSWORD_TOO_LONG", "may have at most {maximum} characters", maximum=PASSWORD_MAX)
    known = [part for given in user_inputs for part in re.split(r"[\s@._-]+", given) if len(part) > 2]
    if zxcvbn(normal[:ZXCVBN_MAX], user_inputs=[*user_inputs, *known])["score"] < 3:
        raise InvalidValue("PASSWORD_WEAK", "is easy to guess; use several unrelated words or a longer phrase")
    return normal


def rut(value: str) -> str:
    """A Chilean RUT in any spelling, as ``12345678-5`` (modulus 11 check digit)."""
    try:
        compact: str = chilean_rut.validate(value)
    except NumberError as error:
        raise InvalidValue("RUT_INVALID", "is not a valid RUT; check the number and its last digit") from error
    return f"{compact[:-1]}-{compact[-1]}"


def phone(value: str) -> str:
    """A telephone number in E.164; without a country code it is Chilean."""
    try:
        number = phonenumbers.parse(value[:40], "CL")
    except phonenumbers.NumberParseException as error:
        raise InvalidValue("PHONE_INVALID", "is not a telephone number; write it like +56 9 1234 5678") from error
    if not phonenumbers.is_valid_number(number):
        raise InvalidValue("PHONE_INVALID", "is not a telephone number; write it like +56 9 1234 5678")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def locale(value: str) -> str:
    """A language the platform speaks."""
    if value not in LOCALES:
        raise InvalidValue("LOCALE_INVALID", "must be one of: {choices}", choices=", ".join(LOCALES))
    return value


def time_zone(value: str) -> str:
    """A name of the IANA time zone database."""
    if value not in available_timezones():
        raise InvalidValue("TIME_ZONE_INVALID", "is not a time zone; use a name like America/Santiago")
    return value


def url(value: str) -> str:
    """An https address of at most 2,048 characters, without credentials in it."""
    cleaned = value.strip()
    try:
        parts = urlsplit(cleaned)
        wrong = parts.scheme != "https" or not parts.hostname or parts.username is not None
    except ValueError:
        wrong = True
    if wrong or len(cleaned) > 2048 or any(char.isspace() or ord(char) < 32 for char in cleaned):
        raise InvalidValue("URL_INVALID", "must be an address that starts with https://")
    return cleaned


def slug(value: str) -> str:
    """A tenant's name in addresses: 2 to 63 lower-case letters, digits and inner hyphens, not a reserved word."""
    if not SLUG.match(value):
        raise InvalidValue("SLUG_INVALID", "use 2 to 63 lower-case letters, digits and hyphens, like my-school")
    if value in RESERVED_SLUGS:
        raise InvalidValue("SLUG_RESERVED", "is a reserved word; choose another")
    return value
