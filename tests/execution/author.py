"""Writes random operations for any schema, with all a client may write: aliases, fragments, conditions, variables."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
    print_ast,
)
from graphql.utilities import value_to_literal

Pick = Callable[[random.Random, str, str], Any]


@dataclass
class Author:
    """Writes operations without the fields to ``avoid``.

    ``pick(rng, scalar, name)`` makes the values of scalars; ``name`` is the argument's or input field's.
    """

    schema: GraphQLSchema
    rng: random.Random
    pick: Pick
    depth: int = 6
    avoid: frozenset[str] = frozenset()
    _declared: dict[str, str] = field(default_factory=dict)
    _values: dict[str, Any] = field(default_factory=dict)
    _fragments: list[str] = field(default_factory=list)
    _names: int = 0

    def operation(self, kind: str = "query", roots: list[str] | None = None) -> tuple[str, dict[str, Any]]:
        """The text of an operation, and its variables. ``roots``: the fields to begin with, by name."""
        self._declared, self._values, self._fragments, self._names = {}, {}, [], 0
        root = self.schema.query_type if kind == "query" else self.schema.mutation_type
        if root is None:
            raise ValueError(f"the schema has no {kind}")
        names = roots or self._some(list(root.fields), 1, 3)
        body = " ".join(self._field(name, root.fields[name], self.depth) for name in names)
        if self._chance(0.3):
            body += " __typename"
        if kind == "query" and self._chance(0.2):
            body += " __schema { queryType { name kind ofType { name } } }"
        declared = ", ".join(f"${name}: {type_}" for name, type_ in self._declared.items())
        text = f"{kind} Written{f'({declared})' if declared else ''} {{ {body} }} {' '.join(self._fragments)}"
        return text, self._values

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _some(self, choices: list[Any], low: int, high: int) -> list[Any]:
        return self.rng.sample(choices, min(len(choices), self.rng.randint(low, high)))

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    # --- selections

    def _selection(self, kind: Any, depth: int) -> str:
        parts = ["__typename"] if self._chance(0.25) or isinstance(kind, GraphQLUnionType) else []
        if not isinstance(kind, GraphQLUnionType):
            parts += self._fields(kind, depth)
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            possible_types = list(self.schema.get_possible_types(kind))
            for possible in dict.fromkeys([*self._some(possible_types, 1, 3), possible_types[0]]):
                parts.append(self._fragment(possible, self._selection(possible, depth - 1)))
        elif isinstance(kind, GraphQLObjectType) and kind.interfaces and self._chance(0.2):
            interface = self.rng.choice(list(kind.interfaces))
            parts.append(self._fragment(interface, " ".join(self._fields(interface, depth - 1)) or "__typename"))
        self.rng.shuffle(parts)
        return " ".join(parts) or "__typename"

    def _fields(self, kind: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> list[str]:
        usable = [
            name
            for name, each in kind.fields.items()
            if name not in self.avoid and (depth > 1 or is_leaf_type(get_named_type(each.type)))
        ]
        chosen = self._some(usable, 1, 5)
        written = [self._field(name, kind.fields[name], depth) for name in chosen]
        if written and self._chance(0.25):
            # The same field again, with other things below it: both are merged.
            name = self.rng.choice(chosen)
            written.append(self._field(name, kind.fields[name], depth))
        if written and self._chance(0.25):
            half = self.rng.randint(0, len(written) - 1)
            written = [*written[:half], self._fragment(kind, " ".join(written[half:]))]
        return written

    def _field(self, name: str, definition: GraphQLField, depth: int) -> str:
        arguments = self._arguments(definition)
        # Two uses of one response name must agree in their arguments, so those with arguments get a name of their own.
        alias = f"{self._name('a')}: " if arguments or self._chance(0.08) else ""
        named = get_named_type(definition.type)
        below = "" if is_leaf_type(named) else f" {{ {self._selection(named, depth - 1)} }}"
        return f"{alias}{name}{arguments}{self._condition()}{below}"

    def _fragment(self, kind: Any, body: str) -> str:
        if self._chance(0.4):
            name = self._name("F")
            self._fragments.append(f"fragment {name} on {kind.name} {{ {body} }}")
            return f"...{name}{self._condition()}"
        return f"... on {kind.name}{self._condition()} {{ {body} }}"

    def _condition(self) -> str:
        if not self._chance(0.12):
            return ""
        word = self.rng.choice(("skip", "include"))
        value = self._chance(0.5)
        if self._chance(0.5):
            return f" @{word}(if: {str(value).lower()})"
        name = self._name("v")
        defaulted = self._chance(0.3)
        self._declared[name] = f"Boolean = {str(value).lower()}" if defaulted else "Boolean!"
        if not defaulted:
            self._values[name] = value
        return f" @{word}(if: ${name})"

    # --- arguments

    def _arguments(self, definition: GraphQLField) -> str:
        given = []
        for name, argument in definition.args.items():
            if not is_required_argument(argument) and self._chance(0.6):
                continue
            given.append(f"{name}: {self._argument(name, argument)}")
        return f"({', '.join(given)})" if given else ""

    def _argument(self, name: str, argument: GraphQLArgument) -> str:
        if not is_required_argument(argument) and self._chance(0.1):
            # A variable that is not given at all: the argument's default counts.
            variable = self._name("v")
            self._declared[variable] = str(argument.type)
            return f"${variable}"
        value = self._value(name, argument.type)
        if self._chance(0.4):
            variable = self._name("v")
            self._declared[variable] = str(argument.type)
            self._values[variable] = value
            return f"${variable}"
        literal = value_to_literal(value, argument.type)
        return print_ast(literal) if literal is not None else "null"

    def _value(self, name: str, kind: GraphQLInputType) -> Any:
        if isinstance(kind, GraphQLNonNull):
            return self._value_of(name, kind.of_type)
        return None if self._chance(0.08) else self._value_of(name, kind)

    def _value_of(self, name: str, kind: Any) -> Any:
        match kind:
            case GraphQLList():
                return [self._value(name, kind.of_type) for _ in range(self.rng.randint(0, 3))]
            case GraphQLEnumType():
                return self.rng.choice(list(kind.values))
            case GraphQLInputObjectType():
                return {
                    key: self._value(key, each.type)
                    for key, each in kind.fields.items()
                    if is_required_input_field(each) or self._chance(0.4)
                }
            case GraphQLScalarType():
                return self.pick(self.rng, kind.name, name)
        raise TypeError(f"no value for {kind}")
