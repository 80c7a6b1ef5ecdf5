"""Observers of Wingbeat: what happens as metrics for Prometheus, and as traces for OpenTelemetry."""
