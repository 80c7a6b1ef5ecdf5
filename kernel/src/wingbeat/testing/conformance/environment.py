"""What everything that makes environments must do. Derive one test class and say how it is made::

    class TestMyEnvironments(EnvironmentsContract):
        possible = (EnvironmentSpec(packages=("six==1.17.0",)),)
        impossible = (EnvironmentSpec(packages=("six==1.17.0", "six==1.16.0")),)

        def make(self, home: Home) -> Environments:
            return MyEnvironments(home.path)

What is in `possible` is built, so that it had better be small.
"""

from __future__ import annotations

import asyncio
import json
import os
import site
import subprocess
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.environment import Environments, Interpreter, ProjectLock
from wingbeat.spec.codec import canonical
from wingbeat.spec.entities import EnvironmentSpec
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.home import TemporaryHome

NO_PYTHON = EnvironmentSpec(python="2.1")
NO_LOCK = "sha256:" + "0" * 64


class EnvironmentsContract(Kit):
    """The contract of `wingbeat.contracts.environment.Environments` as tests.

    Attributes:
        possible: Environments that can be made here, no two of them equal.

        impossible: Some that cannot: packages that exclude each other, say.
    """

    patience_s: ClassVar[float] = 300.0
    possible: ClassVar[Sequence[EnvironmentSpec]] = ()
    impossible: ClassVar[Sequence[EnvironmentSpec]] = ()

    def make(self, home: TemporaryHome) -> Environments:
        """What makes environments, in `home`; what is made twice in one home is made once."""
        raise NotImplementedError(f"{type(self).__name__} has to say how it is made: def make(self, home)")

    def locks(self) -> Sequence[ProjectLock]:
        """Locks of projects that can be made real here, no two of them equal; without any, nothing is said about that."""
        return ()

    async def _all(self, made: Environments) -> list[Interpreter]:
        return [await made.ensure(None, ""), *[await made.ensure(environment, "") for environment in self.possible]]

    async def test_interpreters_run_wingbeat(self, home: TemporaryHome) -> None:
        """`Interpreter`: a Python that is ready to run attempts; `ensure` without anything gives one too."""
        for interpreter in await self._all(self.make(home)):
            assert isinstance(interpreter, Interpreter)
            assert interpreter.digest
            assert await runs(interpreter, "import wingbeat.runtime.attempt; print(7)") == "7"

    async def test_what_is_isolated_sees_nothing_of_the_kernel(self, home: TemporaryHome) -> None:
        """`Interpreter.isolated`: nothing of the kernel's own site-packages is on its path."""
        for interpreter in await self._all(self.make(home)):
            if interpreter.isolated:
                path = json.loads(await runs(interpreter, "import json, sys; print(json.dumps(sys.path))"))
                assert not set(path) & set(site.getsitepackages())

    async def test_called_again_it_answers_the_same(self, home: TemporaryHome) -> None:
        """`ensure`, called again: answers from the cache; so does a new object."""
        first, second = self.make(home), self.make(home)
        found = await self._all(first)
        assert await self._all(first) == found
        assert await self._all(second) == found

    async def test_other_environments_have_other_digests(self, home: TemporaryHome) -> None:
        """`Interpreter.digest`: identity of what is installed; warm parents are shared by it."""
        digests = [interpreter.digest for interpreter in await self._all(self.make(home))]
        assert len(set(digests)) == len(digests)

    async def test_many_who_ask_at_once_get_the_same(self, home: TemporaryHome) -> None:
        """Building is done once for each lock on a machine, whoever asks meanwhile."""
        made = [self.make(home), self.make(home)]
        for environment in (None, *self.possible):
            found = await asyncio.gather(*(made[n % 2].ensure(environment, "") for n in range(8)))
            assert len({interpreter.python for interpreter in found}) == 1

    async def test_a_call_that_is_cancelled_may_be_repeated(self, home: TemporaryHome) -> None:
        """`ensure`, cancelled at any moment: what it was making is made anew or found whole."""
        made = self.make(home)
        for environment in (None, *self.possible):
            for pauses in ((), (0,), (0, 0), (0, 0.02), (0.5,)):
                task = asyncio.ensure_future(made.ensure(environment, ""))
                for pause in pauses:
                    await asyncio.sleep(pause)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert await runs(await made.ensure(environment, ""), "print(7)") == "7"

    async def test_what_cannot_be_made_is_told(self, home: TemporaryHome) -> None:
        """`ensure`: raises `ConfigurationError`, again each time, and goes on making others."""
        made = self.make(home)
        for environment in (NO_PYTHON, *self.impossible):
            for _ in range(2):
                with pytest.raises(ConfigurationError) as caught:
                    await made.ensure(environment, "")
                assert len(str(caught.value)) > 20, "say what was wrong"
        assert isinstance(await made.ensure(None, ""), Interpreter)

    async def test_a_lock_of_a_project_is_read_and_made(self, home: TemporaryHome) -> None:
        """`ProjectLock`: in the storage of the home, by its digest. One has one interpreter, whoever asks, others another."""
        locks = self.locks()
        if not locks:
            pytest.skip("nobody knows which can be made here: override locks()")
        digests = [home.storage().put_bytes(canonical(lock)).digest for lock in locks]
        found = [await self.made_and_runs(home, digest) for digest in digests]
        assert [await self.made_and_runs(home, digest) for digest in digests] == found
        assert len({interpreter.digest for interpreter in found}) == len(found)

    async def made_and_runs(self, home: TemporaryHome, digest: str) -> Interpreter:
        """The interpreter for a lock, by a new object."""
        interpreter = await self.make(home).ensure(None, digest)
        assert isinstance(interpreter, Interpreter), f"ensure answers with {interpreter!r}, which is no Interpreter"
        assert await runs(interpreter, "import wingbeat.runtime.attempt; print(7)") == "7"
        return interpreter

    async def test_a_lock_that_is_not_there_is_told(self, home: TemporaryHome) -> None:
        """`ensure`: raises `ConfigurationError` for a project's lock that is not in the storage."""
        made = self.make(home)
        with pytest.raises(ConfigurationError):
            await made.ensure(None, NO_LOCK)


async def runs(interpreter: Interpreter, program: str) -> str:
    """What a program prints that runs in an environment."""

    def run() -> subprocess.CompletedProcess[str]:
        command = [interpreter.python, "-c", program]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=clean())

    done: Any = await asyncio.to_thread(run)
    assert done.returncode == 0, done.stderr
    return str(done.stdout.strip())


def clean() -> dict[str, str]:
    """Our variables, without what would lead an interpreter astray."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
