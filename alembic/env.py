"""Alembic environment of the control lineage."""

from __future__ import annotations

from alembic import context

import app.identity.tables
import app.tenancy.tables  # noqa: F401 - the tables register themselves
from app.db.metadata import CONTROL

options = {
    "target_metadata": CONTROL,
    "version_table_schema": "control",
    "include_schemas": True,
    "include_name": lambda name, kind, _: kind != "schema" or name == "control",
}

if context.is_offline_mode():
    context.configure(
        dialect_name="postgresql",
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        output_buffer=context.config.attributes["output"],
        transactional_ddl=False,
        **options,
    )
    context.run_migrations()
else:
    with context.config.attributes["connection"].connect() as connection:
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            context.run_migrations()
