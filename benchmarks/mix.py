"""The mix of operations on two workers, with the memory it leaves behind, in small and in large installations."""

from __future__ import annotations

import asyncio
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


def mix(where: Where, wrk: Load, plan: Plan) -> dict[str, Any]:
    """All operations at once against two workers; PostgreSQL and the load generator share their two cores.

    Memory is read while the servers still run: ``worker_rss_mb`` of the larger worker, ``backend_mb`` of the largest
    of the ``backends`` that serve tenants (None where the system does not tell).
    """
    move(where.postgres(), BOTH)
    with running("app", where, cores=BOTH, workers=2) as server:
        warm = wrk.run(server, "MIX", plan.seconds, BOTH)
        found = wrk.run(server, "MIX", plan.window(warm["rps"]) * 2, BOTH)
        backends = [private_mb(pid) for pid in asyncio.run(_backends(where.dsn))]
        figures = {key: found[key] for key in ("rps", "p50_ms", "p95_ms", "p99_ms", "errors")}
        return {
            **figures,
            "worker_rss_mb": round(rss_mb(server.pids()), 1),
            "backend_mb": round(max(backends, default=0), 1) or None,
            "backend_median_mb": round(median(backends or [0]), 1) or None,
            "backends": len(backends),
        }


async def _backends(dsn: str) -> list[int]:
    async with await AsyncConnection.connect(dsn) as owner:
        rows = await (await owner.execute(BACKENDS)).fetchall()
        return [int(row[0]) for row in rows]


def growth(plan: Plan, progress: Progress, *, many: int = 1000, few: int = 20, times: int = 10) -> dict[str, Any]:
    """The mix with many tenants against few of the same size, and with ``times`` the courses per tenant.

    Each installation gets a database of its own. ``seconds_per_tenant`` is what founding one takes, with its role,
    schema and migrations, while another is being filled.
    """
    small = Size(tenants=few, courses=6, users=30)
    sizes = {
        "few_tenants": small,
        "many_tenants": replace(small, tenants=many),
        "courses": replace(plan.size, tenants=few),
        "more_courses": replace(plan.size, tenants=few, courses=plan.size.courses * times),
    }
    found: dict[str, Any] = {}
    for name, size in sizes.items():
        progress.say(f"growth: {name}")
        with database(plan) as where:
            data = asyncio.run(load(settings_of(where), where.dsn, size, progress, peers=False))
            wrk = Load(where.folder, data.schools, plan.connections, plan.client)
            found[name] = {
                "tenants": size.tenants,
                "courses": size.courses,
                "seconds_per_tenant": round(data.seconds_per_tenant, 3),
                **mix(where, wrk, plan),
            }
    found["tenants_ratio"] = _ratio(found, "many_tenants", "few_tenants")
    found["courses_ratio"] = _ratio(found, "more_courses", "courses")
    return found


def _ratio(found: dict[str, Any], large: str, small: str) -> float:
    ratio: float = found[large]["rps"] / max(found[small]["rps"], 0.001)
    return round(ratio, 3)
