"""Batching of reads: what-by-what loaders, made per operation and dropped after every write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import TypeVar

from strawberry.dataloader import DataLoader

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")
Value = TypeVar("Value")


def many(
    fetch: Callable[[list[Key]], Awaitable[Iterable[Row]]], key: Callable[[Row], Key]
) -> DataLoader[Key, list[Row]]:
    """A loader of the rows that belong to a key, in the order in which ``fetch`` returns them."""

    async def load(keys: list[Key]) -> list[list[Row]]:
        found: dict[Key, list[Row]] = {each: [] for each in keys}
        for row in await fetch(list(found)):
            found[key(row)].append(row)
        return [found[each] for each in keys]

    return DataLoader(load)


def one(
    fetch: Callable[[list[Key]], Awaitable[Iterable[Row]]], key: Callable[[Row], Key]
) -> DataLoader[Key, Row | None]:
    """A loader of the one row that has a key, or None."""

    async def load(keys: list[Key]) -> list[Row | None]:
        found = {key(row): row for row in await fetch(list(dict.fromkeys(keys)))}
        return [found.get(each) for each in keys]

    return DataLoader(load)


def value(fetch: Callable[[list[Key]], Awaitable[dict[Key, Value]]], default: Value) -> DataLoader[Key, Value]:
    """A loader of one value per key (a count, a sum); keys that ``fetch`` does not mention have the default."""

    async def load(keys: list[Key]) -> list[Value]:
        found = await fetch(list(dict.fromkeys(keys)))
        return [found.get(each, default) for each in keys]

    return DataLoader(load)
