"""The keys that sign an organisation's badges: made when first needed, and at rest only encrypted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.credentials import statements as sql
from app.db.ids import new_id
from app.db.transaction import Tx

_NONCE = 12


def derived(secret: str, purpose: bytes) -> bytes:
    """32 bytes for one purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret.encode())


class Vault:
    """Encrypts private keys (AES-256-GCM) with CREDENTIALS_SECRET; reads what former secrets have encrypted.

    The organisation and the key are part of what is authenticated: a row copied elsewhere cannot be read there.
    """

    def __init__(self, secret: str, former: Sequence[str] = ()) -> None:
        self._keys = [AESGCM(derived(each, b"stegmaier issuer keys")) for each in (secret, *former)]

    def close_up(self, private: bytes, tenant_id: UUID, key_id: UUID) -> bytes:
        """Encrypt."""
        nonce = os.urandom(_NONCE)
        return nonce + self._keys[0].encrypt(nonce, private, tenant_id.bytes + key_id.bytes)

    def open_up(self, closed: bytes, tenant_id: UUID, key_id: UUID) -> bytes:
        """Decrypt. Raises ValueError when none of the secrets fits."""
        for key in self._keys:
            try:
                return key.decrypt(closed[:_NONCE], closed[_NONCE:], tenant_id.bytes + key_id.bytes)
            except InvalidTag:
                continue
        raise ValueError("a badge key cannot be read: CREDENTIALS_SECRET was changed without keeping the former one")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key as everybody may know it: its id, and 32 bytes."""

    id: UUID
    raw: bytes


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The organisation's keys: the one that signs, and all that have ever signed."""

    id: UUID
    private: Ed25519PrivateKey
    public: tuple[PublicKey, ...]


async def find_ring(tx: Tx, vault: Vault, tenant_id: UUID) -> KeyRing | None:
    """The keys, if there are any. Raises ValueError as the vault does."""
    rows = await tx.all(sql.KEYS)
    if not rows or rows[0].retired_at is not None:
        return None
    current = rows[0]
    private = vault.open_up(bytes(current.private_key), tenant_id, current.id)
    public = tuple(PublicKey(row.id, bytes(row.public_key)) for row in rows)
    return KeyRing(current.id, Ed25519PrivateKey.from_private_bytes(private), public)


async def add_key(tx: Tx, vault: Vault, tenant_id: UUID) -> None:
    """Make a key, unless somebody has just made one."""
    key_id, private = new_id(), Ed25519PrivateKey.generate()
    closed = vault.close_up(private.private_bytes_raw(), tenant_id, key_id)
    await tx.execute(sql.ADD_KEY, id=key_id, public_key=private.public_key().public_bytes_raw(), private_key=closed)


async def rotate_key(tx: Tx, vault: Vault, tenant_id: UUID) -> None:
    """Sign with a new key from now on; badges signed with the former ones still verify."""
    await tx.execute(sql.RETIRE_KEY)
    await add_key(tx, vault, tenant_id)
