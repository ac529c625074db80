"""Saving a place in one statement amounts to what the rules say, however events are split, ordered and repeated."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from app.learning import rules
from app.viewer import Role
from tests.test_learning import enroll, event, lessons_of, sync
from tests.world import Person, World

STATE = "percent, position_seconds, position_at, position_event_id, started_at, completed_at, history"


async def stored(world: World, person: Person) -> list[tuple[Any, ...]]:
    return await world.as_owner(f"SELECT {STATE} FROM lesson_progress WHERE user_id = '{person.user_id}'")


def places(lesson: str, count: int, rng: random.Random) -> list[dict[str, Any]]:
    """Events of a few moments, so that some happen at the very same one."""
    began = datetime.now(UTC) - timedelta(minutes=30)
    return [
        event(
            lesson, "POSITION", clientEventId=str(UUID(int=rng.getrandbits(128), version=4)),
            occurredAt=(began + timedelta(seconds=rng.randrange(4))).isoformat(),
            positionSeconds=float(rng.randrange(1000)), percent=str(rng.randrange(101)),
        )
        for _ in range(count)
    ]  # fmt: skip


async def learner_of(world: World, course: str) -> Person:
    person = await world.person(Role.STUDENT)
    await enroll(world, course, person)
    await world.as_owner(
        f"UPDATE enrollments SET enrolled_at = now() - interval '1 day' WHERE user_id = '{person.user_id}'"
    )
    return person


async def test_a_place_is_one_statement_whatever_else_the_transaction_needs(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=3))
    person = await learner_of(acme, course)
    lessons = await lessons_of(acme, course, person)
    query = """mutation($input: SyncProgressInput!) { syncProgress(input: $input) {
      ... on SyncProgressSuccess { results { status } } } }"""
    for count in (1, 3):
        events = [event(lesson, "POSITION", positionSeconds=7) for lesson in lessons[:count]]
        with acme.counting() as statements:
            data = await acme.ask(query, as_=person, input={"events": events})
        assert data["syncProgress"]["results"] == [{"status": "ACCEPTED"}] * count
        assert len(statements) == 1


async def test_p2_places_amount_to_what_the_rules_say_in_any_order_and_split(acme: World) -> None:
    rng = random.Random(5)
    course = acme.id("crs", await acme.course())
    [lesson] = await lessons_of(acme, course)
    for _ in range(6):
        events = places(lesson, 8, rng)
        wanted = rules.progress_of(
            [
                rules.Event(
                    UUID(each["clientEventId"]), rules.EventKind.POSITION, datetime.fromisoformat(each["occurredAt"]),
                    percent=int(each["percent"]), position=each["positionSeconds"],  # type: ignore[arg-type]
                )
                for each in events
            ],
            rules.Lesson("mark_done"),
        )  # fmt: skip
        person = await learner_of(acme, course)
        sent = events + rng.sample(events, 4)
        rng.shuffle(sent)
        while sent:
            size = rng.choice((1, 1, 1, 3))  # one at a time they are places; several in one lesson go the long way
            await sync(acme, sent[:size], person)
            sent = sent[size:]
        [(percent, position, at, whose, started, completed, history)] = await stored(acme, person)
        assert (percent, float(position), at, whose) == (
            wanted.percent, wanted.position, wanted.position_at, wanted.position_event,
        )  # fmt: skip
        assert (started, completed, history) == (wanted.started_at, None, 8)


async def test_p12_devices_that_save_at_once_lose_nothing(acme: World) -> None:
    rng = random.Random(6)
    course = acme.id("crs", await acme.course())
    [lesson] = await lessons_of(acme, course)
    person = await learner_of(acme, course)
    events = places(lesson, 20, rng)
    long_way = [event(lesson, "VIEWED") for _ in range(5)]
    answers = await asyncio.gather(*(sync(acme, [each], person) for each in (*events, *long_way, *events[:10])))
    statuses = [answer["results"][0]["status"] for answer in answers]
    assert statuses.count("ACCEPTED") == 25
    assert statuses.count("DUPLICATE") == 10
    latest = max(events, key=lambda each: (each["occurredAt"], UUID(each["clientEventId"]).int))
    [(_, position, _, whose, *_, history)] = await stored(acme, person)
    assert (float(position), str(whose), history) == (latest["positionSeconds"], latest["clientEventId"], 25)


async def test_p1_a_place_in_a_completed_lesson_moves_it_and_takes_nothing_back(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    person = await learner_of(acme, course)
    first, _ = await lessons_of(acme, course, person)
    await sync(acme, [event(first)], person)
    answer = await sync(acme, [event(first, "POSITION", positionSeconds=12.5, percent="3")], person)
    assert answer["results"][0]["status"] == "ACCEPTED"
    [(percent, position, _, _, _, completed, _)] = await stored(acme, person)
    assert (percent, float(position), completed is None) == (100, 12.5, False)


async def test_an_event_that_may_complete_a_lesson_goes_the_long_way(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    await acme.as_owner("UPDATE lessons SET completion = 'view'")
    person = await learner_of(acme, course)
    [lesson] = await lessons_of(acme, course, person)
    answer = await sync(acme, [event(lesson, "POSITION", positionSeconds=1)], person)
    assert answer["results"][0]["status"] == "ACCEPTED"
    assert answer["courses"][0]["percent"] == 100


async def test_p3_places_that_cannot_be_saved_are_refused_each_for_its_own_reason(acme: World) -> None:
    course = acme.id("crs", await acme.course(lessons=2))
    other = acme.id("crs", await acme.course())
    person = await learner_of(acme, course)
    [first, second], [foreign] = await lessons_of(acme, course, person), await lessons_of(acme, other, person)
    kept = event(first, "POSITION", positionSeconds=5)
    await sync(acme, [kept], person)
    answer = await sync(
        acme,
        [
            event(second, "POSITION", positionSeconds=6),
            event(foreign, "POSITION", positionSeconds=7),
            {**kept, "lessonId": first},
            event(acme.id("lsn", uuid4()), "POSITION", positionSeconds=8),
        ],
        person,
    )
    assert [(item["status"], item["code"]) for item in answer["results"]] == [
        ("ACCEPTED", None), ("REJECTED", "NOT_ENROLLED"), ("DUPLICATE", None), ("REJECTED", "LESSON_NOT_FOUND"),
    ]  # fmt: skip
    reused = await sync(acme, [{**kept, "lessonId": second}], person)
    assert reused["results"][0]["code"] == "EVENT_ID_REUSED"


async def test_a_history_that_is_full_takes_no_more_places(acme: World) -> None:
    course = acme.id("crs", await acme.course())
    person = await learner_of(acme, course)
    [lesson] = await lessons_of(acme, course, person)
    await sync(acme, [event(lesson, "POSITION", positionSeconds=1)], person)
    await acme.as_owner(f"UPDATE lesson_progress SET history = {rules.MAX_HISTORY}")
    await acme.as_owner(
        f"""INSERT INTO progress_events (user_id, client_event_id, enrollment_id, lesson_id, kind, payload, occurred_at)
            SELECT user_id, gen_random_uuid(), enrollment_id, lesson_id, kind, payload, occurred_at
            FROM progress_events, generate_series(1, {rules.MAX_HISTORY})"""
    )
    answer = await sync(acme, [event(lesson, "POSITION", positionSeconds=2)], person)
    assert answer["results"][0]["code"] == "HISTORY_FULL"
