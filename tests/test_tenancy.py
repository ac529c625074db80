"""The life of tenants: made whole or not at all, found from memory, told when memory is wrong."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from app.errors import Conflict, Invalid, NotFound
from app.identity.directory import copy_member
from app.main import Application
from app.tenancy.directory import TenantDirectory
from app.tenancy.service import TenantService
from app.viewer import Role
from tests.world import PASSWORD, World


async def schemas(world: World) -> int:
    [(count,)] = await world.as_owner("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%'")
    return int(count)


async def test_a_slug_is_taken_once_even_by_two_at_once(acme: World) -> None:
    founder = acme.platform.founder
    slug = f"twice-{uuid4().hex[:6]}"
    before = await schemas(acme)
    made = await asyncio.gather(
        *(
            founder.found(slug=slug, name="X", admin_email=f"a{n}@{slug}.test", admin_name="A", password=PASSWORD)
            for n in range(3)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Conflict) for outcome in made) == 2
    assert await schemas(acme) == before + 1


async def test_bad_values_are_all_named_before_anything_is_made(acme: World) -> None:
    before = await schemas(acme)
    with pytest.raises(Invalid) as refused:
        await acme.platform.founder.found(slug="Bad Slug!", name="X", admin_email="nope", admin_name="", password="x")
    assert [field.path for field in refused.value.fields] == ["slug", "adminEmail", "adminName", "password"]
    assert await schemas(acme) == before


async def test_a_founding_that_fails_in_the_middle_leaves_nothing(acme: World) -> None:
    service = TenantService(acme.platform.database)
    before = await schemas(acme)
    slug = f"broken-{uuid4().hex[:6]}"
    with pytest.raises(RuntimeError, match="in the middle"):
        await found_and_break(service, slug)
    assert await schemas(acme) == before
    assert await service.find(slug) is None


async def found_and_break(service: TenantService, slug: str) -> None:
    async with service.found(slug=slug, name="X"):
        raise RuntimeError("in the middle")


async def test_a_crash_in_the_middle_is_not_routable_and_is_swept_by_the_next_run(acme: World) -> None:
    service = TenantService(acme.platform.database)
    slug, tenant_id = f"crashed-{uuid4().hex[:6]}", uuid4()
    await acme.as_owner(
        f"""INSERT INTO control.tenants (id, name, slug, schema_name, role_name, node_number, state)
            VALUES ('{tenant_id}', 'X', '{slug}', 't_00000000000000000abc', 't_00000000000000000abc', 1,
                    'provisioning');
            CREATE SCHEMA t_00000000000000000abc"""
    )
    assert await acme.platform.tenants.by_slug(slug) is None
    async with await AsyncConnection.connect(acme.platform.config.owner_dsn, autocommit=True) as busy:
        await busy.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"tenant:{tenant_id}"])
        assert slug not in await service.sweep()
    assert slug in await service.sweep()
    assert await acme.as_owner("SELECT 1 FROM pg_namespace WHERE nspname = 't_00000000000000000abc'") == []


async def test_without_a_password_the_first_administrator_is_invited(acme: World) -> None:
    slug = f"invited-{uuid4().hex[:6]}"
    await acme.platform.founder.found(slug=slug, name="Invitados", admin_email=f"jefa@{slug}.test", admin_name="Jefa")
    await acme.work()
    [mail] = acme.mailbox.to(f"jefa@{slug}.test")
    assert "Invitados" in str(mail["Subject"])


async def test_the_directory_answers_from_memory_and_shares_look_ups(application: Application, acme: World) -> None:
    now = [0.0]
    directory = TenantDirectory(application.platform.database, clock=lambda: now[0], limit=3)
    found = await asyncio.gather(*(directory.by_slug(acme.tenant.slug) for _ in range(10)))
    assert {tenant.id if tenant else None for tenant in found} == {acme.tenant.id}
    assert directory.misses == 1
    assert await directory.by_slug("nobody-here") is None
    assert await directory.by_slug("nobody-here") is None
    assert directory.misses == 2
    now[0] = 6.0
    await directory.by_slug("nobody-here")
    await directory.by_slug(acme.tenant.slug)
    assert directory.misses == 3
    now[0] = 31.0
    await directory.by_slug(acme.tenant.slug)
    assert directory.misses == 4
    directory.forget(acme.tenant.id)
    await directory.by_name(str(acme.tenant.id))
    assert directory.misses == 5
    for n in range(5):
        await directory.by_name(f"other-{n}")
    assert len(directory._entries) == 3
    assert await directory.by_name("x" * 100) is None


async def test_another_process_is_told_at_once(application: Application, acme: World) -> None:
    await application.platform.listener.listening.wait()
    assert (await application.platform.tenants.by_slug(acme.tenant.slug)) is not None
    await acme.as_owner(
        f"""UPDATE control.tenants SET state = 'archived' WHERE id = '{acme.tenant.id}';
            SELECT pg_notify('stegmaier_events', '{{"kind":"tenant","id":"{acme.tenant.id}"}}')"""
    )
    async with asyncio.timeout(5):
        while await application.platform.tenants.by_slug(acme.tenant.slug) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_operators_find_list_and_switch_tenants(acme: World) -> None:
    service = TenantService(acme.platform.database)
    assert (await service.get(str(acme.tenant.id))).slug == acme.tenant.slug
    with pytest.raises(NotFound):
        await service.get("nobody")
    assert await service.count() >= 1
    assert acme.tenant.slug in [tenant.slug async for tenant in service.each()]
    assert (await service.suspend(acme.tenant.slug)).state == "suspended"
    with pytest.raises(Conflict):
        await service.suspend(acme.tenant.slug)
    assert (await service.resume(acme.tenant.slug)).state == "active"
    await service.add_domain(acme.tenant.slug, f"{acme.tenant.slug}.cl")
    with pytest.raises(Conflict):
        await service.add_domain(acme.tenant.slug, f"{acme.tenant.slug}.CL")
    assert (await acme.platform.tenants.by_host(f"{acme.tenant.slug}.cl")) is not None


async def test_an_older_copy_of_a_person_never_overwrites_a_newer_one(acme: World) -> None:
    person = await acme.person(Role.STUDENT, name="Antes")
    where = f"WHERE user_id = '{person.user_id}'"
    await acme.as_owner(f"UPDATE members SET full_name = 'Después', version = 9 {where}")
    await copy_member(acme.platform.database, acme.platform.changes, acme.tenant, person.user_id)
    assert await acme.as_owner(f"SELECT full_name FROM members {where}") == [("Después",)]
    await acme.as_owner(f"UPDATE control.users SET version = 10 WHERE id = '{person.user_id}'")
    await acme.application.worker.sync_member(user_id=str(person.user_id), tenant_id=str(acme.tenant.id))
    assert await acme.as_owner(f"SELECT full_name, version FROM members {where}") == [("Antes", 10)]


async def test_the_sweep_relays_events_that_nobody_was_told_of(acme: World) -> None:
    person = await acme.person(Role.STUDENT)
    payload: Any = f'{{"user_id": "{person.user_id}", "course_title": "Perdido", "course_id": "x"}}'
    await acme.as_owner(f"INSERT INTO outbox (id, kind, payload) VALUES (gen_random_uuid(), 'enrolled', '{payload}')")
    await acme.application.worker.sweep(0)
    await acme.application.worker.sweep(0)
    await acme.work()
    assert len(acme.mailbox.to(person.email)) == 1
