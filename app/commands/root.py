"""The tree of commands."""

from __future__ import annotations

import typer

from app.commands import importing, migrate, schema_sdl, serve, settings_doc, tenant

app = typer.Typer(
    help="Stegmaier Learning Platform.", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)
app.add_typer(tenant.app, name="tenant")
app.add_typer(migrate.app, name="migrate")
app.add_typer(schema_sdl.app, name="schema")
app.add_typer(importing.app, name="import")
app.command("settings")(settings_doc.settings)
app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.command("demo")(serve.demo)
