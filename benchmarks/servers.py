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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.settings import Settings
from benchmarks.data import PEER_DATABASE, SECRET
from benchmarks.processes import SERVER, family, on

ROOT = Path(__file__).parents[1]
PEERS = ROOT.parent / "shared" / "peers" / "servers"
KNOWN = ("app", "typical", "ceiling", "mercurius")
NODE = frozenset({"mercurius"})  # optional: they need that folder, Node, and npm's packages
UVICORN = (
    "-m", "uvicorn", "--host", "127.0.0.1", "--loop", "uvloop", "--http", "httptools", "--no-access-log",
    "--no-server-header", "--no-proxy-headers",
)  # fmt: skip
START_SECONDS = 60
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class Server:
    """A running contender. ``dialect`` is the one that its clients speak, ``app`` or ``peer``."""

    name: str
    port: int
    dialect: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    def pids(self) -> list[int]:
        """The process and its workers."""
        return family(self.process.pid)


@dataclass(frozen=True, slots=True)
class Where:
    """The database that servers use (the owner's DSN), a folder for files, and this platform's settings."""

    dsn: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def at(self, database: str | None = None, port: int | None = None) -> str:
        """The DSN of a database; with ``port``, by way of the proxy that listens there."""
        changes = {}
        if database:
            changes["dbname"] = database
        if port:
            changes |= {"host": "127.0.0.1", "port": str(port)}
        return make_conninfo(self.dsn, **changes)

    def postgres(self) -> list[int]:
        """PostgreSQL's processes, as they are now."""
        [pidfile] = self.folder.rglob("postmaster.pid")
        return family(int(pidfile.read_text().split()[0]))


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def missing(name: str, folder: Path) -> str | None:
    """Why a contender cannot run here; None when it can. Installs what it needs into ``folder``."""
    if name not in NODE:
        return None
    if not (PEERS / name).is_dir():
        return "the folder of peers is not there"
    if not (shutil.which("node") and shutil.which("npm")):
        return "no Node here"
    target = folder / name
    shutil.copytree(PEERS / name, target)
    # Its code names a database; here it is the one of this run, by libpq's variables.
    source = re.sub(r"connectionString: .*?, max:", "max:", (target / "server.js").read_text())
    (target / "server.js").write_text(source)
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(command, cwd=target, check=False, stdout=subprocess.DEVNULL)
    return "its packages could not be installed" if done.returncode else None


@contextmanager
def running(
    name: str,
    where: Where,
    *,
    cores: frozenset[int] = SERVER,
    workers: int = 1,
    proxy: int | None = None,
    more: Mapping[str, str] = NOTHING,
) -> Iterator[Server]:
    """Start a contender and wait until it answers; stop it at the end. ``more`` are settings of this platform.

    Raises RuntimeError with the end of its log when it does not start.
    """
    port = free_port()
    command, environment = _command(name, where, port, workers, proxy)
    log = where.folder / f"{name}-{port}.log"
    with log.open("wb") as output, on(cores):
        process = subprocess.Popen(
            command, cwd=where.folder / name if name in NODE else where.folder, env={**environment, **more},
            stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
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


def _command(name: str, where: Where, port: int, workers: int, proxy: int | None) -> tuple[list[str], dict[str, str]]:
    """What to run, and its whole environment: of ours all but the platform's settings, which this run decides."""
    ours = {key: value for key, value in os.environ.items() if key.lower() not in Settings.model_fields}
    if "REDIS_URL" in os.environ:
        ours["REDIS_URL"] = os.environ["REDIS_URL"]  # the cache's server is the machine's to name
    environment = {**ours, "JWT_SECRET": SECRET, "PYTHONPATH": str(ROOT)}
    peer = where.at(PEER_DATABASE, proxy)
    parts = conninfo_to_dict(peer)
    if name == "app":
        command = [sys.executable, *UVICORN, "--port", str(port), "--workers", str(workers), "--factory"]
        environment |= {"DATABASE_URL": where.at(None, proxy), **where.environment}
        return [*command, "benchmarks.contenders.platform:make"], environment
    if name in NODE:
        environment |= {
            "PORT": str(port), "NODE_ENV": "production", "PGPORT": str(parts["port"]), "PGHOST": str(parts["host"]),
            "PGUSER": str(parts["user"]), "PGDATABASE": PEER_DATABASE, "PGOPTIONS": "-c timezone=UTC",
        }  # fmt: skip
        return ["node", "server.js"], environment
    url = f"postgresql+psycopg://{parts['user']}@/{parts['dbname']}?host={parts['host']}&port={parts['port']}"
    environment |= {"PEER_DSN": peer, "PEER_URL": url}
    return [sys.executable, *UVICORN, "--port", str(port), f"benchmarks.contenders.{name}:app"], environment


def _wait(server: Server) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.process.poll() is None:
        try:
            httpx.get(server.url, timeout=1, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{server.name} did not start:\n{server.log.read_text()[-2000:]}")
