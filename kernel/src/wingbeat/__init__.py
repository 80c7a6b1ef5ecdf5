"""Wingbeat: functions with typed inputs and outputs, compiled to a versioned specification and run durably."""
