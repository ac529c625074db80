"""``python -m benchmarks``: measure this platform beside others."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import orjson
import typer

from benchmarks.data import Size
from benchmarks.inprocess import executor_ratio
from benchmarks.operations import NAMES
from benchmarks.report import RESULTS, page
from benchmarks.run import Plan, growth, measure


def main(
    tenants: Annotated[int, typer.Option(help="Tenants.")] = 20,
    courses: Annotated[int, typer.Option(help="Courses of each tenant.")] = 60,
    users: Annotated[int, typer.Option(help="Members of each tenant.")] = 300,
    rounds: Annotated[int, typer.Option(help="Rounds; the median counts.")] = 3,
    seconds: Annotated[float, typer.Option(help="Seconds per server, operation and round.")] = 4,
    connections: Annotated[int, typer.Option(help="Connections of the load generator.")] = 32,
    servers: Annotated[str, typer.Option(help="Which, by commas.")] = "app,typical,ceiling,mercurius",
    operations: Annotated[str, typer.Option(help="Which, by commas.")] = ",".join(NAMES),
    grow: Annotated[bool, typer.Option("--growth", help="Also with 1,000 tenants and ten times the courses.")] = False,
    many: Annotated[int, typer.Option(help="How many tenants --growth makes.")] = 1000,
    json: Annotated[bool, typer.Option("--json", help="The figures as one JSON object on the last line.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write benchmarks/RESULTS.md.")] = False,
) -> None:
    """Measure, print a table, compare with the goals."""

    def say(text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    size = Size(tenants=tenants, courses=courses, users=users)
    plan = Plan(tuple(servers.split(",")), tuple(operations.split(",")), size, rounds, seconds, connections)
    try:
        result: dict[str, Any] = measure(plan, say)
    except RuntimeError as error:
        say(str(error))
        raise typer.Exit(1) from None
    result["executor_ratio"] = executor_ratio()
    if grow:
        result["growth"] = growth(plan, say, many=many)
    parameters = (
        f"{tenants} tenants x {courses} courses x 5 modules x 8 lessons, {users} users; {rounds} rounds of {seconds:g} s,"
        f" {connections} connections; one server process on core 0, PostgreSQL and wrk on core 1"
    )
    text = page(result, parameters)
    sys.stdout.write(text + "\n")
    if write:
        RESULTS.write_text(text)
    if json:
        sys.stdout.write(orjson.dumps(result).decode() + "\n")


if __name__ == "__main__":
    typer.run(main)
