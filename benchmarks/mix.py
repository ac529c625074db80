"""The mix of operations on two workers, with the memory it leaves behind, in small and in large installations."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from statistics import median
from typing import Any

from psycopg import AsyncConnection

from benchmarks.data import Size, load
from benchmarks.load import Load
from benchmarks.processes import BOTH, move, private_mb, rss_mb
from benchmarks.progress import Progress
from benchmarks.servers import Where, running
from benchmarks.setup import Plan, database, settings_of

BACKENDS = """
SELECT pid FROM pg_stat_activity WHERE usename LIKE '%\\_auth' AND backend_type = 'client backend'
"""


def mix(plan: Plan, installations: dict[str, tuple[Where, Load]], progress: Progress) -> dict[str, dict[str, Any]]:
    """Figures of each installation: medians of rounds in which they take turns; errors added, memory at its largest."""
    samples: dict[str, list[dict[str, Any]]] = {name: [] for name in installations}
    with progress.steps(f"mix: {', '.join(installations)}", plan.rounds * len(installations)) as step:
        for _ in range(plan.rounds):
            for name, (where, wrk) in installations.items():
                samples[name].append(_once(where, wrk, plan))
                step()
    return {name: _together(each) for name, each in samples.items()}


def _once(where: Where, wrk: Load, plan: Plan) -> dict[str, Any]:
    """All operations at once against two workers; PostgreSQL and the load generator share their two cores.

    Memory is read while the servers still run: ``worker_rss_mb`` of the larger worker, ``backend_mb`` of the largest
    of the ``backends`` that serve tenants (0 where the system does not tell).
    """
    move(where.postgres(), BOTH)
    with running("app", where, cores=BOTH, workers=2) as server:
        warm = wrk.run(server, "MIX", plan.seconds, BOTH)
        found = wrk.run(server, "MIX", plan.window(warm["rps"]) * 2, BOTH)
        backends = [private_mb(pid) for pid in asyncio.run(_backends(where.dsn))]
        return {
            **found,
            "worker_rss_mb": rss_mb(server.pids()),
            "backend_mb": max(backends, default=0),
            "backend_median_mb": median(backends or [0]),
            "backends": len(backends),
        }


def _together(samples: list[dict[str, Any]]) -> dict[str, Any]:
    columns = {key: [sample[key] for sample in samples] for key in samples[0]}
    return {
        **{key: round(median(columns[key]), 2) for key in ("rps", "p50_ms", "p95_ms", "p99_ms")},
        "errors": sum(columns["errors"]),
        **{key: round(max(columns[key]), 1) for key in ("worker_rss_mb", "backend_mb", "backend_median_mb")},
        "backends": max(columns["backends"]),
    }


async def _backends(dsn: str) -> list[int]:
    async with await AsyncConnection.connect(dsn) as owner:
        rows = await (await owner.execute(BACKENDS)).fetchall()
        return [int(row[0]) for row in rows]


def growth(plan: Plan, progress: Progress, *, many: int = 1000, few: int = 20, times: int = 10) -> dict[str, Any]:
    """The mix with many tenants against few of the same size, and with ``times`` the courses per tenant.

    Each installation has a database of its own; the two that are compared take turns. ``seconds_per_tenant`` is what
    founding one takes, with its role, schema and migrations, while another is being filled.
    """
    small = Size(tenants=few, courses=6, users=30)
    sizes = {
        "few_tenants": small,
        "many_tenants": replace(small, tenants=many),
        "courses": replace(plan.size, tenants=few),
        "more_courses": replace(plan.size, tenants=few, courses=plan.size.courses * times),
    }
    found = {
        **_side_by_side(plan, {name: sizes[name] for name in ("few_tenants", "many_tenants")}, progress),
        **_side_by_side(plan, {name: sizes[name] for name in ("courses", "more_courses")}, progress),
    }
    found["tenants_ratio"] = _ratio(found, "many_tenants", "few_tenants")
    found["courses_ratio"] = _ratio(found, "more_courses", "courses")
    return found


def _side_by_side(plan: Plan, sizes: dict[str, Size], progress: Progress) -> dict[str, Any]:
    with ExitStack() as stack:
        installations, found = {}, {}
        for name, size in sizes.items():
            where = stack.enter_context(database(plan))
            data = asyncio.run(load(settings_of(where), where.dsn, size, progress, peers=False))
            installations[name] = where, Load(where.folder, data.schools, plan.connections, plan.client)
            seconds = round(data.seconds_per_tenant, 3)
            found[name] = {"tenants": size.tenants, "courses": size.courses, "seconds_per_tenant": seconds}
        mixed = mix(plan, installations, progress)
        return {name: {**each, **mixed[name]} for name, each in found.items()}


def _ratio(found: dict[str, Any], large: str, small: str) -> float:
    ratio: float = found[large]["rps"] / max(found[small]["rps"], 0.001)
    return round(ratio, 3)
