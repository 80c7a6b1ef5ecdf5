"""An attempt for unit tests: what `wingbeat.current` gives inside of a task."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wingbeat.base.ids import attempt_folder, attempt_id
from wingbeat.runtime import here
from wingbeat.runtime.inside import Current, current


@contextmanager
def inside_attempt(
    home: str | os.PathLike[str] | None = None,
    *,
    execution: str = "test",
    node: str = "n0",
    attempt: int = 0,
    task: str = "test",
    recovers: str = "",
    secrets: Mapping[str, str] | None = None,
) -> Iterator[Current]:
    """Have `wingbeat.current` give an attempt, and `wingbeat.step` record.

    Args:
        home: Folder of attempts and stored values. Two uses with the same one and the same names are two runs of one attempt;
            with the next number for `attempt`, the second one is the retry of the first, and finds its checkpoint. By
            default a temporary one.

        recovers: ``execution/node`` whose checkpoint it begins with.

        secrets: Values of the secrets that it declares, by name.
    """
    if home is None:
        with (
            tempfile.TemporaryDirectory(prefix="wingbeat-") as folder,
            inside_attempt(
                folder, execution=execution, node=node, attempt=attempt, task=task, recovers=recovers, secrets=secrets
            ) as made,
        ):
            yield made
        return
    from wingbeat.builtin.filestore import FileStore
    from wingbeat.runtime.secrets import Secrets
    from wingbeat.runtime.storageio import StorageIO

    folder = os.path.abspath(home)
    directory = os.path.join(folder, "attempts", attempt_folder(execution, node, attempt))
    io = StorageIO(FileStore(os.path.join(folder, "storage")), os.path.join(directory, "scratch"))
    place = here.Here(attempt_id(execution, node, attempt), task, directory, io, checkpoint=recovers)
    place.secrets = None if secrets is None else Secrets(task, secrets)
    token = here.context.set(here.Seat(lambda made: made, place))
    try:
        yield current()
    finally:
        place.leave()
        here.context.reset(token)
