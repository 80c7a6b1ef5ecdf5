"""The file store keeps the contract."""

import os
from pathlib import Path

from wingbeat.builtin.filestore import FileStore
from wingbeat.testing.conformance.storage import StorageContract
from wingbeat.testing.conformance.storage_sweep import SweepContract


class TestFileStore(StorageContract, SweepContract):
    def make(self, home):
        return FileStore(home.path)

    def damage(self, home, blob):
        (file,) = Path(home.path).rglob(blob.digest.partition(":")[2])
        os.chmod(file, 0o644)
        data = bytearray(file.read_bytes())
        data[100] ^= 1
        file.write_bytes(data)
        return True
