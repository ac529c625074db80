"""A synthetic schema with everything that can go wrong: errors and nulls at every position, abstract types, slow ones.

What a field does is decided by its name and its parent's seed, so that both executors meet the same world.
"""

from __future__ import annotations

import asyncio
import random
from enum import Enum
from typing import Annotated, Any, NewType

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.execution import batch

LOG: list[str] = []


class Mood:
    """How much goes wrong: the share of values that are null, raise, or are slow."""

    bad = 0.15


def chance(seed: int, name: str) -> float:
    return random.Random(f"{seed}/{name}").random()


def maybe(seed: int, name: str, value: Any, *, null: bool = True) -> Any:
    """The value, or null, or an exception returned or raised."""
    at = chance(seed, name)
    if at < Mood.bad / 3:
        raise ValueError(f"{name} of {seed} failed")
    if at < Mood.bad / 2:
        return KeyError(f"{name} of {seed} was returned")
    if at < Mood.bad and null:
        return None
    return value


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


Even = NewType("Even", int)


def even(value: Any) -> int:
    if value % 2:
        raise ValueError(f"{value} is odd")
    return int(value)


@strawberry.interface
class Thing:
    seed: strawberry.Private[int]

    @batch
    def id(parents: list[Thing], info: strawberry.Info) -> list[strawberry.ID]:
        return [strawberry.ID(f"{info.context['prefix']}{parent.seed}") for parent in parents]

    @strawberry.field
    def name(self) -> str:
        return maybe(self.seed, "name", f"n{self.seed}")  # type: ignore[no-any-return]

    @strawberry.field
    async def slow_name(self) -> str | None:
        await asyncio.sleep(0)
        return maybe(self.seed, "slow", f"s{self.seed}")  # type: ignore[no-any-return]


@strawberry.type
class Leaf(Thing):
    weight: float | None
    flat: int

    @strawberry.field
    def colour(self) -> Colour | None:
        return maybe(self.seed, "colour", list(Colour)[self.seed % 2])  # type: ignore[no-any-return]

    @strawberry.field
    def even(self) -> Even | None:
        return Even(self.seed)

    @strawberry.field
    def must_be_even(self) -> Even:
        return Even(self.seed)


@strawberry.type
class Twig(Thing):
    @strawberry.field
    def leaf(self) -> Leaf | None:
        return maybe(self.seed, "leaf", leaf(self.seed + 1))  # type: ignore[no-any-return]

    @strawberry.field
    async def sure_leaf(self) -> Leaf:
        await asyncio.sleep(0)
        return maybe(self.seed, "sure", leaf(self.seed + 2))  # type: ignore[no-any-return]

    @batch(in_turn=True)
    async def leaves(parents: list[Twig], info: strawberry.Info) -> list[list[Leaf]]:
        await asyncio.sleep(0)
        return [several(parent.seed, "leaves", leaf) for parent in parents]

    @batch
    async def broken(parents: list[Twig], info: strawberry.Info) -> list[str | None]:
        raise ValueError("the whole batch failed")

    @batch(in_turn=True)
    async def holes(parents: list[Twig], info: strawberry.Info) -> list[list[Leaf | None] | None]:
        return [_holes(parent.seed) for parent in parents]

    @strawberry.field
    def things(self, first: int = 3) -> list[Thing | None]:
        return [thing(self.seed + n) for n in range(min(first, 4))]

    @strawberry.field
    async def either(self) -> list[Annotated[Leaf | Twig, strawberry.union("Either")]]:
        return [thing(self.seed + n) for n in (5, 6)]

    @strawberry.field
    def words(self, info: strawberry.Info) -> list[str | None]:
        return ["/".join(map(str, info.path.as_list())), None, "x"]

    @strawberry.field
    def grid(self) -> list[list[int]] | None:
        return maybe(self.seed, "grid", [[1, 2], [], [self.seed]])  # type: ignore[no-any-return]

    @strawberry.field
    def forest(self) -> list[list[Leaf]]:
        return [[leaf(1), leaf(2)], [], [leaf(self.seed)]]

    @strawberry.field
    def not_a_list(self) -> list[str] | None:
        return 7 if self.seed % 2 else ("a", "b")  # type: ignore[return-value]


def _holes(seed: int) -> Any:
    at = chance(seed, "holes")
    if at < Mood.bad / 2:
        return None
    if at < Mood.bad:
        return ValueError(f"holes of {seed}")
    return [leaf(seed), None, leaf(seed + 3)]


def several(seed: int, name: str, make: Any) -> Any:
    at = chance(seed, name)
    if at < Mood.bad / 3:
        return ValueError(f"{name} of {seed}")
    if at < Mood.bad:
        return [make(seed), None]
    return [make(seed + n) for n in range(seed % 4)]


def leaf(seed: int) -> Leaf:
    wrong = chance(seed, "flat") < Mood.bad
    return Leaf(seed=seed, weight=None if seed % 3 else seed / 2, flat="many" if wrong else seed)  # type: ignore[arg-type]


def twig(seed: int) -> Twig:
    return Twig(seed=seed)


def thing(seed: int) -> Any:
    at = chance(seed, "thing")
    if at < Mood.bad / 3:
        return ValueError(f"thing {seed}")
    if at < Mood.bad / 2:
        return object()
    return leaf(seed) if seed % 2 else twig(seed)


@strawberry.input
class Wish:
    seed: int
    words: list[str] = strawberry.field(default_factory=list)
    colour: Colour = Colour.RED


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "world"

    @strawberry.field
    async def twig(self, seed: int = 2) -> Twig | None:
        return maybe(seed, "twig", twig(seed))  # type: ignore[no-any-return]

    @strawberry.field
    def sure(self, seed: int = 2) -> Twig:
        return maybe(seed, "sure twig", twig(seed))  # type: ignore[no-any-return]

    @strawberry.field
    async def twigs(self, wish: Wish | None = None, count: int = 3) -> list[Twig]:
        start = wish.seed if wish else 0
        return [twig(start + n) for n in range(min(count, 6))]

    @strawberry.field
    def thing(self, seed: int = 1) -> Thing | None:
        return thing(seed)  # type: ignore[no-any-return]

    @strawberry.field
    def echo(self, wish: Wish, colour: Colour = Colour.BLUE) -> str:
        return f"{wish.seed} {wish.words} {wish.colour} {colour}"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def act(self, info: strawberry.Info, name: str = "a", fail: bool = False) -> Twig:
        LOG.append(f"start {name}")
        await asyncio.sleep(0)
        if fail:
            raise ValueError(f"act {name}")
        LOG.append(f"end {name}")
        return twig(len(name))

    @strawberry.mutation
    def quick(self, name: str = "q", fail: bool = False) -> Leaf | None:
        LOG.append(f"quick {name}")
        if fail:
            raise ValueError(f"quick {name}")
        return leaf(len(name))


def shop(**options: Any) -> strawberry.Schema:
    """The schema on whatever executor the options say."""
    config = StrawberryConfig(scalar_map={Even: strawberry.scalar(name="Even", serialize=even, parse_value=even)})
    return strawberry.Schema(query=Query, mutation=Mutation, types=[Leaf, Twig], config=config, **options)
