"""Refusals become typed problems here, once: in the language of the person who asked."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry.schema import ExceptionHandler
from strawberry.types.field import StrawberryField

from app.errors import Conflict, Forbidden, Invalid, NotFound, Refusal, TooMany, Unavailable
from app.i18n import Locale, translate


@strawberry.interface(description="Why a request was declined. Nothing was changed.")
class Problem:
    """Common to everything a mutation may answer instead of success."""

    code: str = strawberry.field(description="Stable and in English; for programs.")
    message: str = strawberry.field(description="A sentence for the person who asked, in their language.")


@strawberry.type(description="One input field that must be corrected.")
class InvalidField:
    """A field and what is wrong with it."""

    path: str = strawberry.field(description="Where in the input: field names and list positions joined by dots.")
    message: str = strawberry.field(description="What is wrong and what to do, in the reader's language.")
    code: str = strawberry.field(description="Stable and in English; for programs.")


@strawberry.type(description="Some input fields cannot be accepted.")
class ValidationProblem(Problem):
    """Every bad field at once, so that a form needs one round trip."""

    fields: list[InvalidField] = strawberry.field(description="Each field that must be corrected.")


@strawberry.type(description="What the request refers to does not exist, or not for this person.")
class NotFoundProblem(Problem):
    """Not there, or not to be seen."""


@strawberry.type(description="This person may not do this.")
class ForbiddenProblem(Problem):
    """Known thing, not allowed."""


@strawberry.type(description="The request collides with the present state, for instance because somebody was faster.")
class ConflictProblem(Problem):
    """Read again, then decide."""


@strawberry.type(description="Asked too often.")
class LimitProblem(Problem):
    """Wait, then ask again."""

    retry_after: int = strawberry.field(description="Seconds to wait.")


@strawberry.type(description="A part that is needed does not answer just now; the same request may succeed later.")
class UnavailableProblem(Problem):
    """Nothing was changed; asking again is safe."""

    retry_after: int = strawberry.field(description="Seconds to wait.")


def say(message: str, locale: Locale, params: dict[str, object]) -> str:
    """A refusal's sentence in the reader's language."""
    return translate(message, locale, **params)


def invalid_fields(refusal: Invalid, locale: Locale) -> list[InvalidField]:
    """A refusal's fields as clients see them."""
    return [
        InvalidField(path=field.path, message=say(field.message, locale, field.params), code=field.code)
        for field in refusal.fields
    ]


def said(refusal: Refusal, info: Any) -> dict[str, Any]:
    """Code and sentence of a refusal, as every problem has them."""
    return {"code": refusal.code, "message": say(refusal.message, info.context.locale, refusal.params)}


class OnInvalid(ExceptionHandler[Invalid, ValidationProblem]):
    """Bad input."""

    def handle(self, exception: Invalid, *, field: StrawberryField, info: Any) -> ValidationProblem:
        return ValidationProblem(**said(exception, info), fields=invalid_fields(exception, info.context.locale))


class OnNotFound(ExceptionHandler[NotFound, NotFoundProblem]):
    """Missing or hidden."""

    def handle(self, exception: NotFound, *, field: StrawberryField, info: Any) -> NotFoundProblem:
        return NotFoundProblem(**said(exception, info))


class OnForbidden(ExceptionHandler[Forbidden, ForbiddenProblem]):
    """Not allowed."""

    def handle(self, exception: Forbidden, *, field: StrawberryField, info: Any) -> ForbiddenProblem:
        return ForbiddenProblem(**said(exception, info))


class OnConflict(ExceptionHandler[Conflict, ConflictProblem]):
    """Collides."""

    def handle(self, exception: Conflict, *, field: StrawberryField, info: Any) -> ConflictProblem:
        return ConflictProblem(**said(exception, info))


class OnTooMany(ExceptionHandler[TooMany, LimitProblem]):
    """Too often."""

    def handle(self, exception: TooMany, *, field: StrawberryField, info: Any) -> LimitProblem:
        return LimitProblem(**said(exception, info), retry_after=exception.retry_after)


class OnUnavailable(ExceptionHandler[Unavailable, UnavailableProblem]):
    """Away."""

    def handle(self, exception: Unavailable, *, field: StrawberryField, info: Any) -> UnavailableProblem:
        return UnavailableProblem(**said(exception, info), retry_after=exception.retry_after)


HANDLERS = (OnInvalid(), OnNotFound(), OnForbidden(), OnConflict(), OnTooMany(), OnUnavailable())
