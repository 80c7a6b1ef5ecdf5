from __future__ import annotations

import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.filestore import FileStore
from wingbeat.contracts.storage import StorageFailed
from wingbeat.host import bundle as bundles
from wingbeat.host import ignoring, sources
from wingbeat.host import project as projects
from wingbeat.host.bundle import Bundle, make_bundle, source_digest
from wingbeat.runtime.bundle import BUNDLE_FILE, bundle_import_roots


class Place:
    """A project and a home beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.cache = str(root / "home" / "cache")
        self.store = FileStore(str(root / "home" / "storage"))
        self.write("main.py", "import helper\n")

    def write(self, path: str, text: str = "") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def bundle(self, entry: str = "main.py") -> Bundle:
        return make_bundle(str(self.root / entry), self.store, self.cache)

    def digest(self, entry: str = "main.py") -> str:
        return source_digest(str(self.root / entry), self.cache)

    def names(self) -> list[str]:
        return [f for f in self.bundle().files if f != BUNDLE_FILE]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_bundle_is_the_projects_sources(place: Place) -> None:
    place.write("pkg/__init__.py")
    place.write("pkg/m.py", "x = 1")
    place.write("pkg/data.csv")
    place.write("README.md")
    made = place.bundle()
    assert made.files == (BUNDLE_FILE, "main.py", "pkg/__init__.py", "pkg/m.py")
    assert made.root == str(place.root)
    path = Path(place.store.fetch(made.blob))
    assert (path / "pkg/m.py").read_text() == "x = 1"
    assert bundle_import_roots(str(path)) == [str(path)]
    assert place.store.verify(made.blob) is None
    assert made.digest == made.blob.digest == place.digest()


def test_what_no_project_wrote_is_left_out(place: Place) -> None:
    for path in (
        ".hidden/a.py", "__pycache__/a.py", "venv/a.py", "conda/a.py", "node_modules/x/a.py", "build/lib/a.py",
        "dist/a.py", "x.egg-info/a.py", ".wingbeat/a.py", "state/storage/objects/a.py", "state/a.py",
    ):  # fmt: skip
        place.write(path)
    place.write("venv/pyvenv.cfg")
    (place.root / "conda/conda-meta").mkdir()
    place.write("pkg/build/__init__.py")
    assert place.names() == ["main.py", "pkg/build/__init__.py"]


def test_extra_files_and_exclusions(place: Place) -> None:
    text = "[bundle]\ninclude = ['data/*.csv', '.secret/k.txt', 'dist/**/*.bin', 'all']\nexclude = ['old', '**/b.csv']"
    place.write("wingbeat.toml", text)
    for path in (
        "data/a.csv", "data/b.csv", "data/c.txt", "data/sub/a.csv", ".secret/k.txt", ".secret/other.txt",
        ".secret/code.py", "dist/x/y.bin", "dist/x/y.py", "all/x/y", "old/z.py",
    ):  # fmt: skip
        place.write(path)
    assert place.names() == [".secret/k.txt", "all/x/y", "data/a.csv", "dist/x/y.bin", "main.py"]


def test_links(place: Place, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/x.py").write_text("")
    place.write("pkg/m.py", "1")
    (place.root / "out.py").symlink_to(tmp_path / "outside.py")
    (place.root / "out").symlink_to(tmp_path / "other")
    (place.root / "in.py").symlink_to("pkg/m.py")
    (place.root / "in").symlink_to("pkg")
    (place.root / "loop").symlink_to(".")
    (place.root / "broken.py").symlink_to("nowhere")
    assert place.names() == ["in.py", "in/m.py", "main.py", "pkg/m.py"]
    place.write("wingbeat.toml", "[bundle]\ninclude = ['d']")
    (place.root / "d").symlink_to(tmp_path / "other")
    with pytest.raises(ConfigurationError, match="leads out of the project"):
        place.bundle()


def test_bounds_name_the_offenders(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("wingbeat.toml", "[bundle]\nfiles_max = 10\nsize_max = '1k'\ninclude = ['big.bin']")
    for n in range(20):
        place.write(f"notebooks/n{n}.py")
    with pytest.raises(ConfigurationError, match=r"21 files, over the limit of 10.*notebooks/ \(20\)") as caught:
        place.bundle()
    assert 'exclude = ["notebooks/"]' in caught.value.hint
    assert str(place.root / "wingbeat.toml") in caught.value.hint
    place.write("wingbeat.toml", "[bundle]\nexclude = ['notebooks/']\nsize_max = '1k'\ninclude = ['big.bin']")
    place.write("big.bin", "x" * 2000)
    with pytest.raises(ConfigurationError, match=r"2.0 KiB, over the limit of 1000 B.*big.bin \(2.0 KiB\)"):
        place.bundle()
    monkeypatch.setattr(sources, "ENTRIES_MAX", 15)
    (place.root / "wingbeat.toml").unlink()
    with pytest.raises(ConfigurationError, match=r"more than 15 files to look at.*notebooks/"):
        place.bundle()


def test_the_users_home_gives_only_what_is_imported(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(place.root))
    projects._shared_folders.cache_clear()
    try:
        place.write("main.py", "import helper, json\nfrom pkg.deep import x\nimport missing")
        place.write("helper.py", "def f():\n    import late")
        place.write("late.py", "syntax error here")
        place.write("pkg/__init__.py", "from .deep import x")
        place.write("pkg/deep.py", "import fromdeep")
        place.write("fromdeep.py")
        place.write("unrelated.py")
        place.write("pyproject.toml")
        place.write("other/x.py")
        wanted = ["fromdeep.py", "helper.py", "late.py", "main.py", "pkg/__init__.py", "pkg/deep.py"]
        assert place.names() == wanted
    finally:
        projects._shared_folders.cache_clear()


def test_the_digest_follows_content_and_nothing_else(place: Place, tmp_path: Path) -> None:
    place.write("helper.py", "a = 1")
    first = place.digest()
    os.utime(place.root / "helper.py", (1, 1))
    assert place.digest() == first
    place.write("README.md", "changed")
    assert place.digest() == first
    place.write("helper.py", "a = 2")
    second = place.digest()
    assert second != first
    (place.root / "helper.py").chmod(0o755)
    assert place.digest() != second
    (place.root / "helper.py").chmod(0o644)
    place.root.rename(tmp_path / "elsewhere")
    place.root = tmp_path / "elsewhere"
    assert place.digest() == second


def test_nothing_is_read_that_did_not_change(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "SETTLED_NS", 0)
    for n in range(5):
        place.write(f"m{n}.py", str(n))
    first = place.bundle()
    read: list[str] = []
    real = bundles._digest_file

    def noting(path: str) -> tuple[str, int]:
        read.append(os.path.basename(path))
        return real(path)

    monkeypatch.setattr(bundles, "_digest_file", noting)
    monkeypatch.setattr(FileStore, "put_files", lambda *_: pytest.fail("stored again"))
    assert place.bundle() == first
    assert read == []
    monkeypatch.undo()
    monkeypatch.setattr(bundles, "_digest_file", noting)
    monkeypatch.setattr(bundles, "SETTLED_NS", 0)
    place.write("m3.py", "new")
    assert place.bundle().digest != first.digest
    assert read == ["m3.py"]


def test_a_second_write_in_the_same_tick_is_seen(place: Place) -> None:
    file = place.write("helper.py", "a = 1")
    first, status = place.digest(), file.stat()
    file.write_text("a = 2")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert place.digest() != first


def test_a_damaged_cache_is_no_obstacle(place: Place) -> None:
    first = place.digest()
    for name in os.listdir(place.cache) if os.path.isdir(place.cache) else []:
        Path(place.cache, name).write_bytes(b"\xff junk")
    assert place.digest() == first


def test_a_bundle_that_was_deleted_or_damaged_is_stored_again(place: Place) -> None:
    first = place.bundle()
    manifest = Path(place.store._object(first.digest))
    manifest.unlink()
    assert place.bundle() == first
    manifest.chmod(0o644)
    manifest.write_bytes(b"junk")
    assert place.bundle() == first
    assert place.store.verify(first.blob) is None


def test_sources_that_change_meanwhile(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    real = bundles._store
    changes = iter(["edited"])

    def edit_first(*args: object) -> object:
        if (word := next(changes, None)) is not None:
            place.write("helper.py", word)
        return real(*args)  # type: ignore[arg-type]

    place.write("helper.py", "a = 1")
    monkeypatch.setattr(bundles, "_store", edit_first)
    made = place.bundle()
    assert Path(place.store.fetch(made.blob), "helper.py").read_text() == "edited"
    lengths = count(1)
    monkeypatch.setattr(bundles, "_store", lambda *_: place.write("helper.py", "a" * next(lengths)) and None)
    place.write("helper.py", "a = 3")
    with pytest.raises(ConfigurationError, match="keep changing"):
        place.bundle()


def test_a_storage_that_answers_with_another_digest_is_named(place: Place) -> None:
    other = place.store.put_files({"x": b"y"})
    place.store.put_files = lambda _: other  # type: ignore[method-assign, assignment]
    with pytest.raises(
        StorageFailed, match=r"The storage 'store' failed \(put_files\): it does not answer with the digest"
    ):
        place.bundle()


def test_scripts_import_what_is_beside_them_from_the_bundle(place: Place) -> None:
    place.write("pyproject.toml")
    place.write("src/lib/__init__.py", "WHO = 'lib'")
    place.write("top.py", "WHO = 'top'")
    place.write("examples/_support.py", "WHO = 'support'")
    place.write("examples/01_run.py", "import _support, lib, top\nprint(_support.WHO, lib.WHO, top.WHO)")
    made = place.bundle("examples/01_run.py")
    assert made.import_roots == ("examples", ".", "src")
    path = place.store.fetch(made.blob)
    code = f"import sys, importlib; sys.path[:0] = {bundle_import_roots(path)!r}; importlib.import_module('01_run')"
    ran = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
    )
    assert ran.stdout == "support lib top\n"


@pytest.mark.parametrize(
    "text", ["", "{}", "[" * 9999, '{"format":9,"import_roots":[]}', '{"format":1,"import_roots":["../x"]}']
)
def test_a_wrong_description_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="not a code bundle"):
        bundle_import_roots(str(tmp_path))
    (tmp_path / BUNDLE_FILE).write_text(text)
    with pytest.raises(ValueError, match=BUNDLE_FILE):
        bundle_import_roots(str(tmp_path))


def test_the_reader_needs_little() -> None:
    code = "import sys, wingbeat.runtime.bundle; print({'asyncio', 'pluggy', 'anyio'} & sys.modules.keys())"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
    )
    assert ran.stdout == "set()\n"


def test_ignore_files_are_honoured_at_each_level(place: Place) -> None:
    place.write(".gitignore", "generated/\n*_local.py\n!kept_local.py\n/top.py\n")
    place.write("pkg/.gitignore", "!own_local.py\ninner.py\n")
    for path in (
        "generated/a.py", "pkg/generated/a.py", "my_local.py", "kept_local.py", "top.py", "pkg/top.py",
        "pkg/own_local.py", "pkg/inner.py", "inner.py",
    ):  # fmt: skip
        place.write(path)
    assert place.names() == ["inner.py", "kept_local.py", "main.py", "pkg/own_local.py", "pkg/top.py"]


def test_an_ignore_file_of_our_own_comes_on_top_and_settings_above_both(place: Place) -> None:
    place.write("pkg/.gitignore", "*.py\n*.bin\n")
    place.write(".wingbeatignore", "!pkg/client.py\nnotes/\n")
    place.write("wingbeat.toml", "[bundle]\ninclude = ['pkg/*.bin', 'notes/a.txt']\nexclude = ['pkg/b.bin']")
    for path in ("pkg/client.py", "pkg/other.py", "pkg/a.bin", "pkg/b.bin", "notes/a.py", "notes/a.txt"):
        place.write(path)
    assert place.names() == ["main.py", "notes/a.txt", "pkg/a.bin", "pkg/client.py"]
    assert place.bundle().left_out == {
        "notes/": f"{place.root}/.wingbeatignore:2",
        "pkg/other.py": f"{place.root}/pkg/.gitignore:1",
    }


def test_what_the_repository_around_a_project_ignores_is_ignored(place: Place) -> None:
    (place.root.parent / ".git").mkdir()
    (place.root.parent / ".gitignore").write_text("project/gen.py\nproject\n*.tmp.py\n")
    place.write("pyproject.toml")
    place.write("gen.py")
    place.write("a.tmp.py")
    assert place.names() == ["main.py"]


def test_an_ignored_folder_is_not_walked_into(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(".gitignore", "data\n")
    for number in range(20):
        place.write(f"data/{number}.py")
    monkeypatch.setattr(sources, "ENTRIES_MAX", 10)
    assert place.names() == ["main.py"]


PATTERNS = """\
a.py
b/
/c
d/**
!d/keep.py
*_x.py
!in_x.py
e/**/f.py
**/g/h.py
\\#odd.py
i[0-9].py
j/*
!j/k/
l/*.py
!
[
"""


def test_rules_mean_what_they_mean_to_git(tmp_path: Path) -> None:
    place = Place(tmp_path)
    names = [
        "a.py", "n/a.py", "b/a2.py", "n/b/z.py", "n/b.py", "c/z.py", "n/c/z.py",
        "d/keep.py", "d/z.py", "d/n/z.py", "z_x.py", "in_x.py",
        "e/f.py", "e/n/f.py", "e/n/m/f.py", "g/h.py", "n/g/h.py", "#odd.py", "i1.py", "ix.py", "j/z.py", "j/k/z.py", "j/m/z.py",
        "l/z.py", "l/n/z.py", "w/z.py", "w/n/z.py", "w/n/data.txt", "main.py",
    ]  # fmt: skip
    for name in names:
        place.write(name)
    place.write(".gitignore", PATTERNS)
    place.write("w/.gitignore", "*\n!*/\n!z.py\n")
    subprocess.run(["git", "init", "-q", str(place.root)], check=True)
    command = ["git", "-C", str(place.root), "ls-files", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    assert place.names() == sorted(name for name in listed if name.endswith(".py"))


def test_ignore_files_that_cannot_be_used(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ignoring, "FILE_BYTES_MAX", 10)
    place.write(".gitignore", "a" * 11)
    with pytest.raises(ConfigurationError, match=r"\.gitignore is longer than 10 characters"):
        place.names()


def test_where_there_is_no_ignore_file_nothing_is_imported_for_them(place: Place) -> None:
    code = (
        "import sys; from wingbeat.host.bundle import source_digest; source_digest(*sys.argv[1:]); "
        "print('pathspec' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(place.root / "main.py"), place.cache]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"
