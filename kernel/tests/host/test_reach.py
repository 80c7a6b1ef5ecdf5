"""What is imported and left out of a bundle is told before a task fails of it."""

import logging
from pathlib import Path

import pytest

from wingbeat.base.errors import CompileError
from wingbeat.builtin.filestore import FileStore
from wingbeat.host.bundle import make_bundle
from wingbeat.host.reach import check_reach


def check(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("-", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    main = str(root / "main.py")
    check_reach(main, make_bundle(main, FileStore(str(root.parent / "store")), str(root.parent / "cache")))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / ".gitignore").write_text("gen/\nlocal.py\n")
    (folder / "gen").mkdir()
    (folder / "gen" / "model.py").touch()
    (folder / "local.py").touch()
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "import local",
        "from gen import model",
        "import gen.model as m",
        "if True:\n  import local",
        "class A:\n import local",
    ],
)
def test_an_import_of_what_is_ignored_is_an_error_with_its_line(root: Path, text: str) -> None:
    with pytest.raises(
        CompileError, match=r"main.py:\d imports (local|gen/model).py, which .*/.gitignore:[12] leaves out"
    ) as caught:
        check(root, **{"main.py": text})
    assert ".wingbeatignore" in caught.value.hint


def test_imports_are_followed_through_the_project(root: Path) -> None:
    (root / "pkg").mkdir()
    (root / "pkg" / "__init__.py").touch()
    (root / "pkg" / "a.py").write_text("from . import b")
    (root / "pkg" / "b.py").write_text("from ..local import x\nimport local\n")
    with pytest.raises(CompileError, match=r"pkg/b.py:\d imports local.py"):
        check(root, **{"main.py": "import pkg.a"})


@pytest.mark.parametrize(
    "text",
    [
        "try:\n  import local\nexcept ImportError:\n  local = None",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  import local",
        "if __name__ == '__main__':\n  import local",
        "import json, os",
    ],
)
def test_what_may_be_missing_is_fine(root: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    check(root, **{"main.py": text})
    assert not caplog.records


def test_what_a_function_imports_is_warned_of(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check(root, **{"main.py": "def f():\n  import local\n"})
    (record,) = caplog.records
    assert "main.py:2 imports local.py" in record.message


def test_a_file_that_is_ignored_itself_has_no_bundle(root: Path) -> None:
    (root / ".wingbeatignore").write_text("main.py")
    with pytest.raises(CompileError, match=r"main.py is left out of its own code bundle by .*/.wingbeatignore:1"):
        check(root, **{"main.py": ""})


def test_what_settings_exclude_is_told_alike(root: Path) -> None:
    (root / "wingbeat.toml").write_text("[bundle]\nexclude = ['helper.py']")
    with pytest.raises(CompileError, match=r"imports helper.py, which bundle.exclude leaves out"):
        check(root, **{"main.py": "import helper", "helper.py": ""})


@pytest.mark.parametrize(("text", "name"), [("import common", "common.py"), ("from lib import model", "lib/model.py")])
def test_an_import_of_a_link_out_of_the_project_is_an_error(root: Path, text: str, name: str) -> None:
    shared = root.parent / "shared"
    shared.mkdir()
    (shared / "model.py").touch()
    (root / "common.py").symlink_to(shared / "model.py")
    (root / "lib").symlink_to(shared)
    with pytest.raises(
        CompileError, match=rf"main.py:1 imports {name}, .* a link out of the project .*/shared/model.py"
    ) as caught:
        check(root, **{"main.py": text})
    assert "Copy it" in caught.value.hint


def test_a_link_inside_the_project_is_fine(root: Path) -> None:
    (root / ".gitignore").unlink()
    (root / "common.py").symlink_to("local.py")
    (root / "lib").symlink_to("gen")
    check(root, **{"main.py": "import common\nfrom lib import model\n"})
