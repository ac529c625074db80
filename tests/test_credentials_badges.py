"""K8: certificates as Open Badges 3.0, verified by a library that is not ours, against the real HTTP endpoints."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib import resources
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from openbadgeslib.ob3 import OB3Verifier
from openbadgeslib.ob3.verifier import OB3VerificationError
from pyld import jsonld

from app.credentials import badges
from app.credentials.house import LIST_SIZE, House, list_index
from app.credentials.keys import Vault
from app.viewer import Role
from tests.certified import REINSTATE, REISSUE, REVOKE, certified, template
from tests.world import World

BUNDLED = {
    "https://www.w3.org/ns/credentials/v2": "credentials-v2.json",
    "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json": "ob-v3p0-context-3.0.3.json",
}


async def get(world: World, url: str) -> bytes:
    """What an address of this server answers."""
    parts = urlsplit(url)
    answer = await world.http.get(parts.path + (f"?{parts.query}" if parts.query else ""))
    assert answer.status_code == 200, (url, answer.status_code)
    return answer.content


class Verifier:
    """openbadgeslib, anchored to the issuer's did:web; what it downloads comes from the application."""

    def __init__(self, world: World, token: str) -> None:
        self._world = world
        self.token = token
        self.did = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["issuer"]["id"]

    async def verify(self, *, check_status: bool = True) -> Any:
        """The credential. Raises OB3VerificationError."""
        fetched: dict[str, bytes] = {}
        while True:  # the library downloads as it goes, and knows nothing of event loops
            wanted: list[str] = []
            try:
                verifier = OB3Verifier.for_issuer_did(self.did, download=self._from(fetched, wanted))
                return verifier.verify(self.token, check_status=check_status, download=self._from(fetched, wanted))
            except OB3VerificationError:
                if not wanted:
                    raise
                for url in wanted:
                    fetched[url] = await get(self._world, url)

    @staticmethod
    def _from(fetched: dict[str, bytes], wanted: list[str]) -> Callable[[str], bytes]:
        def download(url: str) -> bytes:
            if url not in fetched:
                wanted.append(url)
                raise OSError("not fetched yet")
            return fetched[url]

        return download


async def badge_of(world: World, made: dict[str, Any]) -> Verifier:
    return Verifier(world, (await get(world, made["badgeUrl"])).decode())


async def test_k8_a_badge_is_verified_by_another_library_and_refused_after_revocation(acme: World) -> None:
    learner = await acme.person(name="José Núñez")
    made = await certified(acme, await acme.course("Física"), learner)
    badge = await badge_of(acme, made)
    verified = await badge.verify()
    assert (verified.achievement.name, verified.issuer.name) == ("Física", acme.tenant.name)
    assert verified.issuer.id == f"did:web:learn.test:issuers:{acme.tenant.id}"
    [address, name] = verified.identifiers
    expected = sha256(f"{learner.email}{address.salt}".encode()).hexdigest()
    assert (address.identity_hash, address.identity_type) == (f"sha256${expected}", "emailAddress")
    assert (name.identity_hash, name.hashed) == ("José Núñez", False)

    asked = {"id": made["id"], "reason": "copied the project"}
    await acme.ask(REVOKE, as_=Role.INSTRUCTOR, input=asked)
    with pytest.raises(OB3VerificationError, match="'revocation' is set"):
        await badge.verify()
    assert (await badge.verify(check_status=False)).achievement.name == "Física"
    await acme.ask(REINSTATE, as_=Role.INSTRUCTOR, input=asked)
    assert (await badge.verify()).achievement.name == "Física"


async def test_k8_a_replaced_certificate_ends_its_badge_and_has_a_new_one(acme: World) -> None:
    made = await certified(acme, await acme.course())
    badge = await badge_of(acme, made)
    answer = await acme.ask(REISSUE, as_=Role.INSTRUCTOR, input={"id": made["id"], "reason": "new name"})
    with pytest.raises(OB3VerificationError, match="'revocation' is set"):
        await badge.verify()
    newer = {"badgeUrl": made["badgeUrl"].replace(made["code"], answer["reissueCertificate"]["certificate"]["code"])}
    await (await badge_of(acme, newer)).verify()


async def test_k8_every_word_of_a_badge_is_in_the_contexts_of_open_badges_3_0_3(acme: World) -> None:
    course_id = await acme.course("Física")
    await template(acme, course_id, validityMonths=12, graceDays=10)
    made = await certified(acme, course_id)
    await acme.as_owner("""UPDATE certificates SET facts = facts || '{"score": "88.5"}'""")
    token = (await get(acme, made["badgeUrl"])).decode()
    payload = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    document = {name: value for name, value in payload.items() if name not in {"iss", "jti", "nbf", "exp"}}

    def bundled(url: str, _: Any) -> dict[str, Any]:
        name = BUNDLED[url]
        text = resources.files("openbadgeslib.ob3.contexts").joinpath(name).read_text(encoding="utf-8")
        return {"contextUrl": None, "documentUrl": url, "document": json.loads(text)}

    [expanded] = jsonld.expand(document, {"documentLoader": bundled})
    assert words(document) == words(jsonld.compact(expanded, document["@context"], {"documentLoader": bundled}))
    assert (await Verifier(acme, token).verify()).results[0].value == "88.5"


def words(value: Any) -> set[str]:
    """The names of all members: one that no context knows is lost in expansion."""
    if isinstance(value, list):
        return set().union(*map(words, value)) if value else set()
    if isinstance(value, dict):
        return set(value).union(*map(words, value.values()))
    return set()


async def test_k8_a_badge_is_the_same_each_time_and_needs_the_issuers_key(acme: World, globex: World) -> None:
    made = await certified(acme, await acme.course())
    badge = await badge_of(acme, made)
    assert (await badge_of(acme, made)).token == badge.token
    header, payload, signature = badge.token.split(".")
    forged = payload[:-2] + ("A" if payload[-2] != "A" else "B") + payload[-1]
    for token in (f"{header}.{forged}.{signature}", f"{header}.{payload}.{signature[:-4]}AAAA"):
        with pytest.raises((OB3VerificationError, ValueError)):
            await Verifier(acme, token).verify()
    foreign = made["badgeUrl"].replace(str(acme.tenant.id), str(globex.tenant.id))
    assert (await globex.http.get(urlsplit(foreign).path)).status_code == 404


async def test_k8_after_a_change_of_keys_old_badges_still_verify(acme: World) -> None:
    made = await certified(acme, await acme.course())
    before = await badge_of(acme, made)
    await acme.platform.desk.rotate_key(acme.tenant)
    after = await badge_of(acme, made)
    assert after.token != before.token
    assert (await before.verify(check_status=False)).id == (await after.verify()).id


async def test_k8_keys_are_made_once_however_many_ask_and_only_encrypted_ones_are_kept(acme: World) -> None:
    url = f"/issuers/{acme.tenant.id}/did.json"
    answers = [answer.json() for answer in await asyncio.gather(*(acme.http.get(url) for _ in range(10)))]
    assert len({json.dumps(answer) for answer in answers}) == 1
    [method] = answers[0]["verificationMethod"]
    assert answers[0]["assertionMethod"] == [method["id"]]
    [(public, private)] = await acme.as_owner("SELECT public_key, private_key FROM issuer_keys")
    assert base64.urlsafe_b64encode(bytes(public)).decode().rstrip("=") == method["publicKeyJwk"]["x"]
    assert len(bytes(private)) == 12 + 32 + 16


def test_k8_an_encrypted_key_is_read_only_where_it_belongs() -> None:
    tenant, key = uuid4(), uuid4()
    closed = Vault("a" * 40).close_up(b"x" * 32, tenant, key)
    assert Vault("b" * 40, ["a" * 40]).open_up(closed, tenant, key) == b"x" * 32
    for vault, where, which in (
        (Vault("b" * 40), tenant, key), (Vault("a" * 40), uuid4(), key), (Vault("a" * 40), tenant, uuid4()),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="CREDENTIALS_SECRET"):
            vault.open_up(closed, where, which)


def test_k8_every_certificate_has_a_bit_of_its_own_in_a_list() -> None:
    assert len({list_index(number) for number in range(LIST_SIZE)}) == LIST_SIZE
    house = House(UUID(int=1), "acme", "Acme", "https://learn.example.org:8443/base")
    assert house.did == f"did:web:learn.example.org%3A8443:base:issuers:{UUID(int=1)}"
    assert house.list_url(LIST_SIZE) == f"{house.issuer_url}/status/1"
    ended = {LIST_SIZE + 5, LIST_SIZE + 77}
    encoded = badges.status_list(house, 1, ended, datetime.now(UTC))["credentialSubject"]["encodedList"]
    bits = gzip.decompress(base64.urlsafe_b64decode(encoded[1:] + "=" * (-len(encoded[1:]) % 4)))
    found = {8 * n + b for n, byte in enumerate(bits) for b in range(8) if byte & 0x80 >> b}
    assert found == {list_index(number) for number in ended}


async def test_k8_a_badge_ends_with_its_certificates_time_of_grace(acme: World) -> None:
    course_id = await acme.course()
    await template(acme, course_id, validityMonths=1, graceDays=10)
    made = await certified(acme, course_id)
    verified = await (await badge_of(acme, made)).verify()
    end = datetime.fromisoformat(made["issuedAt"]) + timedelta(days=28 + 10)
    assert end - timedelta(days=1) < verified.expiration_date < end + timedelta(days=4)
    query = "query($code: String!) { verifyCertificate(code: $code) { validUntil badgeUrl } }"
    public = (await acme.ask(query, code=made["code"]))["verifyCertificate"]
    assert public["badgeUrl"] == made["badgeUrl"]
    assert re.match(r"\d{4}-\d\d-\d\dT", public["validUntil"])


async def test_the_issuers_addresses_of_a_tenant_that_is_not_there_answer_404(acme: World) -> None:
    for path in ("", "/did.json", "/status/0", "/badges/x"):
        answer = await acme.http.get(f"/issuers/{uuid4()}{path}")
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (404, "TENANT_NOT_FOUND")
    profile = (await acme.http.get(f"/issuers/{acme.tenant.id}")).json()
    assert (profile["id"], profile["name"]) == (f"did:web:learn.test:issuers:{acme.tenant.id}", acme.tenant.name)


@pytest.mark.parametrize("number", ["70368744177664", "9" * 30])
async def test_k8_there_is_no_status_list_beyond_all_certificates(acme: World, number: str) -> None:
    assert (await acme.http.get(f"/issuers/{acme.tenant.id}/status/{number}")).status_code == 404
