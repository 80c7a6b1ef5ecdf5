"""What the kit makes of executors that are right and slow: a Python interpreter for each attempt, say."""

import asyncio

import pytest
import test_inline_contract as inline

from wingbeat.builtin.inline import InlineExecutor
from wingbeat.testing.conformance.executor import LOAD_MIN, bearable
from wingbeat.testing.home import TemporaryHome


class OneAtATime(InlineExecutor):
    """Needs a while for each."""

    each_s = 0.02

    def submit_nowait(self, request):
        return False

    async def submit(self, request):
        self.one = getattr(self, "one", asyncio.Lock())
        async with self.one:
            await asyncio.sleep(self.each_s)
        await super().submit(request)


class Sparing(OneAtATime):
    """Forgets some of many."""

    async def submit(self, request):
        self.taken = getattr(self, "taken", 0) + 1
        if self.taken % 10:
            await super().submit(request)


class Kit(inline.TestInlineExecutor):
    __test__ = False
    made = OneAtATime

    def make(self, home):
        made = super().make(home)
        made.__class__ = self.made
        return made


async def test_as_many_attempts_are_submitted_at_once_as_it_can_bear(tmp_path):
    kit = type("Slow", (Kit,), {"patience_s": 3.0})()
    assert kit.load * OneAtATime.each_s > kit.patience_s
    home = TemporaryHome(tmp_path / "home")
    await kit.test_many_attempts_at_once_all_end(home)


async def test_what_is_told_is_what_has_not_come_and_how_long_one_takes(tmp_path):
    kit = type("Forgetful", (Kit,), {"patience_s": 1.5, "made": Sparing})()
    with pytest.raises(pytest.fail.Exception) as failed:
        await kit.test_many_attempts_at_once_all_end(TemporaryHome(tmp_path / "home"))
    told = str(failed.value)
    assert told.startswith("it hangs: Sink.ended('e/n4/0', …) has not been called for 1.5 s; it has told the ends of ")
    assert "attempts were submitted at once. 4 that were before took 0.0" in told
    assert told.endswith("a longer patience_s (--patience), or a smaller load")


@pytest.mark.parametrize(
    ("load", "each_s", "patience_s", "expected"),
    [(300, 0.0, 45, 300), (300, 0.15, 45, 150), (300, 60, 45, LOAD_MIN), (12, 60, 45, 12)],
)
def test_the_load_goes_by_the_pace_and_is_bounded(load, each_s, patience_s, expected):
    assert bearable(load, each_s, patience_s) == expected
