"""The batch form of a resolver: it receives all parents of a level at once and returns one value for each.

The compiled executor calls the function once per level. On the stock executor the same function serves a DataLoader,
made per operation, that collects the parents which are asked for in one turn of the loop.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import strawberry
from strawberry.dataloader import DataLoader


@dataclass(slots=True, frozen=True)
class Batch:
    """A batch function. ``in_turn``: such functions share one resource, so waiting for them in turn loses nothing."""

    function: Callable[..., Any]
    is_async: bool
    in_turn: bool


def batch_of(resolver: Any) -> Batch | None:
    """The batch function behind a resolver, if it is one."""
    found: Batch | None = getattr(resolver, "__batch__", None)
    return found


def batch(function: Callable[..., Any] | None = None, *, in_turn: bool = False, **options: Any) -> Any:
    """Declare a field by a function ``(parents, info, **arguments) -> list`` with one value, in order, per parent.

    The function's return annotation must be written ``list[T]``; ``T`` becomes the field's type. A value that is an
    exception is the error of that parent's field; an exception that is raised is the error of all of them. ``options``
    are those of ``strawberry.field``. Raises TypeError for another annotation.
    """
    if function is None:
        return partial(batch, in_turn=in_turn, **options)
    made = Batch(function, inspect.iscoroutinefunction(function), in_turn)
    signature = inspect.signature(function)
    _, *others = signature.parameters.values()
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)

    if made.is_async:

        async def load(self: Any, info: Any, **arguments: Any) -> Any:
            return await _loader(made, info, arguments).load(self)

        resolver: Any = load
    else:

        def call(self: Any, info: Any, **arguments: Any) -> Any:
            [value] = checked(function([self], info, **arguments), 1)
            if isinstance(value, Exception):
                raise value
            return value

        resolver = call
    resolver.__signature__ = signature.replace(
        parameters=[itself, *others], return_annotation=_one(signature.return_annotation)
    )
    resolver.__name__ = function.__name__
    resolver.__module__ = function.__module__
    resolver.__batch__ = made
    return strawberry.field(resolver=resolver, **options)


def checked(values: Any, count: int) -> list[Any]:
    """The values of a batch. Raises TypeError when there is not one for each parent."""
    found = list(values)
    if len(found) != count:
        raise TypeError(f"a batch resolver returned {len(found)} values for {count} parents")
    return found


def _one(annotation: Any) -> Any:
    if isinstance(annotation, str):
        text = annotation.strip()
        if text.startswith("list[") and text.endswith("]"):
            return text[5:-1]
    elif getattr(annotation, "__origin__", None) is list:
        return annotation.__args__[0]
    raise TypeError("a batch resolver's return annotation is list[T]")


def _loader(made: Batch, info: Any, arguments: dict[str, Any]) -> DataLoader[Any, Any]:
    # The helpers of an execution are bound to its executor, the one object that lives exactly as long.
    executor = info._raw_info.async_helpers.gather.__self__
    loaders: dict[Any, DataLoader[Any, Any]] = executor.__dict__.setdefault("batch_loaders", {})
    key = (made.function, info.path.typename, info.field_name, repr(arguments))
    if key not in loaders:

        async def load(parents: list[Any]) -> Sequence[Any]:
            return checked(await made.function(parents, info, **arguments), len(parents))

        loaders[key] = DataLoader(load, cache=False)
    return loaders[key]
