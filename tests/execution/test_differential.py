"""Thousands of generated operations through both executors: the same data, errors, paths and order of effects."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis_graphql import from_schema
from strawberry.extensions import ParserCache

from schema.execution import codegen, compiled, context, leaves, plan, runtime
from tests.execution.compare import Lenient, differences, forgiving, told
from tests.execution.shop import LOG, Mood, shop

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "100"))
CONTEXT = compiled()
# Plans are found again by their document, which is only the same one when documents are kept.
KEPT: Any = [lambda: ParserCache(maxsize=64)]
STOCK, COMPILED = shop(), shop(execution_context_class=CONTEXT, extensions=KEPT)
LENIENT = shop(execution_context_class=Lenient)
SDL = STOCK.as_str()
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


async def both(query: str, variables: dict[str, Any] | None = None) -> list[str]:
    """The differences between the executors on one operation, side effects included."""

    async def run(schema: Any, text: str) -> tuple[Any, list[str]]:
        LOG.clear()
        result = await schema.execute(text, variable_values=variables, context_value={"prefix": "p"})
        return result, list(LOG)

    stock, effects = await run(STOCK, query)
    assert all(error.path for error in stock.errors or []), stock.errors
    mine, own_effects = await run(COMPILED, query)
    possible = set()
    if stock.errors:
        lenient, _ = await run(LENIENT, query)
        possible = told(lenient)
    found = differences(stock, mine, possible)
    if effects != own_effects:
        found.append(f"effects: {effects} != {own_effects}")
    return found


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No logs; and what a forgiven test has dropped is collected in that test, not in one that forgives nothing."""
    for schema in (STOCK, COMPILED, LENIENT):
        monkeypatch.setattr(schema, "process_errors", lambda *_, **__: None)
    yield
    gc.collect()


@forgiving
@pytest.mark.parametrize("bad", [0.0, 0.15, 0.5])
def test_generated_operations_give_the_same_answer_on_both_executors(bad: float) -> None:
    compared = 0

    @seed(20261124)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=SLOW)
    @given(from_schema(SDL))
    def check(query: str) -> None:
        nonlocal compared
        Mood.bad = bad
        assert asyncio.run(both(query)) == [], query
        compared += 1

    check()
    assert compared >= EXAMPLES * 0.9
    assert CONTEXT.compiler.counts["stock: unsupported"] == 0


SELECTIONS = (
    "id", "name", "alias: name", "slowName", "__typename", "words", "grid", "notAList", "broken", "a2: slowName",
    "leaf { id weight flat colour }", "sureLeaf { mustBeEven even name }", "leaves { id name flat slowName }",
    "holes { name mustBeEven }", "t1: things(first: $n) { id __typename ... on Leaf { even flat } ...T }",
    "either { ... on Leaf { id colour } ... on Twig { id leaf { name } } }", "forest { id name }",
    "... on Thing @include(if: $yes) { again: id name }", "t2: things @skip(if: $yes) { name }",
    "...T @include(if: $no)",
    "t3: things(first: $n) { ... on Twig { leaves { name } sureLeaf { name } } }",
    "l2: leaf @skip(if: $no) { slowName }",
)  # fmt: skip
ROOTS = ("twig(seed: $s)", "sure(seed: $s)", "twigs(count: $n)", 'twigs(wish: {seed: $s, words: ["a"]})')
ALL = (
    "fragment All on Query { sure(seed: $s) { name @include(if: $yes) n: name @skip(if: $no) "
    "t: things(first: $n) { id } ...T } }"
)
FRAGMENT = "fragment T on Twig { name leaves { id } l: leaf { slowName } }"


def composed(rng: random.Random) -> tuple[str, dict[str, Any]]:
    """A random operation with aliases, fragments, conditions and variables, deeper than generated ones get."""
    roots = []
    for number in range(rng.randint(1, 3)):
        chosen = " ".join(rng.sample(SELECTIONS, rng.randint(1, 7)))
        roots.append(f"r{number}: {rng.choice(ROOTS)} {{ {chosen} }}")
    declared = "query Q($s: Int!, $n: Int! = 2, $yes: Boolean!, $no: Boolean! = false)"
    used = f"{declared} {{ {' '.join(roots)} ...All }} {ALL} {FRAGMENT}"
    variables: dict[str, Any] = {"s": rng.randint(0, 60), "yes": rng.random() < 0.5}
    if rng.random() < 0.5:
        variables |= {"n": rng.randint(0, 4), "no": rng.random() < 0.5}
    return used, variables


@forgiving
@pytest.mark.parametrize("bad", [0.0, 0.1, 0.4])
async def test_composed_operations_give_the_same_answer_on_both_executors(bad: float) -> None:
    Mood.bad = bad
    rng = random.Random(7)
    for _ in range(EXAMPLES // 2):
        query, variables = composed(rng)
        assert await both(query, variables) == [], (query, variables)
        variables["yes"] = not variables["yes"]
        assert await both(query, variables) == [], (query, variables)
    assert CONTEXT.compiler.counts["hit"] > 0


@forgiving
@pytest.mark.parametrize("bad", [0.0, 0.3])
async def test_mutations_have_their_effects_in_the_same_order(bad: float) -> None:
    Mood.bad = bad
    rng = random.Random(11)
    choices = ("act(name: \"{n}\") {{ id leaf {{ name }} }}", "quick(name: \"{n}\", fail: {f}) {{ id name }}",
               "act(name: \"{n}\", fail: {f}) {{ name slowName }}")  # fmt: skip
    for _ in range(EXAMPLES // 3):
        fields = [
            f"m{n}: " + rng.choice(choices).format(n="x" * rng.randint(1, 9), f=str(rng.random() < 0.3).lower())
            for n in range(rng.randint(1, 5))
        ]
        query = f"mutation {{ {' '.join(fields)} }}"
        assert await both(query) == [], query


async def test_introspection_is_the_same_on_both_executors() -> None:
    from graphql import get_introspection_query

    assert await both(get_introspection_query(input_value_deprecation=True)) == []


async def test_the_compiled_executor_leaves_no_coroutine_behind() -> None:
    Mood.bad = 0.4
    rng = random.Random(13)
    for _ in range(EXAMPLES):
        query, variables = composed(rng)
        await COMPILED.execute(query, variable_values=variables, context_value={"prefix": "p"})


async def _reversed_lists(*given: Any) -> Any:
    return (await LISTS(*given))[::-1]


def _one_error_for_all(column: list[Any], function: Any, sources: list[Any], error: Any = None) -> None:
    column.extend([error] * (len(sources) - len(column)))


def _planned_once_for_all_types(planner: Any, parent: Any, details: Any) -> Any:
    known = planner._known.setdefault(id(details[0].node), None)
    if known is None:
        known = planner._known[id(details[0].node)] = BELOW(planner, parent, details)
    return known


LISTS, BELOW, FAST, GATHER = runtime._lists, plan.Planner._below, leaves.fast_leaf, codegen._gather
# What is wrong: where to plant it, and what to plant there.
BUGS: dict[str, tuple[Any, str, Any]] = {
    "objects survive their broken fields": (runtime, "fail_objects", lambda *_: None),
    "lists are turned round": (runtime, "_lists", _reversed_lists),
    "another message": (runtime, "_null", lambda plan: TypeError("oops")),
    "errors are forgotten": (runtime.Operation, "absorb", lambda *_: None),
    "one error stands for all": (runtime, "resume", _one_error_for_all),
    "paths of items are one too low": (runtime, "bisect_right", bisect_left),
    "batches are turned round": (runtime, "checked", lambda values, count: list(values)[::-1]),
    "leaves are not looked at": (plan, "fast_leaf", lambda kind, *, nullable: lambda column: column),
    "leaves may always be null": (plan, "fast_leaf", lambda kind, *, nullable: FAST(kind, nullable=True)),
    "one plan for all types": (plan.Planner, "_below", _planned_once_for_all_types),
    "conditions are planned once": (context.Compiler, "_conditional", lambda *_: ()),
    "mutations run together": (codegen, "_serial", codegen._level),
    "aliases are lost": (codegen, "_gather", lambda numbered: [*GATHER(numbered)[:-1], "return [{} for _ in found]"]),
}


@forgiving
@pytest.mark.parametrize("bug", BUGS)
async def test_a_bug_planted_in_the_compiler_is_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Mood.bad = 0.4
    place, name, planted = BUGS[bug]
    monkeypatch.setattr(place, name, planted)
    if name in codegen.TOOLS:
        monkeypatch.setitem(codegen.TOOLS, name, planted)
    broken = shop(execution_context_class=compiled(), extensions=KEPT)
    monkeypatch.setattr(broken, "process_errors", lambda *_, **__: None)
    monkeypatch.setattr("tests.execution.test_differential.COMPILED", broken)
    rng = random.Random(7)
    mutation = 'mutation { a: act(name: "a") { name } b: act(name: "b", fail: true) { name } }'
    for number in range(60):
        query, variables = (mutation, {}) if number == 0 else composed(rng)
        if number % 2:
            await both(query, {**variables, "yes": not variables["yes"]})
        if await both(query, variables):
            return
    pytest.fail(f"not caught: {bug}")
