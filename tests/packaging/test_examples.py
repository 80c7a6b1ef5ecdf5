"""Each example of a plugin, built and installed as a stranger's, passes the kits and does what its program shows."""

import itertools
import json
import operator
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "examples" / "plugins"
EXAMPLES = sorted(path.parent.name for path in PLUGINS.glob("*/pyproject.toml"))
UV = Path(sys.executable).with_name("uv")
FLOW = """
from wingbeat import LaunchPlan, OnSuccess, task, workflow


@task
def double(n: int) -> int:
    return 2 * n


@workflow
def quadruple(n: int) -> int:
    return double(double(n))


again = LaunchPlan(quadruple, name="again", trigger=OnSuccess("maps/production/flow.quadruple", inputs={"n": "o0"}))
"""
REGISTER = "register flow.py --project maps --domain production --version v1"
SESSION = (
    REGISTER,
    f"{REGISTER} ",  # again
    "get workflows",
    "launch maps/production/flow.quadruple@v1 --n 5 --name first --wait",
    "activate launchplan maps/production/again@v1",
    "get launchplans",
    "launch maps/production/flow.quadruple@v1 --n 6 --name second --wait",
    "launch maps/production/flow.double@v1 --n 1 --name third --wait",  # while a command stays, its admin launches what is due
    "get executions --entity maps/production/again",  # which the trigger has launched
    "launch maps/production/again@v1 --n 24 --name FOUND --wait",  # the same again: it waits for that
    "get executions",
    "get executions --project maps",
    "get executions --entity maps/production/flow.quadruple@v1 --limit 1",
    "describe execution first",
)
VARIES = frozenset({"began_at", "created_at", "ended_at", "evidence", "queued_at", "registered_at", "started_at"})
"""Moments, and what an engine knows of a process."""
LOOKS_MAX = 30


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    given = {"env": {**os.environ, **environment}} if environment else {}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **given)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, folder: Path) -> None:
    options = ("--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable)
    run(UV, "build", *options, "--out-dir", folder, source)


def environment(folder: Path, kernel: Path, wheels: Path, *names: str) -> Path:
    """The Python of an environment with these, from wheels, and nothing else."""
    places = ["--find-links", kernel, "--find-links", wheels]
    for wheel in (
        *kernel.glob("*.whl"),
        *wheels.glob("*.whl"),
    ):  # uv knows a wheel by its path; there may have been another
        places += ["--refresh-package", wheel.name.partition("-")[0].replace("_", "-")]
    python = folder / "environment/bin/python"
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / "environment")
    run(UV, "pip", "install", "--quiet", "--python", python, *places, *names)
    return python


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for member in ("kernel", "plugins/admin", "cli"):
        build(ROOT / member, folder)
    return folder


@pytest.mark.environments
@pytest.mark.timeout(900)
@pytest.mark.parametrize("example", EXAMPLES)
def test_example_passes_its_kits_where_it_is_installed(example: str, kernel: Path, tmp_path: Path):
    source, wheels = tmp_path / "source", tmp_path / "wheels"
    shutil.copytree(PLUGINS / example, source, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    build(source, wheels)
    shutil.rmtree(source / "src")  # what is tested is what was installed
    name = tomllib.loads((source / "pyproject.toml").read_text())["project"]["name"]
    python = environment(tmp_path, kernel, wheels, f"{name}[test]")
    run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=source)
    if example == "redis" and shutil.which("redis-server") is None:
        pytest.skip("not run here: redis-server is not installed (make podman)")
    (tmp_path / "elsewhere").mkdir()
    run(python, source / "example.py", cwd=tmp_path / "elsewhere")


def constant(told: object) -> object:
    if isinstance(told, dict):
        return {name: constant(value) for name, value in told.items() if name not in VARIES}
    return [constant(each) for each in told] if isinstance(told, list) else told


def session(wingbeat: Path, folder: Path, **chosen: str) -> dict[str, object]:
    """What each command says. A list is asked for until there is something in it: what a trigger launches comes a moment later."""
    said: dict[str, object] = {}
    found = ""
    for line in SESSION:
        for _ in range(LOOKS_MAX):
            text = run(wingbeat, *line.replace("FOUND", found).split(), "-o", "json", cwd=folder, **chosen)
            told = json.loads(text)
            if told.get("items", True):
                break
        if "production/again" in line and "items" in told:
            found = told["items"][0]["id"]
            told["items"][0]["phase"] = ""  # it may have ended by now
        if line.startswith("get executions"):  # two of them were launched at once
            told["items"].sort(key=operator.itemgetter("id"))
        said[line] = json.loads(json.dumps(constant(told)).replace(found or "FOUND", "FOUND"))
    return said


@pytest.mark.environments
@pytest.mark.timeout(900)
def test_the_same_commands_say_the_same_over_any_admin_and_any_engine(kernel: Path, tmp_path: Path):
    """What stands on either side of the contracts of admin and engine can be replaced, and nobody on the other side sees it."""
    for example in ("ledger", "sequential"):
        build(PLUGINS / example, tmp_path / "wheels")
    names = ("wingbeat-cli", "wingbeat-admin", "acme-ledger", "acme-sequential")
    python = environment(tmp_path, kernel, tmp_path / "wheels", *names)
    said = {}
    for admin, engine in itertools.product(("local", "ledger"), ("local", "sequential")):
        folder = tmp_path / f"{admin}-{engine}"
        folder.mkdir()
        (folder / "flow.py").write_text(FLOW)
        chosen = {
            "WINGBEAT_KERNEL__ADMIN": admin,
            "WINGBEAT_KERNEL__ENGINE": engine,
            "WINGBEAT_HOME": str(folder / "home"),
        }
        said[admin, engine] = session(python.with_name("wingbeat"), folder, **chosen)
        assert (folder / "home/ledger").exists() == (admin == "ledger")
        assert (folder / "home/sequential.sqlite").exists() == (engine == "sequential")
    expected = said.pop(("local", "local"))
    assert len(expected["get executions"]["items"]) == 4
    for who, told in said.items():
        for line in SESSION:
            assert told[line] == expected[line], (who, line)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_is_whole(example: str):
    """What people who write plugins are to copy from it is there."""
    folder = PLUGINS / example
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    (package,) = [path for path in (folder / "src").iterdir() if path.is_dir() and (path / "py.typed").exists()]
    assert project["name"].replace("-", "_") == package.name
    assert project["entry-points"]["wingbeat"] == {example: f"{package.name}.plugin"}
    assert [need for need in project["dependencies"] if need.startswith("wingbeat")] == ["wingbeat>=0.1,<0.2"]
    assert len((folder / "README.md").read_text().splitlines()) <= 30
    assert (folder / "example.py").exists()
    assert list((folder / "tests").glob("test_*.py"))
    assert f"plugins/{example}/" in (ROOT / "examples/README.md").read_text()
