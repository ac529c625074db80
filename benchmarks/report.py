"""Figures as a page: what was measured, the ratios, the goals and how far they are."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.operations import NAMES

RESULTS = Path(__file__).parent / "RESULTS.md"
RATIOS = {
    "typical": {"Q1": 6, "Q2": 10, "Q3": 10, "Q4": 20, "M1": 6},
    "ceiling": {"Q1": 0.5, "Q2": 0.6, "Q3": 0.6, "Q4": 0.7, "M1": 0.5},
    "mercurius": {"Q2": 1.0, "Q3": 1.0, "Q4": 1.0},
}
STATEMENTS = {"Q1": 1, "Q2": 4, "Q3": 4, "Q4": 3, "M1": 1}


def page(result: dict[str, Any], parameters: str) -> str:
    """The whole report in Markdown."""
    return "\n".join([*_head(parameters), *_servers(result), *_cpu(result), *_goals(result), *_rest(result), ""])


def _head(parameters: str) -> Iterator[str]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    yield "# Benchmark results"
    yield ""
    yield "Written by `make bench`. One run, alternating rounds, medians; compare ratios, not machines."
    yield ""
    cores = len([line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("processor")])
    yield f"- {datetime.now(UTC):%Y-%m-%d}, commit {commit.strip()}, Python {platform.python_version()}"
    yield f"- {model}, {cores} cores, {platform.system()} {platform.release()}"
    yield f"- {parameters}"
    yield ""


def _servers(result: dict[str, Any]) -> Iterator[str]:
    yield "## Requests per second (p50 / p95 in ms; SQL statements per request)"
    yield ""
    yield "| server | " + " | ".join(NAMES) + " | memory |"
    yield "|---" * (len(NAMES) + 2) + "|"
    for name, each in result["servers"].items():
        cells = [
            f"{f['rps']:,.0f}/s ({f['p50_ms']:.1f} / {f['p95_ms']:.1f}; {f.get('sql', 0):g})" if "rps" in f else "-"
            for f in (each.get(operation, {}) for operation in NAMES)
        ]
        memory = max((f.get("rss_mb", 0) for f in each.values()), default=0)
        yield f"| {name} | " + " | ".join(cells) + f" | {memory:.0f} MB |"
    for name, why in result.get("skipped", {}).items():
        yield f"| {name} | not run: {why} |" + " |" * len(NAMES)
    yield ""


def _cpu(result: dict[str, Any]) -> Iterator[str]:
    yield "## CPU per request, ms: server process / PostgreSQL"
    yield ""
    yield "| server | " + " | ".join(NAMES) + " |"
    yield "|---" * (len(NAMES) + 1) + "|"
    for name, each in result["servers"].items():
        cells = [
            f"{f['cpu_ms']:.2f} / {f['pg_cpu_ms']:.2f}" if "cpu_ms" in f else "-"
            for f in (each.get(operation, {}) for operation in NAMES)
        ]
        yield f"| {name} | " + " | ".join(cells) + " |"
    yield ""


def goals(result: dict[str, Any]) -> list[tuple[str, float, float, bool]]:
    """(figure, found, goal, met) for every goal that this run can judge."""
    found: list[tuple[str, float, float, bool]] = []
    servers = result["servers"]
    app = servers.get("app", {})
    for other, wanted in RATIOS.items():
        for name, goal in wanted.items():
            mine, theirs = app.get(name, {}), servers.get(other, {}).get(name, {})
            if "rps" not in mine or "rps" not in theirs:
                continue
            ratio = mine["rps"] / theirs["rps"]
            if other == "mercurius":
                ratio = max(ratio, theirs["cpu_ms"] / max(mine["cpu_ms"], 0.001))
            found.append((f"{name} against {other}", ratio, goal, ratio >= goal))
    for name, limit in STATEMENTS.items():
        if "sql" in app.get(name, {}):
            found.append((f"{name} SQL statements (at most)", app[name]["sql"], limit, app[name]["sql"] <= limit))
    ratios = result.get("executor_ratio")
    if ratios:
        found.append(("executor, Q4 shape", ratios["q4"]["ratio"], 15, ratios["q4"]["ratio"] >= 15))
        found.append(("executor, one field", ratios["one_field"]["ratio"], 1, ratios["one_field"]["ratio"] >= 1))
    mixed = result.get("mix")
    if mixed:
        found.append(("MIX requests/s", mixed["rps"], 1000, mixed["rps"] >= 1000))
        found.append(("MIX p95 ms (below)", mixed["p95_ms"], 100, mixed["p95_ms"] < 100))
        found.append(("MIX errors (none)", mixed["errors"], 0, mixed["errors"] == 0))
        found.append(("worker memory MB (below)", mixed["worker_rss_mb"], 200, mixed["worker_rss_mb"] < 200))
        found.append(("backend memory MB (below)", mixed["backend_mb"], 150, mixed["backend_mb"] < 150))
    grown = result.get("growth")
    if grown:
        found.append(("growth: tenants", grown["tenants_ratio"], 0.8, grown["tenants_ratio"] >= 0.8))
        found.append(("growth: courses", grown["courses_ratio"], 0.9, grown["courses_ratio"] >= 0.9))
    return found


def _goals(result: dict[str, Any]) -> Iterator[str]:
    yield "## Goals"
    yield ""
    yield "| figure | found | goal | |"
    yield "|---|---|---|---|"
    for name, value, goal, met in goals(result):
        yield f"| {name} | {value:.2f} | {goal:g} | {'met' if met else '**not met**'} |"
    yield ""


def _rest(result: dict[str, Any]) -> Iterator[str]:
    for title, key in (("Executor in process", "executor_ratio"), ("Mix, two workers", "mix"), ("Growth", "growth"),
                       ("Response cache (the figures above are without it)", "cache")):  # fmt: skip
        if result.get(key):
            yield f"## {title}"
            yield ""
            for name, value in result[key].items():
                yield f"- {name}: {value}"
            yield ""
