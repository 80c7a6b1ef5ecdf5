"""Which modules the warm parent imports itself, so that attempts forked from it have them for free.

A module is imported in the parent when that can delay nobody: while no attempt runs. Else the attempt's own process
imports it; after some attempts of the module have succeeded that way it is known to import well, and the parent does it
too. An import that raises, takes too long or kills the parent is not tried in the parent again: the attempt's own
process imports the module and reports what happens as the user's error. Threads or processes that an import leaves
running cannot be forked along; from then on attempts are started in fresh interpreters. Threads that end themselves
when the process forks (OpenBLAS does so) are fine.
"""

# /proc is read here

from __future__ import annotations

import faulthandler
import gc
import os
import sys
import time
import traceback
from collections import Counter

from wingbeat.runtime import load, reap
from wingbeat.runtime.job import Job

PROVEN = 3
"""Successful attempts after which a module may be imported in the parent though others are running."""


class Preloader:
    """The modules of one parent.

    Args:
        timeout_s: Longest time that an import may take; the parent ends after it, which counts as dying of the import.

        skip: Modules that are never imported here.
    """

    def __init__(self, timeout_s: float, skip: tuple[str, ...]) -> None:
        self._timeout_s = timeout_s
        self._skip = frozenset(skip)
        self._tried = set[str]()
        self._succeeded: Counter[str] = Counter()
        self.unforkable = ""
        """Why this process must not be forked any more; empty while it may be."""

    def wanted(self, job: Job, *, busy: bool) -> bool:
        """Whether to import the job's module now."""
        if job.spawn or self.unforkable or job.module in self._skip or _name(job) in self._tried:
            return False
        return not busy or self._succeeded[job.module] >= PROVEN

    def succeeded(self, module: str) -> None:
        """An attempt of `module` has succeeded in a process of its own."""
        self._succeeded[module] += 1

    def load(self, job: Job) -> None:
        """Import the module and make the codecs of the task's outputs."""
        self._tried |= {job.module, _name(job)}
        before = reap.children()
        faulthandler.dump_traceback_later(self._timeout_s, exit=True)
        started = time.monotonic()
        try:
            load.warm(job)
        except BaseException:  # noqa: BLE001 - the attempt's own process meets it again and reports it
            sys.stderr.write(f"{job.module} cannot be imported here; attempts import it themselves\n")
            traceback.print_exc(file=sys.stderr)
        finally:
            faulthandler.cancel_dump_traceback_later()
        self._check(job.module, before)
        sys.stderr.write(f"imported {job.module} in {time.monotonic() - started:.3f} s\n")
        gc.collect()
        gc.freeze()

    def _check(self, module: str, before: set[int]) -> None:
        if started := reap.children() - before:
            self.unforkable = f"importing {module} started {len(started)} processes"
        elif _threads() > 1 and _threads_after_fork() > 1:
            self.unforkable = f"importing {module} started threads"
        if self.unforkable:
            sys.stderr.write(f"{self.unforkable}: attempts are started in fresh interpreters from now on\n")


def _name(job: Job) -> str:
    """What has been imported for a job: bodies of dynamic workflows need more than tasks."""
    return job.module if job.replay is None else f"{job.module} in turns"


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def _threads_after_fork() -> int:
    """How many threads stay when the process forks: a library prepared for it ends its own before."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return _threads()
