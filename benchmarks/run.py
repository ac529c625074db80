"""One run from an empty folder to figures: database, data, agreement, statements, rounds, mix."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from statistics import median
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from benchmarks.agreement import ask, disagreements
from benchmarks.data import load
from benchmarks.load import Load
from benchmarks.mix import mix
from benchmarks.operations import School
from benchmarks.processes import BESIDE, BOTH, cpu_seconds, drain, move, rss_mb
from benchmarks.progress import Progress
from benchmarks.proxy import Counter, counting
from benchmarks.servers import NODE, Server, Where, missing, running
from benchmarks.setup import Plan, database, settings_of

FIGURES = ("rps", "p50_ms", "p95_ms", "p99_ms", "cpu_ms", "pg_cpu_ms", "rss_mb")
WARM_SECONDS = 1
WARM_REQUESTS = 64  # until the statements are prepared on every connection of a pool


def measure(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Servers side by side, then the mix on this platform. Raises RuntimeError when their answers differ."""
    with database(plan) as where:
        data = asyncio.run(load(settings_of(where), where.dsn, plan.size, progress, peers=True))
        move(where.postgres(), BESIDE)
        wrk = Load(where.folder, data.schools, plan.connections, plan.client)
        result: dict[str, Any] = {"servers": {}, "skipped": {}}
        with ExitStack() as serving:
            servers = _started(plan, where, serving, result["skipped"])
            _agree(servers, data.schools, progress)
            names = [server.name for server in servers]
            progress.say("counting statements")
            result["servers"] = _statements(names, where, data.schools, plan.operations)
            rounds(plan, {server.name: server for server in servers}, wrk, where, result["servers"], progress)
        if plan.cache:
            result["cache"] = cached(plan, wrk, where, progress)
        result["mix"] = mix(plan, {"app": (where, wrk)}, progress)["app"]
        return result


def _started(plan: Plan, where: Where, serving: ExitStack, skipped: dict[str, str]) -> list[Server]:
    servers = []
    for name in plan.servers:
        if why := missing(name, where.folder):
            skipped[name] = why
            continue
        try:
            servers.append(serving.enter_context(running(name, where)))
        except RuntimeError as error:
            if name not in NODE:
                raise
            skipped[name] = str(error).splitlines()[0]
    return servers


def _agree(servers: list[Server], schools: list[School], progress: Progress) -> None:
    progress.say("comparing answers")
    if found := disagreements(servers, schools):
        raise RuntimeError("the servers do not agree:\n" + "\n".join(found[:10]))


def rounds(
    plan: Plan,
    servers: dict[str, Server],
    wrk: Load,
    where: Where,
    figures: dict[str, dict[str, dict[str, float]]],
    progress: Progress,
    operations: tuple[str, ...] | None = None,
) -> None:
    """Every operation on every server in turn, several times; the medians are added to ``figures``."""
    wanted = operations or plan.operations
    turns = [(turn, name, label) for turn in range(-1, plan.rounds) for name in wanted for label in servers]
    samples: dict[tuple[str, str], list[dict[str, float]]] = {}
    windows: dict[tuple[str, str], float] = {}
    with progress.steps(f"measuring {', '.join(servers)}", len(turns)) as step:
        for turn, name, label in turns:  # the first turn only warms up
            server = servers[label]
            found = _one(server, name, wrk, where, windows.get((label, name), WARM_SECONDS))
            if turn < 0:
                windows[label, name] = plan.window(found["rps"])
            else:
                samples.setdefault((label, name), []).append(found)
                progress.say(f"round {turn + 1} {name} {label}: {found['rps']:.0f}/s, {found['errors']:.0f} errors")
            step()
    for (label, name), each in samples.items():
        entry = figures.setdefault(label, {}).setdefault(name, {})
        entry |= {key: round(median(sample[key] for sample in each), 3) for key in FIGURES}
        entry["errors"] = int(sum(sample["errors"] for sample in each))


def _one(server: Server, name: str, wrk: Load, where: Where, seconds: float) -> dict[str, float]:
    before = cpu_seconds(server.pids()), cpu_seconds(where.postgres())
    found = wrk.run(server, name, seconds)
    after = cpu_seconds(server.pids()), cpu_seconds(where.postgres())
    done = max(1, found["requests"])
    found["cpu_ms"] = (after[0] - before[0]) * 1000 / done
    found["pg_cpu_ms"] = (after[1] - before[1]) * 1000 / done
    found["rss_mb"] = rss_mb(server.pids())
    drain(server.pids)
    return found


def cached(plan: Plan, wrk: Load, where: Where, progress: Progress) -> dict[str, Any]:
    """The catalogue with the response cache off and on, side by side: {"off": .., "on": .., "ratio": requests/s}."""
    figures: dict[str, Any] = {}
    with running("app", where) as off, running("app", where, more={"RESPONSE_CACHE": "true"}) as on:
        for _ in range(2):  # the second answer is the cached one
            _agree([off, on], wrk.schools, progress)
        rounds(plan, {"off": off, "on": on}, wrk, where, figures, progress, ("Q2",))
    found = {label: each["Q2"] for label, each in figures.items()}
    return {**found, "ratio": round(found["on"]["rps"] / max(found["off"]["rps"], 0.001), 2)}


def _statements(
    names: list[str], where: Where, schools: list[School], operations: tuple[str, ...]
) -> dict[str, dict[str, dict[str, float]]]:
    """SQL statements and round trips per request, one request at a time, after a warm-up."""

    async def count() -> dict[str, dict[str, dict[str, float]]]:
        parts = conninfo_to_dict(where.dsn)
        async with counting(str(parts["host"]), int(str(parts["port"]))) as (port, counter):
            return {name: await asyncio.to_thread(asked, name, port, counter) for name in names}

    def asked(name: str, port: int, counter: Counter) -> dict[str, dict[str, float]]:
        turns = [(school, who) for who in (0, 1) for school in schools[:2]]
        made = {}
        with running(name, where, cores=BOTH, proxy=port) as server:
            for operation in operations:
                for number in range(WARM_REQUESTS):
                    ask(server, operation, *turns[number % len(turns)])
                before = counter.statements, counter.trips
                for school, who in turns:
                    ask(server, operation, school, who)
                made[operation] = {
                    "sql": round((counter.statements - before[0]) / len(turns), 2),
                    "round_trips": round((counter.trips - before[1]) / len(turns), 2),
                }
        return made

    return asyncio.run(count())
