"""Names of the modules that functions live in, as an attempt's process can import them."""

from __future__ import annotations

import os
import sys
from typing import Any


def module_of(fn: Any) -> str:
    """The importable module of `fn`: a script that runs as ``__main__`` is known by its file's stem."""
    name: str = fn.__module__
    if name != "__main__":
        return name
    main = sys.modules["__main__"]
    if spec := getattr(main, "__spec__", None):  # python -m package.module
        return str(spec.name).removesuffix(".__main__")
    return os.path.splitext(os.path.basename(getattr(main, "__file__", "__main__")))[0]


def file_of(fn: Any) -> str:
    """The file that `fn` was defined in, absolute; empty for code without one."""
    module = sys.modules.get(fn.__module__)
    file = getattr(module, "__file__", None) or getattr(getattr(fn, "__code__", None), "co_filename", "")
    return os.path.realpath(file) if file and os.path.exists(file) else ""
