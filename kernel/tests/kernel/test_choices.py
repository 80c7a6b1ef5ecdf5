"""Homes that use other parts than those in the box: storage, journal, and what makes environments."""

import asyncio
import importlib
import os
import re
import sys
import textwrap
import traceback
from contextlib import suppress

import pytest

from wingbeat import Kernel, calls
from wingbeat.base.errors import ConfigurationError, ExecutionFailed, NotFound, WingbeatError
from wingbeat.builtin.sqlite import SQLiteJournal
from wingbeat.contracts.environment import Interpreter
from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.contracts.storage import StorageRef
from wingbeat.host.home import HomeFolder
from wingbeat.kernel import beginning
from wingbeat.kernel.compiling import compile_file
from wingbeat.runtime.storages import Storages
from wingbeat.spec.literal import Offloaded
from wingbeat.types import Blob

ELSEWHERE = """
    from msgspec.structs import replace
    from wingbeat.builtin.filestore import FileStore
    from wingbeat.contracts.hookspecs import hookimpl
    from wingbeat.contracts.plugin import PluginInfo

    class Elsewhere:
        scheme = "elsewhere"

        def __init__(self, root):
            self.files = FileStore(root)

        def __getattr__(self, name):
            call = getattr(self.files, name)
            def through(given, *rest, **named):
                if hasattr(given, "uri"):
                    scheme, digest = given.uri.split(":", 1)
                    if scheme != "elsewhere":
                        raise ValueError(given.uri)
                    given = replace(given, uri="store:" + digest)
                answer = call(given, *rest, **named)
                return replace(answer, uri="elsewhere:" + answer.digest) if hasattr(answer, "uri") else answer
            return through

    @hookimpl
    def wingbeat_plugin():
        return PluginInfo(api=(0, 1))

    @hookimpl
    def wingbeat_register(registrar):
        registrar.storage("elsewhere", "elsewhere:Elsewhere", lambda home: {"root": home.path + "/elsewhere"})
"""
PROJECT = """
    from pathlib import Path
    from wingbeat import File, task, workflow

    @task
    def numbers(n: int) -> list[int]:
        return list(range(n))

    @task
    def written(numbers: list[int]) -> File:
        path = Path("sum.txt")
        path.write_text(str(sum(numbers)))
        return File(path)

    @task
    def read(file: File) -> int:
        return int(Path(file).read_text())

    @workflow
    def flow(n: int = 50_000) -> int:
        return read(written(numbers(n)))
"""
CHOSEN = {"kernel": {"storage": "elsewhere"}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project, and a plugin that is found by every process of its environment."""
    path = tmp_path / "packages"
    (path / "elsewhere-1.dist-info").mkdir(parents=True)
    (path / "elsewhere-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1\n")
    (path / "elsewhere-1.dist-info/entry_points.txt").write_text("[wingbeat]\nelsewhere = elsewhere\n")
    (path / "elsewhere.py").write_text(textwrap.dedent(ELSEWHERE))
    (tmp_path / "project").mkdir()
    (tmp_path / "project/chosen_project.py").write_text(textwrap.dedent(PROJECT))
    monkeypatch.setenv("PYTHONPATH", str(path))
    monkeypatch.syspath_prepend(str(path))
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    monkeypatch.chdir(tmp_path)
    return importlib.reload(importlib.import_module("chosen_project"))


async def test_values_files_code_and_locks_are_in_the_storage_that_is_chosen(project, tmp_path):
    async with Kernel("home", settings=CHOSEN) as kernel:
        execution = await kernel.launch(project.flow, name="first")
        assert await execution.result() == sum(range(50_000))
        view = await execution.describe()
    uris = [node.outputs["o0"].uri for node in view.nodes if isinstance(node.outputs["o0"], Offloaded)]
    assert uris
    assert all(uri.startswith("elsewhere:") for uri in uris)
    assert not os.path.exists("home/storage"), "nothing is in the storage of the box"


async def test_what_was_stored_before_the_choice_is_read_after_it(project):
    async with Kernel("home") as kernel:
        first = await kernel.launch(project.flow, name="first")
        assert await first.result() == sum(range(50_000))
    async with Kernel("home", settings=CHOSEN) as kernel:
        outputs = {node.id: node.outputs["o0"] for node in (await kernel.engine.describe("first")).nodes}
        numbers = next(value for value in outputs.values() if isinstance(value, Offloaded))
        assert numbers.uri.startswith("store:")
        recovered = await kernel.recover("first")
        assert await recovered.result() == sum(range(50_000))
    async with Kernel("home") as kernel:  # and back
        assert await (await kernel.launch(project.flow, name="last")).result() == sum(range(50_000))


async def test_a_file_is_compiled_into_the_storage_that_is_chosen(project, tmp_path, monkeypatch):
    monkeypatch.setenv("WINGBEAT_KERNEL__STORAGE", "elsewhere")
    closure = compile_file("project/chosen_project.py", "flow", "home")
    assert not os.path.exists("home/storage")
    async with Kernel("home") as kernel:
        assert await (await kernel.launch(closure, {"n": 5})).result() == 10


async def test_a_storage_that_is_not_there_is_an_error_before_anything_runs(project):
    with pytest.raises(ConfigurationError, match="(?s)no storage 'nowhere'.*Installed: elsewhere, store"):
        async with Kernel("home", settings={"kernel": {"storage": "nowhere"}}):
            raise AssertionError("it is open")
    with pytest.raises(ConfigurationError, match="no storage 'nowhere'"):
        compile_file("project/chosen_project.py", "flow", "home", {"kernel": {"storage": "nowhere"}})


class Others:
    """A plugin with a journal and environments of its own."""

    def __init__(self, path):
        self.path, self.asked = path, []

    @hookimpl
    def wingbeat_plugin(self):
        return PluginInfo(api=(0, 1))

    @hookimpl
    def wingbeat_register(self, registrar):
        registrar.journal("other", lambda home: SQLiteJournal(self.path / "other.sqlite"))
        registrar.environments("other", lambda home: self)

    async def ensure(self, environment, project_lock):
        self.asked.append(project_lock)
        return Interpreter("mine", sys.executable, isolated=False)


async def test_a_reader_reads_the_journal_that_is_chosen(project, tmp_path):
    others, settings = Others(tmp_path), {"kernel": {"journal": "other"}}
    with pytest.raises(NotFound, match="no home"):
        async with Kernel("home", settings=settings, plugins=[others], read_only=True):
            raise AssertionError("it is open")
    assert not os.path.exists("home"), "reading makes nothing"
    async with Kernel("home", settings=settings, plugins=[others]) as kernel:
        await (await kernel.launch(project.flow, {"n": 3}, name="first")).result()
        async with Kernel("home", settings=settings, plugins=[others], read_only=True) as reader:
            assert (await reader.engine.describe("first")).phase == "SUCCEEDED"
    assert not os.path.exists("home/journal.sqlite")


async def test_tasks_run_in_the_environments_that_are_chosen(project, tmp_path):
    others = Others(tmp_path)
    async with Kernel("home", settings={"kernel": {"environments": "other"}}, plugins=[others]) as kernel:
        assert await (await kernel.launch(project.flow, {"n": 3})).result() == 3
    assert others.asked
    with pytest.raises(ConfigurationError, match=r"(?s)no maker of environments 'conda'.*Installed: other, uv"):
        async with Kernel("home", settings={"kernel": {"environments": "conda"}}, plugins=[others]):
            raise AssertionError("it is open")


def refs(tmp_path):
    target = "wingbeat.builtin.filestore:FileStore"
    return StorageRef("store", target, {"root": str(tmp_path / "a")}), StorageRef("gone", "no_such_module:Storage")


def test_one_that_cannot_be_imported_is_told_with_what_to_do(tmp_path):
    storages = Storages(refs(tmp_path)[::-1])
    with pytest.raises(ConfigurationError, match="'gone' cannot be imported here: No module named 'no_such_module'"):
        storages.put_bytes(b"x")
    blob = Blob("gone:sha256:" + "0" * 64, "sha256:" + "0" * 64, 1, "")
    assert "cannot be imported" in storages.verify(blob)


def test_a_scheme_that_nobody_has_is_told(tmp_path):
    storages = Storages(refs(tmp_path))
    blob = storages.put_bytes(b"x")
    assert storages.read_bytes(blob) == b"x"
    foreign = Blob("s3:" + blob.digest, blob.digest, 1, "")
    with pytest.raises(ValueError, match="no storage for 's3'; what is here: store:, gone:"):
        storages.read_bytes(foreign)
    assert "no storage for 's3'" in storages.verify(foreign)


def test_what_is_nowhere_is_not_found(tmp_path):
    storages = Storages(refs(tmp_path))
    blob = Blob("store:sha256:" + "0" * 64, "sha256:" + "0" * 64, 1, "")
    with pytest.raises(FileNotFoundError):
        storages.read_bytes(blob)


class Unlicensed:
    """A plugin whose factories fail."""

    @hookimpl
    def wingbeat_plugin(self):
        return PluginInfo(api=(0, 1))

    @hookimpl
    def wingbeat_register(self, registrar):
        registrar.executor("unlicensed", self.fails)
        registrar.observer("unlicensed", self.fails)

    def fails(self, home):
        raise RuntimeError("no licence")


async def test_what_cannot_be_made_is_done_without_where_nobody_has_chosen_it(project, caplog):
    rule = [{"task": "chosen_project.read", "executor": "unlicensed"}]
    async with Kernel("home", plugins=[Unlicensed()], settings={"kernel": {"rules": rule}}) as kernel:
        assert await (await kernel.launch(project.numbers, {"n": 3})).result() == [0, 1, 2]
        with pytest.raises(ConfigurationError, match="'unlicensed', which cannot be used: (.|\n)*no licence"):
            await kernel.launch(project.flow, {"n": 3})
    assert "observer 'unlicensed'" in caplog.text
    assert "no licence" in caplog.text
    with pytest.raises(
        ConfigurationError, match="'unlicensed' of plugin .* cannot be made: RuntimeError: no licence\\."
    ):
        async with Kernel("home", plugins=[Unlicensed()], settings={"kernel": {"executor": "unlicensed"}}):
            raise AssertionError("it is open")


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError("mine")])
async def test_a_factory_that_exits_or_cancels_is_done_without(tmp_path, monkeypatch, caplog, error):
    def fails(self, home):
        raise error

    monkeypatch.setattr(Unlicensed, "fails", fails)
    async with Kernel(tmp_path / "home", plugins=[Unlicensed()]):
        pass
    assert "It is done without: The observer 'unlicensed' of plugin" in caplog.text
    assert f"cannot be made: {type(error).__name__}" in caplog.text


class Particular(Unlicensed):
    """A plugin that does not take its settings."""

    def fails(self, home):
        raise ConfigurationError("The setting acme.depth is odd.", hint="Make it even.")


async def test_who_refuses_settings_is_named_with_what_to_do(tmp_path):
    with pytest.raises(ConfigurationError, match="of plugin .* cannot be made: The setting acme.depth is odd") as told:
        async with Kernel(tmp_path / "home", plugins=[Particular()]):
            raise AssertionError("it is open")
    assert told.value.hint.startswith("Make it even. Or switch the plugin off with plugins.disabled = [")


class OddEnvironments(Others):
    def __init__(self, path, answer):
        super().__init__(path)
        self.answer = answer

    async def ensure(self, environment, project_lock):
        return self.answer()


def leave():
    sys.exit(9)


def full():
    raise OSError(28, "No space left on device")


ODD_ENVIRONMENTS = [
    (leave, r"kernel.environments\) failed: SystemExit: 9"),
    (lambda: sys.executable, r"kernel.environments\) answered str, not an Interpreter"),
    (full, r"No environment can be made \(kernel.environments\): .*No space left"),
    (lambda: Interpreter("gone", "/nonexistent/python"), "The interpreter /nonexistent/python cannot be started"),
]


@pytest.mark.parametrize(("answer", "why"), ODD_ENVIRONMENTS)
def test_a_command_tells_who_has_made_no_environment(project, tmp_path, answer, why, monkeypatch):
    monkeypatch.setattr(HomeFolder, "maker_of_environments", lambda self: OddEnvironments(tmp_path, answer))
    with pytest.raises(WingbeatError, match=why):
        compile_file("project/chosen_project.py", "flow", "home")


@pytest.mark.parametrize(("answer", "why"), [each for each in ODD_ENVIRONMENTS if each[0] is not full])
async def test_an_attempt_tells_who_has_made_no_environment(project, tmp_path, answer, why):
    odd, settings = OddEnvironments(tmp_path, answer), {"kernel": {"environments": "other"}}
    async with Kernel("home", settings=settings, plugins=[odd]) as kernel:
        with pytest.raises(ExecutionFailed, match=why.replace("The interpreter ", "")):
            await (await kernel.launch(project.flow, {"n": 3})).result()


class Busy(Others):
    """Makes environments for ever."""

    patience_s = 0.05

    async def ensure(self, environment, project_lock):
        await asyncio.sleep(60)


async def test_an_attempt_whose_environment_is_never_made_fails_by_the_system_with_the_name_of_who_makes_it(
    project, tmp_path
):
    settings = {"kernel": {"environments": "other"}}
    async with Kernel("home", settings=settings, plugins=[Busy(tmp_path)]) as kernel:
        with pytest.raises(ExecutionFailed) as failed:
            await (await kernel.launch(project.flow, {"n": 3})).result()
    told = "The maker of environments 'other' (kernel.environments) failed: it did not answer within 0.05 s."
    assert told in failed.value.message
    assert failed.value.kind == "SYSTEM"


def test_a_command_does_not_wait_for_an_environment_that_is_never_made(project, tmp_path, monkeypatch):
    monkeypatch.setattr(HomeFolder, "maker_of_environments", lambda self: Busy(tmp_path))
    with pytest.raises(WingbeatError, match=r"\(kernel.environments\) failed: it did not answer within 0.05 s"):
        compile_file("project/chosen_project.py", "flow", "home")


class Far:
    """An engine that is somewhere else."""

    async def open(self):
        self.is_open = True

    async def close(self):
        self.is_open = False


class Chief:
    """An admin, of which it is asked what it was given."""

    def __init__(self, name, engine):
        self.name, self.engine = name, engine

    async def start(self):
        assert self.engine.is_open

    async def close(self):
        assert self.engine.is_open, "it may still ask the engine"


class Elsewhere:
    """A plugin with an engine and two admins."""

    @hookimpl
    def wingbeat_plugin(self):
        return PluginInfo(api=(0, 1))

    @hookimpl
    def wingbeat_register(self, registrar):
        registrar.engine("far", lambda home: Far())
        registrar.admin("one", lambda home, engine: Chief("one", engine))
        registrar.admin("two", lambda home, engine: Chief("two", engine))


async def test_any_admin_is_put_over_any_engine(tmp_path):
    chosen = {"kernel": {"engine": "far", "admin": "two"}}
    async with Kernel(tmp_path, plugins=[Elsewhere()], discover=False, settings=chosen) as kernel:
        admin = await kernel.admin()
        assert (admin.name, admin.engine) == ("two", kernel.engine)


async def stay():
    """Does not let itself be cancelled."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def fail():
    raise RuntimeError("no licence")


async def leave_the_loop():
    sys.exit(3)


ODD_CALLS = [
    (lambda: asyncio.sleep(60), "it did not answer within 0.05 s"),
    (stay, "it did not answer within 0.05 s"),
    (fail, "RuntimeError: no licence"),
    (leave_the_loop, "SystemExit: 3"),
    (lambda: None, "TypeError: object NoneType can't be used in 'await' expression"),
]


@pytest.fixture
def odd(monkeypatch):
    """A kernel with an engine elsewhere and an admin, one of which does something odd; in a hurry."""
    for module, name in ((beginning, "BEGIN_S_MAX"), (beginning, "CLOSE_S_MAX"), (calls, "LET_GO_S_MAX")):
        monkeypatch.setattr(module, name, 0.05)

    def make(tmp_path, of, call, does):
        part = of() if of is Far else of("one", None)
        monkeypatch.setattr(part, call, does)

        class Odd(Elsewhere):
            @hookimpl
            def wingbeat_register(self, registrar):
                registrar.engine("far", lambda home: part if of is Far else Far())
                registrar.admin("one", lambda home, engine: part if of is Chief else Chief("one", engine))

        if of is Chief and call == "close":
            monkeypatch.setattr(part, "start", lambda: asyncio.sleep(0))
        chosen = {"kernel": {"engine": "far", "admin": "one"}}
        return Kernel(tmp_path, plugins=[Odd()], discover=False, settings=chosen)

    return make


@pytest.mark.parametrize(("does", "why"), ODD_CALLS)
@pytest.mark.parametrize(("of", "call", "who"), [(Chief, "start", "admin 'one'"), (Far, "open", "engine 'far'")])
async def test_what_does_not_begin_is_named_in_time_and_closed(odd, tmp_path, of, call, who, does, why):
    with pytest.raises(ConfigurationError) as told:
        async with odd(tmp_path, of, call, does) as kernel:
            await kernel.admin()
    assert told.value.message == f"The {who} cannot be used: {why} ({call})."
    assert f"choose another one with kernel.{who.partition(' ')[0]}" in told.value.hint


@pytest.mark.parametrize(("does", "why"), ODD_CALLS)
@pytest.mark.parametrize(("of", "who"), [(Chief, "admin 'one'"), (Far, "engine 'far'")])
async def test_what_does_not_close_is_named_and_keeps_nobody(odd, tmp_path, caplog, of, who, does, why):
    async with odd(tmp_path, of, "close", does) as kernel:
        await kernel.admin()
    assert f"The {who} did not close in order: {why}" in caplog.messages


async def test_what_an_admin_says_of_ours_is_not_changed(odd, tmp_path):
    async def refuse():
        raise ConfigurationError("Its store is of a newer version.", hint="Upgrade.")

    async with odd(tmp_path, Chief, "start", refuse) as kernel:
        with pytest.raises(ConfigurationError, match="Its store is of a newer version") as told:
            await kernel.admin()
    assert told.value.hint == "Upgrade."


def test_a_process_ends_though_its_admin_does_not_let_go(odd, tmp_path):
    async def main():
        async with odd(tmp_path, Chief, "close", stay) as kernel:
            await kernel.admin()

    asyncio.run(main())  # which waits for every task that it knows


async def test_of_several_admins_one_has_to_be_chosen(tmp_path):
    chosen = {"kernel": {"engine": "far"}}
    async with Kernel(tmp_path, plugins=[Elsewhere()], discover=False, settings=chosen) as kernel:
        with pytest.raises(
            ConfigurationError, match=r"one, two\), and none has the name of the engine, 'far'"
        ) as error:
            await kernel.admin()
        assert "kernel.admin" in error.value.hint


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kernel": {"admin": "nope"}}, "There is no admin 'nope'(.|\n)*None is installed. pip install wingbeat-admin"),
        ({"kernel": {"journal": "nope"}}, "There is no journal 'nope'(.|\n)*Installed: sqlite"),
        ({"kernel": {"executor": "nope"}}, "There is no executor 'nope'(.|\n)*Installed: .*process"),
        (
            {"kernel": {"catalog": "nope"}},
            "There is no catalog 'nope'(.|\n)*None is installed. 'none' is to do without one",
        ),
        (
            {"kernel": {"engine": "nope"}},
            "There is no engine 'nope'(.|\n)*None is installed. 'local' is that of the home",
        ),
        (
            {"kernel": {"rules": [{"executor": "nope"}]}},
            "rule 1 of kernel.rules names the executor 'nope'(.|\n)*process",
        ),
        ({"secrets": {"source": "nope"}}, "There is no source of secrets 'nope'(.|\n)*Installed: environment, file"),
        (
            {"kernal": {"journal": "sqlite"}},
            r"There is no section 'kernal' .*given to the kernel(.|\n)*Did you mean \[kernel\]",
        ),
        ({"process": {"slotz": 1}}, r"There is no setting process\.slotz \(given to the kernel\)(.|\n)*'slots'"),
        ({"retention": {"days": "x"}}, r"retention\.days = 'x' does not fit"),  # which nobody may ever read
    ],
)
@pytest.mark.parametrize("reads", [False, True])
async def test_what_is_given_and_is_not_there_is_an_error_before_anything_runs(tmp_path, given, says, reads):
    with pytest.raises(ConfigurationError, match=says):
        async with Kernel(tmp_path / "home", discover=False, settings=given, read_only=reads):
            pass
    assert not (tmp_path / "home" / "journal.sqlite").exists()


async def test_what_is_given_to_a_plugin_that_is_off_may_stay(tmp_path):
    given = {"plugins": {"disabled": ["acme"]}, "acme": {"depth": 3}, "kernel": {"catalog": "none"}}
    async with Kernel(tmp_path / "home", discover=False, settings=given):
        pass


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ([1], "The settings are of type list, which is no sections"),
        ({5: {}}, "A section of the settings is called 5, which is no name"),
        ({"kernel": 7}, "The setting kernel is 7, which is no section"),
        ({"kernel": "process"}, "The setting kernel is of type str, which is no section"),
        ({"kernel": {5: 1}}, "A setting of the section 'kernel' is called 5, which is no name"),
        ({"kernel": {"executor": 5}}, "The setting kernel.executor = 5 does not fit"),
        ({"kernal": {}}, "There is no section 'kernal' of the settings"),
    ],
)
async def test_wrong_settings_from_a_program_are_told_without_the_frames_of_who_found_it(tmp_path, settings, told):
    with pytest.raises(ConfigurationError, match=re.escape(told)) as raised:
        async with Kernel(tmp_path / "home", settings=settings):
            pass
    assert "given to the kernel" in raised.value.message
    assert [frame.name for frame in traceback.extract_tb(raised.tb)][1:] == ["__aenter__"]
    assert raised.value.__cause__ is None


async def test_a_file_of_settings_that_cannot_be_read_is_told_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wingbeat.toml").write_text("[kernel")
    with pytest.raises(ConfigurationError, match=r"wingbeat.toml cannot be read: Expected") as raised:
        async with Kernel(tmp_path / "home"):
            pass
    assert [frame.name for frame in traceback.extract_tb(raised.tb)][1:] == ["__aenter__"]
    assert (raised.value.__cause__, raised.value.__suppress_context__) == (None, True)
