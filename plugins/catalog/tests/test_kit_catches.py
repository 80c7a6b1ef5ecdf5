"""The kit is worth running: each faulty catalog of the gallery fails the tests that are about its fault."""

import importlib.util
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

GALLERY = Path(__file__).with_name("gallery.py")


def broken() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("gallery", GALLERY)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: made for name, made in vars(module).items() if name.startswith("Test")}


BROKEN = broken()


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Class and test of everything that failed, of what must fail; the whole gallery in one run."""
    report = tmp_path_factory.mktemp("gallery") / "report.xml"
    options = ["-q", f"--junitxml={report}", "-p", "no:cacheprovider", "--timeout=20"]
    tests = [f"{GALLERY}::{name}::{test}" for name, made in BROKEN.items() for test in made.caught_by]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 1, done.stdout + done.stderr
    cases = list(ET.parse(report).iter("testcase"))
    failed = [case.attrib for case in cases if case.find("failure") is not None]
    return {(case["classname"].rpartition(".")[2], case["name"]) for case in failed}


@pytest.mark.parametrize("name", BROKEN)
def test_the_fault_is_found_by_the_tests_about_it(name: str, failures: set[tuple[str, str]]):
    assert {(name, test) for test in BROKEN[name].caught_by} <= failures
