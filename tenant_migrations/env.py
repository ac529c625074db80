"""Alembic environment of the tenant lineage: unqualified names, the schema is whatever the path says.

It only renders SQL, which ``app/db/migrations.py`` sends to one schema after the other.
"""

from __future__ import annotations

from alembic import context

context.configure(
    dialect_name="postgresql",
    literal_binds=True,
    dialect_opts={"paramstyle": "named"},
    output_buffer=context.config.attributes["output"],
    transactional_ddl=False,
)
context.run_migrations()
