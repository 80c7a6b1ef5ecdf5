"""What a source of secrets raises may hold a value, which nobody can mask yet."""

import sys
import threading
import traceback

import pytest

from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.contracts.executor import ErrorInfo
from wingbeat.contracts.secrets import SecretMissing, SecretUnavailable, SourceRef
from wingbeat.runtime.errors import AttemptInputError, describe
from wingbeat.runtime.secrets import Secrets
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
        (SecretUnavailable("it is sealed"), "it is sealed"),
    ],
)
def test_of_an_error_the_class_is_told_or_what_the_source_says_itself(failed, raises, why):
    info, printed = failed(raises)
    message = f"Task m.f: the secret 'db/password' cannot be read from the source 'odd' ({REF.target}): {why}"
    assert info == ErrorInfo("SecretUnavailable", message, ErrorKind.SYSTEM)
    assert VALUE not in printed


def test_one_that_is_missing_is_told_without_what_that_was_made_from(failed):
    info, printed = failed(SecretMissing("There is none."))
    assert (info.code, info.message, info.retryable) == ("SecretMissing", "Task m.f: There is none.", False)
    assert VALUE not in printed


@pytest.mark.parametrize("error", [RuntimeError("no network"), SystemExit(3)])
def test_a_source_that_cannot_be_made_is_named(monkeypatch, error):
    def make(self):
        raise error

    monkeypatch.setattr(Source, "__init__", make)
    with pytest.raises(ConfigurationError, match=rf"source of secrets 'odd' .* cannot be made: {type(error).__name__}"):
        Secrets("m.f").look_up((SecretSpec("db/password"),), REF)


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
