"""The executors alone: the shape of Q4 and a single field, compiled against stock, in one process."""

from __future__ import annotations

import asyncio
import gc
import time
from inspect import isawaitable
from statistics import median
from typing import Any

import strawberry
from graphql import execute, parse

from schema.execution import batch, compiled

COURSES, MODULES, LESSONS = 20, 5, 8


@strawberry.type
class Lesson:
    id: strawberry.ID
    title: str
    position: int


@strawberry.type
class Module:
    id: strawberry.ID
    title: str
    position: int

    @batch
    async def lessons(modules: list[Module], info: strawberry.Info) -> list[list[Lesson]]:
        return [DATA_LESSONS] * len(modules)


@strawberry.type
class Course:
    id: strawberry.ID
    title: str

    @batch
    async def modules(courses: list[Course], info: strawberry.Info) -> list[list[Module]]:
        return [DATA_MODULES] * len(courses)


DATA_LESSONS = [Lesson(id=strawberry.ID(str(n)), title=f"Lesson {n}", position=n) for n in range(LESSONS)]
DATA_MODULES = [Module(id=strawberry.ID(str(n)), title=f"Module {n}", position=n) for n in range(MODULES)]
DATA_COURSES = [Course(id=strawberry.ID(str(n)), title=f"Course {n}") for n in range(COURSES)]


@strawberry.type
class Query:
    @strawberry.field
    async def courses(self, first: int = 20) -> list[Course]:
        return DATA_COURSES[:first]

    @strawberry.field
    def hello(self) -> str:
        return "world"


BIG = "{ courses(first: 20) { id title modules { id title position lessons { id title position } } } }"
SMALL = "{ hello }"


async def _run(schema: strawberry.Schema, document: Any) -> Any:
    result: Any = execute(schema._schema, document, executor_class=schema.execution_context_class)
    return await result if isawaitable(result) else result


async def _times(schema: strawberry.Schema, query: str, rounds: int) -> list[float]:
    document = parse(query)
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = await _run(schema, document)
        found.append(time.perf_counter() - began)
        if result.errors:
            raise RuntimeError(str(result.errors))
    return found


async def _ratio(query: str, rounds: int) -> dict[str, float]:
    stock, fast = strawberry.Schema(Query), strawberry.Schema(Query, execution_context_class=compiled())
    first, second = [(await _run(each, parse(BIG))).data for each in (stock, fast)]
    if first != second:
        raise RuntimeError("the executors disagree")
    slow_times, fast_times = [], []
    gc.freeze()
    for _ in range(7):
        slow_times.append(median(await _times(stock, query, rounds)))
        fast_times.append(median(await _times(fast, query, rounds)))
    gc.unfreeze()
    ratio = median(slow / fast for slow, fast in zip(slow_times, fast_times, strict=True))
    return {
        "ratio": round(ratio, 2),
        "stock_ms": round(median(slow_times) * 1000, 4),
        "compiled_ms": round(median(fast_times) * 1000, 4),
    }


def executor_ratio() -> dict[str, dict[str, float]]:
    """Stock time over compiled time for both shapes; medians of alternating rounds."""

    async def both() -> dict[str, dict[str, float]]:
        return {"q4": await _ratio(BIG, 15), "one_field": await _ratio(SMALL, 300)}

    return asyncio.run(both())


if __name__ == "__main__":
    print(executor_ratio())
