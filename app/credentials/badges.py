"""Open Badges 3.0: certificates as verifiable credentials, signed as VC-JWT with Ed25519 (K8).

The shapes are those of 1EdTech's Open Badges 3.0 (8.2, JSON Web Token proof) and of W3C's Verifiable Credentials 2.0,
Bitstring Status List 1.0 and did:web. Everything comes from a certificate's frozen facts, so a badge asked for twice
is the same to the byte.
"""

from __future__ import annotations

import gzip
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from app.credentials.facts import Facts
from app.credentials.house import LIST_SIZE, House, list_index
from app.credentials.keys import KeyRing, PublicKey
from app.credentials.rows import CertificateRow
from app.i18n import message, translate

VC = "https://www.w3.org/ns/credentials/v2"
OPEN_BADGES = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
SCHEMA = "https://purl.imsglobal.org/spec/ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json"
MEDIA_TYPE = "application/vc+jwt"
LIST_LIFE = timedelta(hours=24)  # an older copy of a list is refused, so a former state cannot be shown for ever
CRITERIA = message("Complete all required lessons of the course {course}.")


def credential(row: CertificateRow, house: House) -> dict[str, Any]:
    """A certificate as an OpenBadgeCredential, with the claims that its JWT needs."""
    facts = Facts.of(row.facts)
    identifier = house.badge_url(row.code)
    body: dict[str, Any] = {
        "@context": [VC, OPEN_BADGES],
        "id": identifier,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": facts.course_title,
        "issuer": {"id": house.did, "type": ["Profile"], "name": facts.tenant_name, "url": house.base_url},
        "validFrom": _time(facts.issued_at),
        "credentialSubject": {
            "type": ["AchievementSubject"],
            "identifier": [
                {
                    "type": "IdentityObject",
                    "hashed": True,
                    "identityHash": f"sha256${facts.recipient}",
                    "identityType": "emailAddress",
                    "salt": facts.code,
                },
                {"type": "IdentityObject", "hashed": False, "identityHash": facts.learner_name, "identityType": "name"},
            ],
            "achievement": _achievement(row, facts),
        },
        "credentialSchema": [{"id": SCHEMA, "type": "1EdTechJsonSchemaValidator2019"}],
        "credentialStatus": {
            "id": f"{house.list_url(row.status_number)}#{list_index(row.status_number)}",
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": str(list_index(row.status_number)),
            "statusListCredential": house.list_url(row.status_number),
        },
        "evidence": [{"id": facts.verify_url, "type": ["Evidence"], "name": facts.title or facts.course_title}],
        "iss": house.did,
        "jti": identifier,
        "nbf": int(facts.issued_at.timestamp()),
    }
    if facts.valid_until is not None:
        end = facts.valid_until + timedelta(days=row.grace_days)
        body |= {"validUntil": _time(end), "exp": int(end.timestamp())}
    if facts.score is not None:
        value = f"{facts.score.normalize():f}"
        body["credentialSubject"]["result"] = [
            {"type": ["Result"], "resultDescription": f"urn:uuid:{row.course_id}#score", "value": value}
        ]
    return body


def _achievement(row: CertificateRow, facts: Facts) -> dict[str, Any]:
    narrative = translate(CRITERIA, facts.locale, course=facts.course_title)
    made: dict[str, Any] = {
        "id": f"urn:uuid:{row.course_id}",
        "type": ["Achievement"],
        "achievementType": "Course",
        "name": facts.course_title,
        "description": facts.course_description or facts.course_title,
        "criteria": {"narrative": narrative},
        "inLanguage": facts.locale,
        "version": str(facts.course_revision),
    }
    if facts.score is not None:
        made["resultDescription"] = [
            {
                "id": f"urn:uuid:{row.course_id}#score",
                "type": ["ResultDescription"],
                "name": "Score",
                "resultType": "Percent",
                "valueMin": "0",
                "valueMax": "100",
            }
        ]
    return made


def status_list(house: House, number: int, ended: Iterable[int], now: datetime) -> dict[str, Any]:
    """A list of revocations; ``ended`` are the status numbers of its certificates that do not count any more."""
    bits = bytearray(LIST_SIZE // 8)
    for status_number in ended:
        index = list_index(status_number)
        bits[index // 8] |= 0x80 >> (index % 8)
    url = house.list_url(number * LIST_SIZE)
    # mtime 0: the same bits are the same text.
    encoded = "u" + _base64url(gzip.compress(bytes(bits), mtime=0))
    return {
        "@context": [VC],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": house.did,
        "validFrom": _time(now),
        "validUntil": _time(now + LIST_LIFE),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": encoded,
        },
        "iss": house.did,
        "jti": url,
        "nbf": int(now.timestamp()),
        "exp": int((now + LIST_LIFE).timestamp()),
    }


def did_document(house: House, keys: Iterable[PublicKey]) -> dict[str, Any]:
    """Who the issuer is and which keys are its own, also those that sign no more."""
    methods = [
        {
            "id": f"{house.did}#{key.id}",
            "type": "JsonWebKey",
            "controller": house.did,
            "publicKeyJwk": {"kty": "OKP", "crv": "Ed25519", "x": _base64url(key.raw), "alg": "EdDSA", "use": "sig"},
        }
        for key in keys
    ]
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/jwk/v1"],
        "id": house.did,
        "verificationMethod": methods,
        "assertionMethod": [method["id"] for method in methods],
    }


def profile(house: House) -> dict[str, Any]:
    """The issuer as an Open Badges Profile."""
    return {
        "@context": [VC, OPEN_BADGES],
        "id": house.did,
        "type": ["Profile"],
        "name": house.name,
        "url": house.base_url,
    }


def sign(payload: dict[str, Any], house: House, ring: KeyRing) -> str:
    """A JWT in the compact form (RFC 7515), its key named by the issuer's DID. Ed25519 signs the same way each time."""
    header = {"alg": "EdDSA", "typ": "JWT", "kid": f"{house.did}#{ring.id}"}
    text = f"{_base64url(orjson.dumps(header))}.{_base64url(orjson.dumps(payload))}"
    return f"{text}.{_base64url(ring.private.sign(text.encode()))}"


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
