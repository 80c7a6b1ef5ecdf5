"""Where an attempt's process stores and fetches content: the storage it was told of, and a scratch folder."""

from __future__ import annotations

from collections.abc import Sequence

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.storage import Storage, StorageRef
from wingbeat.runtime.storageio import StorageIO


class AttemptIO(StorageIO):
    """As its base, with a storage that is made on first use: most attempts never need it."""

    def __init__(self, refs: Sequence[StorageRef], scratch: str) -> None:
        super().__init__(None, scratch)
        self._refs = refs

    @property
    def storage(self) -> Storage:
        """The storage that the job names. Raises ConfigurationError if it names none."""
        if self._storage is None:
            if not self._refs:
                raise ConfigurationError("A value has to be stored, but this executor was given no storage.")
            from wingbeat.runtime.storages import Storages

            self._storage = Storages(self._refs)
        return self._storage
