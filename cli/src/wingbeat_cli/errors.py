"""Errors as users see them: one table of exit codes, one way to print."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wingbeat.base.errors import (
    AccessDenied,
    CompileError,
    ConfigurationError,
    ConflictError,
    EngineStopped,
    ExecutionFailed,
    InputError,
    JournalUnknown,
    LimitReached,
    NoRoom,
    NotFound,
    SetAside,
    WingbeatError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from wingbeat_cli.group import Session

SUCCEEDED = 0
FAILED = 1
USAGE = 2
COMPILE = 3
NOT_FOUND = 4
DENIED = 5
CONFLICT = 6
ABORTED = 7
TIMED_OUT = 8
INTERNAL = 70
TRY_AGAIN = 75
INTERRUPTED = 130

EXIT_OF_ERROR: dict[type[Exception], int] = {
    ExecutionFailed: FAILED,
    InputError: USAGE,
    ConfigurationError: USAGE,
    click.UsageError: USAGE,
    click.Abort: INTERRUPTED,
    CompileError: COMPILE,
    SetAside: TRY_AGAIN,  # before its base
    NotFound: NOT_FOUND,
    AccessDenied: DENIED,
    ConflictError: CONFLICT,
    EngineStopped: TRY_AGAIN,
    JournalUnknown: TRY_AGAIN,
    NoRoom: CONFLICT,  # before its base
    LimitReached: TRY_AGAIN,
}
"""The exit status of an error; anything else of ours is a failure, anything else at all an internal error."""

EXIT_OF_PHASE = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "ABORTED": ABORTED, "TIMED_OUT": TIMED_OUT}
"""The exit status of an execution that has ended."""


_BEFORE = {"--set": "SECTION.KEY=VALUE", "--endpoint": "URL"}
"""Options that stand before the command, and what they take."""


def exit_status(error: BaseException) -> int:
    """The exit status that stands for an error."""
    for kind, status in EXIT_OF_ERROR.items():
        if isinstance(error, kind):
            return status
    return FAILED if isinstance(error, WingbeatError | click.ClickException) else INTERNAL


def report(error: BaseException, session: Session) -> int:
    """Print an error, as a document too where one was asked for, and return the exit status."""
    status = exit_status(error)
    code, message, hint = _words(error)
    if status == INTERNAL:
        hint = _keep(error, session.plugin)
        message = f"the command of plugin {session.plugin!r} has failed: {message}" if session.plugin else message
    text = f"error: {message}" + (f"\n  {hint}" if hint else "")
    sys.stderr.write(f"{text}\n")
    if session.output != "table":
        from wingbeat_cli.render.document import dump

        kind = "SYSTEM" if status >= INTERNAL else "USER"
        failure = {"code": code, "message": message, "kind": kind, "node": ""}
        dump({"id": None, "phase": None, "outputs": None, "nodes": [], "error": failure}, session.output)
    return status


def _words(error: BaseException) -> tuple[str, str, str]:
    """Code, message and hint."""
    if isinstance(error, click.Abort):
        return "Interrupted", "interrupted", ""
    if isinstance(error, click.NoSuchOption) and error.option_name in _BEFORE:
        form = f"{error.option_name} {_BEFORE[error.option_name]}"
        return "UsageError", error.format_message(), f"it stands before the command: wingbeat {form} COMMAND …"
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "wingbeat"
        return "UsageError", error.format_message(), f"see: {path} --help"
    if isinstance(error, click.ClickException):
        return type(error).__name__, error.format_message(), ""
    if isinstance(error, WingbeatError):
        return type(error).__name__, message_of(error), error.hint
    said = str(error)
    return type(error).__name__, f"{type(error).__name__}{': ' if said else ''}{said}", ""


def message_of(error: WingbeatError) -> str:
    """What is wrong. What a shell gives to the kernel, it gives by that option."""
    return error.message.replace("(given to the kernel)", "(--set)")


def _keep(error: BaseException, plugin: str) -> str:
    """Write the traceback of an error of ours, or of a plugin, to a file, and say where it is."""
    import tempfile
    import time
    import traceback
    from pathlib import Path

    text = "".join(traceback.format_exception(error))
    name = time.strftime("%Y%m%dT%H%M%S-wingbeat.txt")
    for folder in (_errors_folder(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        except OSError:
            continue
        if plugin:
            told = f"this is a fault of the plugin {plugin!r}, not yours: tell its author"
            return f"{told}, or switch it off with plugins.disabled = [{plugin!r}]; the traceback is in {folder / name}"
        return f"this is a fault of Wingbeat, not yours; the traceback is in {folder / name}"
    return text


def _errors_folder() -> Path:
    from wingbeat.kernel import home_path

    return home_path() / "errors"
