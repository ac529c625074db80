"""How errors leave: a code always, a translated sentence, never a stack, SQL or an internal name."""

from __future__ import annotations

import structlog
from graphql import GraphQLError

from app.errors import Invalid, Refusal
from app.http.responses import INTERNAL
from app.i18n import Locale, translate
from schema.errors import invalid_fields

log = structlog.get_logger(__name__)


def present(error: GraphQLError, locale: Locale, request_id: str) -> GraphQLError:
    """The error as a client may see it; presenting twice changes nothing."""
    known = dict(error.extensions or {})
    if "requestId" in known:
        return error
    original = error.original_error
    text = error.message
    if isinstance(original, Refusal):
        text = translate(original.message, locale, **original.params)
        known = original.extensions()
        if isinstance(original, Invalid):
            fields = invalid_fields(original, locale)
            known["fields"] = [{"path": f.path, "message": f.message, "code": f.code} for f in fields]
    elif original is None or isinstance(original, GraphQLError):
        known.setdefault("code", "BAD_USER_INPUT")
    else:
        log.error("unexpected error", request_id=request_id, path=error.path, exc_info=original)
        text = translate(INTERNAL, locale)
        known = {"code": "INTERNAL"}
    known["requestId"] = request_id
    return GraphQLError(text, error.nodes, error.source, error.positions, error.path, None, known)
