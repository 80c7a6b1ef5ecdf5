"""What the kits have to know to test the notifiers: `wingbeat plugins check notify` runs them, and so do the tests."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from wingbeat.contracts.notifier import Notifier
from wingbeat.testing.conformance.notifier import Arrived, NotifierContract
from wingbeat.testing.home import TemporaryHome
from wingbeat_notify.mail import MailNotifier
from wingbeat_notify.settings import MailChannel, MailSettings, WebhookChannel, WebhookSettings
from wingbeat_notify.webhook import WebhookNotifier

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/hooks/b3f0c2"


class Receiver(ThreadingHTTPServer):
    """Takes whatever is posted.

    Attributes:
        taken: Path, headers and body of each.

        status: What it answers.
    """

    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Posted)
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}{PATH}"


class _Posted(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.taken.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver of webhooks, in a thread."""
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


class MailServer:
    """A mail server in a thread, of ``aiosmtpd``.

    Attributes:
        taken: Sender, recipients and content of each mail.

        answer: What it says to one; empty takes it.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.taken: list[tuple[str, list[str], bytes]] = []
        self.answer = ""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's
        """See aiosmtpd."""
        if not self.answer:
            self.taken.append((envelope.mail_from, list(envelope.rcpt_tos), bytes(envelope.original_content)))
        return self.answer or "250 OK"

    def __enter__(self) -> MailServer:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> asyncio.Server:
        from aiosmtpd.smtp import SMTP

        def protocol() -> Any:
            return SMTP(self, hostname="mail.test", **self.options)

        return await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class TestWebhook(NotifierContract):
    """Webhooks, to a receiver of the kit's own."""

    secret_texts = (KEY.removeprefix("whsec_"), PATH)

    @pytest.fixture(autouse=True)
    def _receiver(self) -> Iterator[None]:
        with receiving() as self.receiver:
            yield

    def make(self, home: TemporaryHome) -> Notifier:
        """With a receiver that is not public."""
        channels = {"ops": WebhookChannel(self.receiver.url, secret="hooks/ops")}  # noqa: S106  # its name
        return WebhookNotifier(WebhookSettings(channels, ("127.0.0.1",)), {"hooks/ops": KEY}.__getitem__)

    def arrived(self, home: TemporaryHome) -> list[Arrived]:
        """By their headers."""
        return [Arrived(headers["webhook-id"], body.decode()) for _, headers, body in self.receiver.taken]

    @contextlib.asynccontextmanager
    async def refusing(self, home: TemporaryHome) -> AsyncIterator[None]:
        """It says that it cannot."""
        self.receiver.status = 503
        yield
        self.receiver.status = 200


class TestMail(NotifierContract):
    """Mail, to a server of the kit's own."""

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        pytest.importorskip("aiosmtpd", reason="the kit of mail needs aiosmtpd")
        with MailServer() as self.server:
            yield

    def make(self, home: TemporaryHome) -> Notifier:
        """In the clear: it is on this machine."""
        channels = {"ops": MailChannel(("ops@example.com",))}
        settings = MailSettings(channels, "127.0.0.1", self.server.port, "none", "wingbeat@example.com")
        return MailNotifier(settings, str)

    def arrived(self, home: TemporaryHome) -> list[Arrived]:
        """By their Message-ID."""
        found = []
        for _, _, content in self.server.taken:
            mail = message_from_bytes(content, policy=default)
            id = mail["Message-ID"].partition("@")[0].lstrip("<")
            found.append(Arrived(id, f"{mail['Subject']}\n{mail.get_content()}"))
        return found

    @contextlib.asynccontextmanager
    async def refusing(self, home: TemporaryHome) -> AsyncIterator[None]:
        """It says that it cannot, for now."""
        self.server.answer = "451 later"
        yield
        self.server.answer = ""
