"""Notifiers of Wingbeat: what becomes of executions, told by webhooks and by mail."""
