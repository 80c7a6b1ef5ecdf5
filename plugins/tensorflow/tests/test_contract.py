"""The wrapper and the models keep their contracts, with TensorFlow."""

import pytest

from wingbeat_tensorflow.kits import TestModels, TestWrapper

__all__ = ["TestModels", "TestWrapper"]

pytestmark = [pytest.mark.tensorflow, pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]
