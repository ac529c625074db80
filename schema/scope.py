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


class Scope:
    """``async with Scope(context, seconds)``: ends the context's snapshot with the block.

    A block that takes too long is cancelled, and with it the statement it waits for; Unavailable (TIMEOUT) is raised.
    """

    __slots__ = ("_context", "_timeout")

    def __init__(self, context: Context, seconds: float) -> None:
        self._context = context
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
        finally:
            await self._context.close()


def presented(errors: list[Any] | None, context: Context) -> list[Any] | None:
    """The errors of an operation as its client may see them."""
    return [present(error, context.locale, context.request_id) for error in errors] if errors else errors


def operation_scope(seconds: float) -> Callable[[], SchemaExtension]:
    """A factory of ``OperationScope`` for operations that may take so many seconds."""

    def make() -> SchemaExtension:
        return OperationScope(seconds)

    return make


class OperationScope(SchemaExtension):
    """Gives every operation a context of its own, also the many operations of one WebSocket connection."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def on_operation(self) -> AsyncIterator[None]:
        context = await self.execution_context.context.for_operation()
        self.execution_context.context = context
        async with Scope(context, self._seconds):
            yield
        result = self.execution_context.result
        if result is not None and hasattr(result, "errors"):
            result.errors = presented(result.errors, context)
