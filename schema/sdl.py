"""The schema as text: printed, committed, compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from graphql import (
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    lexicographic_sort_schema,
)
from graphql.utilities import print_schema

import schema

COMMITTED = Path(__file__).with_name("schema.graphql")


@lru_cache(maxsize=1)
def printed() -> str:
    """The schema of the code in SDL, sorted."""
    core: GraphQLSchema = schema.build()._schema
    return print_schema(lexicographic_sort_schema(core)) + "\n"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the code's schema differs from another."""

    drift: bool
    breaking: list[str]
    dangerous: list[str]

    def lines(self) -> list[str]:
        """For people."""
        if not self.drift:
            return ["The schema is the committed one."]
        found = [f"BREAKING: {change}" for change in self.breaking]
        found += [f"dangerous: {change}" for change in self.dangerous]
        return found or ["The schema differs from the committed one without breaking anybody."]


def compare(committed: str) -> Comparison:
    """Compare the code's schema with a committed one."""
    old, new = build_schema(committed), build_schema(printed())
    return Comparison(
        drift=committed != printed(),
        breaking=[change.description for change in find_breaking_changes(old, new)],
        dangerous=[change.description for change in find_dangerous_changes(old, new)],
    )
