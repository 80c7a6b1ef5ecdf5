"""Who holds up the event loop is told, while it does."""

import asyncio
import logging
import threading
import time

import pytest

from wingbeat import Kernel
from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.host.registry import Plugin
from wingbeat.kernel import watchdog

pytestmark = pytest.mark.anyio

SUBMIT = "import time\ndef submit(s):\n    time.sleep(s)\n"


@pytest.fixture
def submit():
    """A function of a plugin's, that blocks for some seconds."""
    scope = {"__name__": "acme_pods.executor"}
    exec(compile(SUBMIT, "acme_pods/executor.py", "exec"), scope)
    return scope["submit"]


@pytest.fixture
def watching():
    made = []

    def watch(**plugins):
        made.append(watchdog.Watchdog(plugins, 0.1))
        made[-1].start()

    yield watch
    for each in made:
        each.stop()
    assert not [each for each in threading.enumerate() if each.name == "watchdog"]


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "wingbeat.plugins"]


async def test_a_plugin_that_blocks_the_loop_is_named_once_with_its_line(watching, submit, caplog):
    watching(acme_pods=Plugin("pods", "acme_pods.plugin", None))
    await asyncio.sleep(0)
    submit(0.5)
    await asyncio.sleep(0.05)
    assert told(caplog)[0] == (
        "The event loop has not turned for 0.1 s: the plugin 'pods' holds it up, in submit (acme_pods/executor.py:3). "
        "Nothing else goes on meanwhile."
    )
    assert [line.partition(", after")[0] for line in told(caplog)[1:]] == ["The event loop turns again"]


async def test_of_what_is_no_plugins_the_line_is_told(watching, submit, caplog):
    watching()
    submit(0.3)
    assert told(caplog) == ["The event loop has not turned for 0.1 s: it stands in submit (acme_pods/executor.py:3)."]


async def test_a_loop_that_turns_is_not_told_of(watching, caplog):
    watching()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        await asyncio.sleep(0.005)
    assert told(caplog) == []


class Blocks:
    @hookimpl
    def wingbeat_plugin(self):
        return PluginInfo(api=(0, 2))


async def test_kernels_watch_the_plugins_of_others_until_they_are_closed(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(watchdog.Watchdog.__init__, "__defaults__", (0.1,))
    caplog.set_level(logging.WARNING)
    async with Kernel(tmp_path / "home", discover=False, plugins=[Blocks()]):
        assert [each for each in threading.enumerate() if each.name == "watchdog"]
        time.sleep(0.4)  # noqa: ASYNC251  # this is what it is about
    assert "The event loop has not turned for 0.1 s: it stands in test_kernels_watch" in caplog.text
    assert not [each for each in threading.enumerate() if each.name == "watchdog"]


async def test_without_any_there_is_no_thread(tmp_path):
    async with Kernel(tmp_path / "home", discover=False):
        assert not [each for each in threading.enumerate() if each.name == "watchdog"]
