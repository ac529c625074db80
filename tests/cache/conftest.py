"""A real Valkey for the tests that need one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from app.outside.valkey import running_valkey, valkey_program


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds, at most five seconds."""
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.005)


@pytest.fixture(scope="session")
def program() -> Path:
    """The server's program."""
    found = valkey_program()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def valkey_url(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the run's Valkey."""
    with running_valkey(program, tmp_path_factory.mktemp("valkey"), megabytes=16) as url:
        yield url


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Redis]:
    """A client of the run's Valkey, which is empty."""
    client: Redis = Redis.from_url(valkey_url)
    await client.flushall()
    yield client
    await client.aclose()
