"""Conformance kits, fakes and fixtures for those who write plugins; `answers` for those who test their workflows."""

from wingbeat.author.gate import answers

__all__ = ["answers"]
