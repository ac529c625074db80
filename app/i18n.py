"""Messages in the reader's language. English sentences are the keys; Spanish comes from ``locales/es*.po``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from babel.messages.pofile import read_po

Locale = Literal["es", "en"]
DEFAULT_LOCALE: Locale = "es"
FOLDER = Path(__file__).with_name("locales")


def message(text: str) -> str:
    """Mark a sentence for translation where it is written and not yet said."""
    return text


@lru_cache(maxsize=1)
def spanish() -> dict[str, str]:
    """Every translated sentence, read once from all ``es*.po`` files."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("es*.po")):
        with path.open("rb") as file:
            catalog = read_po(file, locale="es", abort_invalid=True)
        found.update({str(entry.id): str(entry.string) for entry in catalog if entry.id and entry.string})
    return found


def translate(text: str, locale: Locale, **params: object) -> str:
    """The sentence in a language, its ``{named}`` places filled. A sentence without translation stays English."""
    chosen = spanish().get(text, text) if locale == "es" else text
    return chosen.format_map(_Shown(params)) if "{" in chosen else chosen


class _Shown(dict[str, object]):
    """A place nobody filled is shown as it is: a message must never fail."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def negotiate(accept_language: str | None, *preferences: str | None) -> Locale:
    """The language of an answer: ``Accept-Language`` (RFC 9110, 12.5.4), then each preference, then Spanish.

    ``es-CL`` counts as ``es``; what cannot be parsed is passed over.
    """
    for tag in (*_ranked(accept_language or ""), *preferences):
        match (tag or "").lower().split("-")[0]:
            case "es":
                return "es"
            case "en":
                return "en"
            case _:
                continue
    return DEFAULT_LOCALE


def _ranked(header: str) -> list[str]:
    weighted: list[tuple[float, int, str]] = []
    for index, part in enumerate(header[:500].split(",")):
        tag, _, parameter = part.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if quality > 0:
            weighted.append((-quality, index, tag.strip()))
    return [tag for _, _, tag in sorted(weighted)]
