"""Conformance kits: one class for each contract, which the author of an implementation derives a test class from."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.catalog", f"{__name__}.catalog_model")
pytest.register_assert_rewrite(*(f"{__name__}.{kit}" for kit in ("executor", "journal", "storage")))
