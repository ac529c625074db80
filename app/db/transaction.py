"""A transaction as services see it: run a compiled statement, get typed rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from psycopg import AsyncConnection

from app.db.errors import translated
from app.db.statements import Row, Statement
from app.errors import NotFound

Observer = Callable[[str], None]


class Tx(ABC):
    """An open transaction. Concurrent calls are allowed: they take their turn, so sibling resolvers may share it."""

    __slots__ = ("_observe", "published")

    def __init__(self, observe: Observer | None = None) -> None:
        self._observe = observe
        self.published = False

    @abstractmethod
    async def all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        """Every row of the answer."""

    @abstractmethod
    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        """Run a statement whose rows are not wanted; returns the number of rows it touched."""

    @abstractmethod
    async def execute_many(self, statement: Statement[Any], rows: Iterable[dict[str, Any]]) -> None:
        """Run one statement for each set of parameters, sent as one batch."""

    async def one_or_none(self, statement: Statement[Row], **params: Any) -> Row | None:
        """The first row, or None."""
        rows = await self.all(statement, **params)
        return rows[0] if rows else None

    async def one(self, statement: Statement[Row], thing: str = "record", **params: Any) -> Row:
        """The first row. Raises NotFound(thing) when there is none."""
        rows = await self.all(statement, **params)
        if not rows:
            raise NotFound(thing)
        return rows[0]

    async def scalar(self, statement: Statement[Row], **params: Any) -> Row | None:
        """The first column of the first row, or None; for statements of one column."""
        return await self.one_or_none(statement, **params)


class ConnectionTx(Tx):
    """A transaction on a connection as psycopg has it: in the control schema (with the job queue), or as the owner."""

    __slots__ = ("connection",)

    def __init__(self, connection: AsyncConnection[Any], observe: Observer | None = None) -> None:
        super().__init__(observe)
        self.connection = connection

    async def all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        """Every row of the answer."""
        with translated():
            async with self.connection.cursor(row_factory=statement.make_row) as cursor:
                if self._observe is not None:
                    self._observe(statement.sql)
                await cursor.execute(statement.sql.encode(), statement.bind(params))
                rows: list[Row] = await cursor.fetchall()
                return rows

    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        """Run a statement whose rows are not wanted; returns the number of rows it touched."""
        with translated():
            async with self.connection.cursor() as cursor:
                if self._observe is not None:
                    self._observe(statement.sql)
                await cursor.execute(statement.sql.encode(), statement.bind(params))
                return cursor.rowcount

    async def execute_many(self, statement: Statement[Any], rows: Iterable[dict[str, Any]]) -> None:
        """Run one statement for each set of parameters, sent as one batch."""
        bound = [statement.bind(row) for row in rows]
        if not bound:
            return
        with translated():
            async with self.connection.cursor() as cursor:
                if self._observe is not None:
                    self._observe(statement.sql)
                await cursor.executemany(statement.sql.encode(), bound)
