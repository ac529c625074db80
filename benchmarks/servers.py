"""Server processes: one each, pinned to a core, on 127.0.0.1, stopped by their pids."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.data import PEER_DATABASE, SECRET

ROOT = Path(__file__).parents[1]
PEERS = ROOT.parent / "shared" / "peers" / "servers"
UVICORN = ("-m", "uvicorn", "--host", "127.0.0.1", "--loop", "uvloop", "--http", "httptools", "--no-access-log")


@dataclass(slots=True)
class Server:
    """A running contender. ``processes`` are all that serve; ``dialect`` is the one its clients speak."""

    name: str
    port: int
    dialect: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    def pids(self) -> list[int]:
        """The process and its children."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [self.process.pid, *map(int, children.stdout.split())]


@dataclass(frozen=True, slots=True)
class Where:
    """The database that servers use, by the owner's DSN and, for counting, by the address of a proxy."""

    dsn: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def at(self, database: str | None = None, port: int | None = None) -> str:
        changes = {}
        if database:
            changes["dbname"] = database
        if port:
            changes |= {"host": "127.0.0.1", "port": str(port)}
        return make_conninfo(self.dsn, **changes)

    def url(self, port: int | None = None) -> str:
        """The peers' database as SQLAlchemy wants it."""
        parts = conninfo_to_dict(self.at(PEER_DATABASE, port))
        return f"postgresql+psycopg://{parts['user']}@/{parts['dbname']}?host={parts['host']}&port={parts['port']}"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def available(name: str) -> str | None:
    """Why a contender cannot run here; None when it can."""
    if name != "mercurius":
        return None
    if not PEERS.exists():
        return "the folder of peers is not there"
    return None if shutil.which("node") and shutil.which("npm") else "no Node here"


@contextmanager
def running(
    name: str, where: Where, *, core: str | None = "0", workers: int = 1, proxy: int | None = None
) -> Iterator[Server]:
    """Start a contender and wait until it answers; stop it at the end."""
    port = free_port()
    environment = {**os.environ, "JWT_SECRET": SECRET, "PYTHONPATH": str(ROOT), **where.environment}
    folder = ROOT
    peer = where.at(PEER_DATABASE, proxy)
    if name == "app":
        command = [sys.executable, *UVICORN, "--port", str(port), "--workers", str(workers), "--factory"]
        command.append("benchmarks.contenders.platform:make")
        environment["DATABASE_URL"] = where.at(None, proxy)
    elif name in {"typical", "ceiling"}:
        command = [sys.executable, *UVICORN, "--port", str(port), f"benchmarks.contenders.{name}:app"]
        environment |= {"PEER_DSN": peer, "PEER_URL": where.url(proxy)}
    else:
        folder = installed(name, where.folder)
        command = ["node", "server.js"]
        parts = conninfo_to_dict(peer)
        environment |= {
            "PORT": str(port), "NODE_ENV": "production", "PGPORT": str(parts["port"]), "PGHOST": str(parts["host"]),
            "PGUSER": str(parts["user"]), "PGDATABASE": PEER_DATABASE, "PGOPTIONS": "-c timezone=UTC",
        }  # fmt: skip
    pinned = ["taskset", "-c", core, *command] if core is not None and shutil.which("taskset") else command
    log = where.folder / f"{name}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned, cwd=folder, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    server = Server(name, port, "app" if name == "app" else "peer", process, log)
    try:
        _wait(server)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(server: Server) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if server.process.poll() is not None:
            break
        try:
            httpx.get(server.url, timeout=1)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{server.name} did not start:\n{server.log.read_text()[-2000:]}")


def installed(name: str, folder: Path) -> Path:
    """A copy of a Node peer with its packages."""
    target = folder / name
    if not target.exists():
        shutil.copytree(PEERS / name, target)
        # Its code names a database; here it is the one of this run, by libpq's variables.
        source = re.sub(r"connectionString: .*?, max:", "max:", (target / "server.js").read_text())
        (target / "server.js").write_text(source)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=target, check=True, stdout=2)
    return target


def ticks(pids: list[int]) -> float:
    """CPU seconds that processes have used."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def rss_mb(pids: list[int]) -> float:
    """The largest resident set among processes, MB."""
    found = [0.0]
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue
        found += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")]
    return max(found)
