"""Settings of files: sections that nobody reads."""

import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.builtin.settings import LogSettings
from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.host.config import Configuration
from wingbeat.host.discover import PluginSettings, boot
from wingbeat.kernel.settings import OWN

KNOWN = ["kernel", "process", "journal"]


@pytest.fixture(autouse=True)
def user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "config" / "wingbeat"
    folder.mkdir(parents=True)
    return folder / "wingbeat.toml"


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def test_a_section_that_is_misspelt_is_named_with_its_file_and_the_nearest(project, user):
    (project / "wingbeat.toml").write_text("[proces]\nslots = 1\n[process]\nslots = 2\n")
    (project / "pyproject.toml").write_text("[tool.wingbeat.jurnal]\n[tool.other]\n")
    user.write_text("[kernal]\n")
    assert Configuration(project=project).unread(KNOWN) == [
        f"Nothing reads the section [proces] ({project / 'wingbeat.toml'}). Did you mean [process]?",
        (
            f"Nothing reads the section [tool.wingbeat.jurnal] ({project / 'pyproject.toml'}). "
            "Did you mean [tool.wingbeat.journal]?"
        ),
        f"Nothing reads the section [kernal] ({user}). Did you mean [kernel]?",
    ]


def test_one_that_is_like_no_other_may_be_that_of_a_plugin(project):
    (project / "wingbeat.toml").write_text("slots = 3\n[tensorflow]\n[acme-process]\n")
    file = project / "wingbeat.toml"
    assert Configuration(project=project).unread(KNOWN) == [
        f"slots stands outside of all sections and is not read ({file}).",
        (
            f"Nothing reads the section [tensorflow] ({file}). "
            "There are journal, kernel, process; or it is for a plugin that is not installed."
        ),
        (
            f"Nothing reads the section [acme-process] ({file}). "
            "There are journal, kernel, process; or it is for a plugin that is not installed."
        ),
    ]


def test_a_variable_with_one_underscore_or_small_letters_is_told_with_what_it_may_have_meant(project, monkeypatch):
    monkeypatch.setenv("WINGBEAT_PROCESS_SLOTS", "4")
    monkeypatch.setenv("wingbeat_journal__synchronous", "NORMAL")
    monkeypatch.setenv("WINGBEAT_KERNEL__EXECUTOR", "inline")  # which is right
    monkeypatch.setenv("WINGBEAT_HOME", "here")
    assert Configuration(project=project).unread(KNOWN) == [
        "The variable WINGBEAT_PROCESS_SLOTS sets nothing. Did you mean WINGBEAT_PROCESS__SLOTS?",
        "The variable wingbeat_journal__synchronous sets nothing. Did you mean WINGBEAT_JOURNAL__SYNCHRONOUS?",
    ]


def test_a_folder_in_the_place_of_the_file_is_told(project):
    (project / "wingbeat.toml").mkdir()
    with pytest.raises(ConfigurationError, match=r"wingbeat\.toml cannot be read: .*Is a directory"):
        Configuration(project=project).section("process", ProcessSettings)


@pytest.mark.parametrize("size", ["much", "1 Zi", -1])
def test_what_is_no_size_is_told_where_it_is_said(project, size):
    with pytest.raises(ConfigurationError, match=rf"The setting log\.size_max = {size!r} does not fit: .*\(given"):
        Configuration({"log": {"size_max": size}}, project).section("log", LogSettings)


def test_a_section_that_is_a_value_is_told(project):
    (project / "pyproject.toml").write_text("[tool.wingbeat]\nprocess = 4\n")
    with pytest.raises(ConfigurationError, match="The setting process = 4 is no section .*pyproject.toml") as told:
        Configuration(project=project).section("process", ProcessSettings)
    assert told.value.hint == "Write a table: [tool.wingbeat.process]."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[project]\n[tool]\nwingbeat = 4\n", r"The setting tool\.wingbeat = 4 is no section \(.*pyproject\.toml:3\)"),
        ("tool = [1]\n", r"The setting tool = \[1\] is no section \(.*pyproject\.toml:1\)"),
    ],
)
def test_a_value_in_the_place_of_all_sections_is_told(project, text, told):
    (project / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=told) as caught:
        Configuration(project=project).section("process", ProcessSettings)
    assert caught.value.hint == "Write a table: [tool.wingbeat]."


class Theirs(Struct):
    size: int = 3


def test_sections_are_known_of_the_kernel_and_of_plugins_by_what_they_say():
    class Plugin:
        __name__ = "given"

        @hookimpl
        def wingbeat_plugin(self):
            return PluginInfo(api=(0, 1), settings={"theirs": Theirs})

    known = boot([Plugin()], {"off": "no.such.module"}, PluginSettings(disabled=("off", "gone")), OWN).settings
    assert known.keys() == {
        "kernel",
        "plugins",
        "bundle",
        "pools",
        "project",
        "retention",
        "journal",
        "log",
        "process",
        "secrets",
        "theirs",
    }
    assert known["theirs"] == (Theirs, "given")


def test_every_section_that_is_documented_is_known():
    page = (Path(__file__).resolve().parents[3] / "docs/reference/settings.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)\.", page, re.MULTILINE))
    assert "pools" in documented
    plugins = {point.name: point.value for point in entry_points(group="wingbeat")}
    assert documented <= boot([], plugins, [], OWN).settings.keys()


class Store(Struct, frozen=True):
    """Where it is.

    Attributes:
        url: Its address.

        password: Who knows it may read.

        sizes: By name.
    """

    url: str = "here"
    password: Annotated[str, Meta(extra={"secret": True})] = ""
    sizes: dict[str, int] = {}


def told(configuration: Configuration) -> dict[str, list[tuple[object, str]]]:
    return {s.key: [(said.value, said.origin) for said in s.said] for s in configuration.explained("store", Store)}


def test_every_setting_says_where_it_comes_from_and_what_it_stands_before(project, user, monkeypatch):
    (project / "wingbeat.toml").write_text("[store]\nurl = 'project'\n")
    user.write_text("[store]\nurl = 'user'\nsizes = {a = 1}\n")
    monkeypatch.setenv("WINGBEAT_STORE__URL", "variable")
    configuration = Configuration({"store": {"url": "flag"}}, project)
    assert told(configuration) == {
        "url": [
            ("flag", "given to the kernel"), ("variable", "WINGBEAT_STORE__URL"),
            ("project", str(project / "wingbeat.toml")), ("user", str(user)), ("here", "default"),
        ],
        "password": [("", "default")],
        "sizes": [({"a": 1}, str(user)), ({}, "default")],
    }  # fmt: skip
    assert [s.doc for s in configuration.explained("store", Store)] == [
        "Its address.", "Who knows it may read.", "By name.",
    ]  # fmt: skip
    assert configuration.section("store", Store).url == "flag"


def test_a_secret_is_shown_to_nobody(project, monkeypatch):
    monkeypatch.setenv("WINGBEAT_STORE__PASSWORD", "hunter2")
    configuration = Configuration(None, project)
    assert told(configuration)["password"] == [("***", "WINGBEAT_STORE__PASSWORD"), ("", "default")]
    assert configuration.section("store", Store).password == "hunter2"
    with pytest.raises(
        ConfigurationError, match=r"The setting store\.password does not fit: Expected `str`, got `int`"
    ):
        Configuration({"store": {"password": 4711}}, project).section("store", Store)


def test_a_variable_says_a_table_as_json(project, monkeypatch):
    monkeypatch.setenv("WINGBEAT_STORE__SIZES", '{"a": 2}')
    assert Configuration(None, project).section("store", Store).sizes == {"a": 2}
    monkeypatch.setenv("WINGBEAT_STORE__SIZES", '{"a": 2')
    with pytest.raises(ConfigurationError, match=r"does not fit: it is no JSON: .*\(WINGBEAT_STORE__SIZES\)"):
        Configuration(None, project).section("store", Store)


def test_only_the_project_says_what_is_in_its_bundle(project, user, monkeypatch):
    (project / "wingbeat.toml").write_text("[bundle]\ninclude = ['data']\n")
    Configuration(None, project).check()
    with pytest.raises(
        ConfigurationError, match="'bundle' is set in another place than the project's file .given to the kernel"
    ):
        Configuration({"bundle": {"files_max": 1}}, project).check()
    user.write_text("[bundle]\nfiles_max = 1\n")
    with pytest.raises(ConfigurationError, match=re.escape(str(user))):
        Configuration(None, project).check()
    user.unlink()
    monkeypatch.setenv("WINGBEAT_BUNDLE__FILES_MAX", "1")
    with pytest.raises(ConfigurationError, match="environment"):
        Configuration(None, project).check()
