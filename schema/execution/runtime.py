"""What generated code calls: levels of values, their paths, their errors.

A level is a column: one value for each parent, in order. Work is done per column; single cells are looked at only
where a column holds something unusual. Paths are not kept but found again, through the frames, when an error or a
resolver needs one.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import accumulate, chain, islice
from typing import Any

from graphql import ExecutionResult, GraphQLError, Undefined, located_error
from graphql.execution import Executor
from graphql.execution.executor import invalid_return_type_error
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path, inspect, is_iterable
from strawberry.schema.schema_converter import get_arguments

from schema.execution.batching import checked
from schema.execution.eager import in_turn
from schema.execution.leaves import NOTHING, ORDINARY, Column, never_awaitable
from schema.execution.plan import FieldPlan, Selection, Shape

LISTS = frozenset({list, tuple})


class Failed:
    """Stands for a value that must not be null but is: the error travels up to the next place that may be."""

    __slots__ = ("error",)

    def __init__(self, error: GraphQLError) -> None:
        self.error = error


class Frame:
    """Where the values of a column are in the response. The root's has no path."""

    __slots__ = ()

    def path(self, index: int) -> Any:
        """The path of one value: graphql-core's ``Path``, None at the root."""
        return None


class FieldFrame(Frame):
    """Values of a field of each object of a column."""

    __slots__ = ("_key", "_objects", "_typename")

    def __init__(self, objects: Frame, key: str, typename: str) -> None:
        self._objects = objects
        self._key = key
        self._typename = typename

    def path(self, index: int) -> Path:
        return Path(self._objects.path(index), self._key, self._typename)


class ItemFrame(Frame):
    """Items of the lists of a column, one list after the other."""

    __slots__ = ("_counts", "_ends", "_lists")

    def __init__(self, lists: Frame, counts: Sequence[int]) -> None:
        self._lists = lists
        self._counts = counts
        self._ends: list[int] | None = None

    def path(self, index: int) -> Path:
        if self._ends is None:
            self._ends = list(accumulate(self._counts))
        which = bisect_right(self._ends, index)
        start = self._ends[which - 1] if which else 0
        return Path(self._lists.path(which), index - start, None)


class PickedFrame(Frame):
    """Some values of a column."""

    __slots__ = ("_frame", "_positions")

    def __init__(self, frame: Frame, positions: Sequence[int]) -> None:
        self._frame = frame
        self._positions = positions

    def path(self, index: int) -> Any:
        return self._frame.path(self._positions[index])


class Operation:
    """One execution: its executor, and the errors that found a place that may be null."""

    __slots__ = ("broken", "errors", "executor", "is_awaitable")

    def __init__(self, executor: Executor[Any]) -> None:
        self.executor = executor
        self.is_awaitable = executor.is_awaitable
        self.errors: list[GraphQLError] = []
        self.broken = False

    def may_wait(self, kinds: set[type]) -> bool:
        """Whether a value of one of these types could have to be awaited."""
        return not kinds <= ORDINARY and not all(map(never_awaitable, kinds))

    def fail(self, plan: FieldPlan, shape: Shape, error: Exception, frame: Frame, index: int) -> Failed | None:
        """Report an error at a value: null if that may be, else something that must travel further up."""
        failed = self.failed(plan, error, frame, index)
        if not shape.nullable:
            return failed
        self.absorb(failed)
        return None

    def failed(self, plan: FieldPlan, error: Exception, frame: Frame, index: int) -> Failed:
        """An error at a value that knows where it happened, on its way up."""
        path = frame.path(index)
        self.broken = True
        return Failed(located_error(error, plan.nodes, path.as_list() if path is not None else []))

    def absorb(self, failed: Failed) -> None:
        """An error arrives at a place that may be null; of several beneath one place, the first one does."""
        self.errors.append(failed.error)


async def execute(executor: Executor[Any], root: Selection) -> ExecutionResult:
    """Run a compiled operation."""
    operation = Operation(executor)
    run = root.run
    if run is None:
        raise RuntimeError("the selection was not compiled")
    [data] = await run(operation, [executor.root_value], Frame())
    if type(data) is Failed:
        operation.absorb(data)
        data = None
    return ExecutionResult(data, operation.errors or None)


# --- resolving a field for all parents of a level


def resume(column: Column, function: Callable[[Any], Any], sources: list[Any], error: Exception | None = None) -> None:
    """Go on with a column after the call for its next cell raised; the exception takes that cell's place.

    Without an exception the call is made again: it raised StopIteration, which ends a ``map`` and says nothing.
    """
    if error is not None:
        column.append(error)
    for source in sources[len(column) :]:
        try:
            column.append(function(source))
        except Exception as other:
            column.append(other)


def call(operation: Operation, plan: FieldPlan, sources: list[Any], frame: Frame) -> Column:
    """Call the stock resolver for each parent; cells may be awaitables and exceptions."""
    executor = operation.executor
    resolve = plan.definition.resolve or executor.field_resolver
    places = FieldFrame(frame, plan.name, plan.parent.name)
    column: Column = []
    arguments: dict[str, Any] | None = None
    for index, source in enumerate(sources):
        info = executor.build_resolve_info(plan.definition, plan.nodes, plan.parent, places.path(index))
        try:
            if arguments is None or not ORDINARY_ARGUMENTS.issuperset(map(type, arguments.values())):
                arguments = _arguments(executor, plan)
            column.append(resolve(source, info, **arguments))
        except Exception as error:
            column.append(error)
    return column


ORDINARY_ARGUMENTS = frozenset({str, int, float, bool, NOTHING})


def _arguments(executor: Executor[Any], plan: FieldPlan) -> dict[str, Any]:
    if not plan.definition.args:
        return {}
    return get_argument_values(
        plan.definition, plan.nodes[0], executor.variable_values, None, executor.hide_suggestions
    )


def _batch_call(operation: Operation, plan: FieldPlan, sources: list[Any], frame: Frame) -> Any:
    executor, resolver = operation.executor, plan.resolver
    field, converter = resolver.field, resolver.converter
    if resolver.function is None or field is None or converter is None:
        raise RuntimeError("not a batch resolver")
    path = FieldFrame(frame, plan.name, plan.parent.name).path(0)
    raw = executor.build_resolve_info(plan.definition, plan.nodes, plan.parent, path)
    info = converter.config.info_class(_raw_info=raw, _field=field)
    if not plan.definition.args:
        return resolver.function(sources, info)
    _, given = get_arguments(
        field=field,
        source=sources[0],
        info=info,
        kwargs=_arguments(executor, plan),
        config=converter.config,
        scalar_registry=converter.scalar_registry,
    )
    return resolver.function(sources, **given)


def batch_now(operation: Operation, plan: FieldPlan, sources: list[Any], frame: Frame) -> Column:
    """Call a plain batch resolver; one that raises has failed for every parent."""
    try:
        return checked(_batch_call(operation, plan, sources, frame), len(sources))
    except Exception as error:
        return [error] * len(sources)


async def batch_later(operation: Operation, plan: FieldPlan, sources: list[Any], frame: Frame) -> Column:
    """Call a batch resolver that has to be awaited."""
    try:
        return checked(await _batch_call(operation, plan, sources, frame), len(sources))
    except Exception as error:
        return [error] * len(sources)


async def settle(
    operation: Operation,
    columns: Sequence[Column],
    free: Sequence[Awaitable[Column]],
    turns: Sequence[Callable[[], Coroutine[Any, Any, Column]]],
) -> list[Column]:
    """Wait at once for the awaitable cells of columns and for batches; cells are replaced, batches returned."""
    cells = [
        (column, index)
        for column in columns
        if operation.may_wait(set(map(type, column)))
        for index, value in enumerate(column)
        if operation.is_awaitable(value)
    ]
    waiting: list[Awaitable[Any]] = [column[index] for column, index in cells]
    waiting.extend(free)
    if turns:
        waiting.append(in_turn(turns))
    results: list[Any] = await all_of(waiting)
    for (column, index), result in zip(cells, results, strict=False):
        column[index] = result
    batches = results[len(cells) :]
    return [*batches[: len(free)], *batches[-1]] if turns else batches


async def all_of(waiting: Sequence[Awaitable[Any]]) -> list[Any]:
    """The results of all, with exceptions in their places; a cancellation goes through."""
    if not waiting:
        return []  # without asking for an event loop, which need not be there
    if len(waiting) == 1:
        try:
            return [await waiting[0]]
        except Exception as error:
            return [error]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Exception):
            raise result
    return list(results)


async def together(completions: Sequence[Awaitable[Column]]) -> list[Column]:
    """Complete several fields at once. They report their own errors: what is raised here ends the operation."""
    tasks = [asyncio.ensure_future(each) for each in completions]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


# --- completing a column of values


async def complete(operation: Operation, plan: FieldPlan, shape: Shape, column: Column, frame: Frame) -> Column:
    """The response values of a column: data, null, or Failed where null may not be."""
    if not column:
        return column
    if shape.fast is not None and (done := shape.fast(column)) is not None:
        return done
    kinds = set(map(type, column))
    if operation.may_wait(kinds) and any(operation.is_awaitable(value) for value in column):
        column = await _settled(operation, column)
        kinds = set(map(type, column))
    if shape.coerce is not None:
        return _leaves(operation, plan, shape, column, frame)
    positions, values, done = _sift(operation, plan, shape, column, frame, kinds)
    places = frame if positions is None else PickedFrame(frame, positions)
    if not values:
        return done
    if shape.item is not None:
        found = await _lists(operation, plan, shape.item, values, places)
    elif shape.abstract is not None:
        found = await _abstract(operation, plan, shape, values, places)
    else:
        found = await _objects(operation, plan, shape.selection, values, places)
    if operation.broken and shape.nullable:
        for index, value in enumerate(found):
            if type(value) is Failed:
                operation.absorb(value)
                found[index] = None
    if positions is None:
        return found
    for position, value in zip(positions, found, strict=True):
        done[position] = value
    return done


async def _settled(operation: Operation, column: Column) -> Column:
    copy = list(column)
    await settle(operation, [copy], (), ())
    return copy


def _leaves(operation: Operation, plan: FieldPlan, shape: Shape, column: Column, frame: Frame) -> Column:
    done: Column = []
    for index, value in enumerate(column):
        try:
            done.append(_leaf(plan, shape, value))
        except Exception as error:
            done.append(operation.fail(plan, shape, error, frame, index))
    return done


def _leaf(plan: FieldPlan, shape: Shape, value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    if value is None or value is Undefined:
        if shape.nullable:
            return None
        raise _null(plan)
    if shape.coerce is None:
        raise RuntimeError("not a leaf")
    made = shape.coerce(value)
    if made is None or made is Undefined:
        kind: Any = shape.type if shape.nullable else shape.type.of_type  # type: ignore[union-attr]
        raise TypeError(
            f"Expected `{inspect(kind)}.coerce_output_value({inspect(value)})` to return non-nullable value,"
            f" returned: {inspect(made)}"
        )
    return made


def _null(plan: FieldPlan) -> TypeError:
    return TypeError(f"Cannot return null for non-nullable field {plan.parent}.{plan.nodes[0].name.value}.")


def _sift(
    operation: Operation, plan: FieldPlan, shape: Shape, column: Column, frame: Frame, kinds: set[type]
) -> tuple[list[int] | None, list[Any], Column]:
    """Take nulls and exceptions out of a column: positions and values of the rest, and a column with what they give.

    Positions are None when nothing had to be taken out.
    """
    if NOTHING not in kinds and not any(issubclass(kind, Exception) or kind is type(Undefined) for kind in kinds):
        return None, column, []
    positions: list[int] = []
    values: Column = []
    done: Column = [None] * len(column)
    for index, value in enumerate(column):
        if isinstance(value, Exception):
            done[index] = operation.fail(plan, shape, value, frame, index)
        elif value is None or value is Undefined:
            if not shape.nullable:
                done[index] = operation.fail(plan, shape, _null(plan), frame, index)
        else:
            positions.append(index)
            values.append(value)
    return positions, values, done


async def _lists(operation: Operation, plan: FieldPlan, item: Shape, values: Column, frame: Frame) -> Column:
    errors: dict[int, Exception] = {}
    if not LISTS.issuperset(map(type, values)):
        values = list(values)
        for index, value in enumerate(values):
            try:
                values[index] = await _items(operation, plan, value)
            except Exception as error:
                errors[index] = error
                values[index] = ()
    counts = list(map(len, values))
    done = iter(await complete(operation, plan, item, list(chain.from_iterable(values)), ItemFrame(frame, counts)))
    found: Column = [list(islice(done, count)) for count in counts]
    if operation.broken and not item.nullable:
        for index, items in enumerate(found):
            failed = next((each for each in items if type(each) is Failed), None)
            if failed is not None:
                found[index] = failed
    for index, problem in errors.items():
        found[index] = operation.failed(plan, problem, frame, index)
    return found


async def _items(operation: Operation, plan: FieldPlan, value: Any) -> list[Any]:
    if operation.executor.is_async_iterable(value):
        return [item async for item in value]
    if not is_iterable(value):
        raise GraphQLError(
            f"Expected Iterable, but did not find one for field '{plan.parent}.{plan.nodes[0].name.value}'."
        )
    return list(value)


async def _objects(operation: Operation, plan: FieldPlan, selection: Selection, values: Column, frame: Frame) -> Column:
    is_type_of = selection.type.is_type_of
    if is_type_of is not None and not _all_made_for(selection, values):
        return await _checked_objects(operation, plan, selection, values, frame)
    if selection.run is None:
        raise RuntimeError("the selection was not compiled")
    return await selection.run(operation, values, frame)


def _all_made_for(selection: Selection, values: Column) -> bool:
    """Whether all values are plain instances of the class that the type was made from."""
    definition: Any = selection.type.extensions.get("strawberry-definition")
    origin = getattr(definition, "origin", None)
    return origin is not None and definition.is_type_of is None and {origin}.issuperset(map(type, values))


async def _checked_objects(
    operation: Operation, plan: FieldPlan, selection: Selection, values: Column, frame: Frame
) -> Column:
    executor, check = operation.executor, selection.type.is_type_of
    if check is None or selection.run is None:
        raise RuntimeError("nothing to check")
    answers: Column = []
    for index, value in enumerate(values):
        info = executor.build_resolve_info(plan.definition, plan.nodes, plan.parent, frame.path(index))
        try:
            answers.append(check(value, info))
        except Exception as error:
            answers.append(error)
    if any(operation.is_awaitable(answer) for answer in answers):
        answers = await _settled(operation, answers)
    found: Column = [None] * len(values)
    good = []
    for index, answer in enumerate(answers):
        if isinstance(answer, Exception):
            found[index] = operation.failed(plan, answer, frame, index)
        elif not answer:
            problem = invalid_return_type_error(selection.type, values[index], plan.details)
            found[index] = operation.failed(plan, problem, frame, index)
        else:
            good.append(index)
    if good:
        done = await selection.run(operation, [values[index] for index in good], PickedFrame(frame, good))
        for index, value in zip(good, done, strict=True):
            found[index] = value
    return found


async def _abstract(operation: Operation, plan: FieldPlan, shape: Shape, values: Column, frame: Frame) -> Column:
    executor, abstract = operation.executor, shape.abstract
    if abstract is None:
        raise RuntimeError("not abstract")
    resolve = abstract.resolve_type or executor.type_resolver
    names: Column = []
    infos: list[Any] = []
    for index, value in enumerate(values):
        info = executor.build_resolve_info(plan.definition, plan.nodes, plan.parent, frame.path(index))
        infos.append(info)
        try:
            names.append(resolve(value, info, abstract))
        except Exception as error:
            names.append(error)
    if any(operation.is_awaitable(name) for name in names):
        names = await _settled(operation, names)
    groups: dict[str, list[int]] = {}
    found: Column = [None] * len(values)
    for index, name in enumerate(names):
        try:
            if isinstance(name, Exception):
                raise name
            kind = executor.ensure_valid_runtime_type(name, abstract, plan.details, infos[index], values[index])
            groups.setdefault(kind.name, []).append(index)
        except Exception as error:
            found[index] = operation.failed(plan, error, frame, index)
    for name, members in groups.items():
        chosen = [values[index] for index in members]
        done = await _objects(operation, plan, shape.selections[name], chosen, PickedFrame(frame, members))
        for index, value in zip(members, done, strict=True):
            found[index] = value
    return found


def fail_objects(objects: Column, columns: Sequence[Column]) -> None:
    """An object with a field that must not be null but is has failed with it: the first such field's error."""
    for index in range(len(objects)):
        for column in columns:
            if type(column[index]) is Failed:
                objects[index] = column[index]
                break
