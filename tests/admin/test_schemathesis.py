"""Every operation of the HTTP API, tried out by its OpenAPI document with what that allows and what it does not, one by one and in
a row along its links. With all checks: what is left out says why in `openapi/schemathesis.toml`.

`EXAMPLES` says how many examples an operation gets.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import Server, serving, wingbeat

HERE = Path(__file__).parent / "openapi"
LONG = 1000


def examine(server: Server, root: Path, examples: int, *more: str) -> None:
    line = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"), "run",
        f"{server.url}/api/openapi/openapi.json", "--header", f"Authorization: Bearer {server.key}", "--checks", "all",
        "--max-examples", str(examples), "--continue-on-failure", "--suppress-health-check", "all", "--no-color", *more,
    ]  # fmt: skip
    with (root / "report").open("w+") as report:
        done = subprocess.run(line, cwd=root, stdout=report, stderr=subprocess.STDOUT, check=False)
        report.seek(0)
        assert done.returncode == 0, report.read()[-20_000:]


def stage(root: Path) -> None:
    shutil.copy(HERE / "flows.py", root)
    wingbeat(root, "register", "flows.py", "--project", "maps", "--domain", "production", "--version", "v1")


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
