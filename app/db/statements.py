"""SQL written with SQLAlchemy Core, compiled once, executed by psycopg."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar

from psycopg.rows import RowMaker, args_row, scalar_row
from sqlalchemy import ClauseElement, Select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.dml import UpdateBase

Row = TypeVar("Row")

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class Statement(Generic[Row]):
    """One SQL text and the shape of its rows.

    ``row`` is a dataclass whose fields are the selected columns in order (checked here, once, so that a column added
    to one side only is found at import and not by a user), or a plain type (``int``, ``UUID``...) for one column.
    Lists of keys are bound as arrays (``column == any_(keys)``); ``IN`` lists would make a text per length.
    """

    __slots__ = ("_defaults", "_names", "make_row", "sql")

    def __init__(self, clause: ClauseElement, row: type[Row]) -> None:
        compiled = clause.compile(dialect=_DIALECT)
        if getattr(compiled, "post_compile_params", None):
            raise TypeError("bind lists of keys as arrays, not as IN lists")
        self.sql = str(compiled)
        bound: Mapping[str, Any] = compiled.params or {}
        self._names = frozenset(bound)
        self._defaults = {name: value for name, value in bound.items() if value is not None}
        if is_dataclass(row):
            _check_columns(clause, row)
            self.make_row: Any = args_row(row)
        else:
            self.make_row = scalar_row

    def bind(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of one execution. Raises TypeError on a name the statement does not know."""
        unknown = given.keys() - self._names
        if unknown:
            raise TypeError(f"unknown parameters {sorted(unknown)}")
        missing = self._names - given.keys() - self._defaults.keys()
        if missing:
            raise TypeError(f"missing parameters {sorted(missing)}")
        return {**self._defaults, **given} if self._defaults else given


def _check_columns(clause: ClauseElement, row: type[Any]) -> None:
    if isinstance(clause, Select):
        names = [column.key for column in clause.selected_columns]
    elif isinstance(clause, UpdateBase):
        names = [getattr(column, "key", None) for column in clause._returning]
    else:
        return
    wanted = [field.name for field in fields(row)]
    if names != wanted:
        raise TypeError(f"{row.__name__} has fields {wanted}, the statement gives {names}")


__all__ = ["Row", "RowMaker", "Statement"]
