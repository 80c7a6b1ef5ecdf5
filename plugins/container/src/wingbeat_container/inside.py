"""The first thing that runs in the container of a Python task, by whatever Python the image has: so nothing is imported from
Wingbeat before it is clear that it can be.

``python3 inside.py DIRECTORY``
"""

import json
import os
import runpy
import sys
import sysconfig

SUPPORTED = ((3, 11), (3, 13))
TAG = "WINGBEAT_PYTHON"


def main(directory: str) -> None:
    """Find Wingbeat and be the attempt's process."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if path != here]  # whose modules have plain names
    version = sysconfig.get_python_version()
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        _unfit(directory, f"its python3 is Python {version}, and Wingbeat needs 3.11 to 3.13.")
    sys.path.append(os.path.dirname(here))  # what the image brings comes first
    try:
        import msgspec  # noqa: F401
    except ImportError:
        _take_msgspec(directory, os.path.join(os.path.dirname(os.path.dirname(here)), "native"))
    sys.argv = [sys.argv[0], directory]
    runpy.run_module("wingbeat.runtime.contained", run_name="__main__", alter_sys=True)


def _take_msgspec(directory: str, folder: str) -> None:
    """That of the kernel, which is compiled for one Python."""
    theirs, own = os.environ.get(TAG, ""), sysconfig.get_config_var("SOABI")
    wanted = "Install msgspec in the image, or take one with the kernel's Python."
    if theirs != own:
        _unfit(
            directory, f"it has no msgspec, and that of the kernel ({theirs}) does not fit its Python ({own}). {wanted}"
        )
    sys.path.append(folder)
    try:
        import msgspec  # noqa: F401
    except ImportError as error:
        _unfit(directory, f"it has no msgspec, and that of the kernel cannot be loaded there ({error}). {wanted}")


def _unfit(directory: str, why: str) -> None:
    image = os.environ.get("WINGBEAT_IMAGE", "")
    message = f"The image {image} cannot run a Python task: {why}"
    error = {"code": "ImageUnfit", "message": message, "retryable": False}
    with open(os.path.join(directory, "error"), "w", encoding="utf-8") as file:
        json.dump(error, file)
    sys.exit(message)


if __name__ == "__main__":
    main(sys.argv[1])
