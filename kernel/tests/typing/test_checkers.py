"""What type checkers say to programs of users, line by line: mypy with the plugin, and pyright, which has none.

A comment on a line of a program names the codes of the errors there, or what `reveal_type` reveals.
"""

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from wingbeat import Workflow
from wingbeat.author.closing import close
from wingbeat.compile.check import check

PROGRAMS = Path(__file__).parent / "programs"
CONFIG = """
[mypy]
strict = True
warn_unreachable = True
enable_error_code = truthy-bool
plugins = wingbeat.mypy
"""
EXPECTED = re.compile(r"(mypy|pyright): ([^;]+)")
ITEM = re.compile(r'"[^"]+"|[\w-]+')
LINE = re.compile(r"(.+?\.py):(\d+): (?:error: .*\[([\w-]+)\]|note: Revealed type is (\".+\"))")
QUALIFIED = re.compile(r"\b(?:\w+\.)+(?=\w)")

Said = dict[str, list[str]]


def expected(checker: str) -> Said:
    found: Said = {}
    for program in sorted(PROGRAMS.glob("*.py")):
        for number, line in enumerate(program.read_text().splitlines(), 1):
            _, _, comment = line.partition("  # ")
            said = dict(EXPECTED.findall(comment))
            if checker in said:
                found[f"{program.name}:{number}"] = sorted(ITEM.findall(said[checker]))
    return found


def in_order(said: Said) -> Said:
    return {line: sorted(each) for line, each in said.items()}


@pytest.mark.timeout(300)
def test_mypy_with_the_plugin_finds_these_mistakes_and_no_others(tmp_path):
    (tmp_path / "mypy.ini").write_text(CONFIG)
    command = [sys.executable, "-m", "mypy", "--config-file", tmp_path / "mypy.ini", "--cache-dir", tmp_path / "cache"]
    done = subprocess.run([*command, *sorted(PROGRAMS.glob("*.py"))], capture_output=True, text=True, cwd=PROGRAMS)
    said: Said = defaultdict(list)
    for file, line, code, revealed in LINE.findall(done.stdout):
        said[f"{Path(file).name}:{line}"].append(code or QUALIFIED.sub("", revealed))
    assert done.returncode == 1, done.stdout + done.stderr
    assert in_order(said) == expected("mypy"), done.stdout


@pytest.mark.timeout(300)
def test_mypy_without_the_plugin_finds_nothing_wrong_in_a_right_program(tmp_path):
    command = [sys.executable, "-m", "mypy", "--config-file", "", "--cache-dir", tmp_path / "cache"]
    done = subprocess.run([*command, PROGRAMS / "right.py"], capture_output=True, text=True, cwd=PROGRAMS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_pyright_finds_these_mistakes_and_no_others(tmp_path):
    shutil.copytree(PROGRAMS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    command = [
        Path(sys.executable).with_name("basedpyright"),
        "--outputjson",
        "--pythonpath",
        sys.executable,
        "--project",
        tmp_path,
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    said: Said = defaultdict(list)
    for each in json.loads(done.stdout)["generalDiagnostics"]:
        revealed = re.match(r'Type of ".*" is (".+")$', each["message"])
        where = f"{Path(each['file']).name}:{each['range']['start']['line'] + 1}"
        said[where].append(revealed[1] if revealed else each["rule"])
    assert in_order(said) == expected("pyright"), done.stdout


def test_the_right_program_is_right(monkeypatch):
    monkeypatch.syspath_prepend(PROGRAMS)
    right = importlib.import_module("right")
    workflows = [each for each in vars(right).values() if isinstance(each, Workflow)]
    assert len(workflows) == 7
    for workflow in workflows:
        check(*close(workflow, None))
    assert right.test_of_a_user() is None
