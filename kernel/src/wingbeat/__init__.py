"""Wingbeat: typed, durable workflows in Python."""
