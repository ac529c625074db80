"""Kept answers: the same bytes, for the right people of one tenant only, never older than the last commit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from app.catalog.service import CatalogService
from app.db.changes import Changes
from app.db.database import Database, DatabaseConfig
from app.db.ids import new_id
from app.main import Application
from app.viewer import Role
from tests.cache.conftest import eventually, in_step, opened, through
from tests.mailbox import Mailbox
from tests.world import World

CATALOGUE = """query($n: Int = 20) { courses(first: $n) { totalCount nodes { id title updatedAt averageRating
  lessonCount instructors { fullName } modules { title lessons { title } } } } }"""
RENAME = "mutation($i: UpdateCourseInput!) { updateCourse(input: $i) { __typename } }"


def hits(world: World) -> int:
    return world.application.responses.counts["hits"]


async def titles(world: World, as_: Any = Role.STUDENT) -> list[str]:
    data = await world.ask(CATALOGUE, as_=as_)
    return [course["title"] for course in data["courses"]["nodes"]]


async def test_a_hit_is_the_same_bytes_without_a_statement(here: World, application: Application) -> None:
    await here.course("Química", modules=2, lessons=2)
    plain = await through(application, here).send(CATALOGUE, as_=Role.STUDENT)
    miss = await here.send(CATALOGUE, as_=Role.STUDENT)
    before = hits(here)
    with here.counting() as statements:
        hit = await here.send(CATALOGUE, as_=Role.STUDENT, headers={"X-Request-ID": "asked-again-1"})
        got = await here.http.get("/graphql", params={"query": CATALOGUE}, headers=await here.headers(Role.STUDENT))
    assert (hits(here) - before, statements) == (2, [])
    assert plain.content == miss.content == hit.content == got.content
    assert hit.headers["X-Request-ID"] == "asked-again-1"
    assert {**hit.headers, "x-request-id": ""} == {**miss.headers, "x-request-id": ""}
    modern = "application/graphql-response+json"
    other = await here.send(CATALOGUE, as_=Role.STUDENT, headers={"Accept": modern})
    assert (other.headers["content-type"], other.content) == (f"{modern}; charset=utf-8", hit.content)


async def test_students_and_analysts_share_and_authors_never_do(here: World) -> None:
    await here.course("Published")
    await here.course("Draft", published=False)
    assert await titles(here) == ["Published"]
    before = hits(here)
    assert await titles(here, Role.ANALYST) == ["Published"]
    assert await titles(here, await here.person()) == ["Published"]
    assert hits(here) == before + 2
    for role in (Role.INSTRUCTOR, Role.ADMIN):
        assert sorted(await titles(here, role)) == ["Draft", "Published"]
        assert sorted(await titles(here, role)) == ["Draft", "Published"]
    assert await titles(here) == ["Published"]
    assert hits(here) == before + 3


async def test_a_student_who_becomes_an_author_sees_drafts_at_once(here: World) -> None:
    await here.course("Draft", published=False)
    person = await here.person()
    assert await titles(here, person) == []
    change = "mutation($i: ChangeUserRoleInput!) { changeUserRole(input: $i) { __typename } }"
    await here.ask(change, as_=Role.ADMIN, i={"id": person.id, "role": "ADMIN"})
    assert await titles(here, person) == ["Draft"]


async def test_tenants_with_the_same_rows_and_documents_never_see_each_other(
    here: World, other: World, valkey: Redis
) -> None:
    for world, canary in ((here, "canary of here"), (other, "canary of other")):
        teacher = await world.some(Role.INSTRUCTOR)
        await world.as_owner(
            f"""INSERT INTO courses (id, title, created_by, published_at)
                VALUES ('00000001-0000-7000-8000-000000000001', '{canary}', '{teacher.user_id}', '2026-01-01')"""
        )
    for _ in range(3):
        assert await titles(here) == ["canary of here"]
        assert await titles(other) == ["canary of other"]
    await eventually(lambda: not here.platform.cache._putting)  # type: ignore[union-attr]
    keys = [str(key, "ascii") for key in await valkey.keys() if isinstance(key, bytes)]
    tenants = sorted(str(world.tenant.id) for world in (here, other))
    assert sorted(key.split(":")[1] for key in keys) == tenants
    assert {(key.split(":")[0], key.split(":")[2]) for key in keys} == {("test", str(here.tenant.generation))}


async def test_nobody_the_suspended_and_the_logged_out_are_refused_before_the_cache(here: World) -> None:
    await here.course("Química")
    gone = await here.person()
    assert await titles(here, gone) == await titles(here) == ["Química"]
    anonymous = await here.post(CATALOGUE)
    assert anonymous["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    await here.ask("mutation { logout { __typename } }", as_=gone)
    assert (await here.send(CATALOGUE, as_=gone)).status_code == 401
    wrong = await here.send(CATALOGUE, as_=Role.STUDENT, headers={"X-Tenant-ID": "nobody-here"})
    assert wrong.status_code in {403, 404}
    generation = here.platform.tenants
    misses = generation.misses
    await here.suspend()
    await eventually(lambda: generation._epoch and here.tenant.id not in _known(here))
    assert (await here.send(CATALOGUE, as_=Role.STUDENT)).status_code == 423
    assert generation.misses > misses


def _known(world: World) -> set[Any]:
    entries = world.platform.tenants._entries.values()
    return {tenant.id for _, tenant in entries if tenant is not None and tenant.state == "active"}


async def test_errors_are_never_kept(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for query in ('{ courses(after: "nonsense") { totalCount } }', "{ courses(first: 1000) { totalCount } }"):
        first, second = [await here.post(query, as_=Role.STUDENT) for _ in range(2)]
        assert first["errors"][0]["extensions"]["code"] == second["errors"][0]["extensions"]["code"]
    before = hits(here)

    async def broken(*_: Any) -> Any:
        raise RuntimeError("on purpose")

    query = "{ courses { totalCount nodes { lessonCount } } }"
    await here.course("Química")
    with monkeypatch.context() as patch:
        patch.setattr(CatalogService, "count_courses", broken)
        assert "errors" in await here.post(query, as_=Role.STUDENT)
    assert (await here.ask(query, as_=Role.STUDENT))["courses"]["totalCount"] == 1
    assert hits(here) == before


async def test_variables_that_are_nested_too_deeply_are_the_executors_to_refuse(
    here: World, application: Application
) -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    off = await through(application, here).post(CATALOGUE, as_=Role.STUDENT, n=deep)
    on = await here.post(CATALOGUE, as_=Role.STUDENT, n=deep)
    assert [error["message"] for error in on["errors"]] == [error["message"] for error in off["errors"]]


async def test_the_language_of_the_reader_makes_no_difference(here: World) -> None:
    await here.course("Química")
    await here.send(CATALOGUE, as_=Role.STUDENT)
    before = hits(here)
    spanish = await here.send(CATALOGUE, as_=Role.STUDENT, headers={"Accept-Language": "es"})
    assert (hits(here), spanish.json()["data"]["courses"]["totalCount"]) == (before + 1, 1)


async def test_a_read_that_began_before_a_write_is_not_kept_as_new(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = here.id("crs", await here.course("Before"))
    server = here.application.graphql
    has_read, may_go_on = asyncio.Event(), asyncio.Event()
    execute = server._execute

    async def slow(method: str, body: dict[str, Any], context: Any) -> Any:
        result = await execute(method, body, context)
        if "courses(" in body["query"]:
            has_read.set()
            await may_go_on.wait()
        return result

    monkeypatch.setattr(server, "_execute", slow)
    reading = asyncio.create_task(titles(here))
    await has_read.wait()
    await here.ask(RENAME, as_=Role.ADMIN, i={"id": course, "title": "After"})
    await in_step(here)
    may_go_on.set()
    assert await reading == ["Before"]
    assert await titles(here) == ["After"]
    assert await titles(here) == ["After"]


async def test_a_write_in_one_process_is_seen_in_the_other(here: World, second: Application) -> None:
    there = through(second, here)
    await in_step(here, second)
    course = here.id("crs", await here.course("Before"))
    assert await titles(here) == ["Before"]
    await eventually(lambda: not here.platform.cache._putting)  # type: ignore[union-attr]
    before = hits(there)
    assert await titles(there) == ["Before"]
    assert hits(there) == before + 1, "both processes give the catalogue the same version, so they share"
    old = second.platform.changes.version(here.tenant.id)
    await here.ask(RENAME, as_=Role.ADMIN, i={"id": course, "title": "After"})
    assert await titles(here) == ["After"]
    await eventually(lambda: second.platform.changes.version(here.tenant.id) not in {None, old})
    assert await titles(there) == ["After"]
    await in_step(here, here.application, second)
    assert here.platform.changes.version(here.tenant.id) == second.platform.changes.version(here.tenant.id)


async def test_whoever_wrote_never_reads_an_older_answer_from_the_same_process(here: World) -> None:
    course = here.id("crs", await here.course("0"))
    for n in range(1, 30):
        await titles(here)
        await here.ask(RENAME, as_=Role.ADMIN, i={"id": course, "title": str(n)})
        assert await titles(here) == [str(n)]


async def test_a_write_that_is_rolled_back_changes_no_version(here: World) -> None:
    changes = here.platform.changes
    version = changes.version(here.tenant.id)

    async def broken() -> None:
        async with changes.write(here.tenant.id, here.platform.database.tenant(here.tenant.handle)):
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        await broken()
    assert changes.version(here.tenant.id) == version


async def test_a_lost_connection_empties_the_front_and_makes_every_version_new(
    here: World, second: Application
) -> None:
    await in_step(here, second)
    course = here.id("crs", await here.course("Before"))
    assert await titles(here) == ["Before"]
    changes, cache = here.platform.changes, here.platform.cache
    old = changes.version(here.tenant.id)
    listener = here.platform.listener
    await here.as_owner(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE query LIKE 'LISTEN%' AND datname = current_database()"""
    )
    await eventually(lambda: not listener.listening.is_set())
    assert changes.version(here.tenant.id) is None
    assert cache.front.size == 0  # type: ignore[union-attr]
    await through(second, here).ask(RENAME, as_=Role.ADMIN, i={"id": course, "title": "After"})
    assert await titles(here) == ["After"]
    await listener.listening.wait()
    await second.platform.listener.listening.wait()
    await in_step(here, here.application, second)
    assert changes.version(here.tenant.id) != old
    assert await titles(here) == ["After"]


async def test_an_epoch_that_cannot_be_announced_is_tried_again_but_not_at_every_request() -> None:
    now, listening = [0.0], [False]
    nowhere = Database(DatabaseConfig("host=127.0.0.1 port=9 dbname=none"))  # never opened
    changes = Changes(nowhere, lambda: listening[0], lambda: now[0])

    async def tasks() -> int:
        assert changes.version(new_id()) is None
        return sum(task.get_name() == "epoch" for task in asyncio.all_tasks())

    assert await tasks() == 0
    listening[0] = True
    with capture_logs() as logs:
        assert await tasks() == 1
        await eventually(lambda: logs)
        assert await tasks() == 0
        now[0] += 1
        assert await tasks() == 1
        await changes.close()
    assert logs[0]["event"] == "no epoch could be announced"


async def test_the_cache_may_be_emptied_or_go_away_at_any_time(
    here: World, valkey: Redis, database_dsn: str, mailbox: Mailbox, tmp_path: Path
) -> None:
    await here.course("Química")
    assert await titles(here) == ["Química"]
    await valkey.flushall()
    here.platform.cache.forget()  # type: ignore[union-attr]
    assert await titles(here) == ["Química"]
    async for application in opened(database_dsn, mailbox, f"unix://{tmp_path}/nobody.sock"):
        there = through(application, here)
        await in_step(here, application)
        for _ in range(3):
            assert await titles(there) == ["Química"]
        ready = await there.http.get("/ready")
        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "ok")
        assert ready.json()["checks"]["cache"] == "ConnectionError"


async def test_it_works_in_memory_and_can_be_turned_off(
    here: World, application: Application, database_dsn: str, mailbox: Mailbox
) -> None:
    await here.course("Química")
    ready = await here.http.get("/ready")
    assert ready.json() == {"status": "ok", "checks": {"database": "ok", "storage": "ok", "cache": "ok"}}
    async for alone in opened(database_dsn, mailbox, None):
        there = through(alone, here)
        await in_step(here, alone)
        assert await titles(there) == await titles(there) == ["Química"]
        assert alone.responses.counts == {"misses": 1, "hits": 1}
        assert (await there.http.get("/ready")).json()["checks"] == {"database": "ok", "storage": "ok"}
    off = through(application, here)
    assert await titles(off) == await titles(off) == ["Química"]
    assert (application.platform.cache, application.responses.counts) == (None, {})
