"""What all kits share: a home, patience, and a crash."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, NoReturn

import pytest

from wingbeat.calls import LET_GO_S_MAX, let_go
from wingbeat.testing import remains
from wingbeat.testing.home import TemporaryHome

BLOCKED_S = 5.0
"""So much longer than its patience a test may hold up the event loop."""
MOMENT_S = 0.05
"""A call that takes longer is in the middle then."""
CALLS = 3
"""So many times its patience a test takes at most that is no coroutine: it calls more than once."""
_STUCK: set[asyncio.Task[Any]] = set()
"""Calls that were left behind. They are kept: what they do when they are collected would be done amid another test."""
_ASYNCIO = os.path.dirname(asyncio.__file__) + os.sep
_KITS = os.path.dirname(os.path.abspath(__file__)) + os.sep


@pytest.mark.anyio
class Kit:
    """Base of the kits. Its tests need no plugin of pytest but that of anyio, which comes with Wingbeat.

    Attributes:
        patience_s: What takes longer than so many seconds counts as hanging. Give more to what is slow.

        settle_s: So many seconds after it was let go of, something may still be open or kept.

        settings: By section, what `Home.settings` gives to the factory.

        secrets: By name, what `Home.secret` gives.

        runs_attempts: Attempts run in the home. They outlive the kernel that has begun them, as they should, and so a test that
            fails in their midst: what is left of them ends with the test.
    """

    patience_s: ClassVar[float] = 45.0
    settle_s: ClassVar[float] = 3.0
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    secrets: ClassVar[Mapping[str, str]] = {}
    runs_attempts: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have every test of a kit end, also where a plugin never answers."""
        super().__init_subclass__(**kwargs)
        for name, test in list(vars(cls).items()):
            if name.startswith("test_") and inspect.isfunction(test):
                setattr(cls, name, _patient(test) if inspect.iscoroutinefunction(test) else _interrupted(test))

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Plugins are called from asyncio."""
        return "asyncio"

    @pytest.fixture
    def home(self, tmp_path: Path) -> Iterator[TemporaryHome]:
        """The home in which the plugin works; empty at first."""
        home = self.another_home(tmp_path, "home")
        yield home
        if self.runs_attempts:
            remains.end(home.path)

    def another_home(self, folder: Path, name: str) -> TemporaryHome:
        """A home of its own, with the same settings."""
        return TemporaryHome(folder / name, self.settings, self.secrets)

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for a condition. Fails with `what` has not happened."""
        end = time.monotonic() + self.patience_s * 2 / 3
        while not true():
            assert time.monotonic() < end, f"{what} has not happened for {self.patience_s * 2 / 3:g} s"
            await asyncio.sleep(0.005)

    async def lets_go(self, what: str, call: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Begin a call and cancel it, at several moments. Fails if it does not end then, whatever it has done.

        Args:
            what: Its name.

            call: Begins one.
        """
        most = min(LET_GO_S_MAX, self.patience_s / 2)
        for moment in (0, 1, 2, 5, MOMENT_S):
            task = asyncio.create_task(call())
            if isinstance(moment, int):
                for _ in range(moment):
                    await asyncio.sleep(0)
            else:
                await asyncio.wait((task,), timeout=moment)
            if stuck := await let_go((task,), most):
                _STUCK.update(stuck)
                pytest.fail(
                    f"{what} does not let itself be cancelled: it goes on {most:g} s after that. What catches CancelledError "
                    "has to raise it again"
                )
            if not task.cancelled():
                task.exception()  # which is told by other tests

    async def lets_close(self, close: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """The same of `close`, after which it is closed whole, as far as it can be: whether that fails, other tests tell."""
        await self.lets_go("close", close)
        # in a task of its own, which ends so where it waits for something that a close before has cancelled
        closing = asyncio.create_task(close())
        try:
            await asyncio.wait((closing,))
        finally:
            closing.cancel()
        if not closing.cancelled():
            closing.exception()

    async def closed(self, most: int, before: list[int]) -> None:
        """No more than `most` files and tasks are there, `settle_s` from now: a server within the test closes its ends later."""
        end = time.monotonic() + self.settle_s
        while time.monotonic() < end:
            if held() <= most:
                return
            await asyncio.sleep(0.03)
        tasks = ", ".join(sorted(task.get_name() for task in asyncio.all_tasks()))
        pytest.fail(
            f"{held()} files and tasks are there, and at most {most} should be; before: {before}; tasks: {tasks}"
        )

    async def turns(self) -> None:
        """Let go on what is about to."""
        for _ in range(20):
            await asyncio.sleep(0)

    def crash(self, life: Callable[[], Coroutine[Any, Any, object]], ready: Callable[[], bool]) -> None:
        """Live in a process of its own, and be killed (SIGKILL) as soon as `ready` says so, asked outside of it."""
        child = _start(life)
        try:
            end = time.monotonic() + self.patience_s * 2 / 3
            while not ready():
                gone, status = os.waitpid(child, os.WNOHANG)
                if gone:
                    child = 0
                    code = os.waitstatus_to_exitcode(status)
                    pytest.fail(
                        f"the process that was to be killed has ended before (exit code {code}); see its output"
                    )
                assert time.monotonic() < end, "the process that was to be killed has not come so far"
                time.sleep(0.002)
        finally:
            if child:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


@contextlib.contextmanager
def waiting_for(report: str, so_far: Callable[[], str]) -> Iterator[None]:
    """Say, where a test hangs within, that it waits for a report of the plugin and not for the answer of a call."""
    try:
        yield
    except asyncio.CancelledError as error:
        error.add_note(f"{report} has not been called")
        error.add_note(so_far())
        raise


@contextlib.contextmanager
def slow(told: str) -> Iterator[None]:
    """Add to what is said, where a test hangs within, what may only be slow there, and what to do then."""
    try:
        yield
    except asyncio.CancelledError as error:
        error.add_note(
            f"{told}. Where they go on and are only slow: a longer patience_s (--patience), or a smaller load"
        )
        raise


def held() -> int:
    """How many files, sockets and pipes this process has open, and tasks its loop has."""
    try:
        tasks = len(asyncio.all_tasks())
    except RuntimeError:  # no loop runs
        tasks = 0
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(folder)) + tasks
        except OSError:
            continue
    return tasks


def _patient(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    @functools.wraps(test)
    async def patient(self: Kit, *args: Any, **kwargs: Any) -> None:
        before = asyncio.all_tasks()
        trying = asyncio.create_task(_tried(self, test, args, kwargs))
        most = min(LET_GO_S_MAX, self.patience_s)
        for seconds in (self.patience_s, most):
            with _alarm(seconds + BLOCKED_S):  # a call that holds up the loop
                await asyncio.wait((trying,), timeout=seconds)
        if trying.done():
            told = trying.result()
        else:
            told = (
                f"it hangs: a call of the plugin has not answered for {self.patience_s:g} s, and does not let itself be "
                f"cancelled: it goes on {most:g} s after that{_place(_suspended(trying))}"
            )
            _STUCK.update(await let_go(asyncio.all_tasks() - before, 0))  # or whoever ends the loop would wait for them
        if told:
            pytest.fail(told)

    return patient


async def _tried(self: Kit, test: Callable[..., Coroutine[Any, Any, None]], args: Any, kwargs: Any) -> str:
    """Why a test has failed that has not said so; no error, whose frames would keep alive what the plugin has open."""
    limit = asyncio.timeout(self.patience_s)
    try:
        async with limit:
            await test(self, *args, **kwargs)
    except TimeoutError as error:
        if not limit.expired():
            raise
        return _hanging(error.__cause__, self.patience_s)
    except SystemExit as error:  # beyond this it would end the loop, and pytest with it
        return f"a call of the plugin has ended in sys.exit({error.code}){_place(traceback.extract_tb(error.__traceback__))}"
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return f"a call of the plugin has raised CancelledError by itself{_place(traceback.extract_tb(error.__traceback__))}"
    return ""


def _hanging(cancelled: BaseException | None, patience_s: float) -> str:
    """What hangs, where a test was cancelled for that: a call, or a report that does not come."""
    if notes := getattr(cancelled, "__notes__", ()):  # see `waiting_for`
        return "; ".join([f"it hangs: {notes[0]} for {patience_s:g} s", *notes[1:]])
    where = _place(traceback.extract_tb(cancelled.__traceback__ if cancelled else None))
    return f"it hangs: a call of the plugin has not answered for {patience_s:g} s{where}"


def _suspended(task: asyncio.Task[Any]) -> traceback.StackSummary:
    """Where a task waits, from its outermost call to the innermost."""
    frames: list[FrameType] = []
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
        frames += [frame] if frame is not None else []
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None)
    return traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames)


def _place(frames: Sequence[traceback.FrameSummary]) -> str:
    """For a message: the line of the kit that called, and the last one that is not asyncio's."""
    frames = [frame for frame in frames if not frame.filename.startswith(_ASYNCIO) and frame.filename != __file__]
    calls = [frame for frame in frames if frame.filename.startswith(_KITS)]
    told = [f"; {os.path.basename(f.filename)}:{f.lineno}, {f.name}: {f.line}" for f in (*calls[-1:], *frames[-1:])]
    return "".join(dict.fromkeys(told))


def _interrupted(test: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(test)
    def interrupted(self: Kit, *args: Any, **kwargs: Any) -> None:
        with _alarm(self.patience_s * CALLS):
            test(self, *args, **kwargs)

    return interrupted


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Fail what is within, wherever it is, after so many seconds; only where a signal can be had, and nobody else has it."""
    free = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    if not free:
        yield
        return

    def ring(_: int, frame: FrameType | None) -> None:
        where = _place(traceback.extract_stack(frame))
        pytest.fail(f"it hangs: a call of the plugin has blocked for {seconds:g} s{where}")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _start(life: Callable[[], Coroutine[Any, Any, object]]) -> int:
    """Fork: what a derived class is made of need not be importable by another process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of earlier tests; none of theirs is used below
        child = os.fork()
    if child == 0:
        _live(life)
    return child


def _live(life: Callable[[], Coroutine[Any, Any, object]]) -> NoReturn:
    try:
        asyncio.run(life())
        os._exit(0)
    except BaseException:  # noqa: BLE001  # it must not go on as a second pytest
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(1)
