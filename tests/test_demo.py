"""The demo tenants: loaded once, finished after an interruption, never in production."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg import AsyncConnection

from app.db.statements import Statement
from app.db.tenant_transaction import TenantTx
from app.db.transaction import ConnectionTx, Tx
from app.demo.data import DEMO_SLUGS, load_demo
from app.errors import Forbidden
from app.platform import Platform
from app.tenancy.service import TenantService
from tests.conftest import clone_database, settings_for


class Killed(BaseException):
    """The process ends here."""


WHOLE = dict.fromkeys(DEMO_SLUGS, (4, 3, 1))


@pytest.fixture
async def platform(server_dsn: str) -> AsyncIterator[Platform]:
    """The platform on an empty database of its own."""
    made = Platform(settings_for(), await clone_database(server_dsn, f"demo_{secrets.token_hex(4)}"))
    await made.open()
    await made.queue.open_async()
    yield made
    await made.queue.close_async()
    await made.close()


async def loaded(platform: Platform) -> dict[str, tuple[int, int, int]]:
    """Members, published courses and enrolments of each tenant."""
    found = {}
    async with await AsyncConnection.connect(platform.config.owner_dsn, autocommit=True) as owner:
        async for tenant in TenantService(platform.database).each():
            await owner.execute(f'SET search_path = "{tenant.schema_name}"'.encode())
            cursor = await owner.execute(
                """SELECT (SELECT count(*) FROM members WHERE status = 'active'),
                          (SELECT count(*) FROM courses WHERE published_at IS NOT NULL),
                          (SELECT count(*) FROM enrollments)"""
            )
            [found[tenant.slug]] = await cursor.fetchall()
    return found


async def test_two_that_start_at_once_load_it_once(platform: Platform) -> None:
    await asyncio.gather(load_demo(platform), load_demo(platform))
    assert await loaded(platform) == WHOLE


@pytest.mark.parametrize("survived", [3, 10, 17, 30, 45])
async def test_a_run_that_was_interrupted_is_finished_by_the_next(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    left = survived

    def dying(execute: Any) -> Any:
        async def die(tx: Tx, statement: Statement[Any], **params: Any) -> int:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            done: int = await execute(tx, statement, **params)
            return done

        return die

    with monkeypatch.context() as patched:
        for kind in (ConnectionTx, TenantTx):
            patched.setattr(kind, "execute", dying(kind.execute))
        with pytest.raises(Killed):
            await load_demo(platform)
    await load_demo(platform)
    assert await loaded(platform) == WHOLE


async def test_what_people_did_to_it_stays(platform: Platform) -> None:
    await load_demo(platform)
    tenant = await TenantService(platform.database).get("acme")
    async with await AsyncConnection.connect(platform.config.owner_dsn, autocommit=True) as owner:
        await owner.execute(f"UPDATE {tenant.schema_name}.courses SET published_at = NULL".encode())
    await load_demo(platform)
    assert await loaded(platform) == {**WHOLE, "acme": (4, 0, 1)}


async def test_production_refuses_its_public_password(platform: Platform) -> None:
    platform.settings = platform.settings.model_copy(update={"env": "production"})
    with pytest.raises(Forbidden):
        await load_demo(platform)
    assert await loaded(platform) == {}
