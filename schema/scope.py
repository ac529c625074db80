"""One operation, one context: its services, its loaders, its snapshot, its time; all ended with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any

from strawberry.extensions import SchemaExtension

from app.errors import Unavailable
from schema.context import Context
from schema.presenting import present


class Deadline:
    """``async with Deadline(seconds)``: a block that takes longer is cancelled, and with it the statement it waits for.

    Raises Unavailable (TIMEOUT) then.
    """

    __slots__ = ("_timeout",)

    def __init__(self, seconds: float) -> None:
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise Unavailable("this took too long and was stopped; try again or ask for less", code="TIMEOUT") from late


def presented(errors: list[Any] | None, context: Context, *, hints: bool) -> list[Any] | None:
    """The errors of an operation as its client may see them."""
    if not errors:
        return errors
    return [present(error, context.locale, context.request_id, hints=hints) for error in errors]


def operation_scope(seconds: float, *, hints: bool) -> Callable[[], SchemaExtension]:
    """A factory of ``OperationScope`` for operations that may take so many seconds."""

    def make() -> SchemaExtension:
        return OperationScope(seconds, hints=hints)

    return make


class OperationScope(SchemaExtension):
    """Gives every operation a context of its own, also the many operations of one WebSocket connection."""

    def __init__(self, seconds: float, *, hints: bool) -> None:
        self._seconds = seconds
        self._hints = hints

    async def on_operation(self) -> AsyncIterator[None]:
        context = await self.execution_context.context.for_operation()
        self.execution_context.context = context
        try:
            yield
        finally:
            await context.close()
        self._present(self.execution_context.result)

    async def on_execute(self) -> AsyncIterator[None]:
        async with Deadline(self._seconds):
            yield

    async def on_stream_result(self, result: Any) -> AsyncIterator[None]:
        self._present(result)  # a WebSocket sends it before the operation ends
        yield

    def _present(self, result: Any) -> None:
        if getattr(result, "errors", None):
            result.errors = presented(result.errors, self.execution_context.context, hints=self._hints)
