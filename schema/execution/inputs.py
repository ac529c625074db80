"""Input objects, built by a plan that is made once instead of looking every type up for every value.

Uses Strawberry's own hook for input types that build their own value (``StrawberryObjectDefinition.from_input``), and
does what its ``convert_argument`` does; whatever is not plain is left to that function, value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import InputContext, _is_leaf_type, _is_optional_leaf_type
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryObjectDefinition, StrawberryOptional
from strawberry.types.field import StrawberryField

Convert = Callable[[Any, InputContext, str], Any]


def compile_inputs(schema: strawberry.Schema) -> int:
    """Give each input type of a schema a plan of its own; returns to how many."""
    converter = schema.schema_converter
    count = 0
    for entry in converter.type_map.values():
        definition = entry.definition
        if isinstance(definition, StrawberryObjectDefinition) and definition.is_input and definition.from_input is None:
            definition.from_input = _builder(definition, converter)
            count += 1
    return count


def _builder(
    definition: StrawberryObjectDefinition, converter: GraphQLCoreConverter
) -> Callable[[type, Mapping[str, Any], InputContext], Any]:
    fields = [
        (converter.config.name_converter.from_field(field), field.python_name, _convert(field, definition, converter))
        for field in definition.fields
    ]
    # Nullable fields without a default are None when they are left out.
    absent = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }

    def build(kind: type, given: Mapping[str, Any], context: InputContext) -> Any:
        values = absent.copy()
        for name, python_name, convert in fields:
            if name in given:
                value = given[name]
                values[python_name] = value if convert is None else convert(value, context, name)
        return kind(**values)

    return build


def _convert(
    field: StrawberryField, definition: StrawberryObjectDefinition, converter: GraphQLCoreConverter
) -> Convert | None:
    """How a field's value becomes Python's; None when it is right as it is."""
    kind: Any = field.resolve_type(type_definition=definition)

    def stock(value: Any, context: InputContext, name: str) -> Any:
        return context.convert(value, kind, name)

    if isinstance(kind, StrawberryMaybe):
        return stock
    inner: Any = kind.of_type if isinstance(kind, StrawberryOptional) else kind
    registry = converter.scalar_registry
    special = (strawberry.relay.GlobalID,)
    if _is_leaf_type(inner, registry, skip_classes=special):
        return None
    if isinstance(inner, StrawberryList):
        item = inner.of_type
        if _is_leaf_type(item, registry, skip_classes=special) or _is_optional_leaf_type(
            item, registry, skip_classes=special
        ):
            return _copied
        if _is_input(item):
            return _items(item)
        return stock
    return _nested(inner) if _is_input(inner) else stock


def _is_input(kind: Any) -> bool:
    definition = getattr(kind, "__strawberry_definition__", None)
    return isinstance(definition, StrawberryObjectDefinition) and definition.is_input and isinstance(kind, type)


def _copied(value: Any, context: InputContext, name: str) -> Any:
    return value if value is None or value is UNSET else list(value)


def _nested(kind: Any) -> Convert:
    definition: StrawberryObjectDefinition = kind.__strawberry_definition__

    def convert(value: Any, context: InputContext, name: str) -> Any:
        if value is None or value is UNSET:
            return value
        if definition.from_input is None:
            return context.convert(value, kind, name)
        inside = InputContext(context.info, context.config, context.scalar_registry, (*context.path, name))
        return definition.from_input(kind, value, inside)

    return convert


def _items(kind: Any) -> Convert:
    definition: StrawberryObjectDefinition = kind.__strawberry_definition__

    def convert(value: Any, context: InputContext, name: str) -> Any:
        if value is None or value is UNSET:
            return value
        if definition.from_input is None:
            return context.convert(value, list[kind], name)
        build, path = definition.from_input, (*context.path, name)
        return [
            build(kind, each, InputContext(context.info, context.config, context.scalar_registry, (*path, index)))
            for index, each in enumerate(value)
        ]

    return convert
