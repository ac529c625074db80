"""When modules and lessons open, which revision counts, what a change means: as authors see and say it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal as PythonDecimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import strawberry

from app.catalog.ruling import PolicyRow
from schema import ids
from schema.authoring import CourseSuccess, LessonSuccess, ModuleSuccess, Problems
from schema.catalog import Course, Lesson, Module
from schema.context import Info
from schema.enums import word
from schema.scalars import DateTime, Decimal


@strawberry.enum(name="Requirement", description="How many of some conditions must be met.")
class Requirement(Enum):
    ALL = strawberry.enum_value("all", description="Every one.")
    ANY = strawberry.enum_value("any", description="One of them.")
    COUNT = strawberry.enum_value("count", description="So many of them as count says.")


@strawberry.enum(name="ReleaseConditionKind", description="What a condition waits for.")
class ReleaseConditionKind(Enum):
    LESSON_DONE = strawberry.enum_value("lesson", description="A lesson is completed.")
    MODULE_DONE = strawberry.enum_value("module", description="A module is completed.")
    MIN_SCORE = strawberry.enum_value("score", description="A score is reached in a lesson.")
    DATE = strawberry.enum_value("date", description="A moment has come.")
    DAYS_AFTER = strawberry.enum_value("after", description="Days have passed since something was done.")
    GROUP = strawberry.enum_value("group", description="Some of several conditions are met.")


@strawberry.enum(name="RevisionPolicy", description="Which revision of a course counts for its learners.")
class RevisionPolicy(Enum):
    LATEST = strawberry.enum_value("latest", description="The newest, from the moment it is published.")
    PINNED = strawberry.enum_value("pinned", description="The one that was the newest when they enrolled.")


@strawberry.enum(name="ContentChange", description="What a change of a lesson's content means to who completed it.")
class ContentChange(Enum):
    KEEP = strawberry.enum_value("keep", description="It stays completed; hasNewContent tells of the change.")
    REOPEN = strawberry.enum_value("reopen", description="It is to be completed anew; a completed course stays so.")


@strawberry.type(description="Conditions for something to open.")
class ReleaseRules:
    require: Requirement = strawberry.field(description="How many of the conditions must be met.")
    count: int | None = strawberry.field(description="With COUNT: so many.")
    conditions: list[ReleaseCondition] = strawberry.field(description="The conditions.")


@strawberry.type(description="A condition for something to open; what it refers to and is gone counts as met.")
class ReleaseCondition:
    kind: ReleaseConditionKind = strawberry.field(description="What it waits for.")
    lesson_id: strawberry.ID | None = strawberry.field(default=None, description="The lesson it is about.")
    module_id: strawberry.ID | None = strawberry.field(default=None, description="The module it is about.")
    score_percent: Decimal | None = strawberry.field(default=None, description="The score to reach.")
    date: DateTime | None = strawberry.field(default=None, description="The moment.")
    days: int | None = strawberry.field(default=None, description="Days after the lesson, the module or the enrolment.")
    time_of_day: str | None = strawberry.field(default=None, description="At this time of that day, if any.")
    time_zone: str | None = strawberry.field(default=None, description="Where it is that time of day.")
    group: ReleaseRules | None = strawberry.field(default=None, description="The conditions of a group.")


@strawberry.type(description="What a course's authors decided about its learners.")
class CoursePolicies:
    row: strawberry.Private[PolicyRow]

    @strawberry.field(description="The newest revision that was frozen by publishing; null before.")
    def revision(self) -> int | None:
        return self.row.revision

    @strawberry.field(description="Which revision counts for learners.")
    def revision_policy(self) -> RevisionPolicy:
        return RevisionPolicy.LATEST if self.row.pinned_from is None else RevisionPolicy.PINNED

    @strawberry.field(description="What a change of content means here; null: what it means in the organisation.")
    def content_change(self) -> ContentChange | None:
        return None if self.row.content_change is None else ContentChange(self.row.content_change)


def shown_rules(rule: Mapping[str, Any], mask: int) -> ReleaseRules:
    """Kept rules as clients see them."""
    return ReleaseRules(
        require=Requirement(rule["require"]),
        count=rule.get("count"),
        conditions=[_shown(each, mask) for each in rule["of"]],
    )


def _shown(rule: Mapping[str, Any], mask: int) -> ReleaseCondition:
    if "require" in rule:
        return ReleaseCondition(kind=ReleaseConditionKind.GROUP, group=shown_rules(rule, mask))
    [(kind, value)] = rule.items()
    about = value if isinstance(value, Mapping) else {kind: value}
    return ReleaseCondition(
        kind=ReleaseConditionKind(kind),
        lesson_id=ids.encode(ids.LESSON, UUID(about["lesson"]), mask) if "lesson" in about else None,
        module_id=ids.encode(ids.MODULE, UUID(about["module"]), mask) if "module" in about else None,
        score_percent=Decimal(PythonDecimal(about["percent"])) if "percent" in about else None,
        date=DateTime(datetime.fromisoformat(about["date"])) if "date" in about else None,
        days=about.get("days"),
        time_of_day=about.get("time"),
        time_zone=about.get("zone"),
    )


@strawberry.input(description="A score to reach.")
class MinScoreInput:
    lesson_id: strawberry.ID = strawberry.field(description="In this lesson.")
    percent: Decimal = strawberry.field(description="0 to 100.")


@strawberry.input(description="Days after something was done: a lesson, a module, or (with neither) the enrolment.")
class DaysAfterInput:
    days: int = strawberry.field(description="0 to 3650.")
    lesson_id: strawberry.ID | None = strawberry.field(default=None, description="After this lesson is completed.")
    module_id: strawberry.ID | None = strawberry.field(default=None, description="After this module is completed.")
    time_of_day: str | None = strawberry.field(default=None, description="Like 08:30; else the days are whole ones.")
    time_zone: str | None = strawberry.field(default=None, description="For the time of day; America/Santiago if none.")


@strawberry.input(one_of=True, description="A condition: exactly one of these.")
class ReleaseConditionInput:
    lesson_done: strawberry.Maybe[strawberry.ID] = strawberry.field(description="This lesson is completed.")
    module_done: strawberry.Maybe[strawberry.ID] = strawberry.field(description="This module is completed.")
    min_score: strawberry.Maybe[MinScoreInput] = strawberry.field(description="A score is reached.")
    date: strawberry.Maybe[DateTime] = strawberry.field(description="This moment has come.")
    days_after: strawberry.Maybe[DaysAfterInput] = strawberry.field(description="Days have passed.")
    group: strawberry.Maybe[ReleaseRulesInput] = strawberry.field(description="Some of several conditions are met.")


@strawberry.input(description="Conditions for something to open; at most 50 in all, in groups at most 4 deep.")
class ReleaseRulesInput:
    conditions: list[ReleaseConditionInput] = strawberry.field(description="The conditions.")
    require: Requirement | None = strawberry.field(default=None, description="How many must be met; ALL by default.")
    count: int | None = strawberry.field(default=None, description="With COUNT: so many.")


@strawberry.input(description="When a module opens and what makes it done; both are replaced whole.")
class SetModuleRulesInput:
    id: strawberry.ID = strawberry.field(description="The module.")
    rules: ReleaseRulesInput | None = strawberry.field(default=None, description="When it opens; null: at once.")
    requirement_count: int | None = strawberry.field(
        default=None, description="How many of its required lessons make it done; null: all."
    )
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="When a lesson opens; replaced whole.")
class SetLessonRulesInput:
    id: strawberry.ID = strawberry.field(description="The lesson.")
    rules: ReleaseRulesInput | None = strawberry.field(default=None, description="When; null: with its module.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="What is decided about a course's learners; both are replaced.")
class SetCoursePoliciesInput:
    id: strawberry.ID = strawberry.field(description="The course.")
    revision_policy: RevisionPolicy = strawberry.field(description="Which revision counts.")
    content_change: ContentChange | None = strawberry.field(
        default=None, description="What a change of content means; null: what it means in the organisation."
    )
    expected_version: int | None = strawberry.field(default=None, description="The course's version.")


@strawberry.input(description="What is decided about learners in the whole organisation.")
class SetLearningPolicyInput:
    content_change: ContentChange = strawberry.field(description="What a change of content means from now on.")


@strawberry.type(description="What is decided about learners in the whole organisation.")
class LearningPolicy:
    content_change: ContentChange = strawberry.field(description="What a change of content means.")


@strawberry.type(description="The decision holds.")
class LearningPolicySuccess:
    learning_policy: LearningPolicy = strawberry.field(description="What holds now.")


SetModuleRulesResult = Annotated[
    ModuleSuccess | Problems, strawberry.union("SetModuleRulesResult", description="Outcome of setModuleRules.")
]
SetLessonRulesResult = Annotated[
    LessonSuccess | Problems, strawberry.union("SetLessonRulesResult", description="Outcome of setLessonRules.")
]
SetCoursePoliciesResult = Annotated[
    CourseSuccess | Problems, strawberry.union("SetCoursePoliciesResult", description="Outcome of setCoursePolicies.")
]
SetLearningPolicyResult = Annotated[
    LearningPolicySuccess | Problems,
    strawberry.union("SetLearningPolicyResult", description="Outcome of setLearningPolicy."),
]


def rules_of(given: ReleaseRulesInput | None, mask: int) -> dict[str, Any] | None:
    """Rules as the service takes them."""
    if given is None:
        return None
    conditions = [_condition(each, mask) for each in given.conditions]
    return {"require": word(given.require or Requirement.ALL), "count": given.count, "of": conditions}


def _condition(given: ReleaseConditionInput, mask: int) -> dict[str, Any]:
    if given.lesson_done:
        return {"lesson": ids.decode(ids.LESSON, given.lesson_done.value, mask)}
    if given.module_done:
        return {"module": ids.decode(ids.MODULE, given.module_done.value, mask)}
    if given.min_score:
        score = given.min_score.value
        return {"score": {"lesson": ids.decode(ids.LESSON, score.lesson_id, mask), "percent": score.percent}}
    if given.date:
        return {"date": given.date.value}
    if given.days_after:
        after = given.days_after.value
        return {
            "after": {
                "days": after.days,
                "lesson": ids.decode(ids.LESSON, after.lesson_id, mask) if after.lesson_id else None,
                "module": ids.decode(ids.MODULE, after.module_id, mask) if after.module_id else None,
                "time": after.time_of_day,
                "zone": after.time_zone,
            }
        }
    assert given.group  # noqa: S101 -- exactly one of them is there
    return rules_of(given.group.value, mask) or {}


@strawberry.type
class ReleaseQuery:
    @strawberry.field(description="What is decided about learners in the organisation; for authors.")
    async def learning_policy(self, info: Info) -> LearningPolicy:
        return LearningPolicy(content_change=ContentChange(await info.context.policies.content_change()))


@strawberry.type
class ReleaseMutation:
    @strawberry.mutation(description="Say when a module opens, and how many of its lessons make it done.")
    async def set_module_rules(
        self, info: Info, input: Annotated[SetModuleRulesInput, strawberry.argument(description="What to do.")]
    ) -> SetModuleRulesResult:
        mask = info.context.mask
        row = await info.context.ruling.set_module_rules(
            ids.decode(ids.MODULE, input.id, mask),
            rules_of(input.rules, mask),
            requirement_count=input.requirement_count,
            expected_version=input.expected_version,
        )
        return ModuleSuccess(module=Module(row=row))

    @strawberry.mutation(description="Say when a lesson opens.")
    async def set_lesson_rules(
        self, info: Info, input: Annotated[SetLessonRulesInput, strawberry.argument(description="What to do.")]
    ) -> SetLessonRulesResult:
        mask = info.context.mask
        row = await info.context.ruling.set_lesson_rules(
            ids.decode(ids.LESSON, input.id, mask), rules_of(input.rules, mask), expected_version=input.expected_version
        )
        return LessonSuccess(lesson=Lesson(row=row))

    @strawberry.mutation(description="Decide which revision counts for a course's learners, and what changes mean.")
    async def set_course_policies(
        self, info: Info, input: Annotated[SetCoursePoliciesInput, strawberry.argument(description="What to do.")]
    ) -> SetCoursePoliciesResult:
        row = await info.context.ruling.set_course_policies(
            ids.decode(ids.COURSE, input.id, info.context.mask),
            is_pinned=word(input.revision_policy) == "pinned",
            content_change=word(input.content_change) if input.content_change else None,
            expected_version=input.expected_version,
        )
        return CourseSuccess(course=Course(row=row))

    @strawberry.mutation(description="Decide what changes of content mean to learners in the whole organisation.")
    async def set_learning_policy(
        self, info: Info, input: Annotated[SetLearningPolicyInput, strawberry.argument(description="What to do.")]
    ) -> SetLearningPolicyResult:
        choice = await info.context.policies.set_content_change(word(input.content_change))
        return LearningPolicySuccess(learning_policy=LearningPolicy(content_change=ContentChange(choice)))
