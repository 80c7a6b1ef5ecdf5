"""Real environments, from a real index."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.environments import UvEnvironments, store_project_lock
from wingbeat.builtin.environments.interpreters import installed
from wingbeat.builtin.filestore import FileStore
from wingbeat.contracts.environment import MARK, Interpreter, ProjectLock
from wingbeat.spec.entities import EnvironmentSpec

pytestmark = [pytest.mark.environments, pytest.mark.timeout(300)]

OLD, NEW = EnvironmentSpec(packages=("attrs==22.2.0",)), EnvironmentSpec(packages=("attrs==25.3.0",))
LOOK = """
import importlib.metadata as m, json, sys
import wingbeat.contracts.environment, wingbeat.runtime.bundle
print(json.dumps([{d.name: d.version for d in m.distributions()}, sys.path, sys.version_info[:2]]))
"""


@pytest.fixture
def environments(tmp_path: Path) -> UvEnvironments:
    return UvEnvironments(FileStore(str(tmp_path / "storage")), cache=str(tmp_path / "cache"))


def look(interpreter: Interpreter) -> tuple[dict[str, str], list[str], list[int]]:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    ran = subprocess.run(
        [interpreter.python, "-c", LOOK],
        env=variables,
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
        cwd="/",
    )
    found: tuple[dict[str, str], list[str], list[int]] = json.loads(ran.stdout)
    return found


async def both(environments: UvEnvironments) -> list[Interpreter]:
    return list(await asyncio.gather(*(environments.ensure(e, "") for e in (OLD, NEW, OLD))))


def test_versions_that_exclude_each_other_side_by_side(environments: UvEnvironments, tmp_path: Path) -> None:
    old, new, again = asyncio.run(both(environments))
    assert old == again != new
    for interpreter, version in ((old, "22.2.0"), (new, "25.3.0")):
        packages, path, python = look(interpreter)
        assert packages.keys() == {"attrs", "msgspec", "wingbeat"}
        assert packages["attrs"] == version
        assert python == list(sys.version_info[:2])
        assert not [p for p in path if p.endswith("site-packages") and not p.startswith(str(tmp_path / "cache"))]
    started = time.monotonic()
    other = UvEnvironments(FileStore(str(tmp_path / "storage")), cache=str(tmp_path / "cache"))
    assert asyncio.run(both(other)) == [old, new, again]
    assert time.monotonic() - started < 2


def test_a_half_built_environment_is_built_again(environments: UvEnvironments, tmp_path: Path) -> None:
    first = asyncio.run(environments.ensure(OLD, ""))
    folder = Path(first.python).parent.parent
    (folder / MARK).unlink()
    shutil.rmtree(folder / "lib")
    fresh = UvEnvironments(FileStore(str(tmp_path / "storage")), cache=str(tmp_path / "cache"))
    assert asyncio.run(fresh.ensure(OLD, "")) == first
    assert look(first)[0]["attrs"] == "22.2.0"
    shutil.rmtree(tmp_path / "cache" / "environments")
    assert asyncio.run(fresh.ensure(OLD, "")) == first


def test_many_processes_build_it_once(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from wingbeat.builtin.environments import UvEnvironments;"
        "from wingbeat.builtin.filestore import FileStore; from wingbeat.spec.entities import EnvironmentSpec;"
        "made = UvEnvironments(FileStore(sys.argv[1]), cache=sys.argv[2]);"
        "print(asyncio.run(made.ensure(EnvironmentSpec(packages=('attrs==22.2.0',)), '')).python)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "storage"), str(tmp_path / "cache")]
    started = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for _ in range(4)]
    os.kill(started[0].pid, signal.SIGKILL)
    results = [p.communicate(timeout=200)[0] for p in started]
    assert len(set(results[1:])) == 1
    assert Path(results[1].decode().strip()).exists()


def test_a_cancelled_build_leaves_nothing_in_the_way(environments: UvEnvironments) -> None:
    async def main() -> Interpreter:
        task = asyncio.create_task(environments.ensure(OLD, ""))
        waiting = asyncio.create_task(environments.ensure(OLD, ""))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await waiting

    assert look(asyncio.run(main()))[0]["attrs"] == "22.2.0"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (EnvironmentSpec(packages=("msgspec<0.1",)), r"wingbeat.* depends on msgspec>=.*msgspec<0\.1"),
        (
            EnvironmentSpec(packages=("attrs==22.2.0",), requirements=("attrs==25.3.0\n",)),
            r"attrs==22\.2\.0 and attrs==25",
        ),
        (EnvironmentSpec(packages=("no-such-package-zzzq",)), "does not exist: .*no-such-package-zzzq"),
        (
            EnvironmentSpec(packages=("attrs==22.2.0 --hash=sha256:" + "0" * 64,)),
            "no file of attrs==22.2.0 with a hash",
        ),
        (EnvironmentSpec(packages=("wingbeat>=99",)), "cannot be resolved"),
        (EnvironmentSpec(packages=("attrs ===== 3",)), "attrs ===== 3"),
        (EnvironmentSpec(python="3.99"), "Python 3.99, which is not here. Found on this machine: .*3.1"),
    ],
)
def test_what_cannot_be(environments: UvEnvironments, spec: EnvironmentSpec, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        asyncio.run(environments.ensure(spec, ""))


def test_no_network(environments: UvEnvironments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(ConfigurationError, match="index, which cannot be reached"):
        asyncio.run(environments.ensure(OLD, ""))


def test_another_python(environments: UvEnvironments, tmp_path: Path) -> None:
    here = sys.version_info[:2]
    found = asyncio.run(installed(str(tmp_path)))
    others = {tuple(map(int, f.version.split(".")[:2])) for f in found} & {(3, 11), (3, 12), (3, 13)} - {here}
    if not others:
        pytest.skip("only one Python on this machine")
    version = max(others)
    spec = EnvironmentSpec(packages=("idna",), python=".".join(map(str, version)))
    packages, _, python = look(asyncio.run(environments.ensure(spec, "")))
    assert tuple(python) == version
    assert "idna" in packages


def test_the_projects_lock_is_built_where_its_interpreter_is_gone(environments: UvEnvironments, tmp_path: Path) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    lock = ProjectLock(
        version, "/gone/python", ("attrs==22.2.0", "msgspec==0.20.0", "wingbeat-nope==3", "wingbeat==0.0.1")
    )
    digest = store_project_lock(lock, FileStore(str(tmp_path / "storage")))
    made = asyncio.run(environments.ensure(None, digest))
    assert made.isolated
    packages = look(made)[0]
    assert packages.keys() == {"attrs", "msgspec", "wingbeat"}
    assert (packages["attrs"], packages["msgspec"]) == ("22.2.0", "0.20.0")
