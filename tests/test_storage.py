"""Files in a folder and in a bucket: the same behaviour, tried on a real server that speaks S3."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.outside.storage import FileMissing, LocalStorage, S3Storage, Storage, StorageUnavailable, disposition
from app.platform import storage_for
from tests.conftest import settings_for

KEY, SECRET = "access-key-of-tests", secrets.token_hex(16)
WEED = shutil.which("weed") or str(Path(sys.executable).with_name("weed"))


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; its gRPC port is each one's plus 10,000."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with socket.socket() as grpc:
            if port < 50_000 and grpc.connect_ex(("127.0.0.1", port + 10_000)) != 0:
                found.append(port)
    return found


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a SeaweedFS of this module's own."""
    folder = tmp_path_factory.mktemp("weed")
    master, volume, filer, s3, webdav, admin = free_ports(6)
    command = [
        WEED, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={s3}",
        f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-webdav.port={webdav}",
        f"-admin.port={admin}",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
    ]  # fmt: skip
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{s3}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # it takes seconds to stop of its own accord
        server.wait()


def in_bucket(endpoint: str, bucket: str = "files", *, secret: str = SECRET) -> S3Storage:
    return S3Storage(bucket=bucket, endpoint=endpoint, access_key=KEY, secret_key=secret, timeout=5)


@pytest.fixture
async def bucket(s3: str) -> AsyncIterator[S3Storage]:
    """A bucket that is there, on a server that answers."""
    store = in_bucket(s3)
    deadline = time.monotonic() + 60
    while await store.check() is not None:
        with suppress(Exception):  # it is not yet listening, or has just been made
            await (await store._client(s3)).create_bucket(Bucket="files")
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    yield store
    await store.close()


@pytest.fixture
def folder(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "files", base_url="http://learn.test", secret=b"s" * 32)


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest) -> Storage:
    found: Storage = request.getfixturevalue(request.param)
    return found


async def test_a_file_is_kept_read_replaced_and_forgotten(store: Storage) -> None:
    key = f"tenant/certificates/{secrets.token_hex(8)}.pdf"
    assert await store.check() is None
    with pytest.raises(FileMissing):
        await store.get(key)
    for body in (b"first", b"second " * 100_000):
        await store.put(key, body, media_type="application/pdf")
        assert await store.get(key) == body
    await store.delete(key)
    await store.delete(key)
    with pytest.raises(FileMissing):
        await store.get(key)


@pytest.mark.parametrize("key", ["../secret", "a/../../b", "/etc/passwd", "a//b", "", "a\nb", ".hidden", "a/.hidden"])
async def test_a_key_never_leads_out_of_the_store(store: Storage, key: str) -> None:
    with pytest.raises(ValueError, match="storage key"):
        await store.put(key, b"x", media_type="text/plain")
    with pytest.raises(ValueError, match="storage key"):
        await store.url(key, filename="x", media_type="text/plain", seconds=60)


async def test_many_writers_of_one_key_leave_a_whole_file(store: Storage) -> None:
    bodies = [bytes([65 + n]) * 50_000 for n in range(8)]
    await asyncio.gather(*(store.put("same/key", body, media_type="text/plain") for body in bodies))
    assert await store.get("same/key") in bodies


async def test_an_address_of_a_bucket_downloads_under_its_name_and_only_what_was_signed(bucket: S3Storage) -> None:
    await bucket.put("a/b.pdf", b"%PDF", media_type="application/pdf")
    await bucket.put("a/c.pdf", b"other", media_type="application/pdf")
    url = await bucket.url("a/b.pdf", filename="Diploma Ñandú.pdf", media_type="application/pdf", seconds=60)
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(url)
        assert (answer.status_code, answer.content) == (200, b"%PDF")
        assert answer.headers["content-disposition"] == disposition("Diploma Ñandú.pdf")
        assert answer.headers["content-type"] == "application/pdf"
        assert (await browser.get(url.replace("b.pdf", "c.pdf"))).status_code == 403
        assert (await browser.get(url.partition("?")[0])).status_code == 403
        short = await bucket.url("a/b.pdf", filename="x", media_type="application/pdf", seconds=1)
        await asyncio.sleep(2.1)
        assert (await browser.get(short)).status_code == 403


async def test_an_address_of_the_folder_admits_what_was_signed_until_it_ends(folder: LocalStorage) -> None:
    now = 1_000_000.0
    clocked = LocalStorage(Path("unused"), base_url="http://x", secret=b"s" * 32, clock=lambda: now)
    url = httpx.URL(await clocked.url("a/b.pdf", filename="n.pdf", media_type="application/pdf", seconds=60))
    given = {
        "filename": url.params["name"], "media_type": url.params["type"], "until": url.params["until"],
        "signature": url.params["signature"],
    }  # fmt: skip
    assert clocked.admits("a/b.pdf", **given)
    assert folder._secret == clocked._secret
    for changed in ({"filename": "x"}, {"until": "9999999999"}, {"media_type": "text/html"}, {"signature": ""}):
        assert not clocked.admits("a/b.pdf", **{**given, **changed})
    assert not clocked.admits("a/c.pdf", **given)
    now += 61
    assert not clocked.admits("a/b.pdf", **given)


async def test_a_store_that_is_away_or_refuses_says_so(s3: str, bucket: S3Storage, tmp_path: Path) -> None:
    missing = in_bucket(s3, "no-such-bucket")  # this server would make it for whoever puts something into it
    assert await missing.check() == "the bucket does not answer"
    await missing.close()
    for broken in (in_bucket("http://127.0.0.1:9"), in_bucket(s3, secret="wrong")):
        assert await broken.check() == "the bucket does not answer"
        with pytest.raises(StorageUnavailable):
            await broken.put("a", b"x", media_type="text/plain")
        await broken.close()
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    assert await LocalStorage(blocked, base_url="", secret=b"").check() == "the folder cannot be written to"


async def test_the_settings_choose_the_store(s3: str, bucket: S3Storage, tmp_path: Path) -> None:
    assert isinstance(storage_for(settings_for(data_dir=tmp_path)), LocalStorage)
    settings = settings_for(
        s3_bucket="files", s3_endpoint_url=s3, s3_access_key_id=KEY, s3_secret_access_key=SECRET,
        s3_public_endpoint_url="https://files.example.org",
    )  # fmt: skip
    chosen = storage_for(settings)
    assert await chosen.check() is None
    url = await chosen.url("a", filename="a", media_type="text/plain", seconds=60)
    assert url.startswith("https://files.example.org/files/a?")
    await chosen.close()


def test_names_of_downloads_are_safe_in_any_script() -> None:
    assert disposition('a"b\r\nc.pdf') == "attachment; filename=\"a_b__c.pdf\"; filename*=UTF-8''a%22b%0D%0Ac.pdf"
    assert disposition("Ñandú.pdf") == "attachment; filename=\"_and_.pdf\"; filename*=UTF-8''%C3%91and%C3%BA.pdf"
