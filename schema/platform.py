"""The schema as the platform runs it: documents that are known to be valid take the short way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import strawberry
from graphql import DocumentNode, GraphQLError
from graphql import ExecutionResult as GraphQLExecutionResult
from graphql.execution import Executor
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from schema.documents import Documents
from schema.scope import Deadline, presented

IS_AWAITABLE: Any = optimized_is_awaitable
ORDINARY = frozenset({OperationType.QUERY, OperationType.MUTATION, OperationType.SUBSCRIPTION})


class PlatformSchema(strawberry.Schema):
    """Strawberry's schema; texts that it has validated once go straight to the executor the next time.

    Errors are logged where they are presented (``schema/presenting.py``), once and only unexpected ones.
    """

    def __init__(self, *, seconds: float, hints: bool, documents: Documents, **options: Any) -> None:
        super().__init__(**options)
        self.documents = documents
        self._seconds = seconds
        self._hints = hints
        self._executor: type[Executor[Any]] = self.execution_context_class or Executor

    def process_errors(self, errors: Sequence[Any], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: see the class."""

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """The result of an operation, as Strawberry gives it."""
        known = self.documents.find(query) if query and not operation_extensions else None
        kind = known.operations.get(operation_name) if known is not None else None
        allowed = ORDINARY if allowed_operation_types is None else allowed_operation_types
        if known is None or kind is None or kind not in allowed or kind is OperationType.SUBSCRIPTION:
            return await super().execute(
                query, variable_values, context_value, root_value, operation_name, allowed, operation_extensions
            )
        return await self._execute_known(known.node, variable_values, context_value, root_value, operation_name)

    async def _execute_known(
        self, document: DocumentNode, variables: dict[str, Any] | None, value: Any, root: Any, name: str | None
    ) -> ExecutionResult:
        context = await value.for_operation()
        data: Any = None
        errors: list[GraphQLError] | None
        try:
            async with Deadline(self._seconds):
                executor = self._executor.build(
                    self._schema, document, root, context, variables, name, is_awaitable=IS_AWAITABLE
                )
                if isinstance(executor, list):
                    errors = executor
                else:
                    found: Any = executor.execute_operation()
                    if type(found) is not GraphQLExecutionResult:
                        found = await found
                    data, errors = found.data, found.errors
                    # They lead back to the executor: a circle that would wait for the garbage collector.
                    del executor.async_helpers
        except Exception as error:
            errors = [error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)]
        finally:
            await context.close()
        return ExecutionResult(data, presented(errors, context, hints=self._hints))
