"""What every storage must do. Derive one test class and say how a storage is made::

class TestMyStorage(StorageContract):
def make(self, place: Path) -> Storage:
return MyStorage(place)
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from wingbeat.contracts.storage import Storage
from wingbeat.types import Blob


class StorageContract:
    """The contract as tests."""

    def make(self, place: Path) -> Storage:
        """A storage in `place`; two made in one place have the same content."""
        raise NotImplementedError

    @pytest.mark.parametrize(
        "data", [b"", b"x", b"\0" * 10, os.urandom(3 * 2**20)], ids=["empty", "one", "zeros", "large"]
    )
    def test_bytes_come_back(self, tmp_path: Path, data: bytes) -> None:
        """From any object on the same place, under an address of the scheme."""
        storage = self.make(tmp_path)
        blob = storage.put_bytes(data)
        assert blob.uri.startswith(f"{storage.scheme}:")
        assert blob.size == len(data)
        assert self.make(tmp_path).read_bytes(blob) == data
        assert storage.verify(blob) is None

    def test_the_same_content_is_one_object(self, tmp_path: Path) -> None:
        """However it was put; other content has another address."""
        storage = self.make(tmp_path / "store")
        file = tmp_path / "file"
        file.write_bytes(b"content")
        one, two, other = (
            storage.put_bytes(b"content"),
            storage.put_file(str(file), "name"),
            storage.put_bytes(b"other"),
        )
        assert (one.uri, one.digest) == (two.uri, two.digest)
        assert one.uri != other.uri
        assert storage.put_bytes(b"content") == one

    def test_a_file_is_fetched_as_it_was_put(self, tmp_path: Path) -> None:
        """Later changes of the source do not matter."""
        storage = self.make(tmp_path / "store")
        file = tmp_path / "file"
        file.write_bytes(b"content")
        blob = storage.put_file(str(file))
        file.write_bytes(b"changed")
        assert Path(storage.fetch(blob)).read_bytes() == b"content"

    def test_a_directory_is_fetched_as_it_was_put(self, tmp_path: Path) -> None:
        """With its folders and names."""
        tree = tmp_path / "tree"
        (tree / "a" / "b").mkdir(parents=True)
        (tree / "a" / "b" / "ü.txt").write_text("deep")
        (tree / "top").write_text("top")
        storage = self.make(tmp_path / "store")
        blob = storage.put_directory(str(tree))
        fetched = Path(storage.fetch(blob))
        assert {str(p.relative_to(fetched)) for p in fetched.rglob("*") if p.is_file()} == {"a/b/ü.txt", "top"}
        assert (fetched / "a" / "b" / "ü.txt").read_text() == "deep"
        assert storage.verify(blob) is None
        assert storage.put_directory(str(tree)).digest == blob.digest

    def test_files_put_together_are_the_directory_that_holds_them(self, tmp_path: Path) -> None:
        """From wherever they are; what is not there is told."""
        tree = tmp_path / "tree"
        (tree / "a").mkdir(parents=True)
        (tree / "a" / "made").write_bytes(b"made")
        (tree / "run").write_bytes(b"#!")
        (tree / "run").chmod(0o755)
        storage = self.make(tmp_path / "store")
        blob = storage.put_files({"run": str(tree / "run"), "a/made": b"made"})
        assert blob.digest == storage.put_directory(str(tree)).digest
        assert storage.verify(blob) is None
        with pytest.raises(FileNotFoundError):
            storage.put_files({"gone": str(tree / "gone")})
        with pytest.raises(ValueError, match="out"):
            storage.put_files({"../out": b""})

    def test_links_out_of_a_tree_are_refused(self, tmp_path: Path) -> None:
        """They would take in what was not given."""
        tree = tmp_path / "tree"
        tree.mkdir()
        (tree / "out").symlink_to("/etc/hostname")
        with pytest.raises(ValueError, match="out"):
            self.make(tmp_path / "store").put_directory(str(tree))

    def test_what_is_not_there_is_told(self, tmp_path: Path) -> None:
        """By FileNotFoundError, and by `verify` in words."""
        storage = self.make(tmp_path)
        known = storage.put_bytes(b"x")
        uri = known.uri.replace(known.digest.partition(":")[2], "0" * 64)
        missing = Blob(uri=uri, digest="sha256:" + "0" * 64, size=1, name="")
        with pytest.raises(FileNotFoundError):
            storage.read_bytes(missing)
        with pytest.raises(FileNotFoundError):
            storage.fetch(missing)
        assert storage.verify(missing)

    def test_more_than_wanted_is_not_read(self, tmp_path: Path) -> None:
        """A bound is a bound."""
        storage = self.make(tmp_path)
        with pytest.raises(ValueError, match="5"):
            storage.read_bytes(storage.put_bytes(b"123456"), bytes_max=5)

    def test_many_may_put_the_same_at_once(self, tmp_path: Path) -> None:
        """All of them succeed, and it is whole."""
        storage, data, found = self.make(tmp_path), os.urandom(2**20), []
        threads = [threading.Thread(target=lambda: found.append(storage.put_bytes(data))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({blob.uri for blob in found}) == 1
        assert len(found) == len(threads)
        assert storage.read_bytes(found[0]) == data
