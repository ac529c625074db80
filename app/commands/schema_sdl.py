"""``python -m app schema``: the printed GraphQL schema, and whether a change would break its clients."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import Json, err, out, show
from schema.sdl import COMMITTED, compare, printed

app = typer.Typer(help="Print and check the GraphQL schema.", no_args_is_help=True)


@app.command("print")
def print_(
    write: Annotated[bool, typer.Option("--write", help="Write it to the committed file.")] = False,
) -> None:
    """Print the schema, sorted."""
    if write:
        COMMITTED.write_text(printed(), encoding="utf-8")
        err.print(f"wrote {COMMITTED.name}")
    else:
        sys.stdout.write(printed())


@app.command()
def check(
    against: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="The schema that clients rely on.")
    ] = COMMITTED,
    as_json: Json = False,
) -> None:
    """Compare the code's schema with the committed one; fails on drift and names every breaking change."""
    result = compare(against.read_text(encoding="utf-8"))
    show(
        {"drift": result.drift, "breaking": result.breaking, "dangerous": result.dangerous},
        as_json=as_json,
        table=lambda: "\n".join(result.lines()),
    )
    if result.drift:
        out.print("Run: python -m app schema print --write") if not as_json else None
        raise typer.Exit(1)
