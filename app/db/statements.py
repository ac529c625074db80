"""SQL written with SQLAlchemy Core, compiled once, executed by psycopg."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from operator import itemgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from psycopg import DataError
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat
from psycopg.pq.abc import PGresult
from psycopg.rows import RowMaker, args_row, scalar_row
from sqlalchemy import ARRAY, ClauseElement, Select, Uuid
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.dml import UpdateBase

Row = TypeVar("Row")

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]
_WIRE_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_ARRAY_OF_UUID = struct.Struct("!IIIII")  # dimensions, has nulls, element type, length, lower bound
_UUID_OID = 2950
TEXT, BINARY = 0, 1


class Statement(Generic[Row]):
    """One SQL text and the shape of its rows.

    ``row`` is a dataclass whose fields are the selected columns in order (checked here, once, so that a column added
    to one side only is found at import and not by a user), or a plain type (``int``, ``UUID``...) for one column.
    Lists of keys are bound as arrays (``column == any_(keys)``); ``IN`` lists would make a text per length.

    ``sql`` has psycopg's named parameters, ``wire_sql`` the same statement with PostgreSQL's own ``$1``.
    """

    __slots__ = ("_defaults", "_format", "_names", "_order", "make_row", "make_value", "sql", "wire_sql")

    def __init__(self, clause: ClauseElement, row: type[Row], *, partial: bool = False) -> None:
        """``partial``: some of the row's fields are not selected; they are missing from the rows, not None."""
        compiled = clause.compile(dialect=_DIALECT)
        if getattr(compiled, "post_compile_params", None):
            raise TypeError("bind lists of keys as arrays, not as IN lists")
        self.sql = str(compiled)
        bound: Mapping[str, Any] = compiled.params or {}
        self._names = frozenset(bound)
        self._defaults = {name: value for name, value in bound.items() if value is not None}
        numbered: Any = clause.compile(dialect=_WIRE_DIALECT)
        self.wire_sql = str(numbered)
        self._format: int | None = None
        self._order = [(name, _encoder(numbered.binds[name].type)) for name in numbered.positiontup or ()]
        if is_dataclass(row):
            names = _check_columns(clause, row, partial=partial)
            self.make_row: Any = args_row(row)
            self.make_value: Any = _filled_in_part(row, names) if partial else _filled(row)
        else:
            self.make_row = scalar_row
            self.make_value = itemgetter(0)

    @property
    def result_format(self) -> int:
        """In which format to ask for rows: text until the first result has shown the types of the columns."""
        return self._format or TEXT

    def learn(self, result: PGresult) -> None:
        """Ask for binary rows from now on if every column is of a type that is read faster so."""
        if self._format is None:
            kinds = {result.ftype(column) for column in range(result.nfields)}
            self._format = BINARY if kinds <= FASTER_IN_BINARY else TEXT

    def unlearn(self) -> None:
        """Look at the types of the columns again: one of them was changed."""
        self._format = None

    def bind(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of one execution. Raises TypeError on a name the statement does not know."""
        if self._names != given.keys():
            unknown = given.keys() - self._names
            if unknown:
                raise TypeError(f"unknown parameters {sorted(unknown)}")
            missing = self._names - given.keys() - self._defaults.keys()
            if missing:
                raise TypeError(f"missing parameters {sorted(missing)}")
            return {**self._defaults, **given}
        return given

    def encode(self, given: dict[str, Any], transformer: Transformer) -> tuple[list[bytes | None], list[int]]:
        """The parameters as PostgreSQL reads them, in the order of ``wire_sql``, and their formats.

        Raises TypeError as ``bind`` does; DataError and UnicodeEncodeError for a text that no database can hold.
        """
        params = self.bind(given)
        data: list[bytes | None] = []
        formats: list[int] = []
        for name, encoder in self._order:
            value = params[name]
            if value is None:
                data.append(None)
                formats.append(TEXT)
            elif encoder is not None and type(value) in BINARY_TYPES:
                data.append(encoder(value))
                formats.append(BINARY)
            else:
                data.append(_as_text(value, transformer))
                formats.append(TEXT)
        return data, formats


# Built-in types, whose oids are the same everywhere: bool, integers, text, varchar, floats, date, timestamptz, uuid,
# text[]. Not numeric (twice as slow), and nothing of an extension, which psycopg would hand on as bytes.
FASTER_IN_BINARY = frozenset({16, 20, 21, 23, 25, 1043, 700, 701, 1082, 1184, 2950, 1009})
BINARY_TYPES = frozenset({UUID, list})


def _encoder(kind: Any) -> Callable[[Any], bytes] | None:
    """For identifiers and lists of them, which are most of what is bound; psycopg has no fast code for these."""
    if isinstance(kind, Uuid):
        return _uuid
    if isinstance(kind, ARRAY) and isinstance(kind.item_type, Uuid):
        return _uuids
    return None


def _uuid(value: UUID) -> bytes:
    return value.int.to_bytes(16, "big")


def _uuids(values: list[UUID]) -> bytes:
    if not values:
        return _ARRAY_OF_UUID.pack(0, 0, _UUID_OID, 0, 0)[:12]
    head = _ARRAY_OF_UUID.pack(1, 0, _UUID_OID, len(values), 1)
    return head + b"".join([b"\0\0\0\x10" + value.int.to_bytes(16, "big") for value in values])


def _as_text(value: Any, transformer: Transformer) -> bytes | None:
    if type(value) is str:
        if "\0" in value:
            raise DataError("PostgreSQL text cannot contain U+0000")
        return value.encode()
    dumped = transformer.get_dumper(value, PyFormat.TEXT).dump(value)
    return None if dumped is None else bytes(dumped)


def _filled(row: type[Any]) -> Callable[[Sequence[Any]], Any]:
    def make(values: Sequence[Any]) -> Any:
        return row(*values)

    return make


def _filled_in_part(row: type[Any], names: list[str]) -> Callable[[Sequence[Any]], Any]:
    """The names are those of the row's own fields, checked before."""
    targets = ", ".join(f"made.{name}" for name in names)
    text = f"def make(values):\n    made = new(row)\n    {targets}, = values\n    return made"
    scope: dict[str, Any] = {"new": object.__new__, "row": row}
    exec(text, scope)  # noqa: S102 -- field names of a dataclass
    made: Callable[[Sequence[Any]], Any] = scope["make"]
    return made


def _check_columns(clause: ClauseElement, row: type[Any], *, partial: bool) -> list[str]:
    if isinstance(clause, Select):
        names = [str(column.key) for column in clause.selected_columns]
    elif isinstance(clause, UpdateBase):
        names = [str(getattr(column, "key", "")) for column in clause._returning]
    else:
        return []
    wanted = [field.name for field in fields(row)]
    if names != [name for name in wanted if name in names] if partial else names != wanted:
        raise TypeError(f"{row.__name__} has fields {wanted}, the statement gives {names}")
    return names


__all__ = ["Row", "RowMaker", "Statement"]
