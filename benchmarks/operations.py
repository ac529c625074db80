"""The named operations as front ends write them, and what makes two servers' answers comparable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from benchmarks.client import EVENT, MOMENT

NAMES = ("Q1", "Q2", "Q3", "Q4", "M1")
MIX = {"Q1": 10, "Q2": 35, "Q3": 35, "Q4": 5, "M1": 15}  # percent

APP = {
    "Q1": "query Me { me { id email fullName role } }",
    "Q2": "query Catalogue { courses(first: 20) { nodes { id title category level createdAt instructors { fullName }"
    " lessonCount averageRating } } }",
    "Q3": "query CoursePage($id: ID!) { course(id: $id) { id title description category level modules { id title"
    " position lessons { id title position myProgress { completedAt positionSeconds } } } } }",
    "Q4": "query Big { courses(first: 20) { nodes { id title modules { id title position lessons { id title position"
    " } } } } }",
    "M1": "mutation Save($input: SyncProgressInput!) { syncProgress(input: $input) { ... on SyncProgressSuccess {"
    " results { clientEventId status } } } }",
}
PEER = {
    "Q1": "query Me { me { id email fullName role } }",
    "Q2": "query Catalogue { courses(first: 20) { id title category level createdAt instructor { fullName }"
    " lessonCount averageRating } }",
    "Q3": "query CoursePage($id: ID!) { course(id: $id) { id title description category level modules { id title"
    " position lessons { id title position myProgress { completedAt positionS } } } } }",
    "Q4": "query Big { courses(first: 20) { id title modules { id title position lessons { id title position } } } }",
    "M1": "mutation SaveProgress($lessonId: ID!, $positionS: Int!) { saveProgress(lessonId: $lessonId,"
    " positionS: $positionS) { id completedAt } }",
}
QUERIES = {"app": APP, "peer": PEER}
NUMBERS = {"positionS", "averageRating"}  # whole for some servers, with a fraction for others


@dataclass(frozen=True, slots=True)
class Learner:
    """Somebody who asks. Ids are UUIDs; ``courses`` are those they are enrolled in, ``lessons`` some of theirs."""

    user_id: UUID
    app_token: str
    peer_token: str
    courses: list[UUID]
    lessons: list[UUID]


@dataclass(frozen=True, slots=True)
class School:
    """A tenant: ``slug`` for this platform, ``schema`` for the others, ``mask`` of its identifiers."""

    slug: str
    schema: str
    mask: int
    learners: list[Learner]

    def shown(self, kind: str, value: UUID) -> str:
        """An identifier as this platform shows it."""
        return f"{kind}_{value.int ^ self.mask:032x}"


def headers(dialect: str, school: School, learner: Learner) -> dict[str, str]:
    """The headers of a request."""
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Authorization": "Bearer " + (learner.app_token if dialect == "app" else learner.peer_token),
        "X-Tenant-ID": school.slug if dialect == "app" else school.schema,
    }


def body(dialect: str, name: str, school: School, learner: Learner, turn: int) -> dict[str, Any]:
    """The body of a request; ``turn`` chooses among a learner's courses and lessons.

    The event of M1 holds the client's EVENT and MOMENT, which every request replaces by something new.
    """
    text = QUERIES[dialect][name]
    variables: dict[str, Any] = {}
    course = learner.courses[turn % len(learner.courses)]
    lesson = learner.lessons[turn % len(learner.lessons)]
    match dialect, name:
        case "app", "Q3":
            variables = {"id": school.shown("crs", course)}
        case _, "Q3":
            variables = {"id": str(course)}
        case "app", "M1":
            event = {
                "clientEventId": EVENT,
                "lessonId": school.shown("lsn", lesson),
                "kind": "POSITION",
                "occurredAt": MOMENT,
                "positionSeconds": 10 + turn,
            }
            variables = {"input": {"events": [event]}}
        case _, "M1":
            variables = {"lessonId": str(lesson), "positionS": 10 + turn}
    return {"operationName": text.split()[1].partition("(")[0], "query": text, "variables": variables}


def comparable(dialect: str, school: School, data: Any) -> Any:
    """An answer's data in one shape for all servers: UUIDs, instants, floats, plain lists."""
    if dialect == "app":
        data = _from_app(data, school.mask)
    return _plain(data)


def _from_app(data: Any, mask: int) -> Any:
    if isinstance(data, list):
        return [_from_app(item, mask) for item in data]
    if not isinstance(data, dict):
        return data
    made: dict[str, Any] = {}
    for key, value in data.items():
        if key == "id":
            made[key] = str(UUID(int=int(value.partition("_")[2], 16) ^ mask))
        elif key == "courses":
            made[key] = _from_app(value["nodes"], mask)
        elif key == "instructors":
            made["instructor"] = value[0]
        elif key in {"role", "level"}:
            made[key] = value.lower()
        elif key == "myProgress" and value is not None:
            started = value["completedAt"] is not None
            made[key] = (
                {"completedAt": value["completedAt"], "positionS": value["positionSeconds"]} if started else None
            )
        else:
            made[key] = _from_app(value, mask)
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _number(item) if key in NUMBERS else _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and len(value) > 18 and value[4] == "-" and value[10] == "T":
        return round(datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp(), 3)
    return value


def _number(value: float | None) -> float | None:
    return None if value is None else round(float(value), 9)
