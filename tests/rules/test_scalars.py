"""Scalars: what is read, and what is refused without breaking."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from graphql import GraphQLError

from schema.scalars import read_decimal, read_time


@pytest.mark.parametrize(
    "text",
    ["2026-01-02T03:04:05Z", "2026-01-02t03:04:05z", "2026-01-02 03:04:05Z", "2026-01-02T00:04:05-03:00"],
)
def test_a_moment_is_read_in_every_spelling_of_rfc_3339(text: str) -> None:
    assert read_time(text) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01", "now", 1, None, True,
        "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError):
        read_time(value)


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "1" * 21, "x", pytest.param(10**5000, id="huge"), 1.5, True, None, "1e-99999", "0e99999"],
)
def test_what_is_no_short_decimal_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError):
        read_decimal(value)
