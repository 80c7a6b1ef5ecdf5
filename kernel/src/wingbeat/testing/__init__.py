"""Conformance kits, fakes and fixtures for those who write plugins; `answers` and `inside_attempt` for those who test their
workflows."""

from wingbeat.author.gate import answers
from wingbeat.testing.inside import inside_attempt

__all__ = ["answers", "inside_attempt"]
