"""Collections of a home with an admin: what is registered stays, and so does what it still needs."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from wingbeat import Kernel, NotFound
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.admin import ExecutionQuery, Launch, Registration
from wingbeat.contracts.artifacts import ArtifactQuery
from wingbeat.contracts.backfill import Backfill
from wingbeat.kernel import definitions_of
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.client.admin import HttpAdmin
from wingbeat_admin.kits import client

FLOW = """
from pathlib import Path
from wingbeat import Artifact, Cron, File, LaunchPlan, task, workflow

@task
def write(n: int) -> File:
    Path("out.txt").write_text(f"number {n}")
    return File("out.txt")

@workflow(publishes={"o0": Artifact("things")})
def flow(n: int) -> File:
    return write(n)

@task
def length(text: str) -> int:
    return len(text)

@workflow
def measure(text: str) -> int:
    return length(text)

daily = LaunchPlan(measure, name="daily", inputs={"text": ""}, trigger=Cron("0 3 * * *"))
"""
OVER = {"retention": {"days": 1e-9, "spare_hours": 0}}
ENTITY = "maps/production/flow.flow@v1"


@pytest.fixture
async def kernel(tmp_path, monkeypatch):
    """A home with something registered, from sources that are gone; whatever has ended in it is over."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "flow.py").write_text(FLOW)
    (project / "pyproject.toml").touch()
    monkeypatch.chdir(project)
    monkeypatch.setenv("WINGBEAT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WINGBEAT_CACHE", str(tmp_path / "cache"))
    definitions = definitions_of(".")
    shutil.rmtree(project)
    monkeypatch.chdir(tmp_path)
    async with Kernel(settings=OVER) as kernel:
        await (await kernel.admin()).register(Registration("maps", "production", tuple(definitions), "v1"))
        yield kernel


async def ended(kernel, name, n):
    """An execution that the history knows to have ended, and whose artifact there is."""
    admin = await kernel.admin()
    await admin.launch(Launch(ENTITY, {"n": n}, name))
    await kernel.engine.wait(name)
    while name not in [each.execution for each in (await admin.artifacts(ArtifactQuery())).items]:
        await asyncio.sleep(0.02)


async def test_what_is_registered_runs_when_all_its_executions_are_gone(kernel):
    """Its code and lock stay; so does the newest artifact, with its file."""
    admin = await kernel.admin()
    for number in (1, 2, 3):
        await ended(kernel, f"run-{number}", number)
    found = await kernel.collect()
    assert (found.executions, found.kept) == (2, {"an artifact of it is the newest of its kind": 1})
    assert [each.id for each in (await admin.executions(ExecutionQuery())).items] == ["run-3"]
    for gone in ("run-1", "run-2"):
        with pytest.raises(NotFound):
            await kernel.get(gone)
    assert Path(await (await kernel.get("run-3")).result()).read_text() == "number 3"
    await ended(kernel, "run-4", 4)
    assert (await kernel.collect()).executions == 1
    assert Path(await (await kernel.get("run-4")).result()).read_text() == "number 4"


async def test_what_a_backfill_is_given_stays(kernel):
    """A large input, which no execution refers to, as none has been launched yet."""
    admin = await kernel.admin()
    text = {"text": "x" * 100_000}
    await admin.create_backfill(Backfill("maps/production/daily", 0.0, 3 * 86400.0, text, "march", concurrency=1))
    await admin.pause_backfill("march", "for the test")
    while (await admin.backfill("march")).running:
        await asyncio.sleep(0.02)
    await kernel.collect()
    assert (await admin.executions(ExecutionQuery())).items == []
    await admin.resume_backfill("march")
    while (entry := await admin.backfill("march")).ended_at is None:
        await asyncio.sleep(0.02)
    assert (entry.succeeded, entry.failed) == (3, 0)


async def test_backfills_that_are_over_and_what_was_refused_go(kernel):
    admin = await kernel.admin()
    backfill = Backfill("maps/production/daily", 0.0, 3 * 86400.0, {}, "march")
    await admin.create_backfill(backfill)
    while (await admin.backfill("march")).ended_at is None:
        await asyncio.sleep(0.02)
    looked = await kernel.collect(dry=True)
    assert (looked.backfills, (await admin.backfill("march")).succeeded) == (1, 3)
    found = await kernel.collect()
    assert (found.backfills, found.refusals) == (1, 0)
    with pytest.raises(NotFound):
        await admin.backfill("march")


async def test_a_crash_between_history_and_journal_is_made_up_for(kernel, monkeypatch):
    """The history has forgotten, the engine has not: the next collection takes it."""
    await ended(kernel, "first", 1)
    await ended(kernel, "second", 2)
    monkeypatch.setattr("wingbeat.kernel.collecting._remove_folders", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await kernel.collect()
    admin = await kernel.admin()
    assert [each.id for each in (await admin.executions(ExecutionQuery())).items] == ["second"]
    assert (await kernel.get("first")).id == "first"
    monkeypatch.undo()
    assert (await kernel.collect()).executions == 1
    with pytest.raises(NotFound):
        await kernel.get("first")


async def test_through_a_server_it_is_the_same(kernel, tmp_path):
    await ended(kernel, "first", 1)
    await ended(kernel, "second", 2)
    url = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(kernel.serve(ready=url.set_result))
    admin = HttpAdmin(*client(await url, TemporaryHome(tmp_path / "other")))
    await admin.start()
    looked, done = await admin.collect(dry=True), await admin.collect()
    await admin.close()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert looked.dry
    assert (looked.executions, done.executions) == (1, 1)


async def test_where_the_admin_is_not_open_nothing_is_collected(kernel, caplog):
    """By itself, that is: `Kernel.collect` opens it."""
    await ended(kernel, "first", 1)
    home = os.environ["WINGBEAT_HOME"]
    await kernel.__aexit__(None, None, None)
    async with Kernel(home, settings=OVER) as again:
        with pytest.raises(ConfigurationError, match="not open in this process"):
            await again.engine.collect()
        with caplog.at_level("WARNING"), pytest.raises(TimeoutError):
            await asyncio.wait_for(again._upkeep._made().keep_up(), 0.2)
        assert caplog.records == []  # it is nothing that whoever runs a workflow could do something about
