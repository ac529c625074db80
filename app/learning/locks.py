"""Which modules and lessons are open to a learner, and what the others wait for: pure functions of facts (P1, P6).

What was begun or done is never locked (again), whatever its rules say now. What a rule refers to and is no longer there
counts as met. ``app/catalog/release.py`` has the language of the rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.i18n import message
from app.learning.rules import LessonState, course_percent

LESSON_REQUIRED = message("complete the lesson “{title}” first")
MODULE_REQUIRED = message("complete the module “{title}” first")
SCORE_REQUIRED = message("reach {percent} % in the lesson “{title}” first")
NOT_YET = message("opens on {date}")
AFTER_LESSON = message("opens {days} days after you complete the lesson “{title}”")
AFTER_MODULE = message("opens {days} days after you complete the module “{title}”")
SOME_OF = message("{count} of what follows is enough")


@dataclass(slots=True, eq=False)
class ModuleFact:
    """A module there is, and its rules."""

    id: UUID
    course_id: UUID
    title: str
    rules: dict[str, Any] | None
    requirement_count: int | None


@dataclass(slots=True, eq=False)
class LessonFact:
    """A lesson there is, and how the learner stands in it; ``counted`` is its weight, 0 for an optional one."""

    id: UUID
    course_id: UUID
    module_id: UUID
    title: str
    rules: dict[str, Any] | None
    counted: int
    started_at: datetime | None
    completed_at: datetime | None
    score: Decimal | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that is missing: a code, a sentence, and the lessons and modules it is about."""

    code: str
    message: str
    params: Mapping[str, object] = field(default_factory=dict)
    lesson_id: UUID | None = None
    module_id: UUID | None = None
    unlocks_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Open when there are no reasons. ``unlocks_at``: when it opens by itself, if it does."""

    reasons: tuple[Reason, ...] = ()
    unlocks_at: datetime | None = None

    @property
    def is_locked(self) -> bool:
        return bool(self.reasons)


OPEN = Verdict()


@dataclass(frozen=True, slots=True)
class ModuleStanding:
    """Where a learner is in a module."""

    state: LessonState
    percent: int
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class CourseLocks:
    """What is open of a course to one learner."""

    lessons: Mapping[UUID, Verdict]
    modules: Mapping[UUID, Verdict]
    standings: Mapping[UUID, ModuleStanding]
    order: Sequence[LessonFact]


def judge(
    modules: Sequence[ModuleFact], lessons: Sequence[LessonFact], enrolled_at: datetime, now: datetime
) -> CourseLocks:
    """Judge a whole course, whose modules and lessons come in order."""
    inside: dict[UUID, list[LessonFact]] = defaultdict(list)
    for lesson in lessons:
        inside[lesson.module_id].append(lesson)
    judging = _Judging({row.id: row for row in lessons}, {row.id: row for row in modules}, inside, enrolled_at, now)
    of_modules, standings = {}, {}
    for module in modules:
        begun = any(row.started_at or row.completed_at for row in inside[module.id])
        verdict = OPEN if module.rules is None or begun else judging.group(module.rules)
        of_modules[module.id] = verdict
        standings[module.id] = judging.standing(module, verdict, begun=begun)
    of_lessons = {}
    for lesson in lessons:
        if lesson.started_at or lesson.completed_at:
            of_lessons[lesson.id] = OPEN
            continue
        own = OPEN if lesson.rules is None else judging.group(lesson.rules)
        of_lessons[lesson.id] = _both(of_modules.get(lesson.module_id, OPEN), own)
    return CourseLocks(of_lessons, of_modules, standings, lessons)


def _both(one: Verdict, other: Verdict) -> Verdict:
    unmet = [verdict for verdict in (one, other) if verdict.is_locked]
    return Verdict((*one.reasons, *other.reasons), _latest(unmet))


def _latest(unmet: Iterable[Verdict]) -> datetime | None:
    moments = [verdict.unlocks_at for verdict in unmet]
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None


class _Judging:
    def __init__(
        self,
        lessons: Mapping[UUID, LessonFact],
        modules: Mapping[UUID, ModuleFact],
        inside: Mapping[UUID, Sequence[LessonFact]],
        enrolled_at: datetime,
        now: datetime,
    ) -> None:
        self._lessons = lessons
        self._modules = modules
        self._inside = inside
        self._enrolled_at = enrolled_at
        self._now = now

    def standing(self, module: ModuleFact, verdict: Verdict, *, begun: bool) -> ModuleStanding:
        """P1: completed when enough of its required lessons are; a module without any is never completed."""
        required = [row for row in self._inside.get(module.id, ()) if row.counted]
        done = [row for row in required if row.completed_at]
        needed = min(module.requirement_count or len(required), len(required))
        if module.requirement_count is None:
            percent = course_percent(sum(row.counted for row in done), sum(row.counted for row in required))
        else:
            percent = course_percent(min(len(done), needed), needed)
        if required and len(done) >= needed:
            state = LessonState.COMPLETED
        elif verdict.is_locked:
            state = LessonState.LOCKED
        else:
            state = LessonState.STARTED if begun else LessonState.UNLOCKED
        return ModuleStanding(state, percent, self._done_at(module))

    def _done_at(self, module: ModuleFact) -> datetime | None:
        required = [row for row in self._inside.get(module.id, ()) if row.counted]
        needed = min(module.requirement_count or len(required), len(required))
        moments = sorted(row.completed_at for row in required if row.completed_at)
        return moments[needed - 1] if 0 < needed <= len(moments) else None

    def group(self, rule: Mapping[str, Any]) -> Verdict:
        verdicts = [self._condition(each) for each in rule["of"]]
        unmet = [verdict for verdict in verdicts if verdict.is_locked]
        need = {"all": len(verdicts), "any": 1}.get(rule["require"], rule.get("count", 1))
        missing = need - (len(verdicts) - len(unmet))
        if missing <= 0:
            return OPEN
        reasons = tuple(reason for verdict in unmet for reason in verdict.reasons)
        if missing == len(unmet):
            return Verdict(reasons, _latest(unmet))
        moments = sorted(verdict.unlocks_at for verdict in unmet if verdict.unlocks_at)
        some = Reason("SOME_REQUIRED", SOME_OF, {"count": missing})
        return Verdict((some, *reasons), moments[missing - 1] if len(moments) >= missing else None)

    def _condition(self, rule: Mapping[str, Any]) -> Verdict:
        if "require" in rule:
            return self.group(rule)
        [(kind, value)] = rule.items()
        match kind:
            case "lesson":
                lesson = self._lessons.get(UUID(value))
                if lesson is None or lesson.completed_at:
                    return OPEN
                return _missing("LESSON_REQUIRED", LESSON_REQUIRED, {"title": lesson.title}, lesson_id=lesson.id)
            case "module":
                module = self._modules.get(UUID(value))
                if module is None or self._is_done(module):
                    return OPEN
                return _missing("MODULE_REQUIRED", MODULE_REQUIRED, {"title": module.title}, module_id=module.id)
            case "score":
                lesson = self._lessons.get(UUID(value["lesson"]))
                percent = Decimal(value["percent"])
                if lesson is None or (lesson.score is not None and lesson.score >= percent):
                    return OPEN
                said = {"title": lesson.title, "percent": format(percent.normalize(), "f")}
                return _missing("SCORE_REQUIRED", SCORE_REQUIRED, said, lesson_id=lesson.id)
            case "date":
                return self._from(datetime.fromisoformat(value))
            case _:
                return self._after(value)

    def _is_done(self, module: ModuleFact) -> bool:
        """Nobody waits for a module in which there is nothing to do."""
        return self._done_at(module) is not None or not any(row.counted for row in self._inside.get(module.id, ()))

    def _from(self, moment: datetime) -> Verdict:
        if moment <= self._now:
            return OPEN
        return Verdict((Reason("NOT_YET", NOT_YET, {"date": moment.isoformat()}, unlocks_at=moment),), moment)

    def _after(self, value: Mapping[str, Any]) -> Verdict:
        days = value["days"]
        since = self._enrolled_at
        if "lesson" in value:
            lesson = self._lessons.get(UUID(value["lesson"]))
            if lesson is None:
                return OPEN
            if lesson.completed_at is None:
                said = {"title": lesson.title, "days": days}
                return _missing("LESSON_REQUIRED", AFTER_LESSON, said, lesson_id=lesson.id)
            since = lesson.completed_at
        elif "module" in value:
            module = self._modules.get(UUID(value["module"]))
            if module is None or not any(row.counted for row in self._inside.get(module.id, ())):
                return OPEN
            done_at = self._done_at(module)
            if done_at is None:
                said = {"title": module.title, "days": days}
                return _missing("MODULE_REQUIRED", AFTER_MODULE, said, module_id=module.id)
            since = done_at
        return self._from(_days_after(since, value))


def _days_after(since: datetime, value: Mapping[str, Any]) -> datetime:
    """So many days later: at a time of day of a zone when there is one, else to the second."""
    if "time" not in value:
        return since + timedelta(days=value["days"])
    zone = ZoneInfo(value["zone"])
    day = since.astimezone(zone).date() + timedelta(days=value["days"])
    return datetime.combine(day, time.fromisoformat(value["time"]), zone)


def _missing(
    code: str, text: str, params: Mapping[str, object], *, lesson_id: UUID | None = None, module_id: UUID | None = None
) -> Verdict:
    return Verdict((Reason(code, text, params, lesson_id, module_id),))
