"""Loading plugins: what they say of themselves, and what becomes of those that do not fit."""

import asyncio
import sys
import threading
import types

import pytest
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import API_VERSION, PluginInfo, fits
from wingbeat.host import discover
from wingbeat.host.discover import PluginSettings, boot

MAJOR, MINOR = API_VERSION


class Size(Struct):
    size: int = 3


@pytest.fixture
def module(monkeypatch):
    """Makes importable modules of functions, as entry points name them."""

    def make(name: str, **hooks):
        made = types.ModuleType(name)
        for hook, function in hooks.items():
            setattr(made, hook, hookimpl(function))
        monkeypatch.setitem(sys.modules, name, made)
        return {name.removeprefix("their_"): name}

    return make


def test_what_a_plugin_says_of_itself_is_kept(module):
    info = PluginInfo(api=(MAJOR, MINOR), settings={"size": Size})
    registry = boot([], module("their_plugin", wingbeat_plugin=lambda: info))
    assert registry.plugins["plugin"].info is info
    assert registry.plugins["builtin"].info.settings.keys() == {"journal", "log", "process", "secrets"}
    assert registry.settings["size"] == (Size, "plugin")
    assert ("executor", "process") in registry.offers("builtin")
    assert registry.offers("plugin") == []


@pytest.mark.parametrize(
    ("api", "good"), [((MAJOR, MINOR), True), ((MAJOR, MINOR + 1), False), ((MAJOR + 1, 0), False)]
)
def test_which_contracts_fit(api, good):
    assert fits(api) == good


def test_a_plugin_of_newer_contracts_is_refused_with_both_versions(module):
    installed = module("their_plugin", wingbeat_plugin=lambda: PluginInfo(api=(MAJOR + 1, 2)))
    with pytest.raises(
        ConfigurationError, match=rf"'plugin' was built for contracts {MAJOR + 1}\.2; this wingbeat has"
    ) as told:
        boot([], installed)
    assert told.value.hint.startswith("Upgrade wingbeat.")
    assert "plugins.disabled = ['plugin']" in told.value.hint
    assert "plugin" not in boot([], installed, PluginSettings(disabled=("plugin",))).plugins


def test_the_distribution_of_a_plugin_that_does_not_fit_is_named(monkeypatch):
    from wingbeat_catalog import plugin

    other = hookimpl(lambda: PluginInfo(api=(MAJOR - 1, 0)))
    monkeypatch.setattr(plugin, "wingbeat_plugin", other)
    with pytest.raises(ConfigurationError, match=r"'catalog' \(wingbeat-catalog [\d.]+\) was built for") as told:
        boot([], {"catalog": "wingbeat_catalog.plugin"})
    assert told.value.hint.startswith("Upgrade wingbeat-catalog")


def test_an_installed_plugin_that_does_not_say_what_it_was_built_for_is_refused(module):
    with pytest.raises(ConfigurationError, match="'plugin' does not say for which contracts it was built"):
        boot([], module("their_plugin"))


def test_a_wrong_answer_is_refused(module):
    with pytest.raises(ConfigurationError, match="answers wingbeat_plugin with dict; a PluginInfo is wanted"):
        boot([], module("their_plugin", wingbeat_plugin=lambda: {"api": (0, 1)}))


def done_without(installed, caplog, import_s=60.0) -> str:
    """Why the plugin cannot be used: logged with what to do, told where something of it is missed; and nothing of it is left."""
    registry = boot([], installed, PluginSettings(import_s=import_s))
    (name,) = installed
    told = registry.broken[name].message
    off = f"Switch it off with plugins.disabled = ['{name}'], or repair it."
    assert [record.getMessage() for record in caplog.records] == [f"It is done without: {told} {off}"]
    assert registry.offers(name) == []
    assert registry.plugins.keys() == {"builtin"}
    with pytest.raises(ConfigurationError, match="There is no executor 'half'") as missed:
        registry.factory("executor", "half")
    assert missed.value.hint == f"Installed: process. {told}"
    return told


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RuntimeError("no licence"), "RuntimeError: no licence"),
        (asyncio.CancelledError("mine"), "CancelledError: mine"),
        (KeyboardInterrupt(), "RuntimeError: it has raised KeyboardInterrupt"),
    ],
)
def test_a_plugin_that_raises_is_named_with_the_hook_and_done_without(module, caplog, error, why):
    def register(registrar):
        registrar.executor("half", object)
        raise error

    info = PluginInfo(api=(MAJOR, MINOR))
    installed = module("their_plugin", wingbeat_plugin=lambda: info, wingbeat_register=register)
    told = f"Plugin 'plugin' failed in wingbeat_register: {why}."
    assert done_without(installed, caplog) == told


def test_a_plugin_that_cannot_be_imported_is_named_and_done_without(caplog):
    told = done_without({"gone": "no.such.module"}, caplog)
    assert told == "Plugin 'gone' cannot be loaded: ModuleNotFoundError: No module named 'no'."


def test_a_plugin_that_hangs_at_its_import_is_named_with_its_place_and_done_without(tmp_path, monkeypatch, caplog):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "their_end", threading.Event(), raising=False)
    file = tmp_path / "their_hanging.py"
    file.write_text("import sys\n\nsys.their_end.wait()\n")
    try:
        told = done_without({"hanging": "their_hanging"}, caplog, import_s=0.2)
    finally:
        sys.their_end.set()
    assert told == (
        "Plugin 'hanging' (their_hanging) hangs when it is imported: it has not come to an end within 0.2 s (plugins.import_s), "
        f"and stands in <module> ({file}:3)."
    )


@pytest.mark.parametrize("hook", ["wingbeat_plugin", "wingbeat_register"])
def test_a_plugin_that_hangs_in_a_hook_is_named_and_what_it_does_later_changes_nothing(module, caplog, hook):
    end, registered = threading.Event(), threading.Event()

    def answer():
        if hook == "wingbeat_plugin":
            end.wait()
        return PluginInfo(api=(MAJOR, MINOR))

    def register(registrar):
        end.wait()
        registrar.executor("half", object)
        registered.set()

    installed = module("their_plugin", wingbeat_plugin=answer, wingbeat_register=register)
    try:
        told = done_without(installed, caplog, import_s=0.2)
    finally:
        end.set()
    if hook == "wingbeat_register":
        assert registered.wait(10)
    assert told.startswith(
        f"Plugin 'plugin' hangs in {hook}: it has not come to an end within 0.2 s (plugins.import_s), "
    )
    assert f"({__file__}:" in told


@pytest.mark.parametrize("given", [7, object(), "acme.plugin"])
def test_what_is_given_and_is_no_plugin_is_refused(given):
    with pytest.raises(ConfigurationError, match="given as a plugin to the kernel has no hook of one: ") as told:
        boot([given], {})
    assert "hookimpl" in told.value.hint


def test_two_plugins_do_not_read_one_section(module):
    info = PluginInfo(api=(MAJOR, MINOR), settings={"process": Size})
    with pytest.raises(
        ConfigurationError, match="The section 'process' of the settings is read by both builtin and plugin"
    ):
        boot([], module("their_plugin", wingbeat_plugin=lambda: info))


@pytest.mark.parametrize("name", [7, "", None])
def test_a_plugin_that_offers_something_without_a_name_is_named(module, name):
    info = PluginInfo(api=(MAJOR, MINOR))
    installed = module(
        "their_plugin",
        wingbeat_plugin=lambda: info,
        wingbeat_register=lambda registrar: registrar.observer(name, object),
    )
    with pytest.raises(ConfigurationError, match=f"gives the observer that it offers the name {name!r}") as told:
        boot([], installed)
    assert "plugins.disabled = ['plugin']" in told.value.hint


def test_two_plugins_do_not_offer_one_name(module):
    info = PluginInfo(api=(MAJOR, MINOR))
    installed = module(
        "their_plugin",
        wingbeat_plugin=lambda: info,
        wingbeat_register=lambda registrar: registrar.executor("process", object),
    )
    with pytest.raises(ConfigurationError, match="The executor 'process' is offered by both builtin and plugin"):
        boot([], installed)


def test_a_plugin_that_is_slow_to_import_is_named_with_its_time(tmp_path, monkeypatch, caplog):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(discover, "SLOW_S", 0.01)
    (tmp_path / "their_slow.py").write_text(
        "import time\nfrom wingbeat.contracts.hookspecs import hookimpl\nfrom wingbeat.contracts.plugin import PluginInfo\n"
        f"time.sleep(0.05)\n@hookimpl\ndef wingbeat_plugin():\n    return PluginInfo(api={API_VERSION})\n"
    )
    try:
        boot([], {"slow": "their_slow"})
    finally:
        sys.modules.pop("their_slow", None)
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.startswith("Importing the plugin 'slow' (their_slow) took 0.")
    assert told.endswith("s, as it does at every start. Switch it off with plugins.disabled = ['slow'], or repair it.")
