"""Makers of environments with one fault each; see `test_kits_catch.py`."""

import asyncio
import itertools
import sys

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.environment import Interpreter, ProjectLock
from wingbeat.spec.entities import EnvironmentSpec
from wingbeat.testing.conformance.environment import NO_LOCK, NO_PYTHON, EnvironmentsContract


class Own:
    """This interpreter under a name for each environment."""

    def __init__(self):
        self.lock = asyncio.Lock()

    async def ensure(self, environment, project_lock):
        if environment == NO_PYTHON or project_lock == NO_LOCK:
            raise ConfigurationError("It cannot be made: there is no such Python, or no such lock.")
        async with self.lock:
            await asyncio.sleep(0)
            return Interpreter(repr(environment), sys.executable, isolated=False)


class Broken(EnvironmentsContract):
    __test__ = False
    patience_s = 10.0
    possible = (EnvironmentSpec(packages=("one",)), EnvironmentSpec(packages=("two",)))

    def make(self, home):
        return self.Faulty()


class TestNamesAreNeverTheSame(Broken):
    __test__ = True
    caught_by = {"test_called_again_it_answers_the_same"}

    class Faulty(Own):
        numbers = itertools.count()

        async def ensure(self, environment, project_lock):
            made = await super().ensure(environment, project_lock)
            return Interpreter(f"{made.digest}{next(self.numbers)}", made.python, isolated=False)


class TestAllAreOne(Broken):
    __test__ = True
    caught_by = {"test_other_environments_have_other_digests"}

    class Faulty(Own):
        async def ensure(self, environment, project_lock):
            made = await super().ensure(environment, project_lock)
            return Interpreter("one", made.python, isolated=False)


class TestMakesDoWithAnother(Broken):
    __test__ = True
    caught_by = {"test_what_cannot_be_made_is_told", "test_a_lock_that_is_not_there_is_told"}

    class Faulty(Own):
        async def ensure(self, environment, project_lock):
            return await super().ensure(None if environment == NO_PYTHON else environment, "")


class TestMakesOneForAllLocks(Broken):
    __test__ = True
    caught_by = {"test_a_lock_of_a_project_is_read_and_made"}
    Faulty = Own

    def locks(self):
        return (ProjectLock("3.11.7", sys.executable, ("one==1",)), ProjectLock("3.11.7", sys.executable, ("two==2",)))


class TestIsNotIsolated(Broken):
    __test__ = True
    caught_by = {"test_what_is_isolated_sees_nothing_of_the_kernel"}

    class Faulty(Own):
        async def ensure(self, environment, project_lock):
            made = await super().ensure(environment, project_lock)
            return Interpreter(made.digest, made.python, isolated=True)


class TestHangsAfterItWasCancelled(Broken):
    __test__ = True
    caught_by = {"test_a_call_that_is_cancelled_may_be_repeated"}

    class Faulty(Own):
        async def ensure(self, environment, project_lock):
            await self.lock.acquire()
            await asyncio.sleep(0.001)
            self.lock.release()
            return await super().ensure(environment, project_lock)
