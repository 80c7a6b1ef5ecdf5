"""A home whose journal is an older copy of it: what is launched from then on is in the history, too."""

import asyncio
import shutil

from wingbeat import Kernel
from wingbeat.contracts.admin import ExecutionQuery
from wingbeat.testing.conformance import engine_flows as flows


async def launched(home, *names):
    """What the history has, once these have run."""
    async with Kernel(home) as kernel:
        admin = await kernel.admin()
        for name in names:
            assert await (await kernel.launch(flows.twice, {"n": 21}, name)).result() == 23
        async with asyncio.timeout(20):
            while not set(names) <= (found := {each.id for each in (await admin.executions(ExecutionQuery())).items}):
                await asyncio.sleep(0.02)
        return found


async def test_what_is_launched_over_an_older_journal_is_in_the_history(tmp_path, caplog):
    home, copy = tmp_path / "home", tmp_path / "journal.sqlite"
    await launched(home, "before")
    shutil.copy(home / "journal.sqlite", copy)
    await launched(home, *(f"lost-{n}" for n in range(5)))
    assert "all of them again" not in caplog.text
    shutil.copy(copy, home / "journal.sqlite")
    assert {"before", "after"} <= await launched(home, "after")
    assert caplog.text.count("all of them again") == 1
    caplog.clear()
    await launched(home, "later")
    assert caplog.text == ""
