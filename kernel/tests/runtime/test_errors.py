"""How exceptions of any kind are told."""

import errno

import pytest

from wingbeat.base.errors import ErrorKind, NonRetryable
from wingbeat.runtime.errors import TRACE_CHARS_MAX, AttemptInputError, describe
from wingbeat.runtime.outputs import OutputError


def throw(error):
    raise error


def raised(error):
    with pytest.raises(type(error)) as info:
        throw(error)
    return info.value


def test_the_users_innermost_line_is_in_the_message():
    info = describe(raised(ValueError("bad")))
    assert info.code == "ValueError"
    assert info.message.startswith("bad (")
    assert "test_errors.py:" in info.message


def test_paths_are_told_from_the_bundle_on(tmp_path):
    source = tmp_path / "m.py"
    source.write_text("def f():\n    raise KeyError('k')\n")
    scope = {}
    exec(compile(source.read_text(), str(source), "exec"), scope)
    try:
        scope["f"]()
    except KeyError as error:
        info = describe(error, str(tmp_path))
    assert "(m.py:2)" in info.message
    assert 'File "m.py", line 2' in info.trace


def test_groups_and_causes_are_in_the_trace():
    info = describe(raised(ExceptionGroup("several", [ValueError("one"), TypeError("two")])))
    assert "ValueError: one" in info.trace
    assert "TypeError: two" in info.trace


def test_an_error_whose_text_cannot_be_made_is_told_by_its_class():
    class BrokenError(Exception):
        def __str__(self):
            raise RuntimeError

    assert describe(raised(BrokenError())).message.startswith("Broken")


def test_a_very_long_trace_is_cut_in_the_middle():
    info = describe(raised(ValueError("x" * 10 * TRACE_CHARS_MAX)))
    assert len(info.trace) < TRACE_CHARS_MAX + 100
    assert "left out" in info.trace


def test_memory_errors_under_a_limit_name_the_setting():
    info = describe(raised(MemoryError()), memory_limit=2**20)
    assert (info.code, info.kind, info.retryable) == ("OutOfMemory", ErrorKind.USER, True)
    assert "Resources(mem=" in info.message
    assert describe(raised(MemoryError())).code == "MemoryError"


def test_what_need_not_be_tried_again_says_so():
    class Hopeless(NonRetryable):
        pass

    assert describe(raised(Hopeless("no"))).retryable is False
    assert describe(OutputError("wrong")).code == "TypeError"
    lost = describe(AttemptInputError("gone", "InputLost", ErrorKind.SYSTEM, retryable=True))
    assert (lost.code, lost.kind, lost.retryable) == ("InputLost", ErrorKind.SYSTEM, True)


def test_a_full_disk_is_for_the_operator_to_mend():
    info = describe(raised(OSError(errno.ENOSPC, "No space left on device")))
    assert (info.code, info.kind) == ("OSError", ErrorKind.SYSTEM)
    assert describe(raised(FileNotFoundError("a.csv"))).kind is ErrorKind.USER
