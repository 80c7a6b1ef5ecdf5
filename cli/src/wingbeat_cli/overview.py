"""What `wingbeat --help` says. Put together without click, which alone costs several times an empty Python."""

from __future__ import annotations

from wingbeat_cli.plugged import plugged

COMMANDS = {
    "run": "Run a workflow or a task of a Python file.",
    "register": "Take up what a file or a folder defines, under a version.",
    "launch": "Run a version of something registered.",
    "get": "List what is there: executions, workflows, artifacts, backfills, keys, ….",
    "describe": "Show one execution in full.",
    "watch": "Look on while executions go on.",
    "logs": "Print the logs of an execution or of one node.",
    "approve": "Let an execution go on that waits for approval.",
    "reject": "Let an approval fail.",
    "signal": "Give an execution the value that it waits for.",
    "deck": "Show the page that a node has made.",
    "recover": "Run an execution again, keeping what succeeded.",
    "relaunch": "Run an execution anew, with its inputs.",
    "abort": "Stop an execution in order.",
    "activate": "Have a version of a launch plan be started by its trigger.",
    "deactivate": "Have a launch plan be started no more.",
    "schedule": "Show when launch plans are due; pause them, and go on.",
    "backfill": "Pause what runs a range of a schedule, go on with it, or stop it.",
    "lineage": "Show where an artifact or an execution comes from, and what came of it.",
    "resend": "Send a notification again.",
    "explain": "Say why: what a node waits for, what the cache did.",
    "evict": "Forget what is kept: entries of the cache.",
    "gc": "Let go of what is over: old executions, and files that nothing refers to.",
    "create": "Make API keys, give roles, set quotas and defaults; run a range of a schedule.",
    "delete": "Take API keys, roles, quotas and defaults away.",
    "login": "Prove to a server who you are.",
    "logout": "Keep nothing that proves it.",
    "serve": "Make this home reachable for others, over HTTP.",
    "spec": "Show what is compiled, what differs, and what is wrong.",
    "config": "Show the settings, and where each comes from.",
    "plugins": "Show the plugins that are installed.",
    "init": "Begin a plugin from a template.",
    "completion": "Print the script that completes commands in a shell.",
    "version": "Print the versions of what is installed.",
}
"""Every command with its one line. It is ``command`` of the module of its name, which is imported when it is called."""

BESIDE = {"deactivate": "activate", "reject": "approve"}
"""Commands that are in the module of their counterpart, under their own name."""

OPTIONS = {
    "--endpoint URL": "Work with the server there, not with a home here; or WINGBEAT_ENDPOINT.",
    "--set SECTION.KEY=VALUE": "Set a setting for this command, as often as wanted.",
    "--version": "Print the version and exit.",
    "-h, --help": "Show this message, or that of a command, and exit.",
}


def overview() -> str:
    """The help of the whole command."""
    found = plugged(COMMANDS)
    theirs = {name: each.line for name, each in found.commands.items() if not each.problem}
    width = max(map(len, {**COMMANDS, **theirs}))
    more = f"\nCommands of plugins:\n{_columns(theirs, width)}\n" if theirs else ""
    wrong = "".join(f"\n{problem}" for problem in found.problems)
    return f"""\
Usage: wingbeat [OPTIONS] COMMAND [ARGS]...

  Run typed workflows durably, watch them, ask why a step ran again.

Commands:
{_columns(COMMANDS, width)}
{more}
Options:
{_columns(OPTIONS, max(map(len, OPTIONS)))}

State is kept in the folder WINGBEAT_HOME, by default .wingbeat here.
{f"{wrong}{chr(10)}" if wrong else ""}"""


def _columns(rows: dict[str, str], width: int) -> str:
    return "\n".join(f"  {name:{width}}  {line}" for name, line in rows.items())
