"""The tenant transaction: role, path and time-outs in one message with BEGIN and the first statement."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Any, NoReturn

from psycopg import Error, OperationalError
from psycopg.errors import InFailedSqlTransaction
from psycopg.pq.abc import PGresult

from app.db.errors import refusal_for
from app.db.slots import Slot, StickySlots
from app.db.statements import Row, Statement
from app.db.tenant import (
    COMMIT,
    FENCE,
    READ_ONLY,
    READ_WRITE,
    ROLLBACK,
    TenantHandle,
    Timeouts,
    fence,
    verify_fence,
    verify_path,
)
from app.db.transaction import Observer, Tx
from app.db.wire import Reply, Wire


class TenantTx(Tx):
    """A transaction as the tenant's role with only the tenant's schema on the path.

    Nothing is sent before the first statement, which travels with BEGIN and the fence. Statements that are asked for
    in one turn of the loop (by sibling resolvers) share a message. The end of a read-only transaction is sent and not
    waited for; a commit is. Cancelled in the middle, it stops its SQL and gives up the connection.
    """

    __slots__ = ("_answered", "_begun", "_lock", "_read_only", "_slot", "_slots", "_tenant", "_timeouts", "_wire")

    def __init__(
        self,
        slots: StickySlots,
        tenant: TenantHandle,
        timeouts: Timeouts,
        *,
        read_only: bool,
        observe: Observer | None,
    ) -> None:
        super().__init__(observe)
        self._slots = slots
        self._tenant = tenant
        self._timeouts = timeouts
        self._read_only = read_only
        self._slot: Slot | None = None
        self._wire: Wire | None = None
        self._begun = False
        self._answered = False
        self._lock = asyncio.Lock()

    # --- its life

    async def __aenter__(self) -> TenantTx:
        try:
            await self._acquire()
        except Error as error:
            _fail(error)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            await self._undo()
            return
        try:
            await self._commit()
        except Error as refused:
            _fail(refused)

    @property
    def wire(self) -> Wire:
        """The connection it runs on."""
        if self._wire is None:
            raise RuntimeError("the transaction has ended")
        return self._wire

    async def _acquire(self) -> None:
        self._slot, self._wire = await self._slots.acquire(self._tenant.id)

    def _release(self) -> None:
        slot, wire = self._slot, self._wire
        self._slot = self._wire = None
        if slot is not None and wire is not None:
            self._slots.release(slot, wire)

    async def _commit(self) -> None:
        wire = self._wire
        if wire is None:
            return
        try:
            if not self._begun:
                return
            if self._read_only:
                await self._leave(wire, COMMIT)
                return
            wanted = wire.ask(COMMIT)
            wire.expect(lambda: verify_path(wire, None))
            result = await wanted
            if result.command_status != b"COMMIT":
                raise InFailedSqlTransaction("a statement had failed before; nothing was committed")
        except BaseException:
            # Whether it was committed is not known, or it was not: nobody shall go on with this connection.
            await asyncio.shield(wire.abandon())
            raise
        finally:
            self._release()

    async def _undo(self) -> None:
        """Leave nothing behind; what still runs (the request was cancelled) is stopped first."""
        wire = self._wire
        if wire is None:
            return
        try:
            if self._begun:
                await self._leave(wire, ROLLBACK)
        finally:
            self._release()

    async def _leave(self, wire: Wire, how: str) -> None:
        """Send the end without waiting for it; while something still runs, stop that and give the connection up."""
        if wire.closed:
            return
        if wire.is_quiet:
            wire.tell(how)
            wire.expect(lambda: verify_path(wire, None))
        else:
            # Shielded: a second cancellation must not interrupt this and leak the connection.
            await asyncio.shield(wire.abandon())

    # --- its statements

    async def all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        """Every row of the answer."""
        result = await self._ask(statement, params)
        rows: list[Row] = self.wire.rows(result, statement.make_value)
        return rows

    async def once(self, statement: Statement[Row], **params: Any) -> list[Row]:
        """The rows of a statement that is the whole transaction: it is committed in the message that brings it.

        Not tried again when the connection is lost: whether it was committed is not known then.
        """
        if self._begun:
            raise RuntimeError("the transaction has begun already")
        if self._observe is not None:
            self._observe(statement.sql)
        wire = self.wire
        try:
            values = statement.encode(params, wire.transformer)
            fenced = self._begin(wire)
            asked, committed = wire.ask(statement.wire_sql, values), wire.ask(COMMIT)
            wire.expect(lambda: verify_fence(wire, fenced.result, self._tenant))
            result, ended = await asyncio.gather(asked, committed)
        except (Error, UnicodeEncodeError) as error:
            _fail(error)
        self._begun = False
        if ended.command_status != b"COMMIT":
            raise InFailedSqlTransaction("nothing was committed")
        rows: list[Row] = wire.rows(result, statement.make_value)
        return rows

    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        """Run a statement whose rows are not wanted; returns the number of rows it touched."""
        result = await self._ask(statement, params)
        return result.command_tuples or 0

    async def execute_many(self, statement: Statement[Any], rows: Iterable[dict[str, Any]]) -> None:
        """Run one statement for each set of parameters, sent as one message."""
        given = list(rows)
        if not given:
            return
        if self._observe is not None:
            self._observe(statement.sql)
        try:
            wire = self.wire
            encoded = [statement.encode(params, wire.transformer) for params in given]
            await self._answer(statement.wire_sql, encoded)
        except (Error, UnicodeEncodeError) as error:
            _fail(error)

    async def _ask(self, statement: Statement[Any], params: dict[str, Any]) -> PGresult:
        if self._observe is not None:
            self._observe(statement.sql)
        try:
            values = statement.encode(params, self.wire.transformer)
            return await self._answer(statement.wire_sql, (values,))
        except (Error, UnicodeEncodeError) as error:
            _fail(error)

    async def _answer(self, sql: str, values: Any) -> PGresult:
        """The result of the last execution.

        A connection that died while idle (the server was restarted) is replaced as long as nothing has been done on
        it, without the caller noticing.
        """
        while True:
            wire = self.wire
            try:
                if not self._begun:
                    self._begin(wire)
                *others, last = values
                for each in others:
                    wire.tell(sql, each)
                result = await wire.ask(sql, last)
            except OperationalError:
                if self._answered or not wire.closed:
                    raise
                await self._replace(wire)
            else:
                self._answered = True
                return result

    def _begin(self, wire: Wire) -> Reply:
        wire.tell(READ_ONLY if self._read_only else READ_WRITE)
        fenced = wire.tell(FENCE, fence(self._tenant, self._timeouts))
        wire.expect(lambda: verify_path(wire, self._tenant))
        self._begun = True
        return fenced

    async def _replace(self, dead: Wire) -> None:
        async with self._lock:
            if self._wire is dead:
                self._release()
                self._begun = False
                await self._acquire()


def _fail(error: Exception) -> NoReturn:
    """Raise the refusal that an error of the database amounts to, or the error itself."""
    refusal = refusal_for(error)
    if refusal is None:
        raise error
    raise refusal from error
