"""``python -m app serve | worker | demo``: run the platform."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
import uvicorn

from app.commands.console import command, complain, grid, out, platform, running_cache, running_database
from app.db.setup import migrate_control
from app.demo.data import DEMO_PASSWORD, DEMO_PEOPLE, DEMO_SLUGS, load_demo
from app.errors import Unavailable
from app.http.logs import configure_logs
from app.main import Application
from app.platform import Platform, database_config
from app.settings import Settings, load
from app.tenancy.service import TenantService
from app.worker import Worker


@command
async def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; HOST by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; PORT by default.")] = None,
    with_demo: Annotated[bool, typer.Option("--demo", help="Load the demo tenants if there are none.")] = False,
) -> None:
    """Serve the API. Migrates first; Ctrl-C stops everything that this command started."""
    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load(**changes)
    configure_logs(settings)
    listening = _listening(settings.host, settings.port)
    settings = load(**{**changes, "port": listening.getsockname()[1]})  # PORT=0 is any that is free
    with (
        listening,
        running_database(settings) as dsn,
        running_cache(settings) as settings,
    ):
        await _prepare(settings, dsn, with_demo=with_demo)
        application = Application(settings, dsn)
        server = _Server(
            uvicorn.Config(
                application.asgi,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=settings.trust_proxy_headers,
                ws_max_size=200_000,
                timeout_graceful_shutdown=10,
            )
        )
        _greet(settings, with_demo=with_demo)
        await server.serve_until_cancelled(listening)
        if not server.started:
            raise typer.Exit(1)


@command
async def worker() -> None:
    """Run the job worker alone (mails, directory copies, event relay) until it is stopped."""
    async with platform(open_queue=False) as made:
        running = Worker(made)
        await running.open()
        try:
            running.start()
            await asyncio.Event().wait()  # until a signal cancels the command
        finally:
            await running.close()


@command
async def demo() -> None:
    """Load the demo tenants ``acme`` and ``globex``, unless they are there. Refused in production."""
    async with platform() as made:
        await load_demo(made)
    out.print(_logins())


class _Server(uvicorn.Server):
    """Stops when its task is cancelled, and leaves signals to the command.

    uvicorn would raise a captured SIGTERM once more when it has stopped: the process would end before the embedded
    servers are stopped.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def serve_until_cancelled(self, listening: socket.socket) -> None:
        """Serve; the first cancellation lets requests under way end, the second does not wait for them."""
        serving = asyncio.create_task(self.serve(sockets=[listening]), name="server")
        while not serving.done():
            try:
                await asyncio.wait({serving})
            except asyncio.CancelledError:
                self.force_exit, self.should_exit = self.should_exit, True
        serving.result()


async def _prepare(settings: Settings, dsn: str, *, with_demo: bool) -> None:
    await migrate_control(database_config(settings, dsn))
    made = Platform(settings, dsn)
    await made.open()
    await made.queue.open_async()
    try:
        service = TenantService(made.database)
        await service.sweep()
        await service.mend()
        for outcome in await service.migrate_all():
            if outcome.error:
                complain("MIGRATION", f"{outcome.slug} could not be migrated: {outcome.error}")
        if with_demo and {tenant.slug async for tenant in service.each()} <= set(DEMO_SLUGS):
            await load_demo(made)
    finally:
        await made.queue.close_async()
        await made.close()


def _listening(host: str, port: int) -> socket.socket:
    """The server's address, taken before anything is started: a port in use is told at once and in one sentence."""
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as error:
        raise Unavailable(
            "cannot listen on {host}:{port} ({reason}); set HOST and PORT", code="ADDRESS_UNUSABLE",
            host=host, port=port, reason=error.strerror,
        ) from error  # fmt: skip
    return made


def _greet(settings: Settings, *, with_demo: bool) -> None:
    base = f"http://{settings.host}:{settings.port}"
    out.print(f"Stegmaier Learning Platform  {base}/graphql   GraphiQL: {base}/graphiql", soft_wrap=True)
    if with_demo:
        out.print(_logins())
        if settings.smtp_host is None:
            out.print(f"Mails are kept in {settings.data_dir / 'outbox'}. Ctrl-C stops everything.")


def _logins() -> object:
    return grid(
        "Demo logins (header X-Tenant-ID names the tenant)",
        ("tenant", "role", "e-mail", "password"),
        [(person.tenant, person.role, person.email, DEMO_PASSWORD) for person in DEMO_PEOPLE],
    )
