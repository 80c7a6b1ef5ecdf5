"""The process that a changed file needs first: it compiles the file, and is forked into the warm parent for its bundle.

``python -m wingbeat.runtime.first REQUEST``, a JSON file (`wingbeat.runtime.compile.CompileRequest`). What is compiled
mostly runs next, and a parent begins with the same interpreter and the same imports, which are most of the work of both.
It is forked before anything of the user's is imported and knows as little of the compile as one that was started by
itself: own session, own streams, signals as at the start.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wingbeat.runtime.compile import CompileRequest


def main(path: str) -> None:
    """Answer one request."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is for the command: this ends with it and says nothing
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # held back until here, see `wingbeat.kernel.compiling`
    gc.disable()  # what imports make is no garbage, and looking through it is a tenth of their time
    from wingbeat.author import closing  # noqa: F401  # and all that user modules import: once, for both processes
    from wingbeat.contracts.failpoints import hit
    from wingbeat.runtime import compile as compiling
    from wingbeat.runtime.withheld import withhold

    withhold()
    request = compiling.read_request(path)
    if request.parent is not None:
        _fork_parent(request)
    gc.freeze()
    gc.enable()
    compiling.answer(request)
    hit("compile.answered")
    gc.freeze()  # nor is it to be looked through at the end


def _fork_parent(request: CompileRequest) -> None:
    """Fork the parent; returns in the process that compiles, which keeps nothing of it."""
    import msgspec

    from wingbeat.runtime import parent

    if os.fork() != 0:
        os.close(request.listener)
        return
    try:
        _let_go(request.listener, request.log)
        gc.enable()
        parent.main(msgspec.json.encode(request.parent).decode())
    except BaseException:  # noqa: BLE001  # it must not go on as the compile
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def _let_go(listener: int, log: str) -> None:
    """Keep nothing of the command that compiles."""
    from wingbeat.runtime.job import LISTENER_FD

    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (out, 1), (out, 2), (listener, LISTENER_FD)):
        os.dup2(source, target)  # the parent closes all others
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD):
        if signal.getsignal(number) is signal.SIG_IGN:  # as by nohup, for the command alone
            signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main(sys.argv[1])
