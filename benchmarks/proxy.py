"""Counts SQL statements between a server and PostgreSQL, from the protocol's own messages.

A statement is a Bind, or a part of a simple query, that is no transaction control and no setting. A round trip is a
message that the client waits for: a simple query, or the Sync that ends a batch of others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress

STARTUP = 196608  # the code of protocol 3.0's start-up message
TEXTS = re.compile(r"'(?:[^']|'')*'")  # may hold semicolons
CONTROL = re.compile(
    r"^\s*(BEGIN|START|COMMIT|ROLLBACK|SET|SELECT set_config|RESET|DISCARD|DEALLOCATE|SAVEPOINT|RELEASE)\b",
    re.IGNORECASE,
)


class Counter:
    """How many statements and round trips have passed, over all connections."""

    def __init__(self) -> None:
        self.statements = 0
        self.trips = 0

    def connection(self) -> Callable[[bytes, bytes], None]:
        """What to call with the kind and the payload of each message of one client; names are a connection's own."""
        control: dict[bytes, bool] = {}

        def saw(kind: bytes, payload: bytes) -> None:
            self.trips += kind in b"QS"
            if kind == b"Q":
                texts = TEXTS.sub("''", payload.rstrip(b"\0").decode(errors="replace")).split(";")
                self.statements += sum(1 for text in texts if text.strip() and not CONTROL.match(text))
            elif kind == b"P":
                name, text = payload.split(b"\0")[:2]
                control[name] = bool(CONTROL.match(text.decode(errors="replace")))
            elif kind == b"B":
                self.statements += not control.get(payload.split(b"\0")[1], False)

        return saw


@asynccontextmanager
async def counting(host: str, port: int) -> AsyncIterator[tuple[int, Counter]]:
    """A proxy in front of a PostgreSQL server: its port, and its counter."""
    counter = Counter()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await _upstream(host, port)
        for each in (_client(reader, upstream_writer, counter.connection()), _plain(upstream_reader, writer)):
            task = asyncio.create_task(each)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], counter
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 2)


async def _upstream(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, port)


async def _client(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, saw: Callable[[bytes, bytes], None]
) -> None:
    with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:  # start-up and SSL requests have no kind
            length = await reader.readexactly(4)
            rest = await reader.readexactly(int.from_bytes(length, "big") - 4)
            writer.write(length + rest)
            if int.from_bytes(rest[:4], "big") == STARTUP:
                break
        while True:
            head = await reader.readexactly(5)
            payload = await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
            saw(head[:1], payload)
            writer.write(head + payload)
            await writer.drain()


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer), suppress(ConnectionError):
        while data := await reader.read(1 << 18):
            writer.write(data)
            await writer.drain()
