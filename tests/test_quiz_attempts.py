"""Attempts: begun once, answered until the time is up, submitted and graded once (Q1-Q8, Q14, Q16)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.assessment import bodies
from app.viewer import Role
from tests.quizzing import PROBLEM, QUIZ_READ, START, School, choose, single, write
from tests.world import World


@pytest.fixture
async def school(acme: World) -> School:
    return await School.of(acme)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_quiz_is_taken_from_the_first_question_to_the_score(school: School) -> None:
    quiz = await school.quiz(await school.questions(2), passPercent="50")
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    assert (attempt["state"], attempt["number"], attempt["possible"], attempt["deadlineAt"]) == (
        "IN_PROGRESS", 1, "2", None,
    )  # fmt: skip
    assert [(q["slot"], q["question"]["kind"], q["answer"], q["result"]) for q in attempt["questions"]] == [
        (1, "single", None, None),
        (2, "single", None, None),
    ]
    saved = await school.save(attempt, ana, choose(1, "a"), choose(2, "nonsense"))
    assert saved["outcomes"] == [
        {"slot": 1, "status": "SAVED", "code": None},
        {"slot": 2, "status": "REJECTED", "code": "ANSWER_UNKNOWN"},
    ]
    done = (await school.submit(attempt, ana, choose(2, "b")))["attempt"]
    assert (done["state"], done["score"], done["percent"], done["penalty"]) == ("GRADED", "1", "50", "0")
    assert [q["result"]["points"] for q in done["questions"]] == ["1", "0"]
    seen = await school.world.ask(
        "query($id: ID!) { quiz(id: $id) { myScore { score percent isPassed isFinal } myAttempts { number score } } }",
        as_=ana, id=quiz,
    )  # fmt: skip
    assert seen["quiz"]["myScore"] == {"score": "1", "percent": "50", "isPassed": True, "isFinal": True}
    assert seen["quiz"]["myAttempts"] == [{"number": 1, "score": "1"}]


async def test_q1_the_deadline_is_the_earlier_of_limit_and_closing_and_moves_with_both(school: School) -> None:
    closes = datetime.now(UTC) + timedelta(minutes=30)
    quiz = await school.quiz(timeLimitSeconds=3600, closeAt=closes.isoformat())
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    assert moment(attempt["deadlineAt"]) == closes
    await school.change("updateQuiz", id=quiz, closeAt=None)
    hour = await school.read(attempt, ana)
    assert moment(hour["deadlineAt"]) - moment(hour["startedAt"]) == timedelta(hours=1)
    await school.change("updateQuiz", id=quiz, timeLimitSeconds=600)
    ten = await school.read(attempt, ana)
    assert moment(ten["deadlineAt"]) - moment(ten["startedAt"]) == timedelta(minutes=10)
    await school.change("updateQuiz", id=quiz, timeLimitSeconds=None)
    assert (await school.read(attempt, ana))["deadlineAt"] is None


async def test_q1_the_clock_is_the_databases_whatever_a_client_thinks(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=60)
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    await school.age(attempt, timedelta(seconds=130))
    late = await school.save(attempt, ana, choose(1, "a"))
    assert (late["__typename"], late["code"]) == ("ConflictProblem", "TIME_IS_UP")


async def test_q2_autosubmit_takes_the_last_autosave_and_the_time_of_the_deadline(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600)
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    await school.save(attempt, ana, choose(1, "a"))
    await school.age(attempt, timedelta(seconds=661))
    await school.sweep()
    ended = await school.read(attempt, ana)
    assert (ended["state"], ended["score"], ended["wasAutoSubmitted"]) == ("GRADED", "1", True)
    assert ended["finishedAt"] == ended["deadlineAt"]


async def test_q2_answers_on_their_way_at_the_deadline_are_taken_and_later_ones_dropped(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600)
    ana, ben = await school.learner(), await school.learner()
    on_time, too_late = await school.start(quiz, ana), await school.start(quiz, ben)
    await school.age(on_time, timedelta(seconds=630))
    await school.age(too_late, timedelta(seconds=700))
    taken = (await school.submit(on_time, ana, choose(1, "a")))["attempt"]
    assert (taken["score"], taken["wasAutoSubmitted"]) == ("1", False)
    dropped = (await school.submit(too_late, ben, choose(1, "a")))["attempt"]
    assert (dropped["score"], dropped["wasAutoSubmitted"]) == ("0", True)
    assert dropped["finishedAt"] == dropped["deadlineAt"]


async def test_q2_grace_lets_submit_for_a_while_with_no_other_answers_and_then_abandons(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600, overduePolicy="GRACE", gracePeriodSeconds=3600)
    ana, ben = await school.learner(), await school.learner()
    one, other = await school.start(quiz, ana), await school.start(quiz, ben)
    await school.save(one, ana, choose(1, "a"))
    await school.age(one, timedelta(minutes=30))
    await school.sweep()
    assert (await school.read(one, ana))["state"] == "OVERDUE"
    assert (await school.save(one, ana, choose(2, "a")))["code"] == "TIME_IS_UP"
    done = (await school.submit(one, ana, choose(2, "a")))["attempt"]
    assert (done["state"], done["score"], done["isFlaggedLate"]) == ("GRADED", "1", True)
    assert moment(done["finishedAt"]) - moment(done["deadlineAt"]) > timedelta(minutes=19)
    await school.age(other, timedelta(minutes=72))
    await school.sweep()
    assert (await school.read(other, ben))["state"] == "ABANDONED"
    assert (await school.submit(other, ben))["code"] == "ATTEMPT_CLOSED"


async def test_q2_abandon_ends_without_a_score_and_can_be_reopened(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600, overduePolicy="ABANDON")
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    await school.save(attempt, ana, choose(1, "a"))
    await school.age(attempt, timedelta(minutes=12))
    await school.sweep()
    assert (await school.read(attempt, ana))["state"] == "ABANDONED"
    assert await school.world.as_owner("SELECT count(*) FROM quiz_scores") == [(0,)]
    reopen = f"""mutation($input: ReopenAttemptInput!) {{ reopenAttempt(input: $input) {{ __typename
        ... on AttemptSuccess {{ attempt {{ state score finishedAt deadlineAt }} }} {PROBLEM} }} }}"""
    asked = {"attemptId": attempt["id"], "reason": "the power went out"}
    again = await school.do(reopen, school.teacher, **asked)
    assert (again["attempt"]["state"], again["attempt"]["score"]) == ("GRADED", "1")
    assert again["attempt"]["finishedAt"] == again["attempt"]["deadlineAt"]
    assert (await school.do(reopen, school.teacher, **asked))["code"] == "NOT_ABANDONED"
    assert await school.world.as_owner("SELECT action, reason FROM audit_log") == [
        ("attempt.reopen", "the power went out")
    ]


async def test_q2_a_reopened_attempt_with_time_left_goes_on(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600, overduePolicy="ABANDON")
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    await school.age(attempt, timedelta(minutes=12))
    await school.sweep()
    await school.change("updateQuiz", id=quiz, timeLimitSeconds=3600)
    reopen = "mutation($input: ReopenAttemptInput!) { reopenAttempt(input: $input) { __typename } }"
    await school.do(reopen, school.teacher, attemptId=attempt["id"], reason="more time for all")
    assert (await school.read(attempt, ana))["state"] == "IN_PROGRESS"
    assert (await school.submit(attempt, ana, choose(1, "a")))["attempt"]["score"] == "1"


async def test_q2_the_sweeper_and_the_student_grade_an_attempt_exactly_once(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600)
    for _ in range(8):
        ana = await school.learner()
        attempt = await school.start(quiz, ana)
        await school.save(attempt, ana, choose(1, "a"))
        await school.age(attempt, timedelta(seconds=661))
        results = await asyncio.gather(
            school.sweep(), school.submit(attempt, ana), school.sweep(), school.submit(attempt, ana, choose(2, "a", 2))
        )
        assert results[1]["attempt"]["score"] == "1"
        assert (await school.read(attempt, ana))["score"] == "1"
    assert len(await school.events("attempt_submitted")) == 8
    assert len(await school.events("score_changed")) == 8


async def test_q2_many_sweepers_end_many_attempts_once_each(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600)
    people = [await school.learner() for _ in range(12)]
    for person in people:
        await school.age(await school.start(quiz, person), timedelta(hours=1))
    await asyncio.gather(*(school.sweep() for _ in range(6)))
    await school.sweep()
    assert await school.world.as_owner("SELECT state, count(*) FROM quiz_attempts GROUP BY state") == [("graded", 12)]
    assert len(await school.events("attempt_submitted")) == 12


async def test_q2_the_deadline_passing_during_autosave_leaves_one_state(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600)
    for _ in range(6):
        ana = await school.learner()
        attempt = await school.start(quiz, ana)
        await school.save(attempt, ana, choose(1, "b"))
        await school.age(attempt, timedelta(seconds=661) - timedelta(milliseconds=1000 + 15))
        saves = [school.save(attempt, ana, choose(1, "a", revision)) for revision in range(2, 12)]
        answers = await asyncio.gather(*saves, asyncio.sleep(0.02), school.sweep(), school.sweep())
        await asyncio.sleep(0.03)
        await school.sweep()
        was_taken = any(
            answer is not None and answer.get("outcomes") == [{"slot": 1, "status": "SAVED", "code": None}]
            for answer in answers
        )
        ended = await school.read(attempt, ana)
        assert (ended["state"], ended["score"]) == ("GRADED", "1" if was_taken else "0")
        refusals = {answer["code"] for answer in answers if answer is not None and "code" in answer}
        assert refusals <= {"TIME_IS_UP", "ATTEMPT_CLOSED"}


async def test_q3_a_finish_little_after_the_deadline_is_the_deadlines_and_a_later_one_is_flagged(
    school: School,
) -> None:
    quiz = await school.quiz(timeLimitSeconds=600, networkGraceSeconds=1200)
    ana, ben = await school.learner(), await school.learner()
    little, much = await school.start(quiz, ana), await school.start(quiz, ben)
    await school.age(little, timedelta(minutes=14))
    await school.age(much, timedelta(minutes=16))
    one = (await school.submit(little, ana, choose(1, "a")))["attempt"]
    assert (one["finishedAt"], one["isFlaggedLate"], one["score"]) == (one["deadlineAt"], False, "1")
    other = (await school.submit(much, ben, choose(1, "a")))["attempt"]
    assert (other["isFlaggedLate"], other["score"]) == (True, "1")
    assert moment(other["finishedAt"]) - moment(other["deadlineAt"]) > timedelta(minutes=5)


async def test_q4_twenty_tabs_begin_one_attempt(school: School) -> None:
    quiz = await school.quiz(attemptsAllowed=1)
    ana = await school.learner()
    begun = await asyncio.gather(*(school.start(quiz, ana) for _ in range(20)))
    assert len({attempt["id"] for attempt in begun}) == 1
    assert await school.world.as_owner("SELECT count(*) FROM quiz_attempts") == [(1,)]
    await school.submit(begun[0], ana)
    refused = await asyncio.gather(*(school.do(START, ana, quizId=quiz) for _ in range(5)))
    assert {answer["code"] for answer in refused} == {"NO_ATTEMPTS_LEFT"}


async def test_q4_starting_again_while_submitting_never_exceeds_the_limit(school: School) -> None:
    quiz = await school.quiz(attemptsAllowed=3)
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    await asyncio.gather(school.submit(attempt, ana), *(school.do(START, ana, quizId=quiz) for _ in range(10)))
    for _ in range(5):
        answer = await school.do(START, ana, quizId=quiz)
        if answer["__typename"] == "AttemptSuccess":
            await school.submit(answer["attempt"], ana)
    rows = await school.world.as_owner("SELECT attempt_no FROM quiz_attempts ORDER BY attempt_no")
    assert rows == [(1,), (2,), (3,)]


async def test_q4_an_idempotency_key_begins_nothing_twice_even_after_submitting(school: School) -> None:
    one, other = await school.quiz(), await school.quiz()
    ana = await school.learner()
    first = await school.start(one, ana, idempotencyKey="attempt-2026-1")
    await school.submit(first, ana)
    assert (await school.start(one, ana, idempotencyKey="attempt-2026-1"))["id"] == first["id"]
    reused = await school.do(START, ana, quizId=other, idempotencyKey="attempt-2026-1")
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_q5_what_was_asked_is_frozen_at_the_start(school: School) -> None:
    [question] = await school.questions(1)
    quiz = await school.quiz([question], shuffleQuestions=True, shuffleOptions=True)
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    before = attempt["questions"]
    await school.version(question, 2, single(right="z", wrong=("a", "y")))
    other = await school.question()
    await school.change("setQuizSlots", id=quiz, slots=[{"questionId": school.world.id("qst", other), "points": "7"}])
    assert (await school.read(attempt, ana))["questions"] == before
    done = (await school.submit(attempt, ana, choose(1, "a")))["attempt"]
    assert (done["score"], done["possible"]) == ("1", "1")
    ben = await school.learner()
    assert (await school.start(quiz, ben))["possible"] == "7"


async def test_q5_orders_differ_between_learners_and_never_within_an_attempt(school: School) -> None:
    quiz = await school.quiz(
        [await school.question(single(wrong=tuple("bcdefghij"))) for _ in range(8)],
        shuffleQuestions=True, shuffleOptions=True,
    )  # fmt: skip
    ana, ben = await school.learner(), await school.learner()
    one, other = await school.start(quiz, ana), await school.start(quiz, ben)

    def shown(attempt: dict[str, Any]) -> list[Any]:
        return [[choice["id"] for choice in q["question"]["choices"]] for q in attempt["questions"]]

    assert shown(one) != shown(other)
    assert shown(await school.read(one, ana)) == shown(one)


async def test_q6_only_questions_of_the_attempt_each_once(school: School) -> None:
    quiz = await school.quiz()
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    twice = await school.submit(attempt, ana, choose(1, "a"), choose(1, "a", 2))
    assert twice["fields"] == [{"path": "input.answers.1.slot", "code": "ORDER_DUPLICATE"}]
    strange = await school.submit(attempt, ana, choose(3, "a"))
    assert strange["fields"] == [{"path": "input.answers.0.slot", "code": "SLOT_UNKNOWN"}]
    invalid = await school.submit(attempt, ana, choose(1, "a"), write(2, "words"))
    assert invalid["fields"] == [{"path": "input.answers.1", "code": "ANSWER_INVALID"}]
    untouched = await school.read(attempt, ana)
    assert (untouched["state"], [q["answer"] for q in untouched["questions"]]) == ("IN_PROGRESS", [None, None])


async def test_q6_an_older_save_that_comes_late_is_ignored(school: School) -> None:
    quiz = await school.quiz()
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    await school.save(attempt, ana, choose(1, "a", 5))
    old = await school.save(attempt, ana, choose(1, "b", 4), choose(2, "a", 1))
    assert [outcome["status"] for outcome in old["outcomes"]] == ["IGNORED", "SAVED"]
    invalid = await school.save(attempt, ana, choose(1, "nonsense", 9))
    assert invalid["outcomes"][0]["status"] == "REJECTED"
    taken_back = await school.save(attempt, ana, choose(2, None, 2))
    assert taken_back["outcomes"][0]["status"] == "SAVED"
    now = (await school.read(attempt, ana))["questions"]
    assert (now[0]["answer"]["choice"], now[0]["revision"], now[1]["answer"]) == ("a", 5, None)


async def test_q6_saves_in_any_order_at_once_keep_the_greatest_revision(school: School) -> None:
    quiz = await school.quiz()
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    saves = [school.save(attempt, ana, choose(1, "abc"[n % 3], n), choose(2, "a", n)) for n in (7, 3, 9, 1, 8, 2)]
    await asyncio.gather(*saves)
    first = (await school.read(attempt, ana))["questions"][0]
    assert (first["revision"], first["answer"]["choice"]) == (9, "a")


async def test_q7_submitting_again_gives_the_first_result_and_other_answers_are_refused(school: School) -> None:
    quiz = await school.quiz()
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    first = await school.submit(attempt, ana, choose(1, "a"))
    assert await school.submit(attempt, ana, choose(1, "a")) == first
    assert await school.submit(attempt, ana) == first
    other = await school.submit(attempt, ana, choose(1, "b", 2))
    assert (other["__typename"], other["code"]) == ("ConflictProblem", "ATTEMPT_CLOSED")
    assert (await school.save(attempt, ana, choose(1, "b", 3)))["code"] == "ATTEMPT_CLOSED"
    assert (await school.read(attempt, ana))["score"] == "1"


async def test_q7_an_answer_that_a_later_one_had_overtaken_refuses_no_repetition(school: School) -> None:
    quiz = await school.quiz()
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    await school.save(attempt, ana, choose(1, "a", 5))
    first = await school.submit(attempt, ana, choose(1, "b", 4))
    assert first["attempt"]["score"] == "1"
    assert await school.submit(attempt, ana, choose(1, "b", 4)) == first


async def test_q7_ten_submissions_at_once_are_one(school: School) -> None:
    quiz = await school.quiz()
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    answers = await asyncio.gather(*(school.submit(attempt, ana, choose(1, "a")) for _ in range(10)))
    assert all(answer == answers[0] for answer in answers)
    assert len(await school.events("attempt_submitted")) == 1
    assert len(await school.events("score_changed")) == 1


async def test_q14_pools_draw_distinct_questions_without_overlap_and_prefer_unseen_ones(school: School) -> None:
    for _ in range(4):
        await school.question(tags=("fuerza",))
    for _ in range(2):
        await school.question(tags=("energía", "calor"))
    quiz = await school.quiz(
        slots=[{"tags": ["fuerza"], "draws": 2, "points": "1"}, {"tags": ["energía"], "draws": 1, "points": "2"}]
    )
    ana = await school.learner()
    rounds = []
    for _ in range(2):
        attempt = await school.start(quiz, ana)
        rows = await school.world.as_owner(
            f"SELECT question_id FROM attempt_answers WHERE attempt_id = '{school.raw(attempt['id'])}'"
        )
        rounds.append({row[0] for row in rows})
        assert attempt["possible"] == "4"
        await school.submit(attempt, ana)
    assert [len(found) for found in rounds] == [3, 3]
    assert not rounds[0] & rounds[1]


async def test_q14_a_pool_is_written_as_the_bank_keeps_its_tags_and_categories(school: School) -> None:
    await school.question(tags=("óptica",), category="ondas/luz")
    quiz = await school.quiz(slots=[{"tags": [" ÓPTICA "], "category": "/ondas/ luz/", "points": "1"}])
    [slot] = (await school.world.ask(QUIZ_READ, as_=school.teacher, id=quiz))["quiz"]["slots"]
    assert (slot["tags"], slot["category"]) == (["óptica"], "ondas/luz")
    everything = await school.quiz(slots=[{"category": " ", "points": "1"}])
    assert (await school.start(everything, await school.learner()))["possible"] == "1"
    refused = await school.change("setQuizSlots", id=quiz, slots=[{"tags": ["x" * 41, ""], "points": "1"}])
    assert [field["path"] for field in refused["fields"]] == ["input.slots.0.tags"]


async def test_q14_a_pool_with_fewer_questions_than_it_draws_is_refused_at_publishing(school: School) -> None:
    for _ in range(2):
        await school.question(category="ondas/luz")
    made = await school.change("createQuiz", courseId=school.course, title="Ondas")
    quiz = made["quiz"]["id"]
    pools = [{"category": "ondas", "draws": 2, "points": "1"}, {"category": "ondas/luz", "draws": 1, "points": "1"}]
    await school.change("setQuizSlots", id=quiz, slots=pools)
    refused = await school.change("publishQuiz", id=quiz)
    assert (refused["__typename"], refused["code"]) == ("ConflictProblem", "POOL_TOO_SMALL")
    await school.question(category="ondas/sonido")
    assert (await school.change("publishQuiz", id=quiz))["__typename"] == "QuizSuccess"


async def test_q16_a_preview_counts_nowhere(school: School) -> None:
    quiz = await school.quiz(attemptsAllowed=1)
    begun = await asyncio.gather(*(school.start(quiz, school.teacher, isPreview=True) for _ in range(5)))
    assert len({attempt["id"] for attempt in begun}) == 1
    done = (await school.submit(begun[0], school.teacher, choose(1, "a")))["attempt"]
    assert (done["isPreview"], done["score"]) == (True, "1")
    again = await school.start(quiz, school.teacher, isPreview=True)
    assert again["id"] != begun[0]["id"]
    assert await school.world.as_owner("SELECT count(*) FROM quiz_scores") == [(0,)]
    assert await school.events("attempt_submitted") == []
    ana = await school.learner()
    refused = await school.do(START, ana, quizId=quiz, isPreview=True)
    assert refused["__typename"] == "NotFoundProblem"


async def test_who_may_begin_is_decided_before_anything_is_written(school: School, globex: World) -> None:
    quiz = await school.quiz(openAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    closed = await school.quiz(closeAt=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    draft = (await school.change("createQuiz", courseId=school.course, title="Borrador"))["quiz"]["id"]
    ana = await school.learner()
    stranger = await school.world.person(Role.STUDENT)
    assert (await school.do(START, ana, quizId=quiz))["code"] == "NOT_OPEN_YET"
    assert (await school.do(START, ana, quizId=closed))["code"] == "QUIZ_CLOSED"
    assert (await school.do(START, ana, quizId=draft))["__typename"] == "NotFoundProblem"
    assert (await school.do(START, stranger, quizId=quiz))["code"] == "NOT_ENROLLED"
    other = await School.of(globex)
    foreign = await other.quiz()
    assert (await school.do(START, ana, quizId=foreign))["__typename"] == "NotFoundProblem"
    assert await school.world.as_owner("SELECT count(*) FROM quiz_attempts") == [(0,)]


@pytest.mark.parametrize(
    "standing",
    ["role = 'observer', observed_id = '{teacher}'", "expires_at = now() - interval '1 s'", "status = 'suspended'"],
)
async def test_who_may_not_learn_begins_nothing(school: School, standing: str) -> None:
    quiz = await school.quiz()
    ana = await school.learner()
    change = standing.format(teacher=school.teacher.user_id)
    await school.world.as_owner(f"UPDATE enrollments SET {change} WHERE user_id = '{ana.user_id}'")
    assert (await school.do(START, ana, quizId=quiz))["code"] == "NOT_ENROLLED"
    assert await school.world.as_owner("SELECT count(*) FROM quiz_attempts") == [(0,)]


async def test_nobody_answers_or_reads_somebody_elses_attempt(school: School, globex: World) -> None:
    quiz = await school.quiz()
    ana, ben = await school.learner(), await school.learner()
    attempt = await school.start(quiz, ana)
    assert (await school.save(attempt, ben, choose(1, "b")))["__typename"] == "NotFoundProblem"
    assert (await school.submit(attempt, ben))["__typename"] == "NotFoundProblem"
    read = "query($id: ID!) { attempt(id: $id) { id } node(id: $id) { id } }"
    assert await school.world.ask(read, as_=ben, id=attempt["id"]) == {"attempt": None, "node": None}
    other_teacher = await school.world.person(Role.INSTRUCTOR)
    assert (await school.world.ask(read, as_=other_teacher, id=attempt["id"]))["attempt"] is None
    assert await globex.ask(read, as_=Role.ADMIN, id=attempt["id"]) == {"attempt": None, "node": None}
    assert (await school.world.ask(read, as_=ana, id=attempt["id"]))["node"] == {"id": attempt["id"]}


@pytest.mark.parametrize("count", [5, 50])
async def test_a_page_of_any_number_of_questions_costs_the_same_statements(school: School, count: int) -> None:
    quiz = await school.quiz([await school.question(tags=("x",)) for _ in range(count)])
    ana = await school.learner()
    with school.world.counting() as starting:
        attempt = await school.start(quiz, ana)
    with school.world.counting() as saving:
        await school.save(attempt, ana, *(choose(slot, "a") for slot in range(1, count + 1)))
    with school.world.counting() as reading:
        page = await school.read(attempt, ana)
    with school.world.counting() as submitting:
        await school.submit(attempt, ana)
    with school.world.counting() as looking:
        done = await school.read(attempt, ana)
    assert len(page["questions"]) == count
    assert [q["result"]["points"] for q in done["questions"]] == ["1"] * count
    counted = [found.in_tenant() for found in (starting, saving, reading, submitting, looking)]
    assert counted == [12, 3, 2, 18, 4]


async def test_an_essay_beside_choices_waits_for_a_grader(school: School) -> None:
    essay = await school.question(bodies.Essay(prompt="<p>Explica.</p>"))
    quiz = await school.quiz([await school.question(), essay])
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    done = (await school.submit(attempt, ana, choose(1, "a"), write(2, "Porque sí.")))["attempt"]
    assert (done["state"], done["score"]) == ("GRADING", None)
    assert [q["result"]["waitsForGrader"] for q in done["questions"]] == [False, True]
    assert [row[0] for row in await school.world.as_owner("SELECT score FROM quiz_scores")] == [None]


async def test_check_answer_tells_only_where_the_quiz_allows_it(school: School) -> None:
    quiet, loud = await school.quiz(), await school.quiz(allowsCheck=True)
    ana = await school.learner()
    check = f"""mutation($input: CheckAnswerInput!) {{ checkAnswer(input: $input) {{ __typename
        ... on CheckAnswerSuccess {{ fraction parts {{ isRight }} }} {PROBLEM} }} }}"""
    first = await school.start(quiet, ana)
    asked = {"slot": 1, "content": {"choice": "a"}}
    assert (await school.do(check, ana, attemptId=first["id"], **asked))["code"] == "CHECK_NOT_ALLOWED"
    second = await school.start(loud, ana)
    told = await school.do(check, ana, attemptId=second["id"], **asked)
    assert (told["fraction"], told["parts"]) == ("1", [{"isRight": True}])
    assert [q["answer"] for q in (await school.read(second, ana))["questions"]] == [None, None]


async def test_an_answer_that_cannot_be_graded_by_our_fault_waits_for_a_person(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600)
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    await school.save(attempt, ana, choose(1, "a"), choose(2, "a"))
    await school.world.as_owner(
        """UPDATE question_versions v SET body = '{"kind": "single"}'
           FROM attempt_answers a WHERE a.question_id = v.question_id AND a.slot = 2"""
    )
    await school.age(attempt, timedelta(hours=1))
    await school.sweep()
    rows = await school.world.as_owner("SELECT auto_points::int, needs_manual FROM attempt_answers ORDER BY slot")
    assert rows == [(1, False), (None, True)]
    assert await school.world.as_owner("SELECT state FROM quiz_attempts") == [("grading",)]


async def test_the_worker_ends_attempts_when_their_time_is_up(school: School) -> None:
    quiz = await school.quiz(timeLimitSeconds=600)
    ana = await school.learner()
    attempt = await school.start(quiz, ana)
    assert len(await school.events("wake_at")) == 1
    await school.age(attempt, timedelta(seconds=661))
    await school.world.application.worker.tick_tenant(tenant_id=str(school.world.tenant.id))
    assert (await school.read(attempt, ana))["state"] == "GRADED"
