"""What shells complete: the script, run by a real bash; and by zsh and fish, where there are any."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wingbeat_cli.overview import COMMANDS

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")

COMMAND = str(Path(sys.executable).with_name("wingbeat"))
FLOW = """
from wingbeat import task, workflow

@task
def double(x: int) -> int:
    return 2 * x

@workflow
def pipeline(x: int = 1) -> int:
    return double(x)
"""
REGISTERED = """\
workflow maps/production/flow.build@v2
launchplan maps/production/short@v2
launchplan maps/production/short@v1
task maps/production/flow.survey@v2
"""
ASK = """
eval "$SCRIPT"
compopt() { echo compopt; }
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_wingbeat_completion wingbeat "$2" "${COMP_WORDS[-1]}"
for each in "${COMPREPLY[@]}"; do echo "$each"; done
"""


class Bash:
    """A shell in a folder of its own, beside which there is a home."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder, self.home = folder, folder / "home"
        without = {name: value for name, value in os.environ.items() if not name.startswith("WINGBEAT_")}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**without, "PATH": path, "WINGBEAT_HOME": str(self.home), "SCRIPT": script, "TERM": "dumb"}

    def offered(self, line: str, text: str = "") -> list[str]:
        """As `complete`, of a line that something completes: asked again where the machine was too busy to answer in time."""
        for _ in range(10):
            if found := self.complete(line, text):
                return found
        return []

    def complete(self, line: str, text: str = "", **environment: str) -> list[str]:
        """What a line is completed to; `text` is what bash takes for the word, if that is not all of it."""
        text = text or line.rpartition(" ")[2]
        done = subprocess.run(
            ["bash", "--norc", "-c", ASK, "bash", line, text], capture_output=True, text=True, timeout=50, check=False,
            cwd=self.folder, env={**self.environment, **environment},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def script() -> str:
    line = [COMMAND, "completion", "bash"]
    return subprocess.run(line, capture_output=True, text=True, timeout=50, check=True).stdout


@pytest.fixture
def bash(tmp_path: Path, script: str) -> Bash:
    return Bash(tmp_path, script)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("wingbeat re", ["register", "reject", "recover", "relaunch", "resend"]),
        ("wingbeat --set a.b=c get wo", ["workflows"]),
        ("wingbeat get executions --li", ["--limit"]),
        ("wingbeat get executions -o ", ["table", "json", "yaml"]),
        ("wingbeat get executions --phase SUCC", ["SUCCEEDING", "SUCCEEDED"]),
        ("wingbeat completion ", ["bash", "zsh", "fish"]),
        ("wingbeat --e", ["--endpoint"]),
        ("wingbeat spec show fl", ["compopt"]),
        ("wingbeat nothing of ours --x", []),
    ],
)
def test_commands_options_and_values(bash: Bash, line: str, found: list[str]):
    assert (bash.offered(line) if found else bash.complete(line)) == found


def test_every_command_is_offered(bash: Bash):
    assert bash.offered("wingbeat ") == list(COMMANDS)


def test_the_word_is_what_bash_takes_for_it(bash: Bash):
    assert bash.offered("wingbeat get executions --output=y", "y") == ["yaml"]


@pytest.mark.parametrize(
    "line", ["wingbeat abort ", "wingbeat launch ", "wingbeat spec diff ", "wingbeat describe execution x"]
)
def test_without_a_home_nothing_is_said_and_nothing_made(bash: Bash, line: str):
    assert [each for each in bash.complete(line) if each != "compopt"] == []
    assert not bash.home.exists()


def test_what_cannot_be_read_completes_nothing(bash: Bash):
    bash.home.mkdir()
    (bash.home / "journal.sqlite").write_bytes(b"no journal at all" * 100)
    (bash.home / "registered").write_bytes(b"\xff\xfe")
    assert bash.complete("wingbeat abort ") == []
    assert bash.complete("wingbeat launch ") == []


def test_a_server_that_is_away_is_not_waited_for(bash: Bash):
    assert bash.complete("wingbeat abort ", WINGBEAT_ENDPOINT="http://127.0.0.1:9") == []
    assert bash.complete("wingbeat --endpoint http://127.0.0.1:9 launch ") == []
    assert bash.complete("wingbeat --endpoint nonsense launch ") == []


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, script: str) -> Bash:
    """Beside it, two executions."""
    bash = Bash(tmp_path_factory.mktemp("ran"), script)
    (bash.folder / "flow.py").write_text(FLOW)
    for name in ("first", "second"):
        line = [COMMAND, "run", "flow.py", "pipeline", "--name", name]
        subprocess.run(line, cwd=bash.folder, env=bash.environment, check=True, capture_output=True, timeout=50)
    return bash


@pytest.mark.parametrize(
    "command", ["abort", "logs", "get execution", "explain cache", "approve", "recover", "spec show"]
)
def test_executions_are_completed_by_their_ids(ran: Bash, command: str):
    assert [each for each in ran.offered(f"wingbeat {command} ") if each != "compopt"] == ["second", "first"]


def test_executions_are_completed_from_their_beginning(ran: Bash):
    assert ran.offered("wingbeat describe execution fi") == ["first"]
    assert ran.complete("wingbeat describe execution first ") == []


def test_what_is_registered_is_completed(bash: Bash):
    bash.home.mkdir()
    (bash.home / "registered").write_text(REGISTERED)
    every = [line.split()[1] for line in REGISTERED.splitlines()]
    assert bash.offered("wingbeat launch ") == every
    assert bash.offered("wingbeat launch maps/production/flow.") == [every[0], every[3]]
    assert bash.offered("wingbeat schedule preview ") == every[1:3]
    assert bash.offered("wingbeat activate launchplan ") == every[1:3]
    assert bash.offered("wingbeat deactivate launchplan ") == ["maps/production/short"]
    assert bash.offered("wingbeat get executions --entity maps/production/flow.b") == every[:1]
    assert bash.offered("wingbeat spec diff ")[-4:] == every
    assert bash.offered("wingbeat launch maps/production/short@", "@") == ["@v2", "@v1"]
    assert bash.offered("wingbeat launch maps/production/short@v", "@v") == ["@v2", "@v1"]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("wingbeat launch maps/production/flow.b\t", "wingbeat launch maps/production/flow.build@v2 "),
        ("wingbeat launch maps/production/flow.build@v\t", "wingbeat launch maps/production/flow.build@v2 "),
        ("wingbeat get executions --output=y\t", "wingbeat get executions --output=yaml "),
    ],
)
def test_a_person_at_a_terminal(bash: Bash, keys: str, line: str):
    """Bash itself breaks the words and puts in what it is told."""
    bash.home.mkdir()
    (bash.home / "registered").write_text(REGISTERED)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(bash.folder)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], bash.environment)
    try:
        os.write(terminal, b'eval "$SCRIPT"; echo is-"ready"\n')
        _until(terminal, "is-ready")
        os.write(terminal, keys.encode())
        _until(terminal, line, again=b"\t")
    finally:
        os.kill(pid, 9)
        os.close(terminal)
        os.waitpid(pid, 0)


def _until(terminal: int, text: str, again: bytes = b"") -> None:
    """Read until a text has come; `again` is pressed now and then: a busy machine may not answer in time."""
    seen, end, turn = "", time.monotonic() + 50, time.monotonic() + 5
    while text not in seen:
        now = time.monotonic()
        assert now < end, f"{text!r} did not come; there is {seen!r}"
        if now > turn:
            os.write(terminal, again)
            turn = now + 5
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")


@pytest.mark.parametrize(
    ("shell", "said"), [("zsh", "#compdef wingbeat"), ("fish", "complete --no-files --command wingbeat")]
)
def test_scripts_of_other_shells(wingbeat, shell: str, said: str):
    answer = wingbeat("completion", shell)
    assert answer.status == 0
    assert said in answer.out
    assert f"_WINGBEAT_COMPLETE={shell}_complete" in answer.out


def test_a_shell_that_is_not_known(wingbeat):
    assert wingbeat("completion", "csh").status == 2


def test_zsh_is_told_what_commands_do(bash: Bash):
    environment = {
        **bash.environment,
        "COMP_WORDS": "wingbeat ab",
        "COMP_CWORD": "1",
        "_WINGBEAT_COMPLETE": "zsh_complete",
    }
    done = subprocess.run([COMMAND], env=environment, capture_output=True, text=True, timeout=50, check=True)
    assert (done.stdout, done.stderr) == ("plain\nabort\nStop an execution in order.\n", "")


ZSH = """
compdef() { : }
compadd() { print -l -- $completions }
_describe() { print -l -- ${completions_with_descriptions%%:*} }
eval "$SCRIPT"
words=(${(z)1} "$2") CURRENT=$((${#words}))
_wingbeat_completion
"""
FISH = "echo $SCRIPT | source; complete -C $argv[1]"


@pytest.mark.parametrize(
    ("line", "word", "found"),
    [
        ("wingbeat", "rej", ["reject"]),
        ("wingbeat get", "work", ["workflows"]),
        ("wingbeat get executions --output", "", ["json", "table", "yaml"]),
        ("wingbeat completion", "", ["bash", "fish", "zsh"]),
        ("wingbeat describe workflow", "maps/", ["maps/production/flow.build@v2"]),
    ],
)
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_complete_the_same(bash: Bash, shell: str, line: str, word: str, found: list[str]):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    bash.home.mkdir()
    (bash.home / "registered").write_text(REGISTERED)
    script = subprocess.run(
        [COMMAND, "completion", shell], capture_output=True, text=True, timeout=50, check=True
    ).stdout
    asked = (
        ["zsh", "-f", "-c", ZSH, "zsh", line, word] if shell == "zsh" else ["fish", "-N", "-c", FISH, f"{line} {word}"]
    )
    for _ in range(10):  # where the machine is too busy to answer in time, nothing is completed
        done = subprocess.run(
            asked, capture_output=True, text=True, timeout=50, check=False, cwd=bash.folder,
            env={**bash.environment, "SCRIPT": script},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        if done.stdout:
            break
    assert sorted(line.partition("\t")[0] for line in done.stdout.splitlines()) == found
