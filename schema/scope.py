"""One operation, one context: its services, its loaders, its snapshot, its time; all ended with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

from graphql import GraphQLError
from strawberry.extensions import ParserCache, SchemaExtension

from app.errors import Unavailable
from schema.presenting import present


class Documents(ParserCache):
    """Parsed documents by their text. A malformed one is left to Strawberry, which parses it again and reports it.

    The extension would raise where only HTTP looks for errors; a WebSocket would be told that all is complete.
    """

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        with suppress(GraphQLError):
            context.graphql_document = self.cached_parse_document(context.query, **context.parse_options)
        yield


def operation_scope(seconds: float, *, hints: bool) -> Callable[[], SchemaExtension]:
    """A factory of ``OperationScope`` for operations that may take so many seconds."""

    def make() -> SchemaExtension:
        return OperationScope(seconds, hints=hints)

    return make


class OperationScope(SchemaExtension):
    """Gives every operation a context of its own, also the many operations of one WebSocket connection.

    An operation that takes too long is cancelled, and with it the statement it waits for.
    """

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
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as error:
            raise Unavailable(
                "this took too long and was stopped; try again or ask for less", code="TIMEOUT"
            ) from error

    async def on_stream_result(self, result: Any) -> AsyncIterator[None]:
        self._present(result)  # a WebSocket sends it before the operation ends
        yield

    def _present(self, result: Any) -> None:
        errors = getattr(result, "errors", None)
        if errors:
            context = self.execution_context.context
            result.errors = [present(error, context.locale, context.request_id, hints=self._hints) for error in errors]
