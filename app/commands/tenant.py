"""``python -m app tenant``: make, list, show, suspend and resume tenants."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from app.commands.console import Json, as_dict, command, grid, out, platform, show
from app.tenancy.records import Tenant
from app.tenancy.service import TenantService

app = typer.Typer(help="Make, list, show, suspend and resume tenants.", no_args_is_help=True)
FIELDS = (
    "id", "slug", "name", "state", "plan", "locale", "schema_name", "node_number", "schema_revision", "generation",
    "created_at",
)  # fmt: skip
Name = Annotated[str, typer.Argument(help="Slug or id of the tenant.")]


@app.command()
@command
async def create(
    slug: Annotated[str, typer.Argument(help="Name in addresses: lower-case letters, digits, hyphens.")],
    admin_email: Annotated[str, typer.Option(help="E-mail of the first administrator.")],
    name: Annotated[str | None, typer.Option(help="Name of the organisation; the slug by default.")] = None,
    admin_name: Annotated[str, typer.Option(help="Name of the first administrator.")] = "Administrator",
    plan: Annotated[str, typer.Option(help="Plan.")] = "standard",
    locale: Annotated[str, typer.Option(help="Language of the organisation: es or en.")] = "es",
    as_json: Json = False,
) -> None:
    """Make a tenant: schema, role, grants and first administrator.

    The administrator gets an invitation by mail to choose a password. TENANT_ADMIN_PASSWORD in the environment sets
    one at once (it is not an option because options are visible to other users of the machine).
    """
    async with platform() as made:
        tenant = await made.founder.found(
            slug=slug, name=name or slug, plan=plan, locale=locale, admin_email=admin_email,
            admin_name=admin_name, password=os.environ.get("TENANT_ADMIN_PASSWORD"),
        )  # fmt: skip
    _show(tenant, as_json=as_json)


@app.command("list")
@command
async def list_(
    after: Annotated[str, typer.Option(help="Start after this slug.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 100,
    as_json: Json = False,
) -> None:
    """List tenants by slug."""
    async with platform() as made:
        rows = await TenantService(made.database).page(after=after, limit=limit)
    columns = ("slug", "name", "state", "plan", "node_number", "schema_revision")
    show(
        [as_dict(row, FIELDS) for row in rows],
        as_json=as_json,
        table=lambda: grid("Tenants", columns, [[getattr(row, name) for name in columns] for row in rows]),
    )


@app.command("show")
@command
async def show_(name: Name, as_json: Json = False) -> None:
    """Show one tenant."""
    async with platform() as made:
        tenant = await TenantService(made.database).get(name)
    _show(tenant, as_json=as_json)


@app.command()
@command
async def suspend(name: Name, as_json: Json = False) -> None:
    """Stop serving a tenant; its data stay."""
    async with platform() as made:
        tenant = await TenantService(made.database).suspend(name)
    _show(tenant, as_json=as_json)


@app.command()
@command
async def resume(name: Name, as_json: Json = False) -> None:
    """Serve a suspended tenant again."""
    async with platform() as made:
        tenant = await TenantService(made.database).resume(name)
    _show(tenant, as_json=as_json)


@app.command("add-domain")
@command
async def add_domain(name: Name, host: Annotated[str, typer.Argument(help="Host name, e.g. learn.acme.cl.")]) -> None:
    """Let a tenant be reached at a host name of its own."""
    async with platform() as made:
        await TenantService(made.database).add_domain(name, host)
    out.print(f"{host} now belongs to {name}.")


@app.command("rotate-badge-key")
@command
async def rotate_badge_key(name: Name) -> None:
    """Sign a tenant's badges with a new key; those that were signed before still verify."""
    async with platform() as made:
        await made.desk.rotate_key(await TenantService(made.database).get(name))
    out.print(f"The badges of {name} are signed with a new key from now on.")


def _show(tenant: Tenant, *, as_json: bool) -> None:
    data = as_dict(tenant, FIELDS)
    show(data, as_json=as_json, table=lambda: grid(tenant.name, ("field", "value"), list(data.items())))
