"""What an organisation decided about its learners' progress."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, Table, Text, text

from app.db.metadata import TENANT
from app.db.tables import updated_at

# One row or none, which means the defaults.
learning_policy = Table(
    "learning_policy",
    TENANT,
    Column("id", Integer, CheckConstraint("id = 1", name="one"), primary_key=True, autoincrement=False),
    # What a change of a lesson's content means to who had completed it (P8).
    Column(
        "content_change",
        Text,
        CheckConstraint("content_change IN ('keep', 'reopen')", name="content_change"),
        nullable=False,
        server_default=text("'keep'"),
    ),
    updated_at(),
)
