"""What a field's resolver really is. Whatever is not recognised is called exactly as the stock executor calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dis import get_instructions
from enum import Enum, auto
from inspect import CO_VARARGS, CO_VARKEYWORDS, Parameter
from operator import attrgetter
from types import FunctionType
from typing import Any

from graphql import GraphQLField, GraphQLSchema
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from schema.execution.batching import Batch, batch_of


class Strategy(Enum):
    """How the values of a field are obtained for all parents of a level."""

    TYPENAME = auto()
    ATTRIBUTE = auto()  # read an attribute
    METHOD = auto()  # call a plain function with the parent alone
    BATCH = auto()  # call once with all parents
    CALL = auto()  # call the stock resolver for each parent


@dataclass(slots=True, frozen=True)
class Resolver:
    """A strategy and what it needs; ``field`` is there for everything but TYPENAME and fields that are not
    Strawberry's."""

    strategy: Strategy
    function: Callable[..., Any] | None = None
    is_async: bool = False
    in_turn: bool = False
    field: StrawberryField | None = None
    converter: GraphQLCoreConverter | None = None


TYPENAME = Resolver(Strategy.TYPENAME)
CALL = Resolver(Strategy.CALL)


def recognise(schema: GraphQLSchema, name: str, definition: GraphQLField) -> Resolver:
    """The cheapest strategy that does what calling the field's resolver for each parent would do."""
    if name == "__typename":
        return TYPENAME
    field = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    owner = getattr(schema, "_strawberry_schema", None)
    converter = getattr(owner, "schema_converter", None)
    if type(field) is not StrawberryField or converter is None or field.extensions:
        return CALL
    if converter._get_field_exception_handlers(field):
        return CALL
    if field.is_basic_field:
        if field.default_resolver is not getattr:
            return CALL
        return Resolver(Strategy.ATTRIBUTE, attrgetter(field.python_name), field=field)
    resolver = field.base_resolver
    if resolver is None:
        return CALL
    found: Batch | None = batch_of(resolver.wrapped_func)
    if found is not None:
        return Resolver(Strategy.BATCH, found.function, found.is_async, found.in_turn, field, converter)
    parameters = list(resolver.signature.parameters.values())
    takes_parent_only = (
        len(parameters) == 1
        and parameters[0].kind in {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}
        and parameters[0] in {resolver.self_parameter, resolver.parent_parameter, resolver.root_parameter}
    )
    if takes_parent_only and not field.is_async and isinstance(resolver.wrapped_func, FunctionType):
        path = attribute_path(resolver.wrapped_func)
        if path is not None:
            return Resolver(Strategy.ATTRIBUTE, attrgetter(path), field=field)
        return Resolver(Strategy.METHOD, resolver.wrapped_func, field=field)
    return CALL


def attribute_path(function: FunctionType) -> str | None:
    """``"row.title"`` for a function that is nothing but ``return self.row.title``, None for any other.

    Reading the attributes directly does the same without a call for each parent.
    """
    code = function.__code__
    if code.co_argcount != 1 or code.co_flags & (CO_VARARGS | CO_VARKEYWORDS) or code.co_kwonlyargcount:
        return None
    steps = [step for step in get_instructions(code) if step.opname not in {"RESUME", "NOP", "CACHE"}]
    first, *middle, last = steps
    is_plain = (
        first.opname in {"LOAD_FAST", "LOAD_FAST_BORROW"}
        and first.argval == code.co_varnames[0]
        and last.opname == "RETURN_VALUE"
        and bool(middle)
        and all(step.opname == "LOAD_ATTR" for step in middle)
    )
    return ".".join(step.argval for step in middle) if is_plain else None
