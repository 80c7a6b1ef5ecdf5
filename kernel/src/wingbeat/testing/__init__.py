"""Conformance kits, fakes and fixtures for those who write plugins."""
