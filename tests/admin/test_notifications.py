"""From a launch plan to a receiver and a mailbox, over all that is installed; and where keys are not."""

import asyncio
import logging
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from wingbeat import Kernel, Notify
from wingbeat.contracts.admin import Launch, NotificationQuery, NotificationState, Registration
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan
from wingbeat_notify.kits import KEY, PATH, MailServer, Receiver, receiving

PLAN = "eta/production/plan@v1"


def settings(receiver: Receiver, mail: MailServer) -> dict[str, dict[str, Any]]:
    return {
        "webhook": {
            "channels": {"ops": {"url_secret": "hooks/url", "secret": "hooks/key"}},
            "hosts": ["127.0.0.1"],
        },
        "mail": {
            "channels": {"team": {"to": ["team@example.com"]}},
            "server": "127.0.0.1", "port": mail.port, "tls": "none", "sender": "wingbeat@example.com",
        },
        "notify": {"rules": [{"to": "team", "on": ["SUCCEEDED"], "project": "e*"}]},
    }  # fmt: skip


async def delivered(kernel: Kernel, count: int) -> None:
    admin = await kernel.admin()
    async with asyncio.timeout(30):
        while len((await admin.notifications(NotificationQuery(state=NotificationState.DELIVERED))).items) < count:
            await asyncio.sleep(0.02)


async def test_everybody_is_told_and_no_key_is_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving() as receiver, MailServer() as mail:
        monkeypatch.setenv("WINGBEAT_SECRET_HOOKS_URL", receiver.url)
        monkeypatch.setenv("WINGBEAT_SECRET_HOOKS_KEY", KEY)
        async with Kernel(tmp_path / "home", settings=settings(receiver, mail)) as kernel:
            admin = await kernel.admin()
            plan = launchplan(flows.twice, "plan", notifications=[Notify("ops", on=["SUCCEEDED"])])
            await admin.register(Registration("eta", "production", (plan,), "v1"))
            await admin.launch(Launch(PLAN, {"n": 1}, name="monday"))
            await delivered(kernel, 2)
    ((path, headers, body),) = receiver.taken
    assert path == PATH
    assert Webhook(KEY).verify(body, headers)["data"]["execution"] == "monday"
    ((_, recipients, content),) = mail.taken
    assert recipients == ["team@example.com"]
    assert message_from_bytes(content, policy=default)["Subject"] == f"{PLAN} has succeeded: monday"
    home = b"".join(file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file())
    for secret in (KEY.removeprefix("whsec_"), PATH):
        assert secret.encode() not in home
        assert secret not in caplog.text


async def test_a_receiver_that_comes_back_is_told_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINGBEAT_SECRET_HOOKS_KEY", KEY)
    with receiving() as receiver, MailServer() as mail:
        monkeypatch.setenv("WINGBEAT_SECRET_HOOKS_URL", receiver.url)
        receiver.status = 503
        async with Kernel(tmp_path / "home", settings=settings(receiver, mail)) as kernel:
            admin = await kernel.admin()
            plan = launchplan(flows.twice, "plan", notifications=[Notify("ops", on=["SUCCEEDED"])])
            await admin.register(Registration("eta", "production", (plan,), "v1"))
            await admin.launch(Launch(PLAN, {"n": 1}, name="monday"))
            await delivered(kernel, 1)
            async with asyncio.timeout(30):
                while not (found := (await admin.notifications(NotificationQuery(channel="ops"))).items[0]).failed:
                    await asyncio.sleep(0.02)
            assert found.failed == "127.0.0.1 answered 503."
        assert receiver.taken == []
        receiver.status = 200
        async with Kernel(tmp_path / "home", settings=settings(receiver, mail)) as kernel:
            await (await kernel.admin()).resend(found.id)
            await delivered(kernel, 2)
        assert [headers["webhook-id"] for _, headers, _ in receiver.taken] == [found.id]
        assert len(mail.taken) == 1
