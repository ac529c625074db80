"""The composition: what is answered to whom before a request reaches GraphQL."""

from __future__ import annotations

import httpx
import pytest

from app.main import Application
from app.settings import Settings
from tests.conftest import settings_for
from tests.world import World


async def status(settings: Settings, dsn: str, path: str) -> int:
    """How a platform with these settings answers somebody who asks by its address."""
    transport = httpx.ASGITransport(Application(settings, dsn).asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7:8000") as client:
        return (await client.get(path)).status_code


async def test_a_balancer_may_ask_by_address_for_health_and_for_nothing_else(database_dsn: str) -> None:
    settings = settings_for(allowed_hosts=["learn.example.org"])
    assert await status(settings, database_dsn, "/health") == 200
    assert [await status(settings, database_dsn, path) for path in ("/graphql", "/graphiql", "/")] == [400, 400, 400]
    assert await status(settings_for(), database_dsn, "/graphiql") == 200


async def test_a_changed_secret_ends_no_token_while_the_former_one_is_named(acme: World, database_dsn: str) -> None:
    person = await acme.person()
    former = acme.platform.settings.jwt_secret.get_secret_value()
    answers = []
    for previous in ([former], []):
        application = Application(settings_for(jwt_secret="n" * 40, jwt_previous_secrets=previous), database_dsn)
        await application.open()
        transport = httpx.ASGITransport(application.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
            response = await client.post(
                "/graphql", json={"query": "{ me { email } }"}, headers=await acme.headers(person)
            )
        await application.close()
        answers.append(response.status_code)
    assert answers == [200, 401]


async def test_a_control_schema_that_is_behind_is_not_ready_and_one_that_is_ahead_is(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known, answer in (
        (("0001_control",), None),
        (("0001_control", "0002_next"), "not migrated"),
        (("0000_before",), None),
    ):
        monkeypatch.setattr("app.platform.revisions", lambda _, known=known: known)
        assert await acme.platform.check_database() == answer
