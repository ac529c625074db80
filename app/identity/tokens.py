"""Access tokens: the only place that touches python-jose, which accepts far too much when used plainly."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from jose import jwt
from jose.exceptions import JOSEError

from app.errors import Unauthenticated

ALGORITHM = "HS256"
TYPE = "at+jwt"
MAX_LENGTH = 4096
LEEWAY = 10
REMEMBERED = 20_000  # verified tokens
_HEADER = frozenset({"alg", "typ", "kid"})
_OPTIONS = {
    "require_exp": True,
    "require_iat": True,
    "require_aud": True,
    "require_iss": True,
    "require_sub": True,
    "require_jti": True,
    "leeway": LEEWAY,
}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says."""

    user_id: UUID
    tenant_id: UUID
    session_id: UUID
    expires_at: int


class AccessTokens:
    """Issues and verifies access tokens (RFC 9068 in spirit): one algorithm, one key, every claim required.

    ``previous_secrets`` are still accepted while a secret is being changed.
    """

    def __init__(
        self,
        secret: str,
        *,
        issuer: str,
        minutes: int,
        previous_secrets: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys: dict[str, str] = {}
        for each in (secret, *previous_secrets):
            if len(each.encode()) < 32:
                raise ValueError("the secret of access tokens needs at least 32 bytes")
            self._keys[_key_id(each)] = each
        self._secret = secret
        self._kid = _key_id(secret)
        self._issuer = issuer
        self._clock = clock
        self.seconds = minutes * 60
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()

    def issue(self, *, user_id: UUID, tenant_id: UUID, session_id: UUID) -> str:
        """A token for one person in one tenant."""
        now = int(self._clock())
        claims = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": str(user_id),
            "tid": str(tenant_id),
            "sid": str(session_id),
            "jti": uuid4().hex,
            "iat": now,
            "exp": now + self.seconds,
        }
        return str(jwt.encode(claims, self._secret, ALGORITHM, headers={"typ": TYPE, "kid": self._kid}))

    def verify(self, token: str) -> Claims:
        """The claims of a token that is ours, whole and not expired. Raises Unauthenticated.

        A token that was verified once is known by its digest until it expires: its signature cannot become wrong.
        Whether its session still lives is asked each time, elsewhere (``SessionGate``).
        """
        if len(token) > MAX_LENGTH:
            raise _refused()
        digest = sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None:
            if known.expires_at + LEEWAY < self._clock():
                raise _refused()
            return known
        claims = self._read(token)
        self._verified[digest] = claims
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return claims

    def _read(self, token: str) -> Claims:
        try:
            header = jwt.get_unverified_header(token)
            claims = self._decode(token, header)
            return Claims(UUID(claims["sub"]), UUID(claims["tid"]), UUID(claims["sid"]), int(claims["exp"]))
        except (JOSEError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise _refused() from error

    def _decode(self, token: str, header: dict[str, Any]) -> dict[str, Any]:
        # crit, jku, x5u, jwk and anything else we do not write is not looked at but refused.
        if set(header) != _HEADER or header["alg"] != ALGORITHM or header["typ"] != TYPE:
            raise ValueError("header")
        claims: dict[str, Any] = jwt.decode(
            token,
            self._keys[header["kid"]],
            algorithms=[ALGORITHM],
            audience=self._issuer,
            issuer=self._issuer,
            options={**_OPTIONS, "verify_exp": False},
        )
        if int(claims["exp"]) + LEEWAY < self._clock():
            raise ValueError("expired")
        return claims


def _key_id(secret: str) -> str:
    return sha256(b"kid" + secret.encode()).hexdigest()[:16]


def _refused() -> Unauthenticated:
    return Unauthenticated("your session is over or this token is not valid; log in again")
