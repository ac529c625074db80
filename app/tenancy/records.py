"""A tenant as the rest of the house sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from app.db.tenant import TenantHandle


class TenantState(StrEnum):
    """Where a tenant is in its life. Only ACTIVE, READ_ONLY and SUSPENDED are known to a request."""

    PROVISIONING = "provisioning"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    READ_ONLY = "read_only"
    ARCHIVED = "archived"
    DELETING = "deleting"
    DELETED = "deleted"


ROUTABLE = frozenset({TenantState.ACTIVE, TenantState.SUSPENDED, TenantState.READ_ONLY})


@dataclass(frozen=True)
class Tenant:
    """One row of ``control.tenants``."""

    id: UUID
    name: str
    slug: str
    schema_name: str
    role_name: str
    node_number: int
    state: str
    schema_revision: str | None
    plan: str
    locale: str
    generation: int
    created_at: datetime
    updated_at: datetime

    @cached_property
    def handle(self) -> TenantHandle:
        """What the database layer needs of it."""
        return TenantHandle(self.id, self.schema_name, self.role_name, self.node_number)

    @cached_property
    def id_mask(self) -> int:
        """Mixed into every identifier this tenant's clients see, so that none is valid in another tenant."""
        return self.id.int ^ 0x5BF0_3635_A1C4_9D27_8E6B_04F1_D3C2_B7A9
