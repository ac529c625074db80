"""Anything that has an identifier."""

from __future__ import annotations

import strawberry


@strawberry.interface(description="Anything that has an identifier and can be read again by it.")
class Node:
    """As in the Relay specification."""

    id: strawberry.ID = strawberry.field(description="Opaque identifier, valid in this organisation only.")
