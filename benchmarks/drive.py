"""Requests: one at a time to compare answers, and by wrk to measure."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.operations import MIX, NAMES, School, body, comparable, headers
from benchmarks.servers import Server

SCRIPT = """
local requests, n, i, moment = {}, 0, 0, 0
function init(args)
  for line in io.lines(args[1]) do
    local heads, text = line:match("^(.-)\\t(.*)$")
    local h = {}
    for k, v in heads:gmatch("([%w-]+)=([^|]*)|") do h[k] = v end
    n = n + 1
    if text:find("EVENT", 1, true) then
      requests[n] = {h, text}
    else
      requests[n] = wrk.format("POST", "/graphql", h, text)
    end
  end
  math.randomseed(os.time() + tonumber(args[2]))
  i = math.random(0, n - 1)
end
local function event()
  return string.format("%08x-%04x-4%03x-a%03x-%012x", math.random(0, 0xffffffff), math.random(0, 0xffff),
    math.random(0, 0xfff), math.random(0, 0xfff), math.random(0, 0xffffffffffff))
end
function request()
  i = i % n + 1
  local r = requests[i]
  if type(r) == "string" then return r end
  moment = (moment + 1) % 1000000
  local now = os.date("!%Y-%m-%dT%H:%M:%S") .. string.format(".%06dZ", moment)
  return wrk.format("POST", "/graphql", r[1], (r[2]:gsub("EVENT", event()):gsub("MOMENT", now)))
end
function done(summary, latency, requests)
  io.write(string.format('RESULT {"requests":%d,"rps":%.2f,"p50_ms":%.3f,"p95_ms":%.3f,"p99_ms":%.3f,"bytes":%d,"errors":%d}\\n',
    summary.requests, summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1000,
    latency:percentile(95) / 1000, latency:percentile(99) / 1000, summary.bytes,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """wrk with the requests of one dialect, written to files once."""

    folder: Path
    schools: list[School]
    connections: int

    def prepare(self) -> None:
        """Write the script and, for each dialect and operation, one request a line."""
        if shutil.which("wrk") is None:
            raise RuntimeError("wrk is needed: install Debian's package of that name")
        (self.folder / "wrk.lua").write_text(SCRIPT)
        for dialect in ("app", "peer"):
            lines = {name: self._lines(dialect, name) for name in NAMES}
            for name in NAMES:
                self._file(dialect, name).write_text("".join(lines[name]))
            mixed = [lines[name][turn % len(lines[name])] for turn in range(400) for name in _spread(turn)]
            self._file(dialect, "MIX").write_text("".join(mixed))

    def _file(self, dialect: str, name: str) -> Path:
        return self.folder / f"{dialect}-{name}.txt"

    def _lines(self, dialect: str, name: str) -> list[str]:
        turns = 20 if name == "M1" else 5
        return [
            "".join(f"{key}={value}|" for key, value in headers(dialect, school, school.learners[who]).items())
            + "\t" + json.dumps(body(dialect, name, school, school.learners[who], turn)) + "\n"
            for turn in range(turns)
            for who in range(min(5, len(self.schools[0].learners)))
            for school in self.schools
        ]  # fmt: skip

    def run(
        self, server: Server, name: str, seconds: float, *, core: str | None = "1", seed: int = 0
    ) -> dict[str, Any]:
        """Drive a server for a while: requests, rps, p50_ms, p95_ms, p99_ms, bytes, errors."""
        command = [
            "wrk", "-t1", f"-c{self.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(self.folder / "wrk.lua"),
            server.url, "--", str(self._file(server.dialect, name)), str(seed),
        ]  # fmt: skip
        pinned = ["taskset", "-c", core, *command] if core is not None else command
        done = subprocess.run(pinned, capture_output=True, text=True, check=True)
        line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
        found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
        return found


def _spread(turn: int) -> list[str]:
    """One operation, so that every hundred of them have the shares of the mix."""
    at, total = (turn * 37) % 100, 0
    for name, share in MIX.items():
        total += share
        if at < total:
            return [name]
    return []


def ask(server: Server, name: str, school: School, who: int, turn: int = 0, *, token: str | None = None) -> Any:
    """One request; the parsed answer, or the HTTP status when it is no JSON."""
    learner = school.learners[who]
    text = json.dumps(body(server.dialect, name, school, learner, turn))
    text = text.replace("EVENT", str(uuid4())).replace("MOMENT", datetime.now(UTC).isoformat())
    given = headers(server.dialect, school, learner)
    if token is not None:
        given["Authorization"] = f"Bearer {token}"
    answer = httpx.post(server.url, content=text, headers=given, timeout=30)
    try:
        return answer.json()
    except ValueError:
        return {"status": answer.status_code}


def disagreements(servers: list[Server], schools: list[School]) -> list[str]:
    """What servers answer differently, or to people who should get nothing."""
    found = []
    for name in NAMES:
        for school in schools[:: max(1, len(schools) // 3)]:
            for who in (0, 1):
                answers = {}
                for server in servers:
                    answer = ask(server, name, school, who)
                    if "data" not in answer or answer.get("errors"):
                        found.append(f"{server.name} {name}: {str(answer)[:300]}")
                    elif name == "M1":
                        status = (
                            answer["data"].get("syncProgress", {}).get("results", [{"status": "ACCEPTED"}])[0]["status"]
                        )
                        answers[server.name] = status
                    else:
                        answers[server.name] = comparable(server.dialect, school, answer["data"])
                first = next(iter(answers.values()), None)
                found += [
                    f"{server} {name} in {school.slug}: {str(answer)[:400]} != {str(first)[:400]}"
                    for server, answer in answers.items()
                    if answer != first
                ]
    for server in servers:
        school, other = schools[0], schools[-1]
        own = headers(server.dialect, school, school.learners[0])["Authorization"].removeprefix("Bearer ")
        forged = ask(server, "Q1", school, 0, token=own[:-4] + "AAAA")
        foreign = ask(server, "Q1", other, 0, token=own) if len(schools) > 1 else {}
        for answer in (forged, foreign):
            if (answer.get("data") or {}).get("me"):
                found.append(f"{server.name} gave data to a stranger")
    return found
