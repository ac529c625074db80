"""Alembic environment of the tenant lineage: unqualified names, the schema is whatever the path says."""

from __future__ import annotations

from alembic import context

import app.catalog.tables
import app.identity.tables
import app.learning.tables  # noqa: F401 - the tables register themselves
from app.db.metadata import TENANT

options = {"target_metadata": TENANT}

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
