"""The package is installed as this distribution."""

from importlib.metadata import entry_points, version

import wingbeat_container


def test_package_is_installed_and_says_what_it_is():
    assert version("wingbeat-container")
    assert wingbeat_container.__doc__


def test_kernel_can_find_the_plugin():
    (found,) = entry_points(group="wingbeat", name="container")
    assert found.load().__name__ == "wingbeat_container.plugin"
