"""Logging in from the shell, at a real OpenID provider: the certified library of Zitadel, built here from its Go module."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300), pytest.mark.xdist_group("login")]  # built once

PROVIDER = Path(__file__).parent / "provider"
USER, PASSWORD = "test-user@127.0.0.1", "verysecure"


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the provider."""
    if shutil.which("go") is None:
        pytest.skip("there is no go, which builds the provider")
    binary = tmp_path_factory.mktemp("provider") / "provider"
    built = subprocess.run(
        ["go", "build", "-o", binary, "."], cwd=PROVIDER, capture_output=True, text=True, check=False
    )
    if built.returncode:
        pytest.fail(f"the provider was not built:\n{built.stderr}")
    with subprocess.Popen([binary], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().strip()
        finally:
            running.kill()


class Shell:
    """A user's shell, with a folder of settings of its own."""

    def __init__(self, root: Path, **environment: str) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        (root / "wingbeat.toml").touch()
        without = {name: value for name, value in os.environ.items() if not name.startswith("WINGBEAT_")}
        self.environment = {
            **without,
            "WINGBEAT_HOME": str(root / "home"),
            "XDG_CONFIG_HOME": str(root / "config"),
            **environment,
        }
        self.command = str(Path(sys.executable).with_name("wingbeat"))

    def __call__(self, *line: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.command, *line],
            cwd=self.root,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, *line: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.command, *line],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def kept(self) -> Any:
        return json.loads((self.root / "config/wingbeat/credentials.json").read_text())


@pytest.fixture
def server(tmp_path: Path, provider: str) -> Iterator[tuple[Shell, str]]:
    """The shell of a server's owner, and its URL."""
    owner = Shell(
        tmp_path / "server",
        WINGBEAT_SERVER__AUTH="oidc",
        WINGBEAT_SERVER__ISSUER=provider,
        WINGBEAT_SERVER__CLIENT="wingbeat",
    )
    serving = owner.start("serve", "--port", "0")
    try:
        assert serving.stdout is not None
        ready, _, url = serving.stdout.readline().strip().partition(" ")
        assert ready == "ready"
        yield owner, url
    finally:
        serving.terminate()
        serving.communicate()


def said(running: subprocess.Popen[str]) -> str:
    """Where the user is told to go."""
    assert running.stderr is not None
    line = running.stderr.readline()
    found = re.search(r"http\S+", line)
    assert found is not None, line + running.stderr.read()
    return found[0]


def browse(page: str) -> httpx.Response:
    """What a user does with a browser, up to where it is led back to the shell."""
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        form = browser.get(page)
        id = parse_qs(urlsplit(str(form.url)).query)["authRequestID"][0]
        return browser.post(form.url.join("/login/username"), data={"username": USER, "password": PASSWORD, "id": id})


def test_login_by_a_browser_of_this_machine(tmp_path: Path, server: tuple[Shell, str]) -> None:
    owner, url = server
    user = Shell(tmp_path / "user", WINGBEAT_ENDPOINT=url)
    before = user("get", "workflows")
    assert (before.returncode, "wingbeat login" in before.stderr) == (5, True)

    running = user.start("login")
    page = said(running)
    assert parse_qs(urlsplit(page).query)["code_challenge_method"] == ["S256"]
    back = urlsplit(parse_qs(urlsplit(page).query)["redirect_uri"][0])
    with httpx.Client(trust_env=False) as other:  # whoever finds the port, and does not know the state
        for query in ("code=x", "code=x&state=y", "error=x"):
            assert other.get(f"http://{back.netloc}/callback?{query}").status_code == 404
    assert "You are logged in" in browse(page).text
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (0, "you are user:test-user@zitadel.ch\n"), err

    file = user.root / "config/wingbeat/credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert user.kept[url]["refresh"]
    assert owner("create", "grant", "group:maps", "--role", "developer", "-p", "maps").returncode == 0
    (user.root / "flow.py").write_text("from wingbeat import task, workflow\n@task\ndef one() -> int:\n    return 1\n")
    registered = user("register", "flow.py", "-p", "maps", "-d", "production", "--version", "v1")
    assert registered.returncode == 0, registered.stderr
    assert user("register", "flow.py", "-p", "eta", "-d", "production").returncode == 4
    assert "user:test-user@zitadel.ch" in owner("get", "tasks").stdout

    first, end = user.kept[url]["token"], time.monotonic() + 60  # which lives for some seconds
    while user.kept[url]["token"] == first:
        assert time.monotonic() < end
        assert user("get", "tasks").returncode == 0
    assert user("get", "tasks").returncode == 0, "the refreshed one is taken, too"

    assert user("logout").stdout == "you are logged out\n"
    assert user("get", "tasks").returncode == 5


def test_login_by_another_device(tmp_path: Path, server: tuple[Shell, str]) -> None:
    _, url = server
    user = Shell(tmp_path / "user", WINGBEAT_ENDPOINT=url)
    for action, status in (("denied", 5), ("allowed", 0)):
        running = user.start("login", "--device")
        page = said(running)
        with httpx.Client(follow_redirects=True, trust_env=False) as browser:
            code = parse_qs(urlsplit(page).query)["user_code"][0]
            base = httpx.URL(page)
            browser.post(
                base.join("/device/login"), data={"username": USER, "password": PASSWORD, "user_code": code}
            ).raise_for_status()
            browser.get(base.join("/device/confirm"), params={"action": action}).raise_for_status()
        out, err = running.communicate(timeout=60)
        assert running.returncode == status, err
    assert out == "you are user:test-user@zitadel.ch\n"
    assert user("get", "workflows").returncode == 0


def test_login_with_a_key(tmp_path: Path, server: tuple[Shell, str]) -> None:
    owner, url = server
    key = owner("create", "apikey", "ci", "--role", "viewer", "-p", "maps").stdout
    user = Shell(tmp_path / "user", WINGBEAT_ENDPOINT=url)
    assert user("login", "--api-key", text="wb_wrong\n").returncode == 5
    assert user("login", "--api-key", text=key).stdout == "you are apikey:ci\n"
    assert user("get", "workflows").returncode == 0
    assert key.strip() not in owner("get", "apikeys").stdout
