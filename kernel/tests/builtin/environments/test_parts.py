from __future__ import annotations

import asyncio
import os
import sys
import time
import zipfile
from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.environments import interpreters, uv
from wingbeat.builtin.environments.interpreters import choose, matches, running
from wingbeat.builtin.environments.manager import with_runtime
from wingbeat.builtin.environments.names import requirement_name
from wingbeat.builtin.environments.pins import applies, installed_in, keep_hashes, read_lines, read_pin, satisfies
from wingbeat.builtin.environments.settings import cache_folder, path_without_shims, uv_variables
from wingbeat.builtin.environments.uv import essence, failure, run
from wingbeat.builtin.environments.wheels import Wheel, pack_runtime


def test_where_the_cache_is() -> None:
    assert cache_folder({"WINGBEAT_CACHE": "/x", "XDG_CACHE_HOME": "/y"}) == "/x"
    assert cache_folder({"XDG_CACHE_HOME": "/y"}) == "/y/wingbeat"
    assert cache_folder({"XDG_CACHE_HOME": "y"}) == cache_folder({}) == os.path.expanduser("~/.cache/wingbeat")


def test_the_variables_of_uv() -> None:
    given = {"PYTHONPATH": "x", "VIRTUAL_ENV": "y", "HTTPS_PROXY": "p", "PIP_INDEX_URL": "http://mirror"}
    made = uv_variables(given)
    assert "PYTHONPATH" not in made
    assert "VIRTUAL_ENV" not in made
    assert made["HTTPS_PROXY"] == "p"
    assert made["UV_DEFAULT_INDEX"] == "http://mirror"
    assert made["UV_PYTHON_DOWNLOADS"] == "never"
    assert "UV_DEFAULT_INDEX" not in uv_variables(given | {"UV_INDEX_URL": "http://other"})
    assert path_without_shims({"PATH": "/a/shims:/b:/c/shims/"}) == "/b"


NEW = """error: No solution found when resolving dependencies
  cause: Because you require msgspec<0.1 and wingbeat depends on msgspec>=0.20, we can conclude that your requirements
         are unsatisfiable.
"""
OLD = """  \u00d7 No solution found when resolving dependencies:
  ╰─▶ Because only wingbeat==1 is available and wingbeat==1 depends on
      msgspec>=0.20, we can conclude that your requirements are unsatisfiable.
"""


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (NEW, r"cannot be resolved: Because you require msgspec<0.1 and wingbeat depends .* are unsatisfiable\."),
        (OLD, r"cannot be resolved: Because only wingbeat==1 .* depends on msgspec>=0.20, .* unsatisfiable\."),
        ("error: Because nope was not found in the package registry", "does not exist"),
        ("error: Request failed after 3 retries\n cause: Failed to fetch: http://x", "cannot be reached"),
        ("error: disk on fire", "cannot be made: disk on fire"),
    ],
)
def test_what_uv_says_is_said_in_one_line(errors: str, message: str) -> None:
    error = failure("The environment (x)", errors)
    assert isinstance(error, ConfigurationError)
    assert error.message.startswith("The environment (x) ")
    with pytest.raises(ConfigurationError, match=message):
        raise error
    assert len(essence("x" * 10**6)) <= uv.ESSENCE_CHARACTERS_MAX


def test_without_uv_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigurationError, match="uv, which is not installed") as caught:
        uv.find_uv()
    assert caught.value.hint == 'pip install "wingbeat[environments]"'


def test_commands_get_no_input_and_bounded_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv, "OUTPUT_BYTES_MAX", 1000)
    code = "import sys; print(repr(sys.stdin.read())); sys.stderr.write('e' * 10**6 + 'end'); sys.exit(3)"
    done = asyncio.run(run(sys.executable, "-c", code, folder=str(tmp_path)))
    assert (done.code, done.output, len(done.errors)) == (3, "''\n", 1000)
    assert done.errors.endswith("end")


def test_a_cancelled_command_is_gone_with_its_children(tmp_path: Path) -> None:
    code = (
        "import os, time, subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "open('pids.new', 'w').write(f'{os.getpid()} {child.pid}'); os.rename('pids.new', 'pids'); time.sleep(60)"
    )

    async def main() -> list[int]:
        task = asyncio.create_task(run(sys.executable, "-c", code, folder=str(tmp_path)))
        while not (tmp_path / "pids").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [int(pid) for pid in (tmp_path / "pids").read_text().split()]

    def gone(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    pids = asyncio.run(main())
    until = time.monotonic() + 10
    while not all(map(gone, pids)) and time.monotonic() < until:
        time.sleep(0.01)
    assert all(map(gone, pids))


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("3.12.1", "3.12", True),
        ("3.12.1", "3.12.1", True),
        ("3.12.1", "3.1", False),
        ("3.1.2", "3.12", False),
        ("3.12.1", "python3.12", True),
        ("3.12.1", ">=3.11,<3.13", True),
        ("3.13.0", ">=3.11,<3.13", False),
        ("3.12.1", "==3.12.*", True),
        ("3.12.1", "!=3.12.*", False),
        ("3.12.1", ">3.12", False),
        ("3.12.1", "<=3.12", True),
    ],
)
def test_versions_of_python(version: str, wanted: str, fits: bool) -> None:
    assert matches(version, wanted) is fits


def test_the_running_python_is_taken_where_it_fits(tmp_path: Path) -> None:
    here = running()
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert asyncio.run(choose("", str(tmp_path))) == here
    assert asyncio.run(choose(minor, str(tmp_path))) == here
    found = asyncio.run(choose(here.path, str(tmp_path)))
    assert found == here
    assert asyncio.run(choose(here.path, str(tmp_path))) == found
    assert "venv" not in here.path


def test_a_missing_python_lists_those_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def known(_: str) -> list[interpreters.Found]:
        return [interpreters.Found("3.9.18", "/old"), running()]

    monkeypatch.setattr(interpreters, "installed", known)
    with pytest.raises(ConfigurationError, match=r"asks for Python 3.99, which is not here. Found") as caught:
        asyncio.run(choose("3.99", str(tmp_path)))
    assert running().path in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"only as 3.9.18, older than the 3.11"):
        asyncio.run(choose("3.9", str(tmp_path)))
    with pytest.raises(ConfigurationError, match="not understood"):
        asyncio.run(choose("latest", str(tmp_path)))
    for path in ("/nowhere/python", str(tmp_path), "/bin/false"):
        with pytest.raises(ConfigurationError, match="not an interpreter"):
            asyncio.run(choose(path, str(tmp_path)))


def test_lines_and_pins() -> None:
    text = "# lock\nattrs==22.2.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb  # via x\n\n"
    text += "b[x]==1 ; python_version < '3'\n"
    lines = read_lines(text)
    assert lines == ["attrs==22.2.0 --hash=sha256:aa --hash=sha256:bb", "b[x]==1 ; python_version < '3'"]
    pin = read_pin(lines[0])
    assert pin
    assert (pin.name, pin.version) == ("attrs", "22.2.0")
    pin = read_pin("Some_Name @ git+https://h/r@abc#egg=x ; sys_platform == 'x'")
    assert pin
    assert (pin.name, pin.url, pin.marker) == ("some-name", "git+https://h/r@abc#egg=x", "sys_platform == 'x'")
    for line in ("attrs", "attrs>=1", "attrs==1.*", "attrs==1,<2", "-e .", "-r other.txt", "./local", "--index-url x"):
        assert read_pin(line) is None, line
    assert [requirement_name(x) for x in ("A.b_c[x]>=1", "-e .", "./x")] == ["a-b-c", "", ""]


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ("python_version < '3.12'", True),
        ("python_full_version >= '3.11.10'", False),
        ("python_version == '3.11.0'", True),
        ("python_version in '3.10, 3.11'", True),
        (f"sys_platform == '{sys.platform}'", True),
        ("sys_platform == 'win32'", False),
        ("sys_platform == 'win32' or (os_name == 'posix' and python_version > '3.2')", True),
        ("extra == 'x'", False),
        ("'linux' in sys_platform", sys.platform.startswith("linux")),
        ("python_version ~= '3.11'", True),
        ("__import__('os').system('false')", True),
        ("nonsense", True),
    ],
)
def test_markers(marker: str, holds: bool) -> None:
    assert applies(marker, "3.11.7") is holds


def test_what_is_installed_satisfies_a_lock_or_not(tmp_path: Path) -> None:
    for name in (
        "attrs-22.2.0.dist-info",
        "Some_Thing-1.0.dist-info",
        "old-2-py3.11.egg-info",
        "git_one-1.dist-info",
        "x",
    ):
        (tmp_path / name).mkdir()
    origin = '{"url": "https://h/r", "vcs_info": {"vcs": "git", "commit_id": "abc"}}'
    (tmp_path / "git_one-1.dist-info" / "direct_url.json").write_text(origin)
    found = installed_in([str(tmp_path), str(tmp_path / "missing")])
    assert found == ("attrs==22.2.0", "git-one @ git+https://h/r@abc", "old==2", "some-thing==1.0")
    assert satisfies(found, found, "3.11.7")
    assert satisfies(found, ["attrs==22.2.0 --hash=sha256:aa", "win==1 ; sys_platform == 'win32'"], "3.11.7")
    for line in ("attrs==25.3.0", "missing==1", "git-one==1", "git-one @ git+https://h/r@def", "attrs>=1"):
        assert not satisfies(found, [line], "3.11.7"), line


def test_hashes_that_were_asked_for_are_kept() -> None:
    resolved = ["a==1 --hash=sha256:x --hash=sha256:y", "b==1 --hash=sha256:z"]
    assert keep_hashes(resolved, ["a==1", "b"]) == resolved
    assert keep_hashes(resolved, ["A==1 --hash=sha256:y --hash=sha256:q"])[0] == "a==1 --hash=sha256:y"
    with pytest.raises(ValueError, match="a==1"):
        keep_hashes(resolved, ["a==1 --hash=sha256:q"])


def test_requirements_get_wingbeat_from_its_wheels() -> None:
    wheels = [Wheel("wingbeat", "d", "/w k.whl"), Wheel("wingbeat-spark", "d", "/s.whl")]
    lines = ["attrs", "wingbeat-spark[kubernetes]>=0.1", "Wingbeat"]
    ours = ["wingbeat @ file:///w%20k.whl", "wingbeat-spark[kubernetes] @ file:///s.whl"]
    assert with_runtime(lines, wheels, strict=True) == ["attrs", "wingbeat-spark[kubernetes]>=0.1", *ours]
    assert with_runtime(lines, wheels, strict=False) == ["attrs", *ours]


def fake_plugin(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = root / "wingbeat_demo-0.3.dist-info"
    info.mkdir()
    needs = "Requires-Dist: wingbeat>=0\nRequires-Dist: attrs>=22\n"
    needs += "Requires-Dist: x; extra == 'more'\nProvides-Extra: more\n"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: wingbeat-demo\nVersion: 0.3\n{needs}")
    (info / "entry_points.txt").write_text("[wingbeat]\ndemo = wingbeat_demo.plugin\n")
    package = root / "wingbeat_demo"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("NAME = 'demo'\n")
    (package / "py.typed").write_text("")
    (package / "__pycache__" / "x.pyc").write_text("")
    monkeypatch.syspath_prepend(root)


def metadata(wheel: Wheel) -> str:
    with zipfile.ZipFile(wheel.path) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith("METADATA"))).decode()


def test_the_kernels_wheel_needs_msgspec_only(tmp_path: Path) -> None:
    (wheel,) = pack_runtime([], str(tmp_path))
    needs = [line for line in metadata(wheel).splitlines() if line.startswith("Requires-Dist")]
    assert len(needs) == 1
    assert needs[0].startswith("Requires-Dist: msgspec>")
    with zipfile.ZipFile(wheel.path) as archive:
        names = archive.namelist()
    assert "wingbeat/runtime/bundle.py" in names
    assert not [n for n in names if "__pycache__" in n or n.endswith(".pyc")]
    status = os.stat(wheel.path)
    assert pack_runtime([], str(tmp_path)) == [wheel]
    assert os.stat(wheel.path).st_ino == status.st_ino


def test_a_plugins_wheel_has_its_needs_and_brings_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    fake_plugin(tmp_path / "site", monkeypatch)
    kernel, demo = pack_runtime(["attrs", "wingbeat-demo"], str(tmp_path / "wheels"))
    assert (kernel.name, demo.name) == ("wingbeat", "wingbeat-demo")
    said = metadata(demo)
    assert "Requires-Dist: attrs>=22" in said
    assert "Provides-Extra: more" in said
    with zipfile.ZipFile(demo.path) as archive:
        assert [n for n in archive.namelist() if n.startswith("wingbeat_demo/")] == [
            "wingbeat_demo/__init__.py",
            "wingbeat_demo/py.typed",
        ]
        assert b"demo = wingbeat_demo.plugin" in archive.read("wingbeat_demo-0.3.dist-info/entry_points.txt")
    assert pack_runtime(["wingbeat-demo"], str(tmp_path / "elsewhere"))[1].digest == demo.digest
    (tmp_path / "site/wingbeat_demo/__init__.py").write_text("NAME = 'changed'\n")
    assert pack_runtime(["wingbeat-demo"], str(tmp_path / "wheels"))[1].digest != demo.digest
    with pytest.raises(ConfigurationError, match="wingbeat-nope, which is not installed here"):
        pack_runtime(["wingbeat-nope"], str(tmp_path / "wheels"))
    assert len(pack_runtime(["wingbeat-nope"], str(tmp_path / "wheels"), strict=False)) == 1


def test_a_package_locked_twice_for_different_pythons_keeps_the_hashes_of_both():
    asked = ["a==1 ; python_version < '3.12' --hash=sha256:11", "a==2 ; python_version >= '3.12' --hash=sha256:22"]
    assert keep_hashes(["a==1 --hash=sha256:11 --hash=sha256:33"], asked) == ["a==1 --hash=sha256:11"]
    assert keep_hashes(["a==2 --hash=sha256:22"], asked) == ["a==2 --hash=sha256:22"]
