"""Trees of files as content: the door for storages that are not in the box.

A tree is kept as its files and a manifest, which lists them. The digest of a tree is that of its manifest's bytes, so it has one
digest in every storage: code bundles and cached results go by it.
"""

from wingbeat.builtin.filetree import (
    Manifest,
    TreeFile,
    check_digest,
    check_name,
    check_relative,
    make_manifest,
    manifest_bytes,
    read_manifest,
    walk_tree,
)

__all__ = [
    "Manifest", "TreeFile", "check_digest", "check_name", "check_relative", "make_manifest", "manifest_bytes",
    "read_manifest", "walk_tree",
]  # fmt: skip
