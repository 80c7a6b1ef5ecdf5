"""The home's folder."""

import time

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.secrets import SecretMissing, SourceRef
from wingbeat.host.config import Configuration
from wingbeat.host.discover import boot
from wingbeat.host.home import Choice, HomeFolder, make_home


def test_a_home_is_made_with_its_parents_for_its_owner_and_out_of_version_control(tmp_path):
    home = tmp_path / "a" / "home"
    make_home(home)
    make_home(home)
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(("place", "said"), [("file", "it is a file"), ("file/home", "Not a directory")])
def test_a_home_that_cannot_be_is_told_with_its_path(tmp_path, place, said):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=f"The home {tmp_path / place} cannot be used: {said}"):
        make_home(tmp_path / place)


# -- what attempts are given


def test_the_source_of_a_token_is_that_of_the_server(home):
    made, registry = home
    with pytest.raises(ConfigurationError, match="No server is installed that issues '@token'"):
        made.tokens("e/n/0", 1.0)
    registry.server("a-quiet", "m:serve")
    with pytest.raises(ConfigurationError, match="No server is installed that issues '@token'"):
        made.tokens("e/n/0", 1.0)
    del registry._offers["server"]
    registry.server("http", "m:serve", tokens="m:Issuer")
    settings = {"home": made.path, "attempt": "e/n/0", "launched_at": 1.0}
    assert made.tokens("e/n/0", 1.0) == SourceRef("@token of http", "m:Issuer", settings)


# -- what plugins ask it for


class Quiet:
    channels = ("ops",)


@pytest.fixture
def home(tmp_path):
    """A home, and the registry of what it has."""
    registry = boot([], {}, ())
    registry.plugin = "mine"
    made = HomeFolder(tmp_path, Configuration({}, tmp_path))
    made.use(registry, Choice())
    return made, registry


def test_every_notifier_that_has_channels_is_made_anew(home):
    made, registry = home
    registry.notifier("quiet", lambda _: Quiet())
    registry.notifier("off", lambda _: None)
    first, second = made.notifiers(), made.notifiers()
    assert list(first) == ["quiet"]
    assert first["quiet"] is not second["quiet"]


def test_a_notifier_that_cannot_be_made_is_done_without(home, caplog):
    made, registry = home
    registry.notifier("broken", lambda _: 1 / 0)
    registry.notifier("quiet", lambda _: Quiet())
    assert list(made.notifiers()) == ["quiet"]
    assert "The notifier 'broken' of plugin 'mine' cannot be made: ZeroDivisionError" in caplog.text


def test_wrong_settings_of_a_notifier_are_an_error(home):
    made, registry = home

    def wrong(_):
        raise ConfigurationError("The setting x.y does not fit.")

    registry.notifier("wrong", wrong)
    with pytest.raises(ConfigurationError, match=r"x\.y"):
        made.notifiers()


def test_a_secret_comes_from_the_source_that_is_chosen(home, monkeypatch):
    made, _ = home
    monkeypatch.setenv("WINGBEAT_SECRET_HOOKS_OPS", "one")
    assert made.secret("hooks/ops") == "one"
    monkeypatch.setenv("WINGBEAT_SECRET_HOOKS_OPS", "two")
    assert made.secret("hooks/ops") == "two"
    with pytest.raises(SecretMissing, match="WINGBEAT_SECRET_HOOKS_OTHER"):
        made.secret("hooks/other")
    monkeypatch.setenv("WINGBEAT_SECRETS__SOURCE", "nowhere")
    with pytest.raises(ConfigurationError, match="There is no source of secrets 'nowhere'"):
        made.secret("hooks/ops")


def test_what_is_slow_to_be_made_is_named_with_its_time(home, monkeypatch, caplog):
    made, registry = home
    monkeypatch.setattr("wingbeat.host.registry.SLOW_S", 0.01)
    registry.executor("slow", lambda _: time.sleep(0.02))
    registry.make("executor", "slow", made)
    assert "The executor 'slow' of plugin 'mine' took 0.0 s to be imported and made" in caplog.text
