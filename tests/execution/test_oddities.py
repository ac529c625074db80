"""Every construct that the shop does not have, one document each, through both executors."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from schema.execution import compiled
from tests.execution.author import Author
from tests.execution.compare import Lenient, differences, forget_dropped, forgiving, told
from tests.execution.oddities import oddities

CONTEXT = compiled()
STOCK, LENIENT, COMPILED = (
    oddities(),
    oddities(execution_context_class=Lenient),
    oddities(execution_context_class=CONTEXT),
)


EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "100"))
# What takes its time, and what may differ: how many parents a failing batch is told of, errors that say where they are.
NOT_COMPARED = frozenset({"slow", "slowBatch", "cancels", "tooFew", "elsewhere"})


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for schema in (STOCK, LENIENT, COMPILED):
        monkeypatch.setattr(schema, "process_errors", lambda *_, **__: None)


def deep(levels: int) -> str:
    return "{ odd { " + "itself { " * levels + "number where" + " }" * levels + " } }"


DOCUMENTS: dict[str, str | tuple[str, dict[str, Any]]] = {
    "interfaces of interfaces": """{ animals { __typename name legs nick
        parent { name parent { nick ... on Cat { lives } } } ... on Animal { again: nick }
        ... on Being { name } ... on Fish { size } } }""",
    "interfaces with unknown things in them": "{ beings { name ... on Animal { nick } ... on Fish { size } } }",
    "unions of batches": "{ odds { pets { __typename ... on Cat { name lives } ... on Fish { name size nick } } } }",
    "unions one by one": "{ odds(count: 6) { pet { ... on Animal { name } } b: pet(at: 1) { __typename } } }",
    "lists of lists": "{ odds { rows strictRows cube } }",
    "enums by value and name": "{ odds { sizes levels } }",
    "scalars that refuse":
        '{ odd { picky a: picky(word: "null") b: picky(word: "bad") c: picky(word: "stop") allPicky } }',
    "awaitables in lists": "{ odds { awaitables awaitedPets { __typename ... on Animal { nick } } } }",
    "futures and coroutines of plain functions": "{ odds { future returnsCoroutine } }",
    "asynchronous lists": "{ odds { counted(upto: 2) none: counted(upto: 0) beings { __typename name } } }",
    "asynchronous lists that fail": "{ odd { counted(fail: true) } odds { number counted(fail: true) } }",
    "generators that fail": "{ odds { lazily } }",
    "what counts as a list": "{ odd { tupleAndSet aDict aText } }",
    "StopIteration": "{ odds { number stops stopsLater stopsBatch } }",
    "errors with extensions": '{ odds { raises raisesAgain: raises(code: "AGAIN") returnsError } }',
    "errors that say where they happened": "{ odds { number elsewhere } }",
    "bytes as text": "{ odds { anything } }",
    "leaf values of other types": "{ odds(count: 5) { flag whole real identity } }",
    "attributes of a root that is not there": "{ basic odd { number } }",
    "permissions and extensions": "{ odds { guarded } } ",
    "permissions below null": "{ odds { guardedLater loud quiet quietly: loud(word: \"x\") } }",
    "fields merged": """{ odd { itself { number } ...A } odd { itself { itself { number } } ...B nodesSeen nodesSeen } }
        fragment A on Odd { itself { nodesSeen ...B } } fragment B on Odd { itself { where number } }""",
    "__typename everywhere": """{ __typename odd { __typename itself { __typename t: __typename } pets { __typename } }
        animals { __typename parent { __typename } } }""",
    "introspection between data": """{ odd { number } __schema { types { name fields { type { ofType { name } } } } }
        __type(name: "Fish") { interfaces { name } possibleTypes { name } __typename } }""",
    "nothing selected": "{ odd { ... on Odd @skip(if: true) { number } number @include(if: false) } }",
    "conditions with variables": (
        """query($a: Boolean!, $b: Boolean = true, $c: Boolean!) { odd @include(if: $a) { number ...F @skip(if: $c) }
            odd { ... @include(if: $b) { where } ... @include(if: $b) @skip(if: $c) { loud } } }
            fragment F on Odd { itself @skip(if: $b) { number } whole @include(if: $b) }""",
        {"a": True, "c": False},
    ),
    "a condition that is null": ("query($b: Boolean = true) { odd { number @include(if: $b) } }", {"b": None}),
    "a condition that is null, at the root": (
        "query($b: Boolean = true) { odd @include(if: $b) { number } }", {"b": None},
    ),
    "defaults":
        "{ show n: show(text: null, number: null) odd { given a: given(word: null) b: given(word: \"x\", n: 1) } }",
    "variables not given": (
        "query($t: String, $n: Int, $w: String) { show(text: $t, number: $n) odds { given(word: $w) } }", {},
    ),
    "variables null": (
        "query($t: String, $n: Int, $w: String) { show(text: $t, number: $n) odds { given(word: $w) } }",
        {"t": None, "n": None, "w": None},
    ),
    "variables with defaults": (
        'query($t: String = "v", $n: Int! = 4) { show(text: $t, number: $n) odds { given(n: $n) } }', {"t": None},
    ),
    "null for what must not be null": ("query($n: Int = 4) { odds { given(n: $n) number } }", {"n": None}),
    "input objects": (
        "query($a: Asked, $m: Int!) { show(asked: $a) b: show(asked: {must: $m, inner: {must: 1, may: null}}) }",
        {"a": {"must": 1, "size": "SMALL", "parsed": "x"}, "m": 5},
    ),
    "lists from single values": ("query($s: [Size!]) { show(sizes: LARGE) b: show(sizes: $s) }", {"s": "ANCIENT"}),
    "a scalar that cannot be parsed": '{ show(parsed: "bad") }',
    "a variable that cannot be parsed": ("query($p: Parsed!) { show(parsed: $p) }", {"p": "bad"}),
    "paths and aliases": "{ odds { w: where itself { where x: itself { y: where } } } }",
    "mutations that fail": "mutation { odd { number raises } b: odd { number } }",
    "mutations that fail at once": "mutation { odd { number } failing { number } c: odd { number } }",
    "mutations of nothing": "mutation { __typename odd @skip(if: true) { number } }",
    "another operation of the document": "query A { odd { number } } query B { animals { name } }",
    "very deep documents": deep(60),
}  # fmt: skip


async def both(text: str, variables: dict[str, Any], *, grown: bool) -> list[str]:
    """The differences between the executors on one operation."""
    operation = "A" if "query A" in text else None

    async def run(schema: Any) -> Any:
        return await schema.execute(
            text, variable_values=variables, context_value={"grown": grown}, operation_name=operation
        )

    stock, mine = await run(STOCK), await run(COMPILED)
    possible = told(await run(LENIENT)) if any(error.path for error in stock.errors or []) else set()
    return differences(stock, mine, possible)


@forgiving
@pytest.mark.parametrize("grown", [True, False])
@pytest.mark.parametrize("name", DOCUMENTS)
async def test_an_oddity_is_the_same_on_both_executors(name: str, grown: bool) -> None:
    given = DOCUMENTS[name]
    text, variables = given if isinstance(given, tuple) else (given, {})
    assert await both(text, variables, grown=grown) == []


def picked(rng: random.Random, scalar: str, name: str) -> Any:
    """Values of scalars, some of which are refused."""
    known = {"Int": (0, 1, 2, 3, 7), "Boolean": (True, False), "Float": (0.5,), "Parsed": ("x", "bad")}
    return rng.choice(known.get(scalar, ("fine", "null", "bad", "stop")))


@forgiving
async def test_random_oddities_are_the_same_on_both_executors() -> None:
    rng = random.Random(20261124)
    author = Author(STOCK._schema, rng, picked, depth=4, avoid=NOT_COMPARED)
    before = CONTEXT.compiler.counts.total()
    for number in range(EXAMPLES * 2):
        text, variables = author.operation("mutation" if number % 5 == 0 else "query")
        grown = rng.random() < 0.7
        assert await both(text, variables, grown=grown) == [], (text, variables)
    assert CONTEXT.compiler.counts.total() - before > EXAMPLES


@forgiving
async def test_documents_near_the_recursion_limit_are_left_to_the_stock_executor() -> None:
    before = CONTEXT.compiler.counts["stock: unsupported"]
    await COMPILED.execute(deep(100), context_value={})
    assert CONTEXT.compiler.counts["stock: unsupported"] == before + 1


@forgiving
async def test_a_batch_must_give_a_value_for_every_parent() -> None:
    result = await COMPILED.execute("{ odds { number tooFew } }", context_value={})
    assert result.data == {"odds": [{"number": number, "tooFew": None} for number in range(3)]}
    assert {error.message for error in result.errors or []} == {"a batch resolver returned 0 values for 3 parents"}


SLOW = (
    "{ odd { slow } }",
    "{ odd { slowBatch } }",
    "{ odds { slow slowBatch b: slowBatch(seconds: 1) number } }",
    "{ odds { a: slowBatch b: slowBatch(seconds: 1) itself { slow slowBatch } } animals { nick } }",
    "{ odds { itself { slow slowBatch } i: itself { slow pet { __typename } } } }",
    "mutation { odd { slow slowBatch } b: odd { slow } }",
)


@pytest.mark.parametrize("text", SLOW)
async def test_an_operation_that_takes_too_long_leaves_nothing_running(text: str) -> None:
    forget_dropped()
    before = asyncio.all_tasks()
    for wait in (0.0, 0.02):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(wait):
                await COMPILED.execute(text, context_value={})
        assert asyncio.all_tasks() == before
    gc.collect()  # a coroutine that was never awaited would say so here


@forgiving
@pytest.mark.parametrize(
    "text",
    [
        "{ odd { cancels } }",
        "{ odds { cancels slow(seconds: 0.01) } }",
        "{ odds { itself { cancels } i: itself { slow } } }",
    ],
)
async def test_a_resolver_that_cancels_itself_ends_the_operation_and_leaves_nothing_running(text: str) -> None:
    before = asyncio.all_tasks()
    with pytest.raises(asyncio.CancelledError):
        await COMPILED.execute(text, context_value={})
    assert asyncio.all_tasks() == before


@forgiving
async def test_events_of_a_subscription_run_on_the_stock_executor_and_are_counted() -> None:
    async def events(schema: Any) -> list[Any]:
        found = await schema.subscribe("subscription { odds { number raises pets { __typename } } }", context_value={})
        return [(event.data, told(event)) async for event in found]

    assert await events(STOCK) == await events(COMPILED)
    assert CONTEXT.compiler.counts["stock: subscription"] == 3


@forgiving
@pytest.mark.parametrize("text", ["{ odd { number where raises } }", "mutation { odd { loud lazily } }"])
def test_operations_that_wait_for_nothing_run_without_a_loop(text: str) -> None:
    with ThreadPoolExecutor(1) as thread:  # which has no event loop
        stock, mine = thread.map(lambda schema: schema.execute_sync(text, context_value={}), (STOCK, COMPILED))
    assert differences(stock, mine, set()) == []


@forgiving
def test_operations_that_have_to_wait_are_refused_without_a_loop() -> None:
    result = COMPILED.execute_sync("{ animals { name } odd { slow stopsLater } }", context_value={})
    assert result.data is None
    assert len(result.errors or []) == 1
