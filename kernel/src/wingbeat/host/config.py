"""Where settings come from: given by the embedder > environment > project file > user file > default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.settings import from_environment, settings

S = TypeVar("S", bound=Struct)


class Configuration:
    """The layers of one kernel.

    Args:
        given: By section, what the embedder set.

        project: The project's folder, with a ``wingbeat.toml`` or a ``[tool.wingbeat]`` table in its ``pyproject.toml``.
    """

    def __init__(self, given: Mapping[str, Mapping[str, Any]] | None = None, project: Path | None = None) -> None:
        self._given = given or {}
        self._files = [*_project_layers(project or Path.cwd()), *_user_layer()]

    def section(self, name: str, struct: type[S]) -> S:
        """A section as `struct`. Raises ConfigurationError."""
        layers: list[tuple[str, Mapping[str, Any]]] = [
            ("given to the kernel", self._given.get(name, {})),
            ("environment", from_environment(os.environ, name)),
        ]
        layers += [(origin, table.get(name, {})) for origin, table in self._files]
        return settings(name, struct, layers)


def _project_layers(folder: Path) -> list[tuple[str, Mapping[str, Any]]]:
    for place in (folder, *folder.parents):
        layers: list[tuple[str, Mapping[str, Any]]] = []
        if (file := place / "wingbeat.toml").is_file():
            layers.append((str(file), _read(file)))
        if (file := place / "pyproject.toml").is_file() and (table := _read(file).get("tool", {}).get("wingbeat")):
            layers.append((str(file), table))
        if layers or file.is_file():
            return layers
    return []


def _user_layer() -> list[tuple[str, Mapping[str, Any]]]:
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    file = Path(base) / "wingbeat" / "wingbeat.toml"
    return [(str(file), _read(file))] if file.is_file() else []


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.") from error
