"""What is in the box is a plugin as any other, but that it looks behind the doors."""

from wingbeat.testing.conformance.plugin import PluginContract


class TestBuiltin(PluginContract):
    module = "wingbeat.builtin.plugin"

    # It is in the box itself: loaded already, of the same package, and no plugin of anybody's.
    test_it_boots_beside_what_is_in_the_box = None
    test_it_imports_nothing_private_of_the_kernel = None
