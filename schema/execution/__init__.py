"""A compiler for GraphQL operations: plan, generated Python, runtime. Knows Strawberry, and nothing of any domain."""

from schema.execution.batching import batch
from schema.execution.context import CompiledExecutionContext, Compiler, compiled

__all__ = ["CompiledExecutionContext", "Compiler", "batch", "compiled"]
