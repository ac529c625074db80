"""GraphQL over HTTP and WebSocket: negotiation, limits of a request, and what refusals look like."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from graphql import DocumentNode, FragmentDefinitionNode, GraphQLError, OperationDefinitionNode, parse
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry import Schema
from strawberry.asgi import GraphQL
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from app.errors import Refusal, Unauthenticated
from app.http.resolution import tenant_required
from app.http.responses import failure_response, refusal_response
from app.http.viewer import request_id
from app.i18n import Locale, message, negotiate, translate
from schema.context import Context
from schema.limits import root_fields
from schema.presenting import present
from schema.responses import ResponseCache

MAX_BODY = 100_000  # bytes
MODERN, LEGACY = "application/graphql-response+json", "application/json"
READING = frozenset({OperationType.QUERY})
READING_AND_WRITING = READING | {OperationType.MUTATION}
QUALITY = re.compile(r"[01](\.[0-9]{0,3})?")
META = frozenset({"__typename", "__schema", "__type"})

Receive_ = Callable[[Mapping[str, str], str | None], Awaitable[Context]]


class BadRequest(Refusal):
    """A request that is not GraphQL over HTTP."""

    code = "BAD_REQUEST"

    def __init__(self, text: str, status: int = 400, *, code: str | None = None, allow: str | None = None) -> None:
        super().__init__(text, code=code)
        self.http_status = status
        self.allow = allow


NOT_JSON = message("the body is not a JSON object with a query")
NO_OPERATION = message("the document has no such operation; name one of its operations in operationName")


class GraphQLServer:
    """The ASGI application of ``/graphql``.

    ``receive`` turns headers and the peer's address into a context; it raises a Refusal for a request that is not let
    in. Conforms to the GraphQL-over-HTTP specification (all 61 audits of npm ``graphql-http``).
    """

    def __init__(self, schema: Schema, receive: Receive_, responses: ResponseCache, *, origins: list[str]) -> None:
        self._schema = schema
        self._receive = receive
        self._responses = responses
        self._sockets = Sockets(schema, receive, origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket connection."""
        if scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        answer = await self._answer(scope, headers, receive)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Answer:
        locale = negotiate(headers.get("accept-language"))
        identifier = request_id(headers)
        try:
            media_type = accepted(headers.get("accept"))
            body = await self._body(scope, headers, receive)
            peer = scope.get("client")
            context = await self._receive(headers, peer[0] if peer else None)
            context.request_id = identifier
            locale = context.locale
            key = self._responses.key(context, body["query"], body.get("operationName"), body.get("variables"))
            if key is not None and (kept := await self._responses.find(key)) is not None:
                return sent(kept, 200, media_type, identifier)
            result = await self._execute(scope["method"], body, context)
        except Refusal as refusal:
            response = refusal_response(refusal, locale, identifier)
            if isinstance(refusal, BadRequest) and refusal.allow:
                response.headers["Allow"] = refusal.allow
            return as_answer(response)
        except Exception as error:
            return as_answer(failure_response(error, locale, identifier))
        answer = respond(result, media_type, locale, identifier)
        if key is not None:
            self._responses.keep(key, result, answer.body)
        return answer

    async def _body(self, scope: Scope, headers: dict[str, str], receive: Receive) -> dict[str, Any]:
        method = scope["method"]
        if method == "POST":
            content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            if content_type != LEGACY:
                raise BadRequest("send application/json", 415, code="UNSUPPORTED_MEDIA_TYPE")
            given = _json(await _read(receive))
        elif method == "GET":
            given = dict(QueryParams(scope["query_string"]))
            for name in ("variables", "extensions"):
                if name in given:
                    given[name] = _json(given[name].encode())
        else:
            raise BadRequest("use GET or POST", 405, code="METHOD_NOT_ALLOWED", allow="GET, POST")
        return checked(given)

    async def _execute(self, method: str, body: dict[str, Any], context: Context) -> ExecutionResult:
        query, name = body["query"], body.get("operationName")
        if context.tenant is None and needs_tenant(query, name):
            raise tenant_required()
        try:
            result = await self._schema.execute(
                query,
                variable_values=body.get("variables"),
                context_value=context,
                operation_name=name,
                allowed_operation_types=READING if method == "GET" else READING_AND_WRITING,
            )
        except InvalidOperationTypeError as error:
            raise BadRequest(
                "only queries can be sent this way; send mutations with POST and subscriptions over a WebSocket",
                405, code="METHOD_NOT_ALLOWED", allow="POST",
            ) from error  # fmt: skip
        except CannotGetOperationTypeError:
            return ExecutionResult(data=None, errors=[GraphQLError(translate(NO_OPERATION, context.locale))])
        return result


class Answer(NamedTuple):
    """An HTTP response as ASGI sends it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def as_answer(response: Response) -> Answer:
    """A response of Starlette's."""
    return Answer(response.status_code, response.raw_headers, bytes(response.body))


def respond(result: ExecutionResult, media_type: str, locale: Locale, identifier: str) -> Answer:
    """The HTTP response of a result: 400 for request errors, but 200 with the older media type (specification, 6.4)."""
    body: dict[str, Any] = {}
    status = 200
    if result.errors:
        errors = [present(error, locale, identifier) for error in result.errors]
        body["errors"] = [error.formatted for error in errors]
        is_request_error = result.data is None and all(error.path is None for error in errors)
        if is_request_error:
            code = (errors[0].extensions or {}).get("code")
            status = 503 if code in {"TIMEOUT", "UNAVAILABLE"} else 400 if media_type == MODERN else 200
    if result.data is not None or "errors" not in body or status == 200:
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return sent(orjson.dumps(body), status, media_type, identifier)


def sent(body: bytes, status: int, media_type: str, identifier: str) -> Answer:
    """The HTTP response with this body."""
    headers = [
        (b"content-type", b"%b; charset=utf-8" % media_type.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", identifier.encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == 503:
        headers.append((b"retry-after", b"2"))
    return Answer(status, headers, body)


@lru_cache(maxsize=512)
def accepted(header: str | None) -> str:
    """The media type of the answer. Raises BadRequest (406) when the client takes neither."""
    if not header:
        return LEGACY
    best, best_quality = None, 0.0
    for part in header.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        quality = 1.0
        for parameter in parameters.split(";"):
            key, _, value = parameter.strip().partition("=")
            if key == "q":
                quality = float(value) if QUALITY.fullmatch(value) else 0.0
            if key == "charset" and value.strip('"') not in {"utf-8", "utf8"}:
                quality = 0.0
        found = {MODERN: MODERN, LEGACY: LEGACY, "application/*": LEGACY, "*/*": LEGACY}.get(name.strip())
        if found is not None and quality > best_quality:
            best, best_quality = found, quality
    if best is None:
        raise BadRequest("accept application/graphql-response+json or application/json", 406, code="NOT_ACCEPTABLE")
    return best


def checked(given: object) -> dict[str, Any]:
    """The parameters of a GraphQL request. Raises BadRequest when one has the wrong type."""
    if not isinstance(given, dict):
        raise BadRequest(NOT_JSON)
    if not isinstance(given.get("query"), str) or not given["query"]:
        raise BadRequest("the request has no query; send a GraphQL document in query")
    for name, kinds in (("variables", dict), ("extensions", dict), ("operationName", str)):
        if given.get(name) is not None and not isinstance(given[name], kinds):
            raise BadRequest("variables and extensions must be objects, operationName a text")
    return given


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the request ended before its body")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise BadRequest("the request is larger than 100 KB", 413, code="PAYLOAD_TOO_LARGE")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(NOT_JSON) from error


def lower(headers: Headers) -> dict[str, str]:
    """Headers by their lower-case names."""
    return {name.lower(): value for name, value in headers.items()}


@lru_cache(maxsize=512)
def _needs_tenant(query: str, name: str | None) -> bool:
    try:
        document: DocumentNode = parse(query, no_location=True, max_tokens=2000)
    except GraphQLError:
        return False
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    chosen = [d for d in operations if name is None or (d.name and d.name.value == name)]
    return any(root_fields(operation, fragments)[0] - META for operation in chosen)


def needs_tenant(query: str, name: str | None) -> bool:
    """Whether an operation selects anything but the schema itself; False for what cannot be parsed."""
    return _needs_tenant(query, name) if len(query) <= 10_000 else True


class Waiting(Context):
    """A WebSocket connection before it has said who it is."""

    def __init__(self, websocket: WebSocket, locale: Locale, identifier: str) -> None:
        self.websocket = websocket
        self.locale = locale
        self.request_id = identifier
        self.connection_params: dict[str, object] | None = None
        self.let_in: Callable[[], Awaitable[Context]] | None = None

    async def for_operation(self) -> Context:
        """A context for one operation; the token is looked at again, because a connection outlives log-outs.

        A connection whose token has ended is closed with the refusal's code, and the operation does not run.
        """
        if self.let_in is None:
            raise Unauthenticated("log in to do this")
        try:
            return await self.let_in()
        except Refusal as refusal:
            await self.websocket.close(CLOSE_CODES.get(refusal.http_status, 4400), refusal.code)
            raise


SAYABLE: tuple[str, ...] = ("authorization", "x-tenant-id", "accept-language")
NOTHING_SAID: dict[str, object] = {}
CLOSE_CODES = {401: 4401, 403: 4403, 404: 4404, 423: 4423, 503: 4503}


class Sockets(GraphQL[Context, None]):
    """``graphql-transport-ws``; who is asking is said in ``connection_init``, as headers would say it."""

    def __init__(self, schema: Schema, receive: Receive_, origins: list[str]) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=10),
            max_subscriptions_per_connection=50,
            allowed_origins=origins,
        )
        self._receive_asker = receive

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """A context that waits for ``connection_init``."""
        if not isinstance(request, WebSocket):
            raise TypeError("HTTP requests are answered by GraphQLServer")
        headers = lower(request.headers)
        return Waiting(request, negotiate(headers.get("accept-language")), request_id(headers))

    async def on_ws_connect(self, context: Context) -> Any:
        """Let the connection in, or close it with 4400, 4401, 4403, 4404 or 4423 and the refusal's code."""
        if not isinstance(context, Waiting):
            raise TypeError("not a WebSocket's context")
        websocket = context.websocket
        sent = context.connection_params or NOTHING_SAID
        params: dict[str, str] = {name.lower(): str(value) for name, value in sent.items()}
        headers = lower(websocket.headers)
        given: dict[str, str] = {name: params[name] for name in SAYABLE if name in params}
        if "tenant" in params:
            given.setdefault("x-tenant-id", params["tenant"])
        said = {**headers, **given}
        peer = websocket.client.host if websocket.client else None

        async def let_in() -> Context:
            made = await self._receive_asker(said, peer)
            if made.tenant is None:
                raise tenant_required()
            return made

        try:
            first = await let_in()
        except Refusal as refusal:
            await websocket.close(CLOSE_CODES.get(refusal.http_status, 4400), refusal.code)
            raise WebSocketDisconnected from refusal
        context.let_in, context.locale = let_in, first.locale
        return {"requestId": context.request_id}
