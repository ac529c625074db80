"""Making the documents after the commit: killed between any two steps, the next worker makes the same bytes again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from app.credentials import pdf
from app.credentials import statements as sql
from app.credentials.facts import Facts
from app.credentials.rows import UndrawnRow
from app.db.database import Database
from app.outside.storage import Storage, StorageUnavailable
from app.tenancy.records import Tenant

log = structlog.get_logger(__name__)

BATCH = 20
LONGEST_WAIT = timedelta(hours=6)


class Drawing:
    """Draws certificates and puts them where they are kept, under a name that is their content.

    No transaction is open meanwhile, and nothing is leased: two workers that draw the same certificate write the same
    file, and the second finds it recorded.
    """

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    async def draw_missing(self, tenant: Tenant) -> None:
        """Make what is missing in a tenant. What cannot be made now is tried again later; nothing is raised for it."""
        while True:
            async with self._database.tenant(tenant.handle, read_only=True) as tx:
                rows = await tx.all(sql.UNDRAWN, limit=BATCH)
            for row in rows:
                if not await self._draw(tenant, row):
                    return
            if len(rows) < BATCH:
                return

    async def _draw(self, tenant: Tenant, row: UndrawnRow) -> bool:
        """Make one document; False when the store is away, so that there is no use in going on."""
        try:
            document = await asyncio.to_thread(pdf.draw, Facts.of(row.facts))
            sha256 = pdf.digest(document)
            key = f"{tenant.id}/certificates/{sha256}.pdf"
            await self._storage.put(key, document, media_type=pdf.MEDIA_TYPE)
        except StorageUnavailable as error:
            log.warning("a certificate has to wait for the file store", tenant=tenant.slug, error=str(error))
            return False
        except Exception:
            log.exception("a certificate cannot be drawn", tenant=tenant.slug, certificate_id=str(row.id))
            wait = min(LONGEST_WAIT, timedelta(minutes=2**row.pdf_attempts)) if row.pdf_attempts < 10 else LONGEST_WAIT
            async with self._database.tenant(tenant.handle) as tx:
                await tx.execute(sql.NOT_DRAWN, id=row.id, wait=wait)
            return True
        async with self._database.tenant(tenant.handle) as tx:
            await tx.execute(sql.DRAWN, id=row.id, key=key, sha256=sha256)
        return True
