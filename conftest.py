"""What the tests of all distributions share."""

import gc
import importlib.util
import signal
import sys
from collections.abc import Iterator

import pytest

SHARING = ("containers", "spark")
"""Marks of tests that share something large, an engine or a JVM: all of a mark are for one process."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

if importlib.util.find_spec("hypothesis"):  # not in the environments of some examples
    from hypothesis import HealthCheck, settings

    # How long an example takes says how busy the machine is.
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests written as `async def` run on asyncio, the one loop that Wingbeat supports."""
    return "asyncio"


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Keep tests and kits as pytest rewrites them, also where Python is told to keep nothing: each process would do it again,
    which takes several times as long as all the rest of its start. What is collected stays, and is not looked through again."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = before
        gc.collect()
        gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say which tests `--dist loadgroup` keeps together."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            for mark in SHARING:
                if item.get_closest_marker(mark):
                    item.add_marker(pytest.mark.xdist_group(mark))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was done (the property `done` of a test), and what could not be, in whichever process."""
    passed, skipped = (terminalreporter.stats.get(outcome, []) for outcome in ("passed", "skipped"))
    done = [line for report in passed for name, line in report.user_properties if name == "done"]
    reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in skipped if isinstance(report.longrepr, tuple)}
    lines = [*done, *sorted(reason for reason in reasons if reason.startswith("not run here: "))]
    if lines:
        terminalreporter.section("what was done")
    for line in lines:
        terminalreporter.write_line(str(line))
