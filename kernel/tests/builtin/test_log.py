"""The log of events."""

import io
import json
import os
import subprocess
import sys
import threading

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin import log
from wingbeat.builtin.log import LogObserver
from wingbeat.builtin.settings import LogSettings
from wingbeat.contracts.observer import MISSED, Published

EVENTS = [
    Published("e1", 0, 1.5, "execution", "RUNNING", task="a.flow"),
    Published("e1", 1, 2.0, "attempt", "RUNNING", "n0", 0, task="a.one", evidence={"pid": 7, "nested": {"a": 1}}),
    Published(
        "e1", 2, 3.0, "attempt", "RETRYABLE_FAILED", "n0", 0, 'ValueError: "no"\nat line 2', task="a.one",
        error={"code": "ValueError", "message": "no"},
    ),
    Published("e1", -1, 3.5, "node", "SUCCEEDED", "n0", 1, cache="HIT", task="a.one", again=True),
    Published("", -1, 0.0, MISSED, "", evidence={"events": 12}),
]  # fmt: skip


async def written(tmp_path, *batches, **settings):
    observer = LogObserver(LogSettings(file="events.log", **settings), str(tmp_path))
    await observer.start()
    for batch in batches:
        await observer.observe(batch)
    await observer.close()
    return (tmp_path / "events.log").read_text().splitlines()


async def test_an_event_is_a_line_of_pairs(tmp_path):
    lines = await written(tmp_path, EVENTS, format="logfmt")
    assert lines[:4] == [
        "at=1970-01-01T00:00:01.500Z level=info event=execution execution=e1 phase=RUNNING task=a.flow",
        "at=1970-01-01T00:00:02.000Z level=info event=attempt execution=e1 node=n0 attempt=0 phase=RUNNING task=a.one pid=7",
        r'at=1970-01-01T00:00:03.000Z level=warning event=attempt execution=e1 node=n0 attempt=0 phase=RETRYABLE_FAILED task=a.one reason="ValueError: \"no\"\nat line 2" error=ValueError',  # noqa: E501
        "at=1970-01-01T00:00:03.500Z level=info event=node execution=e1 node=n0 attempt=1 phase=SUCCEEDED task=a.one cache=HIT again=true",  # noqa: E501
    ]
    assert lines[4].endswith("level=warning event=missed events=12")
    assert len(lines) == 5


async def test_or_of_json(tmp_path):
    lines = [json.loads(line) for line in await written(tmp_path, EVENTS, format="json")]
    assert list(lines[1].items()) == [
        ("at", "1970-01-01T00:00:02.000Z"), ("level", "info"), ("event", "attempt"), ("execution", "e1"), ("node", "n0"),
        ("attempt", 0), ("phase", "RUNNING"), ("task", "a.one"), ("pid", 7),
    ]  # fmt: skip
    assert lines[2]["reason"] == 'ValueError: "no"\nat line 2'
    assert lines[4]["events"] == 12


async def test_files_are_bounded_and_so_is_their_number(tmp_path):
    await written(tmp_path, *[EVENTS] * 500, format="json", size_max="20k", keep=2)
    sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert set(sizes) == {"events.log", "events.log.1", "events.log.2"}
    assert max(sizes.values()) <= 20_000


async def test_a_reader_that_hangs_holds_nobody_up_and_what_is_dropped_is_told(monkeypatch, tmp_path):
    (read, write), lines = os.pipe(), []

    def read_all():
        with os.fdopen(read) as reading:
            lines.extend(reading)

    monkeypatch.setattr(log, "BATCHES_MAX", 4)
    monkeypatch.setattr(log, "CLOSE_S_MAX", 0.05)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        observer = LogObserver(LogSettings(format="json"), str(tmp_path))
        await observer.start()
        for _ in range(300):
            await observer.observe(EVENTS * 10)
        assert observer._dropped
        await observer.close()
        reader = threading.Thread(target=read_all)
        reader.start()
        observer._batches.put(None)
        observer._thread.join()
    reader.join()
    assert [json.loads(line)["event"] for line in lines[:5]] == ["execution", "attempt", "attempt", "node", "missed"]


async def test_a_full_disk_is_told_once(caplog, monkeypatch, tmp_path):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    observer = LogObserver(LogSettings(format="json"), str(tmp_path))
    await observer.start()
    await observer.observe(EVENTS)
    await observer.close()
    assert [record.getMessage() for record in caplog.records] == [
        "The log of events cannot be written: [Errno 28] No space left on device"
    ]


async def test_a_file_that_cannot_be_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"log\.file"):
        await LogObserver(LogSettings(format="json", file="no/such/folder.log"), str(tmp_path)).start()


PROGRAM = """
import sys
from wingbeat import run, task, workflow

@task
def double(n: int) -> int:
    return 2 * n

@workflow
def flow(n: int = 21) -> int:
    return double(n)

if __name__ == "__main__":
    assert run(flow) == 42
    print("structlog" in sys.modules)
"""


@pytest.mark.parametrize("format", ["off", "logfmt"])
def test_it_is_off_until_it_is_asked_for_and_then_loads_its_library(tmp_path, format):
    (tmp_path / "flow.py").write_text(PROGRAM)
    environment = os.environ | {"WINGBEAT_HOME": str(tmp_path / "home"), "WINGBEAT_LOG__FORMAT": format}
    done = subprocess.run(
        [sys.executable, "flow.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(format != "off")]
    lines = done.stderr.splitlines()
    assert [line.split("event=")[1].split()[0] for line in lines] == (
        ["execution", "attempt", "attempt", "node", "execution"] if format != "off" else []
    )
