"""Files compiled from outside, and the warm parent that comes of it."""

import contextlib
import json
import os
import socket
import sys

import pytest

from wingbeat import CompileError, InputError, Kernel
from wingbeat.kernel import compile_file, compiling, definitions_of, entities_of, problems_of
from wingbeat.runtime.job import Frames

FILE = """
import os
from wingbeat import task

IMPORTED_BY = os.getpid()

@task
def whose() -> tuple[int, int]:
    return os.getppid(), IMPORTED_BY
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "wingbeat.toml").touch()
    (tmp_path / "ours.py").write_text(FILE)
    return tmp_path


def parents(home):
    """The process ids of those that listen, as they introduce themselves."""
    pids = []
    # A socket's address holds about a hundred bytes: from within the folder its name is enough.
    with contextlib.chdir(home / "parents") if (home / "parents").exists() else contextlib.nullcontext():
        for path in home.glob("parents/*.sock"):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(path.name)
                (hello,) = Frames().feed(sock.recv(1000))
                pids.append(hello.pid)
    return pids


async def test_the_process_that_compiles_leaves_the_warm_parent_of_what_it_compiled(project):
    closure = compile_file(str(project / "ours.py"), "whose", project / "home")
    (pid,) = parents(project / "home")
    assert os.getsid(pid) == pid
    async with Kernel(project / "home") as kernel:
        parent, imported_by = await (await kernel.launch(closure)).result()
    assert parent == pid
    assert imported_by == pid  # by itself, from the bundle; not by the process that compiled
    assert parents(project / "home") == [pid]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_warm_parent_that_was_forked_holds_nothing_of_the_command(project):
    compile_file(str(project / "ours.py"), "whose", project / "home")
    (pid,) = parents(project / "home")
    streams = [os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)]
    assert streams[0] == os.devnull
    assert streams[1] == streams[2]
    assert streams[1].startswith(str(project / "home" / "parents"))
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    ours = [
        os.readlink(f"/proc/self/fd/{name}")
        for name in os.listdir("/proc/self/fd")
        if int(name) > 2
        if os.path.exists(f"/proc/self/fd/{name}")
    ]
    theirs = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd") if int(name) > 2]
    shared = set(ours) & set(theirs)
    assert not {name for name in shared if not name.startswith("anon_inode:")}  # which name what it is, not which


def test_a_parent_is_forked_once_however_often_something_is_compiled(project):
    compile_file(str(project / "ours.py"), "whose", project / "home")
    before = parents(project / "home")
    for kept in (project / "home" / "compiled").iterdir():
        kept.unlink()
    compile_file(str(project / "ours.py"), "whose", project / "home")
    assert parents(project / "home") == before


BY_VARIABLES = """
import os
import string as library
from helper import RATE
from wingbeat import task

TEAM = os.environ.get("ETA_TEAM", "nobody")

@task
def told(team: str = TEAM, rate: str = RATE, home: str = os.path.expanduser("~/x")) -> str:
    return team
"""


def defaults(closure):
    return {i.name: i.default for i in closure.workflow.interface.inputs}


def test_what_a_file_asks_the_environment_for_is_asked_again(project, monkeypatch):
    (project / "ours.py").write_text(BY_VARIABLES)
    (project / "helper.py").write_text("import os\nRATE = os.getenv('ETA_RATE', '1')\n")
    compiled, in_process = [], compiling._in_process
    monkeypatch.setattr(
        compiling, "_in_process", lambda *args, **named: compiled.append(1) or in_process(*args, **named)
    )
    monkeypatch.setenv("HOME", str(project))

    def told():
        return defaults(compile_file(str(project / "ours.py"), "told", project / "home"))

    first = told()
    assert first == {"team": "nobody", "rate": "1", "home": f"{project}/x"}
    monkeypatch.setenv("ETA_OTHER", "which nobody asks for")
    assert (told(), len(compiled)) == (first, 1)
    monkeypatch.setenv("ETA_TEAM", "maps")
    assert told() == {**first, "team": "maps"}
    monkeypatch.setenv("ETA_RATE", "2")
    monkeypatch.setenv("HOME", "/elsewhere")  # which the library was asked for
    assert told() == {"team": "maps", "rate": "2", "home": "/elsewhere/x"}
    assert (told()["team"], len(compiled)) == ("maps", 3)
    assert all(b"maps" not in json.dumps(json.loads(kept.read_bytes())["variables"]).encode()
               for kept in (project / "home" / "compiled").iterdir())  # fmt: skip


def test_what_a_library_asks_for_while_it_is_imported_is_its_own(project, monkeypatch):
    folder = project / "site-packages"
    folder.mkdir()
    (folder / "lib.py").write_text("import os\nDEEP = os.environ.get('LIB_DEEP', '')\n")
    begin = f"import sys\nsys.path.append({str(folder)!r})\nimport lib\n"
    source = f"{begin}from wingbeat import task\n@task\ndef one() -> int:\n    return 1\n"
    (project / "ours.py").write_text(source)
    compile_file(str(project / "ours.py"), "one", project / "home")
    (kept,) = (project / "home" / "compiled").iterdir()
    assert json.loads(kept.read_bytes())["variables"] == {}


def test_no_parent_is_started_where_tasks_run_elsewhere(project, monkeypatch):
    monkeypatch.setenv("WINGBEAT_KERNEL__EXECUTOR", "container")
    compile_file(str(project / "ours.py"), "whose", project / "home")
    assert parents(project / "home") == []


def test_a_file_that_ends_its_process_is_told_so(project):
    (project / "ours.py").write_text("import os; os._exit(3)")
    with pytest.raises(CompileError, match="exit code 3"):
        compile_file(str(project / "ours.py"), "whose", project / "home")


def test_a_file_that_takes_too_long_is_ended(project, monkeypatch):
    monkeypatch.setattr(compiling, "COMPILE_S_MAX", 1.0)
    (project / "ours.py").write_text(f"""
import os, time
with open({str(project / "pid")!r}, "w") as file:
    file.write(str(os.getpid()))
time.sleep(60)
""")
    with pytest.raises(CompileError, match="longer than"):
        compile_file(str(project / "ours.py"), "whose", project / "home")
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(:\n", '{file}: SyntaxError: invalid syntax\n  File "{file}", line 1\n    def f(:\n          ^'),
        (
            "raise ValueError('no')\n",
            "{file}: ValueError: no\n  File \"{file}\", line 1, in <module>\n    raise ValueError('no')",
        ),
        (
            "import sys\nsys.exit(3)\n",
            '{file}: it ends the program: sys.exit(3)\n  File "{file}", line 2, in <module>\n    sys.exit(3)',
        ),
    ],
)
def test_what_goes_wrong_at_import_is_said_once_with_its_line(project, source, said):
    file = project / "ours.py"
    file.write_text(source)
    with pytest.raises(CompileError) as told:
        compile_file(str(file), "whose", project / "home")
    assert told.value.message == said.format(file=file)


def test_a_workflow_whose_body_exits_is_told_alone(project):
    file = project / "ours.py"
    file.write_text(FILE + "\nfrom wingbeat import workflow\n@workflow\ndef leaves() -> None:\n    raise SystemExit\n")
    assert compile_file(str(file), "whose", project / "home").workflow.name == "ours.whose"
    with pytest.raises(CompileError, match=r"it ends the program: sys.exit\(\)") as told:
        compile_file(str(file), "leaves", project / "home")
    assert told.value.hint == ""


@pytest.mark.parametrize(("end", "how"), [("os._exit(3)", "exit code 3"), ("os.kill(os.getpid(), 11)", "signal 11")])
def test_an_import_that_ends_its_process_is_not_said_to_have_printed(project, end, how):
    file = project / "ours.py"
    file.write_text(f"import os\n{end}\n")
    with pytest.raises(CompileError, match=f"ended its process without a word of Python .{how}.") as told:
        compile_file(str(file), "whose", project / "home")
    assert "If it has printed something" in told.value.hint


def test_what_goes_wrong_in_the_body_of_a_workflow_is_told_with_its_own_lines_only(project):
    file = project / "ours.py"
    file.write_text("from wingbeat import workflow\n@workflow\ndef whose(n: int) -> int:\n    return len(3)\n")
    with pytest.raises(CompileError) as told:
        compile_file(str(file), "whose", project / "home")
    lines = told.value.message.splitlines()
    assert lines[0] == f"{file}: TypeError: object of type 'int' has no len()"
    assert [line for line in lines if " File " in line] == [f'  File "{file}", line 4, in whose']


def test_a_launch_plan_is_told_apart_from_what_is_not_there(project):
    source = "\nfrom wingbeat import LaunchPlan, workflow\n\n@workflow\ndef w() -> int:\n    return 1\n\nplan = LaunchPlan(w)\n"
    (project / "ours.py").write_text(FILE + source)
    file = str(project / "ours.py")
    with pytest.raises(InputError, match=r"'plan' of .*ours\.py is a launch plan of ours\.w;") as found:
        compile_file(file, "plan", project / "home")
    assert "await kernel.launch(plan)" in found.value.hint
    with pytest.raises(InputError, match="no workflow or task 'nope'") as found:
        compile_file(file, "nope", project / "home")
    assert found.value.hint == "It has w, whose. Launch plans, for programs and to be called in workflows: plan."
    assert entities_of(file, project / "home") == ["w", "whose"]


def test_what_the_files_themselves_ask_for_is_warned_of_without_its_value(project, monkeypatch):
    monkeypatch.setenv("ETA_TEAM", "hush")
    monkeypatch.setenv("ETA_INSIDE", "never")
    inside = "\n@task\ndef late() -> str:\n    return os.environ['ETA_INSIDE']\nos.environ.setdefault('ETA_SET', '1')\n"
    (project / "ours.py").write_text(BY_VARIABLES + inside)
    (project / "helper.py").write_text(
        "import os\nRATE = os.getenv('ETA_RATE', '1') if 'ETA_IS' not in os.environ else 2\n"
    )
    for of in (problems_of, definitions_of, problems_of):  # also of what is kept
        warnings = []
        of(str(project / "ours.py"), project / "home", warnings=warnings)
        assert [each.split(" while ")[0].rpartition("/")[2] for each in warnings] == [
            "helper.py asks the environment for ETA_IS, ETA_RATE",
            "ours.py asks the environment for ETA_TEAM",
        ]  # HOME is asked for by a library
        assert "hush" not in str(warnings)
