"""Secrets through a kernel: inline, in processes, in bodies; and what is refused."""

import importlib
import sys
import textwrap

import pytest

from wingbeat import ExecutionFailed, Kernel, current, task, workflow
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.runtime.load import import_module
from wingbeat.runtime.mask import forms
from wingbeat.testing import inside_attempt

CANARY = "canary-7f2a'11-%s" % "5e1d"  # not as it is here: the code itself is stored too
SETTINGS = {"process": {"parent_idle_s": 0.3}}


@pytest.fixture(autouse=True)
def _variables(monkeypatch):
    monkeypatch.setenv("WINGBEAT_SECRET_TOKEN", CANARY)
    monkeypatch.setenv("WINGBEAT_SECRET_SHORT", "abc")


@task(secrets=["token"])
def inline(how: str) -> int:
    value = current().secret("token")
    current().progress(0.5, f"at {value}")
    current().deck.text(f"deck {value}")
    current().log.info("logged %s", value)
    if how == "raise":
        try:
            raise ValueError(f"bad {value}")  # noqa: TRY301
        except ValueError:
            current().log.exception("it is %s", value)
            current().log.info("%d no number: %s", "one", value)
            raise
    return len(value)


@task(secrets=["token"])
async def later(give: bool) -> str:
    return current().secret("token") * 2 if give else "kept"


@task(secrets=["missing/one"])
def missing(n: int) -> int:
    return n


@task
def undeclared(name: str) -> str:
    return current().secret(name)


@workflow(secrets=["token"])
async def leaky(give: bool) -> str:
    return await undeclared(current().secret("token") * 2 if give else "token")


INLINE = [inline, later, missing, undeclared]


def written(folder) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def told(folder) -> bool:
    """Whether the secret is written anywhere, in whichever form."""
    return any(form in written(folder) for form in forms(CANARY))


async def failure(kernel, entity, **inputs):
    execution = await kernel.launch(entity, inputs)
    with pytest.raises(ExecutionFailed) as failed:
        await execution.result()
    return failed.value


async def test_inline_tasks_have_secrets_and_say_none(tmp_path, caplog):
    async with Kernel(tmp_path, discover=False, inline=INLINE) as kernel:
        assert await (await kernel.launch(inline, {"how": "return"})).result() == len(CANARY)
        assert (await failure(kernel, inline, how="raise")).message == "bad ***"
        assert await (await kernel.launch(later, {"give": False})).result() == "kept"
        given = await failure(kernel, later, give=True)
        assert (given.code, given.retryable) == ("SecretInOutput", False)
    assert b"logged ***" in written(tmp_path)
    assert b"ValueError: bad ***" in written(tmp_path)
    assert "canary" not in caplog.text
    assert b"deck ***" in written(tmp_path)
    assert not told(tmp_path)


async def test_a_missing_secret_is_no_reason_to_try_again(tmp_path):
    async with Kernel(tmp_path, discover=False, inline=INLINE) as kernel:
        failed = await failure(kernel, missing, n=1)
    assert (failed.code, failed.retryable) == ("SecretMissing", False)
    assert "missing: There is no secret 'missing/one'" in failed.message
    assert "WINGBEAT_SECRET_MISSING_ONE is not set" in failed.message


async def test_what_is_not_declared_is_not_given(tmp_path):
    async with Kernel(tmp_path, discover=False, inline=INLINE) as kernel:
        failed = await failure(kernel, undeclared, name="token")
    assert "undeclared does not declare the secret 'token'" in failed.message
    assert "@task(secrets=['token'])" in failed.message


PLACED = """
from wingbeat import Secret, current, task, workflow

@task(secrets=[Secret("token", env="TOKEN")])
def placed(n: int) -> int:
    return n

@task
def plain(n: int) -> int:
    return n

@workflow
async def calls(n: int) -> int:
    return await placed(n)
"""


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """Write a module and import it."""

    def write(source):
        name = f"secrets_{request.node.name.partition('[')[0]}"
        (tmp_path / "project").mkdir()
        (tmp_path / "project" / "wingbeat.toml").touch()
        (tmp_path / "project" / f"{name}.py").write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        found = import_module(name)
        request.addfinalizer(lambda: sys.modules.pop(name, None))
        return found

    monkeypatch.syspath_prepend(tmp_path / "project")
    return write


async def test_a_variable_is_refused_where_the_process_is_shared(tmp_path, module):
    made = module(PLACED)
    async with Kernel(tmp_path / "home", discover=False, inline=[made.placed]) as kernel:
        with pytest.raises(ConfigurationError, match=r"'token' in the variable TOKEN, and the executor 'inline'"):
            await kernel.launch(made.placed, {"n": 1})


async def test_an_unknown_source_is_refused_when_the_home_is_opened(tmp_path):
    settings = {"secrets": {"source": "vault"}, **SETTINGS}
    with pytest.raises(ConfigurationError, match=r"There is no source of secrets 'vault'") as told:
        async with Kernel(tmp_path / "home", discover=False, settings=settings):
            raise AssertionError("it is open")
    assert told.value.hint == "Installed: environment, file."


async def test_a_source_that_cannot_be_had_is_refused_where_a_secret_is_wanted(tmp_path, module):
    """At the launch; in what a body calls, when it calls. Others run."""
    made = module(PLACED)
    settings = {"secrets": {"source": "file"}, **SETTINGS}
    async with Kernel(tmp_path / "home", discover=False, settings=settings) as kernel:
        assert await (await kernel.launch(made.plain, {"n": 1})).result() == 1
        with pytest.raises(ConfigurationError, match=r"placed has secrets\. .*secrets\.folder is not set"):
            await kernel.launch(made.placed, {"n": 1})
        failed = await failure(kernel, made.calls, n=1)
        assert "secrets.folder is not set" in failed.message


async def test_a_folder_that_is_not_set_is_refused_at_the_launch(tmp_path):
    settings = {"secrets": {"source": "file"}}
    async with Kernel(tmp_path, discover=False, inline=INLINE, settings=settings) as kernel:
        with pytest.raises(ConfigurationError, match=r"secrets\.folder is not set"):
            await kernel.launch(inline, {"how": "return"})


async def test_files_are_taken_from_the_folder_of_the_settings(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "token").write_text("from a file\n")
    (tmp_path / "secrets" / "token").chmod(0o600)
    settings = {"secrets": {"source": "file", "folder": str(tmp_path / "secrets")}}
    async with Kernel(tmp_path / "home", discover=False, inline=INLINE, settings=settings) as kernel:
        assert await (await kernel.launch(inline, {"how": "return"})).result() == len("from a file")


class Broken:
    """A source that raises what it was constructed with, and then gives what is no text."""

    calls = 0

    def __init__(self, how):
        self.how = how

    def get(self, name):
        if self.how == "raise" and Broken.calls < 1:
            Broken.calls += 1
            raise ConnectionError("the line is dead")
        return {"number": 7, "nothing": "", "raise": "in the end"}[self.how]


class Plugin:
    @hookimpl
    def wingbeat_plugin(self):
        return PluginInfo(api=(0, 1))

    @hookimpl
    def wingbeat_register(self, registrar):
        for how in ("raise", "number", "nothing"):
            registrar.secrets(how, f"{__name__}:Broken", lambda home, how=how: {"how": how})


@pytest.mark.parametrize(("how", "says"), [("number", "is int, not text"), ("nothing", "is empty")])
async def test_what_is_no_secret_is_told(tmp_path, how, says):
    settings = {"secrets": {"source": how}}
    async with Kernel(tmp_path, discover=False, inline=INLINE, plugins=[Plugin()], settings=settings) as kernel:
        failed = await failure(kernel, inline, how="return")
    assert says in failed.message
    assert not failed.retryable


async def test_a_source_that_fails_is_asked_again(tmp_path):
    """As for every failure of the system."""
    settings = {"secrets": {"source": "raise"}}
    Broken.calls = 0
    async with Kernel(tmp_path, discover=False, inline=INLINE, plugins=[Plugin()], settings=settings) as kernel:
        execution = await kernel.launch(inline, {"how": "return"})
        assert await execution.result() == len("in the end")
        (node,) = (await execution.describe()).nodes
    assert [attempt.error.code if attempt.error else "" for attempt in node.attempts] == ["SecretUnavailable", ""]


def test_a_unit_test_gives_them():
    with inside_attempt(secrets={"token": CANARY}) as attempt:
        assert inline.fn("return") == len(CANARY)
        assert attempt.directory.joinpath("deck.html").read_text().count("***") == 1
        with pytest.raises(ConfigurationError, match="It declares 'token'"):
            current().secret("other")


async def test_processes_have_them_in_what_they_asked_for(tmp_path, module):
    """Not in what others see: neither a task without them, nor the process that both are forked from."""
    made = module(
        """
        import os
        from pathlib import Path
        from wingbeat import Secret, current, task, workflow

        @task(secrets=[Secret("token", env="TOKEN", file="TOKEN_FILE"), "short"])
        def has(n: int) -> list[bool]:
            value = current().secret("token")
            path = Path(os.environ["TOKEN_FILE"])
            print("prints", value, current().secret("short"))
            return [
                os.environ["TOKEN"] == value,
                path.read_text() == value == path.read_text(),
                oct(path.stat().st_mode)[-3:] == "400",
                value.encode() not in Path(f"/proc/{os.getppid()}/environ").read_bytes(),
                not any(name.startswith("WINGBEAT_SECRET_") for name in os.environ),
            ]

        @task
        def has_not(n: list[bool]) -> list[str]:
            seen = [k for k in os.environ if k.startswith("WINGBEAT_SECRET_") or k.startswith("TOKEN")]
            return seen + [k for k in ("canary",) if k.encode() in Path("/proc/self/environ").read_bytes()]

        @task(isolation="spawn", secrets=[Secret("token", env="TOKEN")])
        def spawned(n: int) -> bool:
            print("spawned", os.environ["TOKEN"])
            return (
                os.environ["TOKEN"] == current().secret("token")
                and b"canary" not in Path("/proc/self/environ").read_bytes()
                and not any(name.startswith("WINGBEAT_SECRET_") for name in os.environ)
            )

        @workflow
        def all_of_them(n: int) -> tuple[list[bool], list[str], bool]:
            seen = has(n)
            return seen, has_not(seen), spawned(n)

        @workflow(secrets=["token"])
        async def body(give: bool) -> list[bool]:
            print("body", current().secret("token"))
            return await has(len(current().secret("token")) if not give else 0)
        """
    )
    async with Kernel(tmp_path / "home", discover=False, settings=SETTINGS) as kernel:
        seen, others, spawned = await (await kernel.launch(made.all_of_them, {"n": 1})).result()
        assert (seen, others, spawned) == ([True] * 5, [], True)
        assert all(await (await kernel.launch(made.body, {"give": False})).result())
    logs = b"".join(path.read_bytes() for path in (tmp_path / "home" / "attempts").rglob("log"))
    assert b"prints *** abc" in logs
    assert b"The secret 'short' is too short to be masked" in logs
    assert b"spawned ***" in logs
    assert b"body ***" in logs
    assert not told(tmp_path / "home")


async def test_what_is_given_away_is_refused(tmp_path, module, monkeypatch):
    """To what a body calls, too: it would be in the journal."""
    made = module(
        """
        from wingbeat import current, task, workflow

        @task
        def takes(text: str) -> int:
            return len(text)

        @workflow(secrets=["token"])
        async def body(n: int) -> int:
            return await takes("Bearer " + current().secret("token") + "=" * n)

        @task(secrets=["token"])
        def gives(n: int) -> dict[str, str]:
            return {"header": "Bearer " + current().secret("token") + "=" * n}
        """
    )
    monkeypatch.setenv("WINGBEAT_SECRET_TOKEN", CANARY * 2)
    async with Kernel(tmp_path / "home", discover=False, settings=SETTINGS) as kernel:
        for entity in (made.body, made.gives):
            failed = await failure(kernel, entity, n=3)
            assert failed.code == "SecretInOutput"
            assert "gives the value of the secret 'token' away" in failed.message
    assert not told(tmp_path / "home")
