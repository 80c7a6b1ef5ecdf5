"""The kits, on files and on fsspec's memory."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from acme_fsspec import plugin
from acme_fsspec.storage import FsspecStorage
from wingbeat.testing.conformance.plugin import PluginContract
from wingbeat.testing.conformance.storage import StorageContract


class TestFiles(StorageContract):
    def make(self, home):
        return FsspecStorage(**plugin.arguments(home))

    def damage(self, home, blob):
        name = blob.digest.partition(":")[2]
        return bool(Path(home.path, "fsspec", "files", name[:2], name).write_bytes(b"other"))


class TestMemory(StorageContract):
    """A file system that is none of this machine's, as far as one process goes."""

    def make(self, home):
        return FsspecStorage(f"memory:/{home.path}", f"{home.path}/cache")

    def damage(self, home, blob):
        name = blob.digest.partition(":")[2]
        fs, path = fsspec.url_to_fs(f"memory:/{home.path}/files/{name[:2]}/{name}")
        fs.pipe_file(path, b"other")
        return True

    def test_a_kill_leaves_nothing_half_done(self, home, tmp_path):
        pytest.skip("this memory is gone with its process")

    def test_many_may_fetch_the_same_at_once(self, home):
        pytest.skip("a file of this memory has one position for all who read it")

    def test_a_large_file_is_not_read_into_memory(self, home, tmp_path):
        pytest.skip("it is in memory")


class TestPlugin(PluginContract):
    module = "acme_fsspec.plugin"
    name = "fsspec"
