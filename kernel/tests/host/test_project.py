from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.host import project as module
from wingbeat.host.project import find_project, import_roots, is_shared, module_name, pattern_regex


def write(root: Path, *paths: str, text: str = "") -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize("marker", ["wingbeat.toml", "pyproject.toml"])
def test_the_root_is_the_nearest_project_file(tmp_path: Path, marker: str) -> None:
    write(tmp_path, "pyproject.toml", f"a/{marker}", "a/b/c/f.py")
    project = find_project(str(tmp_path / "a/b/c/f.py"))
    assert project.root == str(tmp_path / "a")
    assert project.settings_file == str(tmp_path / "a" / marker)


def test_without_one_it_is_the_files_folder(tmp_path: Path) -> None:
    write(tmp_path, "a/f.py")
    found = find_project(str(tmp_path / "a/f.py"))
    assert (found.root, found.alone, found.settings_file) == (str(tmp_path / "a"), False, "")


def test_shared_folders_are_no_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "people" / "me"))
    module._shared_folders.cache_clear()
    try:
        write(tmp_path, "people/me/pyproject.toml", "people/pyproject.toml", "people/me/f.py", "people/me/sub/g.py")
        assert find_project(str(tmp_path / "people/me/f.py")).alone
        found = find_project(str(tmp_path / "people/me/sub/g.py"))
        assert (found.root, found.alone) == (str(tmp_path / "people/me/sub"), False)
        assert all(is_shared(f) for f in ("/", "/tmp", tempfile.gettempdir(), str(tmp_path / "people")))
    finally:
        module._shared_folders.cache_clear()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no file .*nope\.py"):
        find_project(str(tmp_path / "nope.py"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bundle", "not valid TOML"),
        ("[bundle]\ninclud = ['x']", "unknown field `includ`"),
        ("[bundle]\ninclude = 'x'", "Expected `array`"),
        ("[bundle]\ninclude = ['../x']", "must stay below"),
        ("[bundle]\nexclude = ['/x']", "must stay below"),
        ("[bundle]\nsize_max = 'many'", "not a size"),
        ("bundle = 3", "Expected `object`"),
    ],
)
def test_wrong_settings_say_where(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, "f.py")
    write(tmp_path, "wingbeat.toml", text=text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        find_project(str(tmp_path / "f.py"))
    assert str(tmp_path / "wingbeat.toml") in str(caught.value)


def test_settings_in_pyproject(tmp_path: Path) -> None:
    write(tmp_path, "f.py")
    write(tmp_path, "pyproject.toml", text="[tool.wingbeat.bundle]\ninclude = ['*.csv']\nsize_max = '1Mi'")
    settings = find_project(str(tmp_path / "f.py")).settings
    assert (settings.include, settings.bytes_max) == (("*.csv",), 2**20)
    write(tmp_path, "pyproject.toml", text="[tool]\nwingbeat = 3")
    with pytest.raises(ConfigurationError, match=r"\[tool.wingbeat.bundle\]"):
        find_project(str(tmp_path / "f.py"))


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.csv", ["a.csv"], ["d/a.csv", "a.csv2"]),
        ("data/*.csv", ["data/a.csv"], ["data/b/a.csv", "data/a.txt"]),
        ("**/*.csv", ["a.csv", "d/e/a.csv"], ["a.txt"]),
        ("data", ["data", "data/a", "data/b/c"], ["database", "x/data"]),
        ("data/", ["data", "data/a"], ["database"]),
        ("./data/**", ["data/a", "data/b/c"], ["data", "dat/a"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z/y"], ["az", "a/bz"]),
        ("?.py", ["a.py"], ["ab.py", "/.py"]),
        ("[x].(y)", ["[x].(y)"], ["x.y"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    regex = pattern_regex(pattern)
    assert [p for p in yes if not regex.match(p)] == []
    assert [p for p in no if regex.match(p)] == []


def test_names_of_modules(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "script.py", "pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/m.py")
    write(tmp_path, "examples/01_first.py", "src/lib/__init__.py", "src/lib/a.py", "src/space/b.py", "a.b.py")
    names = {
        "script.py": "script",
        "pkg/__init__.py": "pkg",
        "pkg/sub/m.py": "pkg.sub.m",
        "pkg/sub/__init__.py": "pkg.sub",
        "examples/01_first.py": "01_first",
        "src/lib/a.py": "lib.a",
        "src/lib/__init__.py": "lib",
        "src/space/b.py": "space.b",
    }
    assert {p: module_name(str(tmp_path / p), str(tmp_path)) for p in names} == names
    with pytest.raises(ConfigurationError, match="no dots"):
        module_name(str(tmp_path / "a.b.py"), str(tmp_path))


def test_roots_to_import_from(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "script.py", "pkg/__init__.py", "pkg/m.py", "examples/e.py")

    def roots(path: str) -> tuple[str, ...]:
        return import_roots(find_project(str(tmp_path / path)))

    assert roots("script.py") == (".",)
    assert roots("pkg/m.py") == (".",)
    assert roots("examples/e.py") == ("examples", ".")
    write(tmp_path, "src/lib/a.py")
    assert roots("script.py") == (".", "src")
    assert roots("src/lib/a.py") == (".", "src")
    assert roots("examples/e.py") == ("examples", ".", "src")
    write(tmp_path, "src/__init__.py")
    assert roots("script.py") == (".",)
