"""Keys, roles and the audit log from the shell: in a home, and through its server."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


class Shell:
    """A shell in a folder, with a home there."""

    def __init__(self, root: Path, **environment: str) -> None:
        self.root = root
        (root / "wingbeat.toml").touch()
        without = {name: value for name, value in os.environ.items() if not name.startswith("WINGBEAT_")}
        settings = {"WINGBEAT_HOME": str(root / "home"), "XDG_CONFIG_HOME": str(root / "config")}
        self.environment = {**without, **settings, **environment}
        self.command = str(Path(sys.executable).with_name("wingbeat"))

    def __call__(self, *line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.command, *line],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *line: str) -> Any:
        done = self(*line, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@contextmanager
def serving(shell: Shell, *more: str) -> Iterator[str]:
    """The URL of a server of the home."""
    line = [shell.command, "serve", "--port", "0", *more]
    with subprocess.Popen(line, cwd=shell.root, env=shell.environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            ready, _, url = server.stdout.readline().strip().partition(" ")
            assert ready == "ready"
            yield url
        finally:
            server.terminate()


def everything(shell: Shell) -> None:
    """Every command about keys and roles, by somebody who may."""
    made = shell.json("create", "apikey", "ci", "--role", "runner", "-p", "maps", "-d", "production", "--expires", "1h")
    assert made["name"] == "ci" and made["key"].startswith("wb_")
    (key,) = [each for each in shell.json("get", "apikeys")["items"] if each["name"] == "ci"]
    assert [(grant["role"], grant["project"]) for grant in key["grants"]] == [("runner", "maps")]
    assert made["key"] not in json.dumps(key)
    given = ("create", "grant", "user:ana", "--role", "viewer", "-p", "maps")
    assert [shell.json(*given)["changed"] for _ in range(2)] == [True, False]
    assert shell.json("get", "grants", "--principal", "user:ana")["items"] == [
        {"principal": "user:ana", "role": "viewer", "project": "maps"}
    ]
    assert shell("delete", "grant", "user:ana", "-p", "maps").returncode == 0
    assert shell("delete", "grant", "user:ana", "-p", "maps").returncode == 4
    assert shell("create", "apikey", "ci").returncode == 6
    assert shell("delete", "apikey", "ci").returncode == 0
    assert shell("delete", "apikey", "ci").returncode == 4
    for wrong in (
        ("create", "apikey", "../x"),
        ("create", "grant", "ana", "--role", "viewer"),
        ("create", "apikey", "a", "--expires", "x"),
    ):
        assert shell(*wrong).returncode == 2
    noted = shell.json("get", "audit", "--action", "apikey.delete", "--outcome", "allowed", "--limit", "1")["items"][0]
    assert noted["object"] == "ci"


def test_in_a_home(tmp_path: Path) -> None:
    everything(Shell(tmp_path))


def test_through_the_server_of_the_home_and_as_an_admin(tmp_path: Path) -> None:
    shell = Shell(tmp_path, WINGBEAT_SERVER__AUTH="keys")
    with serving(shell) as url:
        everything(shell)  # the owner, who needs no key
        assert oct((tmp_path / "home/server").stat().st_mode & 0o777) == "0o600"
        admin = shell.json("create", "apikey", "boss", "--role", "admin")["key"]
        everything(Shell(tmp_path, WINGBEAT_ENDPOINT=url, WINGBEAT_API_KEY=admin))
    everything(Shell(tmp_path))


def test_a_command_that_follows_ends_with_its_key(tmp_path: Path) -> None:
    shell = Shell(tmp_path, WINGBEAT_SERVER__AUTH="keys")
    (tmp_path / "flow.py").write_text(
        "from wingbeat import wait_for_input, workflow\n@workflow\ndef waits() -> int:\n    return wait_for_input('n', int)\n"
    )
    with serving(shell) as url:
        key = shell.json("create", "apikey", "dev", "--role", "developer", "-p", "maps")["key"]
        user = Shell(tmp_path, WINGBEAT_ENDPOINT=url, WINGBEAT_API_KEY=key)
        line = [user.command, "run", "--name", "mine", "-p", "maps", "-d", "production", "flow.py", "waits"]
        with subprocess.Popen(line, cwd=tmp_path, env=user.environment, stderr=subprocess.PIPE, text=True) as running:
            end = time.monotonic() + 120
            while user("describe", "execution", "mine").returncode:
                assert time.monotonic() < end
            assert shell("delete", "apikey", "dev").returncode == 0
            assert running.wait(120) == 5
        assert shell.json("describe", "execution", "mine")["labels"]["wingbeat/by"] == "apikey:dev"
        assert user("abort", "mine").returncode == 5
        assert shell("abort", "mine").returncode == 0


@pytest.mark.parametrize("auth", ["off", "keys"])
def test_it_listens_elsewhere_only_where_everybody_is_asked(tmp_path: Path, auth: str) -> None:
    shell = Shell(tmp_path, WINGBEAT_SERVER__AUTH=auth)
    if auth == "off":
        refused = shell("serve", "--port", "0", "--host", "0.0.0.0")
        assert (refused.returncode, "server.auth" in refused.stderr) == (2, True)
    else:
        with serving(shell, "--host", "0.0.0.0") as url:
            assert url.startswith("http://0.0.0.0:")
