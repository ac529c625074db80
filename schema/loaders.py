"""Batching of reads: what-by-what loaders, made per operation and dropped after every write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from typing import Generic, TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

Row = TypeVar("Row")
Value = TypeVar("Value")
Number = int  # a UUID as an integer: hashing and comparing UUID objects runs in Python, of integers it does not


class Loader(Generic[Value]):
    """Reads values by UUID, each once. One at a time (``load``: collected by a DataLoader), or all of a level.

    ``fetch`` receives distinct UUIDs and returns what it found by their integers; ``missing`` makes the value of the
    others.
    """

    def __init__(
        self, fetch: Callable[[list[UUID]], Awaitable[dict[Number, Value]]], missing: Callable[[], Value]
    ) -> None:
        self._fetch = fetch
        self._missing = missing
        self._known: dict[Number, Value] = {}
        self._fetching: dict[Number, asyncio.Future[None]] = {}
        self._singles: DataLoader[UUID, Value] | None = None

    async def load(self, key: UUID) -> Value:
        """The value of one key; those asked for in the same turn of the loop are read together."""
        if key.int in self._known:
            return self._known[key.int]
        if self._singles is None:
            self._singles = DataLoader(self.all, cache=False)
        return await self._singles.load(key)

    def retire(self) -> None:
        """Nobody will ask any more, though those who have are answered: let go of the DataLoader, which leads back."""
        self._singles = None

    async def all(self, keys: Sequence[UUID]) -> list[Value]:
        """The values of many keys, in order, without a future for each."""
        known = self._known
        wanted = {key.int: key for key in keys}
        if not known and not self._fetching:
            await self._read(wanted)
            return [known[key.int] for key in keys]
        while absent := [number for number in wanted if number not in known]:
            others = {self._fetching[number] for number in absent if number in self._fetching}
            if others:
                await asyncio.wait(others)
                absent = [number for number in absent if number not in known and number not in self._fetching]
                if not absent:
                    continue
            await self._read({number: wanted[number] for number in absent})
        return [known[key.int] for key in keys]

    async def _read(self, keys: dict[Number, UUID]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fetching.update(dict.fromkeys(keys, done))
        try:
            found = await self._fetch(list(keys.values()))
            self._known.update(found)
            for number in keys.keys() - found.keys():
                self._known[number] = self._missing()
        finally:
            for number in keys:
                del self._fetching[number]
            done.set_result(None)


def many(fetch: Callable[[list[UUID]], Awaitable[list[Row]]], key: str) -> Loader[list[Row]]:
    """A loader of the rows whose attribute ``key`` is the UUID asked for, in the order in which they are fetched."""
    number = attrgetter(f"{key}.int")

    async def read(keys: list[UUID]) -> dict[Number, list[Row]]:
        found: dict[Number, list[Row]] = {each.int: [] for each in keys}
        rows = await fetch(keys)
        for row, belongs in zip(rows, map(number, rows), strict=True):
            found[belongs].append(row)
        return found

    return Loader(read, list)


def single(fetch: Callable[[list[UUID]], Awaitable[list[Row]]], key: str) -> Loader[Row | None]:
    """A loader of the one row whose attribute ``key`` is the UUID asked for, or None."""
    number = attrgetter(f"{key}.int")

    async def read(keys: list[UUID]) -> dict[Number, Row | None]:
        rows = await fetch(keys)
        return dict(zip(map(number, rows), rows, strict=True))

    return Loader(read, lambda: None)


def value(fetch: Callable[[list[UUID]], Awaitable[dict[UUID, Value]]], default: Value) -> Loader[Value]:
    """A loader of one value per UUID (a count, a sum); those that ``fetch`` does not mention have the default."""

    async def read(keys: list[UUID]) -> dict[Number, Value]:
        return {key.int: found for key, found in (await fetch(keys)).items()}

    return Loader(read, lambda: default)
