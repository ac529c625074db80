"""From a plan to Python: one generated coroutine function per selection, working on columns.

What is generated for ``modules { id title lessons { title } }`` reads like this::

    async def select_Module(operation, sources, frame):
        c0 = batch_now(operation, f0, sources, frame)
        c1 = []
        try:
            c1.extend(map(get1, sources))
        except Exception as error:
            resume(c1, get1, sources, error)
        if len(c1) != len(sources):
            resume(c1, get1, sources)
        c2 = await batch_later(operation, f2, sources, frame)
        c0 = fast0(c0) or await complete(operation, f0, s0, c0, FieldFrame(frame, 'id', 'Module'))
        c1 = fast1(c1) or await complete(operation, f1, s1, c1, FieldFrame(frame, 'title', 'Module'))
        c2 = await complete(operation, f2, s2, c2, FieldFrame(frame, 'lessons', 'Module'))
        found = [{'id': v0, 'title': v1, 'lessons': v2} for v0, v1, v2 in zip(c0, c1, c2)]
        if operation.broken:
            fail_objects(found, (c0, c1, c2))
        return found
"""

from __future__ import annotations

from functools import partial
from typing import Any

from schema.execution import runtime
from schema.execution.plan import FieldPlan, Selection, Wait, resolving
from schema.execution.resolvers import Strategy

TOOLS = {
    tool.__name__: tool
    for tool in (
        partial,
        runtime.FieldFrame,
        runtime.Failed,
        runtime.resume,
        runtime.call,
        runtime.batch_now,
        runtime.batch_later,
        runtime.settle,
        runtime.together,
        runtime.complete,
        runtime.fail_objects,
    )
}


def generate(selections: list[Selection]) -> None:
    """Give every selection its function."""
    for selection in selections:
        source, names = write(selection)
        code = compile(source, f"<selection of {selection.type.name}>", "exec")
        exec(code, names)  # noqa: S102 -- the text is made here, of numbers and literals; nothing of a client is in it
        selection.run = names["select"]


def write(selection: Selection) -> tuple[str, dict[str, Any]]:
    """The source of a selection's function, and the names it needs."""
    names: dict[str, Any] = dict(TOOLS)
    lines = ["async def select(operation, sources, frame):"]
    if not selection.fields:
        return "\n".join([*lines, "    return [{} for _ in sources]"]), names
    for number, plan in enumerate(selection.fields):
        names |= {
            f"f{number}": plan,
            f"s{number}": plan.shape,
            f"get{number}": plan.resolver.function,
            f"fast{number}": plan.shape.fast,
        }
    body = _serial(selection) if selection.serial else _level(selection)
    return "\n".join([*lines, *(f"    {line}" for line in body)]), names


def _level(selection: Selection) -> list[str]:
    numbered = list(enumerate(selection.fields))
    lines = [line for number, plan in numbered for line in _start(number, plan)]
    lines += _wait(numbered)
    lines += _complete(numbered)
    return lines + _gather(numbered)


def _serial(selection: Selection) -> list[str]:
    """Fields of a mutation: each with everything under it before the next; a failed one ends it all."""
    numbered = list(enumerate(selection.fields))
    lines = []
    for number, plan in numbered:
        lines += [*_start(number, plan), *_wait([(number, plan)]), *_complete([(number, plan)])]
        lines += [f"if type(c{number}[0]) is Failed:", f"    return c{number}"]
    return lines + _gather(numbered)


def _start(number: int, plan: FieldPlan) -> list[str]:
    """Resolve a field for all sources, or begin to."""
    match plan.resolver.strategy:
        case Strategy.TYPENAME:
            return [f"c{number} = [{plan.parent.name!r}] * len(sources)"]
        case Strategy.ATTRIBUTE | Strategy.METHOD:
            return [
                f"c{number} = []",
                "try:",
                f"    c{number}.extend(map(get{number}, sources))",
                "except Exception as error:",
                f"    resume(c{number}, get{number}, sources, error)",
                f"if len(c{number}) != len(sources):",
                f"    resume(c{number}, get{number}, sources)",
            ]
        case Strategy.BATCH if plan.resolver.is_async:
            return []
        case Strategy.BATCH:
            return [f"c{number} = batch_now(operation, f{number}, sources, frame)"]
        case _:
            return [f"c{number} = call(operation, f{number}, sources, frame)"]


def _wait(numbered: list[tuple[int, FieldPlan]]) -> list[str]:
    """Wait for what a level has to wait for: at once, or in turn where nothing is lost by it."""
    calls = [number for number, plan in numbered if plan.resolver.strategy == Strategy.CALL]
    batches = [(number, plan) for number, plan in numbered if plan.resolver.is_async]
    free = [number for number, plan in batches if resolving(plan) == Wait.FREELY]
    turns = [number for number, plan in batches if resolving(plan) == Wait.IN_TURN]
    started = {number: f"batch_later(operation, f{number}, sources, frame)" for number in (*free, *turns)}
    if not calls and len(started) <= 1:
        return [f"c{number} = await {text}" for number, text in started.items()]
    later = [f"partial(batch_later, operation, f{number}, sources, frame)" for number in turns]
    names = [f"c{number}" for number in (*free, *turns)]
    target = f"[{', '.join(names)}] = " if names else ""
    return [
        f"{target}await settle(operation, {_tuple([f'c{number}' for number in calls])},"
        f" {_tuple([started[number] for number in free])}, {_tuple(later)})"
    ]


def _complete(numbered: list[tuple[int, FieldPlan]]) -> list[str]:
    lines = []
    waiting = [plan.shape.wait for _, plan in numbered if plan.shape.wait > Wait.NEVER]
    at_once = len(waiting) > 1 and max(waiting) == Wait.FREELY
    later = []
    for number, plan in numbered:
        if plan.resolver.strategy == Strategy.TYPENAME:
            continue
        place = f"FieldFrame(frame, {plan.name!r}, {plan.parent.name!r})"
        text = f"complete(operation, f{number}, s{number}, c{number}, {place})"
        if at_once and plan.shape.wait > Wait.NEVER:
            later.append((number, text))
        elif plan.shape.fast is not None:
            lines.append(f"c{number} = fast{number}(c{number}) or await {text}")
        else:
            lines.append(f"c{number} = await {text}")
    if later:
        targets = ", ".join(f"c{number}" for number, _ in later)
        lines.append(f"[{targets}] = await together({_tuple([text for _, text in later])})")
    return lines


def _gather(numbered: list[tuple[int, FieldPlan]]) -> list[str]:
    """Columns become objects."""
    pairs = ", ".join(f"{plan.name!r}: v{number}" for number, plan in numbered)
    columns = _tuple([f"c{number}" for number, _ in numbered])
    if len(numbered) == 1:
        built = f"found = [{{{pairs}}} for v0 in c0]"
    else:
        values = ", ".join(f"v{number}" for number, _ in numbered)
        built = f"found = [{{{pairs}}} for {values} in zip{columns}]"
    return [built, "if operation.broken:", f"    fail_objects(found, {columns})", "return found"]


def _tuple(items: list[str]) -> str:
    return f"({', '.join(items)},)" if items else "()"
