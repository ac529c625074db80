"""Documents made to hurt: each is answered or refused soon, and leaves no memory behind."""

from __future__ import annotations

import gc
import os
import time
import tracemalloc
from typing import Any

import httpx
import pytest

from app.viewer import Role
from schema import server
from schema.execution import CompiledExecutionContext
from tests.world import World

DISTINCT = int(os.environ.get("ADVERSARIAL_QUERIES", "300"))
# Seconds; only a guard against documents that hang: what is refused takes milliseconds.
SOON = 2.0
LONG = "a" * 50_000


def doubling(levels: int, body: str) -> str:
    """Fragments that spread the next one twice; ``body`` has two places for it."""
    parts = [f"fragment F{n} on Course {{ {body.replace('*', f'...F{n + 1}')} }}" for n in range(levels)]
    return f'{{ course(id: "x") {{ ...F0 }} }} {" ".join(parts)} fragment F{levels} on Course {{ id }}'


def nested(opening: str, levels: int, closing: str) -> str:
    return opening * levels + closing * levels


DOCUMENTS: dict[str, str | tuple[str, dict[str, Any]]] = {
    "doubling fragments": doubling(30, "* *"),
    "doubling fields": doubling(30, "myEnrollment { course { * } } myReview { course { * } }"),
    "doubling fields, six levels": doubling(6, "myEnrollment { course { * } } myReview { course { * } }"),
    "doubling aliases": doubling(30, "a: myEnrollment { course { * } } b: myEnrollment { course { * } }"),
    "500 aliases": "{ " + " ".join(f"a{n}: __typename" for n in range(500)) + " }",
    "one field 1,990 times": "{ me { " + "id " * 1990 + "} }",
    "one object 490 times": "{ " + "me { id } " * 490 + "}",
    "one object 190 times": '{ course(id: "x") { ' + "myEnrollment { id } " * 190 + "} }",
    "objects in objects 95 times": '{ course(id: "x") { ' + "myReview { course { myReview { rating } } } " * 90 + "} }",
    "a list of lists 250 times": "{ courses { nodes { " + "modules { lessons { id } } " * 250 + "} } }",
    "600 levels": "{ " + nested("me { ", 600, "}") + " }",
    "90 inline fragments in each other": "{ " + nested("... { __typename ", 90, "}") + " }",
    "900 lists in each other": "{ nodes(ids: " + nested("[", 900, "]") + ") { id } }",
    "400 objects in each other": "{ courses(filter: " + nested("{search: ", 400, "}") + ") { totalCount } }",
    "1,900 identifiers": "{ nodes(ids: [" + '"x" ' * 1900 + "]) { id } }",
    "350 directives": "{ me { id " + "@include(if: true) " * 280 + "} }",
    "900 unknown directives": "{ me { id " + "@foo " * 900 + "} }",
    "one fragment 1,000 times": "{ me { " + "...F " * 900 + "} } fragment F on User { id }",
    "120 fragments of objects": '{ course(id: "x") { ' + " ".join(f"...F{n}" for n in range(120)) + "} }"
    + " ".join(f"fragment F{n} on Course {{ myEnrollment {{ id }} }}" for n in range(120)),
    "250 fragments that nobody uses": "{ me { id } }" + " ".join(f"fragment F{n} on User {{ id }}" for n in range(250)),
    "fragments in a circle": "{ me { ...A } } fragment A on User { ...B } fragment B on User { ...A }",
    "20 fragments in all circles": "{ me { ...A0 } }" + " ".join(
        f"fragment A{n} on User {{ {' '.join(f'...A{m}' for m in range(20))} }}" for n in range(20)
    ),
    "400 misspelt fields": '{ course(id: "x") { ' + " ".join(f"titl{n}" for n in range(390)) + "} }",
    "200 unknown types": '{ course(id: "x") { ' + " ".join(f"... on Cours{n} {{ id }}" for n in range(200)) + "} }",
    "a field of 50 KB": f"{{ {LONG} }}",
    "an alias of 50 KB": f"{{ {LONG}: __typename }}",
    "an argument of 50 KB": f"{{ me({LONG}: 1) {{ id }} }}",
    "a fragment of 50 KB": f"{{ me {{ ...{LONG} }} }}",
    "a variable of 50 KB": (f"query(${LONG}: Int) {{ me {{ id }} }}", {LONG: 1}),
    "a text of 50 KB": (
        "query($t: String) { courses(filter: {search: $t}) { totalCount } }", {"t": LONG},
    ),
    "variables that nothing declares": ("{ __typename }", {f"v{n}": [n] * 10 for n in range(1500)}),
    "a deep variable": ("query($f: CourseFilter) { courses(filter: $f) { totalCount } }", {"f": {"search": []}}),
    "a wrong variable 5,000 times": (
        "query($f: CourseFilter) { courses(filter: $f) { totalCount } }", {"f": {"tags": [{"x": 1}] * 5000}},
    ),
    "an unknown input field 3,000 times": (
        "query($f: CourseFilter) { courses(filter: $f) { totalCount } }", {"f": {f"tagz{n}": 1 for n in range(3000)}},
    ),
    "240 operations": " ".join(f"query q{n} {{ me {{ id }} }}" for n in range(240)),
    "nothing but brackets": "{" * 90_000,
    "nothing but comments": "#\n" * 45_000 + "{ __typename }",
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_document_made_to_hurt_is_answered_or_refused_soon(acme: World, name: str) -> None:
    given = DOCUMENTS[name]
    query, variables = given if isinstance(given, tuple) else (given, {})
    await acme.ask("{ me { id } }", as_=Role.STUDENT)
    start = time.perf_counter()
    response = await acme.send(query, as_=Role.STUDENT, **variables)
    took = time.perf_counter() - start
    if "ADVERSARIAL_QUERIES" in os.environ:
        print(f"{took * 1000:6.0f} ms  {response.status_code}  {len(response.content):7} bytes  {name}")  # noqa: T201
    assert took < SOON
    answer = response.json()
    assert {error["extensions"]["code"] for error in answer.get("errors", [])} <= {
        "BAD_USER_INPUT", "QUERY_TOO_COMPLEX", "PAYLOAD_TOO_LARGE",
    }  # fmt: skip


async def test_distinct_queries_do_not_grow_the_caches_without_bound(acme: World) -> None:
    headers = await acme.headers(Role.STUDENT)
    compiler = CompiledExecutionContext.compiler

    async def ask(first: int, count: int) -> None:
        for number in range(first, first + count):
            body = f"{{ me {{ a{number}: id }} courses(first: 1) {{ nodes {{ id modules {{ id }} }} }} }}"
            response: httpx.Response = await acme.http.post("/graphql", json={"query": body}, headers=headers)
            assert response.status_code == 200

    await ask(0, DISTINCT)
    gc.collect()
    tracemalloc.start()
    await ask(DISTINCT, DISTINCT)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    if "ADVERSARIAL_QUERIES" in os.environ:
        print(f"{grown / 1e6:.1f} MB after {DISTINCT} more; {len(compiler)} plans of {compiler.fields} fields")  # noqa: T201
    assert len(compiler) <= compiler.maximum
    assert compiler.fields <= compiler.maximum_fields
    assert server._needs_tenant.cache_info().currsize <= 512
