"""The kits are worth running: each broken plugin fails the tests that are about its fault, and passes all others.

The plugins are in `broken/`, a file for each seam. Each class there says by which tests it is caught; and `perhaps`, by which
others it may be, where that is a matter of the moment.
"""

import importlib.util
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

BROKEN = Path(__file__).with_name("broken")
FILES = sorted(BROKEN.glob("*.py"))
pytestmark = pytest.mark.timeout(300)


def broken(file):
    spec = importlib.util.spec_from_file_location(f"broken_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: made for name, made in vars(module).items() if name.startswith("Test")}


CASES = [(file, name, made) for file in FILES for name, made in broken(file).items()]
IDS = [f"{file.stem}-{name}" for file, name, _ in CASES]
_ran = {}


def failures(file, folder, *, whole):
    """By class, the tests that failed; a file is run once, in a process of its own: the whole kits, or what has to fail."""
    if (file, whole) not in _ran:
        report = folder / "report.xml"
        tests = [f"{file}::{name}::{test}" for name, made in broken(file).items() for test in sorted(made.caught_by)]
        options = ["-q", f"--junitxml={report}", "-p", "no:cacheprovider", "-o", "faulthandler_timeout=0"]
        command = [sys.executable, "-m", "pytest", *options, *([str(file)] if whole else tests)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
        assert done.returncode == 1, done.stdout + done.stderr
        found = {}
        for case in ET.parse(report).iter("testcase"):
            wrong = case.find("failure") is not None or case.find("error") is not None
            of = found.setdefault(case.attrib["classname"].rpartition(".")[2], set())
            if wrong:
                of.add(case.attrib["name"].partition("[")[0])
        _ran[file, whole] = found, done.stdout
    return _ran[file, whole]


@pytest.mark.parametrize(("file", "name", "made"), CASES, ids=IDS)
def test_the_fault_is_found_by_the_tests_about_it(file, name, made, tmp_path):
    found, output = failures(file, tmp_path, whole=False)
    assert found[name] == made.caught_by, output[-20_000:]


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("file", "name", "made"), CASES, ids=IDS)
def test_the_fault_is_found_by_no_others(file, name, made, tmp_path):
    found, output = failures(file, tmp_path, whole=True)
    assert found[name] - getattr(made, "perhaps", set()) == made.caught_by, output[-20_000:]


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_there_are_several_for_each_seam(file):
    assert len(broken(file)) >= 3
