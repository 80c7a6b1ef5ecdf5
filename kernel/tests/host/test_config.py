"""Settings of files: sections that nobody reads."""

import re
from pathlib import Path

import pytest
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.host.config import Configuration
from wingbeat.host.discover import boot
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
    (project / "wingbeat.toml").write_text("slots = 3\n[tensorflow]\n")
    file = project / "wingbeat.toml"
    assert Configuration(project=project).unread(KNOWN) == [
        f"slots stands outside of all sections and is not read ({file}).",
        (
            f"Nothing reads the section [tensorflow] ({file}). "
            "There are journal, kernel, process; or it is for a plugin that is not installed."
        ),
    ]


def test_a_section_that_is_a_value_is_told(project):
    (project / "pyproject.toml").write_text("[tool.wingbeat]\nprocess = 4\n")
    with pytest.raises(ConfigurationError, match="The setting process = 4 is no section .*pyproject.toml") as told:
        Configuration(project=project).section("process", ProcessSettings)
    assert told.value.hint == "Write a table: [tool.wingbeat.process]."


class Theirs(Struct):
    size: int = 3


def test_sections_are_known_of_the_kernel_and_of_plugins_by_what_they_say():
    class Plugin:
        __name__ = "given"

        @hookimpl
        def wingbeat_plugin(self):
            return PluginInfo(api=(0, 1), settings={"theirs": Theirs})

    known = boot([Plugin()], {"off": "no.such.module"}, ["off", "gone"], OWN).settings
    assert known.keys() == {"kernel", "plugins", "bundle", "pools", "journal", "process", "theirs"}
    assert known["theirs"] == (Theirs, "given")


def test_every_section_that_is_documented_is_known():
    page = (Path(__file__).resolve().parents[3] / "docs/reference/settings.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)\.", page, re.MULTILINE))
    assert "pools" in documented
    assert documented <= boot([], {}, [], OWN).settings.keys()
