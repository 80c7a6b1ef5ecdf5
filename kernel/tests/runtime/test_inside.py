"""What user code finds inside of an attempt, without an engine."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import wingbeat
from wingbeat import current
from wingbeat.base.errors import WingbeatError
from wingbeat.runtime import report
from wingbeat.runtime.checkpoint import carry
from wingbeat.testing import inside_attempt


def test_outside_of_an_attempt_it_says_what_to_do():
    with pytest.raises(WingbeatError, match="outside of an attempt") as raised:
        current()
    assert "inside_attempt" in str(raised.value)
    assert isinstance(raised.value, RuntimeError)


def test_a_test_can_be_inside(tmp_path):
    with inside_attempt(tmp_path, execution="e1", node="n3.2", attempt=4, task="m.train") as made:
        assert current() is made
        assert (made.execution, made.node, made.attempt, made.task) == ("e1", "n3.2", 4, "m.train")
        assert made.directory == tmp_path / "attempts/e1/n3.2.4"
        assert made.directory.is_dir()
        assert repr(made) == "<attempt e1/n3.2/4 of m.train>"
    with pytest.raises(WingbeatError):
        current()


def test_without_a_folder_it_leaves_nothing_behind():
    with inside_attempt() as made:
        made.checkpoint.save("a", b"1")
        folder = made.directory
    assert not folder.exists()


def test_asking_imports_nothing_heavy():
    code = "import sys, wingbeat; wingbeat.current; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"asyncio", "logging", "shutil", "markdown_it", "wingbeat.runtime.deck", "threading"} & set(
        done.stdout.split()
    )


# -- progress


def test_the_last_report_is_kept_however_many_there_are(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(report, "write", lambda directory, said: written.append(said))
    with inside_attempt(tmp_path) as made:
        for i in range(20_000):
            made.progress(i / 20_000, f"row {i}")
        assert report.BURST <= len(written) < 200
        made.progress(1, "done")
    assert (written[-1].fraction, written[-1].text) == (1.0, "done")


def test_reports_that_are_far_apart_are_written_at_once(tmp_path):
    with inside_attempt(tmp_path) as made:
        made.progress(0.25)
        assert report.read(str(made.directory)).fraction == 0.25
        made.progress(0.5, "half")
        assert report.read(str(made.directory)).text == "half"


def test_what_is_given_in_the_wrong_place_is_told_so(tmp_path):
    with inside_attempt(tmp_path) as made:
        with pytest.raises(TypeError, match=r"takes how much is done, from 0 to 1, and then a text; not 'half' first"):
            made.progress("half")
        with pytest.raises(TypeError, match=r"takes bytes, not a text: TEXT.encode\(\) makes them of one"):
            made.checkpoint.save("a", "text")


def test_what_is_reported_fits(tmp_path):
    with inside_attempt(tmp_path) as made:
        made.progress(7, "two\nlines \x1b[31m" + "x" * 1000)
        said = report.read(str(made.directory))
        assert said.fraction == 1.0
        assert said.text.startswith("two lines \ufffd[31mxx")
        assert len(said.text) == report.TEXT_CHARS_MAX
        made.progress(-0.1)
        assert report.read(str(made.directory)).fraction == 0.0
        with pytest.raises(ValueError, match="from 0 to 1"):
            made.progress(float("nan"))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"fraction":"x"}', b'{"text":"' + b"x" * 5000 + b'"}'], ids=range(5)
)
def test_a_report_that_is_none_is_none(tmp_path, data):
    (tmp_path / "report").write_bytes(data)
    assert report.read(str(tmp_path)) is None


def test_a_report_from_outside_is_put_right(tmp_path):
    (tmp_path / "report").write_bytes(b'{"fraction":9.5,"text":"a\\u001bb","at":1e300}')
    said = report.read(str(tmp_path))
    assert (said.fraction, said.text) == (1.0, "a\ufffdb")
    assert said.at < 1e11


def test_a_report_never_fails_the_task(tmp_path):
    with inside_attempt(tmp_path) as made:
        made.directory.rmdir()
        made.directory.write_text("in the way")
        made.progress(0.5)


# -- checkpoint


def test_the_next_attempt_finds_the_checkpoint(tmp_path):
    with inside_attempt(tmp_path) as made:
        assert made.checkpoint.load("state") is None
        made.checkpoint.save("state", b"one")
        made.checkpoint.save("epochs/1", b"1")
        (made.checkpoint / "own").mkdir()
        (made.checkpoint / "own" / "file").write_text("mine")
    with inside_attempt(tmp_path, attempt=1):
        pass  # it does not look at it, and hands it on nevertheless
    with inside_attempt(tmp_path, attempt=2) as made:
        assert made.checkpoint.load("state") == b"one"
        assert made.checkpoint.load("epochs/1") == b"1"
        assert (made.checkpoint / "own" / "file").read_text() == "mine"
        made.checkpoint.save("state", b"two")
        assert made.checkpoint.load("state") == b"two"
        assert sorted(os.listdir(made.checkpoint)) == ["epochs", "own", "state"]


def test_a_checkpoint_is_a_path(tmp_path):
    with inside_attempt(tmp_path) as made:
        assert isinstance(made.checkpoint, Path)
        assert made.checkpoint.is_dir()
        assert type(made.checkpoint / "a") in {type(Path()), type(made.checkpoint)}
        assert str(made.checkpoint) == str(made.directory / "checkpoint")


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc/x", "a//b", "a/", "./a", "a\0b"])
def test_what_is_saved_stays_inside(tmp_path, name):
    with inside_attempt(tmp_path) as made:
        with pytest.raises(ValueError, match="no name of a file"):
            made.checkpoint.save(name, b"")
        with pytest.raises(ValueError, match="no name of a file"):
            made.checkpoint.load(name)


def test_saving_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    with inside_attempt(tmp_path) as made:
        made.checkpoint.save("state", b"one")
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "full")))
            with pytest.raises(OSError, match="full"):
                made.checkpoint.save("state", b"two")
        assert os.listdir(made.checkpoint) == ["state"]
        assert made.checkpoint.load("state") == b"one"


def test_a_checkpoint_of_another_execution_is_copied(tmp_path):
    with inside_attempt(tmp_path, execution="old") as made:
        made.checkpoint.save("state", b"old")
        (made.checkpoint / "link").symlink_to("state")
        os.mkfifo(made.checkpoint / "pipe")
    for name in ("new", "newer"):
        with inside_attempt(tmp_path, execution=name, recovers="old/n0") as made:
            assert made.checkpoint.load("state") == b"old"
            assert (made.checkpoint / "link").readlink() == Path("state")
            assert not (made.checkpoint / "pipe").exists()
            made.checkpoint.joinpath("state").write_bytes(b"changed in place")


def test_a_copy_that_was_broken_off_is_made_anew(tmp_path):
    with inside_attempt(tmp_path, execution="old") as made:
        made.checkpoint.save("state", b"old")
    part = tmp_path / "attempts/new/n0.0/.checkpoint.part"
    part.mkdir(parents=True)
    (part / "half").write_text("h")
    for _ in range(2):
        carry(str(tmp_path / "attempts"), "new/n0/0", "old/n0")
        assert os.listdir(tmp_path / "attempts/new/n0.0") == ["checkpoint"]
        assert os.listdir(tmp_path / "attempts/new/n0.0/checkpoint") == ["state"]


# -- log


def test_records_know_the_attempt_and_reach_handlers_of_the_root(tmp_path, caplog):
    with inside_attempt(tmp_path, execution="e1", node="n2", attempt=3, task="m.f") as made:
        made.log.info("read %d rows", 7)
        made.log.debug("not this")
    (record,) = caplog.records
    assert record.getMessage() == "read 7 rows"
    assert (record.execution, record.node, record.attempt, record.task) == ("e1", "n2", 3, "m.f")


def test_the_logger_is_one_and_stays_in_no_hierarchy(tmp_path, capsys):
    before = dict(logging.root.manager.loggerDict), list(logging.root.handlers)
    with inside_attempt(tmp_path) as made:
        made.log.warning("careful")
        assert made.log is current().log
    assert (dict(logging.root.manager.loggerDict), logging.root.handlers) == before
    assert capsys.readouterr().err.endswith(" WARNING careful\n")


def test_what_the_root_prints_already_is_not_printed_twice(tmp_path, capsys):
    handler = logging.StreamHandler(sys.stderr)
    logging.root.addHandler(handler)
    try:
        with inside_attempt(tmp_path) as made:
            made.log.info("once")
    finally:
        logging.root.removeHandler(handler)
    assert capsys.readouterr().err == "once\n"


def test_threads_that_are_given_the_context_are_inside(tmp_path):
    import contextvars

    seen = []
    with inside_attempt(tmp_path) as made:
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: seen.append(context.run(current)))
        thread.start()
        thread.join()
    assert seen == [made]


def test_the_public_name_is_the_function():
    assert wingbeat.current is current
