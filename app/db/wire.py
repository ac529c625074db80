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
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, Error, OperationalError, abc
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

Values = tuple[Sequence[bytes | None], Sequence[int]]
NO_VALUES: Values = ((), ())
MOST_PREPARED = 512  # statements of one connection; the least recently used one makes room
FEW_TENANTS = 40  # a connection that serves more shares its statements among them, or it would prepare all the time
Key = tuple[str, str]  # the schema on the path, and the text


class Reply:
    """A command under way. ``wanted`` is resolved with its result when the whole message has been answered."""

    __slots__ = ("error", "forget", "result", "wanted")

    def __init__(self, wanted: asyncio.Future[PGresult] | None, forget: Key | None = None) -> None:
        self.wanted = wanted
        self.forget = forget
        self.result: PGresult | None = None
        self.error: Error | None = None


class Sync:
    """The end of a message. ``check`` looks at the connection before anybody sees an answer, and may raise."""

    __slots__ = ("check",)

    def __init__(self, check: Callable[[], None] | None) -> None:
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
        self._numbers = 0
        self._under_way: deque[Reply | Sync] = deque()
        self._message: list[Reply] = []  # answered commands whose message is not answered yet
        self._will_flush = False
        self._writing = False
        self._check: Callable[[], None] | None = None
        self.transformer: abc.Transformer = Transformer.from_context(connection)  # turns parameters into bytes
        self._loop.add_reader(self._descriptor, self._readable)

    @property
    def closed(self) -> bool:
        """Whether the connection is lost or closed."""
        return self._pg.status != ConnStatus.OK

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
        """The state of the transaction, as far as answers have come."""
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

    def expect(self, check: Callable[[], None]) -> None:
        """Have ``check`` called when this turn's message has been answered; what it raises ends the connection."""
        self._check = check

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
        if self._pg.status != ConnStatus.OK:
            raise OperationalError("the connection is closed")
        data, formats = values
        if self._prepare:
            key = (owner if len(self.tenants) <= FEW_TENANTS else "", sql)
            name = self._prepared.get(key)
            if name is None:
                name = self._learn(key)
            else:
                self._prepared.move_to_end(key)
            self._pg.send_query_prepared(name, data, formats, result_format)
        else:
            self._pg.send_query_params(sql.encode(), data, None, formats, result_format)
        reply = Reply(wanted)
        self._under_way.append(reply)
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self._end_message)
        return reply

    def _learn(self, key: Key) -> bytes:
        if len(self._prepared) >= MOST_PREPARED:
            _, oldest = self._prepared.popitem(last=False)
            self._pg.send_query_params(b"DEALLOCATE " + oldest, None)
            self._under_way.append(Reply(None))
        self._numbers += 1
        name = b"s%d" % self._numbers
        self._prepared[key] = name
        self._pg.send_prepare(name, key[1].encode())
        self._under_way.append(Reply(None, forget=key))
        return name

    def _end_message(self) -> None:
        self._will_flush = False
        if self._pg.status != ConnStatus.OK:
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
        try:
            self._flush()
        except Error as error:
            self._lost(error)

    # --- receiving

    def _readable(self) -> None:
        pg, under_way = self._pg, self._under_way
        try:
            pg.consume_input()
            if self._writing:
                self._flush()
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
        except Exception as error:
            self._lost(error)

    def _received(self, reply: Reply, result: PGresult) -> None:
        if result.status == ExecStatus.FATAL_ERROR:
            reply.error = error_from_result(result, encoding="utf-8")
            if reply.forget is not None:
                self._prepared.pop(reply.forget, None)
        elif result.status == ExecStatus.PIPELINE_ABORTED:
            if reply.forget is not None:
                self._prepared.pop(reply.forget, None)
        else:
            reply.result = result

    def _answered(self, sync: Sync) -> None:
        """A whole message has come: only now does anybody see what is in it."""
        replies, self._message = self._message, []
        if sync.check is not None:
            try:
                sync.check()
            except BaseException as error:
                self._message = replies
                self._lost(error)
                return
        first: Error | None = None
        for reply in replies:
            first = first or reply.error
            wanted = reply.wanted
            if wanted is None or wanted.done():
                continue
            if reply.result is not None:
                wanted.set_result(reply.result)
            else:
                wanted.set_exception(reply.error or first or OperationalError("the statement was not run"))

    def _lost(self, error: BaseException) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            if self._writing:
                self._loop.remove_writer(self._descriptor)
            self._descriptor = -1
            self._pg.finish()
        waiting = [*self._message, *self._under_way]
        self._message.clear()
        self._under_way.clear()
        for entry in waiting:
            if type(entry) is Reply and entry.wanted is not None and not entry.wanted.done():
                entry.wanted.set_exception(error)
