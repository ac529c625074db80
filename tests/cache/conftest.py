"""A real Valkey for the tests that need one, and applications that keep answers in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from app.main import Application
from app.outside.valkey import running_valkey, valkey_program
from tests.conftest import settings_for
from tests.mailbox import Mailbox
from tests.world import World


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds, at most five seconds."""
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.005)


async def in_step(world: World, *applications: Application) -> None:
    """Wait until these applications (the world's own by default) know the version of the world's catalogue."""
    known = [each.platform.changes.version for each in applications or (world.application,)]
    await eventually(lambda: None not in [version(world.tenant.id) for version in known])


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


async def opened(dsn: str, mailbox: Mailbox, url: str | None) -> AsyncIterator[Application]:
    """An application that keeps answers, in the server with this address or in memory."""
    settings = settings_for(
        smtp_host="127.0.0.1", smtp_port=mailbox.port, response_cache=True, redis_url=url, response_cache_megabytes=2
    )
    application = Application(settings, dsn)
    await application.open()
    await application.platform.listener.listening.wait()
    yield application
    await application.close()


@pytest.fixture(scope="session")
async def first(database_dsn: str, mailbox: Mailbox, valkey_url: str) -> AsyncIterator[Application]:
    """A process that shares Valkey."""
    async for application in opened(database_dsn, mailbox, valkey_url):
        yield application


@pytest.fixture(scope="session")
async def second(database_dsn: str, mailbox: Mailbox, valkey_url: str) -> AsyncIterator[Application]:
    """Another process that shares Valkey and the database."""
    async for application in opened(database_dsn, mailbox, valkey_url):
        yield application


@pytest.fixture
async def here(first: Application, mailbox: Mailbox, valkey: Redis) -> AsyncIterator[World]:
    """A fresh tenant, served by the first process over an empty Valkey."""
    async with World.founded(first, mailbox, "here") as world:
        await in_step(world)
        yield world


@pytest.fixture
async def other(first: Application, mailbox: Mailbox) -> AsyncIterator[World]:
    """Another fresh tenant in the first process."""
    async with World.founded(first, mailbox, "other") as world:
        await in_step(world)
        yield world


def through(application: Application, world: World) -> World:
    """The same tenant and people, served by another process."""
    made = World(application, world.mailbox, world.tenant)
    made.people = world.people
    return made
