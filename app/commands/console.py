"""What every command shares: settings, a running database, output for people or for scripts, exit codes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from typing import Annotated, Any, ParamSpec

import orjson
import psycopg
import structlog
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from app.db.migrations import MigrationError
from app.db.setup import migrate_control
from app.errors import Invalid, Refusal
from app.http.logs import configure_logs
from app.i18n import translate
from app.outside.valkey import EmbeddedValkeyError, running_valkey, valkey_program
from app.platform import Platform, database_config
from app.settings import Settings, SettingsError, load

P = ParamSpec("P")

log = structlog.get_logger(__name__)

# What is printed is data as often as it is ours: a course called [red] or :smile: is shown as it is written.
out = Console(markup=False, emoji=False, highlight=False)
err = Console(markup=False, emoji=False, highlight=False, stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for scripts.")]


def show(data: object, *, as_json: bool, table: Callable[[], Table | str]) -> None:
    """Print the data as JSON, or what ``table`` makes of it."""
    if as_json:
        sys.stdout.write(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        out.print(table())


def grid(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table for people."""
    made = Table(title=title, title_justify="left")
    for column in columns:
        made.add_column(column)
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


def complain(code: str, sentence: str) -> None:
    """Say on standard error what is wrong: a stable code for scripts, a sentence for people."""
    err.print(Text.assemble((code, "red"), " ", sentence), soft_wrap=True)


def command(function: Callable[P, Coroutine[Any, Any, int | None]]) -> Callable[P, None]:
    """Run an async command; a refusal is printed with what to do and ends with exit code 1.

    SIGINT and SIGTERM cancel it, so that what it started (an embedded PostgreSQL) is stopped by its ``with`` blocks:
    a signal that ends the process at once would leave that running.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        signals: list[int] = []

        async def stoppable() -> int | None:
            task, loop = asyncio.current_task(), asyncio.get_running_loop()

            def stop(number: int) -> None:
                signals.append(number)
                if task is not None:
                    task.cancel()

            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop, number)
            return await function(*args, **kwargs)

        try:
            code = asyncio.run(stoppable())
        except asyncio.CancelledError:
            # A signal is how these are meant to end; anything else was interrupted before it was done.
            code = 0 if function.__name__ in {"serve", "worker"} else 128 + signals[0] if signals else 1
        except SettingsError as error:
            complain("SETTINGS", f"the settings cannot be used:\n{error}")
            raise typer.Exit(2) from error
        except EmbeddedPostgresError as error:
            complain("EMBEDDED_POSTGRES", str(error))
            raise typer.Exit(1) from error
        except EmbeddedValkeyError as error:
            complain("EMBEDDED_VALKEY", str(error))
            raise typer.Exit(1) from error
        except MigrationError as error:
            complain("MIGRATION", str(error))
            raise typer.Exit(1) from error
        except psycopg.Error as error:
            complain("DATABASE_ERROR", f"the database refused: {error}")
            raise typer.Exit(1) from error
        except Refusal as refusal:
            complain(refusal.code, translate(refusal.message, "en", **refusal.params))
            if isinstance(refusal, Invalid):
                for field in refusal.fields:
                    err.print(f"  {field.path}: {translate(field.message, 'en', **field.params)}", soft_wrap=True)
            raise typer.Exit(1) from refusal
        if code:
            raise typer.Exit(code)

    return run


@contextmanager
def running_database(settings: Settings) -> Iterator[str]:
    """The owner's DSN: the configured one, or that of the embedded PostgreSQL, started for as long as it is needed."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with EmbeddedPostgres(settings.data_dir / "postgres") as dsn:
        yield dsn


@contextmanager
def running_cache(settings: Settings) -> Iterator[Settings]:
    """The settings with the address of the cache: the configured one, or that of an embedded Valkey, if installed."""
    if settings.redis_url is not None or not settings.response_cache:
        yield settings
    elif (program := valkey_program()) is None:
        log.info("no REDIS_URL and no embedded Valkey: answers are kept in this process's memory")
        yield settings
    else:
        with running_valkey(
            program, settings.data_dir / "valkey", megabytes=settings.response_cache_megabytes
        ) as address:
            yield settings.model_copy(update={"redis_url": SecretStr(address)})


@asynccontextmanager
async def platform(*, migrate: bool = True, open_queue: bool = True) -> AsyncIterator[Platform]:
    """An open platform for the length of a command."""
    settings = load()
    configure_logs(settings)
    with running_database(settings) as dsn:
        if migrate:
            await migrate_control(database_config(settings, dsn))
        made = Platform(settings, dsn)
        await made.open()
        if open_queue:
            await made.queue.open_async()
        try:
            yield made
        finally:
            if open_queue:
                await made.queue.close_async()
            await made.close()


def as_dict(row: object, names: Sequence[str]) -> Mapping[str, object]:
    """Some attributes of a row, for JSON."""
    return {name: getattr(row, name) for name in names}
