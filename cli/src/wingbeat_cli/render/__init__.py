"""Text and JSON out of views and events."""
