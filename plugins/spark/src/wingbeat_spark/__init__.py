"""Spark tasks for Wingbeat."""
