"""Secrets of containers: in memory, masked in whatever is kept, and gone with the container."""

import asyncio
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from wingbeat.base.errors import CompileError, ConfigurationError
from wingbeat.contracts.executor import Aborted, Failed, Succeeded
from wingbeat.contracts.secrets import SourceRef
from wingbeat.spec.entities import SecretSpec
from wingbeat.spec.literal import Inline
from wingbeat_container import Container
from wingbeat_container.secrets import Held

CANARY, KEY = "Canary-7f1e/it's 100%", "-----BEGIN-----\nMIIEvQIBADAN\n-----END-----\n"
SOURCE = SourceRef("environment", "wingbeat.builtin.secrets:EnvironmentSource")
ISSUER = SourceRef("@token of http", f"{__name__}:Issuer")
BOTH = (SecretSpec("db/password", file="PASSWORD_FILE"), SecretSpec("key", file="KEY_FILE"))
SAY = """
echo "plain $(cat "$PASSWORD_FILE")"; cat "$KEY_FILE" >&2; cat /run/secrets/db/password
echo "{\\"fraction\\": 0.5, \\"text\\": \\"have $(cat "$PASSWORD_FILE")\\", \\"at\\": 1}" > report
"""


@pytest.fixture(autouse=True)
def _values(monkeypatch):
    monkeypatch.setenv("WINGBEAT_SECRET_DB_PASSWORD", CANARY)
    monkeypatch.setenv("WINGBEAT_SECRET_KEY", KEY)


class Issuer:
    """Who issues tokens."""

    def get(self, name):
        return {"@token": CANARY, "@endpoint": "https://wingbeat.example.org"}[name]


def secretly(request, secrets=BOTH):
    return replace(request, task=replace(request.task, secrets=secrets), secrets=SOURCE)


def held(bench):
    """Folders of secrets of this home."""
    folder = Path(Held(bench.executor_home()).path(""))
    return sorted(folder.iterdir()) if folder.exists() else []


def check(bench, *said):
    """Nothing of the secrets is in what was said, or in any file of the home."""
    written = {str(path): path.read_bytes() for path in bench.home.rglob("*") if path.is_file()}
    for name, data in [*written.items(), *(("said", repr(each).encode()) for each in said)]:
        for value in (CANARY, "MIIEvQIBADAN"):
            assert value.encode() not in data, name


@pytest.mark.containers
@pytest.mark.timeout(180)
class TestInContainers:
    async def test_a_program_finds_files_and_its_log_and_error_are_masked(self, bench, ask):
        command = (
            SAY
            + """
            echo "{\\"code\\": \\"NoAccess\\", \\"message\\": \\"refused: $(cat "$PASSWORD_FILE")\\"}" > error.json; exit 1"""
        )
        outcome = await bench.run(secretly(ask("cd /wingbeat;" + command)))
        assert isinstance(outcome, Failed), outcome
        assert outcome.error.message == "refused: ***"
        assert outcome.error.evidence["progress"]["text"] == "have ***"
        assert bench.log().splitlines()[0] == "plain ***"
        assert "***" in bench.log().splitlines()[1]

    async def test_nothing_is_kept_of_them(self, bench, ask, until):
        async with bench.started() as (executor, reports):
            gate = "while ! test -e /wingbeat/outputs/go; do sleep 0.05; done; echo 7 > /wingbeat/outputs/o0"
            await executor.submit(secretly(ask("cd /wingbeat;" + SAY + gate)))
            await until(bench.containers)
            (folder,) = held(bench)
            assert (folder / "db/password").read_text() == CANARY
            assert (folder / "key").read_text() == KEY
            assert folder.parent.parent.stat().st_mode & 0o077 == 0
            seen = bench.podman.run("inspect", *bench.containers()).stdout
            assert CANARY.encode() not in seen
            await until((bench.home / "attempts/e/n.0/task/outputs").exists)
            (bench.home / "attempts/e/n.0/task/outputs/go").touch()
            outcome = await reports.outcome("e/n/0")
            assert isinstance(outcome, Succeeded), outcome
            await until(lambda: not held(bench))
        check(bench, outcome)

    async def test_what_is_given_away_is_a_failure(self, bench, ask):
        command = "cat /run/secrets/db/password > /wingbeat/outputs/o0"
        outcome = await bench.run(secretly(ask(command, outputs={"o0": str})))
        assert isinstance(outcome, Failed)
        assert outcome.error.code == "SecretInOutput"
        check(bench, outcome)

    @pytest.mark.parametrize("ending", ["echo 7 > outputs/o0", "exit 3"])
    async def test_its_page_is_masked_and_where_pages_are(self, bench, ask, ending):
        command = f'cd /wingbeat; echo "<p>have $(cat "$PASSWORD_FILE")</p>" > deck.html; {ending}'
        outcome = await bench.run(secretly(ask(command)))
        page = bench.home / "attempts/e/n.0/deck.html"
        evidence = outcome.evidence if isinstance(outcome, Succeeded) else outcome.error.evidence
        assert evidence["deck"] == str(page)
        assert page.read_text() == "<p>have ***</p>\n"
        check(bench, outcome)

    async def test_a_token_is_there_with_where_the_server_is(self, bench, ask):
        """A program finds both as files; a function finds variables, as elsewhere."""
        said = 'echo "$(cat "$TOKEN_FILE") for $(cat /run/secrets/@endpoint)"; echo 7 > /wingbeat/outputs/o0'
        request = ask(said)
        secrets = (SecretSpec("@token", file="TOKEN_FILE"),)
        request = replace(request, task=replace(request.task, secrets=secrets), secrets=ISSUER)
        assert isinstance(await bench.run(request), Succeeded)
        assert bench.log() == "*** for https://wingbeat.example.org\n"
        bench.bundle(
            "import os\n"
            "def use(n: int) -> str:\n"
            "    print(os.environ['WINGBEAT_API_KEY'], 'for', os.environ['WINGBEAT_ENDPOINT'])\n"
            "    return os.environ['WINGBEAT_ENDPOINT']\n"
        )
        request = ask(
            "", {"n": Inline(1)}, types={"n": int}, outputs={"o0": str}, function="code:use",
            bundle="sha256:" + "0" * 64, id="e/f/0",
        )  # fmt: skip
        secrets = (SecretSpec("@token", env="WINGBEAT_API_KEY"),)
        request = replace(request, task=replace(request.task, secrets=secrets), secrets=ISSUER)
        outcome = await bench.run(request)
        assert isinstance(outcome, Succeeded), outcome
        assert bench.log("e/f.0") == "*** for https://wingbeat.example.org\n"

    async def test_a_python_task_asks_for_them(self, bench, ask):
        bench.bundle(
            "import os\n"
            "from wingbeat import current\n"
            "def use(n: int) -> int:\n"
            "    password, key = current().secret('db/password'), open(os.environ['KEY_FILE']).read()\n"
            "    print('plain', password, os.environ['PASSWORD'] == password, key)\n"
            "    if n:\n"
            "        raise ConnectionError(f'refused: {password}')\n"
            "    return len(key)\n"
        )
        secrets = (SecretSpec("db/password", env="PASSWORD"), SecretSpec("key", file="KEY_FILE"))
        for n in (0, 1):
            request = ask(
                "", {"n": Inline(n)}, types={"n": int}, function="code:use", bundle="sha256:" + "0" * 64, id=f"e/n{n}/0"
            )
            outcome = await bench.run(secretly(request, secrets))
            log = bench.log(f"e/n{n}.0")
            assert log.startswith("plain *** True"), log
            if n:
                assert isinstance(outcome, Failed)
                assert outcome.error.message.startswith("refused: ***")
            else:
                assert isinstance(outcome, Succeeded), (outcome, log)
                assert outcome.outputs == {"o0": Inline(len(KEY))}
            check(bench, outcome)

    async def test_who_adopts_a_container_masks_it_too(self, bench, ask, monkeypatch, until):
        request = secretly(ask("cd /wingbeat; until test -e outputs/go; do sleep 0.05; done;" + SAY + "exit 3"))
        async with bench.started() as (executor, reports):
            await executor.submit(request)
            await until(lambda: "e/n/0" in reports.began)
        monkeypatch.delenv("WINGBEAT_SECRET_DB_PASSWORD")
        async with bench.started() as (executor, reports):
            await executor.recover([request])
            (bench.home / "attempts/e/n.0/task/outputs/go").touch()
            outcome = await reports.outcome("e/n/0")
        assert isinstance(outcome, Failed)
        assert bench.log().startswith("plain ***")
        check(bench, outcome)

    async def test_what_is_cancelled_leaves_none(self, bench, ask, until):
        async with bench.started() as (executor, reports):
            await executor.submit(secretly(ask("sleep 600")))
            await until(lambda: "e/n/0" in reports.began)
            await executor.cancel("e/n/0", "enough")
            assert isinstance(await reports.outcome("e/n/0"), Aborted)
            await until(lambda: not held(bench))

    async def test_what_nobody_knows_any_more_is_swept(self, bench, ask, until):
        folder = Path(Held(bench.executor_home()).path("wingbeat-old"))
        folder.mkdir(parents=True, mode=0o700)
        folder.parent.parent.chmod(0o700)
        (folder / "old").write_text("x")
        async with bench.started() as (executor, reports):
            await executor.submit(ask("echo 7 > /wingbeat/outputs/o0"))
            assert isinstance(await reports.outcome("e/n/0"), Succeeded)
            await until(lambda: not folder.exists())

    async def test_a_missing_secret_is_a_failure_that_names_it(self, bench, ask, monkeypatch):
        monkeypatch.delenv("WINGBEAT_SECRET_KEY")
        outcome = await bench.run(secretly(ask("exit 0")))
        assert isinstance(outcome, Failed)
        assert (outcome.error.code, outcome.error.retryable) == ("SecretMissing", False)
        assert "WINGBEAT_SECRET_KEY is not set" in outcome.error.message
        await asyncio.sleep(0.1)
        assert held(bench) == []


def test_a_program_takes_no_secret_by_a_variable(ask):
    task = replace(ask("true").task, container=None, secrets=(SecretSpec("db/password", env="PASSWORD"),))
    with pytest.raises(CompileError, match="wants the secret 'db/password' in the variable PASSWORD") as caught:
        Container("debian:12", ["true"]).configure(task)
    assert "Secret('db/password', file='PASSWORD_FILE')" in str(caught.value)
    assert Container("debian:12").configure(task).secrets == task.secrets  # a function sets it itself


def test_a_folder_of_somebody_elses_is_not_taken(tmp_path, monkeypatch, ask):
    monkeypatch.setattr("wingbeat_container.secrets.MEMORY", str(tmp_path))
    made = tmp_path / f"wingbeat-{os.getuid()}"
    made.mkdir(mode=0o777)
    made.chmod(0o777)
    with pytest.raises(ConfigurationError, match="no folder that only you can get into"):
        Held("home").put("c", secretly(ask("true")))
    made.chmod(0o700)
    Held("home").put("c", secretly(ask("true")))
    assert (made / "home/c/db/password").read_text() == CANARY


def test_whoever_the_container_runs_as_can_read_them(tmp_path, monkeypatch, ask):
    monkeypatch.setattr("wingbeat_container.secrets.MEMORY", str(tmp_path))
    before = os.umask(0o077)
    try:
        Held("home").put("c", secretly(ask("true")))
    finally:
        os.umask(before)
    folder = Path(Held("home").path("c"))
    assert {oct(path.stat().st_mode & 0o777) for path in (folder, folder / "db")} == {"0o755"}
    assert oct((folder / "db/password").stat().st_mode & 0o777) == "0o444"
    assert folder.parent.parent.stat().st_mode & 0o777 == 0o700
