"""HTTP-level refusals: always a GraphQL error document in JSON, whatever went wrong."""

from __future__ import annotations

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.errors import Refusal
from app.http.viewer import request_id
from app.i18n import Locale, message, negotiate, translate

log = structlog.get_logger(__name__)

INTERNAL = message("something went wrong on our side; it was written down and will be looked at")


class HttpRefusal(Refusal):
    """What is refused before anything looks at the request's content."""

    def __init__(self, message: str, status: int, code: str, **params: object) -> None:
        super().__init__(message, code=code, **params)
        self.http_status = status


def error_body(text: str, extensions: dict[str, object], request_id: str) -> bytes:
    """``{"errors": [{"message", "extensions": {"code", ..., "requestId"}}]}``."""
    return orjson.dumps({"errors": [{"message": text, "extensions": {**extensions, "requestId": request_id}}]})


def refusal_response(refusal: Refusal, locale: Locale, request_id: str) -> Response:
    """The answer to a request that was refused before its operation was looked at."""
    headers = {"X-Request-ID": request_id}
    retry_after = getattr(refusal, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if refusal.http_status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="stegmaier"'
    return Response(
        error_body(say(refusal, locale), refusal.extensions(), request_id),
        status_code=refusal.http_status,
        media_type="application/json",
        headers=headers,
    )


def failure_response(error: Exception, locale: Locale, request_id: str) -> Response:
    """The answer to a request that failed outside its operation: masked and logged like a failure inside."""
    log.error("unexpected error", request_id=request_id, exc_info=error)
    return Response(
        error_body(translate(INTERNAL, locale), {"code": "INTERNAL"}, request_id),
        status_code=500,
        media_type="application/json",
        headers={"X-Request-ID": request_id},
    )


async def http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such address, wrong method), which it would answer in plain text."""
    status, headers = (error.status_code, error.headers or {}) if isinstance(error, HTTPException) else (500, {})
    match status:
        case 404:
            refusal = HttpRefusal("there is nothing at this address; the API is at /graphql", 404, "NOT_FOUND")
        case 405:
            refusal = HttpRefusal(
                "this address is not asked with {method}; use {allowed}", 405, "METHOD_NOT_ALLOWED",
                method=request.method, allowed=headers.get("Allow", "GET"),
            )  # fmt: skip
        case _:
            refusal = HttpRefusal("this request cannot be answered", status, "BAD_REQUEST")
    response = refusal_response(refusal, negotiate(request.headers.get("accept-language")), request_id(request.headers))
    response.headers.update(headers)
    return response


async def unexpected(request: Request, error: Exception) -> Response:
    """The answer to a request that failed outside ``/graphql``."""
    return failure_response(error, negotiate(request.headers.get("accept-language")), request_id(request.headers))


def say(refusal: Refusal, locale: Locale) -> str:
    """A refusal's sentence in the language of the person who asked."""
    return translate(refusal.message, locale, **refusal.params)
