"""What a source of secrets raises may hold a value, which nobody can mask yet."""

import asyncio
import os
import sys
import threading
import traceback

import pytest
from msgspec.structs import replace

from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.contracts.executor import AttemptRequest, ErrorInfo
from wingbeat.contracts.secrets import SecretMissing, SecretUnavailable, SourceRef
from wingbeat.runtime.errors import AttemptInputError, describe
from wingbeat.runtime.placed import PlacedSecrets
from wingbeat.runtime.secrets import SecretInOutput, Secrets
from wingbeat.spec.entities import Entry, Interface, TaskSpec
from wingbeat.spec.secrets import SecretSpec

VALUE = "correct horse battery"
REF = SourceRef("odd", f"{__name__}:Source", {})


class Source:
    """Raises what the test says, out of an error that holds the value."""

    raises: object = None

    def get(self, name):
        try:
            {}[VALUE]
        except KeyError as error:
            if self.raises == "exit":
                sys.exit(f"no {VALUE}")
            raise self.raises from error


@pytest.fixture
def failed(monkeypatch):
    """How an attempt fails whose source raises an error, and all that it prints of that."""

    def fail(raises):
        monkeypatch.setattr(Source, "raises", raises)
        try:
            Secrets("m.f").look_up((SecretSpec("db/password"),), REF)
        except (AttemptInputError, ConfigurationError) as error:
            return describe(error), "".join(traceback.format_exception(error))
        raise AssertionError("it has not failed")

    return fail


@pytest.mark.parametrize(
    ("raises", "why"),
    [
        (RuntimeError(VALUE), "RuntimeError"),
        ("exit", "SystemExit"),
        (asyncio.CancelledError(VALUE), "CancelledError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SecretUnavailable("it is sealed"), "it is sealed"),
    ],
)
def test_of_an_error_the_class_is_told_or_what_the_source_says_itself(failed, raises, why):
    info, printed = failed(raises)
    source = f"from the source 'odd' ({REF.target})"
    told = f"{source}: {why}" if why != "it is sealed" else f"{why} ({source})"  # what it says itself comes first
    message = f"Task m.f: the secret 'db/password' cannot be read{' ' if why != 'it is sealed' else ': '}{told}"
    assert info == ErrorInfo("SecretUnavailable", message, ErrorKind.SYSTEM)
    assert VALUE not in printed


def test_one_that_is_missing_is_told_without_what_that_was_made_from(failed):
    info, printed = failed(SecretMissing("There is none."))
    assert (info.code, info.message, info.retryable) == ("SecretMissing", "Task m.f: There is none.", False)
    assert VALUE not in printed


@pytest.mark.parametrize(
    "error",
    [RuntimeError(VALUE), SystemExit(3), asyncio.CancelledError(), KeyboardInterrupt(), SecretUnavailable("sealed")],
)
def test_a_source_that_cannot_be_made_is_named_and_of_its_error_the_class_is_told(monkeypatch, failed, error):
    def make(self):
        raise error

    monkeypatch.setattr(Source, "__init__", make)
    info, printed = failed(None)
    why = "sealed" if isinstance(error, SecretUnavailable) else type(error).__name__
    told = f"The source of secrets 'odd' ({REF.target}) cannot be made: {why}"
    assert info == ErrorInfo("SecretUnavailable", f"Task m.f: its secrets cannot be read: {told}", ErrorKind.SYSTEM)
    assert VALUE not in printed


def test_a_source_that_hangs_is_named_and_left_behind(monkeypatch, failed):
    freed = threading.Event()
    monkeypatch.setattr(Source, "patience_s", 0.05, raising=False)
    monkeypatch.setattr(Source, "get", lambda self, name: freed.wait(30) and VALUE)
    info, _ = failed(None)
    freed.set()
    assert (info.code, info.kind, info.retryable) == ("SecretUnavailable", ErrorKind.SYSTEM, True)
    assert f"the source 'odd' ({REF.target}): it did not answer within 0.05 s" in info.message


def test_of_what_a_source_says_about_one_secret_the_values_of_the_others_are_masked(monkeypatch):
    def get(self, name):
        if name == "gone":
            raise SecretMissing(f"There is no 'gone', but {VALUE}.", hint=f"Take {VALUE}.")
        return VALUE

    monkeypatch.setattr(Source, "get", get)
    with pytest.raises(SecretMissing) as told:
        Secrets("m.f").look_up((SecretSpec("gone"), SecretSpec("there")), REF)  # also of one that is looked up later
    assert VALUE not in "".join(traceback.format_exception(told.value))
    assert describe(told.value).message == "Task m.f: There is no 'gone', but ***.\n  Take ***."


# -- tokens


class Issuer:
    """Issues what the test says."""

    def __init__(self, attempt):
        self._attempt = attempt

    def get(self, name):
        return {"@token": f"token of {self._attempt}", "@endpoint": "http://127.0.0.1:1"}[name]


ISSUER = SourceRef("issuer", f"{__name__}:Issuer", {"attempt": "e/n/0"})
TOKEN = SecretSpec("@token", "WINGBEAT_API_KEY")


@pytest.mark.parametrize("alone", [True, False])
def test_a_token_is_asked_of_who_issues_it_and_the_rest_of_the_source(monkeypatch, alone):
    monkeypatch.setattr(Source, "get", lambda self, name: {"db/password": VALUE}[name])
    for name in ("WINGBEAT_API_KEY", "WINGBEAT_ENDPOINT"):
        monkeypatch.setenv(name, "of somebody else")
    specs = (TOKEN,) if alone else (SecretSpec("db/password"), TOKEN)
    found = Secrets("m.f")
    found.look_up(specs, ISSUER if alone else replace(REF, tokens=ISSUER))
    assert found.get("@token") == "token of e/n/0"
    assert alone or found.get("db/password") == VALUE
    found.place(specs)
    assert (os.environ["WINGBEAT_API_KEY"], os.environ["WINGBEAT_ENDPOINT"]) == ("token of e/n/0", "http://127.0.0.1:1")


def test_where_the_server_is_is_no_secret():
    found = Secrets("m.f")
    found.look_up((TOKEN,), ISSUER)
    assert found.mask.text("token of e/n/0 at http://127.0.0.1:1") == "*** at http://127.0.0.1:1"
    found.check_outputs(b'"http://127.0.0.1:1"')
    with pytest.raises(SecretInOutput):
        Secrets("m.f", {"@token": "x" * 16}).check_outputs(b"x" * 16)


def test_where_the_source_fails_that_is_told_whatever_becomes_of_the_token(failed, monkeypatch):
    monkeypatch.setattr(Source, "raises", SecretMissing("There is none."))
    with pytest.raises(SecretMissing, match="There is none"):
        Secrets("m.f").look_up((SecretSpec("gone"), TOKEN), replace(REF, tokens=ISSUER))


def test_what_a_source_says_of_its_settings_is_told_as_it_is(monkeypatch):
    def make(self):
        raise ConfigurationError("Nobody issues tokens here.", hint="Serve it.")

    monkeypatch.setattr(Source, "__init__", make)
    with pytest.raises(ConfigurationError) as told:
        Secrets("m.f").look_up((TOKEN,), REF)
    assert (told.value.message, told.value.hint) == ("Nobody issues tokens here.", "Serve it.")


def test_what_is_placed_for_an_attempt_holds_where_the_server_is(tmp_path):
    """So that one whose process cannot ask finds that too."""
    task = TaskSpec("m.f", Interface(), Entry("m", "f"), secrets=(TOKEN,))
    placed = PlacedSecrets.look_up(AttemptRequest("e/n/0", task, {}, secrets=ISSUER))
    placed.put(str(tmp_path / "secrets"))
    assert placed.text("token of e/n/0 at http://127.0.0.1:1") == "*** at http://127.0.0.1:1"
    inside = Secrets("m.f")
    inside.look_up(
        (TOKEN,), SourceRef("placed", "wingbeat.runtime.placed:FolderSource", {"folder": str(tmp_path / "secrets")})
    )
    assert inside.values == {"@token": "token of e/n/0", "@endpoint": "http://127.0.0.1:1"}
