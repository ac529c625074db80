"""From request headers to tenant and viewer: the first hop of every request, HTTP and WebSocket alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from app.errors import Unauthenticated
from app.http.resolution import TenantResolver
from app.i18n import Locale, negotiate
from app.identity.rows import Client
from app.identity.sessions import SessionGate
from app.identity.tokens import AccessTokens
from app.tenancy.records import Tenant
from app.viewer import ANONYMOUS, Viewer

REQUEST_ID = re.compile(r"^[A-Za-z0-9-]{8,128}$")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for which tenant, in which language."""

    tenant: Tenant | None
    viewer: Viewer
    locale: Locale
    request_id: str
    client: Client


class Reception:
    """Receives requests: verifies the token, finds the tenant, checks that they agree, looks up the viewer."""

    def __init__(self, tokens: AccessTokens, gate: SessionGate, resolver: TenantResolver, *, trust_proxy: bool) -> None:
        self._tokens = tokens
        self._gate = gate
        self._resolver = resolver
        self._trust_proxy = trust_proxy

    async def receive(self, headers: Mapping[str, str], peer: str | None) -> Asker:
        """The person behind a request. ``headers`` has lower-case names.

        Raises: Unauthenticated, NotFound (tenant), Forbidden (mismatch), TenantSuspended.
        """
        authorization = headers.get("authorization", "")
        claims = None
        if authorization:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer" or not token:
                raise Unauthenticated("send the token as: Authorization: Bearer <token>")
            claims = self._tokens.verify(token.strip())
        tenant = await self._resolver.resolve(
            claim=claims.tenant_id if claims else None, header=headers.get("x-tenant-id"), host=headers.get("host")
        )
        viewer = ANONYMOUS
        if claims is not None and tenant is not None:
            viewer = await self._gate.viewer_of(claims)
        locale = negotiate(headers.get("accept-language"), viewer.locale, tenant.locale if tenant else None)
        return Asker(tenant, viewer, locale, request_id(headers), self._client(headers, peer))

    def _client(self, headers: Mapping[str, str], peer: str | None) -> Client:
        address = peer
        if self._trust_proxy and (forwarded := headers.get("x-forwarded-for")):
            # The last entry is the one our own proxy wrote; those before it are whatever the client claims.
            address = forwarded.rsplit(",", 1)[-1].strip()
        return Client(address, headers.get("user-agent", "")[:300] or None)


def request_id(headers: Mapping[str, str]) -> str:
    """The client's request id when it is a sane one, else a new one."""
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.match(given) else uuid4().hex
