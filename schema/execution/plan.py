"""What an operation will do, found once: which fields of which types, how each is resolved, how its values complete.

Selections are collected with graphql-core's own functions, so that aliases, fragments, type conditions, @skip and
@include mean here what they mean there. A plan is valid for one document, one operation and one outcome of its
conditions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from graphql import (
    GraphQLAbstractType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationType,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import CollectedFields, FieldDetails, collect_fields, collect_subfields

from schema.execution.leaves import Fast, fast_leaf
from schema.execution.resolvers import Resolver, Strategy, recognise


class Unsupported(Exception):
    """This operation is left to the stock executor; the text says why."""


class Wait(IntEnum):
    """Whether resolving something may suspend: not at all, only on batches that take turns, or on anything."""

    NEVER = 0
    IN_TURN = 1
    FREELY = 2


@dataclass(slots=True, eq=False)
class Shape:
    """How values of a type complete: a leaf, an object, an abstract type or a list of another shape."""

    type: GraphQLOutputType
    nullable: bool
    fast: Fast | None = None
    coerce: Callable[[Any], Any] | None = None
    item: Shape | None = None
    abstract: GraphQLAbstractType | None = None
    selections: dict[str, Selection] = field(default_factory=dict)
    wait: Wait = field(init=False)  # what completing may wait for
    height: int = field(init=False)  # how many calls deep completing goes

    def __post_init__(self) -> None:
        below = [self.item] if self.item is not None else self.selections.values()
        self.wait = max((each.wait for each in below), default=Wait.NEVER)
        self.height = 1 + max((each.height for each in below), default=0)

    @property
    def selection(self) -> Selection:
        """The only selection there is: of an object type."""
        [only] = self.selections.values()
        return only


@dataclass(slots=True, eq=False)
class FieldPlan:
    """One response name of one object type."""

    name: str
    definition: GraphQLField
    details: list[FieldDetails]
    parent: GraphQLObjectType
    resolver: Resolver
    shape: Shape
    nodes: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.nodes = [detail.node for detail in self.details]


Run = Callable[[Any, list[Any], Any], Awaitable[list[Any]]]


@dataclass(slots=True, eq=False)
class Selection:
    """The fields selected on one object type; ``run`` is the generated function, set by the code generator."""

    type: GraphQLObjectType
    fields: list[FieldPlan]
    serial: bool = False
    run: Run | None = None
    wait: Wait = field(init=False)  # what running may wait for
    height: int = field(init=False)

    def __post_init__(self) -> None:
        self.wait = max((max(resolving(each), each.shape.wait) for each in self.fields), default=Wait.NEVER)
        self.height = 1 + max((each.shape.height for each in self.fields), default=0)


def resolving(plan: FieldPlan) -> Wait:
    """What resolving a field may wait for, its children aside."""
    match plan.resolver.strategy:
        case Strategy.CALL:
            return Wait.FREELY
        case Strategy.BATCH if plan.resolver.is_async:
            return Wait.IN_TURN if plan.resolver.in_turn else Wait.FREELY
        case _:
            return Wait.NEVER


# Deeper operations would come near Python's recursion limit while running, wider ones take long to compile.
MAX_HEIGHT = 150
MAX_FIELDS = 2_000


class Planner:
    """Plans the operation of one executor. Raises Unsupported.

    What is selected on one type by the same nodes is planned once, wherever it occurs: with abstract types inside
    abstract types there are exponentially many places.
    """

    def __init__(self, executor: Executor[Any]) -> None:
        self._executor = executor
        self._schema = executor.schema
        self._made: list[Selection] = []
        self._known: dict[tuple[Any, ...], Selection] = {}
        self._fields = 0

    def plan(self) -> tuple[Selection, list[Selection]]:
        """The root selection, and all selections, children first."""
        executor, operation = self._executor, self._executor.operation
        if operation.operation == OperationType.SUBSCRIPTION:
            raise Unsupported("subscription")
        root = self._schema.get_root_type(operation.operation)
        if root is None:
            raise Unsupported("no root type")
        found = collect_fields(
            self._schema, executor.fragments, executor.variable_values, root, operation, executor.hide_suggestions
        )
        selection = self._selection(root, found)
        if selection.height > MAX_HEIGHT:
            raise Unsupported("too deep")
        selection.serial = operation.operation == OperationType.MUTATION
        return selection, self._made

    def _selection(self, parent: GraphQLObjectType, found: CollectedFields) -> Selection:
        if found.new_defer_usages:
            raise Unsupported("@defer")
        self._fields += len(found.grouped_field_set)
        if self._fields > MAX_FIELDS:
            raise Unsupported("too large")
        fields = []
        for name, details in found.grouped_field_set.items():
            first = details[0]
            given = any(detail.fragment_variable_values for detail in details)
            if given or any(d.name.value == "stream" for d in first.node.directives or ()):
                raise Unsupported("fragment arguments or @stream")
            definition = self._schema.get_field(parent, first.node.name.value)
            if definition is None:
                raise Unsupported("unknown field")
            resolver = recognise(self._schema, first.node.name.value, definition)
            fields.append(FieldPlan(name, definition, details, parent, resolver, self._shape(definition.type, details)))
        made = Selection(parent, fields)
        self._made.append(made)
        return made

    def _shape(self, kind: GraphQLOutputType, details: list[FieldDetails]) -> Shape:
        nullable = not is_non_null_type(kind)
        inner: Any = kind.of_type if is_non_null_type(kind) else kind
        if is_list_type(inner):
            return Shape(kind, nullable, item=self._shape(inner.of_type, details))
        if is_leaf_type(inner):
            return Shape(kind, nullable, fast=fast_leaf(inner, nullable=nullable), coerce=inner.coerce_output_value)
        if is_object_type(inner):
            return Shape(kind, nullable, selections={inner.name: self._below(inner, details)})
        if is_abstract_type(inner):
            possible = self._schema.get_possible_types(inner)
            return Shape(
                kind,
                nullable,
                abstract=inner,
                selections={each.name: self._below(each, details) for each in possible},
            )
        raise Unsupported("unknown kind of type")

    def _below(self, parent: GraphQLObjectType, details: list[FieldDetails]) -> Selection:
        key = (parent.name, *(id(detail.node) for detail in details))
        if key in self._known:
            return self._known[key]
        executor = self._executor
        found = collect_subfields(
            self._schema,
            executor.fragments,
            executor.variable_values,
            executor.operation,
            parent,
            details,
            executor.hide_suggestions,
        )
        self._known[key] = self._selection(parent, found)
        return self._known[key]
