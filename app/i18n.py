"""Messages in the reader's language. English sentences are the keys; Spanish comes from ``locales/es*.po``."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal

from babel.messages.pofile import read_po

Locale = Literal["es", "en"]
DEFAULT_LOCALE: Locale = "es"
FOLDER = Path(__file__).with_name("locales")
PLACE = re.compile(r"\{(\w+)\}")


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
        found.update({str(entry.id): str(entry.string) for entry in catalog if _is_usable(entry)})
    return found


def _is_usable(entry: object) -> bool:
    return bool(getattr(entry, "id", "") and getattr(entry, "string", "")) and not getattr(entry, "fuzzy", False)


def translate(text: str, locale: Locale, /, **params: object) -> str:
    """The sentence in a language, its ``{named}`` places filled. A sentence without translation stays English.

    A place nobody filled is shown as it is: a message must never fail. Only plain names are places; ``str.format``
    would also follow attributes, and so show the inside of objects to whoever gets a word into a message.
    """
    chosen = spanish().get(text, text) if locale == "es" else text
    return PLACE.sub(lambda place: str(params.get(place[1], place[0])), chosen)


@lru_cache(maxsize=4096)
def negotiate(accept_language: str | None, *preferences: str | None) -> Locale:
    """The language of an answer: ``Accept-Language`` (RFC 9110, 12.5.4), then each preference, then Spanish.

    ``es-CL`` counts as ``es``; what cannot be parsed is passed over; a language with quality 0 is not chosen.
    """
    wanted, refused = _ranked(accept_language or "")
    known: dict[str, Locale] = {"es": "es", "en": "en"}
    for tag in (*wanted, *(preference for preference in preferences if preference)):
        language = known.get(_primary(tag))
        if language is not None and language not in refused:
            return language
    return DEFAULT_LOCALE if refused != {DEFAULT_LOCALE} else "en"


def _primary(tag: str) -> str:
    return tag.strip().lower().replace("_", "-").split("-")[0]


def _ranked(header: str) -> tuple[list[str], set[str]]:
    """The header's tags, most wanted first, and the languages (``es``, not ``es-CL``) it rules out."""
    weighted: list[tuple[float, int, str]] = []
    refused: set[str] = set()
    for index, part in enumerate(header[:500].split(",")):
        tag, _, parameter = (piece.strip().lower() for piece in part.partition(";"))
        try:
            quality = float(parameter.removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if 0 < quality <= 1:
            weighted.append((-quality, index, tag))
        elif quality == 0:
            refused.add(tag)
    wanted = [tag for _, _, tag in sorted(weighted)]
    return wanted, refused - {_primary(tag) for tag in wanted}
