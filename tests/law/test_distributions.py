"""Every distribution is whole: what a package index, a type checker and a reader expect of it is there."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEMBERS: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]


def project(member: str) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / member / "pyproject.toml").read_text())["project"]
    return table


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "LICENSE", "changes", "tests"])
def test_has_its_files(member: str, name: str):
    assert (ROOT / member / name).exists()


@pytest.mark.parametrize("member", MEMBERS)
def test_is_one_typed_package(member: str):
    packages = [path.name for path in (ROOT / member / "src").iterdir() if path.is_dir()]
    assert packages == [project(member)["name"].replace("-", "_")]
    assert (ROOT / member / "src" / packages[0] / "py.typed").is_file()


def test_versions_move_together():
    assert len({project(member)["version"] for member in MEMBERS}) == 1
    assert {project(member)["requires-python"] for member in MEMBERS} == {">=3.11,<3.14"}


@pytest.mark.parametrize("member", MEMBERS)
def test_siblings_are_pinned_to_this_series(member: str):
    major, minor, _ = project(member)["version"].split(".")
    series = f">={major}.{minor},<{major}.{int(minor) + 1}"
    lists = [project(member)["dependencies"], *project(member).get("optional-dependencies", {}).values()]
    siblings = [need for needs in lists for need in needs if need.startswith("wingbeat")]
    assert all(need.endswith(series) for need in siblings), siblings


@pytest.mark.parametrize("member", MEMBERS)
def test_licence_is_that_of_the_project(member: str):
    assert (ROOT / member / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("member", MEMBERS)
def test_a_readme_that_shows_commands_says_what_they_come_with(member: str):
    """The command comes with `wingbeat-cli`, which no plugin needs."""
    text = (ROOT / member / "README.md").read_text()
    if re.search(r"(^|`)wingbeat [a-z]", text, re.MULTILINE):
        assert "wingbeat-cli" in text or "wingbeat[standard]" in text
