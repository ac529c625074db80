"""The cache by itself: keys, bounds, a server that is away, slow, restarted or wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from app.outside.cache import AT_ONCE, FAILURES, Breaker, MemoryCache, RedisCache, tenant_key
from app.outside.valkey import running_valkey
from tests.cache.conftest import eventually

TENANT = uuid4()
KEY = tenant_key("test", TENANT, 1, "catalog", "a")
BACK = tenant_key("test", TENANT, 1, "catalog", "b")


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def cache(url: str, *, clock: Clock | None = None, timeout: float = 1.0) -> AsyncIterator[RedisCache]:
    made = RedisCache(url, limit=1_000_000, seconds=60, timeout=timeout, clock=clock or Clock())
    yield made
    await made.close()


async def stored(client: Redis, key: str) -> None:
    deadline = time.monotonic() + 5
    while not await client.exists(key):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def test_a_key_carries_environment_tenant_and_generation() -> None:
    assert KEY.split(":") == ["test", str(TENANT), "1", "catalog", "a"]
    assert tenant_key("test", TENANT, 2, "catalog", "a") != KEY


def test_a_key_without_a_tenant_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="needs a tenant"):
        tenant_key("test", cast(UUID, None), 1, "catalog")


async def test_memory_is_bounded_in_bytes_and_the_least_recently_used_goes_first() -> None:
    memory = MemoryCache(10_000, 60)
    keys = [tenant_key("test", TENANT, 1, str(n)) for n in range(12)]
    for key in keys:
        assert await memory.get(keys[0]) is not None or key == keys[0]
        memory.put(key, b"x" * 1000)
    assert memory.size <= 10_000
    assert await memory.get(keys[0]) is not None
    assert await memory.get(keys[1]) is None
    memory.put(BACK, b"x" * 2000)
    assert await memory.get(BACK) is None


async def test_memory_forgets_after_its_time_and_when_told() -> None:
    clock = Clock()
    memory = MemoryCache(10_000, 60, clock)
    memory.put(KEY, b"value")
    clock.now += 59
    assert await memory.get(KEY) == b"value"
    clock.now += 1
    assert await memory.get(KEY) is None
    memory.put(KEY, b"value")
    memory.forget()
    assert (await memory.get(KEY), memory.size, await memory.check()) == (None, 0, None)


async def test_what_one_process_puts_another_gets_and_it_ends_by_itself(valkey_url: str, valkey: Redis) -> None:
    async with cache(valkey_url) as one, cache(valkey_url) as two:
        assert await two.get(KEY) is None
        one.put(KEY, b"value")
        await stored(valkey, KEY)
        assert await two.get(KEY) == b"value"
        assert 0 < await valkey.ttl(KEY) <= 60
        await valkey.flushall()
        assert await two.get(KEY) == b"value"
        two.forget()
        assert await two.get(KEY) is None
        one.put(BACK, b"x" * 200_000)
        assert (await one.get(BACK), await one.check()) == (None, None)


async def test_the_front_asks_the_server_again_after_a_few_seconds(valkey_url: str, valkey: Redis) -> None:
    clock = Clock()
    async with cache(valkey_url, clock=clock) as one:
        one.put(KEY, b"value")
        await stored(valkey, KEY)
        await valkey.delete(KEY)
        clock.now += 5
        assert await one.get(KEY) is None


async def test_a_value_that_belongs_to_another_key_is_never_given_out(valkey_url: str, valkey: Redis) -> None:
    async with cache(valkey_url) as one, cache(valkey_url) as two:
        one.put(KEY, b"the value of a")
        await stored(valkey, KEY)
        await valkey.rename(KEY, BACK)
        with capture_logs() as logs:
            assert await two.get(BACK) is None
        assert (two.counts["foreign"], [entry["log_level"] for entry in logs]) == (1, ["error"])


async def test_a_server_that_is_away_is_logged_once_and_soon_left_alone(tmp_path: Path) -> None:
    clock = Clock()
    async with cache(f"unix://{tmp_path}/nobody.sock", clock=clock) as one:
        with capture_logs() as logs:
            for _ in range(FAILURES + 5):
                assert await one.get(KEY) is None
            clock.now += 1
            assert await one.get(KEY) is None
            one.put(KEY, b"value")
            assert await one.get(KEY) == b"value"
        assert [entry["event"] for entry in logs] == ["the cache is away; requests go on without it"]
        assert (one.counts["failures"], one.counts["skipped"]) == (FAILURES + 1, 5)
        with pytest.raises(RedisError):
            await one.check()


async def test_a_server_that_never_answers_delays_a_few_requests_only() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with cache(f"redis://127.0.0.1:{port}", timeout=0.05) as one:
        began = time.monotonic()
        for _ in range(200):
            assert await one.get(KEY) is None
        assert time.monotonic() - began < 1
        assert one.counts["failures"] == FAILURES
    server.close()
    await server.wait_closed()


async def test_more_questions_at_once_than_connections_are_not_asked(valkey_url: str, valkey: Redis) -> None:
    async with cache(valkey_url) as one:
        keys = [tenant_key("test", TENANT, 1, str(n)) for n in range(AT_ONCE + 10)]
        assert await asyncio.gather(*(one.get(key) for key in keys)) == [None] * len(keys)
        assert (one.counts["skipped"], one.counts["failures"]) == (10, 0)


async def test_a_server_that_comes_back_is_used_again(program: Path, tmp_path: Path) -> None:
    clock = Clock()
    with running_valkey(program, tmp_path, megabytes=8) as url:
        made = RedisCache(url, limit=1_000_000, seconds=60, timeout=1, clock=clock)
        made.put(KEY, b"value")
        await eventually(lambda: not made._putting)
        made.forget()
        assert await made.get(KEY) == b"value"
        address = Path(url.removeprefix("unix://"))
        killer: Redis = Redis.from_url(url)
        hidden = address.rename(address.with_name("hidden"))  # noqa: ASYNC240 - a test may wait for it
        await made._redis.connection_pool.disconnect()
        made.forget()
        for _ in range(FAILURES + 1):
            assert await made.get(KEY) is None
        hidden.rename(address)
        await killer.flushall()
        clock.now += 1
        with capture_logs() as logs:
            assert await made.get(KEY) is None
        assert [entry["event"] for entry in logs] == ["the cache is back"]
        made.put(KEY, b"again")
        await eventually(lambda: not made._putting)
        made.forget()
        assert await made.get(KEY) == b"again"
        await killer.aclose()
        await made.close()


def test_the_wait_grows_and_is_bounded() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert breaker.allows()
        breaker.failed(OSError())
    waits = []
    for _ in range(8):
        began = clock.now
        while not breaker.allows():
            clock.now += 0.5
        waits.append(clock.now - began)
        assert not breaker.allows()
        breaker.failed(OSError())
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
