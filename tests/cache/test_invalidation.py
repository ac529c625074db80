"""Every mutation that changes what kept answers show is followed by a fresh one; each is proved to be needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

import pytest

import schema
from app.catalog.importing import import_olx
from app.catalog.olx import OlxCourse
from app.db.listen import announce
from app.db.transaction import Tx
from app.main import Application
from app.viewer import Role
from tests.cache.conftest import eventually, in_step, through
from tests.cache.test_public import everything
from tests.world import Person, World

Change = Callable[["Scene"], Awaitable[None]]
SHOWN = f"{{ courses(first: 50) {everything('CourseConnection')} }}"
STRUCTURE = "query($id: ID!) { course(id: $id) { modules { id lessons { id } } } }"


class Scene:
    """A published course with modules, lessons, a rating and a learner, a draft, and a place to change them."""

    def __init__(self, world: World) -> None:
        self.world = world

    @classmethod
    async def set(cls, world: World) -> Scene:
        scene = cls(world)
        scene.teacher = await world.some(Role.INSTRUCTOR)
        scene.learner = await world.some(Role.STUDENT)
        scene.course = world.id("crs", await world.course("Física", modules=2, lessons=2))
        scene.draft = world.id("crs", await world.course("Draft", published=False))
        modules = (await world.ask(STRUCTURE, as_=Role.ADMIN, id=scene.course))["course"]["modules"]
        scene.modules = [module["id"] for module in modules]
        scene.lessons = [[lesson["id"] for lesson in module["lessons"]] for module in modules]
        await scene.do("enroll", "EnrollInput", scene.learner, courseId=scene.course)
        await scene.do("reviewCourse", "ReviewCourseInput", scene.learner, courseId=scene.course, rating=5)
        return scene

    teacher: Person
    learner: Person
    course: str
    draft: str
    modules: list[str]
    lessons: list[list[str]]

    async def do(self, mutation: str, kind: str, as_: Person | Role = Role.ADMIN, **given: Any) -> None:
        """Run a mutation that must succeed."""
        query = f"mutation($i: {kind}!) {{ outcome: {mutation}(input: $i) {{ __typename }} }}"
        answer = await self.world.ask(query, as_=as_, i=given)
        assert not answer["outcome"]["__typename"].endswith("Problem"), answer


async def import_course(scene: Scene) -> None:
    """As ``python -m app import olx`` does, and published so that it can be seen."""
    platform = scene.world.platform
    outline = OlxCourse("demo", "Imported", "en", "", (), (), {})
    course = await import_olx(platform.database, platform.changes, scene.world.tenant, scene.teacher.email, outline)
    await scene.world.as_owner(f"UPDATE courses SET published_at = now() WHERE id = '{course}'")


async def refresh_directory(scene: Scene) -> None:
    """What was changed in another tenant arrives by a job."""
    platform, teacher = scene.world.platform, scene.teacher.user_id
    await scene.world.as_owner(
        f"UPDATE control.users SET full_name = 'Otro Nombre', version = version + 1 WHERE id = '{teacher}'"
    )
    async with platform.database.control() as tx:
        await platform.jobs.sync_member(tx, teacher, scene.world.tenant.id)
    await scene.world.work()


async def invite_again(scene: Scene) -> None:
    """Somebody who taught and was removed is invited under another name; courses go on naming them."""
    await scene.do("deleteUser", "UserIdInput", id=scene.teacher.id)
    await scene.do("createUser", "CreateUserInput", email=scene.teacher.email, fullName="Otra", role="STUDENT")


async def migrate(scene: Scene) -> None:
    """A tenant's migration may rewrite rows; it ends with an announcement about the tenant."""
    await scene.world.as_owner("UPDATE courses SET category = 'migrated'")
    async with scene.world.platform.database.control() as tx:
        await announce(tx, "tenant", scene.world.tenant.id)


def mutation(name: str, kind: str, as_: Role = Role.ADMIN, **given: Callable[[Scene], Any]) -> Change:
    """A change made by one mutation, its input computed from the scene."""

    async def change(scene: Scene) -> None:
        await scene.do(name, kind, as_, **{field: value(scene) for field, value in given.items()})

    return change


# What changes the answer; by the mutation's name.
VISIBLE: dict[str, Change] = {
    "updateCourse": mutation("updateCourse", "UpdateCourseInput", id=lambda s: s.course, tags=lambda s: ["new"]),
    "deleteCourse": mutation("deleteCourse", "CourseIdInput", id=lambda s: s.course),
    "publishCourse": mutation("publishCourse", "CourseIdInput", id=lambda s: s.draft),
    "unpublishCourse": mutation("unpublishCourse", "CourseIdInput", id=lambda s: s.course),
    "createModule": mutation(
        "createModule", "CreateModuleInput", courseId=lambda s: s.course, title=lambda s: "Another"
    ),
    "updateModule": mutation(
        "updateModule", "UpdateModuleInput", id=lambda s: s.modules[0], title=lambda s: "Renamed"
    ),
    "deleteModule": mutation("deleteModule", "ModuleIdInput", id=lambda s: s.modules[0]),
    "reorderModules": mutation(
        "reorderModules", "ReorderModulesInput", courseId=lambda s: s.course, moduleIds=lambda s: s.modules[::-1]
    ),
    "createLesson": mutation(
        "createLesson", "CreateLessonInput", moduleId=lambda s: s.modules[0], title=lambda s: "Another"
    ),
    "updateLesson": mutation(
        "updateLesson", "UpdateLessonInput", id=lambda s: s.lessons[0][0], weight=lambda s: 7
    ),
    "deleteLesson": mutation("deleteLesson", "LessonIdInput", id=lambda s: s.lessons[0][0]),
    "reorderLessons": mutation(
        "reorderLessons", "ReorderLessonsInput", moduleId=lambda s: s.modules[0],
        lessonIds=lambda s: [*s.lessons[0], s.lessons[1][0]],
    ),
    "setModuleRules": mutation(
        "setModuleRules", "SetModuleRulesInput", id=lambda s: s.modules[0], requirementCount=lambda s: 1
    ),
    "setLessonRules": mutation(
        "setLessonRules", "SetLessonRulesInput", id=lambda s: s.lessons[0][0],
        rules=lambda s: {"conditions": [{"date": "2026-01-01T00:00:00Z"}]},
    ),
    "setCoursePolicies": mutation(
        "setCoursePolicies", "SetCoursePoliciesInput", id=lambda s: s.course, revisionPolicy=lambda s: "PINNED"
    ),
    "reviewCourse": mutation(
        "reviewCourse", "ReviewCourseInput", Role.STUDENT, courseId=lambda s: s.course, rating=lambda s: 1
    ),
    "deleteReview": mutation("deleteReview", "DeleteReviewInput", Role.STUDENT, courseId=lambda s: s.course),
    "updateProfile": mutation(
        "updateProfile", "UpdateProfileInput", Role.INSTRUCTOR, fullName=lambda s: "Nueva Profesora"
    ),
}  # fmt: skip
# What is announced all the same, though nothing of it can be seen (yet).
UNSEEN: dict[str, Change] = {
    "createCourse": mutation("createCourse", "CreateCourseInput", title=lambda s: "Another"),
    "copyCourse": mutation("copyCourse", "CopyCourseInput", id=lambda s: s.course),
    "changeUserRole": mutation(
        "changeUserRole", "ChangeUserRoleInput", id=lambda s: s.teacher.id, role=lambda s: "ADMIN"
    ),
    "deleteUser": mutation("deleteUser", "UserIdInput", id=lambda s: s.teacher.id),
    "createUser": mutation(
        "createUser", "CreateUserInput", email=lambda s: "new@here.test", fullName=lambda s: "Nueva",
        role=lambda s: "STUDENT",
    ),
}  # fmt: skip
OTHERS: dict[str, Change] = {
    "import olx": import_course,
    "directory refresh": refresh_directory,
    "another invitation": invite_again,
    "tenant migration": migrate,
}
# Of these, kept answers show nothing: log-ins, addresses, passwords, and what learners do (learnerCount is not kept).
QUIET = {
    *("cancelJob", "changePassword", "completeLesson", "enroll", "login", "logout", "refreshToken", "register"),
    *("requestPasswordReset", "resendVerification", "resetPassword", "revokeSession", "switchTenant", "syncProgress"),
    *("excuseLesson", "unexcuseLesson", "resetProgress", "setLearningPolicy"),
    *("unenroll", "acceptOffer", "declineOffer", "acceptInvitation", "declineInvitation", "enrollWithCode"),
    *("updateEnrollmentSettings", "approveEnrollment", "rejectEnrollment", "suspendEnrollment", "resumeEnrollment"),
    *("dropEnrollment", "renewEnrollment", "inviteToCourse", "assignCourseRole", "createInviteCode"),
    *("revokeInviteCode", "allowEnrollment", "disallowEnrollment", "bulkEnroll", "createCohort", "updateCohort"),
    *("deleteCohort", "addToCohort", "removeFromCohort", "waiveAssignment", "expectAssignment"),
    *("createQuiz", "updateQuiz", "setQuizSlots", "publishQuiz", "deleteQuiz", "setQuizOverride", "deleteQuizOverride"),
    *("startAttempt", "saveAnswers", "submitAttempt", "checkAnswer", "seeResults"),
    *("gradeAnswer", "reopenAttempt", "regradeQuiz"),
    *("createGradeItem", "deleteGradeItem", "updateGradeItem", "updateGradebook", "setGradeCategories"),
    *("gradeManually", "excuseGrade"),
    *("createQuestion", "updateQuestion", "deleteQuestion", "restoreQuestion", "importQuestions"),
    *("issueCertificate", "issueCertificates", "reinstateCertificate", "reissueCertificate", "revokeCertificate"),
    *("revokeCertificates", "removeCertificateException", "setCertificateException", "updateCertificateTemplate"),
    "unenroll",
}
ANNOUNCED_ELSEWHERE = {"verifyEmail"}  # through copy_member, like createUser


async def shown(world: World) -> bytes:
    answer = await world.send(SHOWN, as_=Role.STUDENT)
    assert b"errors" not in answer.content
    return answer.content


async def truth(application: Application, world: World) -> bytes:
    """The answer of a process that keeps none."""
    return await shown(through(application, world))


def test_every_mutation_is_in_a_table() -> None:
    mutations = schema.build()._schema.mutation_type
    assert mutations is not None
    tables = [VISIBLE.keys(), UNSEEN.keys(), QUIET, ANNOUNCED_ELSEWHERE]
    assert set().union(*tables) == mutations.fields.keys()
    assert sum(len(table) for table in tables) == len(mutations.fields)


@pytest.mark.parametrize("name", [*VISIBLE, *UNSEEN, *OTHERS])
async def test_after_a_change_every_process_answers_anew(
    name: str, here: World, second: Application, application: Application
) -> None:
    scene, there = await Scene.set(here), through(second, here)
    await in_step(here, here.application, second)
    before = await shown(here)
    hits = here.application.responses.counts["hits"]
    assert (await shown(here), await shown(there)) == (before, before)
    assert here.application.responses.counts["hits"] == hits + 1
    old = second.platform.changes.version(here.tenant.id)

    await {**VISIBLE, **UNSEEN, **OTHERS}[name](scene)

    after = await truth(application, here)
    assert (after != before) == (name not in UNSEEN)
    if name == "tenant migration":  # by another process, so it has to be heard here first
        await eventually(lambda: here.platform.changes.version(here.tenant.id) not in {None, old})
    assert await shown(here) == after
    await eventually(lambda: second.platform.changes.version(here.tenant.id) not in {None, old})
    assert await shown(there) == after
    await in_step(here)
    assert await shown(here) == await shown(here) == after


@pytest.mark.parametrize("name", [*VISIBLE, "another invitation"])
async def test_without_its_announcement_the_table_would_fail(
    name: str, here: World, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await Scene.set(here)
    await in_step(here)
    before = await shown(here)

    def silent(_: UUID, transaction: AbstractAsyncContextManager[Tx]) -> AbstractAsyncContextManager[Tx]:
        return transaction

    monkeypatch.setattr(here.platform.changes, "write", silent)
    await {**VISIBLE, **OTHERS}[name](scene)
    assert await shown(here) == before != await truth(application, here)


@pytest.mark.parametrize("name", ["enroll", "unenroll"])
async def test_enrolling_empties_nothing(name: str, here: World, application: Application) -> None:
    scene = await Scene.set(here)
    await in_step(here)
    version = here.platform.changes.version(here.tenant.id)
    if name == "enroll":
        await scene.do("enroll", "EnrollInput", await here.person(), courseId=scene.course)
    else:
        await scene.do("unenroll", "UnenrollInput", scene.learner, courseId=scene.course)
    assert here.platform.changes.version(here.tenant.id) == version
    assert await shown(here) == await truth(application, here)
