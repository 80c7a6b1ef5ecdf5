"""What the attempts of the kit for executors do. This file is the code bundle that they run, as the module ``kit_tasks``.

Each function takes a folder `place` of its own. When it begins it appends a line to ``marks`` there, and while anything of it
runs, ``alive`` is locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator


@contextlib.contextmanager
def alive(place: str) -> Iterator[None]:
    """Begin, and be seen to run until it is over."""
    with open(os.path.join(place, "alive"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(os.path.join(place, "marks"), "a", encoding="utf-8") as marks:
            marks.write(f"{os.getpid()}\n")
        os.set_inheritable(lock.fileno(), True)
        yield


def gate(place: str) -> bool:
    """Whether it may go on to its end, or nobody is there any more who could say so."""
    return os.path.exists(os.path.join(place, "gate")) or not os.path.exists(place)


def succeed(place: str) -> int:
    """Give 7."""
    with alive(place):
        return 7


def fail(place: str) -> int:
    """Raise."""
    with alive(place):
        raise ValueError("as asked")


def wait(place: str) -> int:
    """Wait for the file ``gate``, and give 7."""
    with alive(place):
        while not gate(place):
            time.sleep(0.01)
        return 7


def stubborn(place: str) -> int:
    """As `wait`, but do not end when asked to."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return wait(place)


def family(place: str) -> int:
    """As `wait`, and so does a child process."""
    with alive(place):
        program = "import os, sys, time\nwhile os.path.exists(sys.argv[1]) and not os.path.exists(sys.argv[2]): time.sleep(0.01)"
        with subprocess.Popen([sys.executable, "-c", program, place, os.path.join(place, "gate")], close_fds=False):
            pass
        return 7


def crash(place: str) -> int:
    """End the process without a word."""
    with alive(place):
        os._exit(3)


def wrong(place: str) -> int:
    """Give something else than was declared."""
    with alive(place):
        return "seven"  # type: ignore[return-value]  # that is the point


def variable(place: str) -> int:
    """Give what the request's variable ``KIT_NUMBER`` says."""
    with alive(place):
        return int(os.environ["KIT_NUMBER"])


def withheld(place: str) -> int:
    """Give how many variables there are that hold secrets of the kernel."""
    with alive(place):
        return sum(name.startswith("WINGBEAT_SECRET_") for name in os.environ)


def secret(place: str) -> int:
    """Give the length of the secret ``kit/token``, and that of the variable ``KIT_TOKEN``."""
    from wingbeat import current

    with alive(place):
        return len(current().secret("kit/token")) + len(os.environ.get("KIT_TOKEN", ""))


def tell(place: str) -> int:
    """Print the secret ``kit/token``, have a program print it, and raise it."""
    from wingbeat import current

    with alive(place):
        token = current().secret("kit/token")
        sys.stdout.write(f"{token}\n")
        subprocess.run([sys.executable, "-c", "import sys; print(sys.argv[1])", token], check=True)
        raise ValueError(f"as asked: {token}")


def advance(place: str) -> int:
    """Say how far it is, wait, say it again, and give 7."""
    from wingbeat import current

    with alive(place):
        current().progress(0.5, "half")
        while not gate(place):
            time.sleep(0.01)
        current().progress(1.0, "whole")
        return 7


def count(place: str) -> int:
    """Add one to the number in the checkpoint."""
    from wingbeat import current

    with alive(place):
        number = int(current().checkpoint.load("count") or 0) + 1
        current().checkpoint.save("count", str(number).encode())
        return number
