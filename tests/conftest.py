"""One PostgreSQL for the whole run, a database of its own for each worker, and fresh tenants for each test."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo

from app.db.embedded import EmbeddedPostgres
from app.db.prepare import prepare_node
from app.db.setup import migrate_control
from app.main import Application
from app.platform import database_config
from app.settings import Settings
from tests.mailbox import Mailbox
from tests.stable import Stable
from tests.world import World

TEMPLATE = "template_platform"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}


def settings_for(**changes: object) -> Settings:
    """Settings of a test: cheap password hashes, small pools, nothing read from the environment's files."""
    values: dict[str, object] = {
        "env": "test",
        "argon2_memory_kib": 64,
        "argon2_time_cost": 1,
        "database_pool_size": 8,
        "database_pool_slots": 2,
        "database_control_pool_size": 6,
        "public_url": "http://learn.test",
        "smtp_tls": "none",
        "inline_worker": False,
        "response_cache": False,  # tests write behind its back; its own tests turn it on
        **changes,
    }
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


def pytest_configure(config: pytest.Config) -> None:
    """The controlling process starts the server and makes the template; workers get its address."""
    if hasattr(config, "workerinput"):
        config.stash[SERVER] = config.workerinput["server"]


SERVER = pytest.StashKey[str]()
CLUSTER = pytest.StashKey[EmbeddedPostgres]()
FOLDER = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()


def _server(config: pytest.Config) -> str:
    """The owner's DSN of the run's server; started at first need."""
    if SERVER not in config.stash:
        folder = tempfile.TemporaryDirectory(prefix="stegmaier-tests-", ignore_cleanup_errors=True)
        Path(folder.name).chmod(0o711)  # the server runs as another user when the tests run as root
        cluster = EmbeddedPostgres(Path(folder.name) / "postgres", settings=FAST)
        config.stash[FOLDER], config.stash[CLUSTER] = folder, cluster
        config.stash[SERVER] = cluster.start()
        # In a thread of its own: asyncio.run would take the test run's event loop away.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(_make_template(config.stash[SERVER]))).result()
    return config.stash[SERVER]


async def _make_template(dsn: str) -> None:
    async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    await migrate_control(database_config(settings_for(), make_conninfo(dsn, dbname=TEMPLATE)))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Called by xdist in the controlling process for each worker it starts."""
    node.workerinput["server"] = _server(node.config)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what this process started."""
    if CLUSTER in config.stash:
        config.stash[CLUSTER].stop()
        config.stash[FOLDER].cleanup()


@pytest.fixture(scope="session")
def server_dsn(request: pytest.FixtureRequest) -> str:
    """The owner's DSN of the run's PostgreSQL server."""
    return _server(request.config)


async def clone_database(server_dsn: str, name: str) -> str:
    """A migrated database of its own; returns the owner's DSN."""
    async with await AsyncConnection.connect(server_dsn, autocommit=True) as connection:
        await connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
        )
    dsn = make_conninfo(server_dsn, dbname=name)
    async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
        await prepare_node(connection, database_config(settings_for(), dsn))
    return dsn


@pytest.fixture(scope="session")
async def database_dsn(server_dsn: str) -> str:
    """The owner's DSN of this worker's database."""
    return await clone_database(server_dsn, f"worker_{secrets.token_hex(4)}")


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Mailbox]:
    """A real SMTP server that keeps what it receives."""
    box = Mailbox()
    box.start()
    yield box
    box.stop()


@pytest.fixture(scope="session")
async def application(
    database_dsn: str, mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Application]:
    """The platform as it is served, with its job queue open, over this worker's database."""
    data_dir = tmp_path_factory.mktemp("data")
    settings = settings_for(smtp_host="127.0.0.1", smtp_port=mailbox.port, data_dir=data_dir)
    application = Application(settings, database_dsn)
    await application.open()
    yield application
    await application.close()


@pytest.fixture(scope="session")
def stable(application: Application, mailbox: Mailbox) -> Stable:
    """Tenants that may be given to one test after the other."""
    return Stable(application, mailbox)


@pytest.fixture
async def acme(stable: Stable) -> AsyncIterator[World]:
    """A tenant with an administrator and nothing else."""
    async with stable.world("acme") as world:
        yield world


@pytest.fixture
async def globex(stable: Stable) -> AsyncIterator[World]:
    """Another one."""
    async with stable.world("globex") as world:
        yield world
