"""HTTP-level refusals: always a GraphQL error document in JSON, whatever went wrong."""

from __future__ import annotations

import orjson
import structlog
from starlette.responses import Response

from app.errors import Refusal
from app.i18n import Locale, message, translate

log = structlog.get_logger(__name__)

INTERNAL = message("something went wrong on our side; it was written down and will be looked at")


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


def say(refusal: Refusal, locale: Locale) -> str:
    """A refusal's sentence in the language of the person who asked."""
    return translate(refusal.message, locale, **refusal.params)
