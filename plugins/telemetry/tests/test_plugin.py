"""What the kernel sees of the observers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wingbeat_telemetry import plugin
from wingbeat_telemetry.settings import OpenTelemetrySettings, PrometheusSettings


class Home:
    def __init__(self, path: Path, **settings: dict[str, Any]) -> None:
        self.path, self.given = str(path), settings

    def settings(self, section: str, struct: type) -> Any:
        return struct(**self.given.get(section, {}))

    def storage(self, scheme: str = "file") -> Any:
        raise NotImplementedError


class Registrar:
    def __init__(self) -> None:
        self.factories: dict[str, Any] = {}

    def observer(self, name: str, factory: Any) -> None:
        self.factories[name] = factory


def made(home: Home) -> dict[str, Any]:
    registrar = Registrar()
    plugin.wingbeat_register(registrar)  # type: ignore[arg-type]
    observers = {name: factory(home) for name, factory in registrar.factories.items()}
    return {name: observer for name, observer in observers.items() if observer is not None}


def test_it_says_which_sections_of_the_settings_it_reads():
    sections = {"prometheus": PrometheusSettings, "opentelemetry": OpenTelemetrySettings}
    assert plugin.wingbeat_plugin().settings == sections


def test_observers_are_off_until_their_section_says_otherwise(tmp_path, monkeypatch):
    assert made(Home(tmp_path)) == {}
    on = Home(tmp_path, prometheus={"address": ":0"}, opentelemetry={"enabled": True})
    assert set(made(on)) == {"prometheus", "opentelemetry"}
    assert set(made(Home(tmp_path, prometheus={"textfile": "x.prom"}))) == {"prometheus"}
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert set(made(on)) == {"prometheus"}
    assert list(tmp_path.iterdir()) == []


def test_what_is_off_loads_no_library():
    code = """
import sys
from wingbeat_telemetry import plugin
class Home:
    path = "/nowhere"
    def settings(self, section, struct): return struct()
class Registrar:
    def observer(self, name, factory): assert factory(Home()) is None
plugin.wingbeat_plugin()
plugin.wingbeat_register(Registrar())
print(sorted({name.partition(".")[0] for name in sys.modules} & {"opentelemetry", "prometheus_client", "requests", "google"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]"]


@pytest.mark.parametrize("sample", ["2", "-1", "some"])
def test_a_wrong_setting_is_refused_by_the_kernel(sample, tmp_path, monkeypatch):
    from wingbeat import Kernel
    from wingbeat.base.errors import ConfigurationError

    monkeypatch.setenv("WINGBEAT_OPENTELEMETRY__SAMPLE", sample)
    monkeypatch.setenv("WINGBEAT_OPENTELEMETRY__ENABLED", "true")

    async def open_() -> None:
        async with Kernel(tmp_path / "home"):
            pass

    import asyncio

    with pytest.raises(ConfigurationError, match=r"opentelemetry\.sample"):
        asyncio.run(open_())
