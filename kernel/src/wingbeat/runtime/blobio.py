"""Where an attempt's process stores and fetches content: the storage it was told of, and a scratch folder."""

from __future__ import annotations

import importlib
from typing import cast

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.storage import Storage
from wingbeat.runtime.job import StorageRef
from wingbeat.runtime.storageio import StorageIO


class AttemptIO(StorageIO):
    """As its base, with a storage that is made on first use: most attempts never need it."""

    def __init__(self, ref: StorageRef, scratch: str) -> None:
        super().__init__(None, scratch)
        self._ref = ref

    @property
    def storage(self) -> Storage:
        """The storage that the job names. Raises ConfigurationError if it names none."""
        if self._storage is None:
            if not self._ref.target:
                raise ConfigurationError("A value has to be stored, but this executor was given no storage.")
            module, _, name = self._ref.target.partition(":")
            self._storage = cast(Storage, getattr(importlib.import_module(module), name)(**self._ref.arguments))
        return self._storage
