"""The entry point of the `wingbeat` command."""

import sys


def main() -> int:
    """Run the command with the arguments of this process and return its exit status."""
    sys.stderr.write("wingbeat: no command is there yet\n")
    return 2
