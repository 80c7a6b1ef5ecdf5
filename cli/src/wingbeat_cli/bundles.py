"""Which files differ between two code bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wingbeat.kernel import Kernel

SHOWN_MAX = 10
"""So many files are told to people; documents have all."""


def changed_files(old: str, new: str) -> dict[str, list[str]] | None:
    """The files that were added, changed and removed between two bundles, by their digests; None where one is not to be had: its
    content was removed, or it is not for whoever asks."""
    found = _contents([each for each in dict.fromkeys((old, new)) if each])
    before, after = (found.get(digest) if digest else {} for digest in (old, new))
    if before is None or after is None:
        return None
    return {
        "added": sorted(path for path in after if path not in before),
        "changed": sorted(path for path in after if path in before and before[path] != after[path]),
        "removed": sorted(path for path in before if path not in after),
    }


def lines(files: Mapping[str, list[str]]) -> Iterator[str]:
    """The same for people."""
    told = sorted((path, how) for how, paths in files.items() for path in paths)
    for path, how in told[:SHOWN_MAX]:
        yield f"  {path}: {how}"
    if len(told) > SHOWN_MAX:
        yield f"  and {len(told) - SHOWN_MAX:,} more"


def _contents(bundles: list[str]) -> dict[str, dict[str, str] | None]:
    """What is stored here, or known where the command works."""
    from wingbeat.kernel import files_of
    from wingbeat_cli.door import given, is_elsewhere, within

    found = {digest: files_of(digest, settings=given()) for digest in bundles}
    lacking = [digest for digest, files in found.items() if files is None]

    async def ask(kernel: Kernel) -> dict[str, dict[str, str] | None]:
        return {digest: await _elsewhere(kernel, digest) for digest in lacking}

    return found | within(ask) if lacking and is_elsewhere() else found


async def _elsewhere(kernel: Kernel, digest: str) -> dict[str, str] | None:
    from wingbeat.base.errors import NotFound
    from wingbeat.contracts.code import ShowsCode

    admin = await kernel.admin()
    if not isinstance(admin, ShowsCode):
        return None
    try:
        return await admin.files(digest)
    except NotFound:
        return None
