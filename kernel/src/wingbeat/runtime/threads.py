"""Blocking calls of plugins, in threads that nobody waits for at the end of the process."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

THREADS_MAX = 32


class DaemonThreads(Executor):
    """As a `ThreadPoolExecutor`, but a call that never ends does not keep the process, and a thread has ended when there is
    nothing to do.

    Args:
        most: So many threads there are at once.
    """

    def __init__(self, most: int) -> None:
        self._most, self._count = most, 0
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See `Executor.submit`. What is no `Exception` (``sys.exit()``) comes back as a RuntimeError, which ends no loop."""
        future: Future[T] = Future()
        with self._lock:
            self._waiting.append((future, partial(fn, *args, **kwargs)))
            if self._count < self._most:
                self._count += 1
                threading.Thread(target=self._work, name="wingbeat", daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._count -= 1
                    return
                future, call = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                _do(future, call)
            del future, call  # else they live until the next one


def _do(future: Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001 - whoever waits is told
        future.set_exception(error)
    except BaseException as error:  # noqa: BLE001 - as above
        told = RuntimeError(f"{type(error).__name__}: {error}")
        told.__cause__ = error
        future.set_exception(told)


_threads = DaemonThreads(THREADS_MAX)


async def in_thread(call: Callable[..., T], *args: Any) -> T:
    """What a blocking call of a plugin answers. As `asyncio.to_thread`, but one that never ends does not keep the process."""
    return await asyncio.get_running_loop().run_in_executor(_threads, call, *args)
