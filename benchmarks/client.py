"""Our own load generator, for machines without wrk: a process that keeps connections busy for some seconds.

``python -m benchmarks.client FILE PORT CONNECTIONS SECONDS SEED`` prints one JSON object. It costs several times
the CPU of wrk, so its figures compare with each other and not with wrk's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from array import array
from pathlib import Path
from typing import cast
from uuid import UUID

import uvloop

SEPARATOR = b"\x1e"
EVENT, MOMENT = "E" * 36, "M" * 27  # as long as what replaces them, so that Content-Length stays right
SMALL = 600
TIMEOUT = 10.0


def failed(status: bytes, body: bytes) -> bool:
    """Whether an answer is no success: GraphQL says so with 200 as well.

    A refusal in a result union leaves an empty object of a selection on the success, a refused event says so.
    """
    if status != b"200" or b'"errors"' in body:
        return True
    return len(body) < SMALL and (b"{}" in body or b'"REJECTED"' in body)


class Run:
    """The requests in turn, and what came back."""

    def __init__(self, requests: list[bytes], seed: int) -> None:
        self._requests = requests
        self._random = random.Random(seed)  # noqa: S311 -- identifiers of events that nobody guesses
        self._next = self._random.randrange(len(requests))
        self._moment = 0
        self.latencies = array("d")
        self.errors = 0
        self.until = 0.0

    def request(self) -> bytes:
        """The next request; an event gets an identifier and a moment that no other has."""
        self._next = (self._next + 1) % len(self._requests)
        text = self._requests[self._next]
        if EVENT.encode() not in text:
            return text
        self._moment = (self._moment + 1) % 1_000_000
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{self._moment:06d}Z"
        event = UUID(int=self._random.getrandbits(128), version=4)
        return text.replace(EVENT.encode(), str(event).encode()).replace(MOMENT.encode(), now.encode())

    def figures(self, seconds: float) -> dict[str, float]:
        """requests, rps, p50_ms, p95_ms, p99_ms, errors."""
        ordered = sorted(self.latencies)

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 3) if ordered else 0.0

        rps = round(len(ordered) / seconds, 2)
        percentiles = {"p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99)}
        return {"requests": len(ordered), "rps": rps, **percentiles, "errors": self.errors}


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its whole answer, the next."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._received = bytearray()
        self._needed = 0
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._needed:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            length = content_length(bytes(self._received[:end]))
            if length is None:
                self._abort()
                return
            self._needed = end + 4 + length
        if len(self._received) < self._needed:
            return
        now = time.perf_counter()
        head, _, body = bytes(self._received).partition(b"\r\n\r\n")
        self._run.latencies.append(now - self._sent)
        self._run.errors += failed(head[9:12], body)
        if now < self._run.until:
            self._ask()
        else:
            self.leave()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._sent:
            self._run.errors += 1
        if not self.closed.done():
            self.closed.set_result(None)

    def leave(self) -> None:
        """End it; a request that waited for longer than the time-out is an error."""
        if self._sent and time.perf_counter() - self._sent > TIMEOUT:
            self._run.errors += 1
        self._sent = 0.0
        if self._transport is not None:
            self._transport.close()

    def _ask(self) -> None:
        self._received.clear()
        self._needed = 0
        self._sent = time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._run.request())

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def content_length(head: bytes) -> int | None:
    """The length of the body that follows; None when the answer does not say, and then it cannot be measured."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return None


async def drive(requests: list[bytes], port: int, connections: int, seconds: float, seed: int) -> dict[str, float]:
    """Keep ``connections`` busy for ``seconds``; what is still on its way then does not count."""
    run = Run(requests, seed)
    began = time.perf_counter()
    run.until = began + seconds
    loop = asyncio.get_running_loop()

    async def keep() -> None:
        while (left := run.until - time.perf_counter()) > 0:
            try:
                _, connection = await loop.create_connection(lambda: Connection(run), "127.0.0.1", port)
            except OSError:
                run.errors += 1
                await asyncio.sleep(0.05)
                continue
            await asyncio.wait([connection.closed], timeout=left)
            connection.leave()

    await asyncio.gather(*(keep() for _ in range(connections)))
    return run.figures(time.perf_counter() - began)


def main(file: str, port: str, connections: str, seconds: str, seed: str) -> None:
    """Drive a server and print the figures."""
    requests = Path(file).read_bytes().split(SEPARATOR)
    gc.disable()
    print(json.dumps(uvloop.run(drive(requests, int(port), int(connections), float(seconds), int(seed)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
