"""Anything that has an identifier."""

from __future__ import annotations

from operator import attrgetter
from typing import ClassVar

import strawberry

from schema import ids
from schema.context import Info
from schema.execution import batch


@strawberry.interface(description="Anything that has an identifier and can be read again by it.")
class Node:
    """As in the Relay specification. Each type says what its identifiers begin with and where the UUID is."""

    id_kind: ClassVar[str]
    id_number: ClassVar[attrgetter[int]]  # reads the row's UUID as an integer

    @batch(description="Opaque identifier, valid in this organisation only.")
    def id(parents: list[Node], info: Info) -> list[strawberry.ID]:
        kind = type(parents[0])
        return ids.encode_all(kind.id_kind, map(kind.id_number, parents), info.context.mask)
