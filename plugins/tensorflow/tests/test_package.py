"""The package is installed as this distribution."""

import subprocess
import sys
from importlib.metadata import entry_points, version

import wingbeat_tensorflow


def test_package_is_installed_and_says_what_it_is():
    assert version("wingbeat-tensorflow")
    assert wingbeat_tensorflow.__doc__


def test_kernel_can_find_the_plugin():
    (found,) = entry_points(group="wingbeat", name="tensorflow")
    assert found.load().__name__ == "wingbeat_tensorflow.plugin"


def test_importing_it_does_not_import_tensorflow():
    code = "import sys, wingbeat_tensorflow.plugin, wingbeat_tensorflow as w; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
