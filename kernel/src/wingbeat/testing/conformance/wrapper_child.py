"""The process in which the kit for wrappers enters and leaves one: ``python -m … JSON`` prints what was seen, as JSON."""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wingbeat.contracts.gang import Member
    from wingbeat.contracts.wrapper import AttemptInfo

BEGINNING = frozenset(sys.modules)
SETTLE_S = 5.0
CALLS = "wrapper kit calls: "
"""Before what is called next, on a line of its own."""
HANGS = "Timeout ("
"""What is said, before the stack, where that has not ended in time."""


class Info:
    """What a wrapper may know of the attempt."""

    id = "x1/n0/0"
    cpu: float | None = 1.0
    memory_bytes: int | None = None
    member: Member | None = None

    def __init__(self, directory: str) -> None:
        self.directory = directory


def children() -> list[int]:
    """The processes that this one has started, and that live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = dict(
                line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line
            )
        except OSError:
            continue
        if status["PPid"] == str(os.getpid()) and not status["State"].startswith("Z"):
            found.append(int(folder.name))
    return found


def threads() -> list[str]:
    """Threads that would keep the process from ending."""
    return [t.name for t in threading.enumerate() if t is not threading.main_thread() and not t.daemon]


def settled(look: Any) -> Any:
    """What is left after what is about to end has ended."""
    end = time.monotonic() + SETTLE_S
    while (found := look()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


def _calls(what: str) -> None:
    print(f"{CALLS}{what}", flush=True)  # noqa: T201  # for who asked, if it does not end


def main() -> None:
    """Enter and leave as is asked."""
    asked = json.loads(sys.argv[1])
    module, _, name = asked["target"].partition(":")
    seen: dict[str, Any] = {}
    faulthandler.dump_traceback_later(asked["patience_s"], exit=True, file=sys.__stderr__ or sys.stderr)
    _calls(f"the import of {module}")
    cls = getattr(importlib.import_module(module), name)
    seen["imported"] = sorted({m.partition(".")[0] for m in set(sys.modules) - BEGINNING})
    config = asked["config"]
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        writes = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        )
        if watching and (writes or event == "os.mkdir") and "__pycache__" not in str(arguments[0]):
            opened.append(str(arguments[0]))

    sys.addaudithook(watch)
    _calls(f"{name}(config)")
    wrapper = cls(config)
    seen["made"] = [*opened, *os.listdir(asked["directory"]), *children(), *threads()]
    watching = False
    seen["config"] = config == asked["config"] == json.loads(sys.argv[1])["config"]
    if asked["enter"]:
        attempt: AttemptInfo = Info(asked["directory"])
        _calls(f"{name}.enter")
        offers = wrapper.enter(attempt)
        seen["dict"] = isinstance(offers, dict)
        seen["offers"] = [key.__name__ if isinstance(key, type) else key for key in offers]
        seen["wrong"] = [repr(key) for key in offers if not isinstance(key, type | str)]
        seen["nameless"] = [key for key in offers if isinstance(key, str) and not key.isidentifier()]
        seen["foreign"] = [k.__name__ for k, v in offers.items() if isinstance(k, type) and not isinstance(v, k)]
        error = ValueError("as asked") if asked["error"] else None
        _calls(f"{name}.leave")
        seen["left"] = wrapper.leave(error) is None
        faulthandler.cancel_dump_traceback_later()
        seen["children"], seen["threads"] = settled(children), settled(threads)
        for child in seen["children"]:
            os.kill(child, signal.SIGKILL)
    print(json.dumps(seen))  # noqa: T201  # the answer


if __name__ == "__main__":
    try:
        main()
    except BaseException:  # noqa: BLE001  # it is told to who asked
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)
