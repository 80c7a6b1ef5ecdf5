"""Wingbeat: typed, durable, cached workflows in Python."""
