"""The environments that uv makes keep the contract."""

from pathlib import Path

import pytest

from wingbeat.builtin.environments import UvEnvironments
from wingbeat.spec.entities import EnvironmentSpec
from wingbeat.testing.conformance.environment import EnvironmentsContract


def uv_environments(home):
    return UvEnvironments(home.storage(), cache=str(Path(home.path, "cache")), cache_dir=home.path)


class TestWithoutPackages(EnvironmentsContract):
    def make(self, home):
        return uv_environments(home)


@pytest.mark.environments
@pytest.mark.timeout(300)
class TestWithPackages(EnvironmentsContract):
    possible = (EnvironmentSpec(packages=("attrs==22.2.0",)), EnvironmentSpec(packages=("attrs==25.3.0",)))
    impossible = (EnvironmentSpec(packages=("attrs==22.2.0", "attrs==25.3.0")),)

    def make(self, home):
        return uv_environments(home)
