"""Each distribution, built and installed alone beside the kernel into an empty environment: it brings what it needs, its README
does what it says, and its own tests pass there."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
FOLDERS = {
    "wingbeat": "kernel",
    "wingbeat-cli": "cli",
    "wingbeat-admin": "plugins/admin",
    "wingbeat-catalog": "plugins/catalog",
    "wingbeat-container": "plugins/container",
    "wingbeat-notify": "plugins/notify",
    "wingbeat-spark": "plugins/spark",
    "wingbeat-telemetry": "plugins/telemetry",
    "wingbeat-tensorflow": "plugins/tensorflow",
}
"""Of every distribution."""
HEAVY = {"wingbeat-spark": "spark", "wingbeat-tensorflow": "tensorflow"}
"""Of those that need something heavy, the mark of their README's test."""
MORE = {
    "wingbeat-admin": ("wingbeat-admin[server]",),
    "wingbeat-cli": ("mypy", "ruff"),
    "wingbeat-notify": ("aiosmtpd", "standardwebhooks", "trustme"),
    "wingbeat-spark": ("pandas", "polars", "pyarrow"),
    "wingbeat-tensorflow": ("numpy",),
}
"""What their tests import besides. Those that need something heavy are run in environments of their own, by their marks."""


def beside_its_own(name: str, *marks: pytest.MarkDecorator) -> Any:
    """A distribution, all of whose tests share the environments of one worker."""
    return pytest.param(name, marks=[pytest.mark.xdist_group(f"wheel of {name}"), *marks])


EACH = [beside_its_own(name) for name in FOLDERS]
TESTED = [beside_its_own(name) for name in FOLDERS if name != "wingbeat"]
"""Those whose tests run alone. The kernel's need everything that tasks may use: of it, what it does alone is tried."""
READ = [
    beside_its_own(name, *([getattr(pytest.mark, HEAVY[name])] if name in HEAVY else []))
    for name in FOLDERS
    if name not in ("wingbeat", "wingbeat-cli", "wingbeat-container")
]
"""Those whose README shows a program; that of containers is tried by a test of theirs."""
CONFTEST = ROOT / "conftest.py"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\w+\.(?:py|toml))\n")
SERVER = "wingbeat serve"
"""It goes on; it, and what is shown behind it, is tried end to end."""
ALONE = """
from wingbeat import map_task, run, task, workflow

@task(cache=True)
def square(n: int) -> int:
    return n * n

@task
def total(squares: list[int]) -> int:
    return sum(squares)

@workflow
def flow(n: list[int]) -> int:
    return total(map_task(square)(n))

if __name__ == "__main__":
    assert run(flow, n=[1, 2, 3]) == 14
"""

pytestmark = [pytest.mark.environments, pytest.mark.timeout(600)]


def run(*command: str | Path, folder: Path = ROOT) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "WINGBEAT"))
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, built once for all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheels"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            options = ("--quiet", "--all-packages", "--wheel", "--no-build-isolation", "--python", sys.executable)
            made = folder.with_name("wheels-begun")
            run(UV, "build", *options, "--out-dir", made)
            made.rename(folder)
    return folder


@pytest.fixture(scope="module")
def python(wheels: Path, tmp_path_factory: pytest.TempPathFactory):
    """The Python of an empty environment with a distribution, the kernel that it brings, and what `more` says."""
    made: dict[tuple[str, ...], Path] = {}

    def make(*distributions: str, alone: str = "") -> Path:
        """One of its own for who says `alone` by name, to install more."""
        key = (*distributions, alone)
        if key not in made:
            environment = tmp_path_factory.mktemp("environment")
            found = made[key] = environment / "bin/python"
            run(UV, "venv", "--quiet", "--python", sys.executable, environment)
            ours = {wheel.name.partition("-")[0].replace("_", "-") for wheel in wheels.glob("*.whl")}
            # uv knows a wheel by its path; there may have been another of that name.
            fresh = [f"--refresh-package={name}" for name in sorted(ours)]
            run(UV, "pip", "install", "--quiet", "--python", found, "--find-links", wheels, *fresh, *distributions)
        return made[key]

    return make


def test_every_distribution_is_tried():
    folders = {str(found.parent.relative_to(ROOT)) for found in ROOT.glob("plugins/*/pyproject.toml")}
    assert folders | {"kernel", "cli"} == set(FOLDERS.values())


@pytest.mark.parametrize("distribution", EACH)
def test_the_wheel_holds_what_it_should(distribution: str, python):
    module = distribution.replace("-", "_")
    code = f"import {module}, importlib.metadata as m; print(*(str(f) for f in m.files('{distribution}')), sep='\\n')"
    files = run(python(distribution), "-I", "-c", code).splitlines()
    assert f"{module}/py.typed" in files
    assert any(name.endswith("/LICENSE") for name in files)
    assert not any(name.startswith("tests/") for name in files)


@pytest.mark.xdist_group("wheel of wingbeat")
def test_the_kernel_alone_runs_a_workflow_and_embeds(python, tmp_path: Path):
    (tmp_path / "flow.py").write_text(ALONE)
    run(python("wingbeat"), "flow.py", folder=tmp_path)


@pytest.mark.parametrize("distribution", TESTED)
def test_its_tests_pass_where_nothing_else_is(distribution: str, python, tmp_path: Path):
    shutil.copytree(ROOT / FOLDERS[distribution] / "tests", tmp_path / "tests")
    shutil.copy(CONFTEST, tmp_path)
    settings = ["[pytest]", "anyio_mode = auto", "addopts = --import-mode=importlib", "markers ="]
    markers = re.findall(r'^    "(\w+: .*)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    (tmp_path / "pytest.ini").write_text("\n".join([*settings, *(f"    {marker}" for marker in markers)]) + "\n")
    found = python(distribution, "wingbeat[testing]", "pytest-timeout", *MORE.get(distribution, ()))
    light = "not containers and not environments and not faults and not long and not servers and not spark and not tensorflow"
    assert " passed" in run(found, "-m", "pytest", "tests", "-q", "-m", light, folder=tmp_path)


def shell(python: Path, wheels: Path) -> str:
    """The begin of a script in an environment, to which pip installs; with what else is on the path of every machine."""
    fresh = " ".join(f"--refresh-package={name}" for name in sorted(FOLDERS))
    installs = f"{UV} pip install --quiet --python {python} --find-links {wheels} {fresh}"
    return f'set -e; PATH={python.parent}:/usr/bin:/bin; pip() {{ shift; {installs} "$@"; }}'


@pytest.mark.parametrize("distribution", READ)
def test_its_readme_does_what_it_says(distribution: str, wheels: Path, python, tmp_path: Path):
    """Word for word, in an environment that has the kernel and this one at first: its files, by the names that it gives them, and
    its commands, in their order. Of these some install something: a command stands behind what it comes with."""
    begins = shell(python(distribution, alone="readme"), wheels)
    shown = 0
    for language, block in BLOCK.findall((ROOT / FOLDERS[distribution] / "README.md").read_text()):
        if (name := NAMED.match(block)) is not None:
            (tmp_path / name[1]).write_text(block)
        elif not language:
            commands = [line for line in block.partition(SERVER)[0].splitlines() if "…" not in line]
            shown += sum(line.startswith("python ") for line in commands)
            run("bash", "-c", "\n".join([begins, *commands]), folder=tmp_path)
    assert shown, "a README shows the thing working"


@pytest.mark.xdist_group("wheel of wingbeat-cli")
def test_a_plugin_that_is_begun_does_what_its_readme_says(wheels: Path, python, tmp_path: Path):
    wingbeat = python("wingbeat-cli").with_name("wingbeat")
    run(wingbeat, "init", "plugin", "acme-lines", "--seam", "observer", folder=tmp_path)
    text = (tmp_path / "acme-lines/README.md").read_text()
    commands = re.findall(r"^\$ (.*)", text, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["pip", "pytest", "wingbeat"]
    script = "\n".join([shell(python("wingbeat", alone="begun"), wheels), *commands])
    assert " 0 failed" in run("bash", "-c", script, folder=tmp_path / "acme-lines")
