"""Which tenant a request is for: the token's claim is the authority; header and host must agree with it."""

from __future__ import annotations

from uuid import UUID

from app.errors import Forbidden, Invalid, NotFound, Refusal
from app.tenancy.directory import TenantDirectory
from app.tenancy.records import Tenant, TenantState


class TenantSuspended(Refusal):
    """The tenant exists and is not served at the moment."""

    code = "TENANT_SUSPENDED"
    http_status = 423


def tenant_required() -> Invalid:
    """The refusal of an operation that needs a tenant when none was named."""
    refusal = Invalid("name your organisation: header X-Tenant-ID, its subdomain, or a token")
    refusal.code = "TENANT_REQUIRED"
    return refusal


def tenant_not_found() -> NotFound:
    """The refusal of a name that stands for no tenant that can be served."""
    return NotFound("tenant", code="TENANT_NOT_FOUND")


class TenantResolver:
    """Turns what a request says (claim, header, host) into one tenant, or none when it says nothing."""

    def __init__(self, directory: TenantDirectory, base_domain: str) -> None:
        self._directory = directory
        self._suffix = f".{base_domain.lower()}"

    async def resolve(self, *, claim: UUID | None, header: str | None, host: str | None) -> Tenant | None:
        """The request's tenant.

        Raises: NotFound (TENANT_NOT_FOUND), Forbidden (TENANT_MISMATCH), TenantSuspended.
        """
        named: list[Tenant] = []
        if claim is not None:
            named.append(_found(await self._directory.by_id(claim)))
        if header:
            named.append(_found(await self._directory.by_name(header.strip())))
        by_host = await self._by_host(host)
        if by_host is not None:
            named.append(by_host)
        if not named:
            return None
        tenant = named[0]
        if any(other.id != tenant.id for other in named):
            raise Forbidden("the token, the header and the host name different organisations", code="TENANT_MISMATCH")
        if tenant.state == TenantState.SUSPENDED:
            raise TenantSuspended("this organisation is suspended; ask its administrator")
        return tenant

    async def _by_host(self, host: str | None) -> Tenant | None:
        """The tenant a host name stands for; None for hosts that are no tenant's (the API's own, an address)."""
        if not host or host.startswith("["):
            return None
        name = host.lower().partition(":")[0]
        if name.endswith(self._suffix):
            label = name.removesuffix(self._suffix)
            if label in RESERVED or "." in label:
                return None
            return _found(await self._directory.by_slug(label))
        return await self._directory.by_host(name)


RESERVED = frozenset({"www", "api", "app"})


def _found(tenant: Tenant | None) -> Tenant:
    if tenant is None:
        raise tenant_not_found()
    return tenant
