"""The process of an attempt, which does not outlive the worker that started it: ``python -m acme_dask.inside PIPE DIRECTORY``."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

from wingbeat.attempts import CONTAINED


def end_with(pipe: int) -> None:
    """Kill this process and what it started when the pipe closes: nobody is there any more who waits for it."""
    os.read(pipe, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(int(sys.argv[1]),), daemon=True).start()
    del sys.argv[1]
    runpy.run_module(CONTAINED, run_name="__main__", alter_sys=True)
