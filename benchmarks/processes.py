"""Processes from outside: on which cores they run, the CPU time and the memory they use (Linux's /proc)."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
SERVER = frozenset(CORES[:1])
BESIDE = frozenset(CORES[1:2] or CORES)  # PostgreSQL and the load generator, while single servers are measured
BOTH = frozenset(CORES[:2])  # everything, for the mix
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """Processes started inside run on these cores: children inherit them from the thread that starts them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pids: list[int], cores: frozenset[int]) -> None:
    """Move running processes; what they start later follows."""
    for pid in pids:
        try:
            os.sched_setaffinity(pid, cores)
        except ProcessLookupError:
            continue


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [pid, *map(int, found.stdout.split())]


def cpu_seconds(pids: list[int]) -> float:
    """CPU seconds that processes have used."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def drain(pids: Callable[[], list[int]], *, patience: float = 15) -> None:
    """Wait until processes are idle: the requests a load generator left in flight would slow the next server down."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        before = cpu_seconds(pids())
        time.sleep(0.2)
        if cpu_seconds(pids()) - before <= 0.02:
            return


def rss_mb(pids: list[int]) -> float:
    """The largest resident set among processes, MB."""
    return max((_kib(pid, "status", "VmRSS") for pid in pids), default=0) / 1024


def private_mb(pid: int) -> float:
    """Memory that a process shares with nobody, MB: of a database backend, all but the shared buffers."""
    return _kib(pid, "smaps_rollup", "Private_Clean", "Private_Dirty") / 1024


def _kib(pid: int, file: str, *names: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(names))
