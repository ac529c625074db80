"""Leaf values by the column: one look at the types that occur decides whether a whole column is right as it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
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


def fast_leaf(kind: GraphQLLeafType, *, nullable: bool) -> Fast | None:
    """A function that completes a column of a leaf type at once, or returns None when cells must be looked at."""
    empty = {NOTHING} if nullable else set[type]()
    if kind is GraphQLString or kind is GraphQLID:
        return _as_it_is(frozenset({str} | empty))
    if kind is GraphQLBoolean:
        return _as_it_is(frozenset({bool} | empty))
    if kind is GraphQLInt:
        return _within(frozenset({int} | empty), lambda number: -MAX_INT - 1 <= number <= MAX_INT)
    if kind is GraphQLFloat:
        return _within(frozenset({float} | empty), isfinite)
    if isinstance(kind, GraphQLEnumType):
        return _members(kind, nullable=nullable)
    return _coerced(kind.coerce_output_value, frozenset(ORDINARY | empty))


def _as_it_is(allowed: frozenset[type]) -> Fast:
    def complete(column: Column) -> Column | None:
        return column if allowed.issuperset(map(type, column)) else None

    return complete


def _within(allowed: frozenset[type], is_fine: Callable[[Any], bool]) -> Fast:
    def complete(column: Column) -> Column | None:
        if not allowed.issuperset(map(type, column)):
            return None
        return column if all(value is None or is_fine(value) for value in column) else None

    return complete


def _members(kind: GraphQLEnumType, *, nullable: bool) -> Fast | None:
    """Enum members by identity of their class; anything else (names, raw values) goes cell by cell."""
    names: dict[Any, Any] = {}
    for value in kind.values.values():
        member = value.value
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
