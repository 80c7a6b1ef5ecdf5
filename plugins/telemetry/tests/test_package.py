"""The package is installed as this distribution."""

from importlib.metadata import entry_points, version

import wingbeat_telemetry


def test_package_is_installed_and_says_what_it_is():
    assert version("wingbeat-telemetry")
    assert wingbeat_telemetry.__doc__


def test_kernel_can_find_the_plugin():
    (found,) = entry_points(group="wingbeat", name="telemetry")
    assert found.load().__name__ == "wingbeat_telemetry.plugin"
