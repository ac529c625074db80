"""``python -m app import``: bring courses in from other platforms."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from app.assessment.exchange import CREATED, DUPLICATE, FAILED, Imported, QuestionExchange
from app.assessment.importing import TakenOver, problems_of, take_over_course, taken_over
from app.catalog.importing import check_olx, import_olx, teacher_of
from app.catalog.olx import QUESTION_LATER, OlxCourse, OlxRefused, read_olx
from app.commands.console import Json, command, complain, err, grid, out, platform, show
from app.db.database import Operation
from app.i18n import translate
from app.tenancy.service import TenantService
from app.viewer import Role, Viewer

app = typer.Typer(help="Bring courses in from other platforms.", no_args_is_help=True)


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

    Problems become questions of the course's bank where they can. What has no counterpart here is listed.

    The course comes in whole or, when a file is missing, not at all.
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
            questions = taken_over(problems_of(course))
        else:
            with err.status("Writing the course"):
                course_id = await import_olx(made.database, made.changes, found, instructor, course)
                questions = await take_over_course(made.database, found, instructor, course_id)
    _report(course, questions, course_id=str(course_id) if course_id else None, as_json=as_json)
    return 0


def _report(course: OlxCourse, questions: TakenOver, *, course_id: str | None, as_json: bool) -> None:
    blocks = [block for module in course.modules for lesson in module.lessons for block in lesson.blocks]
    kinds = Counter(block.kind for block in blocks)
    summary = {
        "title": course.title,
        "modules": len(course.modules),
        "lessons": sum(len(module.lessons) for module in course.modules),
        "blocks": dict(kinds),
        "problems": questions.problems,
        "questions": dict(questions.kinds),
        "questionsLost": dict(questions.lost),
        "partsOfQuestionsLost": dict(questions.unkept),
    }
    # What the reader of the course left to the bank is said by the bank.
    losses = [asdict(loss) for loss in course.losses if loss.reason != QUESTION_LATER]
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


@app.command()
@command
async def gift(
    file: Annotated[Path, typer.Argument(help="Text file with the questions, in UTF-8.", exists=True, dir_okay=False)],
    tenant: Annotated[str, typer.Option(help="Slug of the tenant.")],
    instructor: Annotated[str, typer.Option(help="E-mail of the member in whose name.")],
    course: Annotated[UUID, typer.Option(help="UUID of the course that gets the questions.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report only; write nothing.")] = False,
    as_json: Json = False,
) -> int:
    """Import questions in GIFT into a course's bank; the same file again adds nothing.

    Questions that cannot be read are listed with their lines; the others come in.
    """
    text = file.read_text(encoding="utf-8", errors="replace")
    async with platform() as made:
        found = await TenantService(made.database).get(tenant)
        db = Operation(made.database, found.handle)
        viewer = Viewer(await teacher_of(db, instructor), found.id, None, Role.ADMIN)
        imported = await QuestionExchange(db, viewer).import_gift(course, text, is_dry_run=dry_run)
    _report_gift(imported, as_json=as_json)
    return 1 if imported.count(FAILED) else 0


def _report_gift(imported: Imported, *, as_json: bool) -> None:
    counts = {status: imported.count(status) for status in (CREATED, DUPLICATE, FAILED)}
    problems = [
        {
            "line": outcome.line,
            "title": outcome.title,
            "path": problem.path,
            "code": problem.code,
            "message": translate(problem.message, "en", **problem.params),
        }
        for outcome in imported.outcomes
        for problem in outcome.problems
    ]
    show(
        {"isDryRun": imported.is_dry_run, **counts, "problems": problems},
        as_json=as_json,
        table=lambda: grid("Questions", ("what", "value"), [*counts.items()]),
    )
    if not as_json and problems:
        rows = [(problem["line"], problem["title"], problem["path"], problem["message"]) for problem in problems]
        out.print(grid("Not read", ("line", "title", "where", "why"), rows))
