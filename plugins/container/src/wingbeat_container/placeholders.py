"""Inputs and outputs in a command: ``{{inputs.NAME}}`` and ``{{outputs.NAME}}``. Pure.

Other double braces are left as they are: shells, awk and templates have uses of their own for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_BRACES = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAMED = re.compile(r"(inputs|outputs)\.(\w+)\Z")
_MEANT = re.compile(r"\s*\.?\s*(inputs?|outputs?)\b")


def wrong(command: Iterable[str], inputs: Iterable[str], outputs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every placeholder that names nothing, and what could be written instead."""
    known = {"inputs": list(inputs), "outputs": list(outputs)}
    for word in command:
        for found in _BRACES.finditer(word):
            named = _NAMED.match(found[1])
            if named is None:
                if (meant := _MEANT.match(found[1])) is not None:
                    yield (
                        found[0],
                        f"Write {{{{{meant[1].rstrip('s')}s.NAME}}}}, without a dot before it and without spaces.",
                    )
            elif named[2] not in known[named[1]]:
                names = ", ".join(known[named[1]]) or "none"
                yield found[0], f"The {named[1]} of the task are: {names}."


def filled(command: Iterable[str], inputs: Mapping[str, str], outputs: Mapping[str, str]) -> list[str]:
    """The command with the text of each input and the path of each output."""
    values = {"inputs": inputs, "outputs": outputs}

    def replace(found: re.Match[str]) -> str:
        named = _NAMED.match(found[1])
        return found[0] if named is None else values[named[1]][named[2]]

    return [_BRACES.sub(replace, word) for word in command]


def used(command: Iterable[str]) -> set[str]:
    """Names of the inputs that stand in a command."""
    named = (_NAMED.match(found[1]) for word in command for found in _BRACES.finditer(word))
    return {each[2] for each in named if each is not None and each[1] == "inputs"}
