"""The embedded PostgreSQL: made once, kept, shared between processes, and healed after every kind of kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from app.db.embedded import EmbeddedPostgres, EmbeddedPostgresError

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "16MB"}

STARTER = textwrap.dedent(
    """
    import json, os, sys
    from pathlib import Path
    from app.db.embedded import EmbeddedPostgres
    server = EmbeddedPostgres(Path(sys.argv[1]), settings=json.loads(sys.argv[2]))
    if sys.argv[3:] == ["ordinary"]:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    sys.stdout.write(server.start() + "\\n")
    sys.stdout.flush()
    sys.stdin.readline()
    server.stop()
    """
)


class Starter:
    """Another process that starts the server, tells its URL, and stops when told to."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(data_dir), json.dumps(QUICK), *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def dsn(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self) -> None:
        self.process.communicate("\n", timeout=20)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=20)


@contextmanager
def starters(data_dir: Path, count: int, *arguments: str) -> Iterator[list[Starter]]:
    started = [Starter(data_dir, *arguments) for _ in range(count)]
    try:
        yield started
    finally:
        for starter in started:
            if starter.process.returncode is None:
                starter.kill()


def ask(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def tell(dsn: str, command: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(command.encode())


def postmaster(data_dir: Path) -> int | None:
    try:
        pid = int((data_dir / "cluster" / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return None
    return pid if b"postgres" in command_line(pid) else None


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited 10 s in vain"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose first start was interrupted half-way through making the cluster; the tests begin with that."""
    data_dir = tmp_path_factory.mktemp("pg") / "my data"
    (data_dir / "cluster" / "base").mkdir(parents=True)
    (data_dir / "cluster" / "postgresql.conf").write_text("half of a file")
    with starters(data_dir, 1) as (victim,):
        until(lambda: any(data_dir.glob("cluster.new-*/*")))
        victim.kill()
    yield data_dir
    last = EmbeddedPostgres(data_dir, settings=QUICK)
    last.start()
    last.stop()
    assert postmaster(data_dir) is None


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(home, settings=QUICK)
    yield server
    server.stop()


def test_two_processes_at_once_redo_a_half_made_folder_and_share_one_server(home: Path) -> None:
    with starters(home, 2) as (first, second):
        assert first.dsn() == second.dsn() != ""
        pid = postmaster(home)
        assert pid is not None
        assert (home / "server.log").read_text().count("database system is ready to accept connections") == 1

        (aside,) = home.glob("cluster.unfinished-*")
        assert (aside / "postgresql.conf").read_text() == "half of a file"

        first.stop()
        assert postmaster(home) == pid
        second.stop()
        assert postmaster(home) is None
    with EmbeddedPostgres(home, settings=QUICK):
        assert list(home.glob("cluster.new-*")) == []


def test_the_server_is_utf8_private_and_roomy(server: EmbeddedPostgres) -> None:
    dsn = server.start()
    assert ask(dsn, "SELECT current_database()") == "stegmaier"
    expected = {
        "server_encoding": "UTF8",
        "listen_addresses": "",
        "max_connections": "200",
        "max_locks_per_transaction": "256",
        "wal_level": "replica",
        "fsync": "off",
        "TimeZone": "UTC",
    }
    assert {name: ask(dsn, f"SHOW {name}") for name in expected} == expected
    assert ask(dsn, "SELECT upper('ñandú')") == "ÑANDÚ"
    assert (server.data_dir / "socket").stat().st_mode & 0o777 == 0o700


def test_data_is_kept_between_runs_and_a_restart_is_quick(server: EmbeddedPostgres) -> None:
    tell(server.start(), "CREATE TABLE kept AS SELECT 'Álgebra' AS title")
    server.stop()
    assert postmaster(server.data_dir) is None
    begin = time.monotonic()
    dsn = server.start()
    assert time.monotonic() - begin < 2
    assert ask(dsn, "SELECT title FROM kept") == "Álgebra"


def test_a_second_instance_makes_its_own_database_and_stop_may_be_repeated(
    home: Path, server: EmbeddedPostgres
) -> None:
    dsn = server.start()
    with EmbeddedPostgres(home, settings=QUICK, database="otra/más?") as other:
        assert ask(other, "SELECT current_database()") == "otra/más?"
    assert ask(dsn, "SELECT 1") == 1
    assert server.start() == dsn
    server.stop()
    server.stop()
    assert postmaster(home) is None


def test_a_server_whose_parent_was_killed_is_adopted(home: Path, server: EmbeddedPostgres) -> None:
    with starters(home, 1) as (orphaned,):
        orphaned.dsn()
        pid = postmaster(home)
        orphaned.kill()
    assert postmaster(home) == pid
    assert ask(server.start(), "SELECT 1") == 1
    assert postmaster(home) == pid
    server.stop()
    assert postmaster(home) is None


def test_a_killed_server_heals_with_its_committed_data(home: Path, server: EmbeddedPostgres) -> None:
    dsn = server.start()
    pid = postmaster(home)
    assert pid is not None
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE survived AS SELECT 42 AS answer")
        connection.execute("CHECKPOINT")
        os.kill(pid, signal.SIGKILL)
        assert ask(server.start(), "SELECT answer FROM survived") == 42
    assert postmaster(home) not in (None, pid)


def test_a_process_id_that_was_given_to_another_program_is_not_taken_for_the_server(
    home: Path, server: EmbeddedPostgres
) -> None:
    server.start()
    killed = postmaster(home)
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    until(lambda: b"postgres" not in command_line(killed))
    innocent = subprocess.Popen(["sleep", "60"], user=(home / "cluster").stat().st_uid)
    try:
        for name in ("cluster/postmaster.pid", "socket/.s.PGSQL.5432.lock"):
            lines = (home / name).read_text().splitlines(keepends=True)
            (home / name).write_text("".join([f"{innocent.pid}\n", *lines[1:]]))
        assert ask(server.start(), "SELECT 1") == 1
        server.stop()
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_a_folder_too_deep_for_a_socket_gets_a_short_private_one(home: Path) -> None:
    deep = home.parent / ("d" * 120)
    home.rename(deep)
    try:
        server = EmbeddedPostgres(deep, settings=QUICK)
        with server as dsn:
            folder = Path((deep / "socket-dir").read_text())
            assert ask(dsn, "SELECT 1") == 1
            assert folder.stat().st_mode & 0o777 == 0o700
            with starters(deep, 1) as (second,):
                assert second.dsn() == dsn
                second.stop()
            pid = postmaster(deep)
            for name in folder.iterdir():
                name.unlink()
            folder.rmdir()
            assert ask(server.start(), "SELECT 1") == 1
            assert postmaster(deep) not in (None, pid)
            again = Path((deep / "socket-dir").read_text())
        assert not again.exists()
        assert postmaster(deep) is None
    finally:
        deep.rename(home)


def test_a_broken_configuration_is_told_with_the_words_of_the_log(home: Path, server: EmbeddedPostgres) -> None:
    configuration = home / "cluster" / "postgresql.conf"
    before = configuration.read_text()
    configuration.write_text(f"{before}\nthis is = = not a setting\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match=r"(?s)does not start.*syntax error in file"):
            server.start()
    finally:
        configuration.write_text(before)
    assert ask(server.start(), "SELECT 1") == 1


def test_data_of_another_major_version_is_left_alone_and_explained(home: Path, server: EmbeddedPostgres) -> None:
    version = home / "cluster" / "PG_VERSION"
    before = version.read_text()
    version.write_text("12\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 12, but \d+ is installed.*pg_dumpall"):
            server.start()
        assert version.read_text() == "12\n"
    finally:
        version.write_text(before)


def test_a_folder_that_is_already_a_data_directory_is_refused_unchanged(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("18\n")
    with pytest.raises(EmbeddedPostgresError, match="is itself a PostgreSQL data directory"):
        EmbeddedPostgres(tmp_path).start()
    assert [path.name for path in tmp_path.iterdir()] == ["PG_VERSION"]


def test_a_folder_that_cannot_be_used_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match=r"cannot use .*file/pg"):
        EmbeddedPostgres(tmp_path / "file" / "pg").start()


def test_settings_that_keep_it_private_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="listen_addresses, port"):
        EmbeddedPostgres(tmp_path, settings={"port": "1", "listen_addresses": "*"})


def test_a_setting_the_server_refuses_leaves_nothing_running(home: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="max_connections"):
        EmbeddedPostgres(home, settings={**QUICK, "max_connections": "many"}).start()
    assert postmaster(home) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test already runs as an ordinary user")
def test_an_ordinary_user_needs_no_root_and_root_can_go_on_later(tmp_path: Path) -> None:
    data_dir = tmp_path / "pg"
    data_dir.mkdir()
    os.chown(data_dir, 65534, 65534)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o711)
    for arguments in (("ordinary",), (), ("ordinary",)):
        with starters(data_dir, 1, *arguments) as (starter,):
            assert ask(starter.dsn(), "SELECT 1") == 1
            starter.stop()
    assert {path.stat().st_uid for path in data_dir.iterdir()} == {65534}
