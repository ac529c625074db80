"""Anything that has an identifier."""

from __future__ import annotations

import strawberry

from schema.context import Info
from schema.execution import batch


@strawberry.interface(description="Anything that has an identifier and can be read again by it.")
class Node:
    """As in the Relay specification. Each type says how its identifier is made."""

    @batch(description="Opaque identifier, valid in this organisation only.")
    def id(parents: list[Node], info: Info) -> list[strawberry.ID]:
        mask = info.context.mask
        return [parent.identifier(mask) for parent in parents]

    def identifier(self, mask: int) -> strawberry.ID:
        """The identifier in the tenant with this mask."""
        raise TypeError(f"{type(self).__name__} has no identifier")
