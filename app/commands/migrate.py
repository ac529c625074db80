"""``python -m app migrate``: the control schema, the tenants' schemas, and where each of them stands."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from app.commands.console import Json, command, err, grid, platform, running_database, show
from app.db.database import Database, DatabaseConfig
from app.db.migrations import BASE, current, head
from app.db.setup import migrate_control, owner
from app.platform import database_config
from app.settings import load
from app.tenancy.records import TenantState
from app.tenancy.service import MigrationOutcome, TenantService

app = typer.Typer(help="Migrate the control schema and the tenants' schemas.", no_args_is_help=True)


@app.command()
@command
async def control(as_json: Json = False) -> None:
    """Prepare the server and migrate the control schema."""
    settings = load()
    with running_database(settings) as dsn:
        done = await migrate_control(database_config(settings, dsn))
    show(
        {"from": done.start, "to": done.end, "statements": done.statements},
        as_json=as_json,
        table=lambda: f"control: {done.start} -> {done.end}, {done.statements} statements",
    )


@app.command()
@command
async def tenants(
    only: Annotated[str | None, typer.Option(help="Slug or id of the one tenant to migrate.")] = None,
    as_json: Json = False,
) -> int:
    """Bring the tenants' schemas to the newest revision; one that fails does not stop the others."""
    async with platform() as made:
        service = TenantService(made.database)
        for slug in await service.sweep():
            err.print(f"removed {slug}: its making had been interrupted")
        if only is not None:
            outcomes = [await service.migrate(await service.get(only))]
        else:
            with Progress(
                *Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn(), console=err
            ) as bar:
                task = bar.add_task("Migrating tenants", total=await service.count())
                outcomes = await service.migrate_all(lambda _: bar.advance(task))
    failed = [outcome for outcome in outcomes if outcome.error]
    show(
        [_row(outcome) for outcome in outcomes],
        as_json=as_json,
        table=lambda: grid(
            f"{len(outcomes)} tenants, {sum(o.changed for o in outcomes)} migrated, {len(failed)} failed",
            ("slug", "from", "to", "error"),
            [[o.slug, o.start, o.end, o.error] for o in outcomes if o.changed or o.error],
        ),
    )
    return 1 if failed else 0


@app.command()
@command
async def status(as_json: Json = False) -> int:
    """Where the control schema stands, and how many tenants are at which revision; exit code 1 when any is behind."""
    settings = load()
    revisions: Counter[str | None] = Counter()
    with running_database(settings) as dsn:
        async with owner(dsn) as connection:
            at = await current(connection, "control")
        if at != BASE:
            revisions = await _tenants_by_revision(database_config(settings, dsn))
    behind = sum(count for revision, count in revisions.items() if revision != head("tenant"))
    show(
        {
            "control": {"at": at, "head": head("control")},
            "head": head("tenant"),
            "behind": behind,
            "revisions": {str(k): v for k, v in revisions.items()},
        },
        as_json=as_json,
        table=lambda: grid(
            f"control: {at}, newest {head('control')}; tenants: newest {head('tenant')}",
            ("revision", "tenants"),
            list(revisions.items()),
        ),
    )
    return 1 if behind or at != head("control") else 0


async def _tenants_by_revision(config: DatabaseConfig) -> Counter[str | None]:
    database = Database(config)
    await database.open()
    try:
        tenants = [tenant async for tenant in TenantService(database).each()]
    finally:
        await database.close()
    return Counter(tenant.schema_revision for tenant in tenants if tenant.state != TenantState.PROVISIONING)


def _row(outcome: MigrationOutcome) -> dict[str, object]:
    return {
        "slug": outcome.slug,
        "from": outcome.start,
        "to": outcome.end,
        "changed": outcome.changed,
        "error": outcome.error,
    }
