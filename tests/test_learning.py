"""Enrolment and progress, asked through GraphQL on real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.catalog.statements import COURSE_FOR_UPDATE
from app.learning import rules
from app.viewer import Role
from tests.world import Person, World

ENROLL = """mutation($input: EnrollInput!) { enroll(input: $input) { __typename
  ... on EnrollmentSuccess { enrollment { id status effectiveState cycle completedAt progress { percent } } }
  ... on Problem { code message } } }"""
UNENROLL = """mutation($input: UnenrollInput!) { unenroll(input: $input) { __typename
  ... on EnrollmentSuccess { enrollment { id status } } ... on Problem { code } } }"""
COMPLETE = """mutation($input: CompleteLessonInput!) { completeLesson(input: $input) { __typename
  ... on CompleteLessonSuccess { lesson { myProgress { state percent } } progress { percent completedAt } }
  ... on Problem { code message } } }"""
SYNC = """mutation($input: SyncProgressInput!) { syncProgress(input: $input) { __typename
  ... on SyncProgressSuccess { results { clientEventId status code message } courses { percent completedAt } }
  ... on ValidationProblem { fields { path code } } ... on Problem { code } } }"""
PROGRESS = """query($id: ID!) { progress(courseId: $id) { percent completedAt completedLessons totalLessons
  resume { lesson { id title } positionSeconds } lessons { state percent positionSeconds lesson { id title } } } }"""


async def enroll(world: World, course: str, who: Person | Role = Role.STUDENT, **more: Any) -> dict[str, Any]:
    data = await world.ask(ENROLL, as_=who, input={"courseId": course, **more})
    answer: dict[str, Any] = data["enroll"]
    return answer


async def lessons_of(world: World, course: str, who: Person | Role = Role.STUDENT) -> list[str]:
    data = await world.ask("query($id: ID!) { course(id: $id) { modules { lessons { id } } } }", as_=who, id=course)
    return [lesson["id"] for module in data["course"]["modules"] for lesson in module["lessons"]]


def event(lesson: str, kind: str = "COMPLETED", **more: Any) -> dict[str, Any]:
    return {
        "clientEventId": str(uuid4()), "lessonId": lesson, "kind": kind, "occurredAt": datetime.now(UTC).isoformat(),
        **more,
    }  # fmt: skip


async def sync(world: World, events: list[dict[str, Any]], who: Person | Role = Role.STUDENT) -> dict[str, Any]:
    data = await world.ask(SYNC, as_=who, input={"events": events})
    answer: dict[str, Any] = data["syncProgress"]
    return answer


async def outbox(world: World, kind: str) -> int:
    rows = await world.as_owner(f"SELECT count(*) FROM outbox WHERE kind = '{kind}'")
    return int(rows[0][0])


async def test_a_course_is_walked_from_enrolment_to_completion(acme: World) -> None:
    course = acme.id("crs", await acme.course("Historia", modules=2, lessons=2))
    enrolled = await enroll(acme, course)
    assert enrolled["enrollment"]["status"] == "ACTIVE"
    percents = []
    for lesson in await lessons_of(acme, course):
        data = await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": lesson})
        assert data["completeLesson"]["lesson"]["myProgress"] == {"state": "COMPLETED", "percent": 100}
        percents.append(data["completeLesson"]["progress"]["percent"])
    assert percents == [25, 50, 75, 100]
    data = await acme.ask(PROGRESS, as_=Role.STUDENT, id=course)
    assert (data["progress"]["percent"], data["progress"]["resume"]) == (100, None)
    assert data["progress"]["completedAt"] is not None
    mine = await acme.ask("{ myEnrollments { totalCount nodes { status } } }", as_=Role.STUDENT)
    assert mine["myEnrollments"] == {"totalCount": 1, "nodes": [{"status": "COMPLETED"}]}
    assert await outbox(acme, "course_completed") == 1


async def test_e1_leaving_and_coming_back_keeps_the_row_and_the_progress(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    first = (await enroll(acme, course))["enrollment"]
    lesson = (await lessons_of(acme, course))[0]
    await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": lesson})
    left = await acme.ask(UNENROLL, as_=Role.STUDENT, input={"courseId": course})
    assert left["unenroll"]["enrollment"] == {"id": first["id"], "status": "DROPPED"}
    refused = await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": lesson})
    assert refused["completeLesson"]["code"] == "NOT_ENROLLED"
    assert (await acme.ask("{ myEnrollments { totalCount } }", as_=Role.STUDENT))["myEnrollments"]["totalCount"] == 0
    back = (await enroll(acme, course))["enrollment"]
    assert (back["id"], back["status"], back["progress"]["percent"]) == (first["id"], "ACTIVE", 50)


async def test_e9_an_idempotency_key_gives_the_same_answer_or_a_conflict(acme: World) -> None:
    one, other = [acme.id("crs", await acme.course(title)) for title in ("Uno", "Dos")]
    first = await enroll(acme, one, idempotencyKey="enrol-2026-1")
    again = await enroll(acme, one, idempotencyKey="enrol-2026-1")
    assert again == first
    reused = await enroll(acme, other, idempotencyKey="enrol-2026-1")
    assert (reused["__typename"], reused["code"]) == ("ConflictProblem", "IDEMPOTENCY_KEY_REUSED")
    mine = await acme.ask("{ myEnrollments { totalCount } }", as_=Role.STUDENT)
    assert mine["myEnrollments"]["totalCount"] == 1


async def test_e10_twenty_tabs_make_one_enrolment_and_one_event(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    student = await acme.person(Role.STUDENT)
    answers = await asyncio.gather(*(enroll(acme, course, student) for _ in range(20)))
    assert len({answer["enrollment"]["id"] for answer in answers}) == 1
    assert await outbox(acme, "enrolled") == 1
    await acme.work()
    await acme.work()
    assert len(acme.mailbox.to(student.email)) == 1


async def test_enrolling_does_not_wait_for_an_author_who_edits_the_course(acme: World) -> None:
    course = await acme.course()
    async with acme.platform.database.tenant(acme.tenant.handle) as tx:
        await tx.one(COURSE_FOR_UPDATE, "course", id=course)
        answer = await asyncio.wait_for(enroll(acme, acme.id("crs", course)), 2)
    assert answer["__typename"] == "EnrollmentSuccess"


async def test_e12_an_unpublished_course_makes_enrolments_inactive_and_loses_nothing(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await enroll(acme, course)
    change = "mutation($i: CourseIdInput!) { %s(input: $i) { __typename } }"
    await acme.ask(change % "unpublishCourse", as_=Role.INSTRUCTOR, i={"id": course})
    state = "{ myEnrollments { nodes { status effectiveState course { id } } } }"
    hidden = await acme.ask(state, as_=Role.STUDENT)
    assert hidden["myEnrollments"]["nodes"] == [{"status": "ACTIVE", "effectiveState": "INACTIVE", "course": None}]
    await acme.ask(change % "publishCourse", as_=Role.INSTRUCTOR, i={"id": course})
    back = await acme.ask(state, as_=Role.STUDENT)
    assert back["myEnrollments"]["nodes"][0]["effectiveState"] == "ACTIVE"


async def test_a_draft_or_unknown_course_cannot_be_enrolled_in(acme: World) -> None:
    draft = acme.id("crs", await acme.course(published=False))
    for course in (draft, acme.id("crs", uuid4()), "nonsense"):
        answer = await enroll(acme, course)
        assert (answer["__typename"], answer["code"]) == ("NotFoundProblem", "NOT_FOUND")
    analyst = await enroll(acme, draft, Role.ANALYST)
    assert analyst["__typename"] == "ForbiddenProblem"


async def test_p3_each_event_is_taken_on_its_own_merits(acme: World, globex: World) -> None:
    course = acme.id("crs", await acme.course(lessons=3))
    other = acme.id("crs", await acme.course("Otro"))
    await enroll(acme, course)
    lessons = await lessons_of(acme, course)
    [stranger] = await lessons_of(acme, other)
    foreign_course = globex.id("crs", await globex.course())
    [foreign] = await lessons_of(globex, foreign_course)
    good = event(lessons[0])
    answer = await sync(
        acme,
        [
            good,
            good,
            event(stranger),
            event(foreign),
            event(lessons[1], "POSITION", positionSeconds=-5),
            event(lessons[1], "WATCHED", watchedRanges=[{"start": 0, "end": 900}], blockId="blk_1"),
            event(lessons[1], "POSITION", positionSeconds=42.5, percent="40"),
        ],
    )
    assert [(item["status"], item["code"]) for item in answer["results"]] == [
        ("ACCEPTED", None),
        ("DUPLICATE", None),
        ("REJECTED", "NOT_ENROLLED"),
        ("REJECTED", "LESSON_NOT_FOUND"),
        ("REJECTED", "EVENT_INVALID"),
        ("REJECTED", "IMPLAUSIBLE"),
        ("ACCEPTED", None),
    ]
    assert answer["results"][2]["message"] == "enrol in the course first"
    again = await sync(acme, [good])
    assert again["results"][0]["status"] == "DUPLICATE"
    data = await acme.ask(PROGRESS, as_=Role.STUDENT, id=course)
    states = [(row["state"], row["percent"], row["positionSeconds"]) for row in data["progress"]["lessons"]]
    assert states == [("COMPLETED", 100, "0"), ("STARTED", 40, "42.5"), ("UNLOCKED", 0, "0")]
    assert data["progress"]["resume"] == {
        "lesson": {"id": lessons[1], "title": "Lesson 2"}, "positionSeconds": "42.5",
    }  # fmt: skip


async def test_p2_a_phone_that_comes_back_late_changes_nothing_that_is_newer(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await enroll(acme, course)
    [lesson] = await lessons_of(acme, course)
    now = datetime.now(UTC)
    late = event(lesson, "POSITION", positionSeconds=10, occurredAt=(now - timedelta(days=3)).isoformat())
    await sync(acme, [event(lesson, "POSITION", positionSeconds=99, percent="80")])
    await sync(acme, [late])
    data = await acme.ask(PROGRESS, as_=Role.STUDENT, id=course)
    assert data["progress"]["lessons"][0]["positionSeconds"] == "99"
    assert data["progress"]["lessons"][0]["percent"] == 80


async def test_a_completion_that_is_repeated_after_its_lesson_or_enrolment_is_gone_is_answered(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    await enroll(acme, course)
    first, second = await lessons_of(acme, course)
    again = {lesson: {"lessonId": lesson, "clientEventId": str(uuid4())} for lesson in (first, second)}
    for given in again.values():
        done = await acme.ask(COMPLETE, as_=Role.STUDENT, input=given)
        assert done["completeLesson"]["__typename"] == "CompleteLessonSuccess"
    delete = "mutation($i: LessonIdInput!) { deleteLesson(input: $i) { __typename } }"
    await acme.ask(delete, as_=Role.INSTRUCTOR, i={"id": first})
    await acme.ask(UNENROLL, as_=Role.STUDENT, input={"courseId": course})
    for given in again.values():
        late = await acme.ask(COMPLETE, as_=Role.STUDENT, input=given)
        assert late["completeLesson"]["code"] == "NOT_FOUND"


async def test_an_event_identifier_stands_for_one_lesson_and_loses_nothing_of_another(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    await enroll(acme, course)
    first, second = await lessons_of(acme, course)
    one = event(first)
    answer = await sync(acme, [one, {**one, "lessonId": second}, one])
    found = [(item["status"], item["code"]) for item in answer["results"]]
    assert found == [("ACCEPTED", None), ("REJECTED", "EVENT_ID_REUSED"), ("DUPLICATE", None)]
    reused = {"lessonId": second, "clientEventId": one["clientEventId"]}
    refused = await acme.ask(COMPLETE, as_=Role.STUDENT, input=reused)
    assert (refused["completeLesson"]["__typename"], refused["completeLesson"]["code"]) == (
        "ConflictProblem", "EVENT_ID_REUSED",
    )  # fmt: skip


async def test_what_is_kept_of_a_lesson_is_bounded_and_it_can_still_be_completed(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_HISTORY", 8)
    monkeypatch.setattr(rules, "LAST_WORDS", 1)
    course = acme.id("crs", await acme.course(lessons=2))
    await enroll(acme, course)
    first, second = await lessons_of(acme, course)
    heavy = {
        "blockId": acme.id("blk", uuid4()), "watchedRanges": [{"start": n, "end": n + 0.1} for n in range(3)],
        "spanStartedAt": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    events = [event(first, "WATCHED", **heavy), *(event(first, "VIEWED") for _ in range(6))]
    found = [item["code"] for item in (await sync(acme, events))["results"]]
    assert found == [None] * 5 + ["HISTORY_FULL"] * 2
    later = await sync(acme, [event(first, "VIEWED"), event(second, "VIEWED"), event(first), event(first)])
    assert [item["code"] for item in later["results"]] == ["HISTORY_FULL", None, None, "HISTORY_FULL"]
    assert later["courses"][0]["percent"] == 50


async def test_p4_a_video_lesson_is_completed_by_watching_and_not_by_saying_so(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    [lesson] = await lessons_of(acme, course, Role.INSTRUCTOR)
    update = """mutation($i: UpdateLessonInput!) { updateLesson(input: $i) { __typename
      ... on LessonSuccess { lesson { completion videoThreshold blocks { __typename ... on VideoBlock { id } } } }
      ... on ValidationProblem { fields { path message } } } }"""
    video = {"content": {"video": {"url": "https://videos.example.org/1", "durationSeconds": 100}}}
    made = await acme.ask(
        update, as_=Role.INSTRUCTOR,
        i={"id": lesson, "completion": "VIDEO_COVERAGE", "videoThreshold": "0.9", "blocks": [video]},
    )  # fmt: skip
    block = made["updateLesson"]["lesson"]["blocks"][0]["id"]
    assert made["updateLesson"]["lesson"]["videoThreshold"] == "0.9"
    await enroll(acme, course)
    await acme.as_owner("UPDATE enrollments SET enrolled_at = now() - interval '1 day'")
    refused = await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": lesson})
    assert refused["completeLesson"]["code"] == "COVERAGE_REQUIRED"
    now = datetime.now(UTC)

    def watched(start: float, end: float, minutes_ago: int) -> dict[str, Any]:
        ended = now - timedelta(minutes=minutes_ago)
        began = ended - timedelta(seconds=end - start)
        return event(
            lesson, "WATCHED", blockId=block, watchedRanges=[{"start": start, "end": end}],
            occurredAt=ended.isoformat(), spanStartedAt=began.isoformat(),
        )  # fmt: skip

    half = await sync(acme, [watched(0, 50, 10)])
    assert half["courses"] == [{"percent": 0, "completedAt": None}]
    both = await sync(acme, [watched(40, 95, 5)])
    assert both["courses"][0]["percent"] == 100


async def test_p7_optional_and_deleted_lessons_do_not_count_and_weights_do(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=4))
    await enroll(acme, course)
    lessons = await lessons_of(acme, course)
    change = "mutation($i: UpdateLessonInput!) { updateLesson(input: $i) { __typename } }"
    await acme.ask(change, as_=Role.INSTRUCTOR, i={"id": lessons[0], "weight": 3})
    await acme.ask(change, as_=Role.INSTRUCTOR, i={"id": lessons[3], "isRequired": False})
    done = await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": lessons[0]})
    assert done["completeLesson"]["progress"]["percent"] == 60
    await acme.ask(
        "mutation($i: LessonIdInput!) { deleteLesson(input: $i) { __typename } }", as_=Role.INSTRUCTOR,
        i={"id": lessons[1]},
    )  # fmt: skip
    data = await acme.ask(PROGRESS, as_=Role.STUDENT, id=course)
    assert (data["progress"]["percent"], data["progress"]["totalLessons"]) == (75, 2)
    gone = await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": lessons[1]})
    assert gone["completeLesson"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("how", ["deleteLesson", "deleteModule", "updateLesson"])
async def test_p7_who_had_done_everything_but_what_was_taken_out_completes_once(acme: World, how: str) -> None:
    course = acme.id("crs", await acme.course(modules=2, lessons=1))
    done, slow = await acme.person(Role.STUDENT), await acme.person(Role.STUDENT)
    first, last = await lessons_of(acme, course)
    for who in (done, slow):
        await enroll(acme, course, who)
    await acme.ask(COMPLETE, as_=done, input={"lessonId": first})
    modules = await acme.ask("query($id: ID!) { course(id: $id) { modules { id } } }", as_=Role.ADMIN, id=course)
    kind, given = {
        "deleteLesson": ("LessonIdInput", {"id": last}),
        "deleteModule": ("ModuleIdInput", {"id": modules["course"]["modules"][1]["id"]}),
        "updateLesson": ("UpdateLessonInput", {"id": last, "isRequired": False}),
    }[how]
    await acme.ask(f"mutation($i: {kind}!) {{ {how}(input: $i) {{ __typename }} }}", as_=Role.INSTRUCTOR, i=given)
    await acme.work()
    await acme.work()
    data = await acme.ask(PROGRESS, as_=done, id=course)
    assert (data["progress"]["percent"], data["progress"]["completedAt"] is None) == (100, False)
    assert (await acme.ask(PROGRESS, as_=slow, id=course))["progress"]["completedAt"] is None
    assert await outbox(acme, "course_completed") == 1
    assert len(acme.mailbox.to(done.email)) == 3  # enrolled, completed, certified
    assert len(acme.mailbox.to(slow.email)) == 1


async def test_p7_what_was_taken_out_during_an_absence_is_not_missed_on_return(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    await enroll(acme, course)
    first, last = await lessons_of(acme, course)
    await acme.ask(COMPLETE, as_=Role.STUDENT, input={"lessonId": first})
    await acme.ask(UNENROLL, as_=Role.STUDENT, input={"courseId": course})
    delete = "mutation($i: LessonIdInput!) { deleteLesson(input: $i) { __typename } }"
    await acme.ask(delete, as_=Role.INSTRUCTOR, i={"id": last})
    await acme.work()
    assert await outbox(acme, "course_completed") == 0
    assert (await enroll(acme, course))["enrollment"]["status"] == "COMPLETED"
    assert await outbox(acme, "course_completed") == 1


async def test_p9_a_lesson_taken_out_while_its_learners_finish_completes_each_once(acme: World) -> None:
    delete = "mutation($i: LessonIdInput!) { deleteLesson(input: $i) { __typename } }"
    for _ in range(5):
        course = acme.id("crs", await acme.course(lessons=3))
        students = [await acme.person(Role.STUDENT) for _ in range(3)]
        first, middle, last = await lessons_of(acme, course)
        for student in students:
            await enroll(acme, course, student)
            await sync(acme, [event(first)], student)
        before = await outbox(acme, "course_completed")
        await asyncio.gather(
            acme.ask(delete, as_=Role.INSTRUCTOR, i={"id": last}),
            *(sync(acme, [event(middle)], student) for student in students),
            acme.application.worker.sweep(0),
        )
        await acme.application.worker.sweep(0)
        assert await outbox(acme, "course_completed") == before + len(students)


async def test_leaving_a_course_sends_no_mail_and_leaves_no_job_that_fails(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    student = await acme.person(Role.STUDENT)
    await enroll(acme, course, student)
    await acme.ask(UNENROLL, as_=student, input={"courseId": course})
    await acme.work()
    assert len(acme.mailbox.to(student.email)) == 1
    pending = f"""SELECT count(*) FROM control.outbox WHERE done_at IS NULL AND tenant_id = '{acme.tenant.id}'"""
    assert await acme.as_owner(pending) == [(0,)]


async def test_p9_two_devices_that_finish_the_last_lessons_at_once_complete_the_course_once(acme: World) -> None:
    for _ in range(8):
        course = acme.id("crs", await acme.course(lessons=2))
        student = await acme.person(Role.STUDENT)
        await enroll(acme, course, student)
        lessons = await lessons_of(acme, course, student)
        before = await outbox(acme, "course_completed")
        answers = await asyncio.gather(*(sync(acme, [event(lesson)], student) for lesson in lessons))
        assert {answer["results"][0]["status"] for answer in answers} == {"ACCEPTED"}
        assert sum(answer["courses"][0]["completedAt"] is not None for answer in answers) >= 1
        assert await outbox(acme, "course_completed") == before + 1


async def test_p12_two_devices_with_many_courses_never_get_in_each_others_way(acme: World) -> None:
    courses = [acme.id("crs", await acme.course(f"Curso {n}", lessons=2)) for n in range(4)]
    student = await acme.person(Role.STUDENT)
    lessons: list[str] = []
    for course in courses:
        await enroll(acme, course, student)
        lessons += await lessons_of(acme, course, student)
    orders = (lessons, lessons[::-1]) * 4
    batches = [[event(lesson, "VIEWED") for lesson in order] for order in orders]
    answers = await asyncio.gather(*(sync(acme, batch, student) for batch in batches))
    assert all(item["status"] == "ACCEPTED" for answer in answers for item in answer["results"])


async def test_p11_progress_is_always_ones_own(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await enroll(acme, course)
    other = await acme.person(Role.STUDENT)
    data = await acme.ask(PROGRESS, as_=other, id=course)
    assert data["progress"] is None
    enrollment = (await enroll(acme, course))["enrollment"]["id"]
    query = "query($id: ID!) { node(id: $id) { __typename id ... on Enrollment { progress { percent } } } }"
    assert (await acme.ask(query, as_=other, id=enrollment))["node"] is None
    seen = await acme.ask(query, as_=Role.INSTRUCTOR, id=enrollment)
    assert seen["node"] == {"__typename": "Enrollment", "id": enrollment, "progress": None}


async def test_a_batch_takes_the_same_number_of_statements_whatever_its_size(acme: World) -> None:
    course = acme.id("crs", await acme.course(modules=2, lessons=20))
    await enroll(acme, course)
    lessons = await lessons_of(acme, course)
    counts = []
    for size in (1, 40):
        with acme.counting() as statements:
            await sync(acme, [event(lesson, "VIEWED") for lesson in lessons[:size]])
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 18


async def test_more_than_500_events_are_refused_whole(acme: World) -> None:
    lesson = acme.id("lsn", UUID(int=1))
    tiny = [
        {"clientEventId": f"{n:032x}", "lessonId": "x", "kind": "VIEWED", "occurredAt": "2026-01-01T00:00:00Z"}
        for n in range(501)
    ]
    answer = await sync(acme, tiny)
    assert answer["fields"] == [{"path": "input.events", "code": "TOO_MANY"}]
    assert (await sync(acme, []))["results"] == []
    assert (await sync(acme, [event(lesson)]))["results"][0]["code"] == "LESSON_NOT_FOUND"


async def test_instructors_list_the_enrolments_of_their_own_courses(acme: World) -> None:
    teacher = await acme.person(Role.INSTRUCTOR)
    mine = acme.id("crs", await acme.course("Mío", instructor=teacher))
    await acme.course("Ajeno")
    await enroll(acme, mine)
    query = """query($f: EnrollmentFilter) { enrollments(filter: $f) { totalCount nodes { status user { fullName }
      course { title } } } }"""
    own = await acme.ask(query, as_=teacher, f={"courseId": mine, "status": "ACTIVE"})
    assert own["enrollments"]["nodes"][0]["course"]["title"] == "Mío"
    other = await acme.ask(query, as_=await acme.person(Role.INSTRUCTOR), f=None)
    assert other["enrollments"]["totalCount"] == 0
    assert (await acme.ask(query, as_=Role.ADMIN, f=None))["enrollments"]["totalCount"] == 1
