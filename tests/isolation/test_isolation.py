"""Two tenants with the same ids and different canaries: nothing of one is ever seen by the other."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from psycopg import errors as pg
from sqlalchemy import Text, bindparam, text, update

from app.db import tenant as fence
from app.db.statements import Statement
from app.identity.tables import members
from app.viewer import Role
from tests.isolation.test_roles import MUTATIONS, QUERIES
from tests.world import Person, World

OPERATIONS = int(os.environ.get("ISOLATION_OPERATIONS", "300"))
READS = (
    "{ courses(first: 50) { totalCount nodes { id title description instructors { fullName } modules { title } } } }",
    "{ me { id fullName } myEnrollments { nodes { course { title } user { fullName } } } }",
    '{ courses(filter: {search: "canary"}, sort: RELEVANCE) { nodes { title } } }',
    "query($id: ID!) { course(id: $id) { title modules { title lessons { title blocks { __typename } } } } }",
    "query($id: ID!) { node(id: $id) { __typename id } progress(courseId: $id) { percent } }",
)
WRITES = (
    "mutation($id: ID!) { enroll(input: {courseId: $id}) { __typename } }",
    'mutation { updateProfile(input: {bio: "still me"}) { __typename } }',
)
BIO = Statement(update(members).values(bio=bindparam("bio", type_=Text)), int)
# Each leaves its transaction aborted: an arithmetic error, an unknown table, a broken rule.
SQL_ERRORS = (
    "SELECT 1 / 0",
    "SELECT 1 FROM nowhere",
    "UPDATE members SET role = 'emperor'",
)


async def twin(world: World, canary: str) -> None:
    """Fill a tenant with rows whose ids are the same in every twin and whose texts hold its canary."""
    teacher = await world.some(Role.INSTRUCTOR)
    for n in range(3):
        course, module, lesson = (f"0000000{n}-0000-7000-8000-00000000000{k}" for k in (1, 2, 3))
        await world.as_owner(
            f"""INSERT INTO courses (id, title, description, created_by, published_at)
                VALUES ('{course}', 'Canary {canary} {n}', '{canary}', '{teacher.user_id}', now());
                INSERT INTO course_instructors VALUES ('{course}', '{teacher.user_id}', 1);
                INSERT INTO modules (id, course_id, title, position) VALUES ('{module}', '{course}', '{canary}', 1);
                INSERT INTO lessons (id, course_id, module_id, title, position)
                VALUES ('{lesson}', '{course}', '{module}', '{canary}', 1)"""
        )


@pytest.fixture
async def twins(acme: World, globex: World) -> tuple[World, World]:
    await twin(acme, "AAAA-canary-of-acme")
    await twin(globex, "BBBB-canary-of-globex")
    return acme, globex


def shown(world: World, n: int = 0) -> dict[str, str]:
    """The identifiers of a twin's rows as its own clients see them."""

    return {
        kind: world.id(kind, UUID(f"0000000{n}-0000-7000-8000-00000000000{k}"))
        for kind, k in (("crs", 1), ("mod", 2), ("lsn", 3))
    }


async def test_the_same_row_has_another_identifier_in_another_tenant(twins: tuple[World, World]) -> None:
    acme, globex = twins
    assert shown(acme)["crs"] != shown(globex)["crs"]
    query = "query($id: ID!) { course(id: $id) { title } }"
    assert (await acme.ask(query, as_=Role.ADMIN, id=shown(acme)["crs"]))["course"]["title"].startswith("Canary AAAA")
    assert (await globex.ask(query, as_=Role.ADMIN, id=shown(acme)["crs"]))["course"] is None


@pytest.mark.parametrize("field", [*QUERIES, *MUTATIONS])
async def test_every_root_field_as_one_tenant_with_the_others_ids(twins: tuple[World, World], field: str) -> None:
    acme, globex = twins
    person = await acme.person(Role.STUDENT)
    ids = {"crs_" + "0" * 32: shown(acme)["crs"]}
    asked = QUERIES[field][1] if field in QUERIES else MUTATIONS[field][1]
    before = await acme.as_owner("SELECT md5(string_agg(c::text, '' ORDER BY id)) FROM courses c")
    for kind in ("crs", "mod", "lsn", "usr"):
        foreign = person.id if kind == "usr" else shown(acme)[kind]
        text = asked.replace(next(iter(ids)), foreign)
        query = f"{{ {text} }}" if field in QUERIES else f"mutation {{ {field}(input: {text}) {{ __typename }} }}"
        answer = await globex.post(query, as_=await globex.person(Role.ADMIN))
        assert "AAAA" not in str(answer)
        assert person.email not in str(answer)
        kind_of = ((answer.get("data") or {}).get(field) or {}) if field in MUTATIONS else {}
        assert kind_of.get("__typename") not in {"CourseSuccess", "ModuleSuccess", "LessonSuccess", "DeleteSuccess"}
    assert await acme.as_owner("SELECT md5(string_agg(c::text, '' ORDER BY id)) FROM courses c") == before
    assert (await acme.send("{ me { id } }", as_=person)).status_code == 200


async def barrage(worlds: dict[str, World], people: dict[str, Person], rng: random.Random, count: int) -> int:
    """Random operations of both tenants at once, some cancelled; returns how many answers held a foreign canary."""
    leaks = 0

    async def one(name: str, query: str, cancel: bool) -> None:
        nonlocal leaks
        world = worlds[name]
        variables = {"id": shown(world, rng.randrange(3))["crs"]} if "$id" in query else {}
        task = asyncio.create_task(world.post(query, as_=people[name], **variables))
        if cancel:
            await asyncio.sleep(rng.random() / 200)
            task.cancel()
        result: object = (await asyncio.gather(task, return_exceptions=True))[0]
        foreign = "BBBB" if name == "A" else "AAAA"
        leaks += foreign in str(result)

    async def broken(name: str, statement: str) -> None:
        world = worlds[name]
        with pytest.raises(pg.Error):  # noqa: PT012 -- the block leaves through the transaction's own exit
            async with world.platform.database.tenant(world.tenant.handle) as tx:
                await tx.execute(BIO, bio=f"written before the error in {name}")
                await tx.execute(Statement(text(statement), int))

    pending: list[Any] = []
    for _ in range(count):
        name = rng.choice("AB")
        if rng.random() < 0.1:
            pending.append(broken(name, rng.choice(SQL_ERRORS)))
        else:
            pending.append(one(name, rng.choice(READS * 3 + WRITES), rng.random() < 0.25))
        if len(pending) == 20:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)
    return leaks


async def test_chaos_on_a_small_pool_leaks_nothing_and_leaves_nothing_behind(twins: tuple[World, World]) -> None:
    acme, globex = twins
    worlds = {"A": acme, "B": globex}
    people = {name: await world.person(Role.STUDENT) for name, world in worlds.items()}
    assert await barrage(worlds, people, random.Random(20260301), OPERATIONS) == 0
    await asyncio.sleep(0.1)
    stuck = await acme.as_owner(
        """SELECT count(*) FROM pg_stat_activity
           WHERE state LIKE 'idle in transaction%' AND datname = current_database()"""
    )
    assert stuck == [(0,)]
    for name, world in worlds.items():
        own = "AAAA" if name == "A" else "BBBB"
        assert await world.as_owner("SELECT count(*) FROM members WHERE bio LIKE 'written before%'") == [(0,)]
        data = await world.ask(READS[0], as_=people[name])
        assert data["courses"]["totalCount"] == 3
        assert all(own in node["title"] for node in data["courses"]["nodes"])


@pytest.fixture
def weakened(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Take one guard out of the BEGIN message."""

    def weaken(setting: str) -> None:
        text, count = re.subn(rf"set_config\('{setting}', (\$\d), true\)", r"\1::text", fence.FENCE)
        assert count == 1
        monkeypatch.setattr("app.db.tenant_transaction.FENCE", text)

    return weaken


@pytest.mark.parametrize("guard", ["role", "search_path"])
async def test_without_the_role_or_the_path_nothing_can_be_read_at_all(
    twins: tuple[World, World], guard: str, weakened: Callable[[str], None]
) -> None:
    acme, _ = twins
    person = await acme.person(Role.STUDENT)
    await acme.ask("{ me { id } }", as_=person)
    weakened(guard)
    answer = await acme.post(READS[0], as_=person)
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert answer["data"] is None


async def test_a_wrong_path_is_noticed_before_anything_is_read(
    twins: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = twins
    person = await acme.person(Role.STUDENT)
    await acme.ask("{ me { id } }", as_=person)
    original = fence.fence
    foreign = globex.tenant.handle
    monkeypatch.setattr("app.db.tenant_transaction.fence", lambda _, timeouts: original(foreign, timeouts))
    answer = await acme.post(READS[0], as_=person)
    assert "BBBB" not in str(answer)
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"


async def test_with_both_guards_gone_the_suite_would_notice(
    twins: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = twins
    worlds = {"A": acme, "B": globex}
    people = {name: await world.person(Role.STUDENT) for name, world in worlds.items()}
    for name, world in worlds.items():
        await world.ask("{ me { id } }", as_=people[name])
    original = fence.fence
    handles = [acme.tenant.handle, globex.tenant.handle]
    monkeypatch.setattr(
        "app.db.tenant_transaction.fence", lambda _, timeouts: original(random.choice(handles), timeouts)
    )
    for check in ("verify_path", "verify_fence"):
        monkeypatch.setattr(f"app.db.tenant_transaction.{check}", lambda *_, **__: None)
    assert await barrage(worlds, people, random.Random(7), 60) > 0
