"""The public hook: ``Schema(execution_context_class=CompiledExecutionContext)``."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Generator
from typing import Any, NamedTuple

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode, VariableNode
from graphql.execution import Executor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.execution.codegen import generate
from schema.execution.eager import Started
from schema.execution.plan import Planner, Selection
from schema.execution.runtime import execute


class Kept(NamedTuple):
    """A compiled operation, or None for one that cannot be compiled, and how many fields its plan has.

    It holds on to schema and operation, so that their ids are not given to others while it is here.
    """

    schema: Any
    operation: Any
    plan: Selection | None
    fields: int


class Compiler:
    """Compiled operations, the most recently used first out last, and what became of every execution.

    ``counts``: ``hit``, ``compiled``, and ``stock: <reason>`` for what the stock executor ran.
    """

    def __init__(self, maximum: int = 512, maximum_fields: int = 20_000) -> None:
        self.maximum = maximum
        self.maximum_fields = maximum_fields  # of all plans together, at about 2.5 KB each
        self.fields = 0
        self.counts: Counter[str] = Counter()
        self._plans: OrderedDict[tuple[Any, ...], Kept] = OrderedDict()
        self._conditions: OrderedDict[int, tuple[Any, tuple[str, ...]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._plans)

    def find(self, executor: Executor[Any]) -> Selection | None:
        """The compiled operation of an executor, or None when the stock executor must run it."""
        reason = _unusual(executor)
        if reason is not None:
            self.counts[f"stock: {reason}"] += 1
            return None
        operation = executor.operation
        values = executor.variable_values.coerced
        key = (
            id(executor.schema),
            id(operation),
            *(values.get(name) for name in self._conditional(executor)),
        )
        known = self._plans.get(key)
        if known is not None:
            self._plans.move_to_end(key)
            plan = known.plan
        else:
            plan, fields = self._compile(executor)
            self._plans[key] = Kept(executor.schema, operation, plan, fields)
            self.fields += fields
            while len(self._plans) > self.maximum or (self.fields > self.maximum_fields and len(self._plans) > 1):
                self.fields -= self._plans.popitem(last=False)[1].fields
        self.counts["hit" if known and plan else "compiled" if plan else "stock: unsupported"] += 1
        return plan

    def _compile(self, executor: Executor[Any]) -> tuple[Selection | None, int]:
        try:
            root, selections = Planner(executor).plan()
        except Exception:
            return None, 0
        generate(selections)
        return root, sum(len(selection.fields) for selection in selections)

    def _conditional(self, executor: Executor[Any]) -> tuple[str, ...]:
        """The variables that @skip and @include look at."""
        operation = executor.operation
        known = self._conditions.get(id(operation))
        if known is None or known[0] is not operation:
            fragments = [fragment.definition for fragment in executor.fragments.values()]
            names = {name for node in (operation, *fragments) for name in _conditions(node.selection_set)}
            known = (operation, tuple(sorted(names)))
            self._conditions[id(operation)] = known
            if len(self._conditions) > self.maximum:
                self._conditions.popitem(last=False)
        return known[1]


def _conditions(selections: SelectionSetNode) -> Generator[str, None, None]:
    for node in selections.selections:
        for directive in node.directives or ():
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    yield argument.value.name.value
        if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
            yield from _conditions(node.selection_set)
        elif isinstance(node, FragmentSpreadNode):
            for given in getattr(node, "arguments", None) or ():
                if isinstance(given.value, VariableNode):
                    yield given.value.name.value


def _unusual(executor: Executor[Any]) -> str | None:
    """Why an execution is left to the stock executor."""
    if executor.middleware_manager is not None and executor.middleware_manager.middlewares:
        return "middleware"
    if executor.abort_signal is not None or executor.hooks is not None:
        return "abort signal or hooks"
    if not executor.error_propagation:
        return "error propagation disabled"
    return None


class CompiledExecutionContext(StrawberryGraphQLCoreExecutionContext):
    """Runs operations compiled; what cannot be compiled runs as it always did, and is counted."""

    compiler = Compiler()

    def execute_operation(self, serially: bool | None = None) -> Any:
        """The result, or an awaitable of it when something has to be waited for."""
        if serially is not None:
            self.compiler.counts["stock: subscription"] += 1  # one event
            return super().execute_operation(serially)
        plan = self.compiler.find(self)
        if plan is None:
            return super().execute_operation(serially)
        begun = Started(execute(self, plan))
        return begun.result() if begun.is_done else begun


def compiled(maximum: int = 512) -> type[CompiledExecutionContext]:
    """An execution context class with a compiler of its own, which keeps at most so many operations."""

    class Compiled(CompiledExecutionContext):
        compiler = Compiler(maximum)

    return Compiled
