"""Each distribution, built and installed alone into an empty environment, brings what it needs and can be imported."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")

pytestmark = [pytest.mark.environments, pytest.mark.timeout(300)]


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    options = ("--quiet", "--all-packages", "--wheel", "--no-build-isolation", "--python", sys.executable)
    run(UV, "build", *options, "--out-dir", folder)
    return folder


@pytest.mark.parametrize("distribution", ["wingbeat", "wingbeat-cli", "wingbeat-catalog", "wingbeat-spark"])
def test_wheel_installs_alone(distribution: str, wheels: Path, tmp_path: Path):
    module = distribution.replace("-", "_")
    environment = tmp_path / "environment"
    python = environment / "bin/python"
    run(UV, "venv", "--quiet", "--python", sys.executable, environment)
    run(UV, "pip", "install", "--quiet", "--python", python, "--find-links", wheels, distribution)
    code = f"import {module}, importlib.metadata as m; print(*(str(f) for f in m.files('{distribution}')), sep='\\n')"
    files = run(python, "-I", "-c", code).splitlines()
    assert f"{module}/py.typed" in files
    assert any(name.endswith("/LICENSE") for name in files)
    assert not any(name.startswith("tests/") for name in files)
