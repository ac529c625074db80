"""When modules and lessons open: a small language of conditions, what is wrong with a rule, and circles among rules.

A rule is a group: ``{"require": "all" | "any" | "count", "count": n, "of": [condition, ...]}``. A condition is one of
``{"lesson": id}`` (done), ``{"module": id}`` (done), ``{"score": {"lesson": id, "percent": "80"}}``,
``{"date": "2026-05-01T12:00:00+00:00"}`` (not before), ``{"after": {"days": n, "lesson" | "module": id,
"time": "08:00", "zone": "America/Santiago"}}`` (so many days after that was done, or after the enrolment), or a group.
``app/learning/locks.py`` judges them; what a condition refers to and is no longer there is taken as met.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.catalog.rules import between, score
from app.identity.validators import Checks, time_zone

Rule = Mapping[str, Any]

DEPTH, CONDITIONS, DAYS = 4, 50, 3650
ZONE = "America/Santiago"  # where none is named
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def clean_rule(check: Checks, rule: Rule, lessons: Mapping[UUID, str], modules: Mapping[UUID, str]) -> dict[str, Any]:
    """A rule as it is kept; problems are noted in ``check`` under the client's paths.

    ``lessons`` and ``modules`` are those of the course, by id, with their titles.
    """
    if sum(1 for _ in conditions(rule)) > CONDITIONS:
        check.note("input.rules", "TOO_MANY", "may have at most {maximum} entries", maximum=CONDITIONS)
        return {}
    return _Cleaner(check, lessons, modules).group(rule, "input.rules", 1)


def conditions(rule: Rule) -> Iterator[Rule]:
    """Every condition of a rule, those inside groups and the groups too."""
    for condition in rule["of"]:
        yield condition
        if "require" in condition:
            yield from conditions(condition)


class _Cleaner:
    def __init__(self, check: Checks, lessons: Mapping[UUID, str], modules: Mapping[UUID, str]) -> None:
        self._check = check
        self._lessons = lessons
        self._modules = modules

    def group(self, rule: Rule, path: str, depth: int) -> dict[str, Any]:
        if depth > DEPTH:
            self._check.note(path, "RULES_TOO_DEEP", "has groups inside groups more than {maximum} deep", maximum=DEPTH)
            return {}
        kept = [self.condition(each, f"{path}.conditions.{number}", depth) for number, each in enumerate(rule["of"])]
        if not kept:
            self._check.note(f"{path}.conditions", "TOO_SHORT", "must not be empty")
        made: dict[str, Any] = {"require": rule["require"], "of": kept}
        if rule["require"] == "count":
            made["count"] = self._check(
                f"{path}.count", between, rule.get("count") or 0, minimum=1, maximum=max(1, len(kept))
            )
        return made

    def condition(self, rule: Rule, path: str, depth: int) -> dict[str, Any]:
        if "require" in rule:
            return self.group(rule, f"{path}.group", depth + 1)
        [(kind, value)] = rule.items()
        match kind:
            case "lesson":
                return {"lesson": self._known(value, self._lessons, f"{path}.lessonDone")}
            case "module":
                return {"module": self._known(value, self._modules, f"{path}.moduleDone")}
            case "score":
                percent: Decimal = self._check(f"{path}.minScore.percent", score, value["percent"])
                lesson = self._known(value["lesson"], self._lessons, f"{path}.minScore.lessonId")
                return {"score": {"lesson": lesson, "percent": str(percent)}}
            case "date":
                moment: datetime = value
                return {"date": moment.astimezone(UTC).isoformat()}
            case _:
                return {"after": self._after(value, f"{path}.daysAfter")}

    def _after(self, value: Rule, path: str) -> dict[str, Any]:
        made: dict[str, Any] = {"days": self._check(f"{path}.days", between, value["days"], minimum=0, maximum=DAYS)}
        if value.get("lesson") and value.get("module"):
            self._check.note(path, "CHOICE_INVALID", "name a lesson or a module, not both")
        for kind, known in (("lesson", self._lessons), ("module", self._modules)):
            if value.get(kind):
                made[kind] = self._known(value[kind], known, f"{path}.{kind}Id")
        time, zone = value.get("time"), value.get("zone")
        if time is not None:
            if not _TIME.fullmatch(time):
                self._check.note(f"{path}.timeOfDay", "TIME_INVALID", "is not a time of day; write it like 08:30")
            made["time"] = time
            made["zone"] = zone or ZONE
        if zone is not None:
            self._check(f"{path}.timeZone", time_zone, zone)
        return made

    def _known(self, key: UUID, known: Mapping[UUID, str], path: str) -> str:
        if key not in known:
            self._check.note(path, "ID_INVALID", "this identifier is not valid here")
        return str(key)


def references(rule: Rule | None) -> Iterator[tuple[str, UUID]]:
    """What a rule waits for: ``("lesson" | "module", id)``."""
    for condition in () if rule is None else conditions(rule):
        target = condition.get("score") or condition.get("after") or condition
        for kind in ("lesson", "module"):
            if kind in target:
                yield kind, UUID(target[kind])


def find_circle(
    module_rules: Mapping[UUID, Rule | None], lesson_rules: Mapping[UUID, tuple[UUID, Rule | None]]
) -> list[tuple[str, UUID]]:
    """P6: a way from something back to itself along what it waits for; empty when there is none.

    ``module_rules``: of every module; ``lesson_rules``: of every lesson its module and its rule. A lesson waits for
    what its module waits for as well, and a module is done by its lessons.
    """
    waits: dict[tuple[str, UUID], list[tuple[str, UUID]]] = {}
    opens = {key: [*references(rule)] for key, rule in module_rules.items()}
    for key in module_rules:
        waits["module", key] = []
    for key, (module, rule) in lesson_rules.items():
        waits["lesson", key] = [*references(rule), *opens.get(module, ())]
        waits.setdefault(("module", module), []).append(("lesson", key))
    return _circle(waits)


def _circle(waits: Mapping[tuple[str, UUID], Sequence[tuple[str, UUID]]]) -> list[tuple[str, UUID]]:
    done: set[tuple[str, UUID]] = set()
    for start in waits:
        way: list[tuple[str, UUID]] = []
        on_way: set[tuple[str, UUID]] = set()
        todo: list[tuple[tuple[str, UUID], bool]] = [(start, False)]
        while todo:
            node, is_left = todo.pop()
            if is_left:
                way.pop()
                on_way.discard(node)
                done.add(node)
            elif node in on_way:
                return [*way[way.index(node) :], node]
            elif node not in done:
                way.append(node)
                on_way.add(node)
                todo.append((node, True))
                todo.extend((each, False) for each in waits.get(node, ()))
    return []


def moved(rule: Rule | None, made: Mapping[UUID, UUID]) -> dict[str, Any] | None:
    """A rule of a copied course, about the copies."""
    if rule is None:
        return None

    def moved_value(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                name: str(made.get(UUID(each), UUID(each))) if name in {"lesson", "module"} else moved_value(each)
                for name, each in value.items()
            }
        return [moved_value(each) for each in value] if isinstance(value, list) else value

    result: dict[str, Any] = moved_value(rule)
    return result
