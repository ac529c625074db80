"""The composition: what is answered to whom before a request reaches GraphQL."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from app.db.migrations import head
from app.main import Application
from app.settings import Settings
from app.tenancy.service import TenantService
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


async def refused(
    settings: Settings, dsn: str, method: str, path: str, host: str = "api.test", language: str | None = None
) -> tuple[int, str, str, str]:
    """How a request is refused: status, code, message, and the value of Allow; always in JSON, with a request id."""
    application = Application(settings, dsn)
    await application.platform.database.open()
    transport = httpx.ASGITransport(application.asgi, raise_app_exceptions=False)
    headers = {"Host": host, "X-Request-ID": "request-0001"} | ({"Accept-Language": language} if language else {})
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        response = await client.request(method, path, headers=headers)
    await application.platform.close()
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == "request-0001"
    [error] = response.json()["errors"]
    assert error["extensions"]["requestId"] == "request-0001"
    return response.status_code, error["extensions"]["code"], error["message"], response.headers.get("allow", "")


async def test_what_http_itself_refuses_is_a_graphql_error_in_the_readers_language(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(allowed_hosts=["api.test", "*.learn.test"])
    nowhere = (404, "NOT_FOUND", "no hay nada en esta dirección; la API está en /graphql", "")
    for method, path in (("GET", "/nowhere"), ("POST", "/graphql/x"), ("GET", "/graphiql/assets/none.js")):
        assert await refused(settings, database_dsn, method, path) == nowhere
    for path in ("/graphiql", "/health", "/"):
        status, code, text, allow = await refused(settings, database_dsn, "POST", path, language="en")
        assert (status, code, set(allow.split(", "))) == (405, "METHOD_NOT_ALLOWED", {"GET", "HEAD"})
        assert text.startswith("this address is not asked with POST; use ")
    status, code, text, _ = await refused(settings, database_dsn, "DELETE", "/graphiql/assets/none.js")
    assert (status, code, text.partition(";")[0]) == (
        405, "METHOD_NOT_ALLOWED", "esta dirección no se consulta con DELETE",
    )  # fmt: skip
    unknown = (400, "HOST_UNKNOWN", "this host name is not served here; check the address", "")
    for host in ("evil.test", "learn.test", "api.test.evil.test", "[::1]:8000", "", "a@api.test", "."):
        assert await refused(settings, database_dsn, "POST", "/graphql", host, "en") == unknown
    spanish = await refused(settings, database_dsn, "GET", "/", "evil.test")
    assert spanish[2] == "este nombre de host no se atiende aquí; revisa la dirección"
    for host in ("api.test:8000", "API.TEST", "a.learn.test"):
        assert (await refused(settings, database_dsn, "GET", "/nowhere", host))[0] == 404
    monkeypatch.setattr("app.http.graphiql_page.FileResponse", lambda *_, **__: 1 / 0)
    assert (await refused(settings, database_dsn, "GET", "/graphiql"))[:2] == (500, "INTERNAL")


async def test_a_tenants_own_hosts_are_served_without_being_listed(acme: World, database_dsn: str) -> None:
    own, service = f"learn.{acme.tenant.slug}.cl", TenantService(acme.platform.database)
    application = Application(settings_for(allowed_hosts=["api.test"], base_domain="platform.test"), database_dsn)
    await application.open()
    person = await acme.person()
    transport = httpx.ASGITransport(application.asgi)

    async def ask(host: str) -> tuple[int, Any]:
        response = await client.post(
            "/graphql", json={"query": "{ me { email } }"},
            headers={"Host": host, "Authorization": f"Bearer {person.token}"},
        )  # fmt: skip
        answer = response.json()
        return response.status_code, answer.get("data") or answer["errors"][0]["extensions"]["code"]

    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        answer = (200, {"me": {"email": person.email}})
        assert await ask(own) == (400, "HOST_UNKNOWN")
        await service.add_domain(acme.tenant.slug, own)
        async with asyncio.timeout(10):
            while await ask(own) != answer:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await ask(f"{own.upper()}:8443") == answer
        assert await ask(f"{acme.tenant.slug}.platform.test") == answer
        assert await ask("nobody.platform.test") == (404, "TENANT_NOT_FOUND")
        assert await ask("platform.test.evil.test") == (400, "HOST_UNKNOWN")
        misses = application.platform.tenants.misses
        for _ in range(3):
            await ask(own)
            await ask("evil.test")
        assert application.platform.tenants.misses <= misses + 1
        await application.platform.database.close()
        assert await ask("other.test") == (503, "UNAVAILABLE")
    await application.close()


async def test_a_websocket_for_an_unknown_host_is_refused_with_or_without_a_response(database_dsn: str) -> None:
    app = Application(settings_for(allowed_hosts=["api.test"]), database_dsn).asgi

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    ways: list[tuple[dict[str, Any], str]] = [
        ({}, "websocket.close"), ({"websocket.http.response": {}}, "websocket.http.response.start"),
    ]  # fmt: skip
    for extensions, first in ways:
        said: list[Any] = []

        async def send(message: Any, said: list[Any] = said) -> None:
            said.append(message)

        scope = {
            "type": "websocket",
            "path": "/graphql",
            "headers": [(b"host", b"evil.test")],
            "extensions": extensions,
        }
        await app(scope, receive, send)
        assert said[0]["type"] == first


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
        ((head("control"),), None),
        ((head("control"), "9999_next"), "not migrated"),
        (("0000_before",), None),
    ):
        monkeypatch.setattr("app.platform.revisions", lambda _, known=known: known)
        assert await acme.platform.check_database() == answer
