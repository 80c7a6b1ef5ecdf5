from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wingbeat.builtin import filestore
from wingbeat.builtin.durable import collect_scratch, scratch_directory, scratch_file, write_atomic
from wingbeat.builtin.filestore import SEALED_NS, FileStore
from wingbeat.builtin.filetree import TreeFile, make_manifest, manifest_bytes, read_manifest
from wingbeat.types import Blob

NOTHING = "sha256:" + "0" * 64


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(str(tmp_path / "home" / "storage"))


def objects(store: FileStore) -> list[str]:
    folder = Path(store._objects)
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


def scratch(store: FileStore) -> list[str]:
    return os.listdir(store._scratch)


def tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    root.mkdir(exist_ok=True)
    return root


def content(root: str) -> dict[str, bytes]:
    base = Path(root)
    return {p.relative_to(base).as_posix(): p.read_bytes() for p in base.rglob("*") if p.is_file()}


def test_bytes_come_back_and_are_stored_once(store: FileStore) -> None:
    blob = store.put_bytes(b"hello")
    assert blob.uri == f"store:{blob.digest}"
    assert blob.size == 5
    assert store.read_bytes(blob) == b"hello"
    before = os.stat(store.fetch(blob))
    assert store.put_bytes(b"hello") == blob
    after = os.stat(store.fetch(blob))
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert not before.st_mode & 0o222
    assert scratch(store) == []


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 5 * 2**20 + 7])
def test_files_of_any_size(store: FileStore, tmp_path: Path, size: int) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes(os.urandom(size))
    blob = store.put_file(str(source))
    assert (blob.name, blob.size, blob.layout) == ("a.csv", size, "file")
    assert store.put_file(str(source)) == blob
    assert store.put_bytes(source.read_bytes()).digest == blob.digest
    path = store.fetch(blob)
    assert Path(path).name == "a.csv"
    assert Path(path).read_bytes() == source.read_bytes()
    assert store.verify(blob) is None
    assert source.stat().st_ino != os.stat(path).st_ino, "the user's file must stay the user's"


def test_one_content_under_two_names(store: FileStore, tmp_path: Path) -> None:
    source = tmp_path / "x"
    source.write_bytes(b"a,b\n1,2\n")
    one, two = store.put_file(str(source), "one.csv"), store.put_file(str(source), "two.txt")
    assert one.digest == two.digest
    assert Path(store.fetch(one)).name == "one.csv"
    assert Path(store.fetch(two)).name == "two.txt"
    assert len(objects(store)) == 1
    assert store.fetch(one) == store.fetch(one)


def test_the_home_can_be_moved(store: FileStore, tmp_path: Path) -> None:
    file = store.put_bytes(b"content")
    folder = store.put_directory(str(tree(tmp_path / "t", {"a/b": b"1"})), "model.keras")
    store.fetch(folder)
    (tmp_path / "home").rename(tmp_path / "elsewhere")
    moved = FileStore(str(tmp_path / "elsewhere" / "storage"))
    assert moved.read_bytes(file) == b"content"
    assert content(moved.fetch(folder)) == {"a/b": b"1"}


names = st.text(st.characters(codec="utf-8", exclude_characters="/\0\n\r"), min_size=1, max_size=20).filter(
    lambda n: n not in (".", "..") and len(n.encode()) < 200
)
trees = st.dictionaries(st.lists(names, min_size=1, max_size=3).map("/".join), st.binary(max_size=50), max_size=8)


@settings(max_examples=60, deadline=None)
@given(trees)
def test_any_tree_comes_back(files: dict[str, bytes]) -> None:
    files = {p: d for p, d in files.items() if not any(q.startswith(p + "/") for q in files)}
    with tempfile.TemporaryDirectory() as temporary:
        root = tree(Path(temporary) / "in", files)
        store = FileStore(f"{temporary}/storage")
        blob = store.put_directory(str(root))
        assert blob.size == sum(map(len, files.values()))
        assert content(store.fetch(blob)) == files
        assert store.verify(blob) is None
        # The same content made in another order has the same address.
        again = tree(Path(temporary) / "again", dict(reversed(files.items())))
        assert store.put_directory(str(again)).digest == blob.digest
        assert read_manifest(store.read_bytes(store.blob(blob.digest))).size == blob.size


def test_executables_stay_executable_and_others_do_not_become(store: FileStore, tmp_path: Path) -> None:
    root = tree(tmp_path / "t", {"run.sh": b"#!/bin/sh\n", "copy.sh": b"#!/bin/sh\n"})
    (root / "run.sh").chmod(0o755)
    path = Path(store.fetch(store.put_directory(str(root))))
    assert path.joinpath("run.sh").stat().st_mode & 0o777 == 0o555
    assert path.joinpath("copy.sh").stat().st_mode & 0o777 == 0o444


def test_links_inside_are_what_they_point_to(store: FileStore, tmp_path: Path) -> None:
    root = tree(tmp_path / "t", {"a/data": b"1", "b": b"2"})
    (root / "link").symlink_to("a/data")
    (root / "folder").symlink_to("a")
    found = content(store.fetch(store.put_directory(str(root))))
    assert found == {"a/data": b"1", "b": b"2", "link": b"1", "folder/data": b"1"}


def test_what_cannot_be_stored_is_refused_by_name(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(make: object, what: str) -> None:
        root = tree(tmp_path / what.replace(" ", ""), {"good": b""})
        bad = root / "bad"
        make(bad)  # type: ignore[operator]
        with pytest.raises(ValueError, match=what) as caught:
            store.put_directory(str(root))
        assert str(bad) in str(caught.value)

    refused(lambda p: p.symlink_to("/etc/passwd"), "leads out")
    refused(lambda p: p.symlink_to("../leadsout"), "leads out of")
    refused(lambda p: p.symlink_to("missing"), "points to nothing")
    refused(lambda p: p.symlink_to("."), "a folder that holds it")
    refused(os.mkfifo, "a pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
        refused(lambda p: server.bind(os.path.relpath(p)), "a socket")
    with pytest.raises(ValueError, match="line breaks"):
        store.put_directory(str(tree(tmp_path / "n", {"a\nb": b""})))
    with pytest.raises(ValueError, match="UTF-8"):
        store.put_directory(str(tree(tmp_path / "u", {"a\udcff": b""})))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="regular"):
        store.put_file(str(tmp_path / "pipe"))
    with pytest.raises(IsADirectoryError):
        store.put_file(str(tmp_path / "n"), "x")
    with pytest.raises(NotADirectoryError):
        store.put_directory(__file__)


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "/etc/passwd", "a\0b", "x" * 256, "a\nb"])
def test_hostile_names(store: FileStore, name: str) -> None:
    blob = store.put_bytes(b"x")
    with pytest.raises(ValueError, match="name"):
        store.fetch(Blob(blob.uri, blob.digest, 1, name))
    with pytest.raises(ValueError, match="name"):
        store.put_file(__file__, name)


@pytest.mark.parametrize(
    ("uri", "digest"),
    [
        ("store:sha256:../../etc/passwd", "sha256:../../etc/passwd"),
        ("file:///etc/passwd", NOTHING),
        ("store:" + NOTHING.upper(), NOTHING.upper()),
        ("store:" + NOTHING, "sha256:" + "1" * 64),
        ("store:" + NOTHING + "\n", NOTHING + "\n"),
        ("", ""),
        ("store:sha256:", "sha256:"),
    ],
)
def test_hostile_addresses(store: FileStore, uri: str, digest: str) -> None:
    for layout in ("file", "directory"):
        blob = Blob(uri, digest, 1, "x", layout)
        with pytest.raises(ValueError, match=r"digest|address"):
            store.fetch(blob)
        assert store.verify(blob)
    with pytest.raises(ValueError, match=r"digest|address"):
        store.read_bytes(Blob(uri, digest, 1, "x"))


@pytest.mark.parametrize(
    "paths",
    [
        ["../x"],
        ["/etc/x"],
        ["a/../../x"],
        [""],
        ["a//b"],
        ["a\0b"],
        ["a", "a/b"],
        ["b", "a"],
        ["a", "a"],
        ["/".join(["d" * 200] * 11)],
    ],
)
def test_a_hostile_manifest_is_refused(store: FileStore, tmp_path: Path, paths: list[str]) -> None:
    inner = store.put_bytes(b"x")
    made = manifest_bytes(make_manifest([])).replace(
        b"[]",
        manifest_bytes(type(make_manifest([]))("", tuple(TreeFile(p, 1, inner.digest, False) for p in paths)))[4:-1],
    )
    forged = store.put_bytes(made)
    for call in (
        store.fetch,
        lambda b: pytest.fail(b) if store.verify(b) is None else (_ for _ in ()).throw(ValueError),
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            call(Blob(forged.uri, forged.digest, len(paths), "x", "directory"))
    assert not list(tmp_path.rglob("x"))


def test_a_file_is_no_directory(store: FileStore) -> None:
    for data in (b"hello", b"[" * 100_000, b'["other/1",[]]', b"null"):
        blob = store.put_bytes(data)
        with pytest.raises(ValueError, match="not a directory"):
            store.fetch(Blob(blob.uri, blob.digest, 5, "x", "directory"))
    with pytest.raises(ValueError, match="is a directory"):
        store.read_bytes(Blob(blob.uri, blob.digest, 5, "x", "directory"))


def test_what_is_missing_says_so(store: FileStore, tmp_path: Path) -> None:
    blob = store.blob(NOTHING)
    for call in (store.fetch, store.read_bytes):
        with pytest.raises(FileNotFoundError, match="not in the storage"):
            call(blob)
    assert "not in the storage" in (store.verify(blob) or "")
    folder = store.put_directory(str(tree(tmp_path / "t", {"a": b"1"})))
    os.unlink(store._object(store.put_bytes(b"1").digest))
    assert (store.verify(folder) or "").startswith("a: ")
    with pytest.raises(FileNotFoundError):
        store.fetch(folder)
    with pytest.raises(ValueError, match="over the limit"):
        store.read_bytes(store.put_bytes(b"12345"), bytes_max=4)


def test_damage_is_found_and_mended_by_the_next_put(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filestore, "HASH_ALWAYS_BYTES_MAX", 100)
    for data in (b"small", b"large" * 100):
        blob = store.put_bytes(data)
        path = Path(store._object(blob.digest))
        assert store.verify(blob) is None
        path.chmod(0o644)
        path.write_bytes(b"X" + data[1:])
        assert "damaged" in (store.verify(blob) or "")
        with pytest.raises(OSError, match="damaged"):
            store.read_bytes(blob)
        assert store.put_bytes(data) == blob
        assert store.verify(blob) is None
        assert store.read_bytes(blob) == data
        path.unlink()
        path.write_bytes(data[:-1])
        assert "bytes, not" in (store.verify(blob) or "")
        assert store.put_bytes(data) == blob
        assert store.verify(blob) is None
    # A flipped bit that leaves no trace in the times is found in small objects.
    small = store.put_bytes(b"small")
    Path(store._object(small.digest)).write_bytes(b"smalL")
    os.utime(store._object(small.digest), ns=(SEALED_NS, SEALED_NS))
    assert "damaged" in (store.verify(small) or "")


def test_a_copied_home_is_verified_once(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filestore, "HASH_ALWAYS_BYTES_MAX", 0)
    blob = store.put_bytes(b"data")
    os.utime(store._object(blob.digest))
    assert store.verify(blob) is None
    assert os.stat(store._object(blob.digest)).st_mtime_ns == SEALED_NS


def test_a_spoilt_tree_is_made_again(store: FileStore, tmp_path: Path) -> None:
    blob = store.put_directory(str(tree(tmp_path / "t", {"a/b": b"1", "c": b"2"})))
    path = Path(store.fetch(blob))
    (path / "a" / "b").unlink()
    assert content(store.fetch(blob)) == {"a/b": b"1", "c": b"2"}
    (path / "c").unlink()
    (path / "c").write_bytes(b"3")
    assert content(store.fetch(blob)) == {"a/b": b"1", "c": b"2"}
    named = Path(store.fetch(store.put_file(__file__, "x.py")))
    named.unlink()
    named.write_bytes(b"other")
    assert Path(store.fetch(store.put_file(__file__, "x.py"))).read_bytes() == Path(__file__).read_bytes()


def test_too_many_links_fall_back_to_copies(store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMLINK, "Too many links")

    monkeypatch.setattr(os, "link", refuse)
    blob = store.put_directory(str(tree(tmp_path / "t", {"a": b"1"})))
    path = store.fetch(blob)
    assert content(path) == {"a": b"1"}
    assert os.stat(f"{path}/a").st_mode & 0o777 == 0o444
    file = store.put_file(__file__)
    first = os.stat(store.fetch(file)).st_ino
    assert os.stat(store.fetch(file)).st_ino == first


def test_a_full_disk_publishes_nothing(store: FileStore, tmp_path: Path) -> None:
    store.put_bytes(b"before")
    source = tmp_path / "big"
    source.write_bytes(os.urandom(3 * 2**20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20 + 5, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            store.put_file(str(source))
        with pytest.raises(OSError, match="File too large"):
            store.put_bytes(source.read_bytes())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert len(objects(store)) == 1
    assert scratch(store) == []
    assert store.verify(store.put_file(str(source))) is None


WRITER = """
import os, sys
from wingbeat.builtin.filestore import FileStore
store = FileStore(sys.argv[1])
for n in range(15):
    blob = store.put_bytes(b"%d" % ((n + int(sys.argv[3])) % 5) * 1000)
    assert store.read_bytes(blob)
    folder = store.put_directory(sys.argv[2], f"name{n % 3}")
    assert len(os.listdir(store.fetch(folder))) == 20
print(folder.digest)
"""


def test_many_processes_at_once(store: FileStore, tmp_path: Path) -> None:
    source = tree(tmp_path / "t", {f"f{n}": b"%d" % n for n in range(20)})
    command = [sys.executable, "-c", WRITER, store._root, str(source)]
    writers = [
        subprocess.Popen([*command, str(seed)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for seed in range(4)
    ]
    results = {writer.communicate(timeout=50)[0] for writer in writers}
    assert [writer.returncode for writer in writers] == [0] * 4
    assert len(results) == 1
    assert scratch(store) == []
    assert len(objects(store)) == 20 + 1 + 5


KILLED = """
import os, sys
from wingbeat.builtin import filestore
real = os.{call}
def stop(*args, **kwargs):
    print("there", flush=True)
    while True: os.read(0, 1)
os.{call} = stop
filestore.FileStore(sys.argv[1]).put_file(sys.argv[2])
"""


@pytest.mark.parametrize("call", ["fchmod", "fsync", "rename"])
def test_kill_in_mid_put_leaves_nothing(store: FileStore, tmp_path: Path, call: str) -> None:
    store.put_bytes(b"there already")
    source = tmp_path / "big"
    source.write_bytes(os.urandom(2 * 2**20))
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(call=call), store._root, str(source)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdin
    assert process.stdout.readline() == b"there\n"
    assert len(scratch(store)) == 1
    FileStore(store._root).put_bytes(b"another")
    assert len(scratch(store)) == 1, "what a living process writes is not collected"
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    assert len(objects(store)) == 2
    again = FileStore(store._root)
    assert again.put_file(str(source)).size == 2 * 2**20
    assert scratch(store) == []


def test_scratch_is_collected_only_when_nobody_writes(tmp_path: Path) -> None:
    (tmp_path / "stray").write_bytes(b"")
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    with scratch_file(str(tmp_path)) as (_, path), scratch_directory(str(tmp_path)) as folder:
        collect_scratch(str(tmp_path))
        assert sorted(os.listdir(tmp_path)) == sorted([os.path.basename(path), os.path.basename(folder)])
    assert os.listdir(tmp_path) == []
    collect_scratch(str(tmp_path / "missing"))


def test_write_atomic_replaces_or_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    write_atomic(str(path), b"1", durable=True)
    write_atomic(str(path), b"2")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        write_atomic(str(path), b"3")
    assert path.read_bytes() == b"2"
    assert os.listdir(tmp_path) == ["f"]


def test_memory_stays_small_for_large_files(store: FileStore, tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(300 * 2**20)
    code = (
        "import sys, resource; from wingbeat.builtin.filestore import FileStore; import wingbeat.types;"
        "start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "FileStore(sys.argv[1]).put_file(sys.argv[2]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start)"
    )
    started = time.monotonic()
    grown = subprocess.run(
        [sys.executable, "-c", code, store._root, str(tmp_path / "sparse")],
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert int(grown.stdout) < 30_000, f"{grown.stdout!r} KiB in {time.monotonic() - started:.1f} s"


@pytest.mark.parametrize("found_by", ["verify", "read_bytes"])
def test_an_object_whose_bits_flipped_is_written_anew_when_it_is_stored_again(store, found_by):
    blob = store.put_bytes(b"content")
    path = Path(store._object(blob.digest))
    path.chmod(0o644)
    path.write_bytes(b"cantent")
    os.utime(path, ns=(SEALED_NS, SEALED_NS))  # a disk that flips bits leaves the time as it is
    if found_by == "verify":
        assert "damaged" in (store.verify(blob) or "")
    else:
        with pytest.raises(OSError, match="damaged"):
            store.read_bytes(blob)
    assert store.put_bytes(b"content") == blob
    assert store.read_bytes(blob) == b"content"


def test_what_is_removed_between_the_name_and_the_time_is_written_anew(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob, utime = store.put_bytes(b"content"), os.utime

    def interrupted(path: str | int, ns: tuple[int, int]) -> None:
        """As the system does it: the name leads to the file, somebody moves it away and looks at its time, then that is set."""
        monkeypatch.setattr(os, "utime", utime)
        file = os.open(path, os.O_RDONLY)
        assert FileStore(store._root).remove(blob.digest, time.time())
        utime(file, ns=ns)
        os.close(file)

    monkeypatch.setattr(os, "utime", interrupted)
    store.put_bytes(b"content")
    assert store.read_bytes(blob) == b"content"
