"""Keyset pages: stable under inserts, as cheap on page 500 as on page 1."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Integer, Select, bindparam, tuple_

from app.errors import FieldProblem, Invalid

Row = TypeVar("Row")
Other = TypeVar("Other")

MAX_PAGE = 100
DEFAULT_PAGE = 20


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list: ``size`` rows after (or before, going ``backward``) the row that ``key`` stands for.

    ``key`` is the row's position: the values of the sort columns, ending in the id; None means from the start (end).
    """

    size: int = DEFAULT_PAGE
    key: tuple[Any, ...] | None = None
    backward: bool = False

    @property
    def limit(self) -> int:
        """One row more than wanted tells whether there is a next page."""
        return self.size + 1


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in list order, and whether there are more on either side as far as this request could see."""

    rows: Sequence[Row]
    has_next: bool
    has_previous: bool

    def map(self, make: Callable[[Row], Other]) -> Page[Other]:
        """The same page with other rows."""
        return Page([make(row) for row in self.rows], self.has_next, self.has_previous)


NOTHING: Page[Any] = Page((), has_next=False, has_previous=False)


def page_of(request: PageRequest, rows: list[Row]) -> Page[Row]:
    """Make the page from up to ``limit`` rows as ``keyset`` returned them."""
    more = len(rows) > request.size
    rows = rows[: request.size]
    if request.backward:
        rows.reverse()
        return Page(rows, has_next=request.key is not None, has_previous=more)
    return Page(rows, has_next=more, has_previous=request.key is not None)


@dataclass(frozen=True, slots=True)
class Order:
    """A total order: sort expressions (never null) with one direction, the last being the unique id.

    ``name`` goes into the cursor so that a cursor of one order is refused in another.
    """

    name: str
    columns: tuple[ColumnElement[Any], ...]
    descending: bool = False

    def holds(self, key: Sequence[Any]) -> bool:
        """Whether a key has a value of the right type for each of the columns."""
        return len(key) == len(self.columns) and all(
            isinstance(value, column.type.python_type) for value, column in zip(key, self.columns, strict=True)
        )


def keyset(query: Select[Any], order: Order, *, after: bool, backward: bool) -> Select[Any]:
    """Add order, limit and, if ``after``, the position to a query.

    Binds ``limit`` and ``key_0``, ``key_1``... for the position.
    """
    flip = order.descending != backward
    if after:
        key = tuple_(*(bindparam(f"key_{n}", type_=column.type) for n, column in enumerate(order.columns)))
        row = tuple_(*order.columns)
        query = query.where(row < key if flip else row > key)
    ordered = (column.desc() if flip else column.asc() for column in order.columns)
    return query.order_by(*ordered).limit(bindparam("limit", type_=Integer))


def key_params(request: PageRequest) -> dict[str, Any]:
    """The parameters that ``keyset`` asks for."""
    params: dict[str, Any] = {"limit": request.limit}
    if request.key is not None:
        params.update({f"key_{n}": value for n, value in enumerate(request.key)})
    return params


def encode_cursor(order: str, key: Sequence[Any]) -> str:
    """An opaque position: base64url of the order's name and the key's values."""
    return base64.urlsafe_b64encode(orjson.dumps([order, *map(_dump, key)])).rstrip(b"=").decode()


def decode_cursor(order: Order, cursor: str, path: str) -> tuple[Any, ...]:
    """The position a cursor stands for. Raises Invalid when it is not one of ours or of another order.

    Anybody can write a cursor, so that its values are compared with what the order's columns hold.
    """
    try:
        name, *values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        key = tuple(map(_load, values))
    except (ValueError, TypeError, AttributeError, binascii.Error, KeyError, ArithmeticError):
        name, key = None, ()
    if name != order.name or not order.holds(key):
        raise Invalid(
            fields=[FieldProblem(path, "this cursor does not belong to this list and order", "CURSOR_INVALID")]
        )
    return key


def _dump(value: Any) -> Any:
    match value:
        case UUID():
            return {"u": value.hex}
        case datetime():
            return {"t": value.isoformat()}
        case Decimal():
            return {"d": str(value)}
        case _:
            return value


_LOADERS: dict[str, Callable[[str], Any]] = {"u": UUID, "t": datetime.fromisoformat, "d": Decimal}


def _load(value: Any) -> Any:
    if isinstance(value, dict):
        [(kind, text)] = value.items()
        return _LOADERS[kind](text)
    return value
