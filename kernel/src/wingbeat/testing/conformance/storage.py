"""What every storage must do. Derive one test class and say how a storage is made::

    class TestMyStorage(StorageContract):
        def make(self, home: Home) -> Storage:
            return MyStorage(home.path)

Two storages made in the same home must have the same content.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import threading
import tracemalloc
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from wingbeat.contracts.storage import Storage
from wingbeat.testing.conformance.kit import Kit, held
from wingbeat.testing.home import TemporaryHome
from wingbeat.trees import TreeFile, make_manifest, manifest_bytes
from wingbeat.types import Blob

LARGE = 24 * 2**20
NOWHERE = "0" * 64


def sha256(data: bytes) -> str:
    """The digest of content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tree_digest(files: Mapping[str, bytes], runs: Container[str] = ()) -> str:
    """The digest of a tree of these files, of which `runs` may be executed."""
    listed = (TreeFile(path, len(data), sha256(data), path in runs) for path, data in files.items())
    return sha256(manifest_bytes(make_manifest(listed)))


def files_of(folder: str | Path) -> dict[str, bytes]:
    """What is in a tree."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


def lay_out(folder: Path, files: dict[str, bytes]) -> Path:
    """Write a tree."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


class StorageContract(Kit):
    """The contract of `wingbeat.contracts.storage.Storage` as tests.

    Attributes:
        examples: So many random trees are stored in the test against a model.
    """

    examples: ClassVar[int] = 25

    def make(self, home: TemporaryHome) -> Storage:
        """A storage in `home`; two made in one home have the same content."""
        raise NotImplementedError(f"{type(self).__name__} has to say how a storage is made: def make(self, home)")

    def damage(self, home: TemporaryHome, blob: Blob) -> bool:
        """Change a byte of what is kept of `blob`, behind the storage's back. False where that cannot be brought about."""
        return False

    # Answers

    def test_answers_are_of_the_declared_types(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`put_*`: a `Blob`. `read_bytes`: bytes. `fetch`: a path as text. `verify`: None, or text for people."""
        storage: Any = self.make(home)
        assert isinstance(storage.scheme, str), f"scheme is {storage.scheme!r}"
        folder = lay_out(tmp_path / "tree", {"a": b"content"})
        puts = {
            "put_bytes": storage.put_bytes(b"content"),
            "put_file": storage.put_file(str(folder / "a")),
            "put_directory": storage.put_directory(str(folder)),
            "put_files": storage.put_files({"a": b"content"}),
        }
        for call, answer in puts.items():
            assert isinstance(answer, Blob), f"{call} answers with {answer!r}, which is no Blob"
        blob = puts["put_bytes"]
        assert type(storage.read_bytes(blob)) is bytes, "read_bytes answers with bytes"
        fetched, whole = storage.fetch(blob), storage.verify(blob)
        assert isinstance(fetched, str), f"fetch answers with {fetched!r}, which is no text"
        assert whole is None, f"verify answers with {whole!r} for what is whole"
        wrong = storage.verify(replace(blob, uri=f"{storage.scheme}:sha256:{NOWHERE}", digest=f"sha256:{NOWHERE}"))
        assert isinstance(wrong, str), f"verify answers with {wrong!r} for what is not there"

    # What was put comes back

    @pytest.mark.parametrize(
        "data", [b"", b"x", b"\0" * 10, os.urandom(3 * 2**20)], ids=["empty", "one", "zeros", "large"]
    )
    def test_bytes_come_back(self, home: TemporaryHome, data: bytes) -> None:
        """`put_bytes`, `read_bytes`: from any object on the same place."""
        storage = self.make(home)
        blob = storage.put_bytes(data)
        assert self.make(home).read_bytes(blob) == data
        assert Path(self.make(home).fetch(blob)).read_bytes() == data
        assert storage.verify(blob) is None

    def test_the_address_is_the_digest(self, home: TemporaryHome, tmp_path: Path) -> None:
        """Content is addressed by its digest: the URI is ``scheme:digest``, of its bytes or its manifest."""
        storage = self.make(home)
        file = storage.put_bytes(b"content")
        tree = storage.put_directory(str(lay_out(tmp_path / "tree", {"a": b"content"})))
        assert file.digest == sha256(b"content")
        assert (file.size, file.layout) == (7, "file")
        manifest = make_manifest([TreeFile("a", 7, sha256(b"content"), executable=False)])
        assert tree.digest == sha256(manifest_bytes(manifest)), (
            "the digest of a tree is that of its manifest: wingbeat.trees"
        )
        assert (tree.size, tree.layout) == (7, "directory")
        assert [file.uri, tree.uri] == [f"{storage.scheme}:{file.digest}", f"{storage.scheme}:{tree.digest}"]

    def test_the_digest_alone_is_enough_to_read(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`read_bytes`, `fetch`: go by the digest; size and name of a blob may be unknown. Only `verify` needs the size."""
        storage = self.make(home)
        file = replace(storage.put_bytes(b"content"), size=0, name="")
        tree = storage.put_directory(str(lay_out(tmp_path / "tree", {"a/b": b"content"})))
        assert storage.read_bytes(file) == b"content"
        assert Path(storage.fetch(file)).read_bytes() == b"content"
        assert files_of(storage.fetch(replace(tree, size=0, name="bundle"))) == {"a/b": b"content"}

    def test_the_same_content_is_one_object(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`put_*`: stored already, returns the same; other content has another address."""
        storage = self.make(home)
        file = tmp_path / "file"
        file.write_bytes(b"content")
        one, two = storage.put_bytes(b"content"), storage.put_file(str(file), "name")
        assert (one.uri, one.digest) == (two.uri, two.digest)
        assert storage.put_bytes(b"other").uri != one.uri
        assert storage.put_bytes(b"content") == one
        assert self.make(home).put_bytes(b"content") == one

    def test_a_file_is_fetched_as_it_was_put(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`put_file`: later changes of the source do not matter, nor that it is gone."""
        storage = self.make(home)
        file = tmp_path / "file"
        file.write_bytes(b"content")
        blob = storage.put_file(str(file))
        file.write_bytes(b"changed")
        assert Path(storage.fetch(blob)).read_bytes() == b"content"
        file.unlink()
        assert storage.read_bytes(blob) == b"content"
        assert storage.verify(blob) is None

    def test_a_fetched_path_ends_in_the_name(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`put_file`, `fetch`: the name is what people call it, no part of the address, and libraries go by its ending."""
        storage = self.make(home)
        file = tmp_path / "file"
        file.write_bytes(b"content")
        one, two = storage.put_file(str(file), "table.csv"), storage.put_file(str(file), "räume.txt")
        assert (one.name, two.name) == ("table.csv", "räume.txt")
        assert one.uri == two.uri
        assert [Path(storage.fetch(blob)).name for blob in (one, two)] == ["table.csv", "räume.txt"]

    def test_a_directory_is_fetched_as_it_was_put(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`put_directory`: with its folders and names."""
        files = {"a/b/ü.txt": b"deep", "top": b"top", "a/empty": b"", ".hidden": b"h"}
        tree = lay_out(tmp_path / "tree", files)
        storage = self.make(home)
        blob = storage.put_directory(str(tree))
        (tree / "top").write_bytes(b"changed")
        assert files_of(self.make(home).fetch(blob)) == files
        assert storage.verify(blob) is None

    def test_a_tree_is_its_files_their_names_and_who_may_run_them(self, home: TemporaryHome, tmp_path: Path) -> None:
        """The same tree has the same digest, whatever its folder is called and when it was written; any other has another."""
        storage = self.make(home)
        one = lay_out(tmp_path / "one", {"a": b"1", "b/c": b"2"})
        two = lay_out(tmp_path / "two", {"b/c": b"2", "a": b"1"})
        os.utime(two / "a", (1, 1))
        digest = storage.put_directory(str(one)).digest
        assert storage.put_directory(str(two), "another name").digest == digest
        others = [{"a": b"1", "b/d": b"2"}, {"a": b"1", "b/c": b"3"}, {"a": b"1"}, {"a": b"12", "b/c": b""}]
        digests = {
            storage.put_directory(str(lay_out(tmp_path / f"o{n}", files))).digest for n, files in enumerate(others)
        }
        assert len(digests - {digest}) == len(others)
        (two / "a").chmod(0o755)
        (two / "b/c").chmod(0o654)  # its group may, which does not count
        blob = storage.put_directory(str(two))
        assert blob.digest == tree_digest({"b/c": b"2", "a": b"1"}, runs={"a"})
        assert blob.digest != digest
        assert os.access(Path(storage.fetch(blob), "a"), os.X_OK)

    def test_files_put_together_are_the_directory_that_holds_them(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`put_files`: the same blob as that of a directory which holds them."""
        tree = lay_out(tmp_path / "tree", {"a/made": b"made", "run": b"#!"})
        (tree / "run").chmod(0o755)
        storage = self.make(home)
        blob = storage.put_files({"run": str(tree / "run"), "a/made": b"made"})
        assert blob.digest == storage.put_directory(str(tree)).digest
        assert storage.verify(blob) is None
        assert files_of(storage.fetch(blob)) == files_of(tree)

    def test_a_link_inside_a_tree_is_what_it_points_to(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`put_directory`: a tree of regular files."""
        tree = lay_out(tmp_path / "tree", {"a/file": b"content"})
        (tree / "link").symlink_to("a/file")
        storage = self.make(home)
        fetched = storage.fetch(storage.put_directory(str(tree)))
        assert files_of(fetched) == {"a/file": b"content", "link": b"content"}

    # What is refused

    @pytest.mark.parametrize("way", ["/etc/hostname", "../outside", "a/../../outside", "folder-out"])
    def test_links_out_of_a_tree_are_refused(self, home: TemporaryHome, tmp_path: Path, way: str) -> None:
        """`put_directory`: raises ValueError on links out of the tree; they would take in what was not given."""
        tree = lay_out(tmp_path / "tree", {"a/file": b"x"})
        lay_out(tmp_path, {"outside": b"secret", "folder/secret": b"secret"})
        if way == "folder-out":
            (tree / "out").symlink_to("../folder", target_is_directory=True)
        else:
            (tree / "out").symlink_to(way)
        with pytest.raises(ValueError, match="out"):
            self.make(home).put_directory(str(tree))

    @pytest.mark.parametrize("kind", ["pipe", "socket"])
    def test_what_is_no_file_is_refused(self, home: TemporaryHome, tmp_path: Path, kind: str) -> None:
        """`put_directory`: raises ValueError on devices, pipes and sockets, and never waits for one."""
        tree = lay_out(tmp_path / "t", {"file": b"x"})
        with contextlib.ExitStack() as stack:
            if kind == "pipe":
                os.mkfifo(tree / "it")
            else:
                here = stack.enter_context(socket.socket(socket.AF_UNIX))
                before = Path.cwd()
                stack.callback(os.chdir, before)
                os.chdir(tree)  # the name of a socket is short
                here.bind("it")
            with pytest.raises(ValueError, match="it"):
                self.make(home).put_directory(str(tree))

    @pytest.mark.parametrize("path", ["../out", "/out", "a/../../out", "", ".", "a//out", "out\0"])
    def test_paths_out_of_a_tree_are_refused(self, home: TemporaryHome, path: str) -> None:
        """`put_files`: a path is a path in the tree."""
        with pytest.raises(ValueError, match=r".*"):
            self.make(home).put_files({path: b""})

    def test_what_is_not_there_cannot_be_put(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`put_files`: raises FileNotFoundError where one cannot be read, and the tree is not there then."""
        storage, gone = self.make(home), str(tmp_path / "gone")
        with pytest.raises(FileNotFoundError):
            storage.put_file(gone)
        with pytest.raises(FileNotFoundError):
            storage.put_files({"a": b"1", "gone": gone})
        other = self.make(self.another_home(tmp_path, "other"))
        assert storage.verify(other.put_files({"a": b"1", "gone": b"2"}))

    def test_what_is_not_there_is_told(self, home: TemporaryHome) -> None:
        """`read_bytes`, `fetch`: raise FileNotFoundError. `verify`: says so in words, and never raises for it."""
        storage = self.make(home)
        for layout in ("file", "directory"):
            missing = Blob(f"{storage.scheme}:sha256:{NOWHERE}", f"sha256:{NOWHERE}", 1, "", layout=layout)
            if layout == "file":
                with pytest.raises(FileNotFoundError):
                    storage.read_bytes(missing)
            with pytest.raises(FileNotFoundError):
                storage.fetch(missing)
            problem = storage.verify(missing)
            assert problem
            assert isinstance(problem, str)

    def test_what_is_fetched_in_vain_can_be_put_and_fetched(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`fetch`: what is not there leaves nothing behind that is in the way of the next call."""
        storage, other = self.make(home), self.make(self.another_home(tmp_path, "other"))
        for blob in (other.put_bytes(b"content"), other.put_files({"a": b"content"})):
            for _ in range(2):
                with pytest.raises(FileNotFoundError):
                    storage.fetch(blob)
        file, tree = storage.put_bytes(b"content"), storage.put_files({"a": b"content"})
        assert Path(storage.fetch(file)).read_bytes() == b"content"
        assert Path(storage.fetch(tree), "a").read_bytes() == b"content"

    @pytest.mark.parametrize(
        "changed",
        [
            {"uri": "other:sha256:" + NOWHERE, "digest": "sha256:" + NOWHERE},
            {"digest": "sha256:" + NOWHERE},
            {"uri": "{scheme}:../../../../etc/hostname", "digest": "../../../../etc/hostname"},
            {"uri": "/etc/hostname", "digest": "sha256:" + NOWHERE},
            {"name": "../../out"},
            {"name": "/etc/hostname"},
        ],
        ids=["scheme", "digest", "escape", "path", "name", "root"],
    )
    def test_a_forged_blob_leads_nowhere(self, home: TemporaryHome, changed: dict[str, str]) -> None:
        """Blobs come from outside. One that is not of this storage is refused (ValueError or OSError), nothing else is read."""
        storage = self.make(home)
        blob = storage.put_bytes(b"content")
        forged = replace(blob, **{k: v.replace("{scheme}", storage.scheme) for k, v in changed.items()})
        with pytest.raises((ValueError, OSError)):
            storage.fetch(forged)
        if "name" not in changed:
            with pytest.raises((ValueError, OSError)):
                storage.read_bytes(forged)
            assert storage.verify(forged)

    def test_more_than_wanted_is_not_read(self, home: TemporaryHome) -> None:
        """`read_bytes`: raises ValueError over `bytes_max`; so it does for a directory."""
        storage = self.make(home)
        blob = storage.put_bytes(b"123456")
        assert storage.read_bytes(blob, bytes_max=6) == b"123456"
        with pytest.raises(ValueError, match=r".*"):
            storage.read_bytes(blob, bytes_max=5)
        with pytest.raises(ValueError, match=r".*"):
            storage.read_bytes(storage.put_files({"a": b"1"}))

    # Whole or not at all

    def test_another_size_is_found(self, home: TemporaryHome) -> None:
        """`verify`: None only if the content is there and whole, of the size that the blob says."""
        storage = self.make(home)
        file, tree = storage.put_bytes(b"content"), storage.put_files({"a": b"content"})
        for blob in (file, tree):
            assert storage.verify(replace(blob, size=8))

    def test_damage_is_found_and_mended(self, home: TemporaryHome) -> None:
        """`read_bytes`: raises OSError if it is damaged. `verify`: says what is wrong. Putting the content again mends it."""
        storage = self.make(home)
        blob = storage.put_bytes(b"content" * 1000)
        if not self.damage(home, blob):
            pytest.skip("it cannot be damaged: override damage()")
        for seen_by in (storage, self.make(home)):
            assert seen_by.verify(blob)
            with pytest.raises(OSError, match=r".*"):
                seen_by.read_bytes(blob)
        assert storage.put_bytes(b"content" * 1000) == blob
        assert storage.verify(blob) is None
        assert storage.read_bytes(blob) == b"content" * 1000

    @pytest.mark.parametrize("way", ["bytes", "file"])
    def test_nobody_sees_a_part_of_what_is_being_put(self, home: TemporaryHome, tmp_path: Path, way: str) -> None:
        """Published atomically: a URI is readable whole or not at all, whoever looks while it is written."""
        data = os.urandom(LARGE)
        (tmp_path / "large").write_bytes(data)
        storage = self.make(home)
        blob = Blob(f"{storage.scheme}:{sha256(data)}", sha256(data), LARGE, "")
        wrong: list[str] = []
        done = threading.Event()

        def look() -> None:
            reader = self.make(home)
            while not done.is_set():
                with contextlib.suppress(FileNotFoundError):
                    path = reader.fetch(blob)
                    if (size := Path(path).stat().st_size) != LARGE:
                        wrong.append(f"fetch gave {size} bytes of {LARGE}")
                with contextlib.suppress(FileNotFoundError):
                    try:
                        reader.read_bytes(blob)
                    except OSError as error:
                        if not isinstance(error, FileNotFoundError):
                            wrong.append(f"read_bytes found it damaged: {error}")

        reader = threading.Thread(target=look)
        reader.start()
        try:
            put = storage.put_bytes(data) if way == "bytes" else storage.put_file(str(tmp_path / "large"))
        finally:
            done.set()
            reader.join()
        assert wrong == []
        assert (put.uri, put.digest, put.size) == (blob.uri, blob.digest, blob.size)
        assert storage.verify(blob) is None

    def test_a_kill_leaves_nothing_half_done(self, home: TemporaryHome, tmp_path: Path) -> None:
        """What `put_*` returned is there; what was being put is whole or not there, and can be put again."""
        said = tmp_path / "said"

        def data(number: int) -> bytes:
            return b"%d" % number * 2**20

        async def life() -> None:
            storage = self.make(home)
            with said.open("ab", buffering=0) as file:
                for number in range(10**6):
                    storage.put_bytes(data(number))
                    file.write(b"x")

        self.crash(life, lambda: said.exists() and said.stat().st_size >= 3)
        storage, done = self.make(home), said.stat().st_size
        for number in range(done + 2):
            content = data(number)
            blob = Blob(f"{storage.scheme}:{sha256(content)}", sha256(content), len(content), "")
            if number < done:
                assert storage.verify(blob) is None
            else:
                with contextlib.suppress(FileNotFoundError):
                    assert storage.read_bytes(blob) == content
            assert storage.put_bytes(content).digest == blob.digest
            assert storage.verify(blob) is None

    # Many at once

    def test_many_may_put_the_same_at_once(self, home: TemporaryHome) -> None:
        """`put_bytes`: all of them succeed, and it is whole; through one object and through several."""
        storages, data = [self.make(home), self.make(home)], os.urandom(2**20)
        found = _together([lambda s=storages[n % 2]: s.put_bytes(data) for n in range(8)])  # type: ignore[misc]
        assert len({blob.uri for blob in found}) == 1
        assert storages[0].read_bytes(found[0]) == data

    def test_many_at_once(self, home: TemporaryHome) -> None:
        """Called from threads: each gets its own, and nothing stays open."""
        storage = self.make(home)
        contents = [b"%d" % number * 100 for number in range(200)]
        found = _together([lambda c=content: storage.put_bytes(c) for content in contents], threads=16)  # type: ignore[misc]
        counted = held()
        read = _together([lambda b=blob: storage.read_bytes(b) for blob in found], threads=16)  # type: ignore[misc]
        assert read == contents
        assert held() <= counted + 2

    def test_many_may_fetch_the_same_at_once(self, home: TemporaryHome) -> None:
        """`fetch`: what it answers with is whole, also while others fetch it for the first time; each from an object of its own."""
        data = os.urandom(LARGE // 4)
        tree = self.make(home).put_files({f"{number}/file": data[number:] for number in range(12)})
        file = self.make(home).put_bytes(data)

        def sizes(storage: Storage) -> tuple[int, list[int]]:
            one, other = Path(storage.fetch(replace(file, name="data.bin"))), Path(storage.fetch(tree))
            return one.stat().st_size, sorted(path.stat().st_size for path in other.rglob("file"))

        storages = [self.make(home) for _ in range(8)]
        found = _together([lambda s=storage: sizes(s) for storage in storages])  # type: ignore[misc]
        assert found == [(len(data), sorted(len(data) - number for number in range(12)))] * 8

    def test_a_fetched_path_stays_good(self, home: TemporaryHome) -> None:
        """`fetch`: the path stays good while the object lives, whatever else is fetched under whatever name."""
        storage = self.make(home)
        contents = [b"%d" % number for number in range(20)]
        files = [replace(storage.put_bytes(content), name="same.txt") for content in contents]
        trees = [replace(storage.put_files({"file": content}), name="same") for content in contents]
        fetched = [storage.fetch(blob) for blob in files]
        folders = [storage.fetch(blob) for blob in trees]
        assert [Path(path).read_bytes() for path in fetched] == contents
        assert [Path(path, "file").read_bytes() for path in folders] == contents

    def test_a_large_file_is_not_read_into_memory(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`put_file`, `fetch`, `verify`: streaming; what is stored may be larger than the memory of an attempt."""
        with (tmp_path / "large").open("wb") as file:
            for number in range(8):
                file.write(bytes([number]) * (LARGE // 8))
        storage = self.make(home)
        tracemalloc.start()
        try:
            blob = storage.put_file(str(tmp_path / "large"))
            storage.fetch(blob)
            assert storage.verify(blob) is None
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert most < LARGE / 2, f"it took {most / 2**20:.0f} MiB for a file of {LARGE // 2**20}"

    async def test_it_is_called_from_threads_of_an_event_loop(self, home: TemporaryHome) -> None:
        """Synchronous; the engine calls it in a thread."""
        storage = self.make(home)
        blobs = await asyncio.gather(*(asyncio.to_thread(storage.put_bytes, b"%d" % n) for n in range(20)))
        assert await asyncio.gather(*(asyncio.to_thread(storage.read_bytes, b) for b in blobs)) == [
            b"%d" % n for n in range(20)
        ]

    def test_another_place_has_other_content(self, home: TemporaryHome, tmp_path: Path) -> None:
        """A storage has what was put into it, and not what another home has."""
        blob = self.make(home).put_bytes(b"content")
        assert self.make(self.another_home(tmp_path, "other")).verify(blob)

    def test_any_tree_comes_back(self, home: TemporaryHome) -> None:
        """Any files, against a dictionary that holds them."""
        storage = self.make(home)
        known: dict[str, str] = {}
        names = st.text("ab.é ", min_size=1, max_size=4).filter(lambda name: name.strip(".") != "")
        trees = st.dictionaries(names, st.binary(max_size=40), max_size=4)

        @settings(
            max_examples=self.examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            print_blob=False,
        )  # fmt: skip
        @given(tree=trees, folder=names)
        def put(tree: dict[str, bytes], folder: str) -> None:
            files: dict[str, Any] = {f"{folder}/{name}": data for name, data in tree.items()}
            blob = storage.put_files(files)
            assert blob.digest == tree_digest(files)
            assert known.setdefault(repr(sorted(files.items())), blob.digest) == blob.digest
            assert len(set(known.values())) == len(known)
            assert storage.verify(blob) is None
            assert files_of(storage.fetch(blob)) == files

        put()


def _together(calls: list[Callable[[], Any]], threads: int = 8) -> list[Any]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda call: call(), calls))
