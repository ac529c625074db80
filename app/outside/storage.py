"""Files: in an object store that speaks S3, or in a folder of this machine."""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from app.db.ids import new_id

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class StorageUnavailable(Exception):
    """The store does not answer, or refuses this platform: the same request may succeed later."""


class FileMissing(Exception):
    """There is no file with this key."""


class Storage(Protocol):
    """Files by keys like ``<tenant>/certificates/<sha256>.pdf``. All raise StorageUnavailable."""

    async def put(self, key: str, body: bytes, *, media_type: str) -> None:
        """Keep a file, whole or not at all; what had this key before is replaced."""
        ...

    async def get(self, key: str) -> bytes:
        """A file. Raises FileMissing."""
        ...

    async def delete(self, key: str) -> None:
        """Forget a file; that there is none is fine."""
        ...

    async def url(self, key: str, *, filename: str, media_type: str, seconds: int) -> str:
        """An address where whoever has it can download the file, under this name, for so many seconds."""
        ...

    async def check(self) -> str | None:
        """None when files can be kept and read, else what is wrong in a few words that anybody may read."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


def safe_key(key: str) -> str:
    """The key. Raises ValueError for one that could name something outside of the store."""
    if len(key) > 500 or not KEY.fullmatch(key) or ".." in key:
        raise ValueError("a storage key is made of letters, digits, points, hyphens and slashes")
    return key


def disposition(filename: str) -> str:
    """The value of Content-Disposition that saves a file under a name in any script (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


class LocalStorage:
    """A folder, and addresses of this server that are signed: for development, and for a single machine."""

    def __init__(self, folder: Path, *, base_url: str, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._base_url = base_url
        self._secret = secret
        self._clock = clock

    async def put(self, key: str, body: bytes, *, media_type: str) -> None:
        """Keep a file, whole or not at all."""
        await asyncio.to_thread(self._write, self._path(key), body)

    def _write(self, path: Path, body: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{new_id().hex}")
            draft.write_bytes(body)
            draft.replace(path)
        except OSError as error:
            raise StorageUnavailable(type(error).__name__) from error

    async def get(self, key: str) -> bytes:
        """A file. Raises FileMissing."""
        path = self._path(key)
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError as error:
            raise FileMissing(key) from error
        except OSError as error:
            raise StorageUnavailable(type(error).__name__) from error

    async def delete(self, key: str) -> None:
        """Forget a file."""
        await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    async def url(self, key: str, *, filename: str, media_type: str, seconds: int) -> str:
        """An address of this server, signed."""
        until = str(int(self._clock()) + seconds)
        query = {"name": filename, "type": media_type, "until": until}
        query["signature"] = self._signature(safe_key(key), filename, media_type, until)
        return f"{self._base_url}/files/{key}?{urlencode(query)}"

    def admits(self, key: str, *, filename: str, media_type: str, until: str, signature: str) -> bool:
        """Whether an address was made here and has not ended."""
        expected = self._signature(key, filename, media_type, until)
        is_ours = hmac.compare_digest(expected.encode(), signature.encode())
        return is_ours and int(until) >= self._clock()

    def _signature(self, *parts: str) -> str:
        text = "\n".join(quote(part, safe="") for part in parts)
        return hmac.new(self._secret, text.encode(), sha256).hexdigest()

    async def check(self) -> str | None:
        """None when the folder can be written to."""
        try:
            await asyncio.to_thread(self._write, self._path("ready"), b"ok")
        except StorageUnavailable:
            return "the folder cannot be written to"
        return None

    async def close(self) -> None:
        """Nothing is open."""

    def _path(self, key: str) -> Path:
        return self._folder / safe_key(key)


class S3Storage:
    """A bucket of an object store. ``public_endpoint``: where browsers reach it, when that is another address."""

    def __init__(
        self,
        *,
        bucket: str,
        endpoint: str | None = None,
        public_endpoint: str | None = None,
        region: str = "us-east-1",
        access_key: str | None = None,
        secret_key: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._bucket = bucket
        self._endpoint = endpoint
        self._public_endpoint = public_endpoint or endpoint
        self._options = {
            "region_name": region,
            "aws_access_key_id": access_key,
            "aws_secret_access_key": secret_key,
            "config": AioConfig(
                signature_version="s3v4",
                # A bucket in the host name needs a wildcard certificate, which only large providers have.
                s3={"addressing_style": "path" if endpoint else "auto"},
                connect_timeout=timeout,
                read_timeout=timeout,
                retries={"max_attempts": 2, "mode": "standard"},
                # Checksums that older stores do not know are sent only where the protocol demands them.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        }
        self._stack = AsyncExitStack()
        self._clients: dict[str | None, Any] = {}
        self._opening = asyncio.Lock()

    async def _client(self, endpoint: str | None) -> Any:
        async with self._opening:
            if endpoint not in self._clients:
                made = get_session().create_client("s3", endpoint_url=endpoint, **self._options)
                self._clients[endpoint] = await self._stack.enter_async_context(made)
            return self._clients[endpoint]

    async def _ask(self, operation: str, **parameters: Any) -> Any:
        client = await self._client(self._endpoint)
        try:
            return await getattr(client, operation)(Bucket=self._bucket, **parameters)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            if code in {"NoSuchKey", "404"} and "Key" in parameters:
                raise FileMissing(parameters["Key"]) from error
            raise StorageUnavailable(code) from error
        except (BotoCoreError, OSError, TimeoutError) as error:
            raise StorageUnavailable(type(error).__name__) from error

    async def put(self, key: str, body: bytes, *, media_type: str) -> None:
        """Keep a file, whole or not at all."""
        await self._ask("put_object", Key=safe_key(key), Body=body, ContentType=media_type)

    async def get(self, key: str) -> bytes:
        """A file. Raises FileMissing."""
        answer = await self._ask("get_object", Key=safe_key(key))
        async with answer["Body"] as stream:
            body: bytes = await stream.read()
            return body

    async def delete(self, key: str) -> None:
        """Forget a file."""
        await self._ask("delete_object", Key=safe_key(key))

    async def url(self, key: str, *, filename: str, media_type: str, seconds: int) -> str:
        """A presigned GET; nobody is asked for it."""
        client = await self._client(self._public_endpoint)
        parameters = {
            "Bucket": self._bucket,
            "Key": safe_key(key),
            "ResponseContentDisposition": disposition(filename),
            "ResponseContentType": media_type,
        }
        made: str = await client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)
        return made

    async def check(self) -> str | None:
        """None when the bucket is there and may be used."""
        try:
            await self._ask("head_bucket")
        except StorageUnavailable:
            return "the bucket does not answer"
        return None

    async def close(self) -> None:
        """Close connections."""
        await self._stack.aclose()
        self._clients.clear()
