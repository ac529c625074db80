"""Compiled input objects are what Strawberry would have built."""

from __future__ import annotations

import random
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, Undefined, is_list_type, is_non_null_type
from strawberry import UNSET
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types.arguments import convert_argument

import schema
from schema.execution.inputs import compile_inputs

BUILT = schema.build()
INPUTS = sorted(
    (kind for kind in BUILT._schema.type_map.values() if isinstance(kind, GraphQLInputObjectType)),
    key=lambda kind: kind.name,
)


def coerced(kind: Any, rng: random.Random) -> Any:
    """A value as graphql-core hands it on: coerced scalars, enum members, dictionaries, lists."""
    if is_non_null_type(kind):
        made = coerced(kind.of_type, rng)
        return coerced(kind, rng) if made is None else made
    if rng.random() < 0.2:
        return None
    if is_list_type(kind):
        return [coerced(kind.of_type, rng) for _ in range(rng.randrange(3))]
    if isinstance(kind, GraphQLEnumType):
        return rng.choice([value.value for value in kind.values.values()])
    if isinstance(kind, GraphQLInputObjectType):
        return {
            name: coerced(field.type, rng)
            for name, field in kind.fields.items()
            if (is_non_null_type(field.type) and field.default_value is Undefined) or rng.random() < 0.6
        }
    return rng.choice(["text", 7, 1.5, True])


def outcome(kind: Any, value: Any) -> str:
    """What a conversion gives, or how it fails."""
    try:
        return repr(convert(kind, value))
    except StrawberryInputCoercionError as error:
        return str(error)


def convert(kind: Any, value: Any) -> Any:
    converter = BUILT.schema_converter
    origin = kind.extensions["strawberry-definition"].origin
    return convert_argument(value, origin, converter.scalar_registry, converter.config)


def stock(kind: Any, value: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as patched:
        for other in INPUTS:
            patched.setattr(other.extensions["strawberry-definition"], "from_input", None)
        return outcome(kind, value)


@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.name)
def test_a_compiled_input_is_what_strawberry_builds(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kind.extensions["strawberry-definition"].from_input is not None
    rng = random.Random(kind.name)
    for _ in range(60):
        value = coerced(kind, rng)
        assert outcome(kind, value) == stock(kind, value, monkeypatch)


def test_absent_values_and_lists_stay_what_they_are() -> None:
    [kind] = [kind for kind in INPUTS if kind.name == "CourseFilter"]
    tags = ["a"]
    made = convert(kind, {"tags": tags, "search": None, "category": UNSET})
    assert (made.search, made.category, made.tags) == (None, UNSET, ["a"])
    assert made.tags is not tags


def test_compiling_twice_changes_nothing() -> None:
    assert compile_inputs(BUILT) == 0
