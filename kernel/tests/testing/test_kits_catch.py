"""The kits are worth running: each broken plugin fails the tests that are about its fault, and passes all others.

The plugins are in `broken/`, a file for each seam. Each class there says by which tests it is caught; and `perhaps`, by which
others it may be, where that is a matter of the moment.
"""

import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from wingbeat.testing import remains

BROKEN = Path(__file__).with_name("broken")
FILES = sorted(BROKEN.glob("*.py"))
IDS = [file.stem for file in FILES]
ROOT = Path(__file__).parents[3]


def broken(file):
    spec = importlib.util.spec_from_file_location(f"broken_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: made for name, made in vars(module).items() if name.startswith("Test")}


def of(file, name):
    return f"{file.stem}.{name}"


def caught_by(files):
    return {of(file, name): made.caught_by for file in files for name, made in broken(file).items()}


def failures(*tests, report, processes=0):
    """By file and class, the tests that failed in processes of their own, and what those have said."""
    plugins = ["-p", "anyio.pytest_plugin", "-p", "pytest_timeout", "-p", "xdist.plugin"]  # all are dear to import
    options = ["-q", f"--junitxml={report}", "-p", "no:cacheprovider", "-o", "faulthandler_timeout=0", f"-n{processes}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *options, *tests],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    found = {}
    for case in ET.parse(report).iter("testcase"):
        wrong = case.find("failure") is not None or case.find("error") is not None
        failed = found.setdefault(".".join(case.attrib["classname"].split(".")[-2:]), set())
        if wrong:
            failed.add(case.attrib["name"].partition("[")[0])
    return found, done.stdout


@pytest.mark.timeout(300)
def test_faults_are_found_by_the_tests_about_them(tmp_path):
    """All at once, and several side by side: most of the time they wait for what never comes."""
    tests = [
        f"{file}::{name}::{test}"
        for file in FILES
        for name, made in broken(file).items()
        for test in sorted(made.caught_by)
    ]
    base = tmp_path / "base"
    found, output = failures(*tests, f"--basetemp={base}", report=tmp_path / "report.xml", processes=4)
    left = remains.begun_in(str(base))
    remains.end(str(base))
    assert found == caught_by(FILES), output[-20_000:]
    assert left == [], "attempts outlive the kernels of the tests that have failed in their midst"


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_faults_are_found_by_no_others(file, tmp_path):
    found, output = failures(str(file), report=tmp_path / "report.xml")
    perhaps = {of(file, name): getattr(made, "perhaps", set()) for name, made in broken(file).items()}
    assert {name: failed - perhaps[name] for name, failed in found.items()} == caught_by([file]), output[-20_000:]


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_there_are_several_for_each_seam(file):
    assert len(broken(file)) >= 3
