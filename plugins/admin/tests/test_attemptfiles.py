"""Logs, pages and large values of a server, at its clients."""

import os

import msgspec
import pytest

from wingbeat import Kernel, NotFound
from wingbeat.contracts.attemptfiles import AttemptFile
from wingbeat.kernel.attemptfiles import bring
from wingbeat.kernel.compiling import compile_file
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.home import TemporaryHome
from wingbeat.types import Blob
from wingbeat_admin.client.engine import HttpEngine
from wingbeat_admin.kits import client, served

FLOW = """
from pathlib import Path
from wingbeat import File, current, task, workflow

@task
def speak(n: int) -> int:
    print(f"line of {n}")
    current().deck.markdown("# a page")
    return n

@task
def long(n: int) -> dict[str, File]:
    found = {}
    for i in range(3):
        Path(f"{i}.txt").write_text(f"file {i}")
        found[f"{i}" * 500_000] = File(f"{i}.txt")
    return found

@workflow
def flow(n: int) -> dict[str, File]:
    return long(speak(n))
"""


@pytest.fixture
async def both(tmp_path, monkeypatch):
    """The kernel of a server, and an engine that is its client, with a home of its own."""
    home, other = TemporaryHome(tmp_path / "home"), TemporaryHome(tmp_path / "other")
    async with Kernel(home.path, discover=False) as kernel, served(home, kernel.engine) as url:
        engine = HttpEngine(*client(url, other))
        await engine.open()
        yield kernel, engine, other
        await engine.close()


async def said(kernel):
    """An execution whose only attempt has a log and a page."""
    execution = await kernel.launch(closure_of(flows.twice), {"n": 1}, "said")
    await execution.wait()
    node = (await execution.describe()).nodes[0]
    log = kernel.log_path("said", node.id, 0)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("first\n")
    log.with_name("deck.html").write_text("<p>a page</p>")
    (log.parent / "members" / "worker-1").mkdir(parents=True)
    (log.parent / "members" / "worker-1" / "log").write_text("of another\n")
    return log


async def read(engine, *args):
    return b"".join([part async for part in engine.read_attempt_file("said", *args)])


async def test_logs_and_pages_are_listed_and_read(both):
    kernel, engine, _ = both
    log = await said(kernel)
    found = {file.name: file for file in await engine.attempt_files("said")}
    assert found.keys() == {"log", "deck.html", "members/worker-1/log"}
    assert found["log"] == AttemptFile(log.parent.name, "log", 6)
    assert await read(engine, found["log"]) == b"first\n"
    assert await read(engine, found["log"], 4) == b"t\n"
    assert await read(engine, found["log"], 6) == b""
    assert await read(engine, found["members/worker-1/log"]) == b"of another\n"
    with pytest.raises(NotFound):
        await engine.attempt_files("never")


async def test_what_was_brought_grows_with_what_is_there(both, tmp_path):
    kernel, engine, _ = both
    log = await said(kernel)
    here = tmp_path / "here"
    await bring(engine, "said", here, again=False)
    copy = here / "said" / log.parent.name / "log"
    assert copy.read_text() == "first\n"
    with log.open("a") as stream:
        stream.write("second\n")
    await bring(engine, "said", here, again=True)
    assert copy.read_text() == "first\nsecond\n"
    log.write_text("anew\n")
    await bring(engine, "said", here, again=True)
    assert copy.read_text() == "anew\n"
    assert copy.with_name("deck.html").read_text() == "<p>a page</p>"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("..", "log"),
        ("{own}", "inputs"),
        ("{own}", "members/../log"),
        ("{own}", "../x/log"),
        ("{own}", "members/x/log"),
    ],
)
async def test_nothing_else_is_read(both, folder, name):
    """Neither other files of the directory, nor what is outside of it; asked for over HTTP, or of the engine itself."""
    kernel, *engines = both[0], both[0].engine, both[1]
    log = await said(kernel)
    (log.parent / "inputs").write_text("secret")
    (log.parent.parent / "log").write_text("secret")
    for engine in engines if folder != ".." else engines[:1]:  # which never arrives at a server
        with pytest.raises(NotFound):
            await read(engine, AttemptFile(folder.format(own=log.parent.name), name, 0))


async def test_links_that_a_task_has_made_are_not_followed(both, tmp_path):
    kernel, engine, _ = both
    log = await said(kernel)
    (tmp_path / "log").write_text("secret")
    members = log.parent / "members"
    for name, make in (
        ("log", lambda: log.symlink_to(tmp_path / "log")),
        ("deck.html", lambda: os.mkfifo(log.with_name("deck.html"))),
        ("members/worker-1/log", lambda: (members / "worker-1").symlink_to(tmp_path)),
    ):
        path = log.parent / name
        path.unlink()
        if name.startswith("members"):
            path.parent.rmdir()
        make()
        with pytest.raises(NotFound):
            await read(engine, AttemptFile(log.parent.name, name, 0))
    assert [file.name for file in await engine.attempt_files("said")] == []


async def test_an_engine_that_leads_elsewhere_is_not_followed(tmp_path):
    class Wrong:
        async def attempt_files(self, execution):
            return [AttemptFile("..", "log", 1)]

    with pytest.raises(NotFound):
        await bring(Wrong(), "said", tmp_path / "here", again=False)
    assert not (tmp_path / "here").exists()


async def test_large_values_and_the_files_in_them_are_got(both, tmp_path, monkeypatch):
    """Files by names that are so long that all is stored as a whole, and more than an answer holds."""
    kernel, engine, other = both
    project = tmp_path / "project"
    project.mkdir()
    (project / "large.py").write_text(FLOW)
    (project / "pyproject.toml").touch()
    monkeypatch.chdir(project)
    execution = await kernel.launch(compile_file("large.py", "flow", kernel.home), {"n": 1})
    await execution.wait()
    found = (await engine.describe(execution.id)).outputs["o0"]
    assert found.size > 2**20
    value = msgspec.json.decode(other.storage().read_bytes(_blob(found)))
    texts = [other.storage().read_bytes(msgspec.convert(wire, Blob)) for wire in value.values()]
    assert texts == [b"file 0", b"file 1", b"file 2"]


def _blob(stored):
    return Blob(stored.uri, stored.uri.partition(":")[2], stored.size, "")
