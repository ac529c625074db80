"""One connection to PostgreSQL as a pipeline: what is asked in one turn of the loop travels in one message.

psycopg connects, adapts values and explains errors; sending and receiving goes straight to its libpq layer
(``psycopg.pq``), because a cursor costs five times the CPU of the statement it runs
(``docs/decisions/0005-wire.md``). Statements are prepared once per connection. Answers come in order, so a transaction
may be ended without waiting for the answer: whoever uses the connection next receives it in passing.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from psycopg import AsyncConnection, Error, OperationalError, abc
from psycopg.adapt import Transformer
from psycopg.errors import InFailedSqlTransaction, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

Values = tuple[Sequence[bytes | None], Sequence[int]]
NO_VALUES: Values = ((), ())
MOST_PREPARED = 1024  # statements of one connection, some 50 kB each; the least recently used one makes room
FEW_TENANTS = 100  # a connection that serves more shares its statements among them, or it would prepare all the time
Key = tuple[str, str]  # the schema on the path, and the text
Check = Callable[[bool], None]
ANSWERS = frozenset({ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY})
log = structlog.get_logger(__name__)


class Reply:
    """A command under way. ``wanted`` is resolved with its result when the whole message has been answered.

    ``settle`` is told whether it was done; not when it failed or was passed over.
    """

    __slots__ = ("error", "result", "settle", "wanted")

    def __init__(self, wanted: asyncio.Future[PGresult] | None, settle: Callable[[bool], None] | None = None) -> None:
        self.wanted = wanted
        self.settle = settle
        self.result: PGresult | None = None
        self.error: Error | None = None


class Sync:
    """The end of a message. ``check`` looks at the connection before anybody sees an answer, and may raise.

    It is given whether a statement of the message failed: libpq does not say so while other messages are under way.
    """

    __slots__ = ("check",)

    def __init__(self, check: Check | None) -> None:
        self.check = check


class Wire:
    """A connection in pipeline mode, on the running loop.

    ``prepare`` is off behind a pooler that hands a transaction's connection to others (PgBouncer before 1.21).
    """

    def __init__(self, connection: AsyncConnection[Any], *, prepare: bool = True) -> None:
        self.connection = connection
        self.tenants: set[UUID] = set()  # whom it has served
        self._loop = asyncio.get_running_loop()
        self._born = self._loop.time()
        self._pg = connection.pgconn
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._descriptor = self._pg.socket
        self._prepare = prepare
        self._prepared: OrderedDict[Key, bytes] = OrderedDict()
        self._stale: list[bytes] = []  # prepared statements that the server may drop
        self._unproven: set[bytes] = set()  # those of which the server has not said yet that they are prepared
        self._numbers = 0
        self._under_way: deque[Reply | Sync] = deque()
        self._message: list[Reply] = []  # answered commands whose message is not answered yet
        self._will_flush = False
        self._writing = False
        self._check: Check | None = None
        self.transformer: abc.Transformer = Transformer.from_context(connection)  # turns parameters into bytes
        self._loop.add_reader(self._descriptor, self._readable)

    @property
    def closed(self) -> bool:
        """Whether the connection is lost or closed, or belongs to a loop that has ended."""
        return self._pg.status != ConnStatus.OK or self._loop.is_closed()

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return self._loop.time() - self._born

    @property
    def is_quiet(self) -> bool:
        """Whether everything that was asked has been answered."""
        return not self._under_way

    @property
    def status(self) -> TransactionStatus:
        """The state of the transaction; known only when the connection is quiet."""
        return TransactionStatus(self._pg.transaction_status)

    def parameter(self, name: bytes) -> bytes | None:
        """A setting that the server reports of its own accord, without asking it."""
        return self._pg.parameter_status(name)

    def ask(
        self, sql: str, values: Values = NO_VALUES, owner: str = "", result_format: int = 0
    ) -> asyncio.Future[PGresult]:
        """Put a statement into this turn's message; the future has its result, or raises its error.

        ``owner`` is the schema on the path: PostgreSQL plans a statement anew when the path is another than the last
        time, so the same text is prepared once for each. ``result_format``: 0 for text, 1 for binary.
        """
        wanted: asyncio.Future[PGresult] = self._loop.create_future()
        self._send(sql, values, wanted, owner, result_format)
        return wanted

    def tell(self, sql: str, values: Values = NO_VALUES, owner: str = "") -> Reply:
        """The same for a statement whose result nobody waits for; its error is that of those asked after it."""
        return self._send(sql, values, None, owner, 0)

    def expect(self, check: Check) -> None:
        """Have ``check`` called when this turn's message has been answered; what it raises ends the connection."""
        self._check = check

    def forget(self, owner: str) -> None:
        """Prepare an owner's statements, and those it shares, anew: what they select has changed."""
        for key in [key for key in self._prepared if key[0] in {owner, ""}]:
            self._stale.append(self._prepared.pop(key))

    def rows(self, result: PGresult, make_row: Callable[[Sequence[Any]], Any]) -> list[Any]:
        """The rows of a result."""
        count = result.ntuples
        if not count:
            return []
        self.transformer.set_pgresult(result)
        return self.transformer.load_rows(0, count, make_row)

    async def abandon(self) -> None:
        """Stop what runs, and close: for a connection whose answers nobody will wait for."""
        try:
            if self._under_way and not self.closed:
                await self.connection.cancel_safe(timeout=2)
        except Error:
            pass  # closing ends it as well, only later
        finally:
            self.close()

    def close(self) -> None:
        """Close at once; those who still wait are told that the connection is gone."""
        self._lost(OperationalError("the connection was closed"))

    # --- sending

    def _send(
        self, sql: str, values: Values, wanted: asyncio.Future[PGresult] | None, owner: str, result_format: int
    ) -> Reply:
        if self.closed:
            raise OperationalError("the connection is closed")
        data, formats = values
        if len(self.tenants) > FEW_TENANTS:
            owner = ""
        try:
            if self._prepare:
                name = self._prepared.get((owner, sql))
                if name is None:
                    name = self._learn(owner, sql)
                else:
                    self._prepared.move_to_end((owner, sql))
                self._pg.send_query_prepared(name, data, formats, result_format)
            else:
                self._pg.send_query_params(sql.encode(), data, None, formats, result_format)
        except Error as error:
            if self._pg.status == ConnStatus.BAD:  # found out while sending; libpq has closed the socket already
                self._lost(error)
            raise
        reply = Reply(wanted)
        self._put(reply)
        return reply

    def _put(self, reply: Reply) -> None:
        self._under_way.append(reply)
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self._end_message)

    def _learn(self, owner: str, sql: str) -> bytes:
        # BEGIN, COMMIT and the like have no owner. They never make room for themselves: a failed transaction refuses
        # DEALLOCATE, and with it the ROLLBACK that comes after it in the message.
        if owner:
            self._make_room()
        self._numbers += 1
        name, key = b"s%d" % self._numbers, (owner, sql)

        def settle(done: bool) -> None:
            self._unproven.discard(name)
            if done:
                return
            if self._prepared.get(key) == name:
                del self._prepared[key]
            elif name in self._stale:
                self._stale.remove(name)

        self._pg.send_prepare(name, sql.encode())
        self._prepared[key] = name
        self._unproven.add(name)
        self._put(Reply(None, settle))
        return name

    def _make_room(self) -> None:
        while len(self._prepared) >= MOST_PREPARED:
            self._stale.append(self._prepared.popitem(last=False)[1])
        # To drop what was never prepared would be an error, and fail the transaction that happens to be open.
        known = [name for name in self._stale if name not in self._unproven]
        for name in known:
            self._pg.send_query_params(b"DEALLOCATE " + name, None)
            self._stale.remove(name)
            self._put(Reply(None, partial(self._dropped, name)))

    def _dropped(self, name: bytes, done: bool) -> None:
        if not done:
            self._stale.append(name)

    def _end_message(self) -> None:
        self._will_flush = False
        if self._pg.status != ConnStatus.OK:
            self._lost(OperationalError("the connection is lost"))
            return
        check, self._check = self._check, None
        try:
            self._pg.pipeline_sync()
            self._under_way.append(Sync(check))
            self._flush()
        except Error as error:
            self._lost(error)

    def _flush(self) -> None:
        """Send what is buffered; a message too long for the socket goes on when there is room."""
        if self._pg.flush():
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._descriptor, self._writable)
        elif self._writing:
            self._writing = False
            self._loop.remove_writer(self._descriptor)

    def _writable(self) -> None:
        # While it sends, libpq takes in what arrives, and the loop is not told of that: look for answers here too.
        self._readable()

    # --- receiving

    def _readable(self) -> None:
        try:
            self._pg.consume_input()
            if self._writing:
                self._flush()
            self._receive()
            if self._pg.status != ConnStatus.OK:
                self._lost(OperationalError("the connection is lost"))
        except Exception as error:
            self._lost(error)

    def _receive(self) -> None:
        pg, under_way = self._pg, self._under_way
        while under_way and not pg.is_busy():
            result = pg.get_result()
            head = under_way[0]
            if type(head) is Sync:
                if result is None or result.status != ExecStatus.PIPELINE_SYNC:
                    raise OperationalError("the answer is not the one expected")
                under_way.popleft()
                self._answered(head)
            elif result is None:
                under_way.popleft()
                self._message.append(head)  # type: ignore[arg-type]
            else:
                self._received(head, result)  # type: ignore[arg-type]

    def _received(self, reply: Reply, result: PGresult) -> None:
        status = result.status
        if status in ANSWERS:
            reply.result = result
            if reply.settle is not None:
                reply.settle(True)
        elif status == ExecStatus.FATAL_ERROR or status == ExecStatus.PIPELINE_ABORTED:
            if status == ExecStatus.FATAL_ERROR:
                reply.error = error_from_result(result, encoding="utf-8")
            if reply.settle is not None:
                reply.settle(False)
        else:
            raise OperationalError("COPY is not spoken here")  # it would be offered again and again

    def _answered(self, sync: Sync) -> None:
        """A whole message has come: only now does anybody see what is in it."""
        replies, self._message = self._message, []
        if sync.check is not None:
            try:
                sync.check(any(reply.error is not None for reply in replies))
            except BaseException as error:
                # Logged here, because the end of a read-only transaction has nobody who waits for it.
                log.critical("a connection was given up", reason=repr(error))
                self._message = replies
                self._lost(error)
                return
        first: Error | None = None
        told = False  # whether the first error has been given to somebody
        for reply in replies:
            if first is None and reply.error is not None:
                first, told = reply.error, reply.wanted is not None
            wanted = reply.wanted
            if wanted is None or wanted.done():
                continue
            if reply.result is not None:
                wanted.set_result(reply.result)
            elif first is None or reply.error is not None:
                _refuse(wanted, reply.error or OperationalError("the statement was not run"))
            elif told:
                aborted = InFailedSqlTransaction("another statement of the transaction failed")
                aborted.__cause__ = first
                _refuse(wanted, aborted)
            else:
                told = True
                _refuse(wanted, first)

    def _lost(self, error: BaseException) -> None:
        alive = not self._loop.is_closed()
        if self._descriptor >= 0:
            if alive:
                with suppress(OSError):  # libpq may have closed the socket already; it is forgotten all the same
                    self._loop.remove_writer(self._descriptor)
                with suppress(OSError):
                    self._loop.remove_reader(self._descriptor)
            self._descriptor = -1
            self._pg.finish()
        waiting = [entry for entry in (*self._message, *self._under_way) if type(entry) is Reply]
        self._message.clear()
        self._under_way.clear()
        if type(error) is OperationalError:
            # The server's own last words say more than that it is gone.
            error = next((each.error for each in waiting if isinstance(each.error, OperationalError)), error)
        for entry in waiting:
            if alive and entry.wanted is not None and not entry.wanted.done():
                _refuse(entry.wanted, error)


def _refuse(wanted: asyncio.Future[PGresult], error: BaseException) -> None:
    wanted.set_exception(error)
    wanted.exception()  # whoever asked may have gone: that is no reason for a warning
