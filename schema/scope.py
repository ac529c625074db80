"""One operation, one context: its services, its loaders, its snapshot; all ended with it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from strawberry.extensions import SchemaExtension


class OperationScope(SchemaExtension):
    """Gives every operation a context of its own, also the many operations of one WebSocket connection."""

    async def on_operation(self) -> AsyncIterator[None]:  # type: ignore[override]
        context = self.execution_context.context.for_operation()
        self.execution_context.context = context
        try:
            yield
        finally:
            await context.close()
