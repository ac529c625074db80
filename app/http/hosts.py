"""Which host names are served: a request for another one is refused before anything is built from its name."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from app.errors import Refusal
from app.http.responses import HttpRefusal, refusal_response
from app.http.viewer import request_id
from app.i18n import negotiate
from app.tenancy.directory import TenantDirectory
from app.tenancy.service import HOST


class HostGuard:
    """Lets requests through whose host is allowed (by name, by ``*.example.org``, any by ``*``) or is a tenant's.

    A tenant's are the subdomains of ``base_domain`` and the domains that were added to tenants; the latter are asked of
    the directory, which answers from memory. ``open_to_all`` are paths that may be asked by address: a container or a
    balancer knows no name.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        allowed: Iterable[str],
        base_domain: str,
        directory: TenantDirectory,
        open_to_all: frozenset[str],
    ) -> None:
        self._app = app
        patterns = [*(pattern.lower() for pattern in allowed), f"*.{base_domain.lower()}"]
        self._names = frozenset(patterns)
        self._suffixes = tuple(pattern[1:] for pattern in patterns if pattern.startswith("*."))
        self._directory = directory
        self._open_to_all = open_to_all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket connection."""
        if scope["type"] not in {"http", "websocket"} or scope["path"] in self._open_to_all or "*" in self._names:
            refusal = None
        else:
            refusal = await self._refusal(host_name(Headers(scope=scope).get("host", "")))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
            await WebSocketClose(4400, refusal.code)(scope, receive, send)
        else:
            headers = Headers(scope=scope)
            locale = negotiate(headers.get("accept-language"))
            await refusal_response(refusal, locale, request_id(headers))(scope, receive, send)

    async def _refusal(self, name: str) -> Refusal | None:
        """Why a host is not served; None when it is. What can be no domain's name is not looked up."""
        if name in self._names or name.endswith(self._suffixes):
            return None
        try:
            if HOST.fullmatch(name) and await self._directory.by_host(name) is not None:
                return None
        except Refusal as unavailable:
            return unavailable
        return HttpRefusal("this host name is not served here; check the address", 400, "HOST_UNKNOWN")


def host_name(header: str) -> str:
    """The name in a Host header, in lower case and without its port; an IPv6 address keeps its brackets."""
    name = header.strip().lower()
    return name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
