"""Webhooks against real receivers: good ones, slow ones, and those that mean harm."""

import asyncio
import contextlib
import json
import logging
import ssl
import threading

import pytest
import trustme
from standardwebhooks import Webhook

from wingbeat.base.errors import ConfigurationError, WingbeatError
from wingbeat.contracts.notifier import NotDelivered, Undeliverable
from wingbeat.contracts.secrets import SecretMissing
from wingbeat.testing.conformance.notifier import message
from wingbeat_notify.kits import KEY, PATH, receiving
from wingbeat_notify.settings import WebhookChannel, WebhookSettings
from wingbeat_notify.webhook import WebhookNotifier

SECRETS = {"hooks/ops": KEY, "hooks/url": "", "hooks/bad": "canary"}
TOLD = message("msg_1", "ops", reason="it broke")


def secret(name):
    if name not in SECRETS:
        raise SecretMissing(f"There is no secret {name!r}.")
    return SECRETS[name]


@contextlib.asynccontextmanager
async def notifier(url="", hosts=("127.0.0.1",), **more):
    settings = {name: more.pop(name) for name in ("ca_file", "timeout_s") if name in more}
    if "format" not in more:
        more.setdefault("secret", "hooks/ops")
    made = WebhookNotifier(WebhookSettings({"ops": WebhookChannel(url, **more)}, hosts, **settings), secret)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


class Raw:
    """A server that answers every connection with these bytes, or does with it what it is told."""

    def __init__(self, answer=b"", serve=None, **more):
        self.answer, self.serve, self.more = answer, serve, more
        self.asked, self.connected = [], {}

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._connected, "127.0.0.1", 0, **self.more)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task, writer in self.connected.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.wait(
            [*self.connected, asyncio.create_task(asyncio.sleep(0.01))]
        )  # what is aborted ends in turns of the loop

    def _connected(self, reader, writer):
        self.connected[asyncio.create_task(self._serve(reader, writer))] = writer

    async def _serve(self, reader, writer):
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            if self.serve is not None:
                await self.serve(writer)
            writer.write(self.answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{PATH}"


# -- what is sent


async def test_a_receiver_can_check_what_it_is_sent(receiver):
    async with notifier(receiver.url + "?a=1") as made:
        await made.notify(TOLD)
    ((path, headers, body),) = receiver.taken
    assert path == f"{PATH}?a=1"
    told = Webhook(KEY).verify(body, headers)
    assert told["data"]["reason"] == "it broke"
    assert headers["webhook-id"] == "msg_1"
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{receiver.server_port}"


async def test_a_url_that_is_a_secret_is_asked_for_each_time(receiver):
    async with notifier(url_secret="hooks/url") as made:
        SECRETS["hooks/url"] = f"{receiver.url}-one\n"
        await made.notify(TOLD)
        SECRETS["hooks/url"] = f"{receiver.url}-two"
        await made.notify(TOLD)
    assert [path for path, *_ in receiver.taken] == [f"{PATH}-one", f"{PATH}-two"]


async def test_slack_is_sent_a_text(receiver):
    async with notifier(receiver.url, format="slack") as made:
        await made.notify(TOLD)
    ((_, headers, body),) = receiver.taken
    assert json.loads(body)["text"].startswith("eta/production/train@v1 has failed")
    assert "webhook-signature" not in headers


# -- what the receiver answers


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 401, 404, 429, 500, 503])
async def test_what_was_not_taken_is_told_with_what_it_answered(receiver, status):
    receiver.status = status
    async with notifier(receiver.url) as made:
        with pytest.raises(NotDelivered, match=f"^127.0.0.1 answered {status}"):
            await made.notify(TOLD)


async def test_a_receiver_that_is_gone_is_told_nothing_more(receiver):
    receiver.status = 410
    async with notifier(receiver.url) as made:
        with pytest.raises(Undeliverable, match="410"):
            await made.notify(TOLD)


async def test_redirects_lead_nowhere(receiver):
    to = f"HTTP/1.1 307 X\r\nLocation: {receiver.url}\r\nContent-Length: 0\r\n\r\n".encode()
    async with Raw(to) as raw, notifier(raw.url) as made:
        with pytest.raises(NotDelivered, match="answered 307; redirects are not followed"):
            await made.notify(TOLD)
    assert receiver.taken == []


async def test_a_body_without_an_end_is_not_read():
    async def serve(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                await writer.drain()

    async with Raw(serve=serve) as raw, notifier(raw.url) as made:
        await made.notify(TOLD)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000])
async def test_what_is_no_answer_is_told(answer):
    async with Raw(answer) as raw, notifier(raw.url) as made:
        with pytest.raises(NotDelivered, match="did not take it: Remote") as told:
            await made.notify(TOLD)
    assert PATH not in str(told.value)


async def test_one_that_does_not_answer_is_left(receiver):
    async def serve(writer):
        await asyncio.sleep(20)

    async with Raw(serve=serve) as raw, notifier(raw.url, timeout_s=0.2) as made:
        with pytest.raises(NotDelivered, match=r"did not take it: ReadTimeout|within 0\.2 s"):
            await made.notify(TOLD)


async def test_headers_that_trickle_do_not_hold_it():
    async def serve(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with Raw(serve=serve) as raw, notifier(raw.url, timeout_s=0.3) as made:
        with pytest.raises(NotDelivered, match=r"within 0\.3 s"):
            await made.notify(TOLD)


async def test_nobody_there_is_told(receiver):
    async with Raw() as raw:
        url = raw.url
    async with notifier(url) as made:
        with pytest.raises(NotDelivered, match=r"127\.0\.0\.1 cannot be reached"):
            await made.notify(TOLD)


# -- where it must not go


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]", "0x7f000001", "0"])
async def test_what_is_inside_is_not_reached(receiver, host):
    async with notifier(f"http://{host}:{receiver.server_port}{PATH}", hosts=()) as made:
        with pytest.raises(NotDelivered, match="not public|no address"):
            await made.notify(TOLD)
    assert receiver.taken == []


async def test_a_name_is_resolved_once_and_that_is_reached(receiver, resolving):
    """A resolver that gives a public address to who checks and an inside one to who connects has no second turn."""
    asked = resolving({"hook.example": ["127.0.0.1"]})
    async with notifier(f"http://hook.example:{receiver.server_port}{PATH}", hosts=("hook.example",)) as made:
        await made.notify(TOLD)
    assert asked.count("hook.example") == 1
    ((_, headers, _),) = receiver.taken
    assert headers["host"] == f"hook.example:{receiver.server_port}"


async def test_a_name_that_turns_inside_is_refused(receiver, resolving):
    names = {"hook.example": ["10.0.0.1"]}
    resolving(names)
    async with notifier(f"http://hook.example:{receiver.server_port}{PATH}") as made:
        with pytest.raises(NotDelivered, match=r"hook\.example has an address that is not public") as told:
            await made.notify(TOLD)
    assert "webhook.hosts = ['hook.example']" in told.value.hint


async def test_the_next_address_is_tried_where_one_is_away(receiver, resolving):
    resolving({"hook.example": ["127.0.0.2", "127.0.0.1"]})
    receiver_port = receiver.server_port  # it listens at 127.0.0.1 alone
    async with notifier(f"http://hook.example:{receiver_port}{PATH}", hosts=("hook.example",)) as made:
        await made.notify(TOLD)
    assert len(receiver.taken) == 1


async def test_a_proxy_of_the_environment_is_not_asked(receiver, monkeypatch):
    async with Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with notifier(receiver.url) as made:
            await made.notify(TOLD)
    assert proxy.asked == []
    assert len(receiver.taken) == 1


# -- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path_factory.mktemp("ca") / "ca.pem"))
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    made.cert_pem.write_to_path(str(file))
    return made, str(file)


@pytest.mark.parametrize(("named", "taken"), [("hook.example", True), ("other.example", False), ("127.0.0.1", False)])
async def test_the_certificate_is_that_of_the_name(authority, resolving, named, taken):
    made, file = authority
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.issue_cert(named).configure_cert(context)
    resolving({"hook.example": ["127.0.0.1"]})
    async with Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ssl=context) as raw:
        url = f"https://hook.example:{raw.port}{PATH}"
        async with notifier(url, hosts=("hook.example",), ca_file=file) as there:
            if taken:
                await there.notify(TOLD)
            else:
                with pytest.raises(NotDelivered, match="CERTIFICATE_VERIFY_FAILED"):
                    await there.notify(TOLD)
        async with notifier(url, hosts=("hook.example",)) as nobody:  # who does not know the authority
            with pytest.raises(NotDelivered, match="CERTIFICATE_VERIFY_FAILED"):
                await nobody.notify(TOLD)


# -- settings


@pytest.mark.parametrize(
    ("channel", "why"),
    [
        (WebhookChannel(), "either url or url_secret"),
        (WebhookChannel("https://a.example", "hooks/url", "hooks/ops"), "either url or url_secret"),
        (WebhookChannel("https://a.example"), "has no secret"),
        (WebhookChannel("ftp://a.example/canary", secret="s"), "no URL of http"),
        (WebhookChannel("file:///etc/canary", secret="s"), "no URL of http"),
        (WebhookChannel("a.example/canary", secret="s"), "no URL of http"),
        (WebhookChannel("https://", secret="s"), "no URL of http"),
        (WebhookChannel("https://me:canary@a.example", secret="s"), "holds a name and password"),
        (WebhookChannel("http://a.example:99999/canary", secret="s"), "is no URL of http"),
        (WebhookChannel("http://a\nb/canary", secret="s"), "is no URL"),
    ],
)  # fmt: skip
def test_what_is_no_channel_is_told_by_its_name(channel, why):
    with pytest.raises(ConfigurationError, match=why) as told:
        WebhookNotifier(WebhookSettings({"ops": channel}), secret)
    assert "'ops'" in told.value.message
    assert "canary" not in f"{told.value} {told.value.hint}"


@pytest.mark.parametrize("name", ["hooks/none", "hooks/bad"])
async def test_a_secret_that_is_none_is_told_by_its_name(receiver, name):
    async with notifier(receiver.url, secret=name) as made:
        with pytest.raises(WingbeatError, match=name) as told:
            await made.notify(TOLD)
    assert "canary" not in f"{told.value} {told.value.hint}"
    assert receiver.taken == []


async def test_a_url_that_is_a_secret_is_in_no_log(receiver, caplog):
    caplog.set_level(logging.DEBUG)
    SECRETS["hooks/url"] = receiver.url
    async with notifier(url_secret="hooks/url") as made:
        await made.notify(TOLD)
        receiver.status = 500
        with pytest.raises(NotDelivered) as told:
            await made.notify(TOLD)
    assert PATH not in caplog.text + str(told.value)
    assert KEY.removeprefix("whsec_") not in caplog.text
    SECRETS["hooks/url"] = f"canary {PATH}"
    async with notifier(url_secret="hooks/url") as made:
        with pytest.raises(ConfigurationError, match="The secret 'hooks/url' is no URL") as told:
            await made.notify(TOLD)
    assert PATH not in str(told.value)


def test_threads_are_none_of_its(receiver):
    before = threading.active_count()
    WebhookNotifier(WebhookSettings({"ops": WebhookChannel(receiver.url, secret="hooks/ops")}), secret)
    assert threading.active_count() == before
