"""A compiler for GraphQL operations: plan, generated Python, runtime. Knows Strawberry, and nothing of any domain."""

from schema.execution.batching import batch
from schema.execution.context import CompiledExecutionContext, Compiler, compiled
from schema.execution.inputs import compile_inputs

__all__ = ["CompiledExecutionContext", "Compiler", "batch", "compile_inputs", "compiled"]
