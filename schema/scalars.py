"""Scalars with a specification: what travels is defined once, for clients too."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal as PythonDecimal
from decimal import InvalidOperation
from typing import NewType
from uuid import UUID as PythonUUID

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

RFC3339 = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$")

DateTime = NewType("DateTime", datetime)
Decimal = NewType("Decimal", PythonDecimal)
UUID = NewType("UUID", PythonUUID)


def show_time(value: datetime) -> str:
    """RFC 3339 in UTC, with microseconds only where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_time(value: object) -> datetime:
    """A moment with a time zone. Raises GraphQLError."""
    if isinstance(value, str) and RFC3339.match(value):
        try:
            # RFC 3339 allows t and z, Python does not; in UTC, the first and the last day have a few hours less.
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise GraphQLError("Write the time as in RFC 3339, like 2026-11-24T08:30:00Z.")


def read_decimal(value: object) -> PythonDecimal:
    """A finite decimal number of at most 20 characters, as a string or an integer. Raises GraphQLError."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            number = PythonDecimal(value if len(str(value)) <= 20 else "NaN")
        except (InvalidOperation, ValueError):  # ValueError: Python writes no number of thousands of digits
            number = PythonDecimal("NaN")
        if number.is_finite():
            return number
    raise GraphQLError('Write the number as a string, like "95.5".')


def read_uuid(value: object) -> PythonUUID:
    """A UUID. Raises GraphQLError."""
    try:
        return PythonUUID(str(value))
    except ValueError:
        raise GraphQLError("Write the UUID as 32 hexadecimal digits, with or without hyphens.") from None


SCALARS: dict[object, ScalarDefinition] = {
    DateTime: strawberry.scalar(
        name="DateTime",
        description="A moment in UTC, RFC 3339: 2026-11-24T08:30:00Z.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=show_time,
        parse_value=read_time,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number as a string: "95.5".',
        specified_by_url="https://speleotrove.com/decimal/decarith.html",
        serialize=lambda value: format(value.normalize(), "f"),
        parse_value=read_decimal,
    ),
    UUID: strawberry.scalar(
        name="UUID",
        description="A universally unique identifier made by the client (RFC 9562).",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc9562",
        serialize=str,
        parse_value=read_uuid,
    ),
}
