"""Executions of Wingbeat as OpenLineage run events."""
