"""One run from an empty folder to figures: database, data, agreement, statements, rounds, mix, growth."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from app.db.embedded import EmbeddedPostgres
from app.settings import Settings
from benchmarks.data import SECRET, Size, load, peaks
from benchmarks.drive import Load, ask, disagreements
from benchmarks.operations import NAMES, School
from benchmarks.proxy import counting
from benchmarks.servers import Server, Where, available, rss_mb, running, ticks

Say = Callable[[str], None]
ENVIRONMENT = {
    "ENV": "test",
    "ACCESS_TOKEN_MINUTES": "15",
    "INLINE_WORKER": "false",
    "LOG_LEVEL": "warning",
    "BASE_DOMAIN": "bench.example",
}
POSTGRES = {"shared_buffers": "512MB", "max_connections": "200", "jit": "off"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    servers: tuple[str, ...] = ("app", "typical", "ceiling", "mercurius")
    operations: tuple[str, ...] = NAMES
    size: Size = field(default_factory=Size)
    rounds: int = 3
    seconds: float = 4
    connections: int = 32
    environment: dict[str, str] = field(default_factory=dict)


@contextmanager
def database() -> Iterator[Where]:
    """A PostgreSQL of its own on the second core, in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="stegmaier-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        cluster = EmbeddedPostgres(folder / "postgres", settings=POSTGRES)
        dsn = cluster.start()
        _pin(folder / "postgres")
        try:
            yield Where(dsn, folder, dict(ENVIRONMENT))
        finally:
            cluster.stop()


def _pin(folder: Path) -> None:
    """Keep the server and what it starts on core 1, beside the load generator, as in the published figures."""
    if shutil.which("taskset") is None or (os.cpu_count() or 1) < 2:
        return
    for found in folder.rglob("postmaster.pid"):
        pid = int(found.read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
        for each in (str(pid), *children):
            subprocess.run(["taskset", "-acp", "1", each], capture_output=True, check=False)


def settings_of(where: Where) -> Settings:
    """The application's settings in this run."""
    values = {name.lower(): value for name, value in where.environment.items()}
    return Settings(_env_file=None, jwt_secret=SECRET, argon2_memory_kib=64, argon2_time_cost=1, **values)  # type: ignore[arg-type]


def measure(plan: Plan, say: Say) -> dict[str, Any]:
    """Servers side by side, then the mix on this platform."""
    with ExitStack() as stack:
        where = stack.enter_context(database())
        where.environment.update(plan.environment)
        schools = asyncio.run(load(settings_of(where), where.dsn, plan.size, peers=True, say=say))
        folder = where.folder
        wrk = Load(folder, schools, plan.connections)
        wrk.prepare()
        skipped = {name: why for name in plan.servers if (why := available(name))}
        names = [name for name in plan.servers if name not in skipped]
        result: dict[str, Any] = {"skipped": skipped, "servers": {name: {} for name in names}}
        with ExitStack() as serving:
            servers = [serving.enter_context(running(name, where)) for name in names]
            say("comparing answers")
            found = disagreements(servers, schools)
            if found:
                raise RuntimeError("the servers do not agree:\n" + "\n".join(found[:10]))
            say("counting statements")
            for name, counts in _statements(names, where, schools, plan.operations).items():
                for operation, count in counts.items():
                    result["servers"][name][operation] = {"sql": count}
            _rounds(plan, servers, wrk, where, result, say)
        say("mix")
        result["mix"] = mix(where, wrk, plan)
        return result


def _rounds(plan: Plan, servers: list[Server], wrk: Load, where: Where, result: dict[str, Any], say: Say) -> None:
    samples: dict[tuple[str, str], list[dict[str, float]]] = {}
    backends = _backends(where)
    for server in servers:
        for name in plan.operations:
            wrk.run(server, name, 1)
    for turn in range(plan.rounds):
        for name in plan.operations:
            for server in servers:
                before = ticks(server.pids()), ticks(backends())
                found = wrk.run(server, name, plan.seconds, seed=turn)
                after = ticks(server.pids()), ticks(backends())
                done = max(1, found["requests"])
                found["cpu_ms"] = (after[0] - before[0]) * 1000 / done
                found["pg_cpu_ms"] = (after[1] - before[1]) * 1000 / done
                found["rss_mb"] = rss_mb(server.pids())
                samples.setdefault((server.name, name), []).append(found)
                say(f"round {turn + 1} {name} {server.name}: {found['rps']:.0f}/s, {found['errors']} errors")
    for (server_name, name), each in samples.items():
        entry = result["servers"][server_name].setdefault(name, {})
        for key in ("rps", "p50_ms", "p95_ms", "cpu_ms", "pg_cpu_ms", "rss_mb"):
            entry[key] = round(median(sample[key] for sample in each), 3)
        entry["errors"] = int(sum(sample["errors"] for sample in each))


def _backends(where: Where) -> Callable[[], list[int]]:
    [pidfile] = where.folder.rglob("postmaster.pid")
    postmaster = pidfile.read_text().split()[0]

    def pids() -> list[int]:
        done = subprocess.run(["pgrep", "-P", postmaster], capture_output=True, text=True, check=False)
        return [int(pid) for pid in done.stdout.split()]

    return pids


def _statements(
    names: list[str], where: Where, schools: list[School], operations: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """SQL statements per request, one request at a time, after a warm-up."""

    async def count() -> dict[str, dict[str, float]]:
        parts = conninfo_to_dict(where.dsn)
        async with counting(str(parts["host"]), int(parts["port"])) as (port, counter):
            return await asyncio.to_thread(asked, port, counter)

    def asked(port: int, counter: Any) -> dict[str, dict[str, float]]:
        made: dict[str, dict[str, float]] = {}
        for name in names:
            with running(name, where, core=None, proxy=port) as server:
                made[name] = {}
                few = schools[:2]
                for operation in operations:
                    turns = [(school, who) for who in (0, 1) for school in few]
                    for _ in range(2):
                        before = counter.statements
                        for school, who in turns:
                            ask(server, operation, school, who)
                    made[name][operation] = round((counter.statements - before) / len(turns), 2)
        return made

    return asyncio.run(count())


def mix(where: Where, wrk: Load, plan: Plan) -> dict[str, Any]:
    """All operations at once against two workers, unpinned, with the load generator beside them."""
    with running("app", where, core=None, workers=2) as server:
        wrk.run(server, "MIX", max(2, plan.seconds / 2), core=None)
        found = wrk.run(server, "MIX", plan.seconds * 2, core=None, seed=1)
        return {
            "rps": round(found["rps"], 1),
            "p50_ms": found["p50_ms"],
            "p95_ms": found["p95_ms"],
            "errors": found["errors"],
            "worker_rss_mb": round(rss_mb(server.pids()), 1),
            "backend_mb": round(asyncio.run(peaks(where.dsn)), 1),
        }


def growth(plan: Plan, say: Say, *, many: int = 1000, few: int = 20, times: int = 10) -> dict[str, Any]:
    """The mix with many tenants against few of the same size, and with ``times`` the courses per tenant."""
    small = Size(tenants=few, courses=6, users=30)
    sizes = {
        "few_tenants": small,
        "many_tenants": replace(small, tenants=many),
        "courses": replace(plan.size, tenants=few),
        "more_courses": replace(plan.size, tenants=few, courses=plan.size.courses * times),
    }
    found: dict[str, Any] = {}
    for name, size in sizes.items():
        with database() as where:
            where.environment.update(plan.environment)
            say(f"growth: {name}")
            schools = asyncio.run(load(settings_of(where), where.dsn, size, peers=False, say=say))
            wrk = Load(where.folder, schools, plan.connections)
            wrk.prepare()
            found[name] = {"tenants": size.tenants, "courses": size.courses, **mix(where, wrk, plan)}
    found["tenants_ratio"] = round(found["many_tenants"]["rps"] / found["few_tenants"]["rps"], 3)
    found["courses_ratio"] = round(found["more_courses"]["rps"] / found["courses"]["rps"], 3)
    return found
