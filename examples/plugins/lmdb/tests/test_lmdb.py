"""The kits."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from acme_lmdb import plugin
from wingbeat.base.errors import JournalDamaged
from wingbeat.contracts.journal import Batch, Row
from wingbeat.testing.conformance.journal import JournalContract
from wingbeat.testing.conformance.journal_prune import PruneContract
from wingbeat.testing.conformance.plugin import PluginContract


class TestJournal(JournalContract, PruneContract):
    settings = {"lmdb": {"map_bytes": 2**28}}

    def make(self, home):
        return plugin.make(home)

    @contextlib.asynccontextmanager
    async def full(self, journal):
        env = journal._env
        env.set_mapsize(2**21)
        yield
        env.set_mapsize(2**28)

    @pytest.mark.anyio
    async def test_flipped_bits_are_found(self, home):
        async with self.opened(home) as (journal, fence):
            await journal.append(Batch(rows=[Row("a", 0, b"what was written")]), fence)
        file = Path(home.path, "journal.lmdb")
        file.write_bytes(file.read_bytes().replace(b"what was written", b"what was WRITTEN"))
        async with self.opened(home) as (journal, _):
            with pytest.raises(JournalDamaged):
                await journal.read("a")


class TestPlugin(PluginContract):
    module = "acme_lmdb.plugin"
    name = "lmdb"
