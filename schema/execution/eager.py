"""Coroutines that run as far as they come by themselves before anybody waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import suppress
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
        while not self._is_done:
            yield from self._step()
        return self.result()

    def step(self) -> Step:
        """Awaited, it waits for what the coroutine waits for now, and lets it go on from there once."""
        return Step(self)

    def _step(self) -> Generator[Any, Any, None]:
        thrown: BaseException | None = None
        sent = None
        try:
            sent = yield self._first
        except BaseException as error:
            # Cancellation too: it belongs to the coroutine.
            thrown = error
        try:
            self._first = self._coroutine.send(sent) if thrown is None else self._coroutine.throw(thrown)
        except StopIteration as done:
            self._is_done, self._result = True, done.value
        except Exception as error:
            self._is_done, self._error = True, error

    def close(self) -> None:
        """End the coroutine where it is."""
        with suppress(RuntimeError):  # it waits for something while it cleans up, which nobody will drive any more
            self._coroutine.close()

    def __del__(self) -> None:
        self.close()


class Step:
    """One step of a coroutine that has begun."""

    __slots__ = ("_begun",)

    def __init__(self, begun: Started) -> None:
        self._begun = begun

    def __await__(self) -> Generator[Any, Any, None]:
        return self._begun._step()


async def in_turn(calls: Sequence[Callable[[], Coroutine[Any, Any, Any]]]) -> list[Any]:
    """Begin all, then wait for one after the other, as a rule without a task for each.

    For coroutines that use one resource which answers in order: what they ask of it is asked together. One that then
    waits for something else may wait for what a later one is to bring, so the rest go on as tasks. A cancellation
    closes those that were begun.
    """
    begun = [Started(call()) for call in calls]
    try:
        for number, each in enumerate(begun):
            if not each.is_done:
                await each.step()
                if not each.is_done:
                    await _at_once(begun[number:])
                    break
        return [each.result() for each in begun]
    except BaseException:
        for each in begun:
            each.close()
        raise


async def _at_once(begun: Sequence[Started]) -> None:
    tasks = [asyncio.ensure_future(_ended(each)) for each in begun]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _ended(begun: Started) -> None:
    while not begun.is_done:
        await begun.step()
