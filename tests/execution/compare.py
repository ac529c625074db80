"""Both executors on one operation, and what may and may not differ between their answers.

Data must be equal, and so must locations and extensions of the errors that both tell. Which error is told where
several would null the same place depends on timing on either executor, so errors are compared through the full set
that the stock executor gives with error propagation switched off.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionResult

# For tests in which the stock executor drops coroutines; that the compiled one drops none has tests of its own.
forgiving = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine .* was never awaited:RuntimeWarning"
)

Errors = set[tuple[str, tuple[str | int, ...]]]


def told(result: ExecutionResult) -> Errors:
    """Message and path of every error."""
    return {(error.message, tuple(error.path or ())) for error in result.errors or []}


def details(result: ExecutionResult) -> dict[tuple[str, tuple[str | int, ...]], list[str]]:
    """Locations and extensions of every error, by message and path."""
    found: dict[tuple[str, tuple[str | int, ...]], list[str]] = {}
    for error in result.errors or []:
        place = (error.message, tuple(error.path or ()))
        found.setdefault(place, []).append(f"{error.locations} {error.extensions}")
    return {place: sorted(each) for place, each in found.items()}


def nulled(data: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """The first null on the way along a path."""
    for length, key in enumerate(path):
        if data is None:
            return path[:length]
        if isinstance(data, dict) and key not in data:
            return None  # an error that says that it happened elsewhere
        data = data[key]
    return path if data is None else None


def differences(stock: ExecutionResult, mine: ExecutionResult, possible: Errors) -> list[str]:
    """What the compiled executor did that the stock one could not have done."""
    found = []
    if stock.data != mine.data:
        found.append(f"data: {stock.data} != {mine.data}")
        return found
    if isinstance(stock.data, dict) and isinstance(mine.data, dict) and list(stock.data) != list(mine.data):
        found.append(f"order: {list(stock.data)} != {list(mine.data)}")
    ours, theirs = told(mine), told(stock)
    if bool(ours) != bool(theirs):
        found.append(f"errors: {theirs} != {ours}")
    found += [f"impossible error: {error}" for error in ours - theirs - possible]
    for one, other, name in ((theirs, ours, "missing"), (ours, theirs, "additional")):
        places = {nulled(stock.data, path) for _, path in other}
        for message, path in one - other:
            place = nulled(stock.data, path)
            if place is None or place == path or place not in places:
                found.append(f"{name}: {message} at {path}")
    stock_details, my_details = details(stock), details(mine)
    for error in stock_details.keys() & my_details.keys():
        if stock_details[error] != my_details[error]:
            found.append(f"details of {error}: {stock_details[error]} != {my_details[error]}")
    return found


class Lenient(StrawberryGraphQLCoreExecutionContext):
    """The stock executor with every error where it happened: nothing travels up, so all errors there are are told."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.error_propagation = False


def forget_dropped() -> None:
    """Collect what was dropped, silently."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda _: None)
        gc.collect()
