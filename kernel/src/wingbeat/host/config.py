"""Where settings come from: given by the embedder > environment > project file > user file > default."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.settings import (
    ENVIRONMENT,
    Layers,
    Mistake,
    Said,
    from_environment,
    is_secret,
    misspelt,
    said,
    sections,
    settings,
    variable,
)

S = TypeVar("S", bound=Struct)


GIVEN = "given to the kernel"
ALIKE = 0.8
"""How like a section another has to be, of 1, to be what was meant: one letter wrong, more in a long word."""
OF_THE_PROJECT = ("bundle",)
"""Sections that only the project's file may have."""


class Setting(Struct, frozen=True):
    """A setting.

    Attributes:
        said: Its value first; then what it stands before, the default last. Each with where it is said.

        doc: What it means.
    """

    section: str
    key: str
    said: list[Said]
    doc: str


class Configuration:
    """The layers of one kernel.

    Args:
        given: By section, what the embedder set.

        project: The project's folder, with a ``wingbeat.toml`` or a ``[tool.wingbeat]`` table in its ``pyproject.toml``.

    Files are read when they are first asked for, which raises ConfigurationError for one that cannot be read.
    """

    def __init__(self, given: Mapping[str, Mapping[str, Any]] | None = None, project: Path | None = None) -> None:
        self._told = given or {}
        self._project = project or Path.cwd()

    @cached_property
    def _of_project(self) -> list[tuple[str, Mapping[str, Any]]]:
        return _project_layers(self._project)

    @cached_property
    def _files(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [*self._of_project, *_user_layer()]

    @cached_property
    def _given(self) -> Mapping[str, Mapping[str, Any]]:
        return _checked(self._told)

    def section(self, name: str, struct: type[S]) -> S:
        """A section as `struct`. Raises ConfigurationError."""
        return settings(name, struct, self._layers(name), _place)

    def merged(self, name: str) -> dict[str, Any]:
        """What is said of a section, whoever reads it; unread, and so not checked."""
        return {key: value for _, layer in reversed(self._layers(name)) for key, value in layer.items()}

    def explained(self, name: str, struct: type[Struct], mistakes: list[Mistake] | None = None) -> list[Setting]:
        """Every setting of a section, with where it comes from. Raises ConfigurationError, or appends to `mistakes` what is wrong
        and does not hold."""
        from wingbeat.author.docstring import read_docstring

        fields = msgspec.structs.fields(struct)
        doc = (struct.__doc__ or "").replace("Attributes:", "Args:")
        meanings = read_docstring(doc, [field.name for field in fields]).arguments
        found = said(name, struct, self._layers(name, mistakes), _place, mistakes)
        settings_: list[Setting] = []
        for field in fields:
            default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            values = [*found.get(field.name, ()), Said(default, "default")]
            if is_secret(field.type):
                values = [Said("***" if value else value, origin) for value, origin in values]
            settings_.append(Setting(name, field.name, values, meanings.get(field.name, "")))
        return settings_

    def check(self) -> None:
        """Raise ConfigurationError where something is said that only the project's file may say."""
        for section in OF_THE_PROJECT:
            for origin, layer in self._layers(section):
                if layer and not any(origin == file for file, _ in self._of_project):
                    raise ConfigurationError(
                        f"The section {section!r} is set in another place than the project's file ({origin}).",
                        hint="It decides what belongs to a version of the code, which is the same for whoever runs it.",
                    )

    def check_given(
        self, known: Mapping[str, type[Struct]], others: Collection[str] = (), mistakes: list[Mistake] | None = None
    ) -> None:
        """Raise ConfigurationError where the embedder set what there is not: a section that nobody reads, a key that it does not
        have, a value that does not fit. Files and variables may be for several machines; what is given is for this kernel.

        Args:
            known: By section, what reads it.

            others: Further sections that may be given.

            mistakes: Takes sections that nobody reads, instead of their being raised; those that somebody reads are not looked at.
        """
        for name in self._given:
            if name in known:
                if mistakes is None:
                    self.section(name, known[name])
            elif name not in others:
                told = f"There is no section {name!r} of the settings ({GIVEN})."
                _tell(mistakes, Mistake(name, "", Said(None, GIVEN), ConfigurationError(told, hint=_near(name, known))))

    def _layers(self, name: str, mistakes: list[Mistake] | None = None) -> Layers:
        """What is said of a section, and where, the strongest first."""
        layers: list[tuple[str, Mapping[str, Any]]] = [
            (GIVEN, self._given.get(name, {})),
            (ENVIRONMENT, from_environment(os.environ, name)),
        ]
        for origin, table in self._files:
            section = table.get(name, {})
            if isinstance(section, Mapping):
                layers.append((origin, section))
                continue
            error = ConfigurationError(
                f"The setting {name} = {section!r} is no section ({_place(origin, name)}).",
                hint=f"Write a table: [{_heading(origin, name)}].",
            )
            _tell(mistakes, Mistake(name, "", Said(section, origin), error))
        return layers

    def unread(self, known: Collection[str]) -> list[str]:
        """What files and variables set that nobody reads, a sentence for each.

        No error: a file may be for several machines, with plugins that are not installed on this one.

        Args:
            known: The sections that somebody reads.
        """
        said_ = [(ENVIRONMENT, {section: {} for section in sections(os.environ)}), *self._files]
        return [
            *(
                _unread(origin, name, value, known)
                for origin, table in said_
                for name, value in table.items()
                if name not in known
            ),
            *(
                f"The variable {name} sets nothing. Did you mean {meant}?"
                for name, meant in misspelt(os.environ, known).items()
            ),
        ]

    def tell_unread(self, known: Collection[str]) -> None:
        """Warn of it."""
        for told in self.unread(known):
            logging.getLogger("wingbeat.settings").warning("%s", told)


def _tell(mistakes: list[Mistake] | None, mistake: Mistake) -> None:
    if mistakes is None:
        raise mistake.error
    mistakes.append(mistake)


def _place(origin: str, section: str, key: str = "") -> str:
    """Where something is said: of a file, with the line where that can be told."""
    if not origin.endswith(".toml"):
        return origin
    from wingbeat.host.tomllines import line_of

    line = line_of(Path(origin), [*_heading(origin, section).split("."), *([key] if key else [])])
    return f"{origin}:{line}" if line else origin


def _checked(given: object) -> Mapping[str, Mapping[str, Any]]:
    """What an embedder gives, who may be anybody. Raises ConfigurationError."""
    if not isinstance(given, Mapping):
        raise _misshapen(f"The settings are {_shown(given)}", "no sections")
    for name, section in given.items():
        if not isinstance(name, str):
            raise _misshapen(f"A section of the settings is called {_shown(name)}", "no name")
        if not isinstance(section, Mapping):
            raise _misshapen(f"The setting {name} is {_shown(section)}", "no section")
        if wrong := [key for key in section if not isinstance(key, str)]:
            raise _misshapen(f"A setting of the section {name!r} is called {_shown(wrong[0])}", "no name")
    return given


def _misshapen(what: str, why: str) -> ConfigurationError:
    hint = 'By section and key, as {"kernel": {"executor": "process"}}.'
    return ConfigurationError(f"{what}, which is {why} ({GIVEN}).", hint=hint)


def _shown(value: object) -> str:
    """A number or a word as it is; of anything else, which may hold a password, only what it is."""
    return repr(value) if isinstance(value, int | float | None) else f"of type {type(value).__name__}"


def _unread(origin: str, name: str, value: Any, known: Collection[str]) -> str:
    if not isinstance(value, Mapping):
        return f"{name} stands outside of all sections and is not read ({origin})."
    return f"Nothing reads the section [{_heading(origin, name)}] ({origin}). {_near(name, known, origin)}"


def _near(name: str, known: Collection[str], origin: str = GIVEN) -> str:
    """What may have been meant by a section."""
    import difflib

    near = difflib.get_close_matches(name, known, 1, ALIKE)
    if near:
        return f"Did you mean [{_heading(origin, near[0])}]?"
    return f"There are {', '.join(sorted(known))}; or it is for a plugin that is not installed."


def _heading(origin: str, section: str) -> str:
    if origin == ENVIRONMENT:
        return variable(section, "…")
    return f"tool.wingbeat.{section}" if origin.endswith("pyproject.toml") else section


def _project_layers(folder: Path) -> list[tuple[str, Mapping[str, Any]]]:
    for place in (folder, *folder.parents):
        layers: list[tuple[str, Mapping[str, Any]]] = []
        if (file := place / "wingbeat.toml").exists():  # also as something that cannot be read
            layers.append((str(file), _read(file)))
        if (file := place / "pyproject.toml").is_file() and (table := _tool_table(file)):
            layers.append((str(file), table))
        if layers or file.is_file():
            return layers
    return []


def _tool_table(file: Path) -> Mapping[str, Any]:
    """What a ``pyproject.toml`` says of Wingbeat. Raises ConfigurationError."""
    from wingbeat.host.tomllines import line_of

    table, path = _read(file), list[str]()
    for key in ("tool", "wingbeat"):
        path.append(key)
        table = table.get(key, {})
        if not isinstance(table, Mapping):
            line = line_of(file, path)
            raise ConfigurationError(
                f"The setting {'.'.join(path)} = {table!r} is no section ({file}{f':{line}' if line else ''}).",
                hint="Write a table: [tool.wingbeat].",
            )
    return table


def _user_layer() -> list[tuple[str, Mapping[str, Any]]]:
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    file = Path(base) / "wingbeat" / "wingbeat.toml"
    return [(str(file), _read(file))] if file.exists() else []


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.") from None
