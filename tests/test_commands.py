"""The command line, run as an operator runs it: in processes of their own, on an embedded PostgreSQL of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from app.db.embedded import EmbeddedPostgres
from app.db.migrations import head
from tests.rules.test_olx import folder, unit

ROOT = Path(__file__).resolve().parents[1]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an embedded PostgreSQL that lives as long as the module, so that each command finds it running."""
    made = tmp_path_factory.mktemp("commands")
    with EmbeddedPostgres(made / "data" / "postgres", settings={"fsync": "off"}):
        yield made


def environment(home: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ, "DATA_DIR": str(home / "data"), "PYTHONPATH": str(ROOT), "ARGON2_MEMORY_KIB": "64",
        "ARGON2_TIME_COST": "1", "COLUMNS": "200", **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def run(home: Path) -> Run:
    def command(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments], cwd=home, env=environment(home, **more), text=True,
            capture_output=True, timeout=90, check=False,
        )  # fmt: skip

    return command


def data(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_an_operators_day(run: Run, home: Path, tmp_path: Path) -> None:
    assert data(run("migrate", "control", "--json"))["to"] == head("control")
    made = data(
        run(
            "tenant",
            "create",
            "school",
            "--admin-email",
            "boss@school.test",
            "--json",
            TENANT_ADMIN_PASSWORD="a b c d e f 1 2 3",
        )
    )
    assert (made["slug"], made["state"], made["schema_revision"]) == ("school", "active", head("tenant"))
    taken = run("tenant", "create", "school", "--admin-email", "boss@school.test")
    assert (taken.returncode, "SLUG_TAKEN" in taken.stderr) == (1, True)
    bad = run("tenant", "create", "No!", "--admin-email", "nope")
    assert "adminEmail" in bad.stderr
    assert bad.returncode == 1
    assert data(run("tenant", "suspend", "school", "--json"))["state"] == "suspended"
    assert data(run("tenant", "resume", "school", "--json"))["state"] == "active"
    assert "school" in run("tenant", "list").stdout
    assert run("tenant", "show", "nobody").returncode == 1
    assert run("tenant", "add-domain", "school", "school.example.org").returncode == 0
    assert data(run("migrate", "status", "--json")) == {
        "control": {"at": head("control"), "head": head("control")},
        "head": head("tenant"), "behind": 0, "revisions": {head("tenant"): 1},
    }  # fmt: skip
    assert run("migrate", "tenants").returncode == 0
    problem = """<problem display_name="P"><multiplechoiceresponse><label>?</label><choicegroup>
        <choice correct="true">a</choice><choice correct="false">b</choice></choicegroup>
        </multiplechoiceresponse></problem><problem><customresponse/></problem>"""
    course = folder(tmp_path, {"course.xml": unit(f"<html><p>hola</p></html><discussion/>{problem}")})
    arguments = ("import", "olx", str(course), "--tenant", "school", "--instructor", "boss@school.test")
    dry = data(run(*arguments, "--dry-run", "--json"))
    assert (dry["courseId"], dry["lessons"]) == (None, 1)
    assert (dry["problems"], dry["questions"], dry["questionsLost"]) == (2, {"single": 1}, {"customresponse": 1})
    written = data(run(*arguments, "--json"))
    assert {**written, "courseId": None} == dry
    questions = tmp_path / "questions.gift"
    questions.write_text("::A:: 1+1\\=2 {T}\n\nBroken {", encoding="utf-8")
    into = ("--tenant", "school", "--instructor", "boss@school.test", "--course", written["courseId"], "--json")
    for expected in ((1, 0, 1), (0, 1, 1)):
        came = run("import", "gift", str(questions), *into)
        found = json.loads(came.stdout)
        assert (came.returncode, found["created"], found["duplicate"], found["failed"]) == (1, *expected)
        assert [(problem["line"], problem["code"]) for problem in found["problems"]] == [(3, "GIFT_BRACES")]
    missing = folder(tmp_path / "broken", {"course.xml": unit('<html url_name="gone"/>')})
    refused = run("import", "olx", str(missing), "--tenant", "school", "--instructor", "boss@school.test")
    assert (refused.returncode, "OLX_FILE_MISSING" in refused.stderr) == (1, True)


def test_the_schema_is_printed_and_checked(run: Run, tmp_path: Path) -> None:
    printed = run("schema", "print")
    assert printed.stdout == (ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8")
    assert run("schema", "check").returncode == 0
    old = tmp_path / "old.graphql"
    old.write_text(printed.stdout.replace("type Course implements", 'type Course implements', 1).replace(
        "  title: String!\n", "  title: String!\n\n  gone: Int\n", 1), encoding="utf-8")  # fmt: skip
    broken = run("schema", "check", "--against", str(old))
    assert broken.returncode == 1
    assert "gone was removed" in broken.stdout


def test_bad_settings_are_all_named_and_nothing_starts(run: Run) -> None:
    refused = run("serve", ENV="production", PORT="eighty")
    assert refused.returncode == 2
    assert "PORT" in refused.stderr
    wrong = run("tenant", "list", DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert (wrong.returncode, "DATABASE_UNREACHABLE" in wrong.stderr) == (1, True)
    assert "JWT_SECRET" in run("settings", "--env").stdout


def test_names_are_shown_as_they_are_written(run: Run) -> None:
    name = "The [/red] school [bold] :smile:"
    made = run("tenant", "create", "brackets", "--admin-email", "boss@brackets.test", "--name", name)
    assert made.returncode == 0, made.stderr
    assert name in made.stdout
    assert name in run("tenant", "list").stdout
    refused = run("tenant", "show", "[/red]")
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, "TENANT_NOT_FOUND tenant not found")


def test_a_command_that_cannot_run_says_why_in_a_sentence(run: Run, tmp_path: Path) -> None:
    fresh = str(tmp_path / "fresh")
    for arguments, more, code, words in (
        (("migrate", "status"), {"DATA_DIR": fresh}, 1, ""),
        (("tenant", "list"), {"DATABASE_URL": "mysql://x"}, 2, "DATABASE_URL: "),
        (("tenant", "list"), {"ALLOWED_HOSTS": "learn.example.org"}, 2, "ALLOWED_HOSTS: "),
        (("schema", "check", "--against", "/nowhere"), {}, 2, "does not exist"),
        (("serve", "--host", "192.0.2.1"), {"DATA_DIR": fresh}, 1, "ADDRESS_UNUSABLE cannot listen on 192.0.2.1:8000"),
        (("tenant", "add-domain", "nobody", "not a host"), {}, 1, "host: is not a host name"),
    ):
        done = run(*arguments, **more)
        assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (code, True, False), done


def test_a_database_from_a_newer_version_is_left_alone_with_a_sentence(run: Run, tmp_path: Path) -> None:
    folder = str(tmp_path / "newer")
    with EmbeddedPostgres(tmp_path / "newer" / "postgres", settings={"fsync": "off"}) as dsn:
        assert run("migrate", "control", DATA_DIR=folder).returncode == 0
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("UPDATE control.alembic_version SET version_num = '0099_tomorrow'")
        done = run("tenant", "list", DATA_DIR=folder)
        assert (done.returncode, "MIGRATION a control schema is at revision 0099_tomorrow" in done.stderr) == (
            1, True,
        )  # fmt: skip


def test_what_was_swept_is_logged_beside_the_json_not_inside_it(run: Run, home: Path) -> None:
    with EmbeddedPostgres(home / "data" / "postgres") as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO control.tenants (id, name, slug, schema_name, role_name, node_number, state)
               VALUES (gen_random_uuid(), 'X', 'half', 't_0000000000000000babe', 't_0000000000000000babe', 1,
                       'provisioning')"""
        )
    done = run("migrate", "tenants", "--json")
    assert "removed half" in done.stderr
    assert "half" not in {row["slug"] for row in json.loads(done.stdout)}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def launch(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app", *arguments], cwd=home, env=environment(home), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def start(home: Path, port: int, *more: str) -> subprocess.Popen[bytes]:
    process = launch(home, "serve", "--port", str(port), *more)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200:
                return process
        except httpx.TransportError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError("the server did not become ready")


def test_a_server_is_ready_survives_a_database_restart_under_load_and_stops_cleanly(tmp_path: Path) -> None:
    port = free_port()
    process = start(tmp_path, port, "--demo")
    url = f"http://127.0.0.1:{port}/graphql"
    try:
        login = """mutation { login(input: {email: "student@acme.test", password: "stegmaier demo 2026"}) {
            ... on AuthPayload { accessToken } } }"""
        opened = httpx.post(url, json={"query": login}, headers={"X-Tenant-ID": "acme"}).json()
        bearer = opened["data"]["login"]["accessToken"]
        headers = {"Authorization": f"Bearer {bearer}"}

        def ask() -> str:
            answer = httpx.post(url, json={"query": "{ courses { totalCount } }"}, headers=headers, timeout=30).json()
            if "errors" in answer:
                return str(answer["errors"][0]["extensions"]["code"])
            assert answer == {"data": {"courses": {"totalCount": 3}}}
            return "ok"

        assert ask() == "ok"
        postmaster = int((tmp_path / "data/postgres/cluster/postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(postmaster, signal.SIGKILL)
        during = {ask() for _ in range(3)}
        assert during <= {"UNAVAILABLE", "ok"}
        assert process.poll() is None
        with EmbeddedPostgres(tmp_path / "data" / "postgres"):
            deadline = time.monotonic() + 30
            while (found := ask()) != "ok" and time.monotonic() < deadline:
                time.sleep(0.2)
            assert found == "ok"
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait(10)


def postmaster_of(home: Path) -> int | None:
    try:
        return int((home / "data/postgres/cluster/postmaster.pid").read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, IndexError):
        return None


def running(home: Path, postmaster: int) -> list[str]:
    """The command lines of servers of this folder, and of the postmaster, that are still there."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    lines = (line.strip() for line in listed.splitlines() if "<defunct>" not in line)  # nobody may wait for those
    return [line for line in lines if str(home) in line or line.split()[0] == str(postmaster)]


@pytest.fixture
def short_home() -> Iterator[Path]:
    """A folder with so short a name that the sockets are inside, and so its name in the servers' command lines."""
    with tempfile.TemporaryDirectory(prefix="stop-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_a_signal_stops_everything_that_was_started_whenever_it_comes(short_home: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with start(short_home, free_port()) as process:
            postmaster = postmaster_of(short_home)
            assert postmaster is not None
            has_valkey = any("valkey-server" in line for line in running(short_home, postmaster))
            process.send_signal(number)
            assert process.wait(60) == 0
        assert has_valkey
        assert running(short_home, postmaster) == []
    for arguments, code in ((("serve", "--port", "0"), 0), (("worker",), 0), (("demo",), 143)):
        with launch(short_home, *arguments) as process:
            deadline = time.monotonic() + 60
            while (postmaster := postmaster_of(short_home)) is None and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == code
        assert postmaster is not None
        assert running(short_home, postmaster) == []
