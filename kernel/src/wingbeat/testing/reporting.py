"""A plugin of pytest that tells another process of each test as it goes: what `wingbeat.testing.check` loads into its runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from wingbeat.testing import remains

if TYPE_CHECKING:
    import pytest

VARIABLE = "WINGBEAT_KIT_REPORT"
"""Number of the descriptor that is written to, a line of JSON for each event."""
LIFELINE = "WINGBEAT_KIT_LIFELINE"
"""Number of the descriptor that can be read from, at its end, when who has started this process has ended."""
TEXT_MAX = 20_000


def pytest_configure(config: pytest.Config) -> None:
    """See to it that nothing is left running behind whoever wants to know, however that has ended."""
    given = int(os.environ.pop(LIFELINE)), str(config.rootpath)
    threading.Thread(target=_follow, args=given, daemon=True, name="lifeline").start()


def _follow(lifeline: int, folder: str) -> None:
    with contextlib.suppress(OSError):
        os.read(lifeline, 1)
    remains.end(folder)
    os.killpg(0, signal.SIGKILL)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Which tests there are."""
    _tell(tests=[item.nodeid for item in session.items])


def pytest_runtest_logstart(nodeid: str) -> None:
    """A test begins."""
    _tell(begins=nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A part of a test is over: it is told of what counts, the call or what went wrong around it."""
    if report.when == "call" or report.outcome != "passed":
        _tell(test=report.nodeid, outcome=report.outcome, message=_message(report)[:TEXT_MAX], seconds=report.duration)
    if report.when == "teardown":
        _tell(ends=report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """There is nothing more to come, though something that a test has left may hold the descriptor."""
    _tell(done=True)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """The kit could not even be made."""
    if report.failed:
        _tell(broken=str(report.longrepr)[-TEXT_MAX:])


def _message(report: Any) -> str:
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr or "")


def _tell(**what: Any) -> None:
    os.write(int(os.environ[VARIABLE]), json.dumps(what).encode() + b"\n")
