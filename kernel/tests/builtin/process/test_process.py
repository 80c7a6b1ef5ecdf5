"""What an attempt's process is given, and what it leaves: folder, log, variables, descriptors, descendants."""

import json
import os
import signal
from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.settings import settings
from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.contracts.executor import Succeeded
from wingbeat.spec.entities import Isolation
from wingbeat.spec.literal import Inline

pytestmark = pytest.mark.anyio


def processes():
    return Path("/proc").glob("[0-9]*")


def umask():
    found = os.umask(0o022)
    os.umask(found)
    return found


def descriptors(pid):
    return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]


async def test_output_of_the_user_and_of_programs_it_starts_is_in_the_log(world):
    world.module(
        "m",
        """
        import os, subprocess, sys
        def talk() -> str:
            print("printed \\udcff")
            sys.stderr.write("on error\\n")
            os.write(1, b"raw\\n")
            subprocess.run(["echo", "from a program"], check=True)
            return sys.stdin.read()
        """,
    )
    outcome = await world.run(world.request("m:talk"))
    assert outcome.outputs["o0"] == Inline("")
    log = (world.attempt("x1/n0/0") / "log").read_text()
    for line in ("printed", "on error", "raw", "from a program"):
        assert line in log


async def test_an_attempt_knows_who_it_is_and_works_in_a_folder_of_its_own(world):
    world.module(
        "m",
        """
        import os
        def who(fail: bool) -> dict[str, str]:
            open("here", "w").close()
            assert not fail
            return {"cwd": os.getcwd(), **{k: v for k, v in os.environ.items() if k.startswith("WINGBEAT_")}}
        """,
    )
    outcome = await world.run(world.request("m:who", "x1/n0/3", {"fail": False}, variables={"WINGBEAT_EXTRA": "1"}))
    folder = world.attempt("x1/n0/3")
    value = outcome.outputs["o0"].value
    expected = {
        "cwd": str(folder / "work"),
        "WINGBEAT_EXECUTION": "x1",
        "WINGBEAT_NODE": "n0",
        "WINGBEAT_ATTEMPT": "3",
        "WINGBEAT_TASK": "m.who",
        "WINGBEAT_DIRECTORY": str(folder),
        "WINGBEAT_EXTRA": "1",
    }
    assert expected.items() <= value.items()
    assert not (folder / "work").exists()
    await world.run(world.request("m:who", "x1/n0/4", {"fail": True}))
    assert (world.attempt("x1/n0/4") / "work" / "here").exists()


async def test_every_attempt_starts_in_an_empty_folder_of_the_usual_mode(world, sink):
    world.module(
        "m",
        """
        import os
        def look() -> list[str]:
            found = [*os.listdir(), oct(os.stat(".").st_mode & 0o777)]
            if os.environ["WINGBEAT_NODE"] == "n1":
                os.chmod(".", 0o511)
            return found
        """,
    )
    executor = await world.executor(sink)
    usual = oct(0o777 & ~umask())
    for n in range(6):
        await executor.submit(world.request("m:look", f"x1/n{n}/0"))
    for n in range(6):
        assert (await sink.outcome(f"x1/n{n}/0")).outputs["o0"] == Inline([usual])


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_no_descriptor_of_kernel_or_parent_reaches_user_code(world, isolation, tmp_path):
    world.module(
        "m",
        """
        import os
        def look() -> list[str]:
            found = []
            for name in os.listdir("/proc/self/fd"):
                try:
                    found.append(os.readlink(f"/proc/self/fd/{name}"))
                except OSError:
                    pass
            return found
        """,
    )
    leak = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(leak, True)
    outcome = await world.run(world.request("m:look", isolation=isolation))
    os.close(leak)
    folder = world.attempt("x1/n0/0")
    held = {path for path in outcome.outputs["o0"].value if not path.startswith("/proc/")}
    own = {path for path in held if path.startswith(f"{folder}/.claim")}
    assert len(own) == 1
    assert held - own == {"/dev/null", str(folder / "log")}


async def test_whatever_an_attempt_leaves_running_is_killed_with_it(world):
    world.module(
        "m",
        """
        import os, subprocess, time
        def leave() -> list[int]:
            plain = subprocess.Popen(["sleep", "1000"])
            session = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            r, w = os.pipe()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.write(w, str(os.getpid()).encode())
                    time.sleep(1000)
                os._exit(0)
            return [plain.pid, session.pid, int(os.read(r, 20))]
        """,
    )
    outcome = await world.run(world.request("m:leave"))
    assert isinstance(outcome, Succeeded)
    assert not [pid for pid in outcome.outputs["o0"].value if f"/proc/{pid}" in map(str, processes())]


async def test_a_parent_holds_nothing_of_the_kernel_and_ends_when_it_is_idle(world, sink, until):
    world.module("m", "import os\ndef parent() -> int:\n    return os.getppid()\n")
    executor = await world.executor(sink, parent_idle_s=0.3)
    await executor.submit(world.request("m:parent"))
    pid = (await sink.outcome("x1/n0/0")).outputs["o0"].value
    assert os.getsid(pid) == pid
    held = descriptors(pid)
    allowed = ("/dev/null", "socket:", "anon_inode:", str(world.home / "parents"))
    assert [h for h in held if not h.startswith(allowed)] == []
    await until(lambda: not world.processes())
    assert list((world.home / "parents").glob("*.sock")) == []
    await executor.submit(world.request("m:parent", "x1/n1/0"))
    assert (await sink.outcome("x1/n1/0")).outputs["o0"].value != pid


async def test_the_files_of_an_attempt_can_be_read_by_anyone(world):
    world.module("m", "def f(x: int) -> int:\n    print('printed')\n    return 10 // x\n")
    await world.run(world.request("m:f", inputs={"x": 0}))
    folder = world.attempt("x1/n0/0")
    assert json.loads((folder / "request").read_text())["task"] == "m.f"
    assert json.loads((folder / "inputs").read_text()) == {"x": ["v", 0]}
    assert json.loads((folder / "error").read_text())["code"] == "ZeroDivisionError"
    assert json.loads((folder / "claim").read_text())["pid"] > 0
    assert json.loads((folder / "exit").read_text())["exit_code"] == 1
    assert sorted(p.name for p in folder.iterdir()) == ["claim", "error", "exit", "inputs", "log", "request", "work"]


@pytest.mark.parametrize(("text", "kept"), [("", []), ("printed", ["log"])])
async def test_of_a_success_only_what_somebody_may_want_is_kept(world, text, kept):
    world.module("m", "def f(text: str) -> int:\n    print(end=text)\n    return 1\n")
    await world.run(world.request("m:f", inputs={"text": text}))
    folder = world.attempt("x1/n0/0")
    assert json.loads((folder / "outputs").read_text()) == {"o0": ["v", 1]}
    assert sorted(p.name for p in folder.iterdir()) == ["claim", *kept, "outputs"]


async def test_a_log_does_not_grow_for_ever(world, sink, until):
    world.module(
        "m",
        """
        import os
        def f(gate: str) -> int:
            while not os.path.exists(gate):
                print("x" * 1000)
            return 1
        """,
    )
    executor = await world.executor(sink, log_bytes_max=10_000)
    await executor.submit(world.request("m:f", inputs={"gate": str(world.home / "gate")}))
    log = world.attempt("x1/n0/0") / "log"
    await until(lambda: log.exists() and b"bytes are left out here" in log.read_bytes())
    (world.home / "gate").touch()
    assert isinstance(await sink.outcome("x1/n0/0"), Succeeded)


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_the_log_of_a_short_attempt_is_kept_to_its_size_too(world, isolation):
    world.module("m", "def f() -> int:\n    print('first' + 'x' * 100_000 + 'last')\n    return 1\n")
    await world.run(world.request("m:f", isolation=isolation), log_bytes_max=10_000)
    log = (world.attempt("x1/n0/0") / "log").read_text()
    assert log.startswith("first")
    assert log.endswith("last\n")
    assert len(log) < 10_000


async def test_what_a_parent_sets_for_one_attempt_is_not_seen_by_the_next(world, sink):
    world.module(
        "m", "import os\ndef f() -> list[str]:\n    return [os.environ.get('EXTRA', ''), os.environ['WINGBEAT_NODE']]\n"
    )
    executor = await world.executor(sink)
    await executor.submit(world.request("m:f", "x1/n0/0", variables={"EXTRA": "mine"}))
    assert (await sink.outcome("x1/n0/0")).outputs["o0"] == Inline(["mine", "n0"])
    await executor.submit(world.request("m:f", "x1/n1/0"))
    assert (await sink.outcome("x1/n1/0")).outputs["o0"] == Inline(["", "n1"])


async def test_signals_work_in_user_code_as_in_any_program(world):
    world.module(
        "m",
        """
        import signal, subprocess
        def f() -> list[str]:
            subprocess.run(["true"], check=True)
            return [str(signal.getsignal(n) == signal.SIG_DFL) for n in (signal.SIGTERM, signal.SIGCHLD)]
        """,
    )
    outcome = await world.run(world.request("m:f"))
    assert outcome.outputs["o0"] == Inline(["True", "True"])
    assert signal.getsignal(signal.SIGCHLD) in (signal.SIG_DFL, signal.Handlers.SIG_DFL)


async def test_a_home_with_a_very_long_path_works(world):
    world.home = world.home / ("long" * 40)
    world.module("m", "def f() -> int:\n    return 1\n")
    assert isinstance(await world.run(world.request("m:f")), Succeeded)


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_user_code_may_remove_its_working_directory(world, isolation):
    world.module("m", "import os\ndef f() -> int:\n    os.rmdir(os.getcwd())\n    return 1\n")
    outcome = await world.run(world.request("m:f", isolation=isolation))
    assert outcome.outputs["o0"] == Inline(1)
    assert outcome.evidence["exit_code"] == 0
    log = world.attempt("x1/n0/0") / "log"
    assert not log.exists() or log.read_text() == ""


@pytest.mark.parametrize("key", ["slots", "log_bytes_max", "parent_idle_s"])
def test_a_setting_below_zero_is_refused(key):
    with pytest.raises(ConfigurationError, match=rf"process\.{key} = -1 does not fit"):
        settings("process", ProcessSettings, [("given", {key: -1})])
