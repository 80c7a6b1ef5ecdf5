"""Conformance kits: one class for each contract, which the author of an implementation derives a test class from.

They need ``pip install wingbeat[testing]`` (pytest and hypothesis). See `docs/reference/contracts.md` for which kit is whose.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{kit}"
        for kit in (
            "catalog", "catalog_model", "environment", "executor", "executor_adoption", "executor_stage", "journal",
            "journal_model", "kit", "observer", "plugin", "secrets", "storage", "types", "wrapper",
        )
    )
)  # fmt: skip
