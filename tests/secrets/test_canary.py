"""Nothing that is written holds the value of a secret: a program says two in every way, and then all is searched.

Searched are the home (journal, its log, storage, attempts, logs of parents) and what every command prints, in all forms in which
it is masked; and what goes through sockets, where `strace` is there to see it.
"""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wingbeat.runtime.mask import forms
from wingbeat_admin.attempt import make

COMMAND = str(Path(sys.executable).with_name("wingbeat"))
PROGRAM = Path(__file__).with_name("program.py")
VARIABLE = "WINGBEAT_SECRET_DB_PASSWORD"
LOOKS = """
import sys
from wingbeat_cli.group import invoke
for line in sys.argv[1:]:
    invoke(line.split())
    sys.stdout.flush()
"""
"""Commands one after another, as each would be by itself."""


class Place:
    """A project with a home, and all that its commands have printed."""

    def __init__(self, folder, source):
        self.folder, self.home = folder, folder / "home"
        self.canary = f"Canary-{secrets.token_hex(8)}/it's 100%\"ü"
        self.key = f"-----BEGIN-----\n{secrets.token_urlsafe(48)}\n{secrets.token_urlsafe(48)}\n-----END-----"
        self.said = b""
        self.environment = {**os.environ, "WINGBEAT_HOME": str(self.home), "WINGBEAT_PROCESS__PARENT_IDLE_S": "0.5"}
        (folder / "program.py").write_text(PROGRAM.read_text())
        (folder / "wingbeat.toml").touch()
        if source == "environment":
            self.environment |= {VARIABLE: self.canary, "WINGBEAT_SECRET_TLS_KEY": self.key}
            return
        for name, value in (("db/password", self.canary), ("tls/key", self.key)):
            path = folder / "secrets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n")
            path.chmod(0o600)
        self.environment |= {
            "WINGBEAT_SECRETS__SOURCE": "file",
            "WINGBEAT_SECRETS__FOLDER": str(folder / "secrets"),
        }

    def wingbeat(self, *arguments, code=0, before=()):
        command = [*before, COMMAND, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, check=False)
        self.said += done.stdout + done.stderr
        assert code is None or done.returncode == code, (done.stdout + done.stderr).decode()
        return done.stdout.decode()

    def run(self, entity, *arguments, code=0, before=()):
        """Run, and then ask for everything that there is to see of it, in every form."""
        self.wingbeat("run", "program.py", entity, *arguments, code=code, before=before)
        self.look()

    def look(self):
        lines = ["get executions"]
        for execution in sorted(path.name for path in (self.home / "attempts").iterdir()):
            commands = ("logs", "describe execution", "describe execution -o json", "get execution -o json")
            lines += [f"{command} {execution}" for command in commands]
        command = [sys.executable, "-c", LOOKS, *lines]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.count(b"program.") >= len(lines) - 1, done.stdout.decode()
        self.said += done.stdout + done.stderr

    def files(self):
        """What is written, by file."""
        return {
            str(path.relative_to(self.home)): path.read_bytes()
            for path in self.home.rglob("*")
            if path.is_file() and not path.is_symlink()
        }

    def found(self, data):
        """What of the secrets is in some bytes."""
        values = [self.canary, *(line for line in self.key.splitlines() if "-----" not in line)]
        return [form for value in values for form in (*forms(value), value[:-3].encode()) if form in data]

    def check(self):
        """It was said, and nothing of it is there."""
        files = self.files()
        leaks = {name: found for name, data in files.items() if (found := self.found(data))}
        assert leaks == {}
        assert self.found(self.said) == []
        return b"".join(data for name, data in files.items() if name.endswith("/log"))


@pytest.fixture
def plain(tmp_path):
    return Place(tmp_path, "environment")


def test_the_canary_is_found_where_it_is_not_masked(plain):
    """So that the search itself is worth something."""
    plain.run("length", f"--text={plain.canary}")
    assert any(plain.found(data) for data in plain.files().values())
    assert plain.found(plain.said)


@pytest.mark.parametrize(
    ("entity", "source"),
    [
        ("says", "environment"),
        ("says_spawned", "file"),
        ("several", "environment"),
        ("body", "file"),
        ("together", "environment"),
        ("together_spawned", "file"),
    ],
)
def test_what_succeeds_tells_nothing(tmp_path, entity, source):
    place = Place(tmp_path, source)
    place.run(entity, "--n=3")
    logs = place.check()
    for line in (b"plain ***", b"error ***", b"native ***", b"logged ***", b"other ***"):
        assert line in logs, logs.decode()
    pages = [data for name, data in place.files().items() if name.endswith("deck.html")]
    assert all(page.count(b"***") >= 8 for page in pages)
    assert pages


@pytest.mark.parametrize("entity", ["fails", "killed", "aborts", "out_of_memory"])
def test_what_fails_tells_nothing(plain, entity):
    plain.run(entity, "--n=3", code=1)
    logs = plain.check()
    assert b"native ***" in logs
    assert b"other ***" in logs
    if entity == "fails":
        assert b"postgres://me:***@db" in plain.said
        assert b"note ***" in plain.said
    if entity == "killed":
        assert logs.rstrip().endswith(b"***")


def test_every_member_of_a_gang_is_masked(plain):
    plain.run("together", "--n=3")
    plain.check()
    logs = {name: data for name, data in plain.files().items() if name.endswith("/log")}
    assert len(logs) == 3
    assert all(b"native ***" in log and b"other ***" in log for log in logs.values())


def test_a_gang_that_fails_tells_nothing(plain):
    plain.run("together_failing", "--n=3", code=1)
    plain.check()
    assert b"postgres://me:***@db" in plain.said
    logs = [data for name, data in plain.files().items() if name.endswith("worker-2/log")]
    assert logs == [b"halfway ***"] * 2


@pytest.mark.parametrize("entity", ["fails_at_length", "gives", "leaking_body"])
def test_what_would_be_stored_tells_nothing(plain, entity):
    plain.run(entity, "--n=3", code=1)
    plain.check()
    if entity != "fails_at_length":
        assert b"SecretInOutput" in plain.said


@pytest.mark.timeout(120)
def test_a_kernel_that_is_killed_tells_nothing(plain):
    """The attempt goes on, is adopted, and its log is masked to its end."""
    mark = plain.folder / "mark"
    command = [COMMAND, "run", "program.py", "hangs", f"--place={mark}"]
    with (plain.folder / "out").open("wb") as out:
        running = subprocess.Popen(command, cwd=plain.folder, env=plain.environment, stdout=out, stderr=out)
        while not mark.exists():
            assert running.poll() is None, (plain.folder / "out").read_text()
            time.sleep(0.01)
        running.kill()
        running.wait()
    plain.said += (plain.folder / "out").read_bytes()
    plain.run("hangs", f"--place={mark}")
    assert b"native ***" in plain.check()


@pytest.mark.timeout(120)
def test_attempts_whose_parent_is_killed_tell_nothing(plain):
    """Nor do those that are run again: all that the kernel had is gone but the attempts' own processes."""
    mark = plain.folder / "mark"
    command = [COMMAND, "run", "program.py", "hangs", f"--place={mark}"]
    with (plain.folder / "out").open("wb") as out:
        running = subprocess.Popen(command, cwd=plain.folder, env=plain.environment, stdout=out, stderr=out)
        while not mark.exists():
            assert running.poll() is None, (plain.folder / "out").read_text()
            time.sleep(0.01)
        parents = list(processes(b"-P -m wingbeat.runtime.".replace(b" ", b"\0"), str(plain.home).encode()))
        for pid in parents:
            os.kill(pid, signal.SIGKILL)
        assert parents
        running.wait(60)
    plain.said += (plain.folder / "out").read_bytes()
    plain.look()
    plain.check()


@pytest.mark.servers
@pytest.mark.timeout(180)
def test_a_token_of_an_attempt_is_told_by_nobody(plain):
    """Neither of one that has failed nor of the one behind it, by two servers, the first of which is killed."""
    plain.environment |= {"WINGBEAT_SERVER__AUTH": "keys"}
    mark, out = plain.folder / "mark", plain.folder / "out"
    line = [COMMAND, "run", "program.py", "asks", f"--place={mark}", "--name", "asking"]

    def until(condition):
        while not condition():
            assert server.poll() is None
            time.sleep(0.01)

    with out.open("wb") as said:

        def serve():
            started = subprocess.Popen(
                [COMMAND, "serve", "--port", "0"],
                cwd=plain.folder,
                env=plain.environment,
                stdout=subprocess.PIPE,
                stderr=said,
            )
            said.write(started.stdout.readline())
            said.flush()
            return started

        server = serve()
        running = subprocess.Popen(line, cwd=plain.folder, env=plain.environment, stdout=said, stderr=said)
        until(mark.exists)
        running.kill()  # it would take the home when the server is gone
        running.wait()
        server.kill()
        server.communicate()
        server = serve()
        try:
            for _ in range(2):
                until(mark.exists)
                mark.unlink()
            plain.wingbeat("watch", "execution", "asking")
            plain.look()
            (view,) = json.loads(plain.wingbeat("get", "executions", "-o", "json"))["items"]
        finally:
            server.terminate()
            server.communicate(timeout=30)
    plain.said += out.read_bytes()
    assert view["phase"] == "SUCCEEDED"
    key = (plain.home / "attempts.key").read_bytes()
    logs = b""
    for number in range(2):
        plain.canary = make(key, f"asking/n0/{number}", view["created_at"])
        logs = plain.check()
        assert plain.canary.rpartition("_")[2].encode() not in plain.said
    assert logs.count(b"plain ***") == 8
    assert logs.count(b"served at http://127.0.0.1:") == 2
    assert b"refused: ***" in plain.said


def processes(*words):
    """Those whose command line has all of the words."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if all(word in line for word in words):
            yield int(path.name)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.timeout(120)
def test_nothing_goes_through_sockets_or_into_files(plain):
    """As the system sees it: every write of every process. What is found went to a pipe, which only the attempt's filter reads."""
    seen = plain.folder / "seen"
    calls = "trace=write,writev,pwrite64,sendto,sendmsg"
    trace = ["strace", "-f", "-y", "-qq", "-xx", "-s", "1000000", "-e", calls, "-o", str(seen)]
    probe = subprocess.run([*trace, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"strace does not work here: {probe.stderr.decode()}")
    plain.run("body", "--n=3", before=trace)
    plain.check()
    leaked, went = {}, set()
    for line in seen.read_text(errors="replace").splitlines():
        if '"' not in line:
            continue
        call, _, rest = line.partition('"')
        data = bytes.fromhex(rest.rpartition('"')[0].replace("\\x", "").replace('"', "")) if "\\x" in rest else b""
        into = bytes.fromhex("".join(re.findall(r"\\x(..)", call))).decode()
        if plain.found(data):
            went.add(into.partition(":")[0])
            if not into.startswith(("pipe:", "/memfd:secret")):
                leaked[into] = data[:200]
    assert leaked == {}
    assert went == {"pipe", "/memfd"}
