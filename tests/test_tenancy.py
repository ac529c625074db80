"""The life of tenants: made whole or not at all, found from memory, told when memory is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import structlog
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from app.db.database import Database
from app.db.setup import migrate_control
from app.db.statements import Statement
from app.db.tenant import Timeouts
from app.db.transaction import ConnectionTx, Tx
from app.errors import Conflict, Invalid, NotFound, Unavailable
from app.identity.directory import copy_member
from app.main import Application
from app.outside.mail import Mail, MailTemporarilyUndeliverable
from app.platform import database_config
from app.tenancy.directory import TenantDirectory
from app.tenancy.service import UNFINISHED, TenantService
from app.viewer import Role
from tests.conftest import settings_for
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


async def identities(world: World, email: str) -> list[tuple[Any, ...]]:
    return await world.as_owner(
        f"SELECT password_hash, email_verified_at IS NOT NULL FROM control.users WHERE email = '{email}'"
    )


async def test_a_founding_that_fails_leaves_no_identity_and_its_retry_counts(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    founder, slug = acme.platform.founder, f"retried-{uuid4().hex[:6]}"
    email = f"boss@{slug}.test"
    who: dict[str, Any] = {"name": "X", "admin_email": email, "admin_name": "Boss"}
    with pytest.raises(Conflict):
        await founder.found(slug=acme.tenant.slug, password=PASSWORD, **who)
    assert await identities(acme, email) == []

    async def crash(*_: Any) -> None:
        raise RuntimeError("in the middle")

    for password in (PASSWORD, None):
        with monkeypatch.context() as patched:
            patched.setattr(acme.platform.jobs, "sync_member", crash)
            with pytest.raises(RuntimeError, match="in the middle"):
                await founder.found(slug=slug, password=password, **who)
        assert await identities(acme, email) == []
    other = "another password 4 the retry"
    await founder.found(slug=slug, password=other, **who)
    [(password_hash, verified)] = await identities(acme, email)
    assert verified
    assert await acme.platform.passwords.verify(password_hash, other)


async def test_a_founder_who_registers_elsewhere_meanwhile_leaves_nothing_half_made(acme: World) -> None:
    slug = f"meanwhile-{uuid4().hex[:6]}"
    email = f"boss@{slug}.test"
    service, founder = TenantService(acme.platform.database), acme.platform.founder

    async def register() -> None:
        while await service.find(slug) is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await acme.as_owner(
            f"INSERT INTO control.users (id, email, full_name) VALUES (gen_random_uuid(), '{email}', 'Boss')"
        )

    found = founder.found(slug=slug, name="X", admin_email=email, admin_name="Boss", password=PASSWORD)
    founded, _ = await asyncio.gather(found, register(), return_exceptions=True)
    assert isinstance(founded, Conflict)
    assert await service.find(slug) is None
    assert await identities(acme, email) == [(None, False)]
    await founder.found(slug=slug, name="X", admin_email=email, admin_name="Boss", password=PASSWORD)


async def test_an_administrator_without_a_password_gets_the_one_that_is_given(acme: World) -> None:
    slug = f"bare-{uuid4().hex[:6]}"
    email = f"boss@{slug}.test"
    await acme.as_owner(
        f"""INSERT INTO control.users (id, email, full_name, email_verified_at)
            VALUES (gen_random_uuid(), '{email}', 'Boss', now())"""
    )
    await acme.platform.founder.found(slug=slug, name="X", admin_email=email, admin_name="B", password=PASSWORD)
    [(password_hash, verified)] = await identities(acme, email)
    assert verified
    assert await acme.platform.passwords.verify(password_hash, PASSWORD)


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
        await busy.execute("SELECT pg_advisory_unlock_all()")  # closing would let go of it some moments later
    assert slug in await service.sweep()
    assert await acme.as_owner("SELECT 1 FROM pg_namespace WHERE nspname = 't_00000000000000000abc'") == []


async def test_a_tenant_that_is_finished_while_the_sweep_looks_is_left_alone(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep lists it as unfinished; before the sweep asks for its lock, its making ends and lets go of that."""
    service = TenantService(acme.platform.database)
    stale = replace(acme.tenant, state="provisioning")

    async def listed_too_early(self: Tx, statement: Statement[Any], **params: Any) -> list[Any]:
        return [stale] if statement is UNFINISHED else await read(self, statement, **params)

    read = Tx.all
    monkeypatch.setattr(Tx, "all", listed_too_early)
    assert await service.sweep() == []
    assert await acme.as_owner(f"SELECT 1 FROM pg_namespace WHERE nspname = '{stale.schema_name}'") == [(1,)]
    assert (await service.get(acme.tenant.slug)).state == "active"


async def test_a_founding_whose_last_commit_reports_an_error_after_it_succeeded_keeps_the_tenant(acme: World) -> None:
    service = TenantService(acme.platform.database)
    slug = f"doubtful-{uuid4().hex[:6]}"

    async def succeed_and_lose_the_answer(tx: Tx) -> None:
        await acme.as_owner(f"UPDATE control.tenants SET state = 'active' WHERE slug = '{slug}'")
        raise ConnectionError("the answer was lost")

    with pytest.raises(ConnectionError):
        async with service.found(slug=slug, name="X") as founding:
            founding.finish(succeed_and_lose_the_answer)
    kept = await service.get(slug)
    assert await acme.as_owner(f"SELECT 1 FROM pg_namespace WHERE nspname = '{kept.schema_name}'") == [(1,)]


async def test_a_founding_that_was_swept_away_under_its_hands_says_so(acme: World) -> None:
    service = TenantService(acme.platform.database)
    slug = f"swept-{uuid4().hex[:6]}"

    async def lose_the_row(tx: Tx) -> None:
        await acme.as_owner(f"DELETE FROM control.tenants WHERE slug = '{slug}'")

    with pytest.raises(NotFound):
        async with service.found(slug=slug, name="X") as founding:
            founding.finish(lose_the_row)


async def test_an_owner_who_is_no_superuser_makes_and_removes_tenants(server_dsn: str) -> None:
    """As on a managed server: CREATEROLE and a database of its own, nothing more."""
    name = f"owner_{uuid4().hex[:6]}"
    async with await AsyncConnection.connect(server_dsn, autocommit=True) as server:
        await server.execute(f"CREATE ROLE {name} LOGIN CREATEROLE".encode())
        await server.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
    settings = settings_for(database_role_prefix=name)
    config = database_config(settings, make_conninfo(server_dsn, dbname=name, user=name))
    await migrate_control(config)
    database = Database(config)
    await database.open()
    try:
        service = TenantService(database)
        async with service.found(slug="school", name="School"):
            pass
        await service.suspend("school")
        await service.resume("school")
        with pytest.raises(RuntimeError, match="in the middle"):
            await found_and_break(service, "broken")
        async with await AsyncConnection.connect(config.owner_dsn, autocommit=True) as owner:
            await owner.execute("UPDATE control.tenants SET state = 'provisioning'")
            assert await service.sweep() == ["school"]
            left = await owner.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%'")
            assert await left.fetchone() == (0,)
    finally:
        await database.close()


async def test_an_unfinished_tenant_on_a_server_that_is_away_stops_nobody(acme: World) -> None:
    service = TenantService(acme.platform.database)
    slug = f"stranded-{uuid4().hex[:6]}"
    await acme.as_owner(
        f"""INSERT INTO control.nodes (node_number, engine, dsn)
            VALUES (8, 'postgres', 'postgresql://nobody@127.0.0.1:9/none') ON CONFLICT DO NOTHING;
            INSERT INTO control.tenants (id, name, slug, schema_name, role_name, node_number, state)
            VALUES (gen_random_uuid(), 'X', '{slug}', 't_00000000000000000def', 't_00000000000000000def', 8,
                    'provisioning')"""
    )
    assert slug not in await service.sweep()
    assert (await service.get(slug)).state == "provisioning"
    await acme.as_owner(f"UPDATE control.tenants SET node_number = 1 WHERE slug = '{slug}'")
    assert slug in await service.sweep()


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
            SELECT pg_notify('stegmaier_events', '{{"kind":"tenant","id":"{acme.tenant.id}","mark":"1"}}')"""
    )
    async with asyncio.timeout(5):
        while await application.platform.tenants.by_slug(acme.tenant.slug) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_slug_that_could_be_a_uuid_is_found(acme: World) -> None:
    slug = uuid4().hex
    await acme.platform.founder.found(slug=slug, name="X", admin_email=f"a@{slug[:8]}.test", admin_name="Ana")
    found = await acme.platform.tenants.by_name(slug)
    assert found is not None
    assert found.slug == slug


async def test_nonsense_on_the_channel_does_not_deafen_the_listener(application: Application, acme: World) -> None:
    await application.platform.listener.listening.wait()
    for nonsense in (
        "",
        "{",
        "[]",
        "7",
        '{"kind": "tenant"}',
        '{"kind": "tenant", "id": 7}',
        '{"kind": "x", "id": "y"}',
        f'{{"kind": "tenant", "id": "{acme.tenant.id}"}}',
    ):
        await acme.as_owner(f"SELECT pg_notify('stegmaier_events', '{nonsense}')")
    assert (await application.platform.tenants.by_slug(acme.tenant.slug)) is not None
    await TenantService(application.platform.database).suspend(acme.tenant.slug)

    async def is_active() -> bool:
        found = await application.platform.tenants.by_slug(acme.tenant.slug)
        return found is not None and found.state == "active"

    async with asyncio.timeout(5):
        while await is_active():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_operators_find_list_and_switch_tenants(acme: World) -> None:
    service = TenantService(acme.platform.database)
    assert (await service.get(str(acme.tenant.id))).slug == acme.tenant.slug
    with pytest.raises(NotFound):
        await service.get("nobody")
    assert await service.count() >= 1
    assert acme.tenant.slug in [tenant.slug async for tenant in service.each()]
    suspended_at = f"SELECT suspended_at IS NOT NULL FROM control.tenants WHERE id = '{acme.tenant.id}'"
    assert (await service.suspend(acme.tenant.slug)).state == "suspended"
    assert await acme.as_owner(suspended_at) == [(True,)]
    with pytest.raises(Conflict):
        await service.suspend(acme.tenant.slug)
    assert (await service.resume(acme.tenant.slug)).state == "active"
    assert await acme.as_owner(suspended_at) == [(False,)]
    await service.add_domain(acme.tenant.slug, f"{acme.tenant.slug}.cl")
    with pytest.raises(Conflict):
        await service.add_domain(acme.tenant.slug, f"{acme.tenant.slug}.CL")
    assert (await acme.platform.tenants.by_host(f"{acme.tenant.slug}.cl")) is not None
    for wrong in ("not a host", "localhost", "127.0.0.1", "a.example:8000", "-a.example", "http://a.example", ""):
        with pytest.raises(Invalid):
            await service.add_domain(acme.tenant.slug, wrong)


async def standing(world: World) -> tuple[str, bool]:
    """The tenant's state, and whether its role may use its schema."""
    [found] = await world.as_owner(
        f"""SELECT state, has_schema_privilege(role_name, schema_name, 'USAGE') FROM control.tenants
            WHERE id = '{world.tenant.id}'"""
    )
    return str(found[0]), bool(found[1])


async def test_state_and_grant_agree_whichever_commit_of_a_switch_fails(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = acme.platform.database
    service = TenantService(database)
    control = database.control
    failing = [0]

    @asynccontextmanager
    async def lost(*, read_only: bool = False) -> AsyncIterator[ConnectionTx]:
        async with control(read_only=read_only) as tx:
            yield tx
            failing[0] -= not read_only
            if failing[0] == 0 and not read_only:
                raise Unavailable("the commit failed")

    monkeypatch.setattr(database, "control", lost)
    failing[0] = 1
    with pytest.raises(Unavailable):
        await service.suspend(acme.tenant.slug)
    assert await standing(acme) == ("active", True)
    failing[0] = 2
    assert (await service.suspend(acme.tenant.slug)).state == "suspended"
    assert await standing(acme) == ("suspended", False)
    failing[0] = 1
    with pytest.raises(Unavailable):
        await service.resume(acme.tenant.slug)
    assert await standing(acme) == ("suspended", False)
    assert (await service.resume(acme.tenant.slug)).state == "active"
    assert await standing(acme) == ("active", True)


async def test_the_sweep_mends_what_a_crash_between_state_and_grant_left_apart(acme: World, globex: World) -> None:
    schema = acme.tenant.schema_name
    await acme.as_owner(f"REVOKE USAGE ON SCHEMA {schema} FROM {schema}")
    await globex.suspend()
    await globex.as_owner(f"GRANT USAGE ON SCHEMA {globex.tenant.schema_name} TO {globex.tenant.role_name}")
    await acme.application.worker.sweep(0)
    assert await standing(acme) == ("active", True)
    assert await standing(globex) == ("suspended", False)
    assert await TenantService(acme.platform.database).mend() == []


async def test_a_tenant_on_a_server_that_is_away_can_be_suspended_and_is_mended_later(acme: World) -> None:
    service = TenantService(acme.platform.database)
    await acme.as_owner(
        f"""INSERT INTO control.nodes (node_number, engine, dsn)
            VALUES (77, 'postgres', 'postgresql://nobody@127.0.0.1:9/none') ON CONFLICT DO NOTHING;
            UPDATE control.tenants SET node_number = 77 WHERE id = '{acme.tenant.id}'"""
    )
    assert (await service.suspend(acme.tenant.slug)).state == "suspended"
    assert acme.tenant.slug not in await service.mend()
    await acme.as_owner(f"UPDATE control.tenants SET node_number = 1 WHERE id = '{acme.tenant.id}'")
    assert acme.tenant.slug in await service.mend()
    assert await standing(acme) == ("suspended", False)


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


async def test_events_that_cannot_be_relayed_keep_nobody_elses_from_it(acme: World, globex: World) -> None:
    await acme.as_owner("INSERT INTO outbox (id, kind, payload) VALUES (gen_random_uuid(), 'enrolled', '{}')")
    person = await globex.person(Role.STUDENT)
    payload = f'{{"user_id": "{person.user_id}", "course_title": "Al lado", "course_id": "x"}}'
    await globex.as_owner(f"INSERT INTO outbox (id, kind, payload) VALUES (gen_random_uuid(), 'enrolled', '{payload}')")
    with structlog.testing.capture_logs() as lines:
        await globex.application.worker.sweep(0)
    assert acme.tenant.slug in {line.get("tenant") for line in lines}
    await globex.work()
    assert len(globex.mailbox.to(person.email)) == 1
    await acme.as_owner("DELETE FROM outbox")


async def test_a_mail_server_that_is_away_is_in_the_log_and_the_mail_stays(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(mail: Mail) -> None:
        raise MailTemporarilyUndeliverable("ConnectionRefusedError")

    platform = acme.platform
    async with platform.database.control() as tx:
        await platform.jobs.mail(
            tx, "welcome", to="ana@acme.test", locale="es", tenant_id=acme.tenant.id,
            context={"full_name": "Ana", "url": "http://learn.test"},
        )  # fmt: skip
    pending = "SELECT id FROM control.outbox WHERE done_at IS NULL"
    [(outbox_id,)] = await acme.as_owner(f"{pending} AND payload ->> 'to' = 'ana@acme.test'")
    with monkeypatch.context() as patched, structlog.testing.capture_logs() as lines:
        patched.setattr(platform.mailer, "send", away)
        with pytest.raises(MailTemporarilyUndeliverable):
            await acme.application.worker.send_mail(outbox_id=str(outbox_id))
    assert [(line["event"], line["error"]) for line in lines] == [("a mail has to wait", "ConnectionRefusedError")]
    assert (outbox_id,) in await acme.as_owner(pending)
    await acme.work()
    assert len(acme.mailbox.to("ana@acme.test")) == 1


async def queued(world: World, address: str) -> str:
    """A mail in the outbox, without the job that would send it; its id."""
    platform = world.platform
    async with platform.database.control() as tx:
        await platform.jobs.mail(
            tx, "welcome", to=address, locale="es", tenant_id=world.tenant.id,
            context={"full_name": "Ana", "url": "http://learn.test"},
        )  # fmt: skip
    where = f"payload ->> 'to' = '{address}'"
    [(outbox_id,)] = await world.as_owner(f"SELECT id FROM control.outbox WHERE {where}")
    await world.as_owner(
        f"SET search_path = jobs; DELETE FROM procrastinate_jobs WHERE args ->> 'outbox_id' = '{outbox_id}'"
    )
    return str(outbox_id)


async def test_a_slow_mail_server_gets_each_mail_once_and_holds_no_transaction_open(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server takes three times as long as a connection may be idle in a transaction."""
    database, worker = acme.platform.database, acme.application.worker
    monkeypatch.setattr(database, "config", replace(database.config, timeouts=Timeouts(idle=300)))
    monkeypatch.setattr(acme.mailbox, "delay", 0.9)
    address = f"slow@{acme.tenant.slug}.test"
    outbox_id = await queued(acme, address)
    first = asyncio.create_task(worker.send_mail(outbox_id=outbox_id))
    await asyncio.sleep(0.5)
    idle = """SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND state LIKE 'idle in transaction%'"""
    assert await acme.as_owner(idle) == [(0,)]
    await worker.send_mail(outbox_id=outbox_id)
    assert not first.done()
    await first
    await worker.send_mail(outbox_id=outbox_id)
    assert len(acme.mailbox.to(address)) == 1
    [row] = await acme.as_owner(
        f"SELECT attempts, payload, leased_until, done_at IS NOT NULL FROM control.outbox WHERE id = '{outbox_id}'"
    )
    assert row == (1, None, None, True)


async def test_a_mail_whose_worker_was_killed_is_sent_when_its_lease_ends(acme: World) -> None:
    address = f"orphan@{acme.tenant.slug}.test"
    outbox_id = await queued(acme, address)
    lease = f"UPDATE control.outbox SET leased_until = now() + interval '%s' WHERE id = '{outbox_id}'"
    await acme.as_owner(lease % "1 minute")
    await acme.application.worker.sweep(0)
    await acme.work()
    assert acme.mailbox.to(address) == []
    await acme.as_owner(lease % "-1 second")
    for _ in range(2):
        await acme.application.worker.sweep(0)
        await acme.work()
    assert len(acme.mailbox.to(address)) == 1
