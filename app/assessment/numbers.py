"""Numbers as people write them: decimal comma or point by language, groups of thousands, a unit behind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from app.i18n import Locale

# Signs and blanks that look like what they mean: minus and hyphens; no-break, thin and figure spaces, apostrophes.
_MINUS = re.compile("^[\u2212\u2010\u2011\u2012\u2013]")
_BLANK = "[ \u00a0\u2009\u202f\u2007'\u2019]"
_EXPONENT = r"(?:[eE](?P<exponent>[+-]?[0-9]{1,3}))?"
_GROUPED = r"[0-9]{1,3}(?:%s[0-9]{3})+"
_DIGITS = 40
_LARGEST = 100  # powers of ten


def _pattern(group: str, decimal: str) -> re.Pattern[str]:
    whole = f"(?:{_GROUPED % group}|[0-9]+)"
    return re.compile(
        f"(?P<sign>[+-]?)(?:(?P<whole>{whole})(?:{decimal}(?P<part>[0-9]*))?|{decimal}(?P<only>[0-9]+)){_EXPONENT}"
    )


_PLAIN_POINT = _pattern(_BLANK, r"\.")
_PLAIN_COMMA = _pattern(_BLANK, ",")
_POINT = _pattern(",", r"\.")
_COMMA = _pattern(r"\.", ",")
# In the language's own way first; the other way is understood where it can mean nothing else: 1,5 in English.
_WAYS: dict[Locale, tuple[re.Pattern[str], ...]] = {
    "es": (_COMMA, _PLAIN_COMMA, _PLAIN_POINT, _POINT),
    "en": (_POINT, _PLAIN_POINT, _PLAIN_COMMA, _COMMA),
}


def number(written: str, locale: Locale, units: Sequence[str] = ()) -> Decimal | None:
    """The number somebody wrote, or None. ``1.234`` is 1234 in Spanish and 1.234 in English; ``1.5`` is 1.5 in both."""
    text = _MINUS.sub("-", written.strip())
    for way in _WAYS[locale]:
        if (found := way.match(text)) is not None and _is_unit(text[found.end() :], units):
            return _value(found)
    return None


def readable(written: str, units: Sequence[str] = ()) -> bool:
    """Whether it is a number in any of the languages."""
    return any(number(written, locale, units) is not None for locale in _WAYS)


def _is_unit(rest: str, units: Sequence[str]) -> bool:
    """Whether what follows the number is nothing or one of the units; capitals count, m is not M."""
    return not rest.strip() or " ".join(rest.split()) in units


def _value(found: re.Match[str]) -> Decimal | None:
    whole = re.sub("[^0-9]", "", found["whole"] or "")
    part = found["part"] or found["only"] or ""
    exponent = int(found["exponent"] or 0)
    if len(whole) + len(part) > _DIGITS or abs(exponent) > _LARGEST:
        return None
    return Decimal(f"{found['sign']}{whole or '0'}.{part or '0'}e{exponent}")
