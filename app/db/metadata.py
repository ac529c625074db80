"""The two sets of tables: ``control`` (one schema for the platform) and the tenant's (no schema: the path decides)."""

from __future__ import annotations

from sqlalchemy import MetaData

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

CONTROL = MetaData(schema="control", naming_convention=NAMING)
TENANT = MetaData(naming_convention=NAMING)
