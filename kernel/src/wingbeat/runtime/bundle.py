"""The description that a code bundle carries: which of its folders Python imports from.

It lies in the bundle as `BUNDLE_FILE`, is written by `wingbeat.host.bundle`, and is read where attempts run::

    sys.path[:0] = bundle_import_roots(path_of_the_bundle)
"""

from __future__ import annotations

import os

import msgspec
from msgspec import Struct

BUNDLE_FILE = ".wingbeat-bundle.json"
BUNDLE_FORMAT = 1

_BYTES_MAX = 2**20


class BundleInfo(Struct, frozen=True):
    """What is in `BUNDLE_FILE`.

    Attributes:
        import_roots: Folders to import from, first to last, relative to the bundle; ``.`` is the bundle itself.
    """

    format: int
    import_roots: tuple[str, ...]


_decoder = msgspec.json.Decoder(BundleInfo)


def bundle_info_bytes(import_roots: tuple[str, ...]) -> bytes:
    """The content of `BUNDLE_FILE`."""
    return msgspec.json.encode(BundleInfo(BUNDLE_FORMAT, import_roots))


def bundle_import_roots(path: str) -> list[str]:
    """The folders of the bundle at `path` that belong at the front of ``sys.path``, absolute, in order.

    Raises:
        ValueError: `path` is not a code bundle, or one of a newer format.
    """
    file = os.path.join(path, BUNDLE_FILE)
    try:
        with open(file, "rb") as stream:
            info = _decoder.decode(stream.read(_BYTES_MAX))
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{path} is not a code bundle: it has no {BUNDLE_FILE}") from None
    except msgspec.DecodeError as error:
        raise ValueError(f"{file} cannot be read: {error}") from None
    if info.format > BUNDLE_FORMAT:
        raise ValueError(
            f"{file} has format {info.format}; this Wingbeat reads up to {BUNDLE_FORMAT}: upgrade wingbeat"
        )
    base = os.path.abspath(path)
    roots = [os.path.normpath(os.path.join(base, root)) for root in info.import_roots]
    if outside := [root for root in roots if root != base and not root.startswith(base.rstrip("/") + "/")]:
        raise ValueError(f"{file}: the import root {outside[0]} is not inside the bundle")
    return roots
