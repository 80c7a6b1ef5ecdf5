"""Pinned requirements: reading them, what is installed where, and whether that satisfies them."""

from __future__ import annotations

import ast
import functools
import operator
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.builtin.environments.names import normalized, requirement_name

SETTLED_NS = 2 * 10**9

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:==\s*([^\s;,*]+)|@\s*(\S+))\s*(?:;\s*(.*))?\Z")
_INSTALLED = re.compile(r"(.+?)-([^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info\Z")
_HASH = re.compile(r"\s+--hash[= ](\S+)")
_VERSIONS = ("python_version", "python_full_version", "implementation_version")


class Pin(Struct, frozen=True):
    """One line of a lock: a version, or an address."""

    name: str
    version: str
    url: str
    marker: str


def read_lines(text: str) -> list[str]:
    """The requirement lines of a file: continuations joined, without comments and empty lines."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = (re.sub(r"(^|\s)#.*", "", line) for line in joined.splitlines())
    return [" ".join(line.split()) for line in lines if line.strip()]


def read_pin(line: str) -> Pin | None:
    """The pin that a line is; None if it leaves the version open or is an option."""
    found = _PIN.match(_HASH.sub("", line).strip())
    if not found:
        return None
    return Pin(normalized(found[1]), found[2] or "", found[3] or "", (found[4] or "").strip())


def keep_hashes(resolved: Iterable[str], asked: Iterable[str]) -> list[str]:
    """Resolved lines, each with only those hashes that were asked for, where any were.

    The resolver takes what the index says today. A lock says what it was: a file that is not among them is another one.

    Raises:
        ValueError: None of a package's files has a hash that was asked for.
    """
    known: dict[str, set[str]] = {}
    for line in asked:  # a lock for several Pythons may name a package more than once
        known.setdefault(requirement_name(line), set()).update(_HASH.findall(line))
    made = []
    for line in resolved:
        hashes = _HASH.findall(line)
        wanted = known.get(requirement_name(line))
        if wanted:
            hashes = [h for h in hashes if h in wanted]
            if not hashes:
                raise ValueError(_HASH.sub("", line).strip())
        made.append(" ".join([_HASH.sub("", line).strip(), *(f"--hash={h}" for h in hashes)]))
    return made


def satisfies(installed: Iterable[str], requirements: Iterable[str], python: str) -> bool:
    """Whether every pin that applies to this platform is installed; packages beyond them do not matter.

    Args:
        installed: Lines, as `installed_in` gives them.

        python: Version of the interpreter.
    """
    there = {pin.name: pin for line in installed if (pin := read_pin(line))}
    for line in requirements:
        pin = read_pin(line)
        if pin is None:
            return False
        if not applies(pin.marker, python):
            continue
        found = there.get(pin.name)
        if found is None or found.url != pin.url or (pin.version and found.version != pin.version):
            return False
    return True


def installed_in(folders: Iterable[str]) -> tuple[str, ...]:
    """What is installed in these folders of packages: sorted lines ``name==version`` or ``name @ url``.

    Names and versions are read off the folders of metadata, not out of them: that is some ten times faster.
    """
    found: dict[str, str] = {}
    for folder in folders:
        try:
            changed_ns = os.stat(folder).st_mtime_ns
            # A second change in the same tick of the file system's clock would leave no trace.
            settled = time.time_ns() - changed_ns > SETTLED_NS
            lines = (_installed_in if settled else _installed_in.__wrapped__)(folder, changed_ns)
        except OSError:
            continue
        found = lines | found
    return tuple(sorted(found.values()))


@functools.lru_cache(maxsize=16)
def _installed_in(folder: str, _changed_ns: int) -> dict[str, str]:
    """Lines by name. Whatever installs a package adds a folder of metadata, or replaces it."""
    found: dict[str, str] = {}
    for name in os.listdir(folder):
        if match := _INSTALLED.match(name):
            key = normalized(match[1])
            url = _origin(os.path.join(folder, name, "direct_url.json"))
            found.setdefault(key, f"{key} @ {url}" if url else f"{key}=={match[2]}")
    return found


def applies(marker: str, python: str) -> bool:
    """Whether a marker holds here; True where that cannot be told, because then uv decides when it installs."""
    if not marker:
        return True
    try:
        return bool(_evaluate(ast.parse(marker.strip(), mode="eval").body, _marker_variables(python)))
    except (SyntaxError, ValueError, KeyError, TypeError):
        return True


def _origin(path: str) -> str:
    """The address that a package was installed from, if it was not a registry."""
    try:
        with open(path, "rb") as stream:
            document: dict[str, Any] = msgspec.json.decode(stream.read(2**16), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return ""
    url = str(document.get("url", ""))
    if isinstance(vcs := document.get("vcs_info"), dict):
        return f"{vcs.get('vcs')}+{url}@{vcs.get('commit_id')}"
    return url


def _marker_variables(python: str) -> dict[str, str]:
    return {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "os_name": os.name,
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
        "platform_system": platform.system(),
        "platform_release": platform.release(),
        "platform_version": platform.version(),
        "platform_python_implementation": platform.python_implementation(),
        "implementation_name": sys.implementation.name,
        "implementation_version": python,
        "extra": "",
    }


_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


def _evaluate(node: ast.expr, variables: Mapping[str, str]) -> bool:
    if isinstance(node, ast.BoolOp):
        parts = [_evaluate(value, variables) for value in node.values]
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        raise ValueError(ast.dump(node))
    sides = (node.left, node.comparators[0])
    values: list[Any] = [_value(side, variables) for side in sides]
    if any(isinstance(side, ast.Name) and side.id in _VERSIONS for side in sides):
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            values[1] = [_numbers(part) for part in values[1].replace(",", " ").split()]
            values[0] = _numbers(values[0])
        else:
            values = [_numbers(value) for value in values]
    return _COMPARE[type(node.ops[0])](*values)


def _value(node: ast.expr, variables: Mapping[str, str]) -> str:
    if isinstance(node, ast.Name):
        return variables[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise ValueError(ast.dump(node))


def _numbers(version: str) -> tuple[int, ...]:
    """A version for comparing: ``3.12`` equals ``3.12.0``."""
    if not re.fullmatch(r"\d+(\.\d+)*", version):
        raise ValueError(version)
    numbers = [int(n) for n in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
