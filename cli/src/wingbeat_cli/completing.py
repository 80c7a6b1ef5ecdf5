"""What a shell completes: words of a line that is still being written. Nothing runs for it, and nothing is said besides."""

from __future__ import annotations

import os
import signal
from typing import Any

from click.shell_completion import BashComplete, CompletionItem, add_completion_class, shell_complete, split_arg_string

from wingbeat_cli.group import Session, cli

VARIABLE = "_WINGBEAT_COMPLETE"
"""Set by the scripts: to ``bash_complete`` and the like."""
ANSWER_S_MAX = 2.0
"""Who presses a key does not wait for longer, whatever hangs."""

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' type value completion
    local response=$(env COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_TEXT="$2" \\
        %(complete_var)s=bash_complete "$1")
    COMPREPLY=()
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    """Bash breaks words at ``@``, ``:`` and ``=``, which are in references and options: so the line is read as a whole, and of what
    completes a word the shell is told the end, in the place of what it holds for the word."""

    source_template = _BASH
    _kept = 0

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is completed, and that one."""
        before = os.environ["COMP_LINE"].encode()[: int(os.environ["COMP_POINT"])].decode(errors="ignore")
        words = split_arg_string(before)
        if len(words) < 2 or before[-1:].isspace():
            return words[1:], ""
        *words, last = words
        value = last.partition("=")[2] if last.startswith("-") else last
        text = os.environ.get("COMP_TEXT", "")
        self._kept = len(value) - len(text) if value.endswith(text) else 0
        return words[1:], last

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """One line of the answer."""
        return f"{item.type},{item.value[self._kept :]}"


def script(shell: str) -> str:
    """The script that has a shell complete `wingbeat`: ``bash``, ``zsh`` or ``fish``."""
    from click.shell_completion import get_completion_class

    add_completion_class(_Bash)
    kind = get_completion_class(shell)
    assert kind is not None
    return kind(cli, {}, "wingbeat", VARIABLE).source()


def answer(instruction: str) -> int:
    """Print what completes the line that the shell has put into the environment. Ends silently if that takes long, or fails."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, ANSWER_S_MAX)
    add_completion_class(_Bash)
    try:
        return shell_complete(cli, {"obj": Session()}, "wingbeat", VARIABLE, instruction)
    except Exception:  # noqa: BLE001  # a line that cannot be understood yet, a home that cannot be read
        return 1
