"""Commands that plugins offer: found, imported when they are called, and what they are given.

To know them all plugins have to be asked, which takes longer than the rest of a short command. So the answer is kept in a file of
the user, for as long as nothing is installed or changed. What is imported at the top is paid for by `wingbeat --help`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wingbeat.kernel.installed import Given

_BYTES_MAX = 2**20
_DISABLED = "WINGBEAT_PLUGINS__DISABLED"
_WORD = b"disabled"


class Plugged(NamedTuple):
    """A command of a plugin: its name, the plugin's, where it is, its line of help; and why it cannot be called, if it cannot."""

    name: str
    plugin: str
    target: str
    line: str
    problem: str = ""


class Found(NamedTuple):
    """What plugins offer, by name; and a sentence for each thing that is not offered."""

    commands: dict[str, Plugged]
    problems: list[str]


def plugged(own: Mapping[str, str], given: Given | None = None) -> Found:
    """What plugins offer beside the commands of our `own`. Never raises.

    Args:
        given: Settings of this call alone; with those for plugins, nothing is remembered.
    """
    lasting = "plugins" not in (given or {})
    stamp = _stamp()
    rows = _remembered(stamp) if lasting else None
    broken: Mapping[str, str] = {}
    if rows is None:
        try:
            rows, files, broken = _asked(given)
        except Exception as error:  # noqa: BLE001  # what is wrong with the settings is told by whatever needs them
            return Found({}, [f"what plugins offer is not known: {str(error).partition(chr(10))[0]}"])
        if lasting and not broken:
            _remember(stamp, files, rows)
    return _decided(own, rows, broken)


def taken(name: str, plugin: str) -> str:
    """Why a plugin cannot have a name of ours."""
    return f"{name!r} is a command of wingbeat itself, and {plugin} offers one, too"


def _decided(own: Mapping[str, str], rows: list[Plugged], broken: Mapping[str, str]) -> Found:
    """Whose each name is."""
    commands: dict[str, Plugged] = {}
    problems = []
    for row in rows:
        why = taken(row.name, row.plugin) if row.name in own else row.problem
        if row.name not in own:
            commands[row.name] = row
        if why and (told := f"the command {row.name!r} is refused: {why}") not in problems:
            problems.append(told)
    problems += [f"the plugin {name!r} cannot be used: {why}" for name, why in broken.items()]
    return Found(commands, problems)


def _asked(given: Given | None) -> tuple[list[Plugged], list[str], dict[str, str]]:
    """The plugins' own answer, the files that it depends on, and who could not answer."""
    from wingbeat.kernel import commands_of

    found, broken = commands_of(settings=given)
    first = {c.name: c for c in reversed(found)}  # of several with one name none is offered, and all say so
    rows = [Plugged(c.name, c.plugin, c.target, c.help, c.problem) for c in found if c is first[c.name]]
    return rows, sorted({c.file for c in found if c.file}), broken


def _remembered(stamp: str) -> list[Plugged] | None:
    """The rows that were kept, if they still hold."""
    try:
        with open(_path(), encoding="utf-8") as stream:
            text = stream.read(_BYTES_MAX)
        head, _, rest = text.partition("\n\n")
        kept, *files = head.split("\n")
        if kept != stamp or any(_file(each.partition("\t")[2]) != each for each in files):
            return None
        return [Plugged(*line.split("\t")) for line in rest.splitlines()]
    except (OSError, ValueError, TypeError):
        return None


def _remember(stamp: str, files: list[str], rows: list[Plugged]) -> None:
    """Keep rows, where that is possible."""
    lines = [stamp, *(_file(name) for name in files), "", *("\t".join(row) for row in rows)]
    if any("\n" in line for line in lines):
        return
    path = _path()
    aside = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(aside, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
        os.replace(aside, path)
    except (OSError, UnicodeEncodeError):
        return


def _file(name: str) -> str:
    """A file as it is now, in a line."""
    try:
        status = os.stat(name)
    except OSError:
        return f"\t{name}"
    return f"{status.st_mtime_ns} {status.st_size}\t{name}"


def _path() -> str:
    from binascii import crc32

    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "wingbeat", f"commands-{crc32(os.fsencode(sys.executable)):08x}")


def _stamp() -> str:
    """All that decides which plugins there are: where Python imports from, and what says that some are not used."""
    found: list[Any] = [sys.executable, os.environ.get(_DISABLED)]
    for folder in sys.path[1:]:  # the first is the folder of the script, or of what is run by python -m
        status = folder.endswith("-packages") and _file(folder)
        found.append(status or folder)
    return repr(found + _switching())


def _switching() -> list[str]:
    """Files of settings that may switch plugins off. Which do is not worked out here: it takes longer than all else."""
    user = os.path.join(
        os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "wingbeat", "wingbeat.toml"
    )
    files, folder = [user], os.getcwd()
    while True:
        files += [os.path.join(folder, name) for name in ("wingbeat.toml", "pyproject.toml")]
        above = os.path.dirname(folder)
        if above == folder:
            return [_file(name) for name in files if _speaks(name)]
        folder = above


def _speaks(name: str) -> bool:
    try:
        with open(name, "rb") as stream:
            return _WORD in stream.read()
    except OSError:
        return False
