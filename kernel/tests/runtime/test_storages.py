"""Storages of plugins that raise, exit, or answer with something else are named, and whoever calls knows that it was them."""

import asyncio
import hashlib
import sys

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.storage import ContentLost, StorageFailed, StorageRef
from wingbeat.runtime.errors import describe
from wingbeat.runtime.storages import Storages
from wingbeat.types import Blob

BLOB = Blob("odd:sha256:" + "0" * 64, "sha256:" + "0" * 64, 1, "")
CALLS = {
    "put_bytes": (b"x",), "put_file": ("x",), "put_directory": ("x",), "put_files": ({},), "read_bytes": (BLOB,),
    "fetch": (BLOB,), "verify": (BLOB,),
}  # fmt: skip


def blob(data, size=1, scheme="odd"):
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Blob(f"{scheme}:{digest}", digest, size, "")


class Odd:
    """Does in each call what it is made with: raises it, exits, or answers with it."""

    def __init__(self, answer):
        self.answer = answer

    def __getattr__(self, call):
        if call not in CALLS:
            raise AttributeError(call)

        def answer(*_):
            if self.answer == "exit":
                sys.exit(3)
            if isinstance(self.answer, BaseException):
                raise self.answer
            return self.answer

        return answer


def storages(answer):
    return Storages([StorageRef("odd", f"{__name__}:Odd", {"answer": answer})])


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("exit", "SystemExit: 3"), (RuntimeError("on strike"), "RuntimeError: on strike"), (OSError(28, "full"), "full"),
        (7, "answers CALL with int"), (asyncio.CancelledError("mine"), "CancelledError: mine"),
        (GeneratorExit(), "GeneratorExit"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told_with_the_name_of_the_storage(call, answer, why):
    with pytest.raises(StorageFailed, match=f"The storage 'odd' .*{why.replace('CALL', call)}") as told:
        getattr(storages(answer), call)(*CALLS[call])
    assert call in told.value.message
    assert isinstance(told.value, OSError)


@pytest.mark.parametrize(
    ("call", "answer", "why"),
    [
        ("read_bytes", b"other", f"it answers with 5 bytes that are not those of {BLOB.uri}"),
        ("fetch", "/nowhere/at/all", "it answers with a path where nothing is: /nowhere/at/all"),
        ("fetch", "/", "it answers with the path of another kind than a file: /"),
        ("put_bytes", BLOB, "it answers with another digest or size than the bytes have"),
        ("put_bytes", blob(b"x", size=2), "it answers with another digest or size than the bytes have"),
        ("put_files", blob(b"x", scheme="store"), "it answers with the address 'store:sha256:"),
        ("put_file", Blob("odd:x", "sha256:x", 1, ""), "it answers with the address 'odd:x' for 'sha256:x'"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_told_with_the_name_of_the_storage(call, answer, why):
    with pytest.raises(StorageFailed) as told:
        getattr(storages(answer), call)(*CALLS[call])
    assert told.value.message.startswith(f"The storage 'odd' failed ({call}): {why}")


@pytest.mark.parametrize("call", ["read_bytes", "fetch"])
def test_what_is_not_there_any_more_is_told_with_its_address_and_the_name_of_the_storage(call):
    with pytest.raises(FileNotFoundError) as told:
        getattr(storages(FileNotFoundError("gone")), call)(BLOB)
    assert isinstance(told.value, ContentLost)
    assert told.value.message == f"{BLOB.uri} is not, or not any more, in the storage 'odd': gone"


def test_an_interrupt_in_a_process_that_is_no_attempts_is_nobodys_failure():
    with pytest.raises(KeyboardInterrupt):
        storages(KeyboardInterrupt()).put_file("x")


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), ValueError("no tree"), IsADirectoryError("a tree")])
def test_what_it_says_about_what_it_was_asked_for_is_not_changed(error):
    with pytest.raises(type(error), match=str(error)) as told:
        storages(error).put_file("x")
    assert not isinstance(told.value, StorageFailed)


def test_an_attempt_whose_storage_fails_has_failed_by_the_system():
    try:
        storages("exit").put_file("x")
    except StorageFailed as error:
        info = describe(error)
    assert (info.code, info.kind, info.retryable) == ("StorageFailed", ErrorKind.SYSTEM, True)
    assert info.message == "The storage 'odd' failed (put_file): SystemExit: 3"


def test_a_storage_whose_class_exits_cannot_be_made(monkeypatch):
    monkeypatch.setattr(Odd, "__init__", lambda self, answer: sys.exit(4))
    with pytest.raises(Exception, match="The storage 'odd' cannot be made: SystemExit: 4"):
        storages(7).put_bytes(b"x")
