"""Coroutines that are begun together and waited for in turn."""

from __future__ import annotations

import asyncio

import pytest

from schema.execution.eager import Started, in_turn


async def test_one_that_waits_for_what_a_later_one_brings_is_not_waited_for_alone() -> None:
    loop = asyncio.get_running_loop()
    first, second, brought = loop.create_future(), loop.create_future(), loop.create_future()

    async def takes() -> str:
        await first
        return f"took {await brought}"

    async def brings() -> str:
        brought.set_result(await second)
        return "brought"

    loop.call_soon(first.set_result, None)
    loop.call_later(0.01, second.set_result, "it")
    async with asyncio.timeout(2):
        assert await in_turn([takes, brings]) == ["took it", "brought"]


async def test_those_that_wait_once_need_no_task() -> None:
    loop = asyncio.get_running_loop()
    answers = [loop.create_future() for _ in range(3)]
    for number, answer in enumerate(answers):
        loop.call_soon(answer.set_result, number)

    async def wait(number: int) -> int:
        found: int = await answers[number]
        return found

    before = len(asyncio.all_tasks())
    assert await in_turn([lambda: wait(0), lambda: wait(1), lambda: wait(2)]) == [0, 1, 2]
    assert len(asyncio.all_tasks()) == before


async def test_the_first_error_is_raised_and_the_others_are_ended() -> None:
    ended = []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError("gone")

    async def goes_on() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    with pytest.raises(KeyError):
        await asyncio.wait_for(in_turn([fails, fails]), 2)

    async def cancelled() -> None:
        await in_turn([goes_on, goes_on])

    task = asyncio.create_task(cancelled())
    await asyncio.sleep(0)
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    assert ended == [True, True]


async def test_a_cancelled_one_may_still_clean_up() -> None:
    cleaned = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    task = asyncio.create_task(in_turn([tidy, tidy]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned


async def test_a_coroutine_that_needs_no_waiting_is_done_when_begun() -> None:
    async def now() -> int:
        return 1

    begun = Started(now())
    assert begun.is_done
    assert await begun == 1
