"""Where this platform's CPU goes: ``python -m benchmarks.profile``, a sampling profile by room.

One process serves requests without a network; every millisecond of its CPU the innermost frame of a known file is
counted. What C code does on behalf of a frame (libpq, orjson, loading rows) counts as that frame's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvloop
from starlette.types import ASGIApp, Message

from app.main import GC_THRESHOLD, Application
from app.settings import load as load_settings
from benchmarks.client import EVENT, MOMENT
from benchmarks.data import SECRET, Size, load
from benchmarks.operations import NAMES, School, body, headers
from benchmarks.progress import Progress
from benchmarks.setup import Plan, database, settings_of

AT_ONCE = 8
REQUESTS = {"Q1": 4000, "Q2": 2500, "Q3": 2000, "Q4": 600, "M1": 3000}
RESULT = Path(__file__).parent / "PROFILE.md"
# The first that a file's path contains.
ROOMS = {
    "app/db/wire": "libpq: sending, receiving, loading rows",
    "app/db/": "transactions, parameters, making rows",
    "psycopg": "psycopg (sessions, pool of the control schema)",
    "schema/execution/": "compiled executor",
    "<selection of": "compiled executor",
    "schema/loaders": "loaders",
    "schema/server": "HTTP, JSON",
    "schema/": "resolvers, types",
    "strawberry": "Strawberry (arguments, resolvers of root fields)",
    "graphql/": "graphql-core (variables, execution set-up)",
    "starlette": "HTTP, JSON",
    "app/http": "reception: token, tenant, viewer",
    "app/tenancy": "reception: token, tenant, viewer",
    "app/identity/tokens": "reception: token, tenant, viewer",
    "app/identity/sessions": "reception: token, tenant, viewer",
    "app/": "services, rules",
    "<string>": "objects being made (dataclasses)",
}


def room_of(path: str) -> str:
    """The room of a file."""
    return next((room for part, room in ROOMS.items() if part in path), "event loop and the rest")


async def ask(application: ASGIApp, head: list[tuple[bytes, bytes]], text: bytes) -> bytes:
    """One request without a network; the body of its answer."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/graphql",
        "raw_path": b"/graphql", "root_path": "", "query_string": b"", "scheme": "http", "headers": head,
        "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    answer: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": text, "more_body": False}

    async def send(message: Message) -> None:
        answer.append(message.get("body", b""))

    await application(scope, receive, send)
    return b"".join(answer)


def requests(name: str, schools: list[School], count: int) -> Iterator[tuple[list[tuple[bytes, bytes]], bytes]]:
    """Requests of one operation, of all tenants in turn."""
    for turn in range(count):
        school = schools[turn % len(schools)]
        learner = school.learners[turn // len(schools) % len(school.learners)]
        head = [(key.lower().encode(), value.encode()) for key, value in headers("app", school, learner).items()]
        text = json.dumps(body("app", name, school, learner, turn))
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        yield head, text.replace(EVENT, str(uuid4())).replace(MOMENT, now).encode()


async def sample(application: ASGIApp, name: str, schools: list[School]) -> tuple[float, Counter[str]]:
    """CPU microseconds per request, and samples by room."""
    found: Counter[str] = Counter()

    def tick(_: int, frame: Any) -> None:
        found[room_of(frame.f_code.co_filename)] += 1

    async def drive(waiting: Iterator[tuple[list[tuple[bytes, bytes]], bytes]]) -> None:
        for head, text in waiting:
            answer = await ask(application, head, text)
            if b'"errors"' in answer:
                raise RuntimeError(answer.decode()[:500])

    await drive(requests(name, schools, 40 * len(schools)))
    prepared = iter(list(requests(name, schools, REQUESTS[name])))
    signal.signal(signal.SIGPROF, tick)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    began = time.process_time()
    await asyncio.gather(*(drive(prepared) for _ in range(AT_ONCE)))
    spent = time.process_time() - began
    signal.setitimer(signal.ITIMER_PROF, 0)
    return spent / REQUESTS[name] * 1e6, found


async def profile(dsn: str, schools: list[School]) -> dict[str, tuple[float, Counter[str]]]:
    """Every operation in turn, in one warm process."""
    application = Application(load_settings(), dsn)
    await application.open()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    try:
        return {name: await sample(application.asgi, name, schools) for name in NAMES}
    finally:
        await application.close()


def page(found: dict[str, tuple[float, Counter[str]]]) -> str:
    """The profile in Markdown: a column for each operation, shares of its samples."""
    rooms = sorted({room for _, counts in found.values() for room in counts}, key=lambda room: -found["Q3"][1][room])
    lines = [
        "# Where the CPU goes",
        "",
        "Written by `python -m benchmarks.profile`: shares of one process's CPU by room, and microseconds per request",
        "(without the HTTP server, which adds 60 to 90).",
        "",
        "| room | " + " | ".join(found) + " |",
        "|---" * (len(found) + 1) + "|",
    ]
    for room in rooms:
        shares = [f"{100 * counts[room] / max(1, counts.total()):.0f} %" for _, counts in found.values()]
        lines.append(f"| {room} | " + " | ".join(shares) + " |")
    lines.append("| **microseconds per request** | " + " | ".join(f"{spent:.0f}" for spent, _ in found.values()) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Make a few tenants, profile, write ``PROFILE.md``."""
    with database(Plan(client="python")) as where:
        os.environ.update(where.environment | {"JWT_SECRET": SECRET, "DATABASE_URL": where.dsn})
        data = asyncio.run(load(settings_of(where), where.dsn, Size(tenants=8), Progress(), peers=False))
        text = page(uvloop.run(profile(where.dsn, data.schools)))
    RESULT.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
