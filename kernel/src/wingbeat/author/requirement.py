"""Whether a line can be a requirement at all: what no installer would take is told where it was written.

The outline of PEP 508 (name, extras, versions or address, marker), with what uv takes besides: options, paths, addresses,
hashes and comments. What is inside of an address, a path or a marker is the installer's to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_CLAUSE = r"(?:===\s*[^\s,;()]+|(?:==|~=|!=|<=|>=|<|>)\s*v?\d(?:[^\s,;()<>=!~]|!(?=\d))*)"
_CLAUSES = rf"{_CLAUSE}(?:\s*,\s*{_CLAUSE})*\s*,?"
_REQUIREMENT = (
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"  # name
    r"\s*(?:\[[A-Za-z0-9._,\s-]*\])?"  # extras
    rf"\s*(?:@\s*\S.*|(?:{_CLAUSES}|\(\s*{_CLAUSES}\s*\))?\s*(?:;\s*\S.*)?)"  # address, or versions and marker
)
_JUDGED_ELSEWHERE = re.compile(r"[-.~$]|.*[/\\]|.*\$\{|.*\.(?:whl|zip|tar|tar\.\w+|tgz|tbz|txz)\Z", re.DOTALL)


def wrong_requirement(lines: Iterable[str]) -> tuple[int, str] | None:
    """The first line, with its number from 1, that no installer takes."""
    goes_on = False
    for number, line in enumerate(lines, 1):
        part_of_another, goes_on = goes_on, line.endswith("\\")
        if part_of_another or goes_on:
            continue
        text = re.sub(r"(^|\s)#.*", "", line)
        text = re.sub(r"\s--?\w.*", "", text).strip()  # hashes and other options of one requirement
        if text and not _JUDGED_ELSEWHERE.match(text) and not re.fullmatch(_REQUIREMENT, text):
            return number, line
    return None
