"""Tasks in containers. Importing this does not import the client of the container engine, which only the kernel needs."""

from __future__ import annotations

from wingbeat_container.config import Container

__all__ = ["Container"]
