"""What everything must do that makes environments and removes them. Derive a class beside that of `EnvironmentsContract`::

class TestMyEnvironments(EnvironmentsContract, ClearContract):
    possible = (EnvironmentSpec(packages=("six==1.17.0",)),)

    def make(self, home: Home) -> Environments:
        return MyEnvironments(home.path)
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import ClassVar

from wingbeat.contracts.environment import Clearable, Cleared, Environments, Interpreter
from wingbeat.spec.entities import EnvironmentSpec
from wingbeat.testing.conformance.environment import clean, runs
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.home import TemporaryHome

LATER_S = 60.0
RUNNING = "from wingbeat.runtime.inuse import hold; hold(); print('up', flush=True); input(); print('still up')"


def clearing(environments: Environments) -> Clearable:
    """What makes environments, and removes them."""
    assert isinstance(environments, Clearable), f"{type(environments).__name__} removes nothing"
    return environments


class ClearContract(Kit):
    """The contract of `wingbeat.contracts.environment.Clearable` as tests.

    Attributes:
        possible: As of `EnvironmentsContract`: at least one that is built.

        rounds: How often an environment is asked for and removed at the same time: each time it may have to be built.
    """

    patience_s: ClassVar[float] = 300.0
    possible: ClassVar[Sequence[EnvironmentSpec]] = ()
    rounds: ClassVar[int] = 10

    def make(self, home: TemporaryHome) -> Environments:
        """What makes environments, in `home`; what is made twice in one home is made once."""
        raise NotImplementedError(f"{type(self).__name__} has to say how it is made: def make(self, home)")

    async def test_what_nobody_was_given_since_goes_and_is_built_anew(self, home: TemporaryHome) -> None:
        """`clear`: those that were last answered with before that moment; `ensure` builds them anew, by any object."""
        made, other = self.make(home), self.make(home)
        found = [await made.ensure(environment, "") for environment in self.possible]
        assert await clearing(made).clear(time.time() - LATER_S) == Cleared(0, 0)
        looked = await clearing(other).clear(time.time() + LATER_S, dry=True)
        assert looked.environments == len(self.possible)
        assert looked.size > 0
        assert [await runs(interpreter, "print(7)") for interpreter in found] == ["7"] * len(found), "it only looked"
        assert await clearing(other).clear(time.time() + LATER_S) == looked
        assert await clearing(other).clear(time.time() + LATER_S) == Cleared(0, 0)
        for one in (made, other):
            for environment in self.possible:
                assert await runs(await one.ensure(environment, ""), "print(7)") == "7"

    async def test_to_be_answered_with_is_a_use(self, home: TemporaryHome) -> None:
        """`clear`: what `ensure` has answered with since stays, also from what the object knows."""
        made, (environment, *_) = self.make(home), self.possible
        await made.ensure(environment, "")
        for one in (made, self.make(home)):
            await asyncio.sleep(0.05)
            moment = time.time() - 0.02  # a file system may know the time a little less well
            await one.ensure(environment, "")
            assert (await clearing(made).clear(moment)).environments == 0

    async def test_what_something_runs_in_stays(self, home: TemporaryHome) -> None:
        """`MARK`: an environment in which a process holds it stays, however long it was asked for by nobody; until it has ended."""
        made, (environment, *_) = self.make(home), self.possible
        with self.running(await made.ensure(environment, "")) as process:
            for dry in (True, False):
                assert (await clearing(self.make(home)).clear(time.time() + LATER_S, dry=dry)).environments == 0
            told, _ = process.communicate("go on\n")
            assert (told, process.returncode) == ("still up\n", 0)
        assert (await clearing(made).clear(time.time() + LATER_S)).environments == 1

    async def test_who_is_answered_meanwhile_has_one_that_runs(self, home: TemporaryHome) -> None:
        """`ensure` and `clear` of what was used before the call, at the same time: the answer stays."""
        made, other, (environment, *_) = self.make(home), self.make(home), self.possible
        await made.ensure(environment, "")
        for number in range(self.rounds):
            await asyncio.sleep(0.05)
            clearing_ = asyncio.ensure_future(clearing(other).clear(time.time() - 0.02))
            await asyncio.sleep(0.001 * (number % 3))
            interpreter = await made.ensure(environment, "")
            assert await runs(interpreter, "print(7)") == "7"
            await clearing_
            assert await runs(interpreter, "print(7)") == "7"

    @contextlib.contextmanager
    def running(self, interpreter: Interpreter) -> Iterator[subprocess.Popen[str]]:
        """A process of an attempt, as far as this goes."""
        command = [interpreter.python, "-c", RUNNING]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean()
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "up\n"
                yield process
            finally:
                process.kill()
