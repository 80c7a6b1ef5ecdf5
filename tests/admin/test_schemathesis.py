"""Every operation of the HTTP API, tried out by its OpenAPI document with what that allows and what it does not, one by one and in
a row along its links. With all checks: what is left out says why in `openapi/schemathesis.toml`.

`EXAMPLES` says how many examples an operation gets.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import Server, serving, wingbeat

HERE = Path(__file__).parent / "openapi"
LONG = 1000
UNTRIED = "Failed to generate test cases for this API operation. Schemathesis does not support "


def examine(server: Server, root: Path, examples: int, *more: str) -> None:
    line = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"), "run",
        f"{server.url}/api/openapi/openapi.json", "--header", f"Authorization: Bearer {server.key}", "--checks", "all",
        "--max-examples", str(examples), "--continue-on-failure", "--suppress-health-check", "all", "--no-color", *more,
    ]  # fmt: skip
    with (root / "report").open("w+") as report:
        done = subprocess.run(line, cwd=root, stdout=report, stderr=subprocess.STDOUT, check=False)
        report.seek(0)
        told = report.read()
    assert done.returncode == 0 or untried(told), told[-20_000:]


def untried(told: str) -> list[str]:
    """Operations for some of whose schemas the tool says that it cannot make values; empty if anything else is wrong. What it comes
    upon is a matter of chance: the other examples of these operations were tried."""
    if "= FAILURES =" in told or "= ERRORS =" not in told:
        return []
    errors = re.split(r"^={3,} ", told.partition("= ERRORS =")[2], maxsplit=1, flags=re.MULTILINE)[0]
    _, *blocks = re.split(r"^_{3,} (.+) _{3,}$", errors, flags=re.MULTILINE)
    operations, texts = blocks[::2], blocks[1::2]
    return operations if all(text.strip().startswith(f"Schema Error\n\n{UNTRIED}") for text in texts) else []


def stage(root: Path) -> None:
    shutil.copy(HERE / "flows.py", root)
    wingbeat(root, "register", "flows.py", "--project", "maps", "--domain", "production", "--version", "v1")


REPORT = f"""
==== ERRORS ====
____ POST /plans ____
Schema Error

{UNTRIED}a `not`.

==== WARNINGS ====
"""


@pytest.mark.parametrize(
    ("told", "operations"),
    [
        (REPORT, ["POST /plans"]),
        (REPORT.replace("Schema Error", "Network Error"), []),
        (REPORT.replace("==== ERRORS", "==== FAILURES ====\n==== ERRORS"), []),
        (REPORT.replace("\n==== WARN", "____ GET / ____\nNetwork Error\n\n==== WARN"), []),
        ("", []),
    ],
)
def test_only_what_the_tool_cannot_do_is_passed_over(told, operations):
    assert untried(told) == operations


@pytest.mark.servers
@pytest.mark.timeout(900)
def test_every_operation_does_what_its_document_says(tmp_path):
    stage(tmp_path)
    with serving(tmp_path) as server:
        examine(server, tmp_path, int(os.environ.get("EXAMPLES", "5")), "--max-time", "90")


@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
def test_also_a_thousand_times(tmp_path):
    stage(tmp_path)
    with serving(tmp_path) as server:
        examine(server, tmp_path, int(os.environ.get("EXAMPLES", LONG)))
