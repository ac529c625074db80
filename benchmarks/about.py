"""Where and how figures came about: machine, commit, parameters."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.processes import CORES
from benchmarks.setup import Plan


def about(plan: Plan) -> dict[str, str]:
    """One sentence each, in the order of a report."""
    size, cores = plan.size, "its own core" if len(CORES) > 1 else "the only core"
    settings = ", ".join(f"{name}={value}" for name, value in plan.environment.items())
    return {
        "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _commit(),
        "machine": f"{_processor()}, {len(CORES)} cores, {platform.system()} {platform.release()}",
        "load": f"1, 5 and 15 minutes before the run: {', '.join(f'{load:.1f}' for load in os.getloadavg())}",
        "python": platform.python_version(),
        "data": f"{size.tenants} tenants x {size.courses} courses x {size.modules} modules x {size.lessons} lessons,"
        f" {size.users} members each",
        "rounds": f"{plan.rounds} of {plan.seconds:g} s a server and operation, {plan.connections} connections",
        "client": f"{plan.client}, beside PostgreSQL; each server one process on {cores}",
        "settings": settings or "the defaults, without the response cache",
    }


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    if not (commit := git("rev-parse", "--short=12", "HEAD")):
        return "unknown"
    changed = git("status", "--porcelain", "--", ":/", ":!benchmarks/RESULTS.md")
    return f"{commit} with uncommitted changes" if changed else commit


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
