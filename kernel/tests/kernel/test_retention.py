"""What a home lets go of, and what it must not."""

import asyncio
import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wingbeat import Kernel, NotFound
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.catalog import Evicted
from wingbeat.contracts.environment import MARK
from wingbeat.contracts.home import UPLOADS
from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.journal import Record
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.contracts.retention import RETENTION_LABEL, Collected
from wingbeat.kernel.retention import Over, digests, is_over, offloaded, with_parents
from wingbeat.testing.fakes import MemoryCatalog

NOW = 1e9
DAY_S = 86_400.0


def settings(days: float = 1e-9, spare_hours: float = 0.0, **more: float) -> dict[str, dict[str, float]]:
    return {"retention": {"days": days, "spare_hours": spare_hours, **more}}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, instead of the machine's."""
    monkeypatch.setenv("WINGBEAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def old(path: Path, age_s: float, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


@pytest.fixture
def flows(tmp_path, monkeypatch):
    """The module `projects/retained.py`, in a project of its own."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").touch()
    shutil.copy(Path(__file__).parent / "projects" / "retained.py", project)
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)
    yield importlib.import_module("retained")
    del sys.modules["retained"]


@pytest.fixture
def opened(tmp_path):
    """Kernels of one home, in which everything that has ended is over."""

    @contextlib.asynccontextmanager
    async def open_(**given):
        async with Kernel(tmp_path / "home", discover=False, settings=settings(**given)) as kernel:
            yield kernel

    return open_


def objects(kernel: Kernel) -> set[str]:
    return set(os.listdir(kernel.home / "storage" / "objects"))


def names(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if not name.endswith(".lock")}


async def test_executions_that_are_over_go_with_all_that_is_theirs(flows, opened):
    async with opened() as kernel:
        execution = await kernel.launch(flows.everything, {"n": 1})
        await execution.result()
        assert objects(kernel)
        found = await kernel.collect()
        assert found.executions == 1
        assert found.folders_bytes > 0
        assert found.blobs > 400
        with pytest.raises(NotFound):
            await kernel.get(execution.id)
        assert not objects(kernel)
        assert not (kernel.home / "attempts" / execution.id).exists()
        again = await kernel.collect()
        assert (again.executions, again.blobs) == (0, 0)


async def test_what_a_kept_execution_refers_to_stays_whole(flows, opened):
    """Inline, in a list that is stored itself, inside of a tree, and among inputs; another execution with the same goes."""
    async with opened(days=90) as kernel:
        kept = await kernel.launch(flows.everything, {"n": 1})
        words, _, _, _ = await kept.result()
        mapped = await kernel.launch(flows.sizes, {"words": words})
        await mapped.result()
    async with opened() as kernel:
        gone = await kernel.launch(flows.everything, {"n": 1}, labels={RETENTION_LABEL: "1e-9"})
        await gone.result()
    async with opened(days=90) as kernel:
        before = objects(kernel)
        assert (await kernel.collect()).executions == 1
        words, pair, directory, found = await (await kernel.get(kept.id)).result()
        assert [len(word) for word in words] == [40_001, 40_001]
        assert [Path(file).read_text() for file in (pair.one, *pair.others)] == ["a1.txt", "b1.txt", "c1.txt"]
        assert Path(directory, "in/deep.txt").read_text() == "deep 1"
        assert [Path(file).read_text() for file in found[:2]] == ["1 0", "1 1"]
        assert await (await kernel.get(mapped.id)).result() == [40_001, 40_001]
        assert objects(kernel) == before, "code and locks of it are among that"


async def test_who_only_looks_removes_nothing_and_says_what_would_go(flows, opened):
    async with opened() as kernel:
        execution = await kernel.launch(flows.everything, {"n": 1})
        await execution.result()
        looked, before = await kernel.collect(dry=True), objects(kernel)
        assert await kernel.collect(dry=True) == looked
        assert objects(kernel) == before
        assert (await execution.describe()).id == execution.id
        done = await kernel.collect()
        assert looked.dry
        assert (looked.executions, looked.blobs, looked.blobs_bytes) == (done.executions, done.blobs, done.blobs_bytes)


async def test_what_was_used_of_late_is_spared(flows, opened):
    async with opened(spare_hours=1) as kernel:
        await (await kernel.launch(flows.everything, {"n": 1})).result()
        found = await kernel.collect()
        assert (found.executions, found.blobs) == (1, 0)
        assert len(objects(kernel)) > 400


async def test_what_runs_stays_and_what_it_has_stored_but_not_told_yet(flows, opened, tmp_path):
    """The task has stored a file long ago, as far as the settings go, and returns it when others have been collected."""
    async with opened() as kernel:
        other = await kernel.launch(flows.everything, {"n": 1})
        await other.result()
        execution = await kernel.launch(flows.waits, {"at": str(tmp_path)})
        while not (tmp_path / "stored").exists():
            await asyncio.sleep(0.01)
        assert (await kernel.collect()).executions == 1
        (tmp_path / "go").touch()
        assert Path(await execution.result()).read_text() == "late"


async def test_steps_that_were_recorded_keep_what_they_refer_to(flows, opened, tmp_path):
    """Of what has failed: whoever recovers it takes them."""
    async with opened(days=90) as kernel:
        first = await kernel.launch(flows.failing, {"at": str(tmp_path)})
        with pytest.raises(Exception, match="not yet"):
            await first.result()
        await kernel.collect()
        (tmp_path / "go").touch()
        again = await kernel.recover(first.id, flows.failing)
        assert await again.result() == "made once"
        assert (tmp_path / "calls").read_text() == "."


async def test_children_stay_as_long_as_what_has_launched_them(flows, opened):
    async with opened() as kernel:
        execution = await kernel.launch(flows.parent, {"words": ["a"]})
        while [s.phase.terminal for s in await kernel.engine.executions()].count(True) < 1:
            await asyncio.sleep(0.01)
        found = await kernel.collect()
        assert (found.executions, found.kept) == (0, {"what has launched it is kept": 1})
        await kernel.signal(execution.id, "go", True)
        assert await execution.result() == [1]
        assert (await kernel.collect()).executions == 2


async def test_a_launch_plan_says_for_how_long(flows, opened):
    async with opened(days=90) as kernel:
        for plan in (flows.short, flows.long_):
            await (await kernel.launch(plan, {"words": []}, plan.name)).result()
        found = {name: (await kernel.engine.describe(name)).labels[RETENTION_LABEL] for name in ("short", "long")}
        assert found == {"short": "1", "long": "400"}


async def test_a_closure_can_be_launched_while_and_after_it_is_collected(flows, opened):
    async with opened(spare_hours=1) as kernel:
        for _ in range(5):
            first = await kernel.launch(flows.sizes, {"words": []})
            await first.result()
            _, second = await asyncio.gather(kernel.collect(), kernel.launch(flows.sizes, {"words": ["abc"]}))
            assert await second.result() == [3]
    async with opened(days=90) as kernel:
        assert await (await kernel.launch(flows.sizes, {"words": ["ab"]})).result() == [2]


async def test_a_closure_that_nothing_runs_goes_and_can_be_launched_again(flows, opened):
    async with opened() as kernel:
        await (await kernel.launch(flows.sizes, {"words": []})).result()
        await kernel.collect()
    async with opened() as kernel:
        assert (await kernel.collect()).closures == 1
        execution = await kernel.launch(flows.sizes, {"words": ["abc"]})
        assert await execution.result() == [3]
    async with opened(days=90) as kernel:
        assert (await kernel.engine.closure(execution.id)).workflow.name.endswith("sizes")


async def test_code_that_was_collected_is_stored_again_when_it_is_launched_again(flows, opened, monkeypatch):
    async with opened() as kernel:
        await (await kernel.launch(flows.sizes, {"words": ["a"]})).result()
        await kernel.collect()
        assert not objects(kernel)
        monkeypatch.setattr("wingbeat.kernel.inputs.SEEN_S", 0.0)
        assert await (await kernel.launch(flows.sizes, {"words": ["abc"]})).result() == [3]


async def test_a_folder_that_cannot_be_removed_keeps_its_execution(flows, opened, monkeypatch):
    async with opened() as kernel:
        execution = await kernel.launch(flows.sizes, {"words": ["a"]})
        await execution.result()
        monkeypatch.setattr("wingbeat.kernel.collecting.shutil.rmtree", lambda *_, **__: None)
        found = await kernel.collect()
        assert (found.executions, found.kept) == (0, {"the folder of its attempts cannot be removed": 1})
        monkeypatch.undo()
        assert (await kernel.collect()).executions == 1


async def test_what_a_task_made_read_only_goes_as_well(flows, opened):
    async with opened() as kernel:
        execution = await kernel.launch(flows.shutting)
        await execution.result()
        assert (await kernel.collect()).executions == 1
        assert not (kernel.home / "attempts" / execution.id).exists()


async def test_code_of_what_this_kernel_has_launched_stays(flows, opened):
    """Its closure is in memory, so it is not among those that could go; what it refers to is looked for all the same."""
    async with opened(days=90) as kernel:
        waiting = await kernel.launch(flows.parent, {"words": ["a"]})
        await (await kernel.launch(flows.everything, {"n": 1})).result()
        before = objects(kernel)
        assert (await kernel.collect()).blobs == 0
        assert objects(kernel) == before
        await kernel.signal(waiting.id, "go", True)
        assert await waiting.result() == [1]


async def test_values_that_are_named_by_what_cannot_be_decoded_are_followed(flows, opened, monkeypatch):
    async with opened(days=90) as kernel:
        await (await kernel.launch(flows.everything, {"n": 1})).result()
        before = objects(kernel)
        monkeypatch.setattr("wingbeat.kernel.retention.decoded", lambda body: None)
        await kernel.collect()
        assert objects(kernel) == before


async def test_where_something_cannot_be_read_no_content_goes(flows, opened):
    """A tree whose list of files is damaged may refer to anything."""
    async with opened(days=90) as kernel:
        await (await kernel.launch(flows.everything, {"n": 1})).result()
        gone = await kernel.launch(flows.everything, {"n": 2}, labels={RETENTION_LABEL: "1e-9"})
        await gone.result()
        for name in objects(kernel):
            path = kernel.home / "storage" / "objects" / name
            if path.read_bytes().startswith(b'["wingbeat-tree/1",') and b"deep" in path.read_bytes():
                path.chmod(0o600)
                path.write_bytes(path.read_bytes()[:-10] + b"x" * 10)
        before = objects(kernel)
        found = await kernel.collect()
        assert found.executions == 1
        assert found.blobs == 0
        assert "No content is removed" in found.skipped[0]
        assert objects(kernel) == before


async def test_another_process_that_holds_the_home_is_named(flows, opened, tmp_path):
    async with opened() as kernel, Kernel(tmp_path / "home", discover=False) as other:
        assert kernel.holds
        with pytest.raises(ConfigurationError, match="Another process holds the home"):
            await other.collect()


async def test_a_kernel_that_stays_open_collects_by_itself(flows, opened, monkeypatch):
    monkeypatch.setattr("wingbeat.kernel.upkeep.FIRST_S", 0.01)
    async with opened(every_hours=0) as kernel:
        execution = await kernel.launch(flows.sizes, {"words": []})
        await execution.result()
        await asyncio.sleep(0.1)
        assert (await execution.describe()).id == execution.id
    async with opened() as kernel, asyncio.timeout(20):
        with pytest.raises(NotFound):  # as soon as it is gone
            while True:
                await kernel.get(execution.id)
                await asyncio.sleep(0.02)


class _Catalog(MemoryCatalog):
    """A plugin whose catalog has entries that nobody asks for."""

    __name__ = "memory"
    asked = ()

    @hookimpl
    def wingbeat_register(self, registrar):
        registrar.catalog("memory", lambda home: self)

    async def stale(self, unused_s):
        return Evicted(0 if self.asked else 3, 0)

    async def trim(self, unused_s, limit):
        self.asked = (*self.asked, unused_s)
        return Evicted(3, 0)


async def test_entries_that_nobody_asks_for_go(tmp_path):
    catalog = _Catalog()

    async def collected(dry, **given):
        async with Kernel(tmp_path / "home", discover=False, plugins=[catalog], settings=settings(**given)) as kernel:
            return (await kernel.collect(dry=dry)).entries

    assert await collected(False, days=0) == 0, "for ever"
    assert await collected(True, days=2) == 3
    assert catalog.asked == ()
    assert await collected(False, days=2) == 3
    assert catalog.asked == (2 * DAY_S,)
    assert await collected(False, days=2) == 0


async def test_environments_that_no_attempt_was_given_go(opened, cache):
    folder = cache / "environments"
    for name, days in (("older", 100), ("old", 10), ("new", 6)):
        old(folder / name / MARK, days * DAY_S)
        (folder / name / "lib.py").write_text("x = 1")
    async with opened(days=0) as kernel:
        assert (await kernel.collect()).environments == 0, "for ever"
    async with opened(days=90) as kernel:
        assert (await kernel.collect(dry=True)).environments == 1
        found = await kernel.collect()
        assert (found.environments, found.environments_bytes) == (1, 5)
        assert names(folder) == {"old", "new"}
    async with opened() as kernel:
        assert (await kernel.collect()).environments == 1, "a week at least: other homes may use them"
        assert names(folder) == {"new"}


async def test_environments_of_what_runs_stay(flows, opened, cache, tmp_path, monkeypatch):
    """Also where their processes hold none, as those of another version of Wingbeat."""
    monkeypatch.setattr("wingbeat.kernel.leftovers.SHARED_DAYS_MIN", 0.0)
    async with opened() as kernel:
        execution = await kernel.launch(flows.waits, {"at": str(tmp_path)})
        while not (tmp_path / "stored").exists():
            await asyncio.sleep(0.01)
        old(cache / "environments" / "its" / MARK, 0)
        assert (await kernel.collect()).environments == 0
        (tmp_path / "go").touch()
        await execution.result()
        assert (await kernel.collect()).environments == 1


async def test_environments_that_cannot_be_looked_through_keep_nothing_else(flows, opened, monkeypatch):
    async def clear(self, before, *, dry):
        raise OSError("the disk is gone")

    monkeypatch.setattr("wingbeat.builtin.environments.manager.UvEnvironments.clear", clear)
    async with opened() as kernel:
        await (await kernel.launch(flows.everything, {"n": 1})).result()
        found = await kernel.collect()
        assert (found.executions, objects(kernel)) == (1, set())
        assert found.skipped == ("Environments stay for now: OSError: the disk is gone",)


async def test_what_was_on_its_way_into_storage_when_its_process_was_killed_goes(opened):
    async with opened() as kernel:
        folder = kernel.home / UPLOADS
        old(folder / "file", 2 * 3600), old(folder / "tree" / "inside", 0), old(folder / "coming", 1800)
        os.utime(folder / "tree", (1e9, 1e9))
        assert (await kernel.collect(dry=True)).uploads == 2
        assert (await kernel.collect()).uploads == 2
        assert names(folder) == {"coming"}, "an hour at least"


def test_whose_time_is_over():
    def one(ended_at=NOW - 10 * DAY_S, phase="SUCCEEDED", label="", **more):
        labels = {RETENTION_LABEL: label} if label else {}
        return Record("e", "c", "w", b"", "", 0.0, phase, ended_at, labels, **more)

    assert is_over(one(), 10, NOW)
    assert not is_over(one(), 10.1, NOW)
    assert not is_over(one(), 0, NOW), "for ever"
    assert is_over(one(label="10"), 90, NOW)
    assert not is_over(one(label="11"), 1, NOW)
    assert not is_over(one(label="0"), 1, NOW)
    assert is_over(one(label="nonsense"), 1, NOW), "that of the settings holds"
    for unsure in (one(None, "RUNNING"), one(None), one(phase="RUNNING"), one(damaged=True), one(doubtful=True)):
        assert not is_over(unsure, 1, NOW)


def test_children_go_with_their_parents():
    found = [Over("a", ""), Over("b", "a"), Over("c", "kept"), Over("d", "c"), Over("e", "gone")]
    assert with_parents(found, {"kept"}) == ["a", "b", "e"]


def test_what_refers_to_what():
    one, two = (f"sha256:{digit * 64}" for digit in "12")
    assert digests(f'x{one}"store:{two}'.encode()) == {one, two}
    assert digests(one.encode()[:-1]) == set()
    stored = ["r", f"store:{one}", 7, two]
    assert list(offloaded([{"a": ["l", [stored, ["v", 1]]]}, ["r", 1, 2, 3]])) == [(f"store:{one}", 7)]


def test_nothing_was_collected_is_the_default():
    assert Collected() == Collected(0, 0, 0, 0, 0, {}, (), False)


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


@pytest.mark.parametrize("wrong", ['days = "ten"', "days = -1", 'every_hours = "x"', 'spare_hours = "x"'])
def test_a_setting_that_does_not_fit_ends_a_program_with_its_error(tmp_path, wrong):
    (tmp_path / "wingbeat.toml").write_text(f"[retention]\n{wrong}\n")
    code = (
        "import asyncio, wingbeat\nasync def main():\n  async with wingbeat.Kernel('home'): pass\nasyncio.run(main())"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, "The setting retention." in ended.stderr) == (1, True)


@pytest.mark.parametrize("part", ["wingbeat.kernel.upkeep.Upkeep", "wingbeat.kernel.shared.Server.start"])
async def test_a_kernel_that_cannot_be_opened_leaves_nothing_open(tmp_path, monkeypatch, part):
    before, tasks = threads(), asyncio.all_tasks()

    def fail(*args, **more):
        raise RuntimeError("it fails late")

    with monkeypatch.context() as patched:
        patched.setattr(part, fail)
        with pytest.raises(RuntimeError, match="it fails late"):
            async with Kernel(tmp_path / "home"):
                pass
    while [each for each in threads() - before if "connection_worker" in each.name]:  # databases' threads
        await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == tasks
    async with Kernel(tmp_path / "home") as kernel:
        assert kernel.holds


async def test_an_admin_that_cannot_start_is_closed(tmp_path):
    class Broken:
        closed = 0

        async def start(self):
            raise ConfigurationError("it cannot work here")

        async def close(self):
            self.closed += 1

    made = Broken()

    class Plugin:
        @hookimpl
        def wingbeat_plugin(self):
            return PluginInfo(api=(0, 1))

        @hookimpl
        def wingbeat_register(self, registrar):
            registrar.admin("broken", lambda home, engine: made)

    async with Kernel(tmp_path / "home", plugins=[Plugin()], discover=False) as kernel:
        with pytest.raises(ConfigurationError, match="it cannot work here"):
            await kernel.admin()
    assert made.closed == 1
