"""What `wingbeat init plugin` writes is a package that ruff, mypy and the kits accept."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from wingbeat_cli.commands.init import SEAMS
from wingbeat_cli.scaffold import plugin

WORKING = ("observer", "notifier", "types", "wrapper", "secrets", "command")
UV = Path(sys.executable).with_name("uv")


def run(*command, cwd, **variables):
    return subprocess.run(command, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    return {seam: plugin.write(f"acme-{seam}", seam, folder) for seam in SEAMS}


def test_a_package_is_written_and_what_to_do_next_is_said(wingbeat, tmp_path):
    answer = wingbeat("init", "plugin", "acme-lines", "--into", str(tmp_path))
    assert answer.status == 0
    assert f"cd {tmp_path}/acme-lines" in answer.out
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        "acme-lines/README.md",
        "acme-lines/pyproject.toml",
        "acme-lines/src/acme_lines/__init__.py",
        "acme-lines/src/acme_lines/observer.py",
        "acme-lines/src/acme_lines/plugin.py",
        "acme-lines/src/acme_lines/py.typed",
        "acme-lines/src/acme_lines/settings.py",
        "acme-lines/tests/test_acme_lines.py",
    }


def test_a_name_that_ends_with_its_seam_does_not_say_it_twice():
    def classes(name, seam):
        return re.findall(
            r"^class (\w+)", plugin.contents(name, seam)[f"src/{name.replace('-', '_')}/{seam}.py"], re.MULTILINE
        )

    assert classes("acme-observer", "observer") == ["AcmeObserver"]
    assert classes("acme-lines", "observer") == ["AcmeLinesObserver"]
    assert classes("lines", "journal") == ["LinesJournal"]


def test_nothing_is_overwritten(wingbeat, tmp_path):
    (tmp_path / "acme-lines").mkdir()
    answer = wingbeat("init", "plugin", "acme-lines", "--into", str(tmp_path))
    assert answer.status == 6
    assert f"{tmp_path}/acme-lines is there already; nothing was written." in answer.err
    assert list(tmp_path.rglob("*")) == [tmp_path / "acme-lines"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Acme", "'Acme' is no name for a plugin.\n  Small letters, digits and hyphens"),
        ("../acme", "is no name for a plugin"),
        ("acme_lines", "is no name for a plugin"),
        ("json", "There is a module 'json' already.\n  Take another name: acme-json."),
        ("wingbeat", "There is a module 'wingbeat' already."),
        ("class", "There is a module 'class' already."),
    ],
)
def test_names_that_cannot_be_are_refused(wingbeat, tmp_path, name, says):
    answer = wingbeat("init", "plugin", name, "--into", str(tmp_path))
    assert answer.status == 2
    assert says in answer.err
    assert list(tmp_path.iterdir()) == []


def test_no_placeholder_is_left(generated):
    for folder in generated.values():
        for path in folder.rglob("*"):
            if path.is_file():
                assert "@NAME@" not in path.read_text()
                assert not [word for word in path.read_text().split() if word.startswith("@") and word[1:2].isupper()]


@pytest.mark.timeout(300)
def test_it_passes_ruff_and_mypy(generated, tmp_path):
    for seam, folder in generated.items():
        for command in (("check",), ("format", "--diff")):
            done = run(sys.executable, "-m", "ruff", *command, "--no-cache", ".", cwd=folder)
            assert done.returncode == 0, f"{seam}: {done.stdout}"
    options = ("--strict", "--no-error-summary", "--config-file", os.devnull, "--cache-dir", str(tmp_path))
    done = run(sys.executable, "-m", "mypy", *options, *(str(f / "src") for f in generated.values()), cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_what_is_to_be_written_says_what_it_has_to_do(generated):
    text = (generated["catalog"] / "src/acme_catalog/catalog.py").read_text()
    assert 'raise NotImplementedError(\n            "Ask to be the one that computes `key` (create or extend).' in text
    assert "the kit fails until they do it" in (generated["catalog"] / "README.md").read_text()


def test_a_catalog_goes_by_the_clock_of_its_kit(generated):
    """Else the tests for which time has to pass are skipped."""
    folder = generated["catalog"]
    program = """
        from pathlib import Path

        import test_acme_catalog as written
        from wingbeat.testing.home import TemporaryHome

        kit = written.TestCatalog
        clock = lambda: 5.0
        assert kit.injects_clock
        assert kit().make(TemporaryHome(Path("home")), clock).clock is clock
        assert written.plugin.make(TemporaryHome(Path("home"))).clock() > 1e9
    """
    places = os.pathsep.join([str(folder / "src"), str(folder / "tests")])
    done = run(sys.executable, "-c", textwrap.dedent(program), cwd=folder.parent, PYTHONPATH=places)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("seam", sorted(set(SEAMS) - set(WORKING)))
@pytest.mark.timeout(120)
def test_what_the_kit_finds_is_what_is_to_be_written(generated, seam):
    """And not that the test itself is wrong."""
    folder = generated[seam]
    command = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not TestPlugin")
    done = run(*command, cwd=folder, PYTHONPATH=str(folder / "src"))
    assert done.returncode == 1
    assert "NotImplementedError" in done.stdout, done.stdout


@pytest.mark.environments
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seam", SEAMS)
def test_its_kits_are_run_where_it_is_installed(generated, tmp_path, seam):
    site, folder = tmp_path / "site", generated[seam]
    where = ("--quiet", "--no-deps", "--no-build-isolation", "--python", sys.executable, "--target", str(site))
    installed = run(UV, "pip", "install", *where, str(folder), cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    chosen = () if seam in WORKING else ("-k", "TestPlugin")
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen)
    done = run(*command, cwd=folder, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stdout
