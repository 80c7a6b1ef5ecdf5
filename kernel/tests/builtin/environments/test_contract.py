"""The environments that uv makes keep the contract."""

from pathlib import Path

import pytest

from wingbeat.builtin.environments import UvEnvironments
from wingbeat.spec.entities import EnvironmentSpec
from wingbeat.testing.conformance.builtin import TestUvEnvironments
from wingbeat.testing.conformance.environment import EnvironmentsContract
from wingbeat.testing.conformance.environment_clear import ClearContract

__all__ = ["TestUvEnvironments"]  # the kit, without packages


@pytest.mark.environments
@pytest.mark.timeout(300)
class TestWithPackages(EnvironmentsContract, ClearContract):
    possible = (EnvironmentSpec(packages=("attrs==22.2.0",)), EnvironmentSpec(packages=("attrs==25.3.0",)))
    impossible = (EnvironmentSpec(packages=("attrs==22.2.0", "attrs==25.3.0")),)

    def make(self, home):
        return UvEnvironments(home.storage(), cache=str(Path(home.path, "cache")), cache_dir=home.path)
