"""The embedded Valkey: private, empty at every start, gone with its owner, never the remains of another."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from app.commands.console import running_cache
from app.outside import valkey
from app.outside.valkey import EmbeddedValkeyError, running_valkey
from tests.conftest import settings_for

OWNER = """
import sys, time
from pathlib import Path
from app.outside.valkey import running_valkey, valkey_program
with running_valkey(valkey_program(), Path(sys.argv[1]), megabytes=8) as url:
    print(url, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has started a server in the same folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    yield process
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert not list(tmp_path.glob("run-*")), "a server was left running"


def address(owner: subprocess.Popen[str]) -> str:
    assert owner.stdout is not None
    return owner.stdout.readline().strip()


def test_it_starts_empty_and_private_and_leaves_nothing_behind(program: Path, tmp_path: Path) -> None:
    with running_valkey(program, tmp_path, megabytes=8) as url:
        client = Redis.from_url(url)
        assert (client.dbsize(), client.config_get("port")["port"]) == (0, "0")
        assert client.config_get("maxmemory")["maxmemory"] == str(8 * 1024 * 1024)
        client.set("x", "y")
        client.close()
    assert not list(tmp_path.glob("run-*"))
    with running_valkey(program, tmp_path, megabytes=8) as url:
        client = Redis.from_url(url)
        assert client.dbsize() == 0
        client.close()


def test_two_owners_have_a_server_each(program: Path, tmp_path: Path, owner: subprocess.Popen[str]) -> None:
    theirs = Redis.from_url(address(owner))
    theirs.set("x", "theirs")
    with running_valkey(program, tmp_path, megabytes=8) as url:
        ours = Redis.from_url(url)
        assert ours.get("x") is None
        ours.close()
    assert theirs.get("x") == b"theirs"
    theirs.close()


def test_what_a_killed_owner_left_is_stopped_and_not_used_again(
    program: Path, tmp_path: Path, owner: subprocess.Popen[str]
) -> None:
    orphan = Redis.from_url(address(owner))
    orphan.set("x", "old")
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert orphan.get("x") == b"old"
    with running_valkey(program, tmp_path, megabytes=8) as url:
        ours = Redis.from_url(url)
        assert ours.get("x") is None
        ours.close()
        assert len(list(tmp_path.glob("run-*"))) == 1
        with pytest.raises(RedisError):
            orphan.get("x")
    orphan.close()


def test_a_folder_whose_name_is_long_or_has_spaces_serves_too(program: Path, tmp_path: Path) -> None:
    parent = tmp_path / "a folder with a name" / ("long" * 30)
    with running_valkey(program, parent, megabytes=8) as url:
        client = Redis.from_url(url)
        assert client.ping()
        client.close()
        hall = Path(url.removeprefix("unix://")).parent
        assert not hall.is_relative_to(parent)
    assert not hall.exists()
    assert not list(parent.glob("run-*"))


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(EmbeddedValkeyError, match="Valkey does not start"),
        running_valkey(Path("/bin/false"), tmp_path, megabytes=8),
    ):
        pass
    assert not list(tmp_path.glob("run-*"))


def test_a_command_uses_what_is_configured_or_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured = settings_for(redis_url="redis://cache.test", response_cache=True)
    with running_cache(configured) as settings:
        assert settings is configured
    off = settings_for(data_dir=tmp_path)
    with running_cache(off) as settings:
        assert settings is off
    embedded = settings_for(data_dir=tmp_path, response_cache=True)
    with running_cache(embedded) as settings:
        assert settings.redis_url is not None
        assert settings.redis_url.get_secret_value().startswith("unix:///")
        assert len(list((tmp_path / "valkey").glob("run-*"))) == 1
    monkeypatch.setattr(valkey, "find_spec", lambda name: None)
    with running_cache(embedded) as settings:
        assert settings.redis_url is None
