import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery_of_specs", Path(__file__).parent / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.GALLERY
