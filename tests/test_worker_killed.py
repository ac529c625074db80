"""A worker as an operator runs it is killed in the middle of a long list, and the next one finishes the list."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg import AsyncConnection

from app.outside.jobs import SWEEP
from tests.enrolling import settle
from tests.test_enrolment_lists import bulk
from tests.world import World

ROOT = Path(__file__).resolve().parents[1]
MEMBERS, STRANGERS = 120, 240


@asynccontextmanager
async def worker(world: World, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """``python -m app worker`` on the test's database; killed at the end at the latest."""
    config = world.platform.config
    environment = {
        **os.environ, "DATABASE_URL": config.owner_dsn, "DATA_DIR": str(folder), "PYTHONPATH": str(ROOT),
        "DATABASE_POOL_SIZE": "4", "PUBLIC_URL": "http://learn.test",
    }  # fmt: skip
    with (folder / "worker.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", "worker", cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(world: World, condition: str, seconds: float = 60) -> None:
    """Wait until a query of the tenant's tables answers true."""
    deadline = time.monotonic() + seconds
    while not (await world.as_owner(f"SELECT coalesce(({condition}), false)"))[0][0]:
        assert time.monotonic() < deadline, condition
        await asyncio.sleep(0.05)


async def test_a_worker_that_is_killed_in_the_middle_of_a_list_leaves_the_rest_to_the_next_and_no_row_is_done_twice(
    acme: World, tmp_path: Path
) -> None:
    course_id = await acme.course()
    course = acme.id("crs", course_id)
    await settle(acme, course, policy="CLOSED", capacity=MEMBERS + 1)
    await acme.as_owner(
        f"""INSERT INTO members (user_id, email, full_name, role, status, locale, email_verified_at)
            SELECT gen_random_uuid(), 'm' || n || '@{acme.tenant.slug}.test', 'M ' || n, 'student', 'active', 'en',
                   now() FROM generate_series(1, {MEMBERS}) n"""
    )
    people = [f"m{number}@{acme.tenant.slug}.test" for number in range(1, MEMBERS + 1)]
    people += [f"s{number}@example.org" for number in range(1, STRANGERS + 1)]
    lines = [people[number * 7 % len(people)] for number in range(len(people))]  # members and strangers mixed
    started = await bulk(acme, course, "email\n" + "\n".join(lines))
    assert started["job"]["totalCount"] == len(set(lines)) == MEMBERS + STRANGERS
    async with await AsyncConnection.connect(acme.platform.config.owner_dsn) as other:
        # The third hundred waits for this row when everything about it is written but the last outcomes.
        await other.execute(f'SELECT FROM "{acme.tenant.schema_name}".job_items WHERE number = 290 FOR UPDATE'.encode())
        async with worker(acme, tmp_path) as first:
            await until(acme, "SELECT done = 200 FROM jobs")
            waits = "datname = current_database() AND wait_event_type = 'Lock'"
            await until(acme, f"SELECT count(*) = 1 FROM pg_stat_activity WHERE {waits}", 10)
            first.send_signal(signal.SIGKILL)
            assert await first.wait() == -signal.SIGKILL
    half = await acme.as_owner("SELECT state, done, skipped, failed FROM jobs")
    assert half == [("running", 200, 0, 0)]
    # A minute passes, and the sweep is due.
    await acme.as_owner("UPDATE jobs SET updated_at = now() - interval '2 minutes'")
    await acme.platform.queue.configure_task(SWEEP).defer_async(timestamp=0)
    async with worker(acme, tmp_path):
        await until(acme, "SELECT state = 'done' FROM jobs")
        await until(acme, "SELECT count(*) = 0 FROM outbox WHERE relayed_at IS NULL")
    assert await acme.as_owner("SELECT done, skipped, failed FROM jobs") == [(MEMBERS + STRANGERS, 0, 0)]
    counted = """SELECT (SELECT count(*) FROM job_items WHERE status = 'done'),
        (SELECT count(*) FROM enrollments WHERE status = 'active'), (SELECT count(DISTINCT user_id) FROM enrollments),
        (SELECT seats_taken FROM course_enrollment), (SELECT count(*) FROM enrollment_allowances),
        (SELECT count(DISTINCT email) FROM enrollment_allowances),
        (SELECT count(*) FROM outbox WHERE kind = 'enrolled'),
        (SELECT count(DISTINCT payload ->> 'user_id') FROM outbox WHERE kind = 'enrolled')"""
    assert await acme.as_owner(counted) == [
        (MEMBERS + STRANGERS, MEMBERS, MEMBERS, MEMBERS, STRANGERS, STRANGERS, MEMBERS, MEMBERS)
    ]
    mails = await acme.as_owner(
        f"SELECT count(*) FROM control.outbox WHERE tenant_id = '{acme.tenant.id}' AND kind = 'mail'"
    )
    assert mails == [(MEMBERS,)]
