"""The file store keeps the contract."""

from wingbeat.builtin.filestore import FileStore
from wingbeat.testing.conformance.storage import StorageContract


class TestFileStore(StorageContract):
    def make(self, place):
        return FileStore(str(place))
