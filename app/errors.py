"""What the platform says when it refuses: one exception class per kind, each with a stable code.

A message is an English sentence (the msgid of ``app/locales/es.po``) with ``{named}`` placeholders; it is translated
once, where the answer leaves (``schema/errors.py``, ``app/http/responses.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One input field that cannot be accepted. ``path`` uses the client's names: ``input.email``, ``ids.3``."""

    path: str
    message: str
    code: str
    params: dict[str, object] = field(default_factory=dict)


class Refusal(Exception):
    """A request that was understood and declined. ``code`` is stable, ``message`` is for the person who asked."""

    code = "REFUSED"
    http_status = 400

    def __init__(self, message: str, *, code: str | None = None, **params: object) -> None:
        super().__init__(message)
        self.message = message
        self.params = params
        if code is not None:
            self.code = code

    def extensions(self) -> dict[str, object]:
        """What a client may read beside the message."""
        return {"code": self.code}


class NotFound(Refusal):
    """The thing is not there, or the person asking may not know that it is."""

    code = "NOT_FOUND"
    http_status = 404

    def __init__(self, thing: str, *, code: str | None = None, **params: object) -> None:
        super().__init__(f"{thing} not found", code=code, **params)
        self.thing = thing


class Forbidden(Refusal):
    """Known person, known thing, not allowed."""

    code = "FORBIDDEN"
    http_status = 403


class Unauthenticated(Refusal):
    """Nobody is logged in, or the credentials no longer count."""

    code = "UNAUTHENTICATED"
    http_status = 401


class Conflict(Refusal):
    """The request collides with the state of things; nothing was changed."""

    code = "CONFLICT"
    http_status = 409


class Invalid(Refusal):
    """Input that cannot be accepted; ``fields`` names each field that must be corrected."""

    code = "BAD_USER_INPUT"
    http_status = 400

    def __init__(
        self,
        message: str = "some fields need to be corrected",
        *,
        fields: Sequence[FieldProblem] = (),
        **params: object,
    ) -> None:
        super().__init__(message)
        self.params = params
        self.fields = tuple(fields)


class TooMany(Refusal):
    """Asked too often; ``retry_after`` is in seconds."""

    code = "RATE_LIMITED"
    http_status = 429

    def __init__(self, message: str, *, retry_after: int, code: str | None = None, **params: object) -> None:
        super().__init__(message, code=code, retry_after=retry_after, **params)
        self.retry_after = retry_after

    def extensions(self) -> dict[str, object]:
        return {"code": self.code, "retryAfter": self.retry_after}


class Unavailable(Refusal):
    """A part that is needed does not answer just now; ``retry_after`` is in seconds."""

    code = "UNAVAILABLE"
    http_status = 503

    def __init__(self, message: str, *, retry_after: int = 2, code: str | None = None, **params: object) -> None:
        super().__init__(message, code=code, retry_after=retry_after, **params)
        self.retry_after = retry_after

    def extensions(self) -> dict[str, object]:
        return {"code": self.code, "retryAfter": self.retry_after}
