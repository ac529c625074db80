"""Whether servers give equal answers, and none to strangers: nothing is timed before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.client import EVENT, MOMENT
from benchmarks.operations import NAMES, School, body, comparable, headers
from benchmarks.servers import Server

CLIENT = httpx.Client(timeout=30, trust_env=False)  # a proxy of the machine has no business here


def ask(server: Server, name: str, school: School, who: int, turn: int = 0, *, token: str | None = None) -> Any:
    """One request; the parsed answer, or the HTTP status when it is no JSON."""
    learner = school.learners[who]
    text = json.dumps(body(server.dialect, name, school, learner, turn))
    text = text.replace(EVENT, str(uuid4())).replace(MOMENT, datetime.now(UTC).isoformat())
    given = headers(server.dialect, school, learner)
    if token is not None:
        given["Authorization"] = f"Bearer {token}"
    answer = CLIENT.post(server.url, content=text, headers=given)
    try:
        return answer.json()
    except ValueError:
        return {"status": answer.status_code}


def disagreements(servers: list[Server], schools: list[School]) -> list[str]:
    """What servers answer differently, or to people who should get nothing; empty is good."""
    found = [
        problem
        for name in NAMES
        for school in schools[:: max(1, len(schools) // 3)]
        for who in range(2)
        for problem in _differences(servers, name, school, who)
    ]
    return [*found, *(problem for server in servers for problem in _leaks(server, schools))]


def _differences(servers: list[Server], name: str, school: School, who: int) -> Iterator[str]:
    answers: dict[str, Any] = {}
    for server in servers:
        answer = ask(server, name, school, who)
        if not isinstance(answer, dict) or "data" not in answer or answer.get("errors"):
            yield f"{server.name} {name}: {str(answer)[:300]}"
        elif name == "M1":
            answers[server.name] = _accepted(answer["data"])
        else:
            answers[server.name] = comparable(server.dialect, school, answer["data"])
    first = next(iter(answers.values()), None)
    for server_name, answer in answers.items():
        if answer != first:
            yield f"{server_name} {name} in {school.slug}: {str(answer)[:400]} != {str(first)[:400]}"


def _accepted(data: Any) -> bool:
    """Whether a progress event was taken: the servers' answers to M1 have different shapes."""
    if "saveProgress" in data:
        return data["saveProgress"]["id"] is not None
    return [each["status"] for each in data["syncProgress"].get("results", [])] == ["ACCEPTED"]


def _leaks(server: Server, schools: list[School]) -> Iterator[str]:
    own = headers(server.dialect, schools[0], schools[0].learners[0])["Authorization"].removeprefix("Bearer ")
    tries = [("a forged token", ask(server, "Q1", schools[0], 0, token=own[:-4] + "AAAA"))]
    if len(schools) > 1:
        tries.append(("another tenant's token", ask(server, "Q1", schools[-1], 0, token=own)))
    for kind, answer in tries:
        if (answer.get("data") or {}).get("me"):
            yield f"{server.name} gave data to {kind}"
