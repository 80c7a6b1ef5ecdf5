"""Environments made with uv: resolved once, built once for a machine, shared by all homes and attempts."""

from __future__ import annotations

from wingbeat.builtin.environments.manager import UvEnvironments
from wingbeat.builtin.environments.project import freeze_project, store_project_lock

__all__ = ["UvEnvironments", "freeze_project", "store_project_lock"]
