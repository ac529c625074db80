"""``python -m app import``: bring courses in from other platforms."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.catalog.importing import check_olx, import_olx
from app.catalog.olx import OlxCourse, OlxRefused, read_olx
from app.commands.console import Json, command, complain, err, grid, out, platform, show
from app.i18n import translate
from app.tenancy.service import TenantService

app = typer.Typer(help="Bring courses in from other platforms.", no_args_is_help=True)


@app.callback()
def _importing() -> None:
    """Keeps ``olx`` a sub-command while it is the only one."""


@app.command()
@command
async def olx(
    folder: Annotated[Path, typer.Argument(help="Folder of the course: the one with course.xml.")],
    tenant: Annotated[str, typer.Option(help="Slug of the tenant that gets the course.")],
    instructor: Annotated[str, typer.Option(help="E-mail of the member who will teach it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report only; write nothing.")] = False,
    as_json: Json = False,
) -> int:
    """Import an Open edX course (OLX): chapters become modules, sequentials lessons, components blocks.

    What has no counterpart here is listed. The course comes in whole or, when a file is missing, not at all.
    """
    try:
        course = read_olx(folder)
    except OlxRefused as refused:
        for problem in refused.problems:
            complain(problem.code, f"{problem.path}: {problem}")
        return 1
    course_id = None
    async with platform() as made:
        found = await TenantService(made.database).get(tenant)
        if dry_run:
            await check_olx(made.database, found, instructor, course)
        else:
            with err.status("Writing the course"):
                course_id = await import_olx(made.database, made.changes, found, instructor, course)
    _report(course, course_id=str(course_id) if course_id else None, as_json=as_json)
    return 0


def _report(course: OlxCourse, *, course_id: str | None, as_json: bool) -> None:
    blocks = [block for module in course.modules for lesson in module.lessons for block in lesson.blocks]
    kinds = Counter(block.kind for block in blocks)
    summary = {
        "title": course.title,
        "modules": len(course.modules),
        "lessons": sum(len(module.lessons) for module in course.modules),
        "blocks": dict(kinds),
    }
    losses = [asdict(loss) for loss in course.losses]
    show(
        {"courseId": course_id, **summary, "losses": losses},
        as_json=as_json,
        table=lambda: grid(
            "Imported" if course_id else "Dry run: nothing written", ("what", "value"), [*summary.items()]
        ),
    )
    if not as_json and losses:
        reasons = Counter((loss["severity"], loss["element"], loss["reason"]) for loss in losses)
        out.print(
            grid(
                "What has no counterpart here (all of them with --json)",
                ("severity", "element", "what", "times"),
                [(severity, element, translate(reason, "en"), n) for (severity, element, reason), n in reasons.items()],
            )
        )
