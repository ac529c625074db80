"""How errors leave: a code always, a translated sentence, never a stack, SQL or an internal name."""

from __future__ import annotations

import re

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from app.errors import Invalid, Refusal
from app.http.responses import INTERNAL
from app.i18n import Locale, message, translate
from schema.errors import invalid_fields
from schema.limits import TOO_COMPLEX

log = structlog.get_logger(__name__)

# The parser's own words: it stops counting there, and says so as a mistake in the syntax.
TOKENS = re.compile(r"contains more than (\d+) tokens")
# Of fields, arguments, types, enum values and input fields: enough of them are the schema.
HINT = re.compile(r" Did you mean [^?]*\?")
TOO_LONG = message("this document is too long: it has more than {limit} tokens")


def present(error: GraphQLError, locale: Locale, request_id: str, *, hints: bool = True) -> GraphQLError:
    """The error as a client may see it, with or without ``hints`` at names; presenting twice changes nothing."""
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
    elif known.get("code") == TOO_COMPLEX:
        text = translate(text, locale, **known)
    elif isinstance(error, GraphQLSyntaxError) and (tokens := TOKENS.search(text)):
        known |= {"code": TOO_COMPLEX, "kind": "tokens", "limit": int(tokens[1])}
        text = translate(TOO_LONG, locale, limit=tokens[1])
    elif original is None or isinstance(original, GraphQLError):
        known.setdefault("code", "BAD_USER_INPUT")
        text = text if hints else HINT.sub("", text)
    else:
        log.error("unexpected error", request_id=request_id, path=error.path, exc_info=original)
        text = translate(INTERNAL, locale)
        known = {"code": "INTERNAL"}
    known["requestId"] = request_id
    return GraphQLError(text, error.nodes, error.source, error.positions, error.path, None, known)
