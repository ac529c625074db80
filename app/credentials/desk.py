"""What anybody may ask about certificates, without being logged in: is it genuine, who issued it, does it count?"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from app.credentials import badges
from app.credentials import statements as sql
from app.credentials.codes import read_code
from app.credentials.house import LIST_SIZE, House
from app.credentials.keys import KeyRing, Vault, add_key, find_ring, rotate_key
from app.credentials.rows import CertificateRow
from app.db.database import Database
from app.identity import throttle
from app.tenancy.records import Tenant

# Codes that one client may try in vain before it has to wait: guessing 140 bits is hopeless, asking is not free.
MISSES = 20


class Desk:
    """Answers for all tenants; ``base_url`` as in House."""

    def __init__(self, database: Database, vault: Vault, base_url: str) -> None:
        self._database = database
        self._vault = vault
        self._base_url = base_url

    def house(self, tenant: Tenant) -> House:
        """The organisation as its certificates name it."""
        return House.of(tenant, self._base_url)

    async def find(self, tenant: Tenant, text: str, ip: str | None) -> CertificateRow | None:
        """The certificate with this code in this tenant, in whatever state; None for every other text alike (K2).

        Raises TooMany for a client that has asked in vain too often.
        """
        key, now = throttle.lookup_key(tenant.id, ip), datetime.now(UTC)
        async with self._database.control() as control:
            await throttle.refuse_if_blocked(control, key, now)
        code = read_code(text)
        if code is not None:
            async with self._database.tenant(tenant.handle, read_only=True) as tx:
                found = await tx.one_or_none(sql.BY_CODE, code=code)
            if found is not None:
                return found
        async with self._database.control() as control:
            await throttle.count(control, key, now, MISSES)
        return None

    async def badge(self, tenant: Tenant, text: str, ip: str | None) -> str | None:
        """The signed badge of a certificate, also of one that was revoked: its status list says so."""
        row = await self.find(tenant, text, ip)
        if row is None:
            return None
        house = self.house(tenant)
        return badges.sign(badges.credential(row, house), house, await self._ring(tenant))

    async def status_list(self, tenant: Tenant, number: int) -> str:
        """A signed status list as it is at this moment."""
        house = self.house(tenant)
        first = number * LIST_SIZE
        async with self._database.tenant(tenant.handle, read_only=True) as tx:
            ended = await tx.all(sql.ENDED, first=first, end=first + LIST_SIZE, limit=LIST_SIZE)
        made = badges.status_list(house, number, ended, datetime.now(UTC))
        return badges.sign(made, house, await self._ring(tenant))

    async def did_document(self, tenant: Tenant) -> dict[str, object]:
        """The issuer's DID document."""
        return badges.did_document(self.house(tenant), (await self._ring(tenant)).public)

    async def _ring(self, tenant: Tenant) -> KeyRing:
        async with self._database.tenant(tenant.handle, read_only=True) as tx:
            ring = await find_ring(tx, self._vault, tenant.id)
        if ring is None:
            async with self._database.tenant(tenant.handle) as tx:
                await add_key(tx, self._vault, tenant.id)
            async with self._database.tenant(tenant.handle, read_only=True) as tx:
                ring = await find_ring(tx, self._vault, tenant.id)
        if ring is None:
            raise LookupError("a key that was just made is there")
        return ring

    async def rotate_key(self, tenant: Tenant) -> None:
        """Sign with a new key from now on."""
        async with self._database.tenant(tenant.handle) as tx:
            await rotate_key(tx, self._vault, tenant.id)

    async def successor_code(self, tenant: Tenant, certificate_id: UUID) -> str | None:
        """The code of the certificate that replaced another."""
        async with self._database.tenant(tenant.handle, read_only=True) as tx:
            rows = await tx.all(sql.BY_ID, ids=[certificate_id])
        return rows[0].code if rows else None
