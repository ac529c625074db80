"""Long work as clients see it: how far it is, and what became of each item."""

from __future__ import annotations

from enum import Enum
from operator import attrgetter
from typing import Annotated, Any

import strawberry

from app.i18n import translate
from app.viewer import Action
from app.work.rows import ItemRow
from app.work.rows import Job as JobRow
from app.work.statements import ITEM_ORDER, ORDER
from schema import ids
from schema.context import Info
from schema.enums import word
from schema.errors import ConflictProblem, ForbiddenProblem, NotFoundProblem, UnavailableProblem, ValidationProblem
from schema.node import Node, shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.scalars import DateTime


@strawberry.enum(name="JobState", description="Where a job is.")
class JobState(Enum):
    QUEUED = strawberry.enum_value("queued", description="Waits for its turn.")
    RUNNING = strawberry.enum_value("running", description="Is being done.")
    DONE = strawberry.enum_value("done", description="Every item has an outcome.")
    CANCELLED = strawberry.enum_value("cancelled", description="Was stopped; what was done stays.")


@strawberry.enum(name="JobItemStatus", description="What became of an item.")
class JobItemStatus(Enum):
    PENDING = strawberry.enum_value("pending", description="Not yet done.")
    DONE = strawberry.enum_value("done", description="Done.")
    SKIPPED = strawberry.enum_value("skipped", description="There was nothing to do.")
    FAILED = strawberry.enum_value("failed", description="Could not be done; see code and message.")


@strawberry.type(description="One item of a job.")
class JobItem:
    row: strawberry.Private[ItemRow]

    @strawberry.field(description="Its place in the job, from 1; the line of a file, its header not counted.")
    def number(self) -> int:
        return self.row.number

    @strawberry.field(description="What people call it, an address for instance.")
    def label(self) -> str:
        return self.row.label

    @strawberry.field(description="What became of it.")
    def status(self) -> JobItemStatus:
        return JobItemStatus(self.row.status)

    @strawberry.field(description="Why it failed or was skipped; for programs.")
    def code(self) -> str | None:
        return self.row.code

    @strawberry.field(description="The same as a sentence in the reader's language.")
    def message(self, info: Info) -> str | None:
        return self.row.message and translate(self.row.message, info.context.locale, **self.row.params)


@strawberry.type(description="A page of a job's items.")
class JobItemConnection(Connection[JobItem]):
    pass


@strawberry.type(description="A number that a job came to.")
class JobFigure:
    name: str = strawberry.field(description="What was counted; stable and in English, for programs.")
    value: int = strawberry.field(description="How many.")


@strawberry.type(description="Long work that goes on after its request was answered.")
class Job(Node):
    row: strawberry.Private[JobRow]

    id_kind = ids.JOB
    id_number = attrgetter("row.id.int")

    @strawberry.field(description="What kind of work; stable and in English, for programs.")
    def kind(self) -> str:
        return self.row.kind

    @strawberry.field(description="Where it is.")
    def state(self) -> JobState:
        return JobState(self.row.state)

    @strawberry.field(description="Whether it only finds out what would happen.")
    def is_dry_run(self) -> bool:
        return self.row.is_dry_run

    @strawberry.field(description="How many items it has.")
    def total_count(self) -> int:
        return self.row.total

    @strawberry.field(description="How many items are done.")
    def done_count(self) -> int:
        return self.row.done

    @strawberry.field(description="For how many items there was nothing to do.")
    def skipped_count(self) -> int:
        return self.row.skipped

    @strawberry.field(description="How many items could not be done.")
    def failed_count(self) -> int:
        return self.row.failed

    @strawberry.field(description="Share of the items that have an outcome, 0 to 100, rounded down.")
    def percent(self) -> int:
        return 100 * self.row.settled // self.row.total if self.row.total else 100

    @strawberry.field(description="What it came to, by name; empty until it is done.")
    def figures(self) -> list[JobFigure]:
        return [JobFigure(name=name, value=int(value)) for name, value in sorted(self.row.figures.items())]

    @strawberry.field(description="When it was asked for.")
    def created_at(self) -> DateTime:
        return DateTime(self.row.created_at)

    @strawberry.field(description="When its first items were done.")
    def started_at(self) -> DateTime | None:
        return DateTime(self.row.started_at) if self.row.started_at else None

    @strawberry.field(description="When it was done or stopped.")
    def finished_at(self) -> DateTime | None:
        return DateTime(self.row.finished_at) if self.row.finished_at else None

    @strawberry.field(description="Its items in their order.")
    async def items(
        self,
        info: Info,
        status: Annotated[JobItemStatus | None, strawberry.argument(description="Only those.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> JobItemConnection:
        wanted = None if status is None else word(status)
        work = info.context.work
        page = await work.items(self.row.id, page_request(ITEM_ORDER, first, after, last, before), wanted)
        made: JobItemConnection = connection(
            JobItemConnection,
            ITEM_ORDER.name,
            page,
            nodes=shown(JobItem, page.rows),
            key=lambda row: (row.job_id, row.number),
            count=lambda: work.count_items(self.row.id, wanted),
        )
        return made


@strawberry.type(description="A page of jobs.")
class JobConnection(Connection[Job]):
    pass


@strawberry.input(description="A job to stop.")
class CancelJobInput:
    id: strawberry.ID = strawberry.field(description="The job.")


@strawberry.type(description="A job that was started or changed.")
class JobSuccess:
    job: Job = strawberry.field(description="The job.")


CancelJobResult = Annotated[
    JobSuccess | NotFoundProblem | ForbiddenProblem | ConflictProblem | ValidationProblem | UnavailableProblem,
    strawberry.union("CancelJobResult", description="Outcome of cancelJob."),
]


async def started(info: Info, job_id: Any) -> JobSuccess:
    """The answer of a mutation that made a job."""
    row = await info.context.jobs_by_id.load(job_id)
    if row is None:
        raise LookupError("a job that was just made is there")
    return JobSuccess(job=Job(row=row))


@strawberry.type
class WorkQuery:
    @strawberry.field(description="One's own job, or anybody's for an administrator; null when there is none to see.")
    async def job(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The job.")]
    ) -> Job | None:
        info.context.viewer.require(Action.READ_SELF)
        row = await info.context.jobs_by_id.load(ids.decode(ids.JOB, id, info.context.mask))
        return None if row is None else Job(row=row)

    @strawberry.field(description="One's own jobs, or everybody's for an administrator, the newest first.")
    async def jobs(
        self,
        info: Info,
        kind: Annotated[str | None, strawberry.argument(description="Only of this kind.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> JobConnection:
        work = info.context.work
        page = await work.jobs(page_request(ORDER, first, after, last, before), kind)
        made: JobConnection = connection(
            JobConnection,
            ORDER.name,
            page,
            nodes=shown(Job, page.rows),
            key=lambda row: (row.created_at, row.id),
            count=lambda: work.count_jobs(kind),
        )
        return made


@strawberry.type
class WorkMutation:
    @strawberry.mutation(description="Stop a job after the items that are being done; what is done stays.")
    async def cancel_job(
        self, info: Info, input: Annotated[CancelJobInput, strawberry.argument(description="Which.")]
    ) -> CancelJobResult:
        row = await info.context.work.cancel_job(ids.decode(ids.JOB, input.id, info.context.mask))
        return JobSuccess(job=Job(row=row))
