"""Leaf values by the column: one look at the types that occur decides whether a whole column is right as it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from math import isfinite
from types import CoroutineType, GeneratorType
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
)

Column = list[Any]
Fast = Callable[[Column], Column | None]

# Values of exactly these types are never errors, awaitables or Undefined.
ORDINARY = frozenset({str, int, float, bool, bytes, datetime, date, time, timedelta, Decimal, UUID, dict, list, tuple})
NOTHING = type(None)
MAX_INT = 2**31 - 1


@lru_cache(maxsize=1024)
def never_awaitable(kind: type) -> bool:
    """Whether no value of a type can be awaited, as ``is_awaitable`` would find for each of them.

    It looks at the value's type and for ``__await__``; a type that makes up attributes as it goes is asked per value.
    """
    if issubclass(kind, CoroutineType | GeneratorType) or hasattr(kind, "__await__"):
        return False
    own: set[str] = {name for each in kind.__mro__ if each is not object for name in each.__dict__}
    return own.isdisjoint({"__getattr__", "__getattribute__", "__class__"})


def fast_leaf(kind: GraphQLLeafType, *, nullable: bool) -> Fast | None:
    """A function that completes a column of a leaf type at once, or returns None when cells must be looked at."""
    empty = {NOTHING} if nullable else set[type]()
    if kind is GraphQLString or kind is GraphQLID:
        return _as_it_is(frozenset({str} | empty))
    if kind is GraphQLBoolean:
        return _as_it_is(frozenset({bool} | empty))
    if kind is GraphQLInt:
        return _within(frozenset({int} | empty), _are_32_bits)
    if kind is GraphQLFloat:
        return _within(frozenset({float} | empty), _are_finite)
    if isinstance(kind, GraphQLEnumType):
        return _members(kind, nullable=nullable)
    return _coerced(kind.coerce_output_value, frozenset(ORDINARY | empty))


def _as_it_is(allowed: frozenset[type]) -> Fast:
    def complete(column: Column) -> Column | None:
        return column if allowed.issuperset(map(type, column)) else None

    return complete


def _within(allowed: frozenset[type], are_fine: Callable[[Column], bool]) -> Fast:
    def complete(column: Column) -> Column | None:
        kinds = set(map(type, column))
        if not allowed.issuperset(kinds):
            return None
        there = column if NOTHING not in kinds else [value for value in column if value is not None]
        return column if not there or are_fine(there) else None

    return complete


def _are_32_bits(numbers: Column) -> bool:
    return bool(min(numbers) >= -MAX_INT - 1 and max(numbers) <= MAX_INT)


def _are_finite(numbers: Column) -> bool:
    return all(map(isfinite, numbers))


def _members(kind: GraphQLEnumType, *, nullable: bool) -> Fast | None:
    """Enum members by identity of their class; anything else (names, raw values) goes cell by cell."""
    names: dict[Any, Any] = {}
    # Strawberry's enums show the members of their class; graphql-core's whatever their values are.
    for member in getattr(kind, "wrapped_cls", None) or [value.value for value in kind.values.values()]:
        if not isinstance(member, Enum):
            return None
        names[member] = kind.coerce_output_value(member)
    classes = {type(member) for member in names}
    allowed = frozenset(classes | {NOTHING}) if nullable else frozenset(classes)
    names[None] = None

    def complete(column: Column) -> Column | None:
        if not allowed.issuperset(map(type, column)):
            return None
        try:
            return [names[member] for member in column]
        except KeyError:
            return None

    return complete


def _coerced(coerce: Callable[[Any], Any], allowed: frozenset[type]) -> Fast:
    def complete(column: Column) -> Column | None:
        if not allowed.issuperset(map(type, column)):
            return None
        try:
            done = [None if value is None else coerce(value) for value in column]
        except Exception:
            return None
        if done.count(None) != column.count(None) or any(
            type(value) not in ORDINARY and value is not None for value in done
        ):
            return None
        return done

    return complete
