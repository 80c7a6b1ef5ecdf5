"""The log of events keeps the contract of observers."""

from wingbeat.testing.conformance.builtin import TestLog

__all__ = ["TestLog"]
