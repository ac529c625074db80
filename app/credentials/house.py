"""The organisation as its certificates name it, and the addresses that are written into them for good."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit
from uuid import UUID

from app.tenancy.records import Tenant

LIST_SIZE = 131_072  # entries of a status list: the least that the standard allows, so that one hides among many


@dataclass(frozen=True, slots=True)
class House:
    """A tenant, and ``base_url``, where this server is reached from outside (CREDENTIALS_URL)."""

    tenant_id: UUID
    slug: str
    name: str
    base_url: str

    @classmethod
    def of(cls, tenant: Tenant, base_url: str) -> House:
        """The house of a tenant."""
        return cls(tenant.id, tenant.slug, tenant.name, base_url.rstrip("/"))

    def verify_url(self, code: str) -> str:
        """The public page of a certificate. A code says nothing of its tenant, so the address does."""
        return f"{self.base_url}/verify/{code}?tenant={quote(self.slug)}"

    @property
    def issuer_url(self) -> str:
        """Where what concerns badges is: the tenant's id, because names change and badges last."""
        return f"{self.base_url}/issuers/{self.tenant_id}"

    @property
    def did(self) -> str:
        """``did:web`` of the issuer; its document is at ``<issuer_url>/did.json``."""
        parts = urlsplit(self.issuer_url)
        return ":".join(["did:web", quote(parts.netloc, safe=""), *parts.path.strip("/").split("/")])

    def badge_url(self, code: str) -> str:
        """The signed badge of a certificate."""
        return f"{self.issuer_url}/badges/{code}"

    def list_url(self, number: int) -> str:
        """The status list that has the bit of the certificate with this status number."""
        return f"{self.issuer_url}/status/{number // LIST_SIZE}"


def list_index(number: int) -> int:
    """A certificate's bit in its list: scattered, so that neighbours say nothing of who was issued when."""
    return number * 48_271 % LIST_SIZE
