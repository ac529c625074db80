"""Which state of a tenant's catalogue this process knows of: a version made of the announcements it has heard.

A version is the mark of the last announcement about the tenant, or of the last epoch. PostgreSQL delivers announcements
to every listener in the order of the commits, so that all processes that have heard the same epoch give a tenant the
same versions in the same order, without a shared counter. See ``docs/decisions/0006-response-cache.md``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

import structlog

from app.db.database import Database
from app.db.listen import announce
from app.db.transaction import Tx

CATALOG, EPOCH = "catalog", "epoch"
NOBODY = UUID(int=0)
ASK_AGAIN = 1.0  # seconds

log = structlog.get_logger(__name__)


class Changes:
    """Announces the writes that change what a catalogue shows, and tells which version is the current one."""

    def __init__(
        self, database: Database, is_listening: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._is_listening = is_listening
        self._clock = clock
        self._epoch: str | None = None
        self._marks: dict[UUID, str] = {}
        self._unheard: dict[UUID, set[str]] = {}
        self._asked_at = -ASK_AGAIN
        self._asking: asyncio.Task[None] | None = None

    def version(self, tenant_id: UUID) -> str | None:
        """The catalogue's version, or None while it is not known.

        It is not known after a start or a lost connection, until an epoch was heard (this call asks for one), and
        between this process's own commit and its announcement: whoever wrote never gets an older answer here.
        """
        if self._epoch is None:
            self._ask()
            return None
        if tenant_id in self._unheard:
            return None
        return self._marks.get(tenant_id, self._epoch)

    @asynccontextmanager
    async def write(self, tenant_id: UUID, transaction: AbstractAsyncContextManager[Tx]) -> AsyncIterator[Tx]:
        """A write that changes what the tenant's catalogue shows; announced by the commit itself, never without it."""
        mark = ""
        try:
            async with transaction as tx:
                yield tx
                mark = await announce(tx, CATALOG, tenant_id)
                self._unheard.setdefault(tenant_id, set()).add(mark)
        except BaseException:
            self._hear(tenant_id, mark)
            raise

    def heard(self, kind: str, tenant_id: UUID, mark: str) -> None:
        """Take an announcement of any kind that is about a tenant, or an epoch."""
        if kind == EPOCH:
            self._epoch = mark
            self._marks.clear()
        else:
            self._marks[tenant_id] = mark
            self._hear(tenant_id, mark)

    def missed(self) -> None:
        """Announcements may have been missed: no version is known until the next epoch."""
        self._epoch = None
        self._marks.clear()
        self._unheard.clear()
        self._asked_at = -ASK_AGAIN

    async def close(self) -> None:
        """End what is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _hear(self, tenant_id: UUID, mark: str) -> None:
        waiting = self._unheard.get(tenant_id)
        if waiting is not None:
            waiting.discard(mark)
            if not waiting:
                del self._unheard[tenant_id]

    def _ask(self) -> None:
        """Begin an epoch for everybody: what this process did not hear, nobody uses any more."""
        if self._is_listening() and self._clock() - self._asked_at >= ASK_AGAIN:
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._begin_epoch(), name="epoch")

    async def _begin_epoch(self) -> None:
        try:
            async with self._database.control() as tx:
                await announce(tx, EPOCH, NOBODY)
        except Exception as error:  # the next version asked for tries again
            log.warning("no epoch could be announced", error=type(error).__name__)
