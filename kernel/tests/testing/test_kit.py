"""What a kit says of a call that hangs, or ends in ``sys.exit()``, by pytest alone."""

import subprocess
import sys

TESTS = """
import asyncio, sys, time
from wingbeat.testing.conformance.kit import Kit


class Plugin:
    async def hangs(self):
        await asyncio.Event().wait()

    async def leaves(self):
        sys.exit(3)


class TestPlugin(Kit):
    patience_s = 0.2

    async def test_hangs(self, home):
        await Plugin().hangs()

    async def test_hangs_in_a_task(self, home):
        await asyncio.gather(Plugin().hangs())

    async def test_leaves(self, home):
        await Plugin().leaves()

    async def test_others(self, home):
        pass

    async def test_its_close_waits_for_what_a_cancelled_one_has_cancelled(self, home):
        sender = asyncio.create_task(asyncio.sleep(0.15))

        async def close():
            await asyncio.wait_for(sender, 1)

        await self.lets_close(close)
"""


def test_the_call_and_its_place_are_told_and_the_others_go_on(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "INTERNALERROR" not in done.stdout
    assert "3 failed, 2 passed" in done.stdout
    said = [line for line in done.stdout.splitlines() if line.startswith("E  ") and "a call of the plugin" in line]
    hangs = (
        "it hangs: a call of the plugin has not answered for 0.2 s; test_it.py:8, hangs: await asyncio.Event().wait()"
    )
    leaves = "a call of the plugin has ended in sys.exit(3); test_it.py:11, leaves: sys.exit(3)"
    assert [line.partition("Failed: ")[2] for line in said] == [hangs, hangs, leaves]
