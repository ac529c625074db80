"""News from other processes: LISTEN on the control database, so that caches forget at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import orjson
import structlog
from psycopg import AsyncConnection, Error
from sqlalchemy import bindparam, func, select

from app.db.statements import Statement
from app.db.transaction import Tx

CHANNEL = "stegmaier_events"
NOTIFY = Statement(select(func.pg_notify(CHANNEL, bindparam("message"))), str)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """What an announcement says: the kind of thing that changed, which, and the mark of this very announcement."""

    kind: str
    id: UUID
    mark: str


async def announce(tx: Tx, kind: str, identifier: object) -> str:
    """Tell every process, when this transaction commits, that something they may remember has changed.

    Every announcement carries a mark of its own, which is returned. All processes hear all marks in the order of the
    commits, and only after what was committed can be read.
    """
    mark = uuid4().hex
    await tx.scalar(NOTIFY, message=orjson.dumps({"kind": kind, "id": str(identifier), "mark": mark}).decode())
    return mark


class Listener:
    """Calls back for each announcement, and when messages may have been missed (the connection was lost)."""

    def __init__(self, dsn: str, on_message: Callable[[Message], None], on_gap: Callable[[], None]) -> None:
        self._dsn = dsn
        self._on_message = on_message
        self._on_gap = on_gap
        self._task: asyncio.Task[None] | None = None
        self.listening = asyncio.Event()

    def start(self) -> None:
        """Listen in the background until ``stop``; reconnects by itself with a growing wait."""
        self._task = asyncio.create_task(self._run(), name="listener")

    async def stop(self) -> None:
        """Stop listening and wait until the connection is closed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        wait = 0.1
        while True:
            try:
                async with await AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    self._on_gap()
                    self.listening.set()
                    wait = 0.1
                    async for notice in connection.notifies():
                        self._hear(notice.payload)
            except (Error, OSError) as error:
                log.warning("listener lost its connection", error=type(error).__name__, retry_in=wait)
            self.listening.clear()
            self._on_gap()
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5.0)

    def _hear(self, payload: str) -> None:
        """Every login may notify: nonsense must not end the listening, and counts as a message that was missed."""
        try:
            said = orjson.loads(payload)
            message = Message(str(said["kind"]), UUID(said["id"]), str(said["mark"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            log.warning("listener heard something it does not understand")
            self._on_gap()
        else:
            self._on_message(message)
