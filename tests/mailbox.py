"""A real SMTP server for tests: keeps what it receives, refuses on demand."""

from __future__ import annotations

import asyncio
import re
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox:
    """Receives mails over SMTP on a free port of the loopback interface."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"
        self.delay = 0.0  # seconds before a mail is answered
        self._controller = _AnyPort(self, hostname="127.0.0.1", port=0)
        self.port = 0

    def start(self) -> None:
        """Listen in a thread."""
        self._controller.start()
        self.port = self._controller.port

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """aiosmtpd calls this for each mail."""
        await asyncio.sleep(self.delay)
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.answer

    def to(self, address: str) -> list[EmailMessage]:
        """The mails for an address, oldest first."""
        return [mail for mail in self.mails if address in str(mail["To"])]

    async def wait_for(self, address: str, count: int = 1, seconds: float = 10) -> list[EmailMessage]:
        """The mails for an address once there are ``count`` of them."""
        deadline = time.monotonic() + seconds
        while len(found := self.to(address)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(found)} of {count} mails arrived for {address}")
            await asyncio.sleep(0.02)
        return found


class _AnyPort(Controller):
    """aiosmtpd checks that it listens by connecting to the port it was given; here the system chose it."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


def text_of(mail: EmailMessage) -> str:
    """The plain text part."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def token_in(mail: EmailMessage) -> str:
    """The one-time token in the mail's link."""
    found = re.search(r"[?&#]token=([A-Za-z0-9_-]+)", text_of(mail))
    assert found is not None, text_of(mail)
    return found.group(1)
