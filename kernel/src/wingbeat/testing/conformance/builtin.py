"""What the kits have to know to test what is in the box: `wingbeat plugins check builtin` runs them, and so do the tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wingbeat.builtin.environments import UvEnvironments, freeze_project
from wingbeat.builtin.log import LogObserver
from wingbeat.builtin.secrets import file_settings, variable_of
from wingbeat.builtin.settings import LogSettings, SecretSettings
from wingbeat.contracts.environment import ProjectLock
from wingbeat.contracts.observer import Observer
from wingbeat.contracts.secrets import SourceRef
from wingbeat.testing.conformance.environment import EnvironmentsContract
from wingbeat.testing.conformance.observer import ObserverContract
from wingbeat.testing.conformance.secrets import SecretSourceContract
from wingbeat.testing.home import TemporaryHome


class TestLog(ObserverContract):
    """The log of events, which its settings switch off unless they say otherwise."""

    load = 100

    def make(self, home: TemporaryHome) -> Observer:
        """One that writes to a file."""
        return LogObserver(LogSettings("json", "events.log"), home.path)

    def told(self, home: TemporaryHome, observer: Observer) -> Iterable[tuple[str, int]] | None:
        """What is in the file. Lines have no cursor; in the kit, the time of an event is that many seconds after `life`'s first."""
        file = Path(home.path, "events.log")
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        began = datetime.fromtimestamp(1e9, UTC)
        times = [(line["execution"], datetime.fromisoformat(line["at"])) for line in lines if "execution" in line]
        return [(execution, int((at - began).total_seconds())) for execution, at in times]


class TestUvEnvironments(EnvironmentsContract):
    """Environments without packages of their own, which need no network."""

    def make(self, home: TemporaryHome) -> UvEnvironments:
        """In the home, with a cache of its own."""
        return UvEnvironments(home.storage(), cache=str(Path(home.path, "cache")), cache_dir=home.path)

    def locks(self) -> Sequence[ProjectLock]:
        """What the interpreter that runs this has installed, which needs no network either."""
        return (freeze_project(""),)


class TestEnvironmentSource(SecretSourceContract):
    """Secrets in environment variables."""

    @pytest.fixture(autouse=True)
    def _variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch

    def ref(self, place: Path) -> SourceRef:
        """It has no settings."""
        return SourceRef("environment", "wingbeat.builtin.secrets:EnvironmentSource")

    def put(self, place: Path, name: str, value: str) -> None:
        """Set a variable."""
        self.patch.setenv(variable_of(name), value)


class TestFileSource(SecretSourceContract):
    """Secrets in files."""

    def ref(self, place: Path) -> SourceRef:
        """In a folder."""
        settings = file_settings(SecretSettings("file", str(place)))
        return SourceRef("file", "wingbeat.builtin.secrets:FileSource", settings)

    def put(self, place: Path, name: str, value: str) -> None:
        """Write a file that nobody else may read."""
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value)
        path.chmod(0o600)
