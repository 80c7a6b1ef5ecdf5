"""What a plugin says of itself."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

API_VERSION = (0, 3)
"""Version of the contracts, apart from that of the kernel. The first number is raised when a plugin has to be changed to go on
working, the second when something is added that a plugin may rely on: of 0.2, commands; of 0.3, tokens of
attempts and names of wrappers."""


class PluginInfo(Struct, frozen=True):
    """Answer to the hook ``wingbeat_plugin``.

    Attributes:
        api: Version of the contracts that the plugin was built for, as a literal: ``(0, 3)``. Of another first number, or a higher
            second one than the kernel's, it is refused.

        settings: The sections of the configuration that it reads, each as a struct with a default for every field and a docstring
            that says what they mean.

        kits: ``module:class`` of test classes, for kits that have to know more than a name: values of a type, the configuration
            of a wrapper, where secrets are put. Imported and run by ``wingbeat plugins check``.
    """

    api: tuple[int, int]
    settings: Mapping[str, type[Struct]] = {}
    kits: tuple[str, ...] = ()


def fits(api: tuple[int, int]) -> bool:
    """Whether a plugin that was built for these contracts works with these here."""
    return api[0] == API_VERSION[0] and api[1] <= API_VERSION[1]


__all__ = ["API_VERSION", "PluginInfo", "fits"]
