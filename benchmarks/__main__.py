"""``python -m benchmarks``: measure this platform beside others."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer

from benchmarks.about import about
from benchmarks.data import Size
from benchmarks.goals import goals
from benchmarks.inprocess import executor
from benchmarks.load import generator
from benchmarks.mix import growth
from benchmarks.operations import NAMES
from benchmarks.processes import SERVER, on
from benchmarks.progress import Progress
from benchmarks.report import RESULTS, page
from benchmarks.run import measure
from benchmarks.servers import KNOWN
from benchmarks.setup import Plan


class Client(StrEnum):
    """Load generators."""

    AUTO = "auto"
    WRK = "wrk"
    PYTHON = "python"


def main(
    tenants: Annotated[int, typer.Option(min=1, help="Tenants.")] = 20,
    courses: Annotated[int, typer.Option(min=1, help="Courses of each tenant.")] = 60,
    users: Annotated[int, typer.Option(min=12, help="Members of each tenant.")] = 300,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the median counts.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds per server, operation and round.")] = 4,
    connections: Annotated[int, typer.Option(min=1, help="Connections of the load generator.")] = 32,
    servers: Annotated[str, typer.Option(help="Which servers, by commas.")] = ",".join(KNOWN),
    operations: Annotated[str, typer.Option(help="Which operations, by commas.")] = ",".join(NAMES),
    client: Annotated[Client, typer.Option(help="Load generator; auto: wrk where it is installed.")] = Client.AUTO,
    cache: Annotated[bool, typer.Option("--cache", help="Also Q2 with the response cache, against without.")] = False,
    grow: Annotated[bool, typer.Option("--growth", help="Also with 1,000 tenants and ten times the courses.")] = False,
    many: Annotated[int, typer.Option(min=1, help="How many tenants --growth makes.")] = 1000,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: a setting of this platform; may be repeated.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The figures as one JSON object on the last line.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write benchmarks/RESULTS.md.")] = False,
) -> None:
    """Measure, print a table, compare with the goals."""
    progress = Progress()
    try:
        plan = Plan(
            client=generator(client),
            servers=_among(servers, KNOWN),
            operations=_among(operations, NAMES),
            size=Size(tenants=tenants, courses=courses, users=users),
            rounds=rounds,
            seconds=seconds,
            connections=connections,
            cache=cache,
            environment=dict(_pair(each) for each in setting or []),
        )
        told = about(plan)
        result: dict[str, Any] = {"about": told, **measure(plan, progress)}
        result["growth"] = growth(plan, progress, many=many) if grow else {}
    except RuntimeError as error:
        progress.say(str(error))
        raise typer.Exit(1) from None
    progress.say("executor")
    with on(SERVER):
        result["executor"] = executor()
    result["executor_ratio"] = result["executor"]["q4"]["ratio"]
    result["goals"] = [goal._asdict() for goal in goals(result)]
    text = page(result)
    sys.stdout.write(text + "\n")
    if write:
        RESULTS.write_text(text)
    if json:
        sys.stdout.write(orjson.dumps(result).decode() + "\n")


def _among(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    wanted = tuple(each.strip() for each in text.split(","))
    if unknown := set(wanted) - set(known):
        raise typer.BadParameter(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return wanted


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"a setting is NAME=VALUE, this is {text}")
    return name.upper(), value


if __name__ == "__main__":
    typer.run(main)
