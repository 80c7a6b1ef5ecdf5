"""The programs of the README, as they stand, on images that carry the names it uses."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.containers, pytest.mark.timeout(180)]

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def run(podman, tmp_path):
    podman.run("tag", "localhost/wingbeat-shell:1", "docker.io/library/debian:12")
    podman.run("tag", "localhost/wingbeat-python:1", "docker.io/library/python:3.11")
    for name, source in BLOCK.findall(README.read_text()):
        (tmp_path / name).write_text(source)
    (tmp_path / "wingbeat.toml").write_text(f'[container]\nsocket = "{podman.socket}"\n')
    environment = {name: value for name, value in os.environ.items() if name != "WINGBEAT_HOME"}

    def made(program: str) -> str:
        done = subprocess.run(
            [sys.executable, program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    return made


def test_words_are_counted(run, tmp_path):
    (tmp_path / "text.txt").write_text("the cat and the dog and the bird\n")
    assert run("words.py") == "the"


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="not run here: the image is made of the Python of the tests"
)
def test_the_function_runs_in_the_image(run):
    with open("/etc/os-release") as file:
        assert run("python_in_image.py") == file.readline().strip()
