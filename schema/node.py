"""Anything that has an identifier."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, ClassVar, TypeVar

import strawberry

from schema import ids
from schema.context import Info
from schema.execution import batch

Shown = TypeVar("Shown")


@strawberry.interface(description="Anything that has an identifier and can be read again by it.")
class Node:
    """As in the Relay specification. Each type says what its identifiers begin with and where the UUID is."""

    id_kind: ClassVar[str]
    id_number: ClassVar[attrgetter[int]]  # reads the row's UUID as an integer

    @batch(description="Opaque identifier, valid in this organisation only.")
    def id(parents: list[Node], info: Info) -> list[strawberry.ID]:
        kind = type(parents[0])
        return ids.encode_all(kind.id_kind, map(kind.id_number, parents), info.context.mask)


def shown(kind: type[Shown], rows: Sequence[Any]) -> list[Shown]:
    """Objects of a type whose only attribute is ``row``, for pages of hundreds: twice as fast as its constructor."""
    new, made = object.__new__, []
    for row in rows:
        item: Any = new(kind)
        item.row = row
        made.append(item)
    return made
