"""A request leaves nothing behind for Python's garbage collector: what it read is gone when it is answered.

A circle of references would keep a page's rows alive until a collection, whose search costs more than reading them.
"""

from __future__ import annotations

import gc
from collections import Counter

import pytest

from app.viewer import Role
from benchmarks.profile import ask
from tests.world import World

QUERIES = {
    "me": "{ me { id email } }",
    "courses": "{ courses { nodes { id title instructors { fullName } modules { title lessons { id title } } } } }",
    "progress": "{ courses { nodes { myProgress { percent } modules { lessons { myProgress { state } } } } } }",
    "mutation": 'mutation { updateProfile(input: {bio: "x"}) { __typename } }',
}


@pytest.mark.parametrize("name", QUERIES)
async def test_a_request_leaves_no_circles_of_references(acme: World, name: str) -> None:
    await acme.course(modules=2, lessons=3)
    head = [(key.lower().encode(), value.encode()) for key, value in (await acme.headers(Role.STUDENT)).items()]
    head.append((b"content-type", b"application/json"))
    text = b'{"query": "%s"}' % QUERIES[name].replace('"', '\\"').encode()
    for _ in range(2):  # the first time goes through parsing and validation
        assert b'"errors"' not in await ask(acme.application.asgi, head, text)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(5):
            await ask(acme.application.asgi, head, text)
        gc.collect()
        left = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not [kind for kind in left if kind.startswith(("app.", "schema.", "graphql.", "uuid."))]
