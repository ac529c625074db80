"""The benchmark's own rules, without timing anything: equal answers, counted statements, counted errors, goals."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from benchmarks.agreement import disagreements
from benchmarks.client import EVENT, MOMENT, Run, drive, failed
from benchmarks.goals import goals
from benchmarks.load import Load, generator, request
from benchmarks.operations import MIX, NAMES, Learner, School, comparable
from benchmarks.proxy import Counter, counting
from benchmarks.report import page
from benchmarks.servers import Server, missing
from benchmarks.setup import Plan

ONE, TWO = UUID(int=1), UUID(int=2)
SCHOOL = School("acme", "tenant_0001", 0xABC, [Learner(ONE, "ours", "theirs", [TWO], [ONE, TWO])])


def schools(count: int) -> list[School]:
    return [School(f"s{n}", f"t{n}", n, SCHOOL.learners) for n in range(count)]


def test_answers_of_both_dialects_become_equal() -> None:
    ours = {
        "courses": {
            "nodes": [
                {
                    "id": SCHOOL.shown("crs", TWO), "level": "BEGINNER", "createdAt": "2026-01-02T03:04:05.678900Z",
                    "instructors": [{"fullName": "Ada"}], "lessonCount": 40, "averageRating": 3.5,
                }
            ]
        }
    }  # fmt: skip
    theirs = {
        "courses": [
            {
                "id": str(TWO), "level": "beginner", "createdAt": "2026-01-02T03:04:05.678900+00:00",
                "instructor": {"fullName": "Ada"}, "lessonCount": 40, "averageRating": 3.5000000000000004,
            }
        ]
    }  # fmt: skip
    assert comparable("app", SCHOOL, ours) == comparable("peer", SCHOOL, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"completedAt": "2026-01-01T00:00:00Z", "positionSeconds": 300.0},
         {"completedAt": "2026-01-01T00:00:00.000000Z", "positionS": 300}),
        ({"completedAt": None, "positionSeconds": None}, None),
    ],
)  # fmt: skip
def test_progress_of_both_dialects_becomes_equal(ours: dict[str, Any], theirs: dict[str, Any] | None) -> None:
    shown = SCHOOL.shown("lsn", ONE)
    mine = comparable("app", SCHOOL, {"id": shown, "myProgress": ours})
    assert mine == comparable("peer", SCHOOL, {"id": str(ONE), "myProgress": theirs})


def test_a_different_answer_stays_different() -> None:
    assert comparable("app", SCHOOL, {"id": SCHOOL.shown("crs", ONE)}) != comparable("peer", SCHOOL, {"id": str(TWO)})


def message(kind: bytes, payload: bytes) -> bytes:
    return kind + (len(payload) + 4).to_bytes(4, "big") + payload


STARTUP = (8).to_bytes(4, "big") + (196608).to_bytes(4, "big")
CONVERSATION = [
    message(b"Q", b"BEGIN READ ONLY; SET LOCAL ROLE x; SELECT 'a;b;c'\0"),
    message(b"P", b"one\0SELECT 1\0\0\0") + message(b"S", b""),
    message(b"B", b"\0one\0") + message(b"E", b"\0") + message(b"S", b""),
    message(b"P", b"begin\0  begin\0\0\0") + message(b"B", b"\0begin\0") + message(b"S", b""),
    message(b"Q", b"COMMIT\0"),
]


def test_names_of_statements_belong_to_their_connection() -> None:
    counter = Counter()
    first, second = counter.connection(), counter.connection()
    first(b"P", b"s1\0COMMIT\0\0\0")
    second(b"P", b"s1\0SELECT 1\0\0\0")
    first(b"B", b"\0s1\0")
    assert counter.statements == 0
    second(b"B", b"\0s1\0")
    assert counter.statements == 1


async def test_the_proxy_counts_statements_and_hands_every_byte_on() -> None:
    arrived = bytearray()
    ended = asyncio.Event()
    wanted = STARTUP + b"".join(CONVERSATION)

    async def database(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            arrived.extend(data)
        writer.close()
        ended.set()

    server = await asyncio.start_server(database, "127.0.0.1", 0)
    async with server, counting("127.0.0.1", server.sockets[0].getsockname()[1]) as (port, counter):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        for start in range(0, len(wanted), 7):  # messages in pieces, as networks deliver them
            writer.write(wanted[start : start + 7])
            await writer.drain()
        writer.close()
        await asyncio.wait_for(ended.wait(), 5)
    assert bytes(arrived) == wanted
    assert (counter.statements, counter.trips) == (2, 5)


ANSWERS = {
    "good": ("200 OK", b'{"data":{"me":{"id":"1"}}}'),
    "refused": ("200 OK", b'{"data":null,"errors":[{"message":"no"}]}'),
    "union": ("200 OK", b'{"data":{"syncProgress":{}}}'),
    "event": ("200 OK", b'{"data":{"syncProgress":{"results":[{"status":"REJECTED"}]}}}'),
    "broken": ("500 Internal Server Error", b"oops"),
}


@asynccontextmanager
async def answering(*kinds: str) -> AsyncIterator[int]:
    """A server that gives these answers in turn, each in two pieces; ``silence`` hangs up. Yields its port."""
    turn = cycle(kinds)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
                if (kind := next(turn)) == "silence":
                    break
                status, body = ANSWERS[kind]
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:3])
                await writer.drain()
                writer.write(body[3:])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.02)  # the last clients have hung up; let their tasks see it


def server_at(port: int, folder: Path, name: str = "x") -> Server:
    """A server that others run; its own process is over."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return Server(name, port, "peer", process, folder)


REQUESTS = [request("app", name, SCHOOL, 0, 0) for name in ("Q1", "M1")]


@pytest.mark.parametrize("kind", ["refused", "union", "event", "broken"])
async def test_our_client_counts_what_is_no_success(kind: str) -> None:
    async with answering(kind) as port:
        found = await drive(REQUESTS, port, 3, 0.1, seed=1)
    assert found["errors"] == found["requests"] > 0


async def test_our_client_counts_good_answers() -> None:
    async with answering("good") as port:
        found = await drive(REQUESTS, port, 3, 0.1, seed=1)
    assert found["errors"] == 0
    assert found["requests"] > 10
    assert 0 < found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"]


async def test_our_client_comes_back_after_a_broken_connection() -> None:
    async with answering("good", "silence") as port:
        found = await drive(REQUESTS, port, 1, 0.2, seed=1)
    assert found["requests"] > 1
    assert abs(found["requests"] - found["errors"]) <= 1


async def test_our_client_is_a_program(tmp_path: Path) -> None:
    async with answering("good", "refused") as port:
        server = server_at(port, tmp_path)
        found = await asyncio.to_thread(Load(tmp_path, [SCHOOL], 2, "python").run, server, "MIX", 0.2)
    assert 0 < found["errors"] < found["requests"]


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
async def test_wrk_counts_what_is_no_success(tmp_path: Path) -> None:
    async with answering(*ANSWERS) as port:
        server = server_at(port, tmp_path)
        found = await asyncio.to_thread(Load(tmp_path, [SCHOOL], 2, "wrk").run, server, "M1", 1)
    assert found["errors"] == pytest.approx(found["requests"] * 4 / 5, rel=0.1)


def test_every_event_is_new_and_the_request_stays_whole() -> None:
    run = Run([request("app", "M1", SCHOOL, 0, 0)], seed=1)
    events = set()
    for _ in range(10):
        head, _, body = run.request().partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        [event] = json.loads(body)["variables"]["input"]["events"]
        assert EVENT not in event["clientEventId"]
        assert MOMENT not in event["occurredAt"]
        events.add((UUID(event["clientEventId"]), event["occurredAt"]))
    assert len(events) == 10


def test_a_word_in_the_data_is_no_error() -> None:
    assert not failed(b"200", json.dumps({"data": {"title": 'common "errors"'}}).encode())


def test_the_mix_has_its_shares_and_reaches_every_tenant(tmp_path: Path) -> None:
    wrk = Load(tmp_path, schools(150), 1, "wrk")
    mixed = wrk._mixed("peer")
    for number in range(150):
        assert any(f"X-Tenant-ID: t{number}\r\n".encode() in each for each in mixed)
    for name, words in {"Q1": b"query Me", "Q4": b"query Big", "M1": b"mutation"}.items():
        share = sum(words in each for each in mixed) / len(mixed)
        assert share == pytest.approx(MIX[name] / 100, abs=0.02)


def test_a_slow_server_is_measured_for_longer_but_not_for_ever() -> None:
    plan = Plan("wrk", seconds=4, connections=32)
    assert [plan.window(rps) for rps in (1000, 16, 0)] == [4, 12, 20]


def figures(rps: float, cpu: float) -> dict[str, float]:
    return {
        "rps": rps, "p50_ms": 1, "p95_ms": 2, "p99_ms": 3, "cpu_ms": cpu, "pg_cpu_ms": 1, "rss_mb": 100, "sql": 1,
        "round_trips": 1, "errors": 0,
    }  # fmt: skip


MIXED = {
    "rps": 1200, "p50_ms": 20, "p95_ms": 100, "p99_ms": 120, "errors": 0, "worker_rss_mb": 150, "backend_mb": 0,
    "backend_median_mb": 0, "backends": 32,
}  # fmt: skip
RESULT: dict[str, Any] = {
    "servers": {
        "app": {name: figures(1000, 1) for name in NAMES},
        "typical": {**{name: figures(100, 10) for name in NAMES}, "Q3": figures(0, 0)},
        "mercurius": {"Q2": figures(2000, 1.5)},
    },
    "skipped": {"ceiling": "a reason"},
    "executor": {"q4": {"ratio": 14.9, "stock_ms": 1, "compiled_ms": 1},
                 "one_field": {"ratio": 1, "stock_ms": 1, "compiled_ms": 1}},
    "mix": MIXED,
    "growth": {},
}  # fmt: skip


def test_goals_are_met_or_not_and_absent_when_nothing_was_measured() -> None:
    judged = {goal.figure: goal.met for goal in goals(RESULT)}
    assert judged == {
        "Q1 requests/s against typical": True,
        "Q2 requests/s against typical": True,
        "Q4 requests/s against typical": False,
        "M1 requests/s against typical": True,
        "Q2 requests/s against mercurius": False,
        "Q2 server CPU of mercurius against ours": True,
        "errors of all servers": True,
        **{f"{name} SQL statements, at most": True for name in NAMES},
        "executor, Q4 shape, against stock": False,
        "executor, one field, against stock": True,
        "MIX requests/s": True,
        "MIX p95, ms": False,
        "MIX errors": True,
        "MIX memory per worker, MB": True,
    }


def test_growth_has_goals_of_its_own() -> None:
    grown = {**MIXED, "tenants": 60, "courses": 600, "seconds_per_tenant": 0.2, "backend_mb": 151, "errors": 2}
    growth = dict.fromkeys(("few_tenants", "many_tenants", "courses", "more_courses"), grown)
    found = {
        goal.figure: goal.met
        for goal in goals({"servers": {}, "growth": {**growth, "tenants_ratio": 0.8, "courses_ratio": 0.89}})
    }
    assert found["growth: MIX with more tenants, against few"]
    assert not found["growth: MIX with more courses, against few"]
    assert not found["60 tenants: errors"]
    assert not found["60 tenants: memory per database backend, MB"]


def test_the_page_shows_who_did_not_run_and_which_goals_are_missed() -> None:
    text = page(RESULT)
    assert "| ceiling | not run: a reason |" in text
    assert "| Q4 requests/s against typical | 10.00 | 20 | **not met** |" in text
    assert "| Q2 requests/s against typical | 10.00 | 10 | met |" in text


def test_a_peer_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.servers.PEERS", tmp_path / "nowhere")
    assert missing("mercurius", tmp_path) == "the folder of peers is not there"
    assert missing("app", tmp_path) is None


def test_without_wrk_our_own_client_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert generator("auto") == "python"
    with pytest.raises(RuntimeError, match="not installed"):
        generator("wrk")


def test_different_answers_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    servers = [server_at(1, tmp_path, name) for name in ("one", "two")]

    def answer(server: Server, name: str, school: School, who: int, turn: int = 0, *, token: str | None = None) -> Any:
        if name == "M1":
            return {"data": {"saveProgress": {"id": "1"}}}
        return {"data": {"me": {"id": str(TWO), "fullName": server.name if name == "Q2" else "Ada"}}}

    monkeypatch.setattr("benchmarks.agreement.ask", answer)
    learners = SCHOOL.learners * 2
    found = disagreements(servers, [School("acme", "tenant_0001", 0, learners)])
    assert len([each for each in found if "two Q2 in acme" in each]) == 2
    assert {each for each in found if "Q2" not in each} == {
        "one gave data to a forged token",
        "two gave data to a forged token",
    }
