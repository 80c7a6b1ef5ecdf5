"""How a server is opened to others, and how clients are let in."""

import pytest

from wingbeat.base.errors import AccessDenied, ConfigurationError, Unauthenticated
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.client import credentials
from wingbeat_admin.client.access import HttpAccess
from wingbeat_admin.client.admin import HttpAdmin
from wingbeat_admin.client.api import Api
from wingbeat_admin.client.signing import Signing
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.server.serving import serve

OWN, FOREIGN = ("maps", "production"), ("eta", "production")


OWN = ("maps", "production")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", ""])
async def test_without_authentication_it_is_for_this_machine_only(tmp_path, host):
    home = TemporaryHome(tmp_path)
    engine = object()  # it does not come so far
    admin = LocalAdmin(tmp_path / "admin.sqlite", engine, home.storage())
    with pytest.raises(ConfigurationError, match="listens at the loopback only"):
        await serve(home, engine, admin, host=host, port=0, ready=print)


async def test_the_client_says_what_the_server_says(server):
    ro, unknown = await server.key("ro", ("viewer", *OWN)), "wb_" + "0" * 16 + "_" + "0" * 64
    for key, kind in ((unknown, Unauthenticated), (ro, AccessDenied)):
        admin = HttpAdmin(*server.over(key))
        await admin.start()
        try:
            with pytest.raises(kind) as raised:
                await admin.activate("maps/production/often@v1")
            assert type(raised.value) is kind
        finally:
            await admin.close()


async def test_credentials_are_for_one_server_and_one_user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv(credentials.VARIABLE, raising=False)
    assert await Signing("http://one:1")() == ""
    file = credentials.keep("http://one:1/", credentials.Credential("k1"))
    credentials.keep("http://two:2", credentials.Credential("k2"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert [await Signing(url)() for url in ("http://one:1", "http://two:2", "http://three:3")] == ["k1", "k2", ""]
    monkeypatch.setenv(credentials.VARIABLE, "given")
    assert await Signing("http://one:1")() == "given"
    monkeypatch.delenv(credentials.VARIABLE)
    assert credentials.forget("http://one:1")
    assert not credentials.forget("http://one:1")
    assert await Signing("http://one:1")() == ""
    file.chmod(0o640)
    with pytest.raises(ConfigurationError, match="Others than you may read"):
        await Signing("http://two:2")()


async def test_a_key_that_no_header_can_hold_is_not_tried(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    api = Api("http://127.0.0.1:9", 20.0, Signing("http://127.0.0.1:9"))
    api.open()
    try:
        for key in ("wb_1\n_secret", "wb_1_sécret"):
            monkeypatch.setenv(credentials.VARIABLE, key)
            with pytest.raises(ConfigurationError, match="WINGBEAT_API_KEY holds a character that no header") as raised:
                await api.call("GET", "/me")
            assert "cret" not in str(raised.value)
            with pytest.raises(ConfigurationError, match="The key holds a character"):
                await HttpAccess(api).login(print, key=key)
    finally:
        await api.close()


async def test_a_key_is_kept_once_the_server_has_taken_it(server, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv(credentials.VARIABLE, raising=False)
    key, url = await server.key("ro", ("viewer", *OWN)), str(server.http.base_url)
    api = Api(url, 20.0, Signing(url))
    api.open()
    access = HttpAccess(api)
    try:
        with pytest.raises(Unauthenticated):
            await access.login(print, key=key[:-1])
        assert credentials.read() == {}
        assert await access.login(print, key=key) == "apikey:ro"
        assert await access.logout()
        with pytest.raises(ConfigurationError, match="takes API keys only"):
            await access.login(print)
    finally:
        await api.close()
