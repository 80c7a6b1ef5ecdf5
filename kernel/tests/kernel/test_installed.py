"""What is installed and how it is set up, without an engine."""

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.kernel import Kernel, commands_of, configuration_of, installed, plugins_of

PLUGIN = "their_plugin"
SOURCE = """
from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo

@hookimpl
def wingbeat_plugin():
    return PluginInfo(api=(0, 1))

@hookimpl
def wingbeat_register(registrar):
    registrar.executor("theirs", make)

def make(home):
    raise RuntimeError("no licence")
"""


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Installs a plugin of some source."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = {}
    monkeypatch.setattr(installed, "_installed", lambda *_, **__: found)

    def install(source: str, name: str = PLUGIN) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        found[name] = name

    return install


def test_what_is_in_the_box_is_listed_with_what_it_can_do(plugins, tmp_path):
    (builtin,) = plugins_of(tmp_path / "home")
    assert (builtin.name, builtin.state, builtin.api, builtin.sections) == (
        "builtin",
        "on",
        "0.1",
        ("journal", "log", "process", "secrets"),
    )
    assert builtin.distribution.startswith("wingbeat ")
    offers = {(offer.seam, offer.name): offer for offer in builtin.offers}
    types = {name for seam, name in offers if seam == "types"}
    assert {"pandas.DataFrame", "polars.lazyframe.frame.LazyFrame", "numpy.ndarray"} <= types
    offers = {offer: found for offer, found in offers.items() if offer[0] != "types"}
    assert offers.keys() == {
        ("journal", "sqlite"), ("storage", "store"), ("executor", "process"), ("observer", "log"),
        ("maker of environments", "uv"), ("source of secrets", "environment"), ("source of secrets", "file"),
    }  # fmt: skip
    assert "adopts" in offers["executor", "process"].capabilities
    assert not (tmp_path / "home").exists()


def test_one_that_is_off_or_broken_is_listed_and_the_others_are_seen(plugins, tmp_path):
    plugins(SOURCE)
    plugins("import no_such_module", "broken_plugin")
    plugins("", "off_plugin")
    found = {p.name: p for p in plugins_of(tmp_path / "home", {"plugins": {"disabled": ["off_plugin"]}})}
    assert {name: p.state for name, p in found.items()} == {
        "builtin": "on", PLUGIN: "on", "broken_plugin": "broken", "off_plugin": "off",
    }  # fmt: skip
    assert (
        found[PLUGIN].offers[0].problem
        == "The executor 'theirs' of plugin 'their_plugin' cannot be made: RuntimeError: no licence."
    )
    assert "cannot be loaded: ModuleNotFoundError" in found["broken_plugin"].problem


def test_two_of_one_name_are_listed_as_broken_and_can_be_switched_off(tmp_path, monkeypatch):
    for name in ("kite", "swift"):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[wingbeat]\nkite = {name}_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    (found,) = [p for p in plugins_of(tmp_path / "home") if p.name == "kite"]
    assert found.state == "broken"
    assert "There are two plugins 'kite': of " in found.problem
    assert "kite" in commands_of(tmp_path / "home")[1]
    with pytest.raises(ConfigurationError, match="two plugins 'kite'"):
        configuration_of(tmp_path / "home")
    off = {"plugins": {"disabled": ["kite"]}}
    (found,) = [p for p in plugins_of(tmp_path / "home", off) if p.name == "kite"]
    assert found.state == "off"
    configuration_of(tmp_path / "home", off)


TYPES = """
@hookimpl
def wingbeat_types():
    from wingbeat.types import BlobType, register
    register(["their.Track", "their.tracks.Track"], BlobType("track"), "their.handlers:TrackHandler")
    {more}
"""


def test_the_classes_that_a_plugin_registers_are_listed_also_where_they_are_registered_already(plugins, tmp_path):
    plugins(SOURCE + TYPES.format(more=""), "typed")
    for _ in range(2):
        (found,) = [p for p in plugins_of(tmp_path / "home") if p.name == "typed"]
        assert [o.name for o in found.offers if o.seam == "types"] == ["their.Track", "their.tracks.Track"]


def test_one_whose_types_cannot_be_registered_is_listed_with_the_reason(plugins, tmp_path):
    plugins(SOURCE + TYPES.format(more="raise RuntimeError('no licence')"), "typeless")
    (found,) = [p for p in plugins_of(tmp_path / "home") if p.name == "typeless"]
    assert [o.problem for o in found.offers if o.seam == "types"] == ["RuntimeError: no licence"]


def test_settings_are_listed_by_section(plugins, tmp_path):
    found = configuration_of(tmp_path / "home", {"process": {"slots": "3"}})
    assert found.keys() == {
        "plugins",
        "bundle",
        "kernel",
        "pools",
        "project",
        "retention",
        "journal",
        "log",
        "process",
        "secrets",
    }
    assert next((s.key, s.said[0]) for s in found["process"]) == ("slots", (3, "given to the kernel"))
    with pytest.raises(ConfigurationError, match=r"There is no setting process\.slot "):
        configuration_of(tmp_path / "home", {"process": {"slot": 3}})


def test_what_is_wrong_can_be_noted_and_the_rest_is_answered(plugins, tmp_path):
    plugins("import no_such_module", "broken_plugin")
    mistakes = []
    found = configuration_of(tmp_path / "home", {"process": {"slot": 3, "slots": 4}}, mistakes=mistakes)
    assert next((s.key, s.said[0]) for s in found["process"]) == ("slots", (4, "given to the kernel"))
    assert [(m.section, m.key, m.said.value) for m in mistakes] == [("process", "slot", None), ("plugins", "", None)]
    assert mistakes[0].error.hint == "Did you mean 'slots'?"
    assert "'broken_plugin' cannot be loaded" in mistakes[1].error.message


@pytest.mark.anyio
async def test_a_plugin_that_is_switched_off_and_not_there_is_told(tmp_path, caplog):
    async with Kernel(tmp_path, settings={"plugins": {"disabled": ["nope"]}}):
        pass
    assert "plugins.disabled names 'nope', which is not installed; installed: builtin" in caplog.text
