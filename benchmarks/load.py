"""Load: every operation as whole HTTP requests in a file, sent by wrk or by our own client."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.client import SEPARATOR
from benchmarks.operations import MIX, School, body, headers
from benchmarks.processes import BESIDE, on
from benchmarks.servers import ROOT, Server

WRK = Path(__file__).parent / "wrk.lua"
LEAST_MIX, MIX_PER_TENANT = 2000, 20  # requests
TURNS = {"M1": 20}  # lessons that a learner's events are about; of everything else 5


def generator(wanted: str) -> str:
    """Which load generator runs: ``auto`` takes wrk where it is installed. Raises RuntimeError."""
    installed = shutil.which("wrk") is not None
    if wanted == "wrk" and not installed:
        raise RuntimeError("wrk is not installed; --client python needs nothing")
    if wanted == "auto":
        return "wrk" if installed else "python"
    return wanted


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of some tenants' learners; ``client`` is ``wrk`` or ``python``."""

    folder: Path
    schools: list[School]
    connections: int
    client: str

    def run(self, server: Server, name: str, seconds: float, cores: frozenset[int] = BESIDE) -> dict[str, Any]:
        """Drive a server for a while: requests, rps, p50_ms, p95_ms, p99_ms, errors."""
        file, seed = str(self._file(server.dialect, name)), str(random.randrange(1 << 31))  # noqa: S311
        if self.client == "wrk":
            command = [
                "wrk", "-t1", f"-c{self.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s",
                "-s", str(WRK), server.url, "--", file, seed,
            ]  # fmt: skip
        else:
            command = [
                sys.executable, "-m", "benchmarks.client", file, str(server.port), str(self.connections), str(seconds),
                seed,
            ]  # fmt: skip
        with on(cores):
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise RuntimeError(f"{self.client} failed against {server.name}: {done.stdout}{done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1].removeprefix("RESULT "))
        return found

    def _file(self, dialect: str, name: str) -> Path:
        file = self.folder / f"{dialect}-{name}.requests"
        if not file.exists():
            requests = self._mixed(dialect) if name == "MIX" else self._requests(dialect, name)
            file.write_bytes(SEPARATOR.join(requests))
        return file

    def _requests(self, dialect: str, name: str) -> list[bytes]:
        """The tenant changes with every request."""
        return [
            request(dialect, name, school, who, turn)
            for turn in range(TURNS.get(name, 5))
            for who in range(min(len(school.learners) for school in self.schools))
            for school in self.schools
        ]

    def _mixed(self, dialect: str) -> list[bytes]:
        """Tenants in turn, each with its own shuffled share of the operations; the same in every run."""
        chance = random.Random(0)  # noqa: S311
        made = []
        for number in range(max(LEAST_MIX, MIX_PER_TENANT * len(self.schools))):
            school = self.schools[number % len(self.schools)]
            [name] = chance.choices(list(MIX), list(MIX.values()))
            who, turn = chance.randrange(len(school.learners)), chance.randrange(20)
            made.append(request(dialect, name, school, who, turn))
        return made


def request(dialect: str, name: str, school: School, who: int, turn: int) -> bytes:
    """A whole HTTP request."""
    learner = school.learners[who]
    content = json.dumps(body(dialect, name, school, learner, turn)).encode()
    heads = {"Host": "127.0.0.1", **headers(dialect, school, learner), "Content-Length": str(len(content))}
    lines = "".join(f"{key}: {value}\r\n" for key, value in heads.items())
    return f"POST /graphql HTTP/1.1\r\n{lines}\r\n".encode() + content
