"""The kits of a plugin with one fault."""

from wingbeat.testing.conformance.wrapper import WrapperContract


class TestWrapper(WrapperContract):
    target = "wrapped:SleepWrapper"
    offers = ("Session",)
