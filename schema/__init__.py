"""What clients see: one schema, put together from one mixin per domain."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import strawberry
from strawberry.extensions import (
    AddValidationRules,
    DisableIntrospection,
    MaxTokensLimiter,
)
from strawberry.schema.config import StrawberryConfig

from app.settings import Settings
from app.viewer import Action
from schema import credentials, errors, identity, ids
from schema.attempts import Attempt, AttemptMutation, AttemptQuery
from schema.authoring import AuthoringMutation
from schema.catalog import CatalogQuery, Course, Lesson, Module
from schema.certificates import Certificate
from schema.cohorts import Cohort, CohortMutation, CohortQuery
from schema.context import Info
from schema.credentials import CertificateMutation, CertificateQuery
from schema.documents import Documents, remember
from schema.enrollment import Enrollment, EnrollmentMutation, EnrollmentQuery
from schema.enrollment_lists import EnrollmentListMutation, EnrollmentListQuery
from schema.enrollment_rules import ManagingMutation, ManagingQuery
from schema.execution import CompiledExecutionContext, compile_inputs
from schema.gradebook import GradebookQuery
from schema.gradebook_authoring import GradebookMutation
from schema.grading import GradingMutation
from schema.identity import IdentityMutation, IdentityQuery, User
from schema.invite_codes import InviteCode, InviteCodeMutation, InviteCodeQuery
from schema.learning import LearningMutation, LearningQuery
from schema.limits import Limits, limit_rule
from schema.node import Node
from schema.overseeing import OverseeingMutation, OverseeingQuery
from schema.platform import PlatformSchema
from schema.question_bodies import BODY_TYPES
from schema.questions import Question, QuestionMutation, QuestionQuery
from schema.quiz_authoring import QuizAuthoringMutation
from schema.quizzes import Quiz, QuizQuery
from schema.release import ReleaseMutation, ReleaseQuery
from schema.reviews import ReviewMutation
from schema.scalars import SCALARS
from schema.scope import operation_scope
from schema.work import Job, WorkMutation, WorkQuery

# How many items a plain list is assumed to have, where ten is not a good guess.
COSTS = {
    ("LessonProgress", "lockReasons"): 1,
    ("Lesson", "lockReasons"): 1,
    ("Module", "lockReasons"): 1,
    ("Course", "instructors"): 2,
    ("Lesson", "blocks"): 5,
    ("LearnerGrades", "cells"): 30,
}
LIMITS = Limits()


async def find_node(info: Info, text: str) -> Any:
    """Whatever an identifier stands for, if the person who asks may see it; None otherwise."""
    info.context.viewer.require(Action.READ_SELF)
    found = ids.split(text, info.context.mask)
    if found is None:
        return None
    kind, key = found
    context = info.context
    match kind:
        case ids.COURSE:
            course = await context.courses_by_id.load(key)
            return None if course is None else Course(row=course)
        case ids.MODULE:
            module = await context.modules_by_id.load(key)
            return None if module is None else Module(row=module)
        case ids.LESSON:
            lesson = await context.lessons_by_id.load(key)
            return None if lesson is None else Lesson(row=lesson)
        case ids.USER:
            user = await context.identity.user(key)
            return None if user is None else User(row=user)
        case ids.ENROLLMENT:
            enrollment = await context.enrolling.enrollment(key)
            return None if enrollment is None else Enrollment(row=enrollment)
        case ids.JOB:
            job = await context.jobs_by_id.load(key)
            return None if job is None else Job(row=job)
        case ids.INVITE_CODE:
            code = await context.codes.code(key)
            return None if code is None else InviteCode(row=code)
        case ids.COHORT:
            cohort = await context.cohorts.cohort(key)
            return None if cohort is None else Cohort(row=cohort)
        case ids.QUIZ:
            quiz = await context.quizzes_by_id.load(key)
            return None if quiz is None else Quiz(row=quiz)
        case ids.ATTEMPT:
            attempt = await context.results.attempt(key)
            return None if attempt is None else Attempt(row=attempt)
        case ids.QUESTION:
            question = await context.questions_by_id.load(key)
            return None if question is None else Question(row=question)
        case ids.CERTIFICATE:
            certificate = await context.certificates_by_id.load(key)
            return None if certificate is None else Certificate(row=certificate)
        case _:
            return None


@strawberry.type(description="Everything that can be read.")
class Query(
    IdentityQuery,
    CatalogQuery,
    EnrollmentQuery,
    LearningQuery,
    WorkQuery,
    ManagingQuery,
    InviteCodeQuery,
    EnrollmentListQuery,
    CohortQuery,
    ReleaseQuery,
    OverseeingQuery,
    QuizQuery,
    AttemptQuery,
    QuestionQuery,
    CertificateQuery,
    GradebookQuery,
):
    @strawberry.field(description="Anything by its identifier; null when there is nothing to see.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The identifier.")]
    ) -> Node | None:
        found: Node | None = await find_node(info, id)
        return found

    @strawberry.field(description="Several things by their identifiers, at most 100, each null when not to be seen.")
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="The identifiers.")],
    ) -> list[Node | None]:
        found = await asyncio.gather(*(find_node(info, text) for text in ids[:100]))
        return list(found)


@strawberry.type(description="Everything that can be changed.")
class Mutation(
    IdentityMutation,
    AuthoringMutation,
    EnrollmentMutation,
    LearningMutation,
    ReviewMutation,
    WorkMutation,
    QuizAuthoringMutation,
    AttemptMutation,
    GradingMutation,
    GradebookMutation,
    ReleaseMutation,
    OverseeingMutation,
    ManagingMutation,
    InviteCodeMutation,
    EnrollmentListMutation,
    CohortMutation,
    QuestionMutation,
    CertificateMutation,
):
    pass


def build(settings: Settings | None = None) -> PlatformSchema:
    """The schema with its limits, caches and scope; without settings, as a development server has it."""
    seconds = settings.operation_timeout if settings else 15.0
    documents = Documents()
    is_open = settings is None or settings.introspection
    extensions: list[Any] = [
        operation_scope(seconds, hints=is_open),
        lambda: MaxTokensLimiter(max_token_count=LIMITS.tokens),
        lambda: AddValidationRules([LIMIT_RULE]),
        remember(documents),
    ]
    if not is_open:
        extensions.insert(-1, lambda: DisableIntrospection())
    compiles = settings is None or settings.compiled_execution
    made = PlatformSchema(
        seconds=seconds,
        hints=is_open,
        documents=documents,
        query=Query,
        mutation=Mutation,
        types=[Node, *BODY_TYPES.values()],
        extensions=extensions,
        exception_handlers=[*identity.HANDLERS, *credentials.HANDLERS, *errors.HANDLERS],
        execution_context_class=CompiledExecutionContext if compiles else None,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    if compiles:
        compile_inputs(made)
    return made


LIMIT_RULE = limit_rule(LIMITS, COSTS)
