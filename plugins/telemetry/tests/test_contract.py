"""The observers keep the contract."""

import pytest

from wingbeat_telemetry.kits import TestOpenTelemetry, TestPrometheus

__all__ = ["TestOpenTelemetry", "TestPrometheus"]

pytestmark = pytest.mark.timeout(120)
