"""Access tokens: what is ours is accepted, everything else is not."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import orjson
import pytest
from jose import jwt

from app.errors import Unauthenticated
from app.identity.tokens import AccessTokens

SECRET = "s" * 40
NOW = 1_800_000_000.0


def tokens(**more: Any) -> AccessTokens:
    return AccessTokens(SECRET, issuer="stegmaier", minutes=15, clock=lambda: NOW, **more)


def claims(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "iss": "stegmaier", "aud": "stegmaier", "sub": str(uuid4()), "tid": str(uuid4()), "sid": str(uuid4()),
        "jti": "x", "iat": int(NOW), "exp": int(NOW) + 60,
    }  # fmt: skip
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def forged(header: dict[str, Any] | None = None, secret: str = SECRET, **changes: Any) -> str:
    genuine = jwt.get_unverified_header(tokens().issue(user_id=uuid4(), tenant_id=uuid4(), session_id=uuid4()))
    wanted = {**genuine, **(header or {})}
    return str(jwt.encode(claims(**changes), secret, "HS256", headers=wanted))


def test_a_token_says_who_where_and_in_which_session() -> None:
    user, tenant, session = uuid4(), uuid4(), uuid4()
    found = tokens().verify(tokens().issue(user_id=user, tenant_id=tenant, session_id=session))
    assert (found.user_id, found.tenant_id, found.session_id, found.expires_at) == (user, tenant, session, NOW + 900)


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "tid", "sid", "jti", "iat", "exp"])
def test_every_claim_is_required(name: str) -> None:
    with pytest.raises(Unauthenticated):
        tokens().verify(forged(None, SECRET, **{name: None}))


@pytest.mark.parametrize(
    "token",
    [
        forged(header={"crit": ["exp"]}),
        forged(header={"jku": "https://evil.example.org"}),
        forged(header={"x5u": "https://evil.example.org"}),
        forged(header={"jwk": {"kty": "oct"}}),
        forged(header={"kid": "other"}),
        forged(header={"typ": "JWT"}),
        forged(secret="t" * 40),
        forged(exp=int(NOW) - 11),
        forged(aud="other"),
        forged(iss="other"),
        forged(sub="not-a-uuid"),
        "x.y.z",
        "",
        "a" * 5000,
    ],
)
def test_what_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        tokens().verify(token)


def test_an_unsigned_token_is_refused() -> None:
    parts = [orjson.dumps({"alg": "none", "typ": "at+jwt", "kid": "x"}), orjson.dumps(claims()), b""]
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    with pytest.raises(Unauthenticated):
        tokens().verify(token)


def test_a_clock_may_be_ten_seconds_off() -> None:
    assert tokens().verify(forged(exp=int(NOW) - 9)).expires_at == NOW - 9


def test_a_previous_secret_is_accepted_while_it_is_listed() -> None:
    old = AccessTokens("o" * 40, issuer="stegmaier", minutes=15, clock=lambda: NOW)
    token = old.issue(user_id=uuid4(), tenant_id=uuid4(), session_id=uuid4())
    assert tokens(previous_secrets=("o" * 40,)).verify(token)
    with pytest.raises(Unauthenticated):
        tokens().verify(token)


def test_a_short_secret_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        AccessTokens("", issuer="x", minutes=15)
