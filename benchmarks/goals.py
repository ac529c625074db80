"""What must be reached, and whether a result does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

RATIOS: dict[str, dict[str, float]] = {
    "typical": {"Q1": 6, "Q2": 10, "Q3": 10, "Q4": 20, "M1": 6},
    "ceiling": {"Q1": 0.5, "Q2": 0.6, "Q3": 0.6, "Q4": 0.7, "M1": 0.5},
    "mercurius": {"Q2": 1.0, "Q3": 1.0, "Q4": 1.0},
}
STATEMENTS = {"Q1": 1, "Q2": 4, "Q3": 4, "Q4": 3, "M1": 1}
EXECUTOR, ONE_FIELD = 15, 1
MIX_RPS, MIX_P95_MS, WORKER_MB, BACKEND_MB = 1000, 100, 200, 150
TENANTS, COURSES = 0.8, 0.9


class Goal(NamedTuple):
    """One figure: what was found, what was wanted, whether that was met."""

    figure: str
    found: float
    wanted: float
    met: bool


def goals(result: dict[str, Any]) -> list[Goal]:
    """Every goal that a result can judge; what was not measured is not there."""
    return [*_ratios(result), *_statements(result), *_executor(result), *_mix(result), *_growth(result)]


def _at_least(figure: str, found: float, wanted: float) -> Goal:
    return Goal(figure, found, wanted, found >= wanted)


def _at_most(figure: str, found: float, wanted: float) -> Goal:
    return Goal(figure, found, wanted, found <= wanted)


def _below(figure: str, found: float, wanted: float) -> Goal:
    return Goal(figure, found, wanted, found < wanted)


def _ratios(result: dict[str, Any]) -> Iterator[Goal]:
    servers = result["servers"]
    for other, wanted in RATIOS.items():
        for name, goal in wanted.items():
            mine, theirs = servers.get("app", {}).get(name, {}), servers.get(other, {}).get(name, {})
            if not (mine.get("rps") and theirs.get("rps")):
                continue  # not measured, or too slow for one answer in the window
            yield _at_least(f"{name} requests/s against {other}", mine["rps"] / theirs["rps"], goal)
            if other == "mercurius":  # either of the two is enough
                yield _at_least(
                    f"{name} server CPU of {other} against ours", theirs["cpu_ms"] / max(mine["cpu_ms"], 0.001), goal
                )
    errors = [figures.get("errors", 0) for server in servers.values() for figures in server.values()]
    if errors:
        yield _at_most("errors of all servers", sum(errors), 0)


def _statements(result: dict[str, Any]) -> Iterator[Goal]:
    app = result["servers"].get("app", {})
    for name, limit in STATEMENTS.items():
        if "sql" in app.get(name, {}):
            yield _at_most(f"{name} SQL statements, at most", app[name]["sql"], limit)


def _executor(result: dict[str, Any]) -> Iterator[Goal]:
    found = result.get("executor")
    if found:
        yield _at_least("executor, Q4 shape, against stock", found["q4"]["ratio"], EXECUTOR)
        yield _at_least("executor, one field, against stock", found["one_field"]["ratio"], ONE_FIELD)


def _mix(result: dict[str, Any]) -> Iterator[Goal]:
    found = result.get("mix")
    if found:
        yield _at_least("MIX requests/s", found["rps"], MIX_RPS)
        yield _below("MIX p95, ms", found["p95_ms"], MIX_P95_MS)
        yield from _after_mix("MIX", found)


def _after_mix(which: str, found: dict[str, Any]) -> Iterator[Goal]:
    yield _at_most(f"{which} errors", found["errors"], 0)
    yield _below(f"{which} memory per worker, MB", found["worker_rss_mb"], WORKER_MB)
    if found.get("backend_mb"):
        yield _below(f"{which} memory per database backend, MB", found["backend_mb"], BACKEND_MB)


def _growth(result: dict[str, Any]) -> Iterator[Goal]:
    found = result.get("growth")
    if found:
        yield _at_least("growth: MIX with more tenants, against few", found["tenants_ratio"], TENANTS)
        yield _at_least("growth: MIX with more courses, against few", found["courses_ratio"], COURSES)
        yield from _after_mix(f"{found['many_tenants']['tenants']} tenants:", found["many_tenants"])
        yield from _after_mix(f"{found['more_courses']['courses']} courses:", found["more_courses"])
