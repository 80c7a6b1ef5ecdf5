"""Engines with one fault each; see `test_kits_catch.py`."""

import contextlib

from msgspec.structs import replace

from wingbeat import Kernel
from wingbeat.base.errors import ConflictError, NotFound
from wingbeat.testing.conformance.engine import EngineContract


class Faulty:
    """An engine that hands everything on."""

    def __init__(self, engine, home):
        self.engine, self.home = engine, home

    def __getattr__(self, name):
        return getattr(self.engine, name)


class Broken(EngineContract):
    __test__ = False
    patience_s = 15.0

    @contextlib.asynccontextmanager
    async def opened(self, home):
        async with Kernel(home.path, discover=False) as kernel:
            yield self.Engine(kernel.engine, home)


class TestLaunchesAgain(Broken):
    __test__ = True
    caught_by = {"test_a_name_is_launched_once", "test_a_restart_loses_nothing"}

    class Engine(Faulty):
        async def launch(self, request):
            with contextlib.suppress(NotFound):
                await self.engine.describe(request.name)
                request = replace(request, name=f"{request.name}-again")
            return await self.engine.launch(request)


class TestTakesAnyContent(Broken):
    __test__ = True
    caught_by = {"test_a_name_is_launched_once"}

    class Engine(Faulty):
        async def launch(self, request):
            try:
                return await self.engine.launch(request)
            except ConflictError:
                return replace(await self.engine.launch(replace(request, name="")), id=request.name, created=False)


class TestAbortsWithoutWaiting(Broken):
    __test__ = True
    caught_by = {"test_abort_returns_when_it_has_ended"}

    class Engine(Faulty):
        async def abort(self, execution, reason):
            import asyncio

            await self.engine.describe(execution)
            self.doing = asyncio.ensure_future(self.engine.abort(execution, reason))


class TestForgetsCursors(Broken):
    __test__ = True
    caught_by = {"test_events_go_on_behind_any_cursor"}

    class Engine(Faulty):
        def events(self, execution, cursor=-1):
            return self.engine.events(execution)


class TestListsTheOldestFirst(Broken):
    __test__ = True
    caught_by = {"test_executions_are_listed_in_pages_the_newest_first"}

    class Engine(Faulty):
        async def executions(self, *, after="", limit=100):
            found = (await self.engine.executions())[::-1]
            first = [summary.id for summary in found].index(after) + 1 if after else 0
            return found[first : first + limit]


class TestRunsEverythingAgain(Broken):
    __test__ = True
    caught_by = {"test_results_are_taken_over"}

    class Engine(Faulty):
        async def launch(self, request):
            return await self.engine.launch(replace(request, recover=""))


class TestAnswersTwice(Broken):
    __test__ = True
    caught_by = {"test_a_gate_is_answered_once"}

    class Engine(Faulty):
        async def signal(self, execution, name, value, id):
            with contextlib.suppress(ConflictError):
                await self.engine.signal(execution, name, value, id)
