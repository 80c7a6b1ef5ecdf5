"""Each example of a plugin, built and installed as a stranger's, passes the kits and does what its program shows."""

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


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, folder: Path) -> None:
    options = ("--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable)
    run(UV, "build", *options, "--out-dir", folder, source)


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
    python = tmp_path / "environment/bin/python"
    run(UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "environment")
    places = ("--find-links", kernel, "--find-links", wheels)
    run(UV, "pip", "install", "--quiet", "--python", python, *places, f"{name}[test]")
    run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=source)
    (tmp_path / "elsewhere").mkdir()
    run(python, source / "example.py", cwd=tmp_path / "elsewhere")


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
