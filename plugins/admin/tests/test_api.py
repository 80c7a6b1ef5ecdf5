"""The client of the HTTP API where there is no server of ours."""

import socket

import pytest

from wingbeat.base.errors import ConfigurationError, EngineStopped
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.client import api
from wingbeat_admin.client.admin import HttpAdmin
from wingbeat_admin.client.api import Api
from wingbeat_admin.client.transfer import Transfer

BROKEN = ("", "nonsense", "ftp://127.0.0.1:1", "http://", "http://127.0.0.1:99999", "http://a b:1", "http://[::1")


@pytest.fixture
def closed_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        yield bound.getsockname()[1]


@pytest.mark.parametrize("endpoint", BROKEN)
def test_what_is_no_url_is_refused(endpoint):
    with pytest.raises(ConfigurationError, match="is no endpoint"):
        Api(endpoint, 1.0).open()


async def test_a_call_that_nobody_answers_may_be_made_again_later(closed_port, monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(api, "RETRY_S_MAX", 0.3)
    monkeypatch.setattr(api, "TELL_S", 0.0)
    client = Api(f"http://127.0.0.1:{closed_port}", 1.0)
    admin = HttpAdmin(client, Transfer(client, TemporaryHome(tmp_path).storage(), str(tmp_path)))
    await admin.start()
    try:
        with pytest.raises(EngineStopped, match="Nobody answers at"):
            await admin.entity("a/b/c@v1")
    finally:
        await admin.close()
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"Nobody answers at http://127.0.0.1:{closed_port}; it is tried for 0.3 s."
    ]
