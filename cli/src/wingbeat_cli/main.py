"""The entry point of the `wingbeat` command. What it imports at the top is paid for by every call."""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    """Run the command with the arguments of this process and return its exit status."""
    if instruction := os.environ.get("_WINGBEAT_COMPLETE"):
        from wingbeat_cli.completing import answer

        return answer(instruction)
    arguments = sys.argv[1:]
    if arguments in ([], ["-h"], ["--help"]):
        from wingbeat_cli.overview import overview

        (sys.stdout if arguments else sys.stderr).write(overview())
        return 0 if arguments else 2
    # Until a kernel is open this process only imports, and what imports make is no garbage; nor is it to be looked through
    # once more when the process ends. Both together are a sixth of the time of a short command.
    gc.disable()
    try:
        from wingbeat_cli.interrupts import leave_at_once

        leave_at_once()
        from wingbeat_cli.group import invoke

        return invoke(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return 130
    finally:
        gc.freeze()
