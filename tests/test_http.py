"""GraphQL over HTTP and WebSocket, tenant resolution, limits and errors: what clients and attackers meet."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    get_introspection_query,
    parse,
)
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

import schema
from app.db.statements import Statement
from app.identity.service import IdentityService
from app.identity.tokens import AccessTokens
from app.main import Application
from app.tenancy.service import TenantService
from app.viewer import Role
from schema.context import Context
from schema.limits import Limits, measure
from schema.scope import OperationScope
from schema.sdl import COMMITTED, compare, printed
from tests.conftest import settings_for
from tests.world import World

MODERN = "application/graphql-response+json"


def code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"].startswith(("application/json", MODERN)), response.text
    return response.status_code, response.json()["errors"][0]["extensions"]["code"]


async def post(world: World, body: bytes, **headers: str) -> httpx.Response:
    return await world.http.post(
        "/graphql",
        content=body,
        headers={"content-type": "application/json", "x-tenant-id": world.tenant.slug, **headers},
    )


# --- tenants


async def test_the_tenant_is_named_by_header_slug_header_id_host_or_token(acme: World) -> None:
    person = await acme.person()
    bearer = {"Authorization": f"Bearer {person.token}"}
    for headers in (
        {"X-Tenant-ID": acme.tenant.slug},
        {"X-Tenant-ID": str(acme.tenant.id)},
        {"X-Tenant-ID": acme.tenant.slug.upper()},
        {"Host": f"{acme.tenant.slug}.localhost:8000"},
        {},
    ):
        response = await acme.http.post("/graphql", json={"query": "{ me { email } }"}, headers={**bearer, **headers})
        assert response.json() == {"data": {"me": {"email": person.email}}}


async def test_a_tenants_own_domain_names_it(acme: World) -> None:
    host = f"{acme.tenant.slug}.example.org"
    await TenantService(acme.platform.database).add_domain(acme.tenant.slug, host)
    person = await acme.person()
    headers = {"Host": host, "Authorization": f"Bearer {person.token}"}
    answer = await acme.http.post("/graphql", json={"query": "{ me { email } }"}, headers=headers)
    assert answer.json()["data"]["me"]["email"] == person.email


async def test_every_disagreement_and_every_unknown_name_is_refused(acme: World, globex: World) -> None:
    bearer = {"Authorization": f"Bearer {(await acme.person()).token}"}
    query = {"query": "{ me { email } }"}
    for headers, expected in (
        ({**bearer, "X-Tenant-ID": globex.tenant.slug}, (403, "TENANT_MISMATCH")),
        ({**bearer, "Host": f"{globex.tenant.slug}.localhost"}, (403, "TENANT_MISMATCH")),
        ({"X-Tenant-ID": acme.tenant.slug, "Host": f"{globex.tenant.slug}.localhost"}, (403, "TENANT_MISMATCH")),
        ({"X-Tenant-ID": "no-such-tenant"}, (404, "TENANT_NOT_FOUND")),
        ({"X-Tenant-ID": "x" * 500}, (404, "TENANT_NOT_FOUND")),
        ({"Host": "no-such-tenant.localhost"}, (404, "TENANT_NOT_FOUND")),
        ({}, (400, "TENANT_REQUIRED")),
    ):
        assert code(await acme.http.post("/graphql", json=query, headers=headers)) == expected


async def test_a_suspended_tenant_is_locked_at_once_and_served_again_after(acme: World) -> None:
    assert (await acme.send("{ me { id } }", as_=Role.STUDENT)).status_code == 200
    await acme.suspend()
    await asyncio.sleep(0.3)
    assert code(await acme.send("{ me { id } }", as_=Role.STUDENT)) == (423, "TENANT_SUSPENDED")
    await TenantService(acme.platform.database).resume(acme.tenant.slug)
    await asyncio.sleep(0.3)
    assert (await acme.send("{ me { id } }", as_=Role.STUDENT)).json()["data"]["me"]["id"]


async def test_without_a_tenant_the_schema_may_be_read_and_nothing_else(acme: World) -> None:
    typename = await acme.http.post("/graphql", json={"query": "{ __typename }"})
    assert typename.json() == {"data": {"__typename": "Query"}}
    introspection = await acme.http.post("/graphql", json={"query": get_introspection_query()})
    assert introspection.json()["data"]["__schema"]["queryType"]["name"] == "Query"
    hidden = "query { ...F } fragment F on Query { ... on Query { courses { totalCount } } }"
    assert code(await acme.http.post("/graphql", json={"query": hidden})) == (400, "TENANT_REQUIRED")


# --- tokens


async def test_a_bad_token_is_401_in_the_readers_language(acme: World) -> None:
    person = await acme.person()
    old = AccessTokens("o" * 32, issuer="stegmaier", minutes=15)
    foreign = old.issue(user_id=person.user_id, tenant_id=acme.tenant.id, session_id=person.session_id)
    for value in (f"Bearer {foreign}", "Bearer x.y.z", "Basic abc", "Bearer", f"Bearer {person.token}x"):
        response = await acme.send("{ me { id } }", headers={"Authorization": value, "Accept-Language": "es"})
        assert code(response) == (401, "UNAUTHENTICATED")
        assert response.headers["www-authenticate"].startswith("Bearer")
    anonymous = await acme.post("{ me { id } }")
    assert anonymous["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


# --- the protocol


async def test_a_body_that_is_not_a_graphql_request_is_refused_in_json(acme: World) -> None:
    for body, expected in (
        (b"{", (400, "BAD_REQUEST")),
        (b"[]", (400, "BAD_REQUEST")),
        (b'"x"', (400, "BAD_REQUEST")),
        (b"{}", (400, "BAD_REQUEST")),
        (b'{"query": 1}', (400, "BAD_REQUEST")),
        (b'{"query": "{ __typename }", "variables": 7}', (400, "BAD_REQUEST")),
        (b'{"query": "{ __typename }", "operationName": []}', (400, "BAD_REQUEST")),
        (b'[{"query": "{ __typename }"}]', (400, "BAD_REQUEST")),
        (b" " * 100_001, (413, "PAYLOAD_TOO_LARGE")),
        (b"\xff\xfe", (400, "BAD_REQUEST")),
    ):
        assert code(await post(acme, body)) == expected
    form = await acme.http.post("/graphql", data={"query": "{ __typename }"})
    assert code(form) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert code(await acme.http.put("/graphql", json={})) == (405, "METHOD_NOT_ALLOWED")
    nothing = await post(acme, b'{"query": "{ __typename }"}', accept="text/html")
    assert code(nothing) == (406, "NOT_ACCEPTABLE")


async def test_the_media_type_decides_the_status_of_request_errors(acme: World) -> None:
    for query in ("{", "{ nope }", "query($n: Int!) { courses(first: $n) { totalCount } }"):
        body = orjson.dumps({"query": query})
        modern = await post(acme, body, accept=f"{MODERN}, application/json;q=0.5")
        assert (modern.status_code, modern.headers["content-type"]) == (400, f"{MODERN}; charset=utf-8")
        assert "data" not in modern.json()
        legacy = await post(acme, body, accept="application/json")
        assert legacy.status_code == 200
        assert modern.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    field = await post(acme, b'{"query": "{ course(id: \\"x\\") { id } }"}', accept=MODERN)
    assert field.status_code == 200
    assert field.json()["errors"][0]["path"] == ["course"]


@pytest.mark.parametrize("text", ["a\\u0000b", "\\u{0}"])
async def test_a_text_that_postgresql_cannot_hold_is_a_clear_refusal(acme: World, text: str) -> None:
    for query in (
        f'{{ courses(filter: {{search: "{text}"}}) {{ totalCount }} }}',
        f'mutation {{ login(input: {{email: "{text}", password: "x"}}) {{ ... on Problem {{ code }} }} }}',
    ):
        answer = await acme.post(query, as_=Role.STUDENT)
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes <= {"BAD_USER_INPUT"}, answer


async def test_queries_may_be_sent_with_get_and_mutations_not(acme: World) -> None:
    params = {"query": "query A($x: Boolean!) { __typename @include(if: $x) } query B { __typename }"}
    good = await acme.http.get("/graphql", params={**params, "operationName": "A", "variables": '{"x": true}'})
    assert good.json() == {"data": {"__typename": "Query"}}
    assert code(await acme.http.get("/graphql", params={**params, "variables": "{"})) == (400, "BAD_REQUEST")
    assert code(await acme.http.get("/graphql")) == (400, "BAD_REQUEST")
    refused = await acme.http.get("/graphql", params={"query": "mutation { __typename }"})
    assert code(refused) == (405, "METHOD_NOT_ALLOWED")
    assert refused.headers["allow"] == "POST"
    unnamed = await acme.http.post("/graphql", json=params)
    assert unnamed.json()["errors"][0]["message"]


async def test_a_request_id_is_echoed_when_it_is_a_sane_one(acme: World) -> None:
    sane = await post(acme, b'{"query": "{ nope }"}', **{"x-request-id": "client-id-12345"})
    assert sane.headers["x-request-id"] == "client-id-12345"
    assert sane.json()["errors"][0]["extensions"]["requestId"] == "client-id-12345"
    odd = await post(acme, b'{"query": "{ nope }"}', **{"x-request-id": "<script>"})
    assert odd.headers["x-request-id"] != "<script>"


async def test_an_unexpected_error_is_masked_and_logged(
    acme: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("secret detail: SELECT * FROM users at /srv/app.py")

    monkeypatch.setattr("app.identity.service.IdentityService.me", broken)
    answer = await acme.post("{ me { id } }", as_=Role.STUDENT)
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "secret" not in str(answer)


async def test_a_failure_before_the_operation_is_masked_too(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("app.http.resolution.TenantResolver.resolve", broken)
    response = await acme.send("{ me { id } }", headers={"Accept-Language": "es"})
    assert code(response) == (500, "INTERNAL")
    assert response.json()["errors"][0]["message"].startswith("algo falló")
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("header", "status"),
    [("application/json;q=²", 406), ("*/*;q=0", 406), ("*/*;q=1.", 200), ("text/html, */*;q=0.1", 200)],
)
async def test_the_accept_header_may_say_anything(acme: World, header: str, status: int) -> None:
    headers = [(b"accept", header.encode("latin-1")), (b"content-type", b"application/json")]
    response = await acme.http.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)
    assert response.status_code == status


async def test_health_and_readiness(acme: World) -> None:
    assert (await acme.http.get("/health")).json() == {"status": "ok"}
    ready = await acme.http.get("/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "checks": {"database": "ok", "storage": "ok"}})


# --- limits


def doubling(depth: int) -> str:
    parts = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(depth)]
    return "{ ...F0 } " + " ".join(parts) + f" fragment F{depth} on Query {{ a: __typename }}"


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        (doubling(40), "aliases"),
        ("{ " + " ".join(f"a{n}: __typename" for n in range(31)) + " }", "aliases"),
        ("{ " + "me { memberships { " * 0 + " ".join(["__typename"] * 21) + " }", "rootFields"),
        ("{ me { " + "id @include(if: true) " * 51 + "} }", "directives"),
        ("{ courses(first: 100) { nodes { modules { lessons { blocks { __typename } } } } } }", "cost"),
        ("{ a: courses(first: -2147483648) { nodes { id } }"
         " b: courses(first: 100) { nodes { modules { lessons { blocks { __typename } } } } } }", "cost"),
        ("{ course(id: 1) { modules { course { modules { course { modules { course { modules { course { modules {"
         " course { modules { course { modules { course { id }}}}}}}}}}}}}}} }", "depth"),
    ],
)  # fmt: skip
async def test_documents_that_ask_too_much_are_refused(acme: World, query: str, kind: str) -> None:
    answer = await acme.post(query, as_=Role.STUDENT)
    kinds = {error["extensions"].get("kind") for error in answer["errors"]}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"QUERY_TOO_COMPLEX"}
    assert kind in kinds
    assert all(error["extensions"]["found"] > error["extensions"]["limit"] for error in answer["errors"])


def test_measuring_is_linear_in_the_document() -> None:
    core = build_schema(printed())
    visited = []
    for depth in (10, 20, 40):
        found, looked_at = measure(core, parse(doubling(depth)))
        assert found[0].aliases == min(2**depth, 1_000_000_000)
        visited.append(looked_at)
    assert visited == [2 * n + 2 for n in (10, 20, 40)]
    circle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A __typename }"
    assert measure(core, parse(circle))[1] == 4
    enormous = parse("{ courses(first: " + "9" * 5000 + ") { nodes { id } } }")
    assert measure(core, enormous)[0][0].cost == 1_000_000_000
    assert Limits().depth == 15


async def test_introspection_cannot_be_nested_without_end(acme: World) -> None:
    answer = await acme.post("{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }")
    assert answer["errors"][0]["extensions"]["code"] in {"BAD_USER_INPUT", "QUERY_TOO_COMPLEX"}


async def test_too_many_tokens_are_refused(acme: World) -> None:
    [error] = (await acme.post("{ " + "__typename " * 2100 + "}"))["errors"]
    known = {name: error["extensions"][name] for name in ("code", "kind", "limit")}
    assert known == {"code": "QUERY_TOO_COMPLEX", "kind": "tokens", "limit": 2000}
    assert error["message"] == "this document is too long: it has more than 2000 tokens"


async def test_a_limit_is_told_in_the_readers_language(acme: World) -> None:
    for query, spanish in (
        ("{ " + " ".join(["__typename"] * 21) + " }", "esta operación pide demasiado: rootFields es 21"),
        ("{ " + "__typename " * 2100 + "}", "este documento es demasiado largo: tiene más de 2000 tokens"),
        ("fragment F on Query { __typename }", "el documento no tiene esa operación"),
    ):
        response = await acme.send(query, headers={"Accept-Language": "es"})
        assert response.json()["errors"][0]["message"].startswith(spanish)


async def test_the_graphiql_introspection_query_passes(acme: World) -> None:
    query = get_introspection_query(input_value_deprecation=True, specified_by_url=True, schema_description=True)
    assert "errors" not in await acme.post(query)


# --- the schema


def test_everything_has_a_description() -> None:
    core = build_schema(printed())
    missing = []
    for name, kind in core.type_map.items():
        if name.startswith("__") or name in {"ID", "Int", "Float", "String", "Boolean"}:
            continue
        if not kind.description:
            missing.append(name)
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field, definition in kind.fields.items():
                if not definition.description:
                    missing.append(f"{name}.{field}")
                for argument, value in getattr(definition, "args", {}).items():
                    if not value.description:
                        missing.append(f"{name}.{field}({argument})")
        if isinstance(kind, GraphQLEnumType):
            missing += [f"{name}.{value}" for value, item in kind.values.items() if not item.description]
    assert missing == []


def test_every_mutation_answers_a_named_union_with_problems() -> None:
    core = build_schema(printed())
    assert core.mutation_type is not None
    for name, field in core.mutation_type.fields.items():
        union = core.type_map[str(field.type).rstrip("!")]
        assert union.name == f"{name[0].upper()}{name[1:]}Result"
        assert "ValidationProblem" in {member.name for member in union.types}  # type: ignore[attr-defined]


def test_the_committed_schema_is_the_codes_and_a_removed_field_is_named() -> None:
    committed = COMMITTED.read_text(encoding="utf-8")
    assert not compare(committed).drift
    wider = committed.replace(
        "type Course implements Node {", 'type Course implements Node {\n  """Old."""\n  oldField: String\n'
    )
    found = compare(wider)
    assert found.drift
    assert found.breaking == ["Field Course.oldField was removed."]
    assert found.lines() == ["BREAKING: Field Course.oldField was removed."]


async def test_a_production_schema_hides_itself_and_gives_no_hints(acme: World) -> None:
    made = schema.build(settings_for(graphql_introspection=False))
    asker = await acme.platform.reception.receive({"x-tenant-id": acme.tenant.slug}, None)
    for query in ("{ __schema { types { name } } }", '{ __type(name: "User") { name } }'):
        result = await made.execute(query, context_value=Context(acme.platform, asker))
        assert result.errors
        assert result.data is None
    for query, variables in (
        ("{ me { emial } }", {}),
        ("{ users(frist: 1) { totalCount } }", {}),
        ("{ users(sort: NAMES) { totalCount } }", {}),
        ('{ users(filter: {serch: "x"}) { totalCount } }', {}),
        ("query($a: UserFiltr) { users(filter: $a) { totalCount } }", {}),
        ("query($a: UserFilter) { users(filter: $a) { totalCount } }", {"a": {"serch": "x"}}),
        ("query($a: UserSort) { users(sort: $a) { totalCount } }", {"a": "NAMES"}),
    ):
        result = await made.execute(query, variable_values=variables, context_value=Context(acme.platform, asker))
        assert result.errors
        assert "Did you mean" not in str(result.errors)
        assert "Did you mean" in str((await acme.post(query, **variables))["errors"])


async def test_an_operation_that_takes_too_long_is_stopped_with_its_sql(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Statement(text("SELECT pg_sleep(30), :mark"), str)

    async def sleeps(service: IdentityService) -> Any:
        async with service.db.read() as tx:
            return await tx.scalar(slow, mark=service.tenant.slug)

    monkeypatch.setattr(IdentityService, "me", sleeps)
    made = schema.build(settings_for(operation_timeout=0.3))
    asker = await acme.platform.reception.receive(
        {name.lower(): value for name, value in (await acme.headers(Role.STUDENT)).items()}, None
    )
    result = await made.execute("{ me { id } }", context_value=Context(acme.platform, asker))
    assert result.errors
    error = result.errors[0]
    assert getattr(error.original_error, "code", None) == "TIMEOUT"
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    assert await acme.as_owner(sleeping) == [(0,)]


# --- WebSocket


@pytest.fixture(scope="module")
async def served(application: Application) -> AsyncIterator[str]:
    """The application served by uvicorn on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(application.asgi, host="127.0.0.1", port=port, lifespan="off", log_level="error")
    )
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
    yield f"ws://127.0.0.1:{port}/graphql"
    server.should_exit = True
    await task


async def greet(socket_: ClientConnection, payload: dict[str, Any]) -> dict[str, Any]:
    await socket_.send(orjson.dumps({"type": "connection_init", "payload": payload}).decode())
    answer: dict[str, Any] = orjson.loads(await socket_.recv())
    return answer


async def run(socket_: ClientConnection, number: int, query: str) -> dict[str, Any]:
    message = {"id": str(number), "type": "subscribe", "payload": {"query": query}}
    await socket_.send(orjson.dumps(message).decode())
    answer: dict[str, Any] = orjson.loads(await socket_.recv())
    if answer["type"] == "next":
        assert orjson.loads(await socket_.recv())["type"] == "complete"
    return answer


async def until_closed(socket_: ClientConnection, query: str) -> None:
    await run(socket_, 2, query)
    await socket_.recv()


async def test_a_websocket_runs_operations_as_the_person_who_said_hello(served: str, acme: World) -> None:
    person = await acme.person()
    async with connect(served, subprotocols=[Subprotocol("graphql-transport-ws")]) as ws:
        hello = await greet(ws, {"authorization": f"Bearer {person.token}", "X-Tenant-ID": acme.tenant.slug})
        assert hello["type"] == "connection_ack"
        answer = await run(ws, 1, "{ me { email } }")
        assert answer["payload"]["data"] == {"me": {"email": person.email}}
        await acme.ask("mutation { logout { __typename } }", as_=person)
        with pytest.raises(ConnectionClosed) as closed:
            await until_closed(ws, "{ me { email } }")
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "UNAUTHENTICATED")


async def test_a_websocket_presents_errors_as_http_does(
    served: str, acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("secret detail: SELECT * FROM users at /srv/app.py")

    monkeypatch.setattr("app.identity.service.IdentityService.me", broken)
    hello = {"X-Tenant-ID": acme.tenant.slug, "Accept-Language": "es"}
    async with connect(served, subprotocols=[Subprotocol("graphql-transport-ws")]) as ws:
        await greet(ws, hello)
        refused = (await run(ws, 1, "{ users { totalCount } }"))["payload"]["errors"][0]
        assert refused["message"] == "inicia sesión para hacer esto"
        assert refused["extensions"].keys() == {"code", "requestId"}
        masked = (await run(ws, 2, "{ me { id } }"))["payload"]["errors"][0]
        assert masked["extensions"]["code"] == "INTERNAL"
        assert "secret" not in str(masked)
        invalid = await run(ws, 3, "{ nope }")
        assert (invalid["type"], invalid["payload"][0]["extensions"]["code"]) == ("error", "BAD_USER_INPUT")
        malformed = await run(ws, 4, "{")
        assert (malformed["type"], malformed["payload"][0]["extensions"]["code"]) == ("error", "BAD_USER_INPUT")


async def test_a_websocket_is_told_when_an_operation_takes_too_long(
    served: str, acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sleeps(_: IdentityService) -> Any:
        await asyncio.sleep(30)

    monkeypatch.setattr(IdentityService, "me", sleeps)
    monkeypatch.setattr(
        OperationScope, "__init__", lambda self, *_, **__: self.__dict__.update(_seconds=0.2, _hints=True)
    )
    async with connect(served, subprotocols=[Subprotocol("graphql-transport-ws")]) as ws:
        await greet(ws, {"X-Tenant-ID": acme.tenant.slug})
        answer = await run(ws, 1, "{ me { id } }")
        assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "TIMEOUT")
        assert (await run(ws, 2, "{ __typename }"))["payload"] == {"data": {"__typename": "Query"}}


async def test_a_websocket_is_closed_for_the_same_reasons_as_a_request(served: str, acme: World, globex: World) -> None:
    person = await acme.person()
    for payload, close_code, reason in (
        ({}, 4400, "TENANT_REQUIRED"),
        ({"authorization": "Bearer nope"}, 4401, "UNAUTHENTICATED"),
        ({"tenant": "no-such-tenant"}, 4404, "TENANT_NOT_FOUND"),
        ({"authorization": f"Bearer {person.token}", "tenant": globex.tenant.slug}, 4403, "TENANT_MISMATCH"),
    ):
        async with connect(served, subprotocols=[Subprotocol("graphql-transport-ws")]) as ws:
            with pytest.raises(ConnectionClosed) as closed:
                await greet(ws, payload)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (close_code, reason)


async def test_the_old_websocket_protocol_is_not_spoken(served: str) -> None:
    async with connect(served, subprotocols=[Subprotocol("graphql-ws")]) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4406


AUDITS = Path(__file__).parent / "conformance"


async def test_all_audits_of_the_graphql_over_http_specification_pass(served: str) -> None:
    node = shutil.which("node")
    if node is None or not (AUDITS / "node_modules" / "graphql-http").is_dir():
        if os.environ.get("REQUIRE_NODE") == "1":
            pytest.fail("node and tests/conformance/node_modules are required here")
        pytest.skip("needs Node and `npm ci --prefix tests/conformance`")
    url = served.replace("ws://", "http://")
    process = await asyncio.create_subprocess_exec(
        node, str(AUDITS / "audits.mjs"), url, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    results = orjson.loads(output)
    assert [audit for audit in results if audit["status"] != "ok"] == []
    assert len(results) == 61


async def test_of_several_operations_one_must_be_named_also_when_the_document_is_known(acme: World) -> None:
    query = "query A { me { id } } query B { me { fullName } } mutation C { __typename }"
    person = await acme.some(Role.STUDENT)
    for _ in range(2):
        unnamed = await acme.post(query, as_=person)
        assert unnamed["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert "operationName" in unnamed["errors"][0]["message"]
        body = {"query": query, "operationName": "B"}
        named = (await acme.http.post("/graphql", json=body, headers=await acme.headers(person))).json()
        assert list(named["data"]["me"]) == ["fullName"]
