"""Which host names are served: a request for another one is refused before anything is built from its name."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from app.http.responses import HttpRefusal, refusal_response
from app.http.viewer import request_id
from app.i18n import negotiate


class HostGuard:
    """Lets requests through whose host is allowed: by name, by ``*.example.org``, or any by ``*``.

    ``open_to_all`` are paths that may be asked by address: a container or a balancer knows no name.
    """

    def __init__(self, app: ASGIApp, *, allowed: list[str], open_to_all: frozenset[str]) -> None:
        self._app = app
        self._names = frozenset(pattern.lower() for pattern in allowed)
        self._suffixes = tuple(pattern.lower()[1:] for pattern in allowed if pattern.startswith("*."))
        self._open_to_all = open_to_all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket connection."""
        if scope["type"] not in {"http", "websocket"} or scope["path"] in self._open_to_all or "*" in self._names:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if await self._is_served(host_name(headers.get("host", ""))):
            await self._app(scope, receive, send)
            return
        refusal = HttpRefusal("this host name is not served here; check the address", 400, "HOST_UNKNOWN")
        if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
            await WebSocketClose(4400, refusal.code)(scope, receive, send)
            return
        locale = negotiate(headers.get("accept-language"))
        await refusal_response(refusal, locale, request_id(headers))(scope, receive, send)

    async def _is_served(self, name: str) -> bool:
        return bool(name) and (name in self._names or name.endswith(self._suffixes))


def host_name(header: str) -> str:
    """The name in a Host header, in lower case and without its port; an IPv6 address keeps its brackets."""
    name = header.strip().lower()
    return name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
