"""The files of a bundle: which of a project's files belong to it, found by one walk within bounds."""

from __future__ import annotations

import ast
import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.units import format_size
from wingbeat.host.home import HOME_MARKER
from wingbeat.host.ignoring import Ignoring, above
from wingbeat.host.project import SETTINGS_FILE, UNPARSABLE, Project, pattern_regex, settings_of, top_of
from wingbeat.runtime.bundle import BUNDLE_FILE

ENTRIES_MAX = 300_000
"""How much of a file system is looked at before giving up."""

LINK_OUT = "a link out of the project"
"""Why something is left out, where that is neither an ignore file nor a setting."""

_SKIPPED = {"__pycache__", "node_modules"}
_BUILT = {"build", "dist"}
_UNUSABLE = re.compile("[\n\r\0\ud800-\udfff]")


class Found(Struct, frozen=True):
    """What a bundle is made of.

    Attributes:
        files: Sorted: path relative to the root, and its status (links followed).

        left_out: Python files, and folders (with a slash at the end), that ignore files or ``bundle.exclude`` leave out, and what
            says so; and those that are `LINK_OUT`.
    """

    files: list[tuple[str, os.stat_result]]
    left_out: dict[str, str]


def project_files(project: Project) -> Found:
    """The bundle's files.

    Raises:
        ConfigurationError: They are too many or too large; names where the most are and how to exclude them. Or an ignore file
            cannot be read.
    """
    walk = _Walk(project)
    found = _imported_files(project) if project.alone else walk.files()
    files = sorted((p, s) for p, s in found if p != BUNDLE_FILE)
    _check_size(project, files)
    return Found(files, walk.left_out)


def _check_size(project: Project, files: list[tuple[str, os.stat_result]]) -> None:
    settings = project.settings
    if len(files) > settings.files_max:
        raise _too_much(
            project, f"{len(files):,} files, over the limit of {settings.files_max:,}", [(p, 1) for p, _ in files]
        )
    if sum(s.st_size for _, s in files) > settings.bytes_max:
        size = format_size(sum(s.st_size for _, s in files))
        raise _too_much(
            project,
            f"{size}, over the limit of {format_size(settings.bytes_max)}",
            [(p, s.st_size) for p, s in files],
            in_bytes=True,
        )


class _Walk:
    """One walk over a project, links to folders inside it followed.

    Attributes:
        left_out: See `Found`: as far as the walk has come.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._include = [pattern_regex(p) for p in project.settings.include]
        self._exclude = [pattern_regex(p) for p in project.settings.exclude]
        self._literal = [_literal_prefix(p) for p in project.settings.include]
        self._seen: Counter[str] = Counter()
        self.left_out: dict[str, str] = {}

    def files(self) -> Iterator[tuple[str, os.stat_result]]:
        root = self._project.root
        pending = [_Folder("", root, (root,), sources=True, ignoring=above(root, top_of(root)))]
        while pending:
            folder = pending.pop()
            entries = self._entries(folder.path, folder.prefix)
            ignoring = folder.ignoring
            if folder.sources:  # what is below what is left out is there by name, whatever it says
                ignoring = ignoring.inside(folder.prefix, folder.path, [entry.name for entry in entries])
            for entry in entries:
                relative = folder.prefix + entry.name
                if self._excluded(relative):
                    self._leave_out(relative, "bundle.exclude", entry)
                    continue
                real = entry.path
                if entry.is_symlink():
                    real = os.path.realpath(entry.path)
                    if not real.startswith(root + "/"):
                        self._refuse_included(entry.path, relative, real)
                        self._leave_out(relative, LINK_OUT, entry)
                        continue
                if entry.is_dir():
                    ordinary = (
                        folder.sources and not _is_left_out(entry.name, real) and self._taken(ignoring, relative + "/")
                    )
                    if real not in folder.above and (ordinary or self._may_include(relative)):
                        below = (*folder.above, real)
                        pending.append(_Folder(relative + "/", real, below, sources=ordinary, ignoring=ignoring))
                elif entry.is_file() and (
                    self._included(relative)
                    or (folder.sources and entry.name.endswith(".py") and self._taken(ignoring, relative))
                ):
                    yield relative, entry.stat()

    def _taken(self, ignoring: Ignoring, relative: str) -> bool:
        """Whether no ignore file leaves it out; what one does is taken note of."""
        why = ignoring.why(relative)
        if why:
            self.left_out[relative] = why
        return not why

    def _leave_out(self, relative: str, why: str, entry: os.DirEntry[str]) -> None:
        if entry.name.endswith(".py"):
            self.left_out[relative] = why
        elif not _is_left_out(entry.name, entry.path) and entry.is_dir():
            self.left_out[relative + "/"] = why

    def _entries(self, folder: str, prefix: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as found:
                entries = [e for e in found if not _UNUSABLE.search(e.name)]
        except PermissionError:
            return []
        self._seen[prefix.partition("/")[0] + "/" if prefix else "."] += len(entries)
        if self._seen.total() > ENTRIES_MAX:
            raise _too_much(self._project, f"more than {ENTRIES_MAX:,} files to look at", list(self._seen.items()))
        return entries

    def _excluded(self, relative: str) -> bool:
        return any(p.match(relative) for p in self._exclude)

    def _included(self, relative: str) -> bool:
        return any(p.match(relative) for p in self._include)

    def _may_include(self, folder: str) -> bool:
        """Whether an include pattern names something inside a folder that is otherwise left out."""
        path = folder + "/"
        return any(literal and (literal.startswith(path) or path.startswith(literal)) for literal in self._literal)

    def _refuse_included(self, path: str, relative: str, real: str) -> None:
        if self._included(relative) and os.path.exists(real):
            raise ConfigurationError(
                f"{path} is included in the bundle, but the link leads out of the project, to {real}.",
                hint=f"Copy it into the project, or exclude it in {self._project.settings_file}.",
            )


class _Folder(NamedTuple):
    """One that is still to be walked into; `sources` is False where only what is included by name is taken."""

    prefix: str
    path: str
    above: tuple[str, ...]
    sources: bool
    ignoring: Ignoring


def texts_below(folder: str) -> dict[str, str]:
    """Python files in a folder and below, without those that a bundle leaves out: what is in them, by their paths in it, sorted."""
    root = os.path.realpath(folder)
    project = Project(root, root, settings=settings_of(root))
    found = sorted(relative for relative, _ in _Walk(project).files() if relative.endswith(".py"))
    return {relative: _text(os.path.join(root, relative)) for relative in found}


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


def _literal_prefix(pattern: str) -> str:
    """The folders that a pattern names before its first wildcard, with a slash at the end."""
    parts = [p for p in pattern.strip("/").split("/") if p != "."]
    literal: list[str] = []
    for part in parts:
        if "*" in part or "?" in part:
            break
        literal.append(part)
    return "/".join(literal) + "/" if literal else ""


def _is_left_out(name: str, path: str) -> bool:
    """Whether a folder holds what no project wrote: hidden, built, installed, or the state of an engine."""
    if name.startswith(".") or name in _SKIPPED or name.endswith(".egg-info"):
        return True
    if name in _BUILT:  # unless it is a package that happens to be called so
        return not os.path.exists(os.path.join(path, "__init__.py"))
    markers = ("pyvenv.cfg", "conda-meta", HOME_MARKER, "storage/objects")
    return any(os.path.exists(os.path.join(path, m)) for m in markers)


def _too_much(
    project: Project, what: str, weights: list[tuple[str, int]], *, in_bytes: bool = False
) -> ConfigurationError:
    heavy: Counter[str] = Counter()
    for path, weight in weights:
        head, slash, _ = path.partition("/")
        heavy[head + slash] += weight
    worst = heavy.most_common(3)
    named = ", ".join(f"{p} ({format_size(n) if in_bytes else f'{n:,}'})" for p, n in worst)
    first = next((p for p, _ in worst if p != "."), "data/")
    where, section = project.settings_file, "[tool.wingbeat.bundle]"
    if not where or where.endswith(SETTINGS_FILE):
        where, section = os.path.join(project.root, SETTINGS_FILE), "[bundle]"
    return ConfigurationError(
        f"The code bundle of {project.root} has {what}. The most are in: {named}.",
        hint=f'Leave out what tasks do not import: in {where}, under {section}, write exclude = ["{first}"]; '
        "or raise files_max or size_max there.",
    )


def _imported_files(project: Project) -> Iterator[tuple[str, os.stat_result]]:
    """The entry file and what it imports, directly or not, from beside it; packages as a whole."""
    root = project.root
    found = {project.entry}
    pending = [project.entry]
    while pending:
        for name in _imported_names(pending.pop()):
            for path in _siblings(root, name):
                if path not in found:
                    found.add(path)
                    pending.append(path)
    for path in found:
        yield os.path.relpath(path, root), os.stat(path)


def _imported_names(path: str) -> set[str]:
    """First parts of the modules that a file imports."""
    try:
        with open(path, "rb") as stream:
            tree = ast.parse(stream.read())
    except UNPARSABLE:  # whoever imports it gets the better message
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _siblings(root: str, name: str) -> list[str]:
    package = os.path.join(root, name)
    if os.path.isfile(os.path.join(package, "__init__.py")):
        walk = _Walk(Project(os.path.realpath(package), package))
        return [os.path.join(package, relative) for relative, _ in walk.files()]
    module = package + ".py"
    return [module] if os.path.isfile(module) else []
