"""The tenant transaction: role, path and time-outs in one message with BEGIN and the first statement."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn

from psycopg import Error, OperationalError
from psycopg.errors import FeatureNotSupported, InFailedSqlTransaction, InvalidSqlStatementName
from psycopg.pq import TransactionStatus
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
from app.db.wire import Reply, Values, Wire

MOST_LOSSES = 2  # a statement that brings the server down is not tried on and on
_giving_up: set[asyncio.Task[None]] = set()  # a loop keeps no task alive by itself


class TenantTx(Tx):
    """A transaction as the tenant's role with only the tenant's schema on the path.

    Nothing is sent before the first statement, which travels with BEGIN and the fence. Statements that are asked for
    in one turn of the loop (by sibling resolvers) share a message. The end of a read-only transaction is sent and not
    waited for; a commit is. Cancelled in the middle, it stops its SQL and gives up the connection.

    When a table is changed, PostgreSQL refuses plans made before. A transaction that only reads then begins again, in
    a newer snapshot; one that writes does when nothing has been answered in it.
    """

    __slots__ = (
        "_answered", "_begun", "_ended", "_failed", "_lock", "_number", "_read_only", "_slot", "_slots", "_tenant",
        "_timeouts", "_wire",
    )  # fmt: skip

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
        self._number = 0  # how many times it has begun
        self._answered = False
        self._ended = False
        self._failed: Error | None = None  # what the server refuses all further statements for
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
        self._ended = True
        try:
            if not self._begun:
                self._release()
            elif error is not None:
                await self._leave(ROLLBACK)
            elif self._read_only:
                await self._leave(COMMIT)
            else:
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
        wire = self.wire
        try:
            wanted = wire.ask(COMMIT)
            wire.expect(lambda _: verify_path(wire, None))
            result = await wanted
        except BaseException:
            if wire.is_quiet and wire.status == TransactionStatus.IDLE:
                self._release()  # refused (a deferred constraint): nothing is open
            else:
                await self._give_up()
            raise
        self._release()
        if result.command_status != b"COMMIT":
            raise InFailedSqlTransaction("a statement had failed before; nothing was committed") from self._failed

    async def _leave(self, how: str) -> None:
        """Send the end without waiting for it; while something still runs, stop that and give the connection up."""
        wire = self.wire
        if not wire.closed and not wire.is_quiet:
            await self._give_up()
            return
        with suppress(OperationalError):  # a connection that is lost has ended its transaction too
            wire.tell(how)
            wire.expect(lambda _: verify_path(wire, None))
        self._release()

    async def _give_up(self) -> None:
        """Stop what runs; only then is the connection's place free.

        Shielded: a second cancellation must not let somebody else have a connection that is about to be closed.
        """
        slot, wire = self._slot, self.wire
        self._slot = self._wire = None

        async def end() -> None:
            try:
                await wire.abandon()
            finally:
                if slot is not None:
                    self._slots.release(slot, wire)

        task = asyncio.create_task(end())
        _giving_up.add(task)
        task.add_done_callback(_giving_up.discard)
        await asyncio.shield(task)

    # --- its statements

    async def all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        """Every row of the answer."""
        return self._rows(statement, await self._ask(statement, params))

    async def once(self, statement: Statement[Row], **params: Any) -> list[Row]:
        """The rows of a statement that is the whole transaction: it is committed in the message that brings it.

        Not tried again when the connection is lost: whether it was committed is not known then.
        """
        if self._begun:
            raise RuntimeError("the transaction has begun already")
        if self._observe is not None:
            self._observe(statement.sql)
        try:
            if self.wire.closed:
                await self._replace(self.wire)
            values = statement.encode(params, self.wire.transformer)
            try:
                result, ended = await self._all_at_once(statement, values)
            except FeatureNotSupported as error:
                if not self._begin_again(self.wire, self._number, error, statement):
                    raise
                result, ended = await self._all_at_once(statement, values)
        except (Error, UnicodeEncodeError) as error:
            _fail(error)
        self._begun = False
        if ended.command_status != b"COMMIT":
            raise InFailedSqlTransaction("nothing was committed")
        return self._rows(statement, result)

    async def _all_at_once(self, statement: Statement[Any], values: Values) -> tuple[PGresult, PGresult]:
        wire = self.wire
        fenced = self._begin(wire)
        asked, committed = self._send(wire, statement, values), wire.ask(COMMIT)
        wire.expect(lambda _: verify_fence(wire, fenced.result, self._tenant, ended=True))
        return await asyncio.gather(asked, committed)

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
            await self._answer(statement, encoded)
        except (Error, UnicodeEncodeError) as error:
            _fail(error)

    def _rows(self, statement: Statement[Row], result: PGresult) -> list[Row]:
        statement.learn(result)
        rows: list[Row] = self.wire.rows(result, statement.make_value)
        return rows

    async def _ask(self, statement: Statement[Any], params: dict[str, Any]) -> PGresult:
        if self._observe is not None:
            self._observe(statement.sql)
        try:
            values = statement.encode(params, self.wire.transformer)
            return await self._answer(statement, (values,))
        except (Error, UnicodeEncodeError) as error:
            _fail(error)

    def _send(self, wire: Wire, statement: Statement[Any], values: Values) -> asyncio.Future[PGresult]:
        return wire.ask(statement.wire_sql, values, self._tenant.schema_name, statement.result_format)

    async def _answer(self, statement: Statement[Any], values: Sequence[Values]) -> PGresult:
        """The result of the last execution.

        A connection that died while idle (the server was restarted) is replaced as long as nothing has been done on
        it, without the caller noticing.
        """
        losses, again = 0, False
        while True:
            wire = self.wire
            number = self._number
            try:
                if not self._begun:
                    self._begin(wire)
                    number = self._number
                *others, last = values
                for each in others:
                    wire.tell(statement.wire_sql, each, self._tenant.schema_name)
                result = await self._send(wire, statement, last)
            except Error as error:
                if wire.closed:
                    losses += 1
                    if self._answered or losses > MOST_LOSSES or not isinstance(error, OperationalError):
                        raise
                    await self._replace(wire)
                elif again or not self._begin_again(wire, number, error, statement):
                    self._fail_for(error)
                else:
                    again = True
            else:
                self._answered = True
                return result

    def _begin(self, wire: Wire) -> Reply:
        wire.tell(READ_ONLY if self._read_only else READ_WRITE)
        fenced = wire.tell(FENCE, fence(self._tenant, self._timeouts))
        wire.expect(lambda failed: verify_fence(wire, fenced.result, self._tenant, ended=failed))
        self._begun = True
        self._failed = None
        self._number += 1
        return fenced

    def _begin_again(self, wire: Wire, number: int, error: Error, statement: Statement[Any]) -> bool:
        """Whether the statement is to be sent once more: its plan was out of date, or that of one sent before it."""
        if self._number != number:
            return True  # it failed with the transaction that a sibling's plan had ended
        if not (_is_stale(error) or _is_stale(error.__cause__)) or (self._answered and not self._read_only):
            return False
        statement.unlearn()
        wire.forget(self._tenant.schema_name)
        wire.tell(ROLLBACK)
        self._begun = False
        self._number += 1
        return True

    def _fail_for(self, error: Error) -> NoReturn:
        """Raise the error; for one that only says that the transaction has failed before, with what it failed of."""
        if self._failed is None:
            self._failed = error
        elif isinstance(error, InFailedSqlTransaction | InvalidSqlStatementName) and error.__cause__ is None:
            error = InFailedSqlTransaction("a statement before it failed")
            raise error from self._failed
        raise error

    async def _replace(self, dead: Wire) -> None:
        async with self._lock:
            if self._wire is not dead:
                return  # a sibling has done it
            slot, self._slot = self._slot, None
            if slot is None:
                raise OperationalError("the connection was lost, and no other could be made")
            self._slots.release(slot, dead)
            self._begun = False
            await self._acquire()
            if self._ended:
                self._release()
                raise OperationalError("the transaction has ended")


def _is_stale(error: BaseException | None) -> bool:
    """Whether a plan is older than a change of its tables; by the place in the source: the message is translated."""
    return isinstance(error, FeatureNotSupported) and error.diag.source_function == "RevalidateCachedQuery"


def _fail(error: Exception) -> NoReturn:
    """Raise the refusal that an error of the database amounts to, or the error itself."""
    refusal = refusal_for(error)
    if refusal is None and isinstance(error, InFailedSqlTransaction) and isinstance(error.__cause__, Error):
        refusal = refusal_for(error.__cause__)  # the statement is not to blame
    if refusal is None:
        raise error
    raise refusal from error
