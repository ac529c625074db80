"""Coroutines that run as far as they come by themselves before anybody waits for them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any


class Started:
    """A coroutine that has begun. Awaited once, it gives its result at once if it has it, else when it comes."""

    __slots__ = ("_coroutine", "_error", "_first", "_is_done", "_result")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._is_done = False
        self._result: Any = None
        self._error: BaseException | None = None
        try:
            self._first = coroutine.send(None)
        except StopIteration as done:
            self._is_done, self._result = True, done.value
        except Exception as error:
            self._is_done, self._error = True, error

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to wait for."""
        return self._is_done

    def result(self) -> Any:
        """What a coroutine that is done has returned; raises what it has raised."""
        if self._error is not None:
            raise self._error
        return self._result

    def __await__(self) -> Generator[Any, Any, Any]:
        if self._is_done:
            return self.result()
        waiting = self._first
        while True:
            thrown: BaseException | None = None
            sent = None
            try:
                sent = yield waiting
            except BaseException as error:
                # Cancellation too: it belongs to the coroutine.
                thrown = error
            try:
                waiting = self._coroutine.send(sent) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration as done:
                return done.value

    def __del__(self) -> None:
        self._coroutine.close()


async def in_turn(calls: Sequence[Callable[[], Coroutine[Any, Any, Any]]]) -> list[Any]:
    """Begin all, then wait for one after the other, without a task for each.

    For coroutines that use one resource which answers in order: what they ask of it is asked together. A cancellation
    closes those that were begun.
    """
    begun = [Started(call()) for call in calls]
    return [await each for each in begun]
