"""Ignore files: what ``.gitignore`` and ``.wingbeatignore`` leave out of a code bundle, as git reads them.

A walk goes from the root downwards and does not enter what is ignored, so each rule is asked for the entry itself only, which is
what git does: the last rule of a file that fits wins, and of several files the one in the deepest folder. The rules are translated
by `pathspec`, which is imported where there is an ignore file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError

GIT = ".gitignore"
OWN = ".wingbeatignore"
"""Asked first, whichever folder it is in: it decides for bundles only, and may take back what the other leaves out."""
FILE_BYTES_MAX = 1 << 20
_MARK = "?P<ps_d>"


class _Rule(Struct, frozen=True):
    line: int
    regex: re.Pattern[str]
    ignored: bool


class _Rules:
    """Those of one file.

    Args:
        strip: How much of a path, relative to the walk's root, the file's own folder is.

        above: Or, of a file above the root, the folders between.
    """

    def __init__(self, path: str, strip: int = 0, above: str = "") -> None:
        self._path, self._strip, self._above = path, strip, above
        self._rules = _read(path)
        every = "|".join(f"(?:{rule.regex.pattern})" for rule in self._rules) or r"(?!)"
        self._any = re.compile(every)  # most paths fit none of many

    def decide(self, relative: str) -> tuple[bool, str] | None:
        """Whether it is ignored, and the line that says so; None if none does."""
        path = self._above + relative[self._strip :]
        if not self._any.fullmatch(path):
            return None
        found = next((rule for rule in reversed(self._rules) if rule.regex.fullmatch(path)), None)
        return None if found is None else (found.ignored, f"{self._path}:{found.line}")


class Ignoring:
    """What holds in one folder: the rules of its own files and of those above.

    Args:
        own, git: By kind, the deepest folder first.
    """

    def __init__(self, own: tuple[_Rules, ...] = (), git: tuple[_Rules, ...] = ()) -> None:
        self._own, self._git = own, git

    def inside(self, prefix: str, folder: str, names: Collection[str]) -> Ignoring:
        """What holds in a folder below, at `prefix` from the root, which has entries of these names. Raises ConfigurationError."""
        own = (_Rules(os.path.join(folder, OWN), len(prefix)), *self._own) if OWN in names else self._own
        git = (_Rules(os.path.join(folder, GIT), len(prefix)), *self._git) if GIT in names else self._git
        return self if own is self._own and git is self._git else Ignoring(own, git)

    def why(self, relative: str) -> str:
        """``file:line`` of the rule that leaves out a path, which ends with a slash if it is a folder; empty if none does."""
        for rules in (*self._own, *self._git):
            if (decided := rules.decide(relative)) is not None:
                return decided[1] if decided[0] else ""
        return ""


def above(root: str, top: str) -> Ignoring:
    """What the folders from `top` on down say of what is in `root`, which is below. Raises ConfigurationError."""
    own: list[_Rules] = []
    git: list[_Rules] = []
    folder, between = root, ""
    while folder != top and folder != os.path.dirname(folder):
        between = f"{os.path.basename(folder)}/{between}"
        folder = os.path.dirname(folder)
        for name, rules in ((OWN, own), (GIT, git)):
            if os.path.isfile(path := os.path.join(folder, name)):
                rules.append(_Rules(path, above=between))
    return Ignoring(tuple(own), tuple(git))


def _read(path: str) -> list[_Rule]:
    """Raises ConfigurationError. What git cannot make sense of it passes over, and so does this."""
    from pathspec.patterns.gitignore import GitIgnorePatternError
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as stream:
            text = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    if len(text) > FILE_BYTES_MAX:
        raise ConfigurationError(f"{path} is longer than {FILE_BYTES_MAX:,} characters.", hint="Write fewer patterns.")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            regex, ignored = GitIgnoreSpecPattern.pattern_to_regex(line)
        except GitIgnorePatternError:
            continue
        if regex is not None and ignored is not None:
            found.append(_Rule(number, re.compile(_whole(str(regex))), ignored))
    return found


def _whole(regex: str) -> str:
    """What fits an entry itself, of what is to be searched for in paths: also below what fits."""
    to_the_end = regex.endswith(("$)", f"({_MARK}/)"))
    rest = "" if to_the_end else ".+" if regex.endswith("/") else ".*"
    return ("" if regex.startswith("^") else ".*") + regex.replace(_MARK, "?:") + rest
