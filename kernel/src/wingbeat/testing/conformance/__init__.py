"""Conformance kits: one class for each contract, which the author of an implementation derives a test class from.

They need ``pip install wingbeat[testing]`` (pytest and hypothesis). See `docs/reference/contracts.md` for which kit is whose.
"""

import pkgutil

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{kit.name}" for kit in pkgutil.iter_modules(__path__)))
