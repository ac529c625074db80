"""One operation, one context: its services, its loaders, its snapshot, its time; all ended with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from strawberry.extensions import SchemaExtension

from app.errors import Unavailable
from schema.presenting import present


def operation_scope(seconds: float) -> Callable[[], SchemaExtension]:
    """A factory of ``OperationScope`` for operations that may take so many seconds."""

    def make() -> SchemaExtension:
        return OperationScope(seconds)

    return make


class OperationScope(SchemaExtension):
    """Gives every operation a context of its own, also the many operations of one WebSocket connection.

    An operation that takes too long is cancelled, and with it the statement it waits for.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def on_operation(self) -> AsyncIterator[None]:
        context = await self.execution_context.context.for_operation()
        self.execution_context.context = context
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as error:
            raise Unavailable(
                "this took too long and was stopped; try again or ask for less", code="TIMEOUT"
            ) from error
        finally:
            await context.close()
        result = self.execution_context.result
        errors = getattr(result, "errors", None)
        if result is not None and errors:
            result.errors = [present(error, context.locale, context.request_id) for error in errors]
