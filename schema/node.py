"""Anything that has an identifier."""

from __future__ import annotations

import strawberry

from schema.context import Info


@strawberry.interface(description="Anything that has an identifier and can be read again by it.")
class Node:
    """As in the Relay specification. Each type says how its identifier is made."""

    @strawberry.field(description="Opaque identifier, valid in this organisation only.")
    def id(self, info: Info) -> strawberry.ID:
        return self.identifier(info.context.mask)

    def identifier(self, mask: int) -> strawberry.ID:
        """The identifier in the tenant with this mask."""
        raise TypeError(f"{type(self).__name__} has no identifier")
