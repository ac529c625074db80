"""Alembic environment of the control lineage: it only renders SQL, which ``app/db/migrations.py`` sends."""

from __future__ import annotations

from alembic import context

context.configure(
    dialect_name="postgresql",
    literal_binds=True,
    dialect_opts={"paramstyle": "named"},
    output_buffer=context.config.attributes["output"],
    transactional_ddl=False,
    version_table_schema="control",
)
context.run_migrations()
