"""What every storage must do that removes content. Derive a class beside that of `StorageContract`::

class TestMyStorage(StorageContract, SweepContract):
    def make(self, home: Home) -> Storage:
        return MyStorage(home.path)
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from wingbeat.contracts.storage import Storage, Sweepable
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.conformance.storage import NOWHERE, lay_out, sha256
from wingbeat.testing.home import TemporaryHome

LATER_S = 60.0


def sweeping(storage: Storage) -> Sweepable:
    """The storage, which removes."""
    assert isinstance(storage, Sweepable), f"{type(storage).__name__} removes nothing"
    return storage


class SweepContract(Kit):
    """The contract of `wingbeat.contracts.storage.Sweepable` as tests.

    Attributes:
        rounds: How often content is put and removed at the same time.
    """

    rounds: ClassVar[int] = 200

    def make(self, home: TemporaryHome) -> Storage:
        """A storage in `home`; two made in one home have the same content."""
        raise NotImplementedError(f"{type(self).__name__} has to say how a storage is made: def make(self, home)")

    def test_what_was_not_used_since_is_listed(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`unused`: files, trees and what they consist of, with their bytes; none of it before it was put."""
        storage = self.make(home)
        began = time.time() - LATER_S
        file = storage.put_bytes(b"content")
        tree = storage.put_directory(str(lay_out(tmp_path / "tree", {"a": b"inside"})))
        assert dict(sweeping(storage).unused(began)) == {}
        found = dict(sweeping(self.make(home)).unused(time.time() + LATER_S))
        assert {file.digest, tree.digest, sha256(b"inside")} <= found.keys()
        assert found[file.digest] == len(b"content")

    def test_what_a_tree_consists_of_is_told(self, home: TemporaryHome) -> None:
        """`inside`: of a tree, each of its files; of a file and of what is not there, nothing."""
        storage = self.make(home)
        file, tree = storage.put_bytes(b"content"), storage.put_files({"a": b"one", "b/c": b"two"})
        assert sorted(sweeping(storage).inside(tree.digest)) == sorted([sha256(b"one"), sha256(b"two")])
        assert list(sweeping(storage).inside(file.digest)) == []
        assert list(sweeping(storage).inside(f"sha256:{NOWHERE}")) == []

    def test_what_is_removed_is_gone_and_can_be_put_again(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`remove`: a file or a tree, of which the files stay; also what was fetched of it. Again: False."""
        storage, later = self.make(home), time.time() + LATER_S
        file = storage.put_file(str(lay_out(tmp_path, {"name.txt": b"content"}) / "name.txt"))
        tree = storage.put_files({"a": b"inside"})
        storage.fetch(file), storage.fetch(tree)  # what it makes of them goes as well
        for blob in (file, tree):
            assert sweeping(storage).remove(blob.digest, later) is True
            assert sweeping(storage).remove(blob.digest, later) is False
            assert storage.verify(blob) is not None
            with pytest.raises(FileNotFoundError):
                self.make(home).fetch(blob)
        assert sha256(b"inside") in dict(sweeping(storage).unused(later))
        assert storage.put_bytes(b"content").digest == file.digest
        assert storage.put_files({"a": b"inside"}) == tree
        assert storage.verify(file) is None
        assert Path(storage.fetch(tree), "a").read_bytes() == b"inside"

    def test_what_was_used_since_stays(self, home: TemporaryHome) -> None:
        """`remove`: what was put, put again, or verified since that moment stays; of a tree all its files."""
        storage = self.make(home)
        file, tree = storage.put_bytes(b"content"), storage.put_files({"a": b"inside"})
        for use in (
            lambda: (storage.put_bytes(b"content"), storage.put_files({"a": b"inside"})),
            lambda: (storage.verify(file), storage.verify(tree)),
        ):
            before = time.time() - 0.5
            time.sleep(0.01)
            use()
            for digest in (file.digest, tree.digest, sha256(b"inside")):
                assert sweeping(storage).remove(digest, before) is False
                assert digest not in dict(sweeping(storage).unused(before))
        assert storage.verify(tree) is None

    def test_what_is_put_while_it_is_removed_is_there(self, home: TemporaryHome) -> None:
        """`remove` and `put_*` at the same time, of two objects: what was put after the moment is there when both have answered."""
        storage, other = self.make(home), self.make(home)
        blob = storage.put_bytes(b"content")
        with ThreadPoolExecutor(2) as threads:
            for _ in range(self.rounds):
                moment = time.time()
                removing = threads.submit(sweeping(other).remove, blob.digest, moment)
                putting = threads.submit(storage.put_bytes, b"content")
                removing.result(), putting.result()
                assert storage.read_bytes(blob) == b"content"
