"""Commands that plugins add: found, listed, called, completed; and what becomes of those that cannot be."""

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from wingbeat_cli import plugged as module
from wingbeat_cli.overview import COMMANDS, overview

WINGBEAT = str(Path(sys.executable).with_name("wingbeat"))
PLUGIN = """
from msgspec import Struct

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo

class Settings(Struct, frozen=True):
    depth: int = 3


@hookimpl
def wingbeat_plugin():
    return PluginInfo(api=(0, 2), settings={SECTION: Settings})


@hookimpl
def wingbeat_register(registrar):
    for name, target in OFFERS.items():
        registrar.command(name, target, help=f"Do what {name} does.")
"""
COMMAND = """
import asyncio
import sys

import click

from wingbeat import NotFound, Kernel

from acme_plugin import Settings


class Odd(BaseException):
    pass


@click.group()
def lines():
    "Count lines."


@lines.command()
@click.pass_obj
def show(called):
    "Show what was given."
    called.show({
        "home": called.home, "endpoint": called.endpoint, "output": called.output, "project": called.project,
        "domain": called.domain, "depth": called.settings("acme", Settings).depth, "given": called.given,
    })


@lines.command()
@click.option("-o", "--out")
def own(out):
    "Have an option -o of its own."
    click.echo(out)


@lines.command()
@click.argument("what")
def fail(what):
    "Fail in several ways."
    if what == "ours":
        raise NotFound("there is no such line", hint="look for another")
    if what == "click":
        raise click.ClickException("no line fits")
    if what == "status":
        return 3
    if what == "exit":
        click.get_current_context().exit(4)
    if what == "cancels":
        raise asyncio.CancelledError
    if what == "odd":
        raise Odd("what is this?")
    raise ValueError("boom")


@lines.command()
@click.pass_obj
def count(called):
    "Count the executions of the home."
    import asyncio

    async def work():
        async with Kernel(called.home, settings=called.given) as kernel:
            return len(await kernel.engine.executions())

    called.show({"executions": asyncio.run(work())})


not_one = "a text"
"""


class Place:
    """A folder of installed plugins, before all others on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "site-packages"
        self.folder.mkdir()
        (self.folder / "acme_command.py").write_text(COMMAND)

    def install(self, name: str, offers: dict[str, str], source: str = PLUGIN) -> Path:
        module = f"{name.replace('-', '_')}_plugin"
        info = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[wingbeat]\n{name} = {module}\n")
        file = self.folder / f"{module}.py"
        file.write_text(f"SECTION, OFFERS = {name!r}, {offers!r}\n{textwrap.dedent(source)}")
        return file


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("WINGBEAT_HOME", raising=False)
    made = Place(tmp_path)
    monkeypatch.syspath_prepend(str(made.folder))
    yield made
    for name in [name for name in sys.modules if name.startswith(("acme", "other", "broken"))]:
        del sys.modules[name]


@pytest.fixture
def acme(place):
    place.install("acme", {"lines": "acme_command:lines"})
    return place


def shell(place, *arguments, **variables):
    """In a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(place.folder), **variables}
    return subprocess.run([WINGBEAT, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_the_help_lists_commands_of_plugins_and_imports_them_not(acme):
    first = shell(acme, "--help")
    assert "\nCommands of plugins:\n  lines       Do what lines does.\n\nOptions:" in first.stdout
    program = "import sys; from wingbeat_cli.main import main; main(); sys.stderr.write(' '.join(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(acme.folder)}
    command = [sys.executable, "-c", program, "--help"]
    for _ in range(2):  # the first finds other places to import from than the command did
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == first.stdout
    assert not {"click", "msgspec", "wingbeat", "acme_command", "acme_plugin", "json"} & set(done.stderr.split())


@pytest.mark.parametrize("name", ["acme_command", "click"])
def test_not_even_the_first_time_the_command_is_imported(acme, name):
    program = f"import sys; from wingbeat_cli.main import main; main(); sys.exit({name!r} in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(acme.folder)}
    done = subprocess.run([sys.executable, "-c", program, "--help"], env=environment, capture_output=True, check=False)
    assert done.returncode == 0


def test_without_a_place_to_remember_it_is_asked_each_time(acme, monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert "lines" in overview()
    assert "lines" in overview()


def test_what_is_remembered_holds_until_something_changes(acme, wingbeat, monkeypatch):
    assert "lines" in module.plugged(COMMANDS).commands
    monkeypatch.setattr(module, "_asked", lambda given: pytest.fail("it is asked again"))
    assert "lines" in module.plugged(COMMANDS).commands
    monkeypatch.undo()


@pytest.mark.parametrize("change", ["module", "installed", "settings", "variable", "damage"])
def test_what_changes_is_seen(acme, change, monkeypatch, tmp_path):
    assert "lines" in shell(acme, "--help").stdout
    variables = {}
    if change == "module":
        acme.install("acme", {"rows": "acme_command:lines"})
    elif change == "installed":
        time.sleep(0.01)  # clocks of file systems are coarse
        acme.install("other", {"rows": "acme_command:lines"})
    elif change == "settings":
        (tmp_path / "pyproject.toml").write_text('[tool.wingbeat.plugins]\ndisabled = ["acme"]\n')
    elif change == "variable":
        variables = {"WINGBEAT_PLUGINS__DISABLED": '["acme"]'}
    else:
        (kept,) = (tmp_path / "cache" / "wingbeat").iterdir()
        kept.write_bytes(b"\xff" + kept.read_bytes()[:40])
    told = shell(acme, "--help", **variables).stdout
    assert ("  rows " in told) == (change in ("module", "installed"))
    assert ("  lines " in told) == (change in ("installed", "damage"))


def test_it_is_given_what_was_said_before_its_name(acme, wingbeat, tmp_path):
    said = ("--endpoint", "http://there", "--set", "acme.depth=5", "--set", "project.name=maps")
    answer = wingbeat(*said, "lines", "show", "-o", "yaml")
    assert answer.status == 0, answer.err
    assert f"home: {tmp_path}/.wingbeat" in answer.out
    told = json.loads(wingbeat(*said, "lines", "show", "-o", "json").out)
    assert {key: told[key] for key in ("endpoint", "output", "project", "depth")} == {
        "endpoint": "http://there",
        "output": "json",
        "project": "maps",
        "depth": 5,
    }
    assert told["given"]["kernel"] == {"engine": "http"}
    assert told["given"]["admin"] == {"endpoint": "http://there"}


def test_it_works_with_the_home(acme, wingbeat):
    assert json.loads(wingbeat("lines", "count").out) == {"executions": 0}


def test_an_option_of_its_own_stays(acme, wingbeat):
    assert wingbeat("lines", "own", "-o", "x").out == "x\n"
    assert "Form of the output" in wingbeat("lines", "own", "--help").out  # which is --output alone


def test_called_again_it_is_the_same(acme, wingbeat):
    for _ in range(3):
        assert wingbeat("lines", "show", "-o", "json").status == 0
    assert wingbeat("lines", "show", "--help").out.count("--output") == 1


@pytest.mark.parametrize(
    ("how", "status", "says"),
    [
        ("ours", 4, "error: there is no such line\n  look for another\n"),
        ("click", 1, "error: no line fits\n"),
        ("status", 3, ""),
        ("exit", 4, ""),
        (
            "else",
            70,
            "error: the command of plugin 'acme' has failed: ValueError: boom\n  this is a fault of the plugin 'acme', ",
        ),
        (
            "cancels",
            70,
            "error: the command of plugin 'acme' has failed: CancelledError\n  this is a fault of the plugin",
        ),
        (
            "odd",
            70,
            "error: the command of plugin 'acme' has failed: Odd: what is this?\n  this is a fault of the plugin",
        ),
    ],
)
def test_errors_are_told_as_of_any_command(acme, wingbeat, how, status, says):
    answer = wingbeat("lines", "fail", how)
    assert answer.status == status
    assert answer.err.startswith(says)
    assert ("or switch it off with plugins.disabled = ['acme']" in answer.err) == (status == 70)
    assert wingbeat("version").status == 0


def test_errors_are_documents_where_they_are_asked_for(acme, wingbeat):
    assert json.loads(wingbeat("lines", "fail", "else", "-o", "json").out)["error"]["message"].endswith("boom")
    assert json.loads(wingbeat("lines", "show", "--nonsense", "-o", "json").out)["error"]["code"] == "UsageError"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("acme_command:nowhere", "cannot be imported: AttributeError: "),
        ("acme_nowhere:lines", "cannot be imported: ModuleNotFoundError: "),
        ("acme_command:not_one", "is no command of click: it is of the class str."),
    ],
)
def test_what_is_no_command_is_named_and_others_go_on(place, wingbeat, target, says):
    place.install("acme", {"lines": "acme_command:lines", "rows": target})
    answer = wingbeat("rows")
    assert answer.status == 2
    assert f"The command 'rows' of plugin 'acme' ({target}) {says}" in answer.err
    assert "plugins.disabled = ['acme']" in answer.err
    assert wingbeat("lines", "show").status == 0


def test_a_name_of_our_own_is_refused(place, wingbeat):
    place.install("acme", {"version": "acme_command:lines", "lines": "acme_command:lines"})
    told = "the command 'version' is refused: 'version' is a command of wingbeat itself, and acme offers one, too"
    assert told in overview()
    assert "python" in wingbeat("version").out
    assert f"acme: {told}" in wingbeat("plugins", "list").out
    offers = {o["name"]: o["problem"] for p in json.loads(wingbeat("plugins", "list", "-o", "json").out)["plugins"]
              for o in p["offers"] if o["seam"] == "command"}  # fmt: skip
    assert offers == {"version": told.partition("refused: ")[2], "lines": ""}


def test_a_name_that_two_plugins_offer_is_neither_s(acme, wingbeat):
    acme.install("other", {"lines": "acme_command:lines", "rows": "acme_command:lines"})
    told = "the command 'lines' is refused: it is offered by acme and by other"
    assert told in overview()
    assert "\n  lines " not in overview()
    answer = wingbeat("lines", "show")
    assert (answer.status, "'lines' is refused: it is offered by acme and by other" in answer.err) == (2, True)
    assert wingbeat("rows", "show").status == 0
    assert wingbeat("--set", 'plugins.disabled=["other"]', "lines", "show").status == 0


def test_a_broken_plugin_is_named_and_others_go_on(acme, wingbeat):
    acme.install("broken", {}, "raise RuntimeError('no')")
    told = "the plugin 'broken' cannot be used: Plugin 'broken' cannot be loaded: RuntimeError: no."
    assert told in overview()
    assert wingbeat("lines", "show").status == 0
    answer = wingbeat("rows")
    assert answer.err.startswith(f"error: there is no command 'rows'; {told}")
    assert "Switch it off with plugins.disabled = ['broken'], or repair it." in answer.err


def test_what_is_near_is_meant(acme, wingbeat):
    assert wingbeat("line").err.startswith("error: there is no command 'line'. Did you mean 'lines'?")


@pytest.mark.parametrize(
    ("name", "target", "says"),
    [
        ("Lines", "a:b", "offers a command 'Lines', which cannot be typed"),
        ("lines", "a.b", "its command 'lines' is at 'a.b', which is no place"),
    ],
)
def test_what_cannot_be_one_is_refused_at_once(place, name, target, says):
    place.install("acme", {name: target})
    assert says in overview()


def test_it_is_completed(acme):
    def offered(line):
        said = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TEXT": line.rpartition(" ")[2]}
        found = shell(acme, _WINGBEAT_COMPLETE="bash_complete", **said)
        return [each.partition(",")[2] for each in found.stdout.split()]

    assert "lines" in offered("wingbeat ")
    assert offered("wingbeat lines s") == ["show"]
    assert offered("wingbeat lines show --o") == ["--output"]
    assert offered("wingbeat lines show -o j") == ["json"]


@pytest.mark.timeout(180)
def test_it_is_tested_by_its_name(acme, wingbeat):
    answer = wingbeat("plugins", "check", "acme", "--seam", "command")
    assert answer.status == 0, answer.out
    assert "passed   command lines  everything in it has a help" in answer.out
