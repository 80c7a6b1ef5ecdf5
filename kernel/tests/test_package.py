"""The package is installed as this distribution."""

from importlib.metadata import version

import wingbeat


def test_package_is_installed_and_says_what_it_is():
    assert version("wingbeat")
    assert wingbeat.__doc__
