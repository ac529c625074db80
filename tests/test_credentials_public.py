"""The public page and address: for everybody, in their language, without scripts."""

from __future__ import annotations

import re

import httpx
import pytest

from app.viewer import Role
from tests.certified import REVOKE, certified, template
from tests.world import World


async def page(
    world: World, code: str, *, tenant: str | None = None, language: str = "en", host: str = "api.test"
) -> httpx.Response:
    return await world.http.get(
        f"/verify/{code}",
        params={} if tenant is None else {"tenant": tenant},
        headers={"Accept-Language": language, "Host": host},
    )


async def test_the_page_says_what_a_certificate_states_in_spanish_and_english(acme: World) -> None:
    learner = await acme.person(name="Zoë <b>Núñez</b>")
    course_id = await acme.course("Física & más")
    await template(acme, course_id, hours="40", validityMonths=12)
    made = await certified(acme, course_id, learner)
    english = await page(acme, made["code"], tenant=acme.tenant.slug)
    assert english.status_code == 200
    assert "This certificate is valid" in english.text
    assert "Zoë &lt;b&gt;Núñez&lt;/b&gt;" in english.text
    assert "Física &amp; más" in english.text
    assert acme.tenant.name in english.text
    assert re.search(r"<dt>Hours</dt><dd>40</dd>", english.text)
    assert re.search(r"<dd>[0-9a-f]{64}</dd>", english.text)
    spanish = await page(acme, made["code"], tenant=acme.tenant.slug, language="es-CL")
    assert '<html lang="es">' in spanish.text
    assert "Este certificado es válido" in spanish.text
    assert "Otorgado a" in spanish.text
    await acme.ask(REVOKE, as_=Role.INSTRUCTOR, input={"id": made["id"], "reason": "a private matter"})
    revoked = await page(acme, made["code"], tenant=acme.tenant.slug)
    assert "This certificate was revoked" in revoked.text
    assert "a private matter" not in revoked.text


async def test_the_page_runs_no_script_and_loads_nothing(acme: World) -> None:
    made = await certified(acme, await acme.course())
    found = await page(acme, made["code"], tenant=acme.tenant.slug)
    policy = found.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in found.text
    assert not re.search(r"<(img|link|iframe|object|form)\b", found.text)
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-robots-tag"] == "noindex"


async def test_the_organisation_is_found_by_host_or_by_name_and_never_guessed(acme: World, globex: World) -> None:
    made = await certified(acme, await acme.course())
    own = f"{acme.tenant.slug}.localhost"
    assert (await page(acme, made["code"], host=own)).status_code == 200
    assert (await page(acme, made["code"], tenant=acme.tenant.slug, host=own)).status_code == 200
    like_a_tenants = await page(acme, made["code"], tenant=acme.tenant.slug, host="credentials.localhost")
    assert like_a_tenants.status_code == 200
    missing = [
        await page(acme, made["code"]),
        await page(acme, made["code"], host="credentials.localhost"),
        await page(acme, made["code"], tenant=globex.tenant.slug),
        await page(acme, made["code"], tenant=acme.tenant.slug, host=f"{globex.tenant.slug}.localhost"),
        await page(acme, made["code"], tenant="nobody"),
        await page(acme, "0" * 28, tenant=acme.tenant.slug),
    ]
    assert {answer.status_code for answer in missing} == {404}
    assert len({answer.content for answer in missing}) == 1


async def test_a_suspended_organisation_says_so(acme: World) -> None:
    made = await certified(acme, await acme.course())
    await acme.suspend()
    answer = await page(acme, made["code"], tenant=acme.tenant.slug)
    assert answer.status_code == 423
    assert "suspended" in answer.text


@pytest.mark.parametrize("path", ["/verify/x", "/files/a?until=x&signature=y", "/files/../../etc/passwd"])
async def test_strange_requests_get_a_plain_answer(acme: World, path: str) -> None:
    assert (await acme.http.get(path)).status_code == 404
    assert (await acme.http.post(path)).status_code in {404, 405}
