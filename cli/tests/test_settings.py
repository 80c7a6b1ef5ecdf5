"""Settings and plugins as the command shows them."""

import itertools
import json
from importlib.metadata import version

import pytest

from wingbeat.contracts.plugin import API_VERSION
from wingbeat.kernel.installed import Offer, PluginView
from wingbeat_cli.render.plugins import listed


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_the_settings_are_shown(wingbeat):
    lines = wingbeat("config", "show").out.splitlines()
    assert lines[0].split() == ["SETTING", "VALUE"]
    assert ["kernel.executor", "process"] in [line.split() for line in lines]


def test_each_says_where_it_comes_from(wingbeat, folder, monkeypatch):
    (folder / "wingbeat.toml").write_text("[process]\nslots = 3\n")
    monkeypatch.setenv("WINGBEAT_PROCESS__SLOTS", "5")
    answer = wingbeat("--set", "process.slots=7", "config", "show", "process.slots", "--explain")
    assert [line.split("  ")[0] for line in answer.out.splitlines()[:2]] == ["SETTING", "process.slots"]
    assert f"7      --set (over WINGBEAT_PROCESS__SLOTS: 5; {folder}/wingbeat.toml: 3)" in answer.out
    assert "How many attempts run at once" in answer.out
    (found,) = json.loads(wingbeat("config", "show", "process.slots", "-o", "json").out)["settings"]
    assert (found["value"], found["from"]) == (5, "WINGBEAT_PROCESS__SLOTS")
    assert found["over"] == [{"value": 3, "from": f"{folder}/wingbeat.toml"}, {"value": 0, "from": "default"}]


def test_what_is_not_installed_does_not_stand_before_itself(wingbeat, folder):
    file = folder / "wingbeat.toml"
    file.write_text("[kernel]\nexecutor = 'nope'\n")
    lines = wingbeat("config", "show", "kernel.executor", "--explain").out.splitlines()
    assert lines[1].split() == ["kernel.executor", "nope", str(file)]
    (found,) = json.loads(wingbeat("config", "show", "kernel.executor", "-o", "json").out)["settings"]
    assert found["over"] == [{"value": "process", "from": "default"}]


def test_what_nobody_reads_is_warned_of(wingbeat, folder, caplog):
    (folder / "wingbeat.toml").write_text("slots = 1\n[proces]\nslots = 1\n")
    assert wingbeat("config", "show", "kernel.engine").status == 0
    assert caplog.messages == [
        f"slots stands outside of all sections and is not read ({folder}/wingbeat.toml).",
        f"Nothing reads the section [proces] ({folder}/wingbeat.toml). Did you mean [process]?",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("config", "show", "proces"), "there is no setting 'proces'; did you mean 'process'?"),
        (("config", "show", "process.slotz"), "did you mean 'process.slots'?"),
        (("--set", "slots", "config", "show"), "--set takes SECTION.KEY=VALUE, not 'slots'"),
        (
            ("--set", "process.slotz=1", "launch", "flow"),
            "There is no setting process.slotz (--set).\n  Did you mean",
        ),
        (
            ("--set", "proces.slots=1", "launch", "flow"),
            "There is no section 'proces' of the settings (--set).\n  Did you mean",
        ),
        (
            ("config", "show", "--set", "process.slots=1"),
            "stands before the command: wingbeat --set SECTION.KEY=VALUE COMMAND",
        ),
        (("get", "executions", "--endpoint", "x"), "stands before the command: wingbeat --endpoint URL COMMAND"),
        (
            ("--set", "process.slots=x", "launch", "flow"),
            "process.slots = 'x' does not fit: Expected `int`, got `str`",
        ),
    ],
)
def test_what_is_wrong_is_said(wingbeat, arguments, says):
    answer = wingbeat(*arguments)
    assert answer.status == 2
    assert says in answer.err


WRONG = """\
[process]
slots = "many"
cancel_grace_s = 3

[bundle]
exclued = ["data"]
"""


def test_what_is_wrong_is_shown_in_its_place_with_its_line_and_the_rest_as_always(wingbeat, folder):
    (folder / "wingbeat.toml").write_text(WRONG)
    answer = wingbeat("config", "show")
    assert answer.status == 2
    assert answer.err == "error: these settings are wrong: bundle.exclued, process.slots\n"
    lines = answer.out.splitlines()
    assert "process.cancel_grace_s" in [line.split()[0] for line in lines if line.split()[-1:] == ["3.0"]]
    after = dict(itertools.pairwise(lines))
    assert after["bundle.exclued"] == (
        f"    error: There is no setting bundle.exclued ({folder}/wingbeat.toml:6). Did you mean 'exclude'?"
    )
    (slots,) = [line for line in lines if line.split() == ["process.slots", "many"]]
    assert after[slots] == (
        f"    error: The setting process.slots = 'many' does not fit: Expected `int`, got `str` ({folder}/wingbeat.toml:2)."
    )


NAMES = """\
[kernel]
executor = "proces"
catalog = "redis"
storage = "s4"
rules = [{ type = "spark", executor = "dask" }]

[secrets]
source = "vault"
"""


def test_names_that_nothing_has_are_told_in_their_places(wingbeat, folder):
    (folder / "wingbeat.toml").write_text(NAMES)
    answer = wingbeat("config", "show")
    wrong = "kernel.storage, kernel.executor, kernel.catalog, kernel.rules, secrets.source"
    assert answer.status == 2
    assert {*answer.err.removeprefix("error: these settings are wrong: ").strip().split(", ")} == {*wrong.split(", ")}
    after = {line.split()[0]: told.strip() for line, told in itertools.pairwise(answer.out.splitlines())}
    assert after["kernel.executor"].startswith("error: There is no executor 'proces'. Installed: ")
    assert after["secrets.source"] == "error: There is no source of secrets 'vault'. Installed: environment, file."


def test_a_section_that_is_none_is_told_with_each_of_its_settings(wingbeat, folder):
    (folder / "wingbeat.toml").write_text("process = 3\n")
    answer = wingbeat("config", "show", "process.slots")
    assert (answer.status, answer.err) == (2, "error: this setting is wrong: process\n")


def test_only_what_is_asked_for_is_told(wingbeat, folder):
    (folder / "wingbeat.toml").write_text(WRONG)
    answer = wingbeat("config", "show", "process.cancel_grace_s", "kernel")
    assert (answer.status, answer.err) == (0, "")
    answer = wingbeat("config", "show", "bundle.exclued", "-o", "json")
    assert (answer.status, answer.err) == (2, "error: this setting is wrong: bundle.exclued\n")
    (found,) = json.loads(answer.out)["settings"]
    file = f"{folder}/wingbeat.toml"
    error = {"message": f"There is no setting bundle.exclued ({file}:6).", "hint": "Did you mean 'exclude'?"}
    assert found == {
        "setting": "bundle.exclued", "value": None, "from": file, "over": [], "meaning": "", "error": error,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        (
            ("--set", "proces.slots=1"),
            "",
            "There is no section 'proces' of the settings (--set). Did you mean [process]?",
        ),
        ((), "journal = 3\n", "The setting journal = 3 is no section (wingbeat.toml:1). Write a table: [journal]."),
        (
            (),
            "[plugins]\ndisabeld = ['x']\n",
            "There is no setting plugins.disabeld (wingbeat.toml:2). Did you mean 'disabled'?",
        ),
        (
            ("--set", "bundle.files_max=1"),
            "",
            "The section 'bundle' is set in another place than the project's file (--set).",
        ),
    ],
)
def test_mistakes_about_whole_sections_do_not_hide_the_rest(wingbeat, folder, arguments, text, says):
    (folder / "wingbeat.toml").write_text(text)
    answer = wingbeat(*arguments, "config", "show")
    assert answer.status == 2
    assert f"    error: {says}" in answer.out.replace(f"{folder}/", "")
    assert ["process.cancel_grace_s", "2.0"] in [line.split() for line in answer.out.splitlines()]


def test_the_value_of_a_secret_or_of_what_there_is_not_is_not_shown(wingbeat, folder, monkeypatch):
    (folder / "wingbeat.toml").write_text("[process]\npasword = 'hunter2'\n")
    for output in ("table", "json"):
        answer = wingbeat("config", "show", "-o", output)
        assert answer.status == 2
        assert "hunter2" not in answer.out + answer.err


def test_the_plugins_are_listed(wingbeat):
    answer = wingbeat("plugins", "list")
    first, *others = answer.out.splitlines()
    contracts = ".".join(map(str, API_VERSION))
    assert first == f"kernel: wingbeat {version('wingbeat')}, contracts {contracts}"
    rows = [line.split() for line in others]
    assert rows[0] == ["PLUGIN", "PACKAGE", "CONTRACTS", "IMPORT", "STATE"]
    assert rows[1][:4] == ["builtin", "wingbeat", rows[1][2], "0.1"]
    assert ["executor", "process:", "adopts,"] in [row[:3] for row in rows]
    whole = json.loads(wingbeat("plugins", "list", "-o", "json").out)
    assert whole["kernel"] == {"version": version("wingbeat"), "contracts": contracts}
    found = whole["plugins"]
    assert found[0]["name"] == "builtin"
    assert found[0]["offers"][0] == {"seam": "journal", "name": "sqlite", "capabilities": [], "problem": ""}
    assert {"seam": "types", "name": "pandas.DataFrame", "capabilities": [], "problem": ""} in found[0]["offers"]


@pytest.mark.parametrize("width", [80, 160])
def test_the_list_is_folded_at_the_width_of_the_terminal(wingbeat, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    answer = wingbeat("plugins", "list")
    assert max(map(len, answer.out.splitlines())) <= width
    label = "source of secrets"
    (line,) = [line for line in answer.out.splitlines() if line.startswith(f"  {label} ")]
    assert line.removeprefix(f"  {label}").strip() == "environment, file"
    assert {line.index("polars.") for line in answer.out.splitlines() if "polars." in line} <= {
        *range(line.index("environment"), width)
    }


def test_what_a_plugin_offers_stands_below_it_a_line_for_each_seam():
    plugin = PluginView("acme", "acme.plugin", "acme 1.0", "0.3", 0.002, offers=(
        Offer("executor", "acme", ("adopts", "functions")), Offer("executor", "sorry", problem="no licence"),
        Offer("notifier", "mail"), Offer("notifier", "chat"), Offer("wrapper", "sparkling"),
        Offer("command", "rows"), Offer("command", "version", problem="it is a command of wingbeat itself"),
        Offer("types", "acme.Frame"), Offer("types", "acme.Series"),
    ), sections=("acme",))  # fmt: skip
    off = PluginView("other", "other", "", state="off")
    assert listed([plugin, off], width=0, colour=False) == [
        "PLUGIN  PACKAGE   CONTRACTS  IMPORT  STATE",
        "acme    acme 1.0  0.3        2.0 ms  on",
        "  executor  acme: adopts, functions",
        "  executor  sorry: cannot be made: no licence",
        "  notifier  mail, chat",
        "  wrapper   sparkling",
        "  command   rows, version (refused)",
        "  types     acme.Frame, acme.Series",
        "  settings  [acme]",
        "other                                off",
        "acme: the command 'version' is refused: it is a command of wingbeat itself",
    ]
    narrow = listed([plugin], width=32, colour=False)
    assert narrow[-2:] == [
        "  settings  [acme]",
        "acme: the command 'version' is refused: it is a command of wingbeat itself",
    ]
    assert ["  types     acme.Frame,", "            acme.Series"] in [narrow[i : i + 2] for i in range(len(narrow))]


def test_a_plugin_that_is_off_is_listed_so(wingbeat):
    answer = wingbeat("--set", 'plugins.disabled=["builtin"]', "plugins", "list", "-o", "json")
    assert {p["name"]: p["state"] for p in json.loads(answer.out)["plugins"]}["builtin"] == "off"


@pytest.mark.timeout(180)
def test_the_kits_are_run_on_a_plugin(wingbeat):
    answer = wingbeat("plugins", "check", "builtin", "--seam", "plugin")
    assert (answer.status, answer.err) == (0, "")
    assert "passed   plugin   it says what it was built for" in answer.out
    assert answer.out.splitlines()[-1].startswith("builtin: ")
    assert " 0 failed" in answer.out.splitlines()[-1]


@pytest.mark.timeout(180)
def test_what_is_off_is_said_once(wingbeat):
    answer = wingbeat("plugins", "check", "builtin", "--seam", "observer")
    assert answer.status == 0, answer.out
    assert [line for line in answer.out.splitlines() if "observer log" in line] == [
        "skipped  observer log  all 12 tests: its settings switch it off; --set those that switch it on"
    ]


@pytest.mark.environments
@pytest.mark.timeout(300)
def test_all_kits_of_what_is_in_the_box_pass(wingbeat):
    answer = wingbeat("plugins", "check", "builtin")
    assert answer.status == 0, answer.out
    assert "passed   kit wingbeat.testing.conformance.builtin:TestLog  nothing is left open" in answer.out


@pytest.mark.timeout(180)
def test_what_is_switched_on_is_tested(wingbeat):
    answer = wingbeat("--set", "log.format=json", "plugins", "check", "builtin", "--seam", "observer")
    assert answer.status == 0, answer.out
    assert "passed   observer log  it takes the life of an execution" in answer.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("catlog",), "there is no plugin 'catlog'; installed: "),
        (("builtin", "--seam", "catalog"), "builtin offers no 'catalog'; it offers: "),
    ],
)
def test_what_cannot_be_checked_is_told(wingbeat, arguments, says):
    answer = wingbeat("plugins", "check", *arguments)
    assert answer.status == 2
    assert says in answer.err
