"""An engine with stand-ins around it, on a real journal."""

import contextlib

import pytest

from wingbeat.builtin.filestore import FileStore
from wingbeat.builtin.settings import JournalSettings
from wingbeat.builtin.sqlite import SQLiteJournal
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.engine.clock import SystemClock
from wingbeat.engine.engine import LocalEngine
from wingbeat.engine.identity import launch_key
from wingbeat.engine.parts import Parts
from wingbeat.spec.literal import Inline
from wingbeat.testing.fakes import ScriptedExecutor


class Bench:
    """Makes engines on one journal, one after the other."""

    def __init__(self, place):
        self.place = place
        self.executor = ScriptedExecutor()
        self.catalog = None
        self.observers = []
        self.more = {}
        self.pools = {}
        self.tokens = None
        self.journal = self.make_journal
        self.storage = FileStore(str(place / "storage"))

    def make_journal(self):
        return SQLiteJournal(self.place / "journal.sqlite", JournalSettings(synchronous="NORMAL"))

    @contextlib.asynccontextmanager
    async def engine(self):
        engine = LocalEngine(
            Parts(
                journal=self.journal(),
                storage=self.storage,
                executors={"process": self.executor, **self.more},
                clock=SystemClock(),
                catalog=self.catalog,
                catalog_name="memory",
                journal_name="test",
                observers={str(n): observer for n, observer in enumerate(self.observers)},
                pools=self.pools,
                tokens=self.tokens,
            )
        )
        await engine.start("test")
        try:
            yield engine
        finally:
            await engine.close()

    @staticmethod
    def request(closure, name="", inputs=None, **more):
        literals = {k: Inline(v) for k, v in (inputs or {}).items()}
        return LaunchRequest(closure, literals, name, launch_key(closure, literals), **more)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)
