"""The main job, end to end: the Open edX demo course is imported, and a person who registers completes it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from app.catalog.importing import check_olx, import_olx
from app.catalog.olx import read_olx
from app.errors import Invalid, NotFound
from app.viewer import Role
from tests.mailbox import token_in
from tests.rules.test_olx import DEMO, folder, unit
from tests.world import World

PASSWORD = "una frase larga y rara 77"
PROGRESS = "query($id: ID!) { progress(courseId: $id) { percent completedAt completedLessons totalLessons } }"
SYNC = """mutation($i: SyncProgressInput!) { syncProgress(input: $i) { ... on SyncProgressSuccess {
  results { status } courses { percent completedAt } } } }"""


async def registered(world: World) -> dict[str, str]:
    """Request headers of a person who registered, confirmed and logged in."""
    email = f"learner@{world.tenant.slug}.test"
    register = "mutation($i: RegisterInput!) { register(input: $i) { __typename } }"
    await world.ask(register, i={"email": email, "password": PASSWORD, "fullName": "Lía Learner"})
    await world.work()
    verify = "mutation($i: VerifyEmailInput!) { verifyEmail(input: $i) { __typename } }"
    await world.ask(verify, i={"token": token_in(world.mailbox.to(email)[-1])})
    login = "mutation($i: LoginInput!) { login(input: $i) { ... on AuthPayload { accessToken } } }"
    token = (await world.ask(login, i={"email": email, "password": PASSWORD}))["login"]["accessToken"]
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.skipif(not DEMO.is_dir(), reason="the Open edX demo course is not beside the project")
async def test_a_person_who_registers_completes_the_demo_course_exactly_once(acme: World) -> None:
    teacher = await acme.some(Role.INSTRUCTOR)
    course = acme.id(
        "crs",
        await import_olx(acme.platform.database, acme.platform.changes, acme.tenant, teacher.email, read_olx(DEMO)),
    )
    await acme.ask(
        "mutation($i: CourseIdInput!) { publishCourse(input: $i) { __typename } }", as_=teacher, i={"id": course}
    )
    me = await registered(acme)

    async def ask(query: str, **variables: Any) -> dict[str, Any]:
        answer = (await acme.send(query, headers=me, **variables)).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    await ask("mutation($i: EnrollInput!) { enroll(input: $i) { __typename } }", i={"courseId": course})
    page = await ask("query($id: ID!) { course(id: $id) { lessonCount modules { title lessons { id } } } }", id=course)
    lessons = [lesson["id"] for module in page["course"]["modules"] for lesson in module["lessons"]]
    assert (len(page["course"]["modules"]), len(lessons), page["course"]["lessonCount"]) == (6, 17, 17)
    content = await ask(
        "query($id: ID!) { lesson(id: $id) { blocks { __typename ... on RichTextBlock { html } } } }", id=lessons[0]
    )
    assert content["lesson"]["blocks"]
    assert "<script" not in str(content)

    def done(lesson: str) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        return {"clientEventId": str(uuid4()), "lessonId": lesson, "kind": "COMPLETED", "occurredAt": now}

    await ask(SYNC, i={"events": [done(lesson) for lesson in lessons[:-2]]})
    before = await ask(PROGRESS, id=course)
    assert before["progress"] == {"percent": 88, "completedAt": None, "completedLessons": 15, "totalLessons": 17}
    last = [{"events": [done(lesson)]} for lesson in lessons[-2:]]
    answers = await asyncio.gather(*(ask(SYNC, i=events) for events in last + last))
    assert {item["status"] for answer in answers for item in answer["syncProgress"]["results"]} <= {
        "ACCEPTED",
        "DUPLICATE",
    }
    after = await ask(PROGRESS, id=course)
    assert (after["progress"]["percent"], after["progress"]["completedLessons"]) == (100, 17)
    assert after["progress"]["completedAt"] is not None
    assert await acme.as_owner("SELECT count(*) FROM outbox WHERE kind = 'course_completed'") == [(1,)]
    await acme.work()
    subjects = [str(mail["Subject"]) for mail in acme.mailbox.to(f"learner@{acme.tenant.slug}.test")]
    about = [subject for subject in subjects if "Open edX Demo Course" in subject]
    assert len(about) == 3, subjects  # enrolled, completed, certified


async def test_an_import_for_an_unknown_instructor_writes_nothing(acme: World, tmp_path: Any) -> None:
    course = read_olx(folder(tmp_path, {"course.xml": unit("<html><p>x</p></html>")}))
    student = await acme.person(Role.STUDENT)
    for email in ("nobody@example.org", student.email):
        with pytest.raises(NotFound):
            await check_olx(acme.platform.database, acme.tenant, email, course)
        with pytest.raises(NotFound):
            await import_olx(acme.platform.database, acme.platform.changes, acme.tenant, email, course)
    assert (await acme.ask("{ courses { totalCount } }", as_=Role.ADMIN))["courses"]["totalCount"] == 0


async def test_a_dry_run_refuses_what_the_import_would_refuse_and_writes_nothing(acme: World, tmp_path: Any) -> None:
    teacher, platform = await acme.some(Role.INSTRUCTOR), acme.platform
    checking = partial(check_olx, platform.database, acme.tenant)
    importing = partial(import_olx, platform.database, platform.changes, acme.tenant)
    long, many = f"<html><p>{'x' * 250_001}</p></html>", "<html><p>x</p></html>" * 201
    for number, (parts, path) in enumerate(
        ((long, "modules.1.lessons.1.blocks.0.html"), (many, "modules.1.lessons.1.blocks"))
    ):
        course = read_olx(folder(tmp_path / str(number), {"course.xml": unit(parts)}))
        for attempt in (checking, importing):
            with pytest.raises(Invalid) as refused:
                await attempt(teacher.email, course)
            assert [field.path for field in refused.value.fields] == [path]
    fine = read_olx(folder(tmp_path / "fine", {"course.xml": unit("<html><p>x</p></html>")}))
    await checking(teacher.email, fine)
    assert (await acme.ask("{ courses { totalCount } }", as_=Role.ADMIN))["courses"]["totalCount"] == 0
