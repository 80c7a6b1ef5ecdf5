"""Settings of the catalog: the section ``catalog`` of the configuration."""

from __future__ import annotations

from msgspec import Struct

from wingbeat.base.settings import Size
from wingbeat.base.units import parse_size


class CatalogSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How much is kept.

    Attributes:
        size_max: Bytes of results, for example ``"50Gi"``, above which the least recently used entries are dropped;
            0 is no limit. The limit is held in steps: it may be exceeded by what a few publications add.
    """

    size_max: Size = 0

    def size_max_bytes(self) -> int | None:
        """The limit in bytes, None without one."""
        return parse_size(self.size_max) or None
