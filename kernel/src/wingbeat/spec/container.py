"""Tasks that run in a container image."""

from __future__ import annotations

from wingbeat.types.model import Strict


class ContainerSpec(Strict, frozen=True, omit_defaults=True):
    """The image that a task runs in.

    Attributes:
        image: Reference, as ``debian:12`` or ``registry/name@sha256:…``. One with a digest is the same for ever.

        command: What is run, in any language, instead of the task's function: it finds its inputs in the attempt's directory
            and leaves its outputs there. Empty: the function is run, by the image's Python.

        network: Whether it may reach the network.

        pull: When the image is fetched: ``missing``, ``always`` or ``never``.

        user: User (or ``user:group``) in the container; empty is whom the executor picks.

        writable: Whether it may write into the image's own files, which are as they were for the next attempt.
    """

    image: str
    command: tuple[str, ...] = ()
    network: bool = False
    pull: str = "missing"
    user: str = ""
    writable: bool = False
