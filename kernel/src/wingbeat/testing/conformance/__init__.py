"""Kits of tests that a plugin runs with one test class: the contracts of `wingbeat.contracts`, said as tests."""
