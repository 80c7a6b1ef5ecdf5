"""The process of a Python task whose executor has claimed the attempt, limits it and keeps what it prints: in a container.

``python -m wingbeat.runtime.contained DIRECTORY``: the directory holds ``request`` and ``inputs``.
"""

from __future__ import annotations

import os
import sys

from wingbeat.runtime import files
from wingbeat.runtime.attempt import own_streams, run, variables
from wingbeat.runtime.job import read_job
from wingbeat.runtime.load import enter_bundle
from wingbeat.runtime.withheld import withhold


def main(directory: str) -> None:
    """Run the attempt of `directory`."""
    withhold()  # its executor may have given it the kernel's whole environment
    request = files.read_file(directory, files.REQUEST)
    if request is None:
        sys.exit(f"{directory} has no {files.REQUEST}; the executor writes it before it starts this.")
    job = read_job(request)
    os.environ.update(variables(job))
    own_streams()
    enter_bundle(job.bundle, job.cache)
    os.makedirs(f"{directory}/{files.WORK}", exist_ok=True)
    run(job, b"", os.dup(1), ())  # memory it may not have is refused, as where there are no control groups


if __name__ == "__main__":
    main(sys.argv[1])
