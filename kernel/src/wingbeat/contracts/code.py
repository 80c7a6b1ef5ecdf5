"""The code of what is registered and launched, where that is not kept here: what an admin elsewhere can do besides."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class ShowsCode(Protocol):
    """An admin that says what is in code bundles."""

    async def files(self, bundle: str) -> dict[str, str]:
        """The files of a code bundle, by its digest: paths, each with a text that is another one for another content, as
        `Manifest.contents`. Of what whoever asks has been shown before.

        Raises:
            NotFound: There is none, or it is not for whoever asks.
        """
