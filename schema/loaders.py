"""Batching of reads: what-by-what loaders, made per operation and dropped after every write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from strawberry.dataloader import DataLoader

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")
Value = TypeVar("Value")


class Loader(Generic[Key, Value]):
    """Reads values by key, each key once. One at a time (``load``: collected by a DataLoader), or all of a level.

    ``fetch`` receives distinct keys and returns what it found by key; ``missing`` makes the value of the others.
    """

    def __init__(self, fetch: Callable[[list[Key]], Awaitable[dict[Key, Value]]], missing: Callable[[], Value]) -> None:
        self._fetch = fetch
        self._missing = missing
        self._known: dict[Key, Value] = {}
        self._fetching: dict[Key, asyncio.Future[None]] = {}
        self._singles: DataLoader[Key, Value] = DataLoader(self.all, cache=False)

    async def load(self, key: Key) -> Value:
        """The value of one key; those asked for in the same turn of the loop are read together."""
        return self._known[key] if key in self._known else await self._singles.load(key)

    async def all(self, keys: Sequence[Key]) -> list[Value]:
        """The values of many keys, in order, without a future for each."""
        known = self._known
        while absent := [key for key in dict.fromkeys(keys) if key not in known]:
            others = {self._fetching[key] for key in absent if key in self._fetching}
            if others:
                await asyncio.wait(others)
                absent = [key for key in absent if key not in known and key not in self._fetching]
                if not absent:
                    continue
            await self._read(absent)
        return [known[key] for key in keys]

    async def _read(self, keys: list[Key]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fetching.update(dict.fromkeys(keys, done))
        try:
            found = await self._fetch(keys)
            self._known.update((key, found[key] if key in found else self._missing()) for key in keys)
        finally:
            for key in keys:
                del self._fetching[key]
            done.set_result(None)


def many(fetch: Callable[[list[Key]], Awaitable[Iterable[Row]]], key: Callable[[Row], Key]) -> Loader[Key, list[Row]]:
    """A loader of the rows that belong to a key, in the order in which ``fetch`` returns them."""

    async def read(keys: list[Key]) -> dict[Key, list[Row]]:
        found: dict[Key, list[Row]] = {each: [] for each in keys}
        for row in await fetch(keys):
            found[key(row)].append(row)
        return found

    return Loader(read, list)


def one(fetch: Callable[[list[Key]], Awaitable[Iterable[Row]]], key: Callable[[Row], Key]) -> Loader[Key, Row | None]:
    """A loader of the one row that has a key, or None."""

    async def read(keys: list[Key]) -> dict[Key, Row | None]:
        return {key(row): row for row in await fetch(keys)}

    return Loader(read, lambda: None)


def value(fetch: Callable[[list[Key]], Awaitable[dict[Key, Value]]], default: Value) -> Loader[Key, Value]:
    """A loader of one value per key (a count, a sum); keys that ``fetch`` does not mention have the default."""
    return Loader(fetch, lambda: default)
