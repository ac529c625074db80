"""How much one document may ask: measured in one pass, each fragment once, so that measuring stays cheap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValueNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)
from graphql.validation.validate import ValidationAbortedError

from app.i18n import message

Costs = Mapping[tuple[str, str], int]
PAGE, MAX_PAGE = 20, 100
TOO_COMPLEX = "QUERY_TOO_COMPLEX"
TOO_MUCH = message("this operation asks too much: {kind} is {found}, the limit is {limit}")


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest document that is answered. ``list_size`` is assumed of a list without a size argument."""

    depth: int = 15
    aliases: int = 30
    directives: int = 50
    root_fields: int = 20
    fields: int = 400
    cost: int = 30_000
    introspection_depth: int = 20
    introspection_lists: int = 4
    list_size: int = 10
    tokens: int = 2_000


@dataclass(frozen=True, slots=True)
class Measure:
    """What a selection asks: numbers are counted with every fragment expanded, but saturate."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    fields: int = 0
    cost: int = 0
    introspection_depth: int = 0
    introspection_lists: int = 0

    def __add__(self, other: Measure) -> Measure:
        return Measure(
            max(self.depth, other.depth),
            min(self.aliases + other.aliases, CEILING),
            min(self.directives + other.directives, CEILING),
            min(self.fields + other.fields, CEILING),
            min(self.cost + other.cost, CEILING),
            max(self.introspection_depth, other.introspection_depth),
            max(self.introspection_lists, other.introspection_lists),
        )


CEILING = 1_000_000_000
NOTHING = Measure()


class Meter:
    """Measures the operations of one document; ``visited`` counts selections looked at, for proof of linearity."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, limits: Limits, costs: Costs) -> None:
        self._schema = schema
        self._limits = limits
        self._costs = costs
        self.fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._measured: dict[tuple[str, bool], Measure] = {}
        self.visited = 0

    def operation(self, operation: OperationDefinitionNode) -> Measure:
        """The measure of one operation."""
        root = self._schema.get_root_type(operation.operation)
        own = Measure(directives=len(operation.directives or ()))
        return own + self._selection(operation.selection_set, root, introspecting=False)

    def _selection(self, selections: SelectionSetNode, parent: Any, *, introspecting: bool) -> Measure:
        total = NOTHING
        for node in selections.selections:
            self.visited += 1
            total += Measure(directives=len(node.directives or ()))
            match node:
                case FieldNode():
                    total += self._field(node, parent, introspecting=introspecting)
                case InlineFragmentNode():
                    condition = node.type_condition
                    inside = self._schema.get_type(condition.name.value) if condition else parent
                    total += self._selection(node.selection_set, inside, introspecting=introspecting)
                case FragmentSpreadNode():
                    total += self._fragment(node.name.value, introspecting=introspecting)
        return total

    def _fragment(self, name: str, *, introspecting: bool) -> Measure:
        key = (name, introspecting)
        if key not in self._measured:
            self._measured[key] = NOTHING  # a circle, which another rule reports, ends here
            fragment = self.fragments.get(name)
            if fragment is not None:
                inside = self._schema.get_type(fragment.type_condition.name.value)
                own = Measure(directives=len(fragment.directives or ()))
                self._measured[key] = own + self._selection(fragment.selection_set, inside, introspecting=introspecting)
        return self._measured[key]

    def _field(self, node: FieldNode, parent: Any, *, introspecting: bool) -> Measure:
        name = node.name.value
        introspecting = introspecting or name in {"__schema", "__type"}
        field: GraphQLField | None = None
        if is_composite_type(parent):
            field = self._schema.get_field(parent, name)
        is_list = field is not None and is_list_type(get_nullable_type(field.type))
        inner = NOTHING
        if node.selection_set is not None:
            inside = get_named_type(field.type) if field is not None else None
            inner = self._selection(node.selection_set, inside, introspecting=introspecting)
        aliases = min(inner.aliases + int(node.alias is not None), CEILING)
        fields = min(inner.fields + 1, CEILING)
        counted = Measure(fields=fields, aliases=aliases, directives=inner.directives)
        if introspecting:
            return counted + Measure(
                introspection_depth=inner.introspection_depth + 1,
                introspection_lists=inner.introspection_lists + int(is_list),
            )
        is_object = node.selection_set is not None
        size = self._size(node, parent, field, is_list=is_list)
        return counted + Measure(
            depth=inner.depth + 1,
            cost=min((inner.cost + int(is_object)) * size, CEILING),
            introspection_depth=inner.introspection_depth,
            introspection_lists=inner.introspection_lists,
        )

    def _size(self, node: FieldNode, parent: Any, field: GraphQLField | None, *, is_list: bool) -> int:
        """How many objects a field may give; a connection's ``nodes`` and ``edges`` were counted at the connection."""
        if field is not None and ("first" in field.args or "last" in field.args):
            for argument in node.arguments or ():
                if argument.name.value in {"first", "last"}:
                    return _page(argument.value)
            return PAGE
        if not is_list or node.name.value in {"nodes", "edges"}:
            return 1
        return self._costs.get((getattr(parent, "name", ""), node.name.value), self._limits.list_size)


def _page(value: ValueNode) -> int:
    """A page's size as far as the document says it; one that is refused later counts too, and never below nothing."""
    if not isinstance(value, IntValueNode):
        return MAX_PAGE
    return CEILING if len(value.value) > 9 else max(int(value.value), 1)


def measure(
    schema: GraphQLSchema, document: DocumentNode, limits: Limits | None = None, costs: Costs | None = None
) -> tuple[list[Measure], int]:
    """The measure of every operation of a document, and how many selections were looked at for it."""
    meter = Meter(schema, document, limits or Limits(), costs or {})
    found = [meter.operation(d) for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    return found, meter.visited


def limit_rule(limits: Limits, costs: Costs) -> type[ASTValidationRule]:
    """A validation rule that refuses documents over the limits, saying which limit and by how much.

    It looks at the whole document before the other rules look at its parts, and ends the validation when something is
    over a limit: some rules take time that grows with the square of the document.
    """

    class LimitRule(ASTValidationRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self._meter = Meter(context.schema, context.document, limits, costs)

        def enter_document(self, document: DocumentNode, *_: Any) -> None:
            found = [
                problem
                for definition in document.definitions
                if isinstance(definition, OperationDefinitionNode)
                for problem in self._over(definition)
            ]
            for text, node, extensions in found[:-1]:
                self.report_error(GraphQLError(text, node, extensions=extensions))
            for text, node, extensions in found[-1:]:
                raise ValidationAbortedError(text, node, extensions=extensions)

        def _over(self, node: OperationDefinitionNode) -> Iterator[tuple[str, OperationDefinitionNode, dict[str, Any]]]:
            """The limits that an operation is over, as errors are made of them."""
            found = self._meter.operation(node)
            checks = (
                ("depth", found.depth, limits.depth),
                ("aliases", found.aliases, limits.aliases),
                ("directives", found.directives, limits.directives),
                ("rootFields", root_fields(node, self._meter.fragments)[1], limits.root_fields),
                ("fields", found.fields, limits.fields),
                ("cost", found.cost, limits.cost),
                ("introspectionDepth", found.introspection_depth, limits.introspection_depth),
                ("introspectionLists", found.introspection_lists, limits.introspection_lists),
            )
            for kind, value, limit in checks:
                if value > limit:
                    yield TOO_MUCH, node, {"code": TOO_COMPLEX, "kind": kind, "limit": limit, "found": value}

    return LimitRule


def root_fields(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> tuple[set[str], int]:
    """The names of an operation's root fields, and how many there are with fragments expanded (saturating)."""
    measured: dict[str, tuple[set[str], int]] = {}

    def of(selections: SelectionSetNode) -> tuple[set[str], int]:
        names, total = set[str](), 0
        for node in selections.selections:
            match node:
                case FieldNode():
                    found, count = {node.name.value}, 1
                case InlineFragmentNode():
                    found, count = of(node.selection_set)
                case FragmentSpreadNode():
                    name = node.name.value
                    if name not in measured:
                        measured[name] = (set(), 0)
                        if name in fragments:
                            measured[name] = of(fragments[name].selection_set)
                    found, count = measured[name]
                case _:
                    continue
            names |= found
            total = min(total + count, CEILING)
        return names, total

    return of(operation.selection_set)
