"""Projects: where the project of a file begins, what it says about bundles, and what its modules are called."""

from __future__ import annotations

import functools
import os
import re
import tomllib
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.settings import Size
from wingbeat.base.units import parse_size

SETTINGS_FILE = "wingbeat.toml"
PROJECT_FILES = (SETTINGS_FILE, "pyproject.toml")
SOURCE_FOLDER = "src"

_SHARED = {"/", "/home", "/root", "/Users", "/var", "/usr", "/opt", "/etc", "/srv", "/mnt", "/media"}
_TEMPORARY = {"/tmp", "/var/tmp"}  # noqa: S108 (they are told apart here, not written to)


UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for a text that is no Python: also null bytes, and what is nested too deep."""


class BundleSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The section ``[bundle]`` of wingbeat.toml, or ``[tool.wingbeat.bundle]`` of pyproject.toml.

    Attributes:
        include: Patterns of files that tasks need beside the Python sources, relative to the project's root.

        exclude: Patterns of what is left out, sources too. A pattern that names a folder means all that is in it.

        files_max: How many files a bundle may have.

        size_max: How many bytes, as a number or like ``"200Mi"``.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    files_max: int = 10_000
    size_max: Size = "100Mi"

    @property
    def bytes_max(self) -> int:
        """`size_max` in bytes."""
        return parse_size(self.size_max)


class Project(Struct, frozen=True):
    """Where the code of an entry file is.

    Attributes:
        root: The folder, absolute, without symbolic links.

        entry: The file itself, likewise.

        settings_file: What marks the root; empty where the root is just the file's folder.

        alone: The folder is everybody's (the user's home, the temporary folder, …): the bundle is the file and what it
            imports from beside it.

        settings: What the settings file says about bundles.
    """

    root: str
    entry: str
    settings_file: str = ""
    alone: bool = False
    settings: BundleSettings = BundleSettings()


def find_project(file: str) -> Project:
    """The project of a Python file: nearest folder upwards with `PROJECT_FILES`, else the file's own folder.

    Raises:
        ConfigurationError: There is no such file, or the settings cannot be used.
    """
    entry = os.path.realpath(file)
    if not os.path.isfile(entry):
        raise ConfigurationError(f"There is no file {file}.", hint=f"Looked for it at {entry}.")
    own = os.path.dirname(entry)
    folder = own
    while not is_shared(folder):
        for name in PROJECT_FILES:
            marker = os.path.join(folder, name)
            if os.path.isfile(marker):
                return Project(folder, entry, marker, settings=read_bundle_settings(marker))
        folder = os.path.dirname(folder)
    return Project(own, entry, alone=is_shared(own))


def settings_of(folder: str) -> BundleSettings:
    """What the settings file in `folder` itself says about bundles."""
    markers = (os.path.join(folder, name) for name in PROJECT_FILES)
    found = next((marker for marker in markers if os.path.isfile(marker)), None)
    return BundleSettings() if found is None else read_bundle_settings(found)


def top_of(root: str) -> str:
    """The folder from which on ignore files count for what is in `root`: the top of its git repository if it is in one, else that
    of its project, else `root` itself."""
    folder, project = root, ""
    while not is_shared(folder):
        if os.path.exists(os.path.join(folder, ".git")):
            return folder
        if not project and any(os.path.isfile(os.path.join(folder, name)) for name in PROJECT_FILES):
            project = folder
        folder = os.path.dirname(folder)
    return project or root


def is_shared(folder: str) -> bool:
    """Whether a folder can never be a project: a user's home or above, the temporary folder, the root and its like."""
    return folder in _shared_folders()


def import_roots(project: Project) -> tuple[str, ...]:
    """The folders that Python imports from, relative to the root, first to last.

    A script is found in its own folder, as when Python runs it; then come the root and ``src``, if that holds packages.
    """
    roots = ["."]
    source = os.path.join(project.root, SOURCE_FOLDER)
    if not project.alone and _holds_packages(source):
        roots.append(SOURCE_FOLDER)
    own = os.path.relpath(_import_root(project.entry, project.root), project.root)
    if own not in roots:
        roots.insert(0, own)
    return tuple(roots)


def check_python(file: str) -> None:
    """Raises ConfigurationError for what no import finds, whatever is in it: a file whose name is not that of a Python file."""
    path = os.path.realpath(file)
    if not path.endswith(".py"):
        hint = "If it is Python, rename it; if not, give the file that defines what you mean."
        raise ConfigurationError(f"{path} cannot be imported: the name of a Python file ends in '.py'.", hint=hint)
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"{path!a} cannot be imported: its name is no text (UTF-8).", hint="Rename it."
        ) from None


def module_name(file: str, root: str) -> str:
    """The dotted name under which `file` is imported in a bundle of `root`.

    Packages count by their ``__init__.py``, and all below ``src``; any other file is a script, known by its stem.

    Raises:
        ConfigurationError: No module can have that name.
    """
    path = os.path.realpath(file)
    top = os.path.realpath(root)
    base = _import_root(path, top)
    parts = os.path.relpath(path, base).removesuffix(".py").split(os.sep)
    if len(parts) > 1 and parts[-1] == "__init__":
        parts.pop()
    if any("." in part or not part for part in parts):
        raise ConfigurationError(
            f"{path} cannot be imported: a module's name has no dots.", hint="Rename the file, for example with '_'."
        )
    return ".".join(parts)


def read_bundle_settings(path: str) -> BundleSettings:
    """The settings for bundles in a wingbeat.toml or pyproject.toml.

    Raises:
        ConfigurationError: The file or the section cannot be read; says where.
    """
    section = "bundle" if os.path.basename(path) == SETTINGS_FILE else "tool.wingbeat.bundle"
    try:
        with open(path, "rb") as stream:
            found: Any = tomllib.load(stream)
        for key in section.split("."):
            found = found.get(key, {}) if isinstance(found, dict) else found
        settings = msgspec.convert(found, BundleSettings)
        for pattern in (*settings.include, *settings.exclude):
            pattern_regex(pattern)
        settings.bytes_max  # noqa: B018 (raises ValueError)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None
    except (msgspec.ValidationError, ValueError) as error:
        known = ", ".join(BundleSettings.__struct_fields__)
        raise ConfigurationError(f"[{section}] in {path}: {error}", hint=f"The section knows: {known}.") from None
    return settings


@functools.lru_cache(maxsize=256)
def pattern_regex(pattern: str) -> re.Pattern[str]:
    """What a pattern matches: ``*`` and ``?`` inside one folder, ``**`` across folders, and all below what it names.

    Raises:
        ValueError: It leads out of the project.
    """
    parts = pattern.strip("/").split("/")
    if pattern.startswith("/") or ".." in parts or not pattern.strip("/"):
        raise ValueError(f"the pattern {pattern!r} must stay below the project's folder")
    text = ""
    for part in parts:
        if part == "**":
            text += "(?:[^/]+/)*"
        elif part != ".":
            text += "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in part) + "/"
    if parts[-1] == "**":
        text += "[^/]+"
    return re.compile(text.removesuffix("/") + "(?:/.*)?\\Z")


@functools.lru_cache(maxsize=1)
def _shared_folders() -> frozenset[str]:
    # As `tempfile` finds them, which would write a file into one.
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    folders = {*_SHARED, *_TEMPORARY, *(os.path.abspath(name) for name in named if name)}
    home = os.path.realpath(os.path.expanduser("~"))
    while home not in folders:
        folders.add(home)
        home = os.path.dirname(home)
    return frozenset(folders | {os.path.realpath(f) for f in folders})


def _import_root(file: str, root: str) -> str:
    """The folder from which Python imports `file`."""
    folder = os.path.dirname(file)
    source = os.path.join(root, SOURCE_FOLDER)
    if (folder + "/").startswith(source + "/") and _holds_packages(source):
        return source
    while folder != root and os.path.isfile(os.path.join(folder, "__init__.py")):
        folder = os.path.dirname(folder)
    return folder


def _holds_packages(folder: str) -> bool:
    """Whether a folder is one to import from: not a package itself, with modules or folders of modules in it."""
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    if "__init__.py" in names:
        return False
    return any(_is_package(os.path.join(folder, n)) for n in names if "." not in n and n != "__pycache__")


def _is_package(folder: str) -> bool:
    try:
        return any(name.endswith(".py") for name in os.listdir(folder))
    except OSError:
        return False
