"""Operations over the whole schema, on real PostgreSQL, through both executors: the same answers, the same SQL."""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import from_schema, nodes

from app.viewer import Role
from schema import build
from schema.execution import compiled
from schema.platform import PlatformSchema
from tests.conftest import settings_for
from tests.execution.author import Author
from tests.execution.compare import Lenient, differences, forgiving, told
from tests.execution.twins import ROLES, Picker, Twin, filled, replaced, shares, with_real_values
from tests.isolation.test_roles import MUTATIONS, QUERIES
from tests.world import World

pytestmark = forgiving
WRITES = ("INSERT", "UPDATE", "DELETE", "WITH")
EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "25"))
SCALARS = {
    "DateTime": st.just("2026-01-01T00:00:00Z").map(nodes.String),
    "Decimal": st.sampled_from(["0", "0.5", "100"]).map(nodes.String),
    "UUID": st.uuids().map(str).map(nodes.String),
}


def made(context: type[Any] | None = None) -> PlatformSchema:
    """The whole schema on the stock executor, or on another one."""
    schema = build(settings_for(compiled_execution=False))
    if context is not None:
        schema.execution_context_class = context
    return schema


CONTEXT = compiled()
STOCK, LENIENT, COMPILED = made(), made(Lenient), made(CONTEXT)
CORE = STOCK._schema
SDL = STOCK.as_str()


@pytest.fixture
async def twin(acme: World) -> Twin:
    return await filled(acme)


@pytest.fixture
async def twins(twin: Twin, globex: World) -> tuple[Twin, Twin]:
    return twin, await filled(globex)


async def answers_alike(
    twin: Twin, text: str, variables: dict[str, Any], role: Role | None, *, tenant: bool = True
) -> str:
    """Ask both executors, and assert that they agree; what became of it."""
    query, values = twin.said(text), replaced(variables, twin)

    async def run(schema: PlatformSchema) -> Any:
        context = await twin.context(role, tenant=tenant)
        return await schema.execute(query, variable_values=values, context_value=context)

    stock, mine = await run(STOCK), await run(COMPILED)
    possible = told(await run(LENIENT)) if any(error.path for error in stock.errors or []) else set()
    assert differences(stock, mine, possible) == [], (query, values, role)
    if stock.errors and all(error.path is None for error in stock.errors):
        return "refused"
    return "with errors" if stock.errors else "answered"


def generated(pick: Picker) -> list[str]:
    """Queries by hypothesis-graphql, with real identifiers and cursors."""
    found: list[str] = []

    @seed(20261124)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(from_schema(SDL, custom_scalars=SCALARS, allow_x00=False, fields=list(QUERIES)))
    def collect(text: str) -> None:
        found.append(with_real_values(text, CORE, pick, random.Random(len(found))))

    collect()
    return found


async def test_queries_are_answered_alike(twin: Twin, capsys: pytest.CaptureFixture[str]) -> None:
    rng, pick = random.Random(20261124), Picker(twin)
    author = Author(CORE, rng, pick)
    operations: list[tuple[str, dict[str, Any]]] = [(text, {}) for text in generated(pick)]
    operations += [author.operation() for _ in range(EXAMPLES * 3)]
    outcomes: Counter[str] = Counter()
    for number, (text, variables) in enumerate(operations):
        role = ROLES[number % len(ROLES)]
        outcomes[await answers_alike(twin, text, variables, role, tenant=number % 40 != 4)] += 1
    with capsys.disabled():
        print(f"\n{len(operations)} queries compared: {shares(outcomes.items())}")  # noqa: T201
    assert outcomes["refused"] < len(operations) * 0.2
    assert outcomes["answered"] > len(operations) * 0.3
    assert CONTEXT.compiler.counts["stock: unsupported"] == 0
    assert not any(reason.startswith("stock") for reason in CONTEXT.compiler.counts), CONTEXT.compiler.counts


async def happens(schema: PlatformSchema, twin: Twin, text: str, variables: Any, role: Role | None) -> Any:
    """The answer to a mutation and the SQL it ran in order, with names instead of what differs between tenants."""
    context = await twin.context(role)
    # How long somebody must wait after failed log-ins depends on the clock.
    if "login" in text or "Password" in text or "enrollWithCode" in text:
        await twin.world.as_owner("DELETE FROM control.login_failures")
    with twin.world.counting() as statements:
        result = await schema.execute(twin.said(text), variable_values=replaced(variables, twin), context_value=context)
    errors = sorted(
        (
            [error.message, list(error.path or ()), (error.extensions or {}).get("code")]
            for error in result.errors or []
        ),
        key=str,
    )
    answer = twin.told(orjson.dumps({"data": result.data, "errors": errors}).decode())
    # Tenants are kept in the process, so looking for one takes a statement only the first time.
    return answer, [statement for statement in statements if "FROM control.tenants" not in statement]


async def test_mutations_do_alike(twins: tuple[Twin, Twin], capsys: pytest.CaptureFixture[str]) -> None:
    one, other = twins
    rng = random.Random(4)
    author = Author(CORE, rng, Picker(one), depth=4)
    outcomes: Counter[str] = Counter()
    names = list(MUTATIONS)
    for number in range(EXAMPLES * 4):
        roots = [names[number % len(names)], *rng.sample(names, rng.randint(0, 2))]
        text, variables = author.operation("mutation", roots)
        allowed = sorted(MUTATIONS[roots[0]][0] - {None}) if rng.random() < 0.8 else ROLES
        role = rng.choice(allowed)
        stock = await happens(STOCK, one, text, variables, role)
        mine = await happens(COMPILED, other, text, variables, role)
        assert stock == mine, (text, variables, role)
        outcomes["written" if any(statement.startswith(WRITES) for statement in stock[1]) else "declined"] += 1
    with capsys.disabled():
        print(f"\n{sum(outcomes.values())} mutations compared: {shares(outcomes.items())}")  # noqa: T201
    assert outcomes["written"] > EXAMPLES // 2
    assert not any(reason.startswith("stock") for reason in CONTEXT.compiler.counts), CONTEXT.compiler.counts
