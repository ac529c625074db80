"""A second synthetic schema: the constructs of Strawberry and GraphQL that the shop does not have, one field each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from enum import Enum, IntEnum
from typing import Annotated, Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

from schema.execution import batch


class Grown(BasePermission):
    message = "not grown"

    def has_permission(self, source: Any, info: Info, **_: Any) -> bool:
        return bool(info.context["grown"])


class GrownLater(BasePermission):
    message = "not grown yet"
    error_extensions = {"code": "YOUNG"}  # noqa: RUF012 -- as Strawberry declares it

    async def has_permission(self, source: Any, info: Info, **_: Any) -> bool:
        await asyncio.sleep(0)
        return bool(info.context["grown"])


class Shout(FieldExtension):
    def resolve(self, next_: Any, source: Any, info: Info, **kwargs: Any) -> Any:
        return f"{next_(source, info, **kwargs)}!"


class Whisper(FieldExtension):
    async def resolve_async(self, next_: Any, source: Any, info: Info, **kwargs: Any) -> Any:
        return f"({await next_(source, info, **kwargs)})"


@strawberry.enum
class Size(Enum):
    SMALL = "s"
    LARGE = "l"
    OLD = strawberry.enum_value("o", name="ANCIENT", deprecation_reason="old")


@strawberry.enum
class Level(IntEnum):
    ONE = 1


Picky = NewType("Picky", str)
Parsed = NewType("Parsed", str)


def picky(value: Any) -> Any:
    match value:
        case "null":
            return None
        case "stop":
            raise StopIteration(value)
        case "bad":
            raise GraphQLError("picky", extensions={"code": "PICKY"})
    return [value]


def parsed(value: Any) -> str:
    if value == "bad":
        raise ValueError("cannot be parsed")
    return f"parsed {value}"


@strawberry.interface
class Being:
    name: str


@strawberry.interface
class Animal(Being):
    legs: int = 4

    @batch
    async def nick(parents: list[Animal], info: Info) -> list[str | None]:
        await asyncio.sleep(0)
        names = [getattr(parent, "name", "?") for parent in parents]
        return [None if name == "Nemo" else name.lower() for name in names]

    @strawberry.field
    def parent(self) -> Animal | None:
        return Cat(name=f"{self.name}'s mother") if len(self.name) < 30 else None


@strawberry.type
class Cat(Animal):
    @batch
    def lives(parents: list[Cat], info: Info) -> list[int]:
        return [9 for _ in parents]


@strawberry.type
class Fish(Animal):
    legs: int = 0
    size: Size | None = None

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return isinstance(obj, cls | dict)


Pet = Annotated[Cat | Fish, strawberry.union("Pet")]


def stopping(value: Any) -> str:
    raise StopIteration(value)


@strawberry.type
class Odd:
    number: int
    loose: strawberry.Private[Any] = None

    @batch(in_turn=True)
    async def pets(parents: list[Odd], info: Info) -> list[list[Pet | None] | None]:
        known: list[Any] = [[Cat(name="Tom"), None, Fish(name="Nemo", size=Size.LARGE)], None, []]
        return [known[parent.number % 3] for parent in parents]

    @batch(in_turn=True)
    async def pet(parents: list[Odd], info: Info, at: int = 0) -> list[Pet | None]:
        await asyncio.sleep(0)
        known: list[Any] = [Cat(name="Tom"), Fish(name="Nemo"), {"name": "dict"}, object(), ValueError("no pet"), None]
        return [known[(parent.number + at) % 6] for parent in parents]

    @strawberry.field(permission_classes=[Grown])
    def guarded(self) -> str:
        return "secret"

    @strawberry.field(permission_classes=[GrownLater])
    async def guarded_later(self) -> str | None:
        return "secret"

    @strawberry.field(extensions=[Shout()])
    def loud(self, word: str = "hey") -> str:
        return word

    @strawberry.field(extensions=[Whisper()])
    async def quiet(self) -> str:
        return "psst"

    @strawberry.field
    def rows(self) -> list[list[int | None] | None]:
        return [[1, None], None, []]

    @strawberry.field
    def strict_rows(self) -> list[list[int] | None] | None:
        return [[1, None], None, [2]] if self.number % 2 else [[1], [2]]  # type: ignore[list-item]

    @strawberry.field
    def cube(self) -> list[list[list[Size]]]:
        return [[[Size.SMALL], []], []]

    @strawberry.field
    def sizes(self) -> list[Size | None]:
        return [Size.SMALL, "l", None, "x", Size.OLD, 3]  # type: ignore[list-item]

    @strawberry.field
    def levels(self) -> list[Level | None]:
        return [Level.ONE, 1, None, 7]  # type: ignore[list-item]

    @strawberry.field
    def picky(self, word: str = "fine") -> Picky | None:
        return Picky(word)

    @strawberry.field
    def all_picky(self) -> list[Picky | None]:
        return [Picky(word) for word in ("fine", "null", "bad", "stop")]

    @strawberry.field
    def awaitables(self) -> list[str | None]:
        async def one(text: str) -> str:
            await asyncio.sleep(0)
            if text == "bad":
                raise GraphQLError("awaited badly", extensions={"code": "AWAITED"})
            return text

        return [one("a"), "b", one("bad"), one("c")]  # type: ignore[list-item]

    @strawberry.field
    def awaited_pets(self) -> list[Pet]:
        async def one(pet: Any) -> Any:
            return pet

        return [one(Cat(name="Tom")), Fish(name="Dory")]  # type: ignore[list-item]

    @strawberry.field
    def future(self) -> str:
        return asyncio.ensure_future(asyncio.sleep(0, "future"))  # type: ignore[return-value]

    @strawberry.field
    def returns_coroutine(self) -> str:
        async def later() -> str:
            return "later"

        return later()  # type: ignore[return-value]

    @strawberry.field
    def counted(self, upto: int = 3, fail: bool = False) -> list[int]:
        async def each() -> AsyncIterator[int]:
            for number in range(upto):
                await asyncio.sleep(0)
                yield number
            if fail:
                raise GraphQLError("stopped counting", extensions={"code": "COUNT"})

        return each()  # type: ignore[return-value]

    @strawberry.field
    def beings(self) -> list[Being | None]:
        async def each() -> AsyncIterator[Any]:
            for being in (Cat(name="Tom"), None, ValueError("not a being"), Fish(name="Nemo")):
                yield being

        return each()  # type: ignore[return-value]

    @strawberry.field
    def lazily(self) -> list[int]:
        def each() -> Iterator[int]:
            yield 1
            raise KeyError("lazily")

        return each()  # type: ignore[return-value]

    @strawberry.field
    def tuple_and_set(self) -> list[list[int]]:
        return [(1, 2), {3}, range(2), {"k": 1}.keys()]  # type: ignore[list-item]

    @strawberry.field
    def a_dict(self) -> list[str] | None:
        return {"a": 1}  # type: ignore[return-value]

    @strawberry.field
    def a_text(self) -> list[str] | None:
        return "text"  # type: ignore[return-value]

    @strawberry.field
    def stops(self) -> str | None:
        return stopping("sync") if self.number % 2 else "went on"

    @strawberry.field
    async def stops_later(self) -> str | None:
        return stopping("async") if self.number % 2 else "went on"

    @batch
    def stops_batch(parents: list[Odd], info: Info) -> list[str | None]:
        return [stopping("batch") for _ in parents]

    @batch
    def too_few(parents: list[Odd], info: Info) -> list[str | None]:
        return []

    @batch
    async def given(parents: list[Odd], info: Info, word: str | None = strawberry.UNSET, n: int = 7) -> list[str]:
        return [f"{parent.number} {'unset' if word is strawberry.UNSET else word} {n}" for parent in parents]

    @strawberry.field
    def raises(self, code: str = "ODD") -> str:
        raise GraphQLError(f"raised in {self.number}", extensions={"code": code, "number": self.number})

    @strawberry.field
    def returns_error(self) -> str | None:
        return GraphQLError("returned", extensions={"code": "RETURNED"})  # type: ignore[return-value]

    @strawberry.field
    def elsewhere(self) -> str | None:
        raise GraphQLError("told of another place", path=["other", 1])

    @strawberry.field
    def anything(self) -> str | None:
        return self.loose  # type: ignore[no-any-return]

    @strawberry.field
    def flag(self) -> bool | None:
        return 1 if self.number % 2 else "yes"  # type: ignore[return-value]

    @strawberry.field
    def whole(self) -> int | None:
        return (2**31, 1.0, 1.5, True, "7")[self.number % 5]  # type: ignore[return-value]

    @strawberry.field
    def real(self) -> float | None:
        return (float("nan"), 3, True, "1.5", float("inf"))[self.number % 5]  # type: ignore[return-value]

    @strawberry.field
    def identity(self) -> strawberry.ID | None:
        return (5, "x", 1.5, True, {})[self.number % 5]  # type: ignore[return-value]

    @strawberry.field
    def itself(self) -> Odd:
        return Odd(number=self.number + 1)

    @strawberry.field
    async def slow(self, seconds: float = 10.0) -> str:
        await asyncio.sleep(seconds)
        return "slept"

    @batch(in_turn=True)
    async def slow_batch(parents: list[Odd], info: Info, seconds: float = 10.0) -> list[str]:
        await asyncio.sleep(seconds)
        return ["slept" for _ in parents]

    @strawberry.field
    async def cancels(self) -> str | None:
        raise asyncio.CancelledError

    @strawberry.field
    def where(self, info: Info) -> str:
        return f"{info.path.as_list()} {info.field_name} {info.python_name} {len(info.selected_fields)}"

    @strawberry.field
    def nodes_seen(self, info: Info) -> int:
        return len(info._raw_info.field_nodes)


@strawberry.input
class Asked:
    must: int
    may: str | None = strawberry.UNSET
    size: Size = Size.LARGE
    parsed: Parsed | None = None
    inner: Asked | None = None


@strawberry.type
class Query:
    basic: str | None = None

    @strawberry.field
    def odd(self, number: int = 0) -> Odd:
        return Odd(number=number)

    @strawberry.field
    def odds(self, count: int = 3) -> list[Odd | None]:
        return [Odd(number=number, loose=b"x") for number in range(count)]

    @strawberry.field
    async def animals(self) -> list[Animal]:
        return [Cat(name="Tom"), Fish(name="Nemo")]

    @strawberry.field
    def beings(self) -> list[Being] | None:
        return [Cat(name="Tom"), {"name": "x"}]  # type: ignore[list-item]

    @strawberry.field
    def show(
        self,
        text: str | None = "default",
        number: int | None = strawberry.UNSET,
        asked: Asked | None = None,
        sizes: list[Size] | None = None,
        parsed: Parsed = Parsed("nothing"),
    ) -> str:
        return f"{text} {number} {asked} {sizes} {parsed}"


@strawberry.type
class Mutation:
    @strawberry.mutation
    def odd(self, number: int = 0) -> Odd:
        return Odd(number=number)

    @strawberry.mutation
    async def failing(self) -> Odd:
        raise GraphQLError("failed", extensions={"code": "FAILED"})


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def odds(self, upto: int = 3) -> AsyncGenerator[Odd, None]:
        for number in range(upto):
            yield Odd(number=number)


def oddities(**options: Any) -> strawberry.Schema:
    """The schema on whatever executor the options say."""
    config = StrawberryConfig(
        scalar_map={
            Picky: strawberry.scalar(name="Picky", serialize=picky, parse_value=str),
            Parsed: strawberry.scalar(name="Parsed", serialize=str, parse_value=parsed),
        }
    )
    return strawberry.Schema(
        query=Query, mutation=Mutation, subscription=Subscription, types=[Cat, Fish], config=config, **options
    )
