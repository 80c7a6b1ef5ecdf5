"""What the process's variables say about environments: the one place that reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping

_DROPPED = (
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_WORKING_DIR",
)
_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX")


def cache_folder(variables: Mapping[str, str] | None = None) -> str:
    """The machine-wide cache: ``$WINGBEAT_CACHE``, else ``wingbeat`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    variables = os.environ if variables is None else variables
    if own := variables.get("WINGBEAT_CACHE"):
        return os.path.abspath(os.path.expanduser(own))
    shared = variables.get("XDG_CACHE_HOME", "")
    # The standard says that relative paths there are to be ignored.
    base = shared if os.path.isabs(shared) else os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "wingbeat")


def uv_variables(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that uv is run with: the user's, without what would lead it to another Python than it is told."""
    variables = os.environ if variables is None else variables
    made = {k: v for k, v in variables.items() if k not in _DROPPED}
    # uv does not read pip's settings, but who has a mirror for pip means it for this as well.
    if "PIP_INDEX_URL" in made and not any(name in made for name in _INDEX):
        made["UV_DEFAULT_INDEX"] = made["PIP_INDEX_URL"]
    return made | {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1", "RUST_BACKTRACE": "0"}


def pyenv_folder(variables: Mapping[str, str] | None = None) -> str:
    """Where pyenv keeps its interpreters, which uv does not look for."""
    variables = os.environ if variables is None else variables
    root = variables.get("PYENV_ROOT") or os.path.join(os.path.expanduser("~"), ".pyenv")
    return os.path.join(root, "versions")


def path_without_shims(variables: Mapping[str, str] | None = None) -> str:
    """PATH without the folders of shims, which cost most of a second for each Python that they only pretend to have."""
    variables = os.environ if variables is None else variables
    folders = variables.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(f for f in folders if os.path.basename(f.rstrip("/")) != "shims") or os.defpath
