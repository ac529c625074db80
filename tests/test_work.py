"""Long work: every item once, whoever does it and whatever happens to them; visible to those whom it concerns."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest

from app.db import audit
from app.db.outbox import publish
from app.db.transaction import Tx
from app.errors import Conflict
from app.viewer import Role
from app.work.rows import Item, Job, NewItem, Settled
from app.work.running import Runner
from app.work.service import create
from tests.world import World

JOB = """query($id: ID!) { job(id: $id) {
    kind state isDryRun totalCount doneCount skippedCount failedCount percent figures { name value }
    items(first: 100) { totalCount nodes { number label status code message } }
    failures: items(status: FAILED) { nodes { number } } } }"""


class Stamping:
    """Writes one audit row per item; some items are bad, some are refused."""

    kind = "stamp"
    chunk = 4

    async def run(self, tx: Tx, job: Job, items: Sequence[Item]) -> list[Settled]:
        for item in items:
            if not job.is_dry_run:
                await audit.record(tx, job.created_by, "stamp", kind="item", id=None, reason=item.label)
            if "bad" in item.payload:
                raise RuntimeError("nobody foresaw this")
            if "refused" in item.payload:
                raise Conflict("somebody else is changing this right now; try again", code="TAKEN")
        return [Settled(item.number) for item in items]

    async def finish(self, tx: Tx, job: Job) -> Mapping[str, int] | None:
        return {"stamped": job.done}


async def stamped(world: World) -> list[str]:
    """The labels that were stamped, in order."""
    return sorted(row[0] for row in await world.as_owner("SELECT reason FROM audit_log WHERE action = 'stamp'"))


async def make(world: World, items: list[NewItem], *, is_dry_run: bool = False) -> UUID:
    teacher = await world.some(Role.INSTRUCTOR)
    async with world.operation().write() as tx:
        return await create(tx, "stamp", by=teacher.user_id, payload={}, items=items, is_dry_run=is_dry_run)


def items(count: int) -> list[NewItem]:
    return [NewItem(f"item {number:03}") for number in range(count)]


async def shown(world: World, job_id: UUID, as_: Any = Role.INSTRUCTOR) -> Any:
    return (await world.ask(JOB, as_=as_, id=world.id("job", job_id)))["job"]


async def test_a_job_does_every_item_once_and_says_how_far_it_is(acme: World) -> None:
    job_id = await make(acme, items(10))
    before = await shown(acme, job_id)
    assert (before["state"], before["percent"], before["figures"]) == ("QUEUED", 0, [])
    runner = Runner(acme.platform.database, [Stamping()])
    await runner.run(acme.tenant.handle, job_id)
    await runner.run(acme.tenant.handle, job_id)
    assert await stamped(acme) == [f"item {number:03}" for number in range(10)]
    after = await shown(acme, job_id)
    assert (after["state"], after["percent"], after["doneCount"]) == ("DONE", 100, 10)
    assert after["figures"] == [{"name": "stamped", "value": 10}]
    assert after["items"]["totalCount"] == 10
    assert after["items"]["nodes"][3] == {
        "number": 4, "label": "item 003", "status": "DONE", "code": None, "message": None,
    }  # fmt: skip


async def test_a_bad_item_fails_alone_and_leaves_nothing_behind(acme: World) -> None:
    job_id = await make(
        acme, [*items(3), NewItem("broken", {"bad": True}), NewItem("taken", {"refused": True}), NewItem("zz")]
    )
    await Runner(acme.platform.database, [Stamping()]).run(acme.tenant.handle, job_id)
    assert await stamped(acme) == ["item 000", "item 001", "item 002", "zz"]
    job = await shown(acme, job_id)
    assert (job["doneCount"], job["failedCount"], job["state"]) == (4, 2, "DONE")
    assert [node["number"] for node in job["failures"]["nodes"]] == [4, 5]
    broken, taken = job["items"]["nodes"][3:5]
    assert (broken["code"], taken["code"]) == ("INTERNAL", "TAKEN")
    assert "error on our side" in broken["message"]


async def test_many_workers_with_one_job_do_every_item_once(acme: World) -> None:
    job_id = await make(acme, items(40))
    runner = Runner(acme.platform.database, [Stamping()])
    for _ in range(3):
        await asyncio.gather(*(runner.run(acme.tenant.handle, job_id) for _ in range(4)))
    assert len(await stamped(acme)) == len(set(await stamped(acme))) == 40
    assert (await shown(acme, job_id))["doneCount"] == 40


async def test_a_dry_run_writes_nothing_but_outcomes(acme: World) -> None:
    job_id = await make(acme, items(5), is_dry_run=True)
    await Runner(acme.platform.database, [Stamping()]).run(acme.tenant.handle, job_id)
    assert await stamped(acme) == []
    job = await shown(acme, job_id)
    assert (job["isDryRun"], job["doneCount"]) == (True, 5)


async def test_a_worker_that_is_killed_loses_nothing_and_repeats_nothing(acme: World) -> None:
    job_id = await make(acme, items(12))
    script = f"""
        import asyncio, sys
        from uuid import UUID
        from app.db.database import Database
        from app.platform import database_config
        from app.db.tenant import TenantHandle
        from app.work.running import Runner
        from tests.conftest import settings_for
        from tests.test_work import Stamping

        class Slow(Stamping):
            async def run(self, tx, job, items):
                settled = await super().run(tx, job, items)
                print("in the middle", flush=True)
                if items[0].number > 4:
                    await asyncio.sleep(60)
                return settled

        async def main():
            database = Database(database_config(settings_for(), {acme.platform.config.owner_dsn!r}))
            await database.open()
            await Runner(database, [Slow()]).run({acme.tenant.handle!r}, UUID({str(job_id)!r}))

        asyncio.run(main())
    """
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(script), stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout is not None
    try:
        said = [await worker.stdout.readline() for _ in range(2)]
    finally:
        worker.kill()
        await worker.wait()
    assert said == [b"in the middle\n"] * 2
    assert await stamped(acme) == [f"item {number:03}" for number in range(4)]
    runner = Runner(acme.platform.database, [Stamping()])
    while (await shown(acme, job_id))["state"] != "DONE":
        await runner.run(acme.tenant.handle, job_id)
    assert await stamped(acme) == [f"item {number:03}" for number in range(12)]


async def test_a_forsaken_job_is_taken_up_by_the_sweep(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = await make(acme, items(3))
    worker = acme.application.worker
    monkeypatch.setattr(worker, "_runner", Runner(acme.platform.database, [Stamping()]))
    await acme.as_owner("UPDATE outbox SET relayed_at = now() WHERE relayed_at IS NULL")
    await worker.sweep(0)
    await acme.work()
    assert await stamped(acme) == []
    await acme.as_owner("UPDATE jobs SET updated_at = now() - interval '2 minutes'")
    await worker.sweep(0)
    await acme.work()
    assert len(await stamped(acme)) == 3
    assert (await shown(acme, job_id))["state"] == "DONE"


async def test_a_cancelled_job_stops_and_keeps_what_is_done(acme: World) -> None:
    job_id = await make(acme, items(8))
    text = "mutation($id: ID!) { cancelJob(input: {id: $id}) { ... on JobSuccess { job { state } } } }"
    done = await acme.ask(text, as_=Role.INSTRUCTOR, id=acme.id("job", job_id))
    assert done["cancelJob"]["job"]["state"] == "CANCELLED"
    await Runner(acme.platform.database, [Stamping()]).run(acme.tenant.handle, job_id)
    assert await stamped(acme) == []


async def test_jobs_are_seen_by_who_made_them_and_administrators_of_the_same_tenant(acme: World, globex: World) -> None:
    job_id = await make(acme, items(1))
    assert await shown(acme, job_id, Role.ADMIN) is not None
    assert await shown(acme, job_id, await acme.person(Role.INSTRUCTOR)) is None
    assert await shown(acme, job_id, Role.STUDENT) is None
    await globex.some(Role.ADMIN)
    assert (await globex.ask(JOB, as_=Role.ADMIN, id=globex.id("job", job_id)))["job"] is None
    listed = '{ jobs { totalCount nodes { id kind } } node: jobs(kind: "other") { totalCount } }'
    data = await acme.ask(listed, as_=Role.INSTRUCTOR)
    assert data["jobs"]["nodes"] == [{"id": acme.id("job", job_id), "kind": "stamp"}]
    assert data["node"]["totalCount"] == 0
    other = await acme.ask("{ jobs { totalCount } }", as_=await acme.person(Role.INSTRUCTOR))
    assert other["jobs"]["totalCount"] == 0


async def test_an_event_that_cannot_be_acted_on_holds_up_no_other(acme: World) -> None:
    student, course = await acme.some(Role.STUDENT), await acme.course()
    async with acme.operation().write() as tx:
        await publish(tx, "job_queued", {"no": "job"})
    await acme.ask(
        "mutation($id: ID!) { enroll(input: {courseId: $id}) { __typename } }",
        as_=student, id=acme.id("crs", course),
    )  # fmt: skip
    await acme.application.worker.relay_tenant(tenant_id=str(acme.tenant.id))
    left = await acme.as_owner("SELECT kind, attempts, last_error FROM outbox WHERE relayed_at IS NULL")
    assert left == [("job_queued", 1, "KeyError: 'job_id'")]


async def test_two_workers_that_meet_the_same_bad_item_give_up_no_other(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await make(acme, [NewItem("broken", {"bad": True}), *items(3)])
    runner, first = Runner(acme.platform.database, [Stamping()]), Runner._give_up

    async def both(*args: Any) -> None:
        await first(*args)
        await first(*args)

    monkeypatch.setattr(Runner, "_give_up", both)
    await runner.run(acme.tenant.handle, job_id)
    assert await stamped(acme) == ["item 000", "item 001", "item 002"]
    assert [node["number"] for node in (await shown(acme, job_id))["failures"]["nodes"]] == [1]


async def test_a_job_whose_figures_cannot_be_made_ends_without_them(acme: World) -> None:
    class Uncounted(Stamping):
        async def finish(self, tx: Tx, job: Job) -> Mapping[str, int] | None:
            raise ZeroDivisionError

    job_id = await make(acme, items(5))
    runner = Runner(acme.platform.database, [Uncounted()])
    await asyncio.wait_for(runner.run(acme.tenant.handle, job_id), 10)
    job = await shown(acme, job_id)
    assert (job["state"], job["doneCount"], job["figures"]) == ("DONE", 5, [])
    assert len(await stamped(acme)) == 5
