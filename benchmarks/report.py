"""A result as a page in Markdown: how it came about, the figures, the goals and how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.goals import goals
from benchmarks.operations import NAMES

RESULTS = Path(__file__).parent / "RESULTS.md"
GROWN = {
    "few_tenants": "few tenants",
    "many_tenants": "many tenants",
    "courses": "ordinary tenants",
    "more_courses": "more courses",
}


def page(result: dict[str, Any]) -> str:
    """The whole report."""
    parts = (_head, _servers, _cpu, _goals, _executor, _mix, _growth, _cache)
    return "\n".join([line for part in parts for line in part(result)])


def _table(title: str, *columns: str) -> Iterator[str]:
    yield from (f"## {title}", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|")


def _head(result: dict[str, Any]) -> Iterator[str]:
    yield from ("# Benchmark results", "")
    yield from (
        "Written by `make bench`; see README.md. Medians of alternating rounds: trust ratios, not machines.",
        "",
    )
    yield from (f"- {name}: {value}" for name, value in result.get("about", {}).items())
    yield ""


def _servers(result: dict[str, Any]) -> Iterator[str]:
    yield from _table("Requests/s, p50 / p95 in ms; SQL statements per request", "server", *NAMES, "memory")

    def cell(f: dict[str, float]) -> str:
        return f"{f['rps']:,.0f}/s, {f['p50_ms']:.1f} / {f['p95_ms']:.1f}; {f.get('sql', 0):g}"

    for name, figures in result["servers"].items():
        memory = max((f.get("rss_mb", 0) for f in figures.values()), default=0)
        yield f"| {name} | {_cells(figures, 'rps', cell)} | {memory:.0f} MB |"
    for name, why in result.get("skipped", {}).items():
        yield f"| {name} | not run: {why} |" + " |" * len(NAMES)
    yield ""


def _cpu(result: dict[str, Any]) -> Iterator[str]:
    yield from _table("CPU per request in ms, server / PostgreSQL; round trips to PostgreSQL", "server", *NAMES)

    def cell(f: dict[str, float]) -> str:
        return f"{f['cpu_ms']:.2f} / {f['pg_cpu_ms']:.2f}; {f.get('round_trips', 0):g}"

    for name, figures in result["servers"].items():
        yield f"| {name} | {_cells(figures, 'cpu_ms', cell)} |"
    yield ""


def _cells(figures: dict[str, Any], needed: str, cell: Callable[[dict[str, float]], str]) -> str:
    found = [figures.get(name, {}) for name in NAMES]
    return " | ".join(cell(each) if needed in each else "-" for each in found)


def _goals(result: dict[str, Any]) -> Iterator[str]:
    yield from _table("Goals", "figure", "found", "goal", "")
    for goal in goals(result):
        yield f"| {goal.figure} | {goal.found:.2f} | {goal.wanted:g} | {'met' if goal.met else '**not met**'} |"
    yield ""


def _executor(result: dict[str, Any]) -> Iterator[str]:
    if found := result.get("executor"):
        yield from _table("Executor in process, ms of CPU per operation", "shape", "stock", "compiled", "ratio")
        for name, f in found.items():
            yield f"| {name} | {f['stock_ms']:.3f} | {f['compiled_ms']:.3f} | {f['ratio']:.1f} |"
        yield ""


MIXED = ("requests/s", "p50 / p95 / p99 ms", "errors", "worker MB", "database backend MB, largest / median")


def _mixed(found: dict[str, Any]) -> str:
    backends = f"{found['backend_mb']} / {found['backend_median_mb']} of {found['backends']}"
    return (
        f"{found['rps']:,.0f} | {found['p50_ms']:.1f} / {found['p95_ms']:.1f} / {found['p99_ms']:.1f}"
        f" | {found['errors']} | {found['worker_rss_mb']:.0f} | {backends}"
    )


def _mix(result: dict[str, Any]) -> Iterator[str]:
    if found := result.get("mix"):
        yield from _table("Mix, two workers, everything on two cores", *MIXED)
        yield from (f"| {_mixed(found)} |", "")


def _growth(result: dict[str, Any]) -> Iterator[str]:
    if found := result.get("growth"):
        yield from _table("Growth: the mix again", "", "tenants", "courses each", "s to found a tenant", *MIXED)
        for name, title in GROWN.items():
            f = found[name]
            yield f"| {title} | {f['tenants']} | {f['courses']} | {f['seconds_per_tenant']:.2f} | {_mixed(f)} |"
        yield ""


def _cache(result: dict[str, Any]) -> Iterator[str]:
    if found := result.get("cache"):
        yield from _table(
            "Response cache, Q2; all other figures are without it", "", "requests/s", "p50 / p95 ms", "CPU ms"
        )
        for name in ("off", "on"):
            f = found[name]
            yield f"| {name} | {f['rps']:,.0f} | {f['p50_ms']:.1f} / {f['p95_ms']:.1f} | {f['cpu_ms']:.2f} |"
        yield from (f"| ratio | {found['ratio']:.2f} | | |", "")
