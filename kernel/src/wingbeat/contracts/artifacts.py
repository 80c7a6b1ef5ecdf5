"""Artifacts: what an `Admin` may keep besides: outputs under names of their own, and who made what of what.

An admin that is an `Artifacts` too passes the kit `wingbeat.testing.conformance.artifacts.ArtifactsContract`. One that is not
refuses to activate launch plans that wait for artifacts, and to launch those that take them. What holds for the calls of an admin
(`wingbeat.contracts.admin`) holds for these. And:

- *Publishing*: each execution of something registered that succeeds makes one version of each artifact that its workflow
  publishes, `project/domain/name@EXECUTION`: at least once, by the change of the engine, and once, by its name.
- *Values* stay where they are: an artifact names the execution and the output.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from wingbeat.types import LiteralType

USES_LABEL = "wingbeat/uses"
"""Label of an execution: the artifacts that its inputs took, JSON: by input, their ids."""
TIES_MAX = 1000
"""How much of a lineage is told."""


class ArtifactEntry(Struct, frozen=True, omit_defaults=True):
    """A version of an artifact.

    Attributes:
        id: ``project/domain/name@EXECUTION``.

        partitions: Its keys, as texts.

        output: Which output of the execution it is.

        entity: What the execution is of, ``project/domain/name@version``.

        digest: Of its content: equal values have the same. Empty for one of before it was kept.
    """

    id: str
    execution: str
    output: str
    entity: str
    type: LiteralType
    created_at: float
    partitions: dict[str, str] = {}
    digest: str = ""


class ArtifactQuery(Struct, frozen=True, omit_defaults=True):
    """Which artifacts are listed: those that all that is given selects; the newest first, behind the id `after`.

    Attributes:
        partitions: Values that keys have to have; there may be more keys.

        within: Places, as ``project/domain`` with ``*`` for every one, outside of which nothing is known. None: everywhere.
    """

    project: str = ""
    domain: str = ""
    name: str = ""
    partitions: dict[str, str] = {}
    after: str = ""
    limit: int = 100
    within: tuple[str, ...] | None = None


class ArtifactPage(Struct, frozen=True):
    """A part of a list. `following` continues it, as `after`; empty at its end."""

    items: list[ArtifactEntry]
    following: str = ""


class Tie(Struct, frozen=True, order=True):
    """That something came of something else: an execution published an artifact, took one, fired another execution, or
    launched one as its child."""

    source: str
    kind: Literal["published", "taken by", "fired", "launched"]
    target: str


class Lineage(Struct, frozen=True, omit_defaults=True):
    """Where something comes from and what came of it, all the way; the first `TIES_MAX` ties, the nearest first.

    Attributes:
        id: Of what.

        sources: What it comes from.

        effects: What came of it.

        whole: Whether these are all.

        sources_elsewhere: Of how many more things it comes that are outside of where whoever asks may look; what is behind those
            is not counted.

        effects_elsewhere: The same, of what came of it.
    """

    id: str
    sources: list[Tie] = []
    effects: list[Tie] = []
    whole: bool = True
    sources_elsewhere: int = 0
    effects_elsewhere: int = 0


@runtime_checkable
class Artifacts(Protocol):
    """What an admin that keeps artifacts can do besides."""

    async def artifacts(self, query: ArtifactQuery) -> ArtifactPage:
        """Artifacts, every version of its own. Raises `NotFound` for an `after` that is not there."""

    async def artifact(self, reference: str, partitions: dict[str, str] | None = None) -> ArtifactEntry:
        """One version; without one in the reference the newest, whose keys have these values. Raises `NotFound`."""

    async def lineage(self, id: str, *, within: tuple[str, ...] | None = None) -> Lineage:
        """Of an execution, or of a version of an artifact; of its newest where none is named. It ends at what is not `within` these
        places, as of a query. Raises `NotFound`."""
