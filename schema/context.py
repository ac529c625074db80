"""What a resolver may reach: tenant, viewer, services and loaders of one operation."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import strawberry

from app.assessment.attempt_rows import AnswerRow, AttemptRow, Standing
from app.assessment.attempts import AttemptService
from app.assessment.bank_rows import QuestionRow, VersionRow
from app.assessment.exchange import QuestionExchange
from app.assessment.gradebook import GradebookService
from app.assessment.gradebook_grading import GradeService
from app.assessment.item_analysis import AnalysisService
from app.assessment.manual import GradingService
from app.assessment.overrides import OverrideService
from app.assessment.quiz_rows import Extent, OverrideRow, PlaceRow, QuizRow, ScoreRow, SlotRow
from app.assessment.quizzes import QuizService
from app.assessment.regrade import RegradeService
from app.assessment.results import ResultService
from app.catalog.rows import BlockRow, CourseRow, InstructorRow, LessonRow, ModuleRow
from app.catalog.ruling import PolicyRow, RuleAuthor
from app.catalog.service import CatalogService
from app.credentials.rows import CertificateRow
from app.credentials.service import CertificateService
from app.db.database import Operation
from app.http.resolution import tenant_required
from app.http.viewer import Asker
from app.i18n import Locale
from app.identity.rows import Client, MemberRow
from app.identity.service import IdentityService
from app.learning.allow_list import AllowListService
from app.learning.bulk_enrolment import BulkEnrollmentService
from app.learning.codes import InviteCodeService
from app.learning.cohorts import CohortService
from app.learning.enrolling import EnrollmentService
from app.learning.enrollment_rows import AssignmentRow, CohortRow, SettingsRow, StatusCount
from app.learning.excusing import ProgressKeeper
from app.learning.locks import CourseLocks
from app.learning.managing import ManagingService
from app.learning.overseeing import StandingService
from app.learning.reopening import PolicyService
from app.learning.rows import (
    CourseProgressRow,
    EnrollmentRow,
    LearnerLessonRow,
    RatingRow,
    ResumeRow,
    ReviewRow,
)
from app.learning.service import LearningService
from app.learning.standing_statements import LearnerLesson, LearnerNumbers, LessonStanding
from app.platform import Platform
from app.tenancy.records import Tenant
from app.viewer import Viewer
from app.work.rows import Job
from app.work.service import WorkService
from schema import loaders
from schema.loaders import Loader


class Context:
    """One operation. Services and loaders are made when first asked for; loaders are dropped after every write."""

    def __init__(self, platform: Platform, asker: Asker) -> None:
        self.platform = platform
        self.asker = asker
        self.tenant: Tenant | None = asker.tenant
        self.viewer: Viewer = asker.viewer
        self.locale: Locale = asker.locale
        self.request_id: str = asker.request_id
        self.client: Client = asker.client
        self._operation: Operation | None = None
        self._is_taken = False

    async def for_operation(self) -> Context:
        """A context of its own for one operation of this request: this one for the first, others for any more."""
        if not self._is_taken:
            self._is_taken = True
            return self
        made = Context(self.platform, self.asker)
        made._is_taken = True
        made.request_id = self.request_id
        return made

    async def close(self) -> None:
        """End the operation's snapshot, and let go of all that was read.

        Operation, services and loaders lead back here: kept, a page of hundreds of rows would lie about until Python's
        garbage collector has found the circle, and searching it costs more than reading the page did.
        """
        operation, self._operation = self._operation, None
        for name in OF_VIEWER:
            self.__dict__.pop(name, None)
        self._forget()
        if operation is not None:
            await operation.close()

    @property
    def here(self) -> Tenant:
        """The tenant. Raises Invalid (TENANT_REQUIRED) when the request named none."""
        if self.tenant is None:
            raise tenant_required()
        return self.tenant

    async def enter(self, tenant: Tenant, access_token: str) -> None:
        """Show and do what follows in this operation as the session that was just opened."""
        await self.close()
        self.tenant = tenant
        self.viewer = await self.platform.gate.viewer_of(self.platform.tokens.verify(access_token))

    @cached_property
    def mask(self) -> int:
        """Mixed into the identifiers of this tenant."""
        return self.here.id_mask

    @cached_property
    def db(self) -> Operation:
        """The operation's transactions in its tenant."""
        tenant = self.here

        async def wake() -> None:
            await self.platform.wake_relay(tenant.id)

        self._operation = Operation(self.platform.database, tenant.handle, on_write=self._forget, on_published=wake)
        return self._operation

    def _forget(self) -> None:
        for name in LOADERS:
            loader: Loader[Any] | None = self.__dict__.pop(name, None)
            if loader is not None:
                loader.retire()

    @cached_property
    def catalog(self) -> CatalogService:
        """Courses and what they are made of."""
        return CatalogService(self.db, self.viewer, self.platform.changes)

    @cached_property
    def enrolling(self) -> EnrollmentService:
        """Enrolment."""
        return EnrollmentService(self.db, self.viewer)

    @cached_property
    def managing(self) -> ManagingService:
        """What the staff of a course does about enrolment."""
        return ManagingService(self.db, self.viewer)

    @cached_property
    def codes(self) -> InviteCodeService:
        """Invite codes."""
        attempts = self.platform.identity_parts.login_attempts
        return InviteCodeService(self.db, self.viewer, self.here.id, self.client.ip, attempts)

    @cached_property
    def allow_list(self) -> AllowListService:
        """Addresses let into courses beforehand."""
        return AllowListService(self.db, self.viewer)

    @cached_property
    def bulk_enrolling(self) -> BulkEnrollmentService:
        """Enrolling lists."""
        return BulkEnrollmentService(self.db, self.viewer)

    @cached_property
    def cohorts(self) -> CohortService:
        """Cohorts."""
        return CohortService(self.db, self.viewer)

    @cached_property
    def learning(self) -> LearningService:
        """Progress and opinions."""
        return LearningService(self.db, self.viewer, self.platform.changes)

    @cached_property
    def standing(self) -> StandingService:
        """How learners stand."""
        return StandingService(self.db, self.viewer)

    @cached_property
    def keeping(self) -> ProgressKeeper:
        """What instructors do to progress."""
        return ProgressKeeper(self.db, self.viewer)

    @cached_property
    def ruling(self) -> RuleAuthor:
        """What learners must do and when."""
        return RuleAuthor(self.db, self.viewer, self.platform.changes)

    @cached_property
    def policies(self) -> PolicyService:
        """What the organisation decided about progress."""
        return PolicyService(self.db, self.viewer)

    @cached_property
    def identity(self) -> IdentityService:
        """People, sessions and passwords."""
        return IdentityService(self.db, self.viewer, self.here, self.client, self.platform.identity_parts)

    @cached_property
    def gradebooks(self) -> GradebookService:
        """Gradebooks as teachers see them, and one's own grades."""
        return GradebookService(self.db, self.viewer)

    @cached_property
    def giving_grades(self) -> GradeService:
        """Grades that are given by hand."""
        return GradeService(self.db, self.viewer)

    @cached_property
    def work(self) -> WorkService:
        """Long work."""
        return WorkService(self.db, self.viewer)

    @cached_property
    def questions(self) -> QuestionExchange:
        """The question bank."""
        return QuestionExchange(self.db, self.viewer)

    @cached_property
    def questions_by_id(self) -> Loader[QuestionRow | None]:
        return loaders.single(self.questions.questions_by_id, "id")

    @cached_property
    def versions_by_question(self) -> Loader[VersionRow | None]:
        return loaders.single(self.questions.versions_by_question, "question_id")

    @cached_property
    def credentials(self) -> CertificateService:
        """Certificates."""
        platform = self.platform
        return CertificateService(self.db, self.viewer, platform.desk.house(self.here), platform.storage)

    @cached_property
    def certificates_by_id(self) -> Loader[CertificateRow | None]:
        return loaders.single(self.credentials.certificates_by_id, "id")

    @cached_property
    def jobs_by_id(self) -> Loader[Job | None]:
        return loaders.single(self.work.jobs_by_id, "id")

    @cached_property
    def quizzes(self) -> QuizService:
        """Quizzes as authors and readers see them."""
        return QuizService(self.db, self.viewer)

    @cached_property
    def overriding(self) -> OverrideService:
        """What single learners are granted."""
        return OverrideService(self.db, self.viewer)

    @cached_property
    def attempting(self) -> AttemptService:
        """One's own attempts."""
        return AttemptService(self.db, self.viewer, self.locale)

    @cached_property
    def results(self) -> ResultService:
        """Attempts to look at."""
        return ResultService(self.db, self.viewer)

    @cached_property
    def grading(self) -> GradingService:
        """Grading by hand."""
        return GradingService(self.db, self.viewer)

    @cached_property
    def analysing(self) -> AnalysisService:
        """How well quizzes measure."""
        return AnalysisService(self.db, self.viewer)

    @cached_property
    def regrading(self) -> RegradeService:
        """Grading anew."""
        return RegradeService(self.db, self.viewer)

    @cached_property
    def quizzes_by_id(self) -> Loader[QuizRow | None]:
        return loaders.single(self.quizzes.quizzes_by_id, "id")

    @cached_property
    def quizzes_by_course(self) -> Loader[list[QuizRow]]:
        return loaders.many(self.quizzes.quizzes_by_course, "course_id")

    @cached_property
    def quizzes_by_lesson(self) -> Loader[list[QuizRow]]:
        return loaders.many(self.quizzes.quizzes_by_lesson, "lesson_id")

    @cached_property
    def any_quizzes_by_id(self) -> Loader[QuizRow | None]:
        return loaders.single(self.results.any_quizzes_by_id, "id")

    @cached_property
    def slots_by_quiz(self) -> Loader[list[SlotRow]]:
        return loaders.many(self.quizzes.slots_by_quiz, "quiz_id")

    @cached_property
    def extent_by_quiz(self) -> Loader[Extent | None]:
        return loaders.single(self.quizzes.extent_by_quiz, "quiz_id")

    @cached_property
    def overrides_by_quiz(self) -> Loader[list[OverrideRow]]:
        return loaders.many(self.overriding.overrides_by_quiz, "quiz_id")

    @cached_property
    def my_place_by_quiz(self) -> Loader[PlaceRow | None]:
        return loaders.single(self.quizzes.my_place_by_quiz, "quiz_id")

    @cached_property
    def my_score_by_quiz(self) -> Loader[ScoreRow | None]:
        return loaders.single(self.quizzes.my_score_by_quiz, "quiz_id")

    @cached_property
    def my_attempts_by_quiz(self) -> Loader[list[AttemptRow]]:
        return loaders.many(self.results.my_attempts_by_quiz, "quiz_id")

    @cached_property
    def answers_by_attempt(self) -> Loader[list[AnswerRow]]:
        return loaders.many(self.results.answers_by_attempt, "attempt_id")

    @cached_property
    def standing_by_attempt(self) -> Loader[Standing | None]:
        return loaders.single(self.results.standing_by_attempt, "attempt_id")

    @cached_property
    def courses_by_id(self) -> Loader[CourseRow | None]:
        return loaders.single(self.catalog.courses_by_id, "id")

    @cached_property
    def modules_by_id(self) -> Loader[ModuleRow | None]:
        return loaders.single(self.catalog.modules_by_id, "id")

    @cached_property
    def lessons_by_id(self) -> Loader[LessonRow | None]:
        return loaders.single(self.catalog.lessons_by_id, "id")

    @cached_property
    def modules_by_course(self) -> Loader[list[ModuleRow]]:
        return loaders.many(self.catalog.modules_by_course, "course_id")

    @cached_property
    def ruled_modules_by_course(self) -> Loader[list[ModuleRow]]:
        return loaders.many(self.catalog.ruled_modules_by_course, "course_id")

    @cached_property
    def policy_by_course(self) -> Loader[PolicyRow | None]:
        return loaders.single(self.ruling.policy_by_course, "id")

    @cached_property
    def lessons_by_module(self) -> Loader[list[LessonRow]]:
        return loaders.many(self.catalog.lessons_by_module, "module_id")

    @cached_property
    def lesson_titles_by_module(self) -> Loader[list[LessonRow]]:
        return loaders.many(self.catalog.lesson_titles_by_module, "module_id")

    @cached_property
    def blocks_by_lesson(self) -> Loader[list[BlockRow]]:
        return loaders.many(self.catalog.blocks_by_lesson, "lesson_id")

    @cached_property
    def instructors_by_course(self) -> Loader[list[InstructorRow]]:
        return loaders.many(self.catalog.instructors_by_course, "course_id")

    @cached_property
    def lesson_count_by_course(self) -> Loader[int]:
        return loaders.value(self.catalog.lesson_count_by_course, 0)

    @cached_property
    def editable_by_course(self) -> Loader[bool]:
        return loaders.value(self.catalog.taught_by_me, False)

    @cached_property
    def members_by_id(self) -> Loader[MemberRow | None]:
        return loaders.single(self.identity.members_by_id, "user_id")

    @cached_property
    def my_enrollment_by_course(self) -> Loader[EnrollmentRow | None]:
        return loaders.single(self.learning.my_enrollment_by_course, "course_id")

    @cached_property
    def my_progress_by_lesson(self) -> Loader[LearnerLessonRow | None]:
        return loaders.single(self.learning.my_progress_by_lesson, "lesson_id")

    @cached_property
    def my_standing_by_lesson(self) -> Loader[LessonStanding | None]:
        return loaders.single(self.standing.my_standing_by_lesson, "lesson_id")

    @cached_property
    def my_locks_by_course(self) -> Loader[CourseLocks | None]:
        return loaders.value(self.standing.my_locks_by_course, None)

    @cached_property
    def my_new_content_by_course(self) -> Loader[bool]:
        return loaders.value(self.standing.my_new_content_by_course, False)

    @cached_property
    def my_time_by_lesson(self) -> Loader[int]:
        return loaders.value(self.standing.my_time_by_lesson, 0)

    @cached_property
    def my_time_by_course(self) -> Loader[int]:
        return loaders.value(self.standing.my_time_by_course, 0)

    @cached_property
    def numbers_by_enrollment(self) -> Loader[LearnerNumbers | None]:
        return loaders.single(self.standing.numbers_by_enrollment, "enrollment_id")

    @cached_property
    def learner_lessons_by_enrollment(self) -> Loader[list[LearnerLesson]]:
        return loaders.many(self.standing.lessons_by_enrollment, "enrollment_id")

    @cached_property
    def time_by_enrollment(self) -> Loader[int]:
        return loaders.value(self.standing.time_by_enrollment, 0)

    @cached_property
    def my_progress_by_course(self) -> Loader[CourseProgressRow | None]:
        return loaders.single(self.learning.my_progress_by_course, "course_id")

    @cached_property
    def my_resume_by_course(self) -> Loader[ResumeRow | None]:
        return loaders.single(self.learning.my_resume_by_course, "course_id")

    @cached_property
    def rating_by_course(self) -> Loader[RatingRow | None]:
        return loaders.single(self.learning.rating_by_course, "course_id")

    @cached_property
    def my_review_by_course(self) -> Loader[ReviewRow | None]:
        return loaders.single(self.learning.my_review_by_course, "course_id")

    @cached_property
    def enrollment_count_by_course(self) -> Loader[int]:
        return loaders.value(self.enrolling.enrollment_count_by_course, 0)

    @cached_property
    def settings_by_course(self) -> Loader[SettingsRow | None]:
        return loaders.single(self.enrolling.settings_by_course, "course_id")

    @cached_property
    def cohorts_by_id(self) -> Loader[CohortRow | None]:
        return loaders.single(self.cohorts.cohorts_by_id, "id")

    @cached_property
    def status_counts_by_cohort(self) -> Loader[list[StatusCount]]:
        return loaders.many(self.cohorts.status_counts_by_cohort, "cohort_id")

    @cached_property
    def assignment_by_enrollment(self) -> Loader[AssignmentRow | None]:
        return loaders.single(self.cohorts.assignment_by_enrollment, "enrollment_id")

    @cached_property
    def waiting_place_by_enrollment(self) -> Loader[int]:
        return loaders.value(self.enrolling.waiting_place_by_enrollment, 0)


LOADERS = tuple(
    name for name, attribute in vars(Context).items() if isinstance(attribute, cached_property) and "_by_" in name
)

# What was made for one viewer in one tenant.
OF_VIEWER = tuple(
    name for name, attribute in vars(Context).items() if isinstance(attribute, cached_property) and name not in LOADERS
)

Info = strawberry.Info[Context, None]
