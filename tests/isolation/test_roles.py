"""The role matrix: every root field, driven through every role and through nobody."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from graphql import build_schema

from app.viewer import Role
from schema.sdl import printed
from tests.world import World

NOBODY = None
EVERYBODY = (NOBODY, Role.STUDENT, Role.INSTRUCTOR, Role.ADMIN, Role.ANALYST)
KNOWN = frozenset({Role.STUDENT, Role.INSTRUCTOR, Role.ADMIN, Role.ANALYST})
AUTHORS = frozenset({Role.INSTRUCTOR, Role.ADMIN})
LEARNERS = frozenset({Role.STUDENT, Role.INSTRUCTOR, Role.ADMIN})
ADMIN = frozenset({Role.ADMIN})
ANYBODY = frozenset(EVERYBODY)
SOME_ID = "crs_" + "0" * 32
ID = f'"{SOME_ID}"'

# field: who gets past the permission check, and a harmless way to ask.
QUERIES: dict[str, tuple[frozenset[Any], str]] = {
    "me": (KNOWN, "me { id }"),
    "user": (KNOWN, f"user(id: {ID}) {{ id }}"),
    "users": (ADMIN, "users { totalCount }"),
    "courses": (KNOWN, "courses { totalCount }"),
    "course": (KNOWN, f"course(id: {ID}) {{ id }}"),
    "module": (KNOWN, f"module(id: {ID}) {{ id }}"),
    "lesson": (KNOWN, f"lesson(id: {ID}) {{ id }}"),
    "node": (KNOWN, f"node(id: {ID}) {{ id }}"),
    "nodes": (KNOWN, f"nodes(ids: [{ID}]) {{ id }}"),
    "myEnrollments": (KNOWN, "myEnrollments { totalCount }"),
    "enrollments": (AUTHORS, "enrollments { totalCount }"),
    "job": (KNOWN, f"job(id: {ID}) {{ id }}"),
    "jobs": (AUTHORS, "jobs { totalCount }"),
    "learningPolicy": (AUTHORS, "learningPolicy { contentChange }"),
    "learnerProgress": (AUTHORS, f"learnerProgress(courseId: {ID}) {{ totalCount }}"),
    "publishPreview": (AUTHORS, f"publishPreview(courseId: {ID}) {{ learners }}"),
    "enrollmentSettings": (KNOWN, f"enrollmentSettings(courseId: {ID}) {{ policy }}"),
    "inviteCodes": (AUTHORS, f"inviteCodes(courseId: {ID}) {{ totalCount }}"),
    "enrollmentAllowances": (AUTHORS, f"enrollmentAllowances(courseId: {ID}) {{ totalCount }}"),
    "cohorts": (AUTHORS, f"cohorts(courseId: {ID}) {{ totalCount }}"),
    "questions": (AUTHORS, f"questions(courseId: {ID}) {{ totalCount }}"),
    "question": (AUTHORS, f"question(id: {ID}) {{ id }}"),
    "questionLabels": (AUTHORS, f"questionLabels(courseId: {ID}) {{ tags {{ name }} }}"),
    "questionPool": (AUTHORS, f"questionPool(courseId: {ID}) {{ availableCount }}"),
    "exportQuestions": (AUTHORS, f"exportQuestions(courseId: {ID}, format: GIFT) {{ text }}"),
    "certificate": (KNOWN, f"certificate(id: {ID}) {{ id }}"),
    "myCertificates": (KNOWN, "myCertificates { totalCount }"),
    "certificates": (AUTHORS, "certificates { totalCount }"),
    "verifyCertificate": (ANYBODY, 'verifyCertificate(code: "x") { code }'),
    "certificateEligibility": (KNOWN, f"certificateEligibility(courseId: {ID}) {{ isEligible }}"),
    "certificateTemplate": (AUTHORS, f"certificateTemplate(courseId: {ID}) {{ version }}"),
    "progress": (KNOWN, f"progress(courseId: {ID}) {{ percent }}"),
    "quiz": (KNOWN, f"quiz(id: {ID}) {{ id }}"),
    "attempt": (KNOWN, f"attempt(id: {ID}) {{ id }}"),
    "myAttempts": (KNOWN, "myAttempts { totalCount }"),
    "attempts": (AUTHORS, "attempts { totalCount }"),
    "gradebook": (AUTHORS, f"gradebook(courseId: {ID}) {{ version }}"),
    "myGrades": (KNOWN, f"myGrades(courseId: {ID}) {{ version }}"),
    "exportGradebook": (AUTHORS, f"exportGradebook(courseId: {ID}) {{ learners }}"),
}
EVENT = f'{{clientEventId: "{uuid4()}", lessonId: {ID}, kind: VIEWED, occurredAt: "2026-01-01T00:00:00Z"}}'
MUTATIONS: dict[str, tuple[frozenset[Any], str]] = {
    "register": (ANYBODY, '{email: "x", password: "x", fullName: "x"}'),
    "login": (ANYBODY, '{email: "x", password: "x"}'),
    "refreshToken": (ANYBODY, '{refreshToken: "x"}'),
    "verifyEmail": (ANYBODY, '{token: "x"}'),
    "resendVerification": (ANYBODY, '{email: "x"}'),
    "requestPasswordReset": (ANYBODY, '{email: "x"}'),
    "resetPassword": (ANYBODY, '{token: "x", password: "x"}'),
    "logout": (KNOWN, "{}"),
    "revokeSession": (KNOWN, f"{{id: {ID}}}"),
    "switchTenant": (KNOWN, '{tenant: "x"}'),
    "changePassword": (KNOWN, '{currentPassword: "x", newPassword: "x"}'),
    "updateProfile": (KNOWN, '{phone: "x"}'),
    "createUser": (ADMIN, '{email: "x", fullName: "x", role: STUDENT}'),
    "changeUserRole": (ADMIN, f"{{id: {ID}, role: STUDENT}}"),
    "deleteUser": (ADMIN, f"{{id: {ID}}}"),
    "createCourse": (AUTHORS, '{title: ""}'),
    "updateCourse": (AUTHORS, f"{{id: {ID}}}"),
    "publishCourse": (AUTHORS, f"{{id: {ID}}}"),
    "unpublishCourse": (AUTHORS, f"{{id: {ID}}}"),
    "deleteCourse": (AUTHORS, f"{{id: {ID}}}"),
    "copyCourse": (AUTHORS, f"{{id: {ID}}}"),
    "createModule": (AUTHORS, f'{{courseId: {ID}, title: "x"}}'),
    "updateModule": (AUTHORS, f"{{id: {ID}}}"),
    "deleteModule": (AUTHORS, f"{{id: {ID}}}"),
    "reorderModules": (AUTHORS, f"{{courseId: {ID}, moduleIds: []}}"),
    "createLesson": (AUTHORS, f'{{moduleId: {ID}, title: "x"}}'),
    "updateLesson": (AUTHORS, f"{{id: {ID}}}"),
    "deleteLesson": (AUTHORS, f"{{id: {ID}}}"),
    "reorderLessons": (AUTHORS, f"{{moduleId: {ID}, lessonIds: []}}"),
    "cancelJob": (AUTHORS, f"{{id: {ID}}}"),
    "createQuestion": (AUTHORS, f'{{courseId: {ID}, body: {{text: {{prompt: "x"}}}}}}'),
    "updateQuestion": (AUTHORS, f"{{id: {ID}}}"),
    "deleteQuestion": (AUTHORS, f"{{id: {ID}}}"),
    "restoreQuestion": (AUTHORS, f"{{id: {ID}}}"),
    "importQuestions": (AUTHORS, f'{{courseId: {ID}, format: GIFT, text: "x"}}'),
    "enroll": (LEARNERS, f"{{courseId: {ID}}}"),
    "unenroll": (LEARNERS, f"{{courseId: {ID}}}"),
    "acceptOffer": (LEARNERS, f"{{courseId: {ID}}}"),
    "declineOffer": (LEARNERS, f"{{courseId: {ID}}}"),
    "acceptInvitation": (LEARNERS, f"{{courseId: {ID}}}"),
    "declineInvitation": (LEARNERS, f"{{courseId: {ID}}}"),
    "enrollWithCode": (LEARNERS, '{code: "x"}'),
    "updateEnrollmentSettings": (AUTHORS, f"{{courseId: {ID}}}"),
    "approveEnrollment": (AUTHORS, f"{{id: {ID}}}"),
    "rejectEnrollment": (AUTHORS, f"{{id: {ID}}}"),
    "suspendEnrollment": (AUTHORS, f'{{id: {ID}, reason: "x"}}'),
    "resumeEnrollment": (AUTHORS, f"{{id: {ID}}}"),
    "dropEnrollment": (AUTHORS, f'{{id: {ID}, reason: "x"}}'),
    "renewEnrollment": (AUTHORS, f"{{id: {ID}}}"),
    "inviteToCourse": (AUTHORS, f"{{courseId: {ID}, userId: {ID}}}"),
    "assignCourseRole": (AUTHORS, f"{{courseId: {ID}, userId: {ID}, role: ASSISTANT}}"),
    "createInviteCode": (AUTHORS, f"{{courseId: {ID}}}"),
    "revokeInviteCode": (AUTHORS, f"{{id: {ID}}}"),
    "allowEnrollment": (AUTHORS, f'{{courseId: {ID}, emails: ["x"]}}'),
    "disallowEnrollment": (AUTHORS, f"{{id: {ID}}}"),
    "bulkEnroll": (AUTHORS, f'{{courseId: {ID}, csv: "x"}}'),
    "createCohort": (AUTHORS, f'{{courseId: {ID}, name: "x"}}'),
    "updateCohort": (AUTHORS, f"{{id: {ID}}}"),
    "deleteCohort": (AUTHORS, f"{{id: {ID}}}"),
    "addToCohort": (AUTHORS, f"{{id: {ID}, enrollmentIds: []}}"),
    "removeFromCohort": (AUTHORS, f"{{id: {ID}, enrollmentIds: []}}"),
    "waiveAssignment": (AUTHORS, f'{{enrollmentId: {ID}, reason: "x"}}'),
    "expectAssignment": (AUTHORS, f"{{enrollmentId: {ID}}}"),
    "syncProgress": (LEARNERS, f"{{events: [{EVENT}]}}"),
    "reviewCourse": (LEARNERS, f"{{courseId: {ID}, rating: 3}}"),
    "deleteReview": (LEARNERS, f"{{courseId: {ID}}}"),
    "setModuleRules": (AUTHORS, f"{{id: {ID}}}"),
    "setLessonRules": (AUTHORS, f"{{id: {ID}}}"),
    "setCoursePolicies": (AUTHORS, f"{{id: {ID}, revisionPolicy: LATEST}}"),
    "setLearningPolicy": (ADMIN, "{contentChange: KEEP}"),
    "excuseLesson": (AUTHORS, f'{{lessonId: {ID}, userId: {ID}, reason: "x"}}'),
    "unexcuseLesson": (AUTHORS, f'{{lessonId: {ID}, userId: {ID}, reason: "x"}}'),
    "resetProgress": (AUTHORS, f'{{enrollmentId: {ID}, reason: "x"}}'),
    "issueCertificate": (LEARNERS, f"{{courseId: {ID}}}"),
    "revokeCertificate": (AUTHORS, f'{{id: {ID}, reason: "why not"}}'),
    "reinstateCertificate": (AUTHORS, f'{{id: {ID}, reason: "why not"}}'),
    "reissueCertificate": (AUTHORS, f'{{id: {ID}, reason: "why not"}}'),
    "issueCertificates": (AUTHORS, f"{{courseId: {ID}}}"),
    "revokeCertificates": (AUTHORS, '{ids: [], reason: "why not"}'),
    "updateCertificateTemplate": (AUTHORS, f"{{courseId: {ID}}}"),
    "setCertificateException": (AUTHORS, f'{{courseId: {ID}, userId: {ID}, kind: ALLOW, reason: "why not"}}'),
    "removeCertificateException": (AUTHORS, f"{{courseId: {ID}, userId: {ID}}}"),
    "completeLesson": (LEARNERS, f"{{lessonId: {ID}}}"),
    "createQuiz": (AUTHORS, f'{{courseId: {ID}, title: "x"}}'),
    "updateQuiz": (AUTHORS, f"{{id: {ID}}}"),
    "setQuizSlots": (AUTHORS, f"{{id: {ID}, slots: []}}"),
    "publishQuiz": (AUTHORS, f"{{id: {ID}}}"),
    "deleteQuiz": (AUTHORS, f"{{id: {ID}}}"),
    "setQuizOverride": (AUTHORS, f'{{quizId: {ID}, userId: {ID}, reason: "because"}}'),
    "deleteQuizOverride": (AUTHORS, f'{{quizId: {ID}, userId: {ID}, reason: "because"}}'),
    "startAttempt": (LEARNERS, f"{{quizId: {ID}}}"),
    "saveAnswers": (LEARNERS, f"{{attemptId: {ID}, answers: []}}"),
    "submitAttempt": (LEARNERS, f"{{attemptId: {ID}}}"),
    "checkAnswer": (LEARNERS, f'{{attemptId: {ID}, slot: 1, content: {{choice: "a"}}}}'),
    "seeResults": (LEARNERS, f"{{attemptId: {ID}}}"),
    "gradeAnswer": (AUTHORS, f'{{attemptId: {ID}, slot: 1, points: "1", expectedVersion: 1}}'),
    "reopenAttempt": (AUTHORS, f'{{attemptId: {ID}, reason: "because"}}'),
    "regradeQuiz": (AUTHORS, f"{{quizId: {ID}, questions: [{{questionId: {ID}, mode: FULL_CREDIT}}]}}"),
    "updateGradebook": (AUTHORS, f"{{courseId: {ID}, ungradedAsZero: true}}"),
    "setGradeCategories": (AUTHORS, f"{{courseId: {ID}, categories: []}}"),
    "createGradeItem": (AUTHORS, f'{{courseId: {ID}, title: "x", points: "1"}}'),
    "updateGradeItem": (AUTHORS, f"{{id: {ID}}}"),
    "deleteGradeItem": (AUTHORS, f"{{id: {ID}}}"),
    "gradeManually": (AUTHORS, f"{{courseId: {ID}, grades: [{{itemId: {ID}, userId: {ID}, expectedVersion: 0}}]}}"),
    "excuseGrade": (AUTHORS, f'{{courseId: {ID}, itemId: {ID}, userId: {ID}, expectedVersion: 0, reason: "because"}}'),
}


def refusals(answer: dict[str, Any], field: str) -> str:
    """``nobody``, ``forbidden`` or ``allowed``."""
    codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
    if "UNAUTHENTICATED" in codes:
        return "nobody"
    assert codes <= {"FORBIDDEN"}, answer
    data = (answer.get("data") or {}).get(field) or {}
    kind = data.get("__typename") if isinstance(data, dict) else None
    return "forbidden" if "FORBIDDEN" in codes or kind == "ForbiddenProblem" else "allowed"


def test_the_matrix_knows_every_root_field() -> None:
    core = build_schema(printed())
    assert core.query_type is not None
    assert core.mutation_type is not None
    assert set(QUERIES) == set(core.query_type.fields)
    assert set(MUTATIONS) == set(core.mutation_type.fields)


@pytest.mark.parametrize("field", [*QUERIES, *MUTATIONS])
async def test_a_root_field_lets_in_exactly_its_roles(acme: World, field: str) -> None:
    allowed, asked = QUERIES[field] if field in QUERIES else MUTATIONS[field]
    query = f"{{ {asked} }}" if field in QUERIES else f"mutation {{ {field}(input: {asked}) {{ __typename }} }}"
    found, expected = {}, {}
    for role in EVERYBODY:
        who = await acme.person(role) if role is not None else None
        found[role] = refusals(await acme.post(query, as_=who), field)
        expected[role] = "allowed" if role in allowed else "nobody" if role is None else "forbidden"
    assert found == expected
