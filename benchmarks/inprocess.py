"""The executors alone: the shape of Q4 and a single field, compiled against stock, in one process."""

from __future__ import annotations

import asyncio
import gc
import time
from inspect import isawaitable
from statistics import median

import strawberry
from graphql import DocumentNode, ExecutionResult, execute, parse

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
SHAPES = {"q4": (BIG, 15), "one_field": ("{ hello }", 300)}  # operation, executions a round
ROUNDS = 7


async def _run(schema: strawberry.Schema, document: DocumentNode) -> ExecutionResult:
    result = execute(schema._schema, document, executor_class=schema.execution_context_class)
    return await result if isawaitable(result) else result


async def _median(schema: strawberry.Schema, document: DocumentNode, times: int) -> float:
    found = []
    for _ in range(times):
        began = time.process_time()
        result = await _run(schema, document)
        found.append(time.process_time() - began)
        if result.errors:
            raise RuntimeError(str(result.errors))
    return median(found)


async def _compare(query: str, times: int) -> dict[str, float]:
    document = parse(query)
    stock, fast = strawberry.Schema(Query), strawberry.Schema(Query, execution_context_class=compiled())
    if (await _run(stock, document)).data != (await _run(fast, document)).data:
        raise RuntimeError("the executors disagree")
    gc.collect()
    gc.freeze()  # or the stock executor, which allocates more, would pay for walking all that is imported here
    pairs = [(await _median(stock, document, times), await _median(fast, document, times)) for _ in range(ROUNDS)]
    gc.unfreeze()
    return {
        "ratio": round(median(slow / quick for slow, quick in pairs), 2),
        "stock_ms": round(median(slow for slow, _ in pairs) * 1000, 4),
        "compiled_ms": round(median(quick for _, quick in pairs) * 1000, 4),
    }


def executor() -> dict[str, dict[str, float]]:
    """Stock over compiled CPU time for both shapes (no other process shows in it); medians of alternating rounds."""

    async def all_shapes() -> dict[str, dict[str, float]]:
        return {name: await _compare(query, times) for name, (query, times) in SHAPES.items()}

    return asyncio.run(all_shapes())
