"""What a docstring says about the arguments of its function, in any of the three common styles.

::

    Args:                        Parameters                     :param day: The day to load.
        day: The day to load.    ----------                     :type day: date
                                 day : date
                                     The day to load.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection
from typing import NamedTuple

_GOOGLE = re.compile(r"\s*(?:Args|Arguments|Params|Parameters)\s*:\s*\Z")
_NUMPY = ("Parameters", "Other Parameters")
_NAMES = r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)"
_GOOGLE_ENTRY = re.compile(rf"\s*{_NAMES}\s*(?:\(.*?\))?\s*:(?!:)\s*(.*)\Z")
_NUMPY_ENTRY = re.compile(rf"\s*{_NAMES}\s*(?::.*)?()\Z")
_FIELD = re.compile(r"\s*:(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?(\*{0,2}\w+)\s*:\s*(.*)\Z")
_FIELD_TYPE = re.compile(r"\s*:type\s+(\*{0,2}\w+)\s*:()")


class Documented(NamedTuple):
    """A docstring taken apart: what is said about each argument, and all the rest."""

    description: str
    arguments: dict[str, str]


class _Entry(NamedTuple):
    """What is said about one or more arguments: the first line's number, names and text, and the line behind the last."""

    start: int
    names: list[str]
    text: str
    end: int


def read_docstring(docstring: str | None, names: Collection[str]) -> Documented:
    """Take a docstring apart. What it says about others than `names` stays in the description."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    arguments: dict[str, str] = {}
    taken: set[int] = set()
    at = 0
    while at < len(lines):
        heading, entries = _section(lines, at)
        ours = [entry for entry in entries if all(name in names for name in entry.names)]
        for entry in ours:
            said = " ".join(filter(None, [entry.text, *(line.strip() for line in lines[entry.start + 1 : entry.end])]))
            for name in entry.names if said else ():
                arguments.setdefault(name, said)
            taken.update(range(entry.start, entry.end))
        if entries and ours == entries:
            taken.update(range(at, at + heading))
        at = max(at + 1, entries[-1].end if entries else 0)
    rest = "\n".join(line for number, line in enumerate(lines) if number not in taken)
    return Documented(re.sub(r"\n\s*\n(\s*\n)+", "\n\n", rest).strip(), arguments)


def _section(lines: list[str], at: int) -> tuple[int, list[_Entry]]:
    """The entries that begin at a line, and how many lines of heading are before them."""
    line = lines[at]
    if _GOOGLE.match(line):
        below = next((_indent(line) for line in lines[at + 1 :] if line.strip()), 0)
        # The first line of a docstring does not show how far it is indented.
        return 1, _google(lines, at + 1, _indent(line) if at else below - 1)
    if line.strip() in _NUMPY and _underlined(lines, at):
        return 2, _numpy(lines, at + 2, _indent(line))
    for pattern in (_FIELD, _FIELD_TYPE):
        if found := pattern.match(line):
            return 0, [_entry(lines, at, found, _end(lines, at + 1, _indent(line)))]
    return 0, []


def _google(lines: list[str], first: int, outside: int) -> list[_Entry]:
    """Entries are indented below their heading, all alike; what is indented more goes on with the last one."""
    entries: list[_Entry] = []
    end = _end(lines, first, outside)
    inside = min((_indent(line) for line in lines[first:end] if line.strip()), default=0)
    for number in range(first, end):
        if _indent(lines[number]) == inside and (found := _GOOGLE_ENTRY.match(lines[number])):
            entries.append(_entry(lines, number, found, min(end, _end(lines, number + 1, inside))))
        elif not entries and lines[number].strip():
            return []  # it is prose
        elif entries and lines[number].strip():
            entries[-1] = entries[-1]._replace(end=number + 1)
    return entries


def _numpy(lines: list[str], first: int, outside: int) -> list[_Entry]:
    """Names stand below the line of the heading, what is said about them is indented."""
    entries: list[_Entry] = []
    number = first
    while number < len(lines):
        line = lines[number]
        if not line.strip():
            number += 1
            continue
        found = _NUMPY_ENTRY.match(line)
        if _indent(line) != outside or found is None or _underlined(lines, number):
            break
        end = _end(lines, number + 1, outside)
        entries.append(_entry(lines, number, found, end))
        number = end
    return entries


def _entry(lines: list[str], number: int, found: re.Match[str], end: int) -> _Entry:
    names = [name.strip().lstrip("*") for name in found[1].split(",")]
    return _Entry(number, names, found[2].strip(), end)


def _end(lines: list[str], first: int, outside: int) -> int:
    """Behind the last line, from `first` on, that is indented more than `outside`."""
    end = first
    for number in range(first, len(lines)):
        if lines[number].strip():
            if _indent(lines[number]) <= outside:
                break
            end = number + 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _underlined(lines: list[str], number: int) -> bool:
    """Whether a line is a heading: the next one is made of hyphens."""
    below = lines[number + 1].strip() if number + 1 < len(lines) else ""
    return len(below) >= 3 and set(below) == {"-"}
